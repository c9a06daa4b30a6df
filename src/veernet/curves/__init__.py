"""Curves of a log: followed, drawn, unwrapped and compared."""
