"""Labels of pixels: the class index, in uint8; 0 = background, 1, 2, … curves."""

UNLABELLED = 255
"""Class index of pixels that losses and metrics ignore: padding, or not labelled."""
