"""VeerNet."""
