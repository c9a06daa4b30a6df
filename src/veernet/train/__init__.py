"""Train: the loop, and the files of a run on disk."""
