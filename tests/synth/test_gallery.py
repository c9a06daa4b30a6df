"""The gallery shows every nuisance, and the reference names them all as they are."""

from pathlib import Path

import cv2

from veernet.synth.appearance import Appearance, field_infos
from veernet.synth.gallery import table, write_gallery


def test_the_gallery_is_drawn_as_it_is_in_the_docs(tmp_path):
    """To a few grey levels: fonts and codecs differ a little between their versions."""
    docs = Path(__file__).parents[2] / "docs" / "gallery"
    for path in write_gallery(tmp_path):
        drawn, shown = (cv2.imread(str(p), 0) for p in (path, docs / path.name))
        assert drawn is not None
        assert shown is not None
        assert drawn.shape == shown.shape
        assert cv2.absdiff(drawn, shown).mean() < 3


def test_the_reference_lists_every_nuisance_with_its_range_and_unit():
    docs = Path(__file__).parents[2] / "docs" / "reference" / "appearance.md"
    assert table() in docs.read_text()
    assert table().count("\n") == 2 + len(field_infos(Appearance))
