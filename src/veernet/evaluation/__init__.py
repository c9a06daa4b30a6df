"""Evaluation of a network against the truth: in pixels, and in curve values."""
