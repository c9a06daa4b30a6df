"""The gallery shows every nuisance, and the reference names them all as they are."""

from pathlib import Path

import cv2
import pytest

from veernet.synth.appearance import Appearance, field_infos
from veernet.synth.gallery import table, write_gallery
from veernet.synth.tracks import Tracks


def test_the_gallery_is_drawn_as_it_is_in_the_docs(tmp_path):
    """To a few grey levels: fonts and codecs differ a little between their versions."""
    docs = Path(__file__).parents[2] / "docs" / "gallery"
    for path in write_gallery(tmp_path):
        drawn, shown = (cv2.imread(str(p), 0) for p in (path, docs / path.name))
        assert drawn is not None
        assert shown is not None
        assert drawn.shape == shown.shape
        assert cv2.absdiff(drawn, shown).mean() < 3


@pytest.mark.parametrize(
    ("settings", "page"), [(Appearance(), "appearance.md"), (Tracks(), "tracks.md")]
)
def test_the_reference_lists_every_nuisance_with_its_range_and_unit(settings, page):
    docs = Path(__file__).parents[2] / "docs" / "reference" / page
    rows = table(settings)
    assert rows in docs.read_text()
    assert rows.count("\n") == 2 + len(field_infos(type(settings)))
