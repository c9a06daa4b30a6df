"""Sheets show the masks of logs where they lie on the scans."""

import sys
from dataclasses import replace

import cv2
import numpy as np
import pytest

from veernet import Archive
from veernet.data.sheet import masked, write_sheets
from veernet.data.verify import verify
from veernet.synth.make import make


def test_a_mask_is_seen_on_ink_and_beside_it_and_where_nothing_is_labelled():
    """Two thirds of a pixel are the colour of its curve, and one third the scan; the rest of the
    scan is half as dark as it is."""
    grey = np.array([[0, 0, 255], [0, 255, 255]], np.uint8)
    mask = np.array([[0, 1, 2], [255, 1, 0]], np.uint8)
    picture = masked(grey, mask)
    assert picture.shape == (240, 360, 3)
    red, blue, tint = np.array([[214, 39, 40], [31, 119, 180], [230, 200, 120]])
    expected = np.array(
        [
            [[128] * 3, 2 * red // 3, (2 * blue + 255) // 3],
            [np.minimum(128, tint), (2 * red + 255) // 3, [255] * 3],
        ]
    )
    np.testing.assert_array_equal(picture, expected.repeat(120, 0).repeat(120, 1))


@pytest.fixture
def captions(monkeypatch):
    """Captions as they are written."""
    sheet, words = sys.modules["veernet.data.sheet"], []
    caption = sheet.caption

    def watched(texts, *, width):
        words.append(" ".join(text for text, _ in texts))
        return caption(texts, width=width)

    monkeypatch.setattr(sheet, "caption", watched)
    return words


def test_sheets_have_logs_from_all_over_a_split_and_its_extremes(small_logs, tmp_path, captions):
    """A log that is extreme in two ways is shown once; one that cannot be read, by the reason."""
    make(tmp_path / "own", small_logs, (23, 0, 0))
    archive = Archive.open(tmp_path / "own")
    split = archive.split("train")
    (split.folder / split.rows[3].file_name).unlink()
    found = verify(split)
    found = replace(found, emptiest=(found.narrowest[1], *found.emptiest[1:]))
    assert write_sheets(tmp_path, "train", split, archive.classes, None) == [tmp_path / "train.png"]
    shown = [round(k * 22 / 7) for k in range(8)]
    assert [text[:17] for text in captions] == [split.rows[i].file_name for i in shown]
    assert "000003.tif: no such picture" in captions[shown.index(3)]
    first = split.rows[0]
    about = f"{first.height} x {first.width} px. On it: {', '.join(first.traits)}. curve 1 curve 2"
    assert captions[0] == f"{first.file_name}, {about}"
    captions.clear()
    sheets = write_sheets(tmp_path / "all", "train", split, archive.classes, found)
    assert [path.name for path in sheets] == ["train.png", "train-extremes.png"]
    extremes = captions[8:]
    names = [one.file_name for one in (*found.narrowest, *found.emptiest, *found.darkest)]
    assert [text[:17] for text in extremes] == [*dict.fromkeys(names)]
    assert "px; 2nd narrowest, emptiest" in extremes[1]
    picture = cv2.imread(str(tmp_path / "all/train-extremes.png"))
    assert picture is not None
    assert len(picture) > 240 * len(extremes)


def test_the_middle_of_a_long_log_is_shown(small_logs, tmp_path, captions):
    make(tmp_path / "own", replace(small_logs, width=(1700, 1800)), (1, 0, 0))
    archive = Archive.open(tmp_path / "own")
    split = archive.split("train")
    write_sheets(tmp_path, "train", split, archive.classes, None)
    first = (split.rows[0].width - 1600) // 2
    assert f"px; columns {first} to {first + 1599}. " in captions[0]
