"""A run as one page: its charts and pictures."""
