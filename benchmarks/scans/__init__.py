"""Tracks of printed logs drawn from the test wells by a vector renderer, with their truth.

Nothing here is shared with `veernet.synth`: the pictures come from SVG text that resvg draws, with
letters, dashes, grids and antialiasing of its own.
"""
