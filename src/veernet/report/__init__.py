"""HTML report of a run: its charts and pictures on one page."""
