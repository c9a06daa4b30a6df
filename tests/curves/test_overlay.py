"""Captions stay within their width."""

import numpy as np
import pytest

from veernet.curves.overlay import BLACK, COLOURS, caption, names_of_curves


@pytest.mark.parametrize("width", [90, 333])
def test_a_caption_takes_as_many_lines_as_its_words_do_and_none_is_cut(width):
    """Its ink is that of the same words on one long line, each in its own colour."""
    texts = [("001 of 32 from the worst, on it:", BLACK), *names_of_curves(["GR", "RHOB"])]
    one_line, wrapped = caption(texts, width=2000), caption(texts, width=width)
    assert wrapped.shape[1] == width
    assert (len(wrapped) > len(one_line)) == (width < 333)
    ink = [(255 - picture.astype(int)).sum((0, 1)) for picture in (one_line, wrapped)]
    np.testing.assert_allclose(ink[0], ink[1], rtol=1e-3)
    assert (wrapped[:, -1] == 255).all()
    for colour in COLOURS[:2]:
        assert (np.abs(wrapped.astype(int) - colour).max(2) < 60).any()
