"""What annotators write is read as they mean it, and the rest is refused in words."""

import base64
import io
import json
from pathlib import Path

import numpy as np
import pytest
from fuzz import as_text
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from veernet.errors import LabelError
from veernet.label.annotations import LabelmeMask, read_annotations
from veernet.label.matching import best_matches
from veernet.label.rle import decode


def run_lengths(mask):
    """Of a mask column by column, off first."""
    counts, now = [0], False
    for pixel in mask.T.ravel().tolist():
        if pixel != now:
            counts.append(0)
            now = pixel
        counts[-1] += 1
    return counts


@settings(max_examples=40)
@given(seed=st.integers(0, 999), h=st.integers(1, 90), w=st.integers(1, 50), share=st.floats(0, 1))
def test_run_lengths_become_the_mask_that_they_were_made_of(seed, h, w, share):
    mask = np.random.default_rng(seed).random((h, w)).cumsum(0) % 3 < 3 * share
    counts = run_lengths(mask)
    np.testing.assert_array_equal(decode((h, w), counts), mask)
    np.testing.assert_array_equal(decode((h, w), as_text(counts)), mask)


@pytest.mark.parametrize(
    "counts",
    [
        [],
        "",
        [5, 5],
        [20, -8],
        [10**30, 2],
        "Q",
        "é9",
        "\x00",
        "P" * 40,
        "0" * 3000,
        as_text([3, 4, 6]),
        [12, 0, 1],
    ],
)
def test_run_lengths_that_are_no_mask_are_refused(counts):
    with pytest.raises(ValueError, match="run lengths"):
        decode((3, 4), counts)


def png(array):
    file = io.BytesIO()
    Image.fromarray(array).save(file, "PNG")
    return file.getvalue()


@pytest.mark.parametrize(
    ("corners", "data", "message"),
    [
        ((2, 1, 5, 3), png(np.ones((4, 4), np.uint8)), "another size"),
        ((2, 1, 5, 3), png(np.ones((3, 4), np.uint8))[:50], "no readable PNG"),
        ((2, 1, 5, 3), b"", "another size"),
        ((2, 1, 5, 30), png(np.ones((30, 4), np.uint8)), "beyond the picture"),
        ((-1, 0, 2, 2), png(np.ones((3, 4), np.uint8)), "beyond the picture"),
        ((5, 1, 2, 3), png(np.ones((3, 4), np.uint8)), "beyond the picture"),
    ],
)
def test_masks_of_labelme_that_do_not_fit_are_refused(corners, data, message):
    with pytest.raises(ValueError, match=message):
        LabelmeMask(corners, base64.b64encode(data).decode()).pixels((8, 8))
    fine = LabelmeMask((2, 1, 5, 3), base64.b64encode(png(np.eye(3, 4, dtype=np.uint8))).decode())
    whole = np.zeros((8, 9), bool)
    whole[1:4, 2:6] = np.eye(3, 4, dtype=bool)
    np.testing.assert_array_equal(fine.pixels((9, 8)), whole)


COCO = {"images": [], "categories": [], "annotations": []}
ONE = {"id": 1, "file_name": "a.png"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("<annotations><version>1.1</version></annotations>", "XML, as CVAT"),
        ('\ufeff  <?xml version="1.0"?>', "XML, as CVAT"),
        ('{"type": "FeatureCollection", "features": []}', "'type', 'features', as GeoJSON"),
        ('[{"id": 7, "data": {}, "annotations": []}]', "'annotations', as Label Studio"),
        ('{"_via_img_metadata": {}, "_via_settings": {}}', "VGG Image Annotator"),
        ('[{"image_id": 1, "category_id": 2, "segmentation": []}]', "as results of COCO"),
        ("{}", "an empty object"),
        ("[1, 2]", "JSON of list"),
        ("7", "JSON of int"),
        ('{"shapes": 5}', "shapes: should be a valid list"),
        ('{"shapes": [{"label": "GR"}]}', "shapes.0.points: missing"),
        ('{"shapes": [{"label": "GR", "points": [[1, NaN]]}]}', "points.0.1.*finite"),
        (json.dumps(COCO | {"images": [ONE, ONE]}), "several images have the same id"),
        (json.dumps({"images": []}), "categories: missing"),
        ("{", "damaged"),
    ],
)
def test_files_of_other_formats_are_refused_in_words(tmp_path, text, message):
    (tmp_path / "l.json").write_text(text)
    with pytest.raises(LabelError, match=f"l.json: .*{message}"):
        read_annotations(tmp_path / "l.json")


@pytest.mark.parametrize(
    ("annotation", "message"),
    [
        ({"segmentation": [[1, 2, 3]]}, "'GR' has an odd number"),
        ({"segmentation": []}, "of 'GR' has no segmentation"),
        ({"segmentation": [[1, 2, 3, 4]], "category_id": 9}, "category 9, which is not among .* 3"),
        ({"segmentation": {"size": [4], "counts": "0"}}, "annotations.0.segmentation"),
    ],
)
def test_annotations_of_coco_that_are_no_line_are_refused_in_words(tmp_path, annotation, message):
    one = {"image_id": 1, "category_id": 3} | annotation
    table = {"images": [ONE], "categories": [{"id": 3, "name": "GR"}], "annotations": [one]}
    (tmp_path / "l.json").write_text(json.dumps(table))
    with pytest.raises(LabelError, match=f"l.json: .*{message}"):
        read_annotations(tmp_path / "l.json")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"categories": [{"id": 3, "name": "GR"}, {"id": 3, "name": "DT"}]},
            "several categories have the same id",
        ),
        ({"images": [ONE | {"id": "1"}]}, "of 'GR' is of image 1, which is not among its images"),
    ],
)
def test_annotations_of_coco_that_name_nothing_for_sure_are_refused(tmp_path, change, message):
    one = {"image_id": 1, "category_id": 3, "segmentation": [[1, 2, 3, 4]]}
    table = {"images": [ONE], "categories": [{"id": 3, "name": "GR"}], "annotations": [one]}
    (tmp_path / "l.json").write_text(json.dumps(table | change))
    with pytest.raises(LabelError, match=f"l.json: .*{message}"):
        read_annotations(tmp_path / "l.json")


@pytest.mark.parametrize(
    ("names", "best"),
    [
        (["well.png", "well2.png"], [0]),
        (["a/well.png", "b/well.png"], [1]),
        (["x/a/well.png", "y/well.png"], [0, 1]),
        (["C:\\logs\\b\\WELL.PNG", "a\\well.png"], [0]),
        (["well.jpg", "well.png"], [1]),
        (["well.jpg"], [0]),
        (["WELL.png", "well.png"], [1]),
        (["./well.png", "well.png"], [0, 1]),
        (["my well.png", "well.png.bak", "", "/"], []),
        ([], []),
    ],
)
def test_a_picture_is_known_by_as_much_of_its_path_as_fits(names, best):
    assert best_matches(Path("/scans/b/well.png"), names) == best
