"""What the tests look up in the folder of a run."""

from pathlib import Path

from veernet.train.checkpoint import Checkpoint, newest_checkpoint


def newest(run: Path) -> Checkpoint:
    """Where a run is by its newest checkpoint, which must be whole."""
    checkpoint, damaged = newest_checkpoint(run)
    assert checkpoint is not None
    assert not damaged
    return checkpoint
