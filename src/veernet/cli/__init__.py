"""The `veernet` command."""
