"""Curves that were drawn by hand are labelled where they lie on ink, and nothing else is."""

import base64
import io
import json
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image

from veernet import Archive
from veernet.data.raster import write_picture
from veernet.errors import LabelError
from veernet.label import MaskLabels, PolylineLabels, import_scans
from veernet.label.labels import TracedCurve

WIDTH, HEIGHT = 460, 330
LEFTS, BREADTH = {"GR": 20, "DT": 240}, 200  # of which 10 px are the margin that reaches row 0

TOML = """
depth_axis = "down"
[depth]
unit = "ft"
step = 0.5
ties = [[0.0, 1000.0], [300.0, 1030.0]]
"""
TRACK = """
[[track]]
left = {left}
right = {right}
top = 10
bottom = 319
"""
CURVE = """
[[track.curve]]
mnemonic = "{name}"
left = 0
right = 150
trace = {trace}
wraps = {wraps}
"""


def track(left, *names, wraps="false"):
    curves = [CURVE.format(name=n, trace=k + 1, wraps=wraps) for k, n in enumerate(names)]
    return TRACK.format(left=left, right=left + BREADTH) + "".join(curves)


@dataclass
class Well:
    """A scan of two tracks, GR and DT, each with one solid curve on a grid."""

    folder: Path
    scan: Path
    y: np.ndarray
    x: dict

    def points(self, name, first=0, last=HEIGHT - 1, every=3):
        rows = [*range(first, last + 1, every), last]
        return [[float(self.x[name][y]), float(y)] for y in rows]

    def calibrate(self, text=None):
        text = text or track(20, "GR") + track(240, "DT")
        (self.folder / "c.toml").write_text(TOML + text)

    def mask(self, *curves, pen=3):
        """An index mask: (name, class, first row, last row) of every curve."""
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        for name, index, first, last in curves:
            line = np.rint(self.points(name, first, last, 1)).astype(np.int32)
            cv2.polylines(mask, [line], False, index, pen)
        return mask

    def masked(self, mask, **how):
        write_picture(self.folder / "mask.png", mask, palette=bytes(768))
        return self.imported(MaskLabels(path=self.folder / "mask.png", **how))

    def lines(self, table, **how):
        (self.folder / "lines.json").write_text(json.dumps(table))
        return self.imported(PolylineLabels(path=self.folder / "lines.json", **how))

    def imported(self, labels, scans=None, **how):
        """What is told of every curve, and the logs."""
        self.said = []
        out = self.folder / f"out {len([*self.folder.glob('out*')])}"
        message = import_scans(
            out,
            scans or [self.scan],
            self.folder / "c.toml",
            labels,
            report=self.said.append,
            **how,
        )
        split = Archive.open(out).split("train")
        return {one.mnemonic: one for one in message}, [split.log(i) for i in range(len(split))]


def curve_of(rng):
    """Where a curve lies across its track, row by row: smooth, and between 15 and 85 per cent."""
    y = np.arange(HEIGHT)
    swing = sum(np.sin(y / rng.uniform(12, 30) + rng.uniform(0, 6)) for _ in range(2))
    return 0.5 + 0.17 * swing


@pytest.fixture
def well(tmp_path, rng):
    page = np.full((HEIGHT, WIDTH), 255, np.uint8)
    x = {}
    for name, left in LEFTS.items():
        page[::20, left : left + BREADTH] = page[:, left : left + BREADTH + 1 : 45] = 0
        x[name] = left + BREADTH * curve_of(rng)
        line = np.stack([x[name], np.arange(HEIGHT)], axis=1)
        fixed = np.rint(16 * line).astype(np.int32)
        cv2.polylines(page, [fixed], False, 0, 2, cv2.LINE_AA, shift=4)
    well = Well(folder=tmp_path, scan=tmp_path / "well.png", y=np.arange(HEIGHT), x=x)
    write_picture(well.scan, page)
    well.calibrate()
    return well


def labelme(*shapes, name="well.png", size=(WIDTH, HEIGHT)) -> dict[str, Any]:
    """A file of Labelme, of shapes (label, kind, points)."""
    table = {
        "version": "5.4.1",
        "flags": {},
        "shapes": [
            {"label": label, "points": points, "shape_type": kind, "flags": {}}
            for label, kind, points in shapes
        ],
        "imagePath": name,
        "imageData": None,
    }
    return table | ({} if size is None else {"imageWidth": size[0], "imageHeight": size[1]})


def coco(*segmentations, names=("well.png",), size=(WIDTH, HEIGHT), label="GR") -> dict[str, Any]:
    """A file of COCO: a segmentation for every image."""
    return {
        "info": {},
        "images": [
            {"id": k, "file_name": name} | dict(zip(("width", "height"), size, strict=False))
            for k, name in enumerate(names)
        ],
        "categories": [{"id": 3, "name": label, "supercategory": ""}],
        "annotations": [
            {"id": k, "image_id": k, "category_id": 3, "segmentation": one, "iscrowd": 0}
            for k, one in enumerate(segmentations)
        ],
    }


def both(well):
    """Both curves as lines."""
    return [(name, "linestrip", well.points(name)) for name in LEFTS]


def check_on_curve(well, log, name, rows, within=2):
    """Check that the labels of these rows lie on the curve, and that all others are open."""
    open_columns = (log.mask == 255).all(0)
    first = np.flatnonzero(~open_columns)
    assert abs(first[0] - rows[0]) <= 3
    assert abs(first[-1] - rows[1]) <= 3
    assert not open_columns[first[0] : first[-1]].any()
    values = log.curves.values[0][first[0] : first[-1]]
    true = (well.x[name][first[0] : first[-1]] - LEFTS[name]) / BREADTH
    off = np.abs(values - true)[np.isfinite(values)]
    assert len(off) > 0.95 * len(values)
    assert np.quantile(off, 0.95) < within / BREADTH


@pytest.mark.parametrize("source", ["mask", "labelme", "coco"])
def test_columns_in_which_a_curve_was_not_drawn_are_not_labelled(well, source, rng):
    first = int(rng.integers(40, 100))
    last = first + int(rng.integers(100, 150))
    if source == "mask":
        found, logs = well.masked(well.mask(("GR", 1, first, last)))
    elif source == "labelme":
        found, logs = well.lines(labelme(("GR", "linestrip", well.points("GR", first, last))))
    else:
        found, logs = well.lines(coco([np.ravel(well.points("GR", first, last)).tolist()]))
    assert found["GR"].columns == found["DT"].columns == 310
    assert found["GR"].labelled == pytest.approx((last - first + 1) / 310, abs=0.02)
    assert found["DT"].labelled == found["DT"].given == 0
    check_on_curve(well, logs[0], "GR", (first, last))
    assert (logs[1].mask == 255).all()


def test_a_column_needs_all_curves_of_its_track(well):
    """Of two in one track; the second one was drawn in a part of it."""
    page = np.array(Image.open(well.scan))
    well.x["SP"] = well.x["GR"][::-1]
    line = np.rint(well.points("SP", every=1)).astype(np.int32)
    cv2.polylines(page, [line], False, 0, 2)
    write_picture(well.scan, page)
    well.calibrate(track(20, "GR", "SP"))
    drawn = [
        ("GR", "linestrip", well.points("GR")),
        ("SP", "linestrip", well.points("SP", 60, 200)),
    ]
    found, (log,) = well.lines(labelme(*drawn))
    assert found["GR"].labelled > 0.98
    assert found["SP"].labelled == pytest.approx(141 / 310, abs=0.02)
    check_on_curve(well, log, "GR", (60, 200))
    masked = well.mask(("SP", 2, 60, 200), ("GR", 1, 0, HEIGHT - 1))
    found, (log,) = well.masked(masked)
    assert found["SP"].labelled == pytest.approx(141 / 310, abs=0.02)  # behind GR where they cross
    check_on_curve(well, log, "GR", (60, 200))


def absent(well, way):
    """GR drawn to row 150, and said to be absent from 180 on."""
    line = ("GR", "linestrip", well.points("GR", 0, 150))
    corners = [[30.0, 180.0], [90.0, 400.0]]
    if way == "rectangle":
        return labelme(line, ("no GR", "rectangle", corners)), {}
    if way == "line":
        return labelme(line, ("no gr", "line", corners)), {}
    if way == "class":
        return labelme(line, ("no curve 1", "polygon", [*corners, [10.0, 300.0]])), {}
    return labelme(line), {"complete": ("gr",)}


@pytest.mark.parametrize("way", ["rectangle", "line", "class", "complete"])
def test_a_curve_that_is_absent_by_the_label_leaves_background(well, way):
    page = np.array(Image.open(well.scan))
    page[151:, 20:221] = 255
    write_picture(well.scan, page)
    well.calibrate(track(20, "GR"))
    table, how = absent(well, way)
    found, (log,) = well.lines(table, **how)
    first = 151 if way == "complete" else 180
    assert found["GR"].absent == pytest.approx((320 - first) / 310, abs=0.02)
    assert found["GR"].labelled == pytest.approx(141 / 310, abs=0.02)
    assert (log.mask[:, first + 3 : 317] == 0).all()
    assert (log.mask[:, 154 : first - 3] == 255).all()


def test_a_mask_that_is_complete_has_background_where_it_has_no_curve(well):
    well.calibrate(track(20, "GR"))
    mask = well.mask(("GR", 1, 0, 150))
    mask[250:280] = 255
    found, (log,) = well.masked(mask, complete=("GR",))
    assert found["GR"].absent == pytest.approx((320 - 151 - 30) / 310, abs=0.02)
    assert (log.mask[:, 160:245] == 0).all()
    assert (log.mask[:, 250:280] == 255).all()
    with pytest.raises(LabelError, match="SP cannot be complete: the calibration has GR"):
        well.masked(mask, complete=("SP",))


def test_pixels_that_a_mask_leaves_open_stay_open(well):
    """A stain beside the curve: no loss sees it, and the rest of its columns is labelled."""
    well.calibrate(track(20, "GR"))
    mask = well.mask(("GR", 1, 0, HEIGHT - 1))
    mask[100:140, 20:70][mask[100:140, 20:70] == 0] = 255
    found, (log,) = well.masked(mask)
    assert found["GR"].labelled > 0.98
    part = log.mask[:, 100:140]
    assert not (part == 255).all(0).any()
    assert (part == 255).mean() > 0.15
    assert (part == 1).any(0).all()


def test_a_mask_without_any_pixel_of_a_curve_is_refused(well):
    mask = well.mask(("GR", 255, 0, HEIGHT - 1), ("DT", 255, 0, HEIGHT - 1))
    share = f"{(mask == 255).mean():.2%}"
    with pytest.raises(
        LabelError, match=rf"no pixel of class 1 \(DT|GR\).*255 on {share}.*not lab"
    ):
        well.masked(mask)
    with pytest.raises(LabelError, match="class 7, where the calibration has 1 .*; it holds 0 on"):
        well.masked(well.mask(("GR", 7, 0, 99)))


@pytest.mark.parametrize("source", ["mask", "lines"])
@pytest.mark.parametrize("shift", [-45, 38])
def test_labels_beside_the_ink_are_refused(well, source, shift):
    well.x = {name: x + shift for name, x in well.x.items()}
    what = well.mask(("GR", 1, 0, HEIGHT - 1)) if source == "mask" else labelme(*both(well))
    with pytest.raises(LabelError, match="GR lies on ink in [0-9]+% of the [0-9]+ columns"):
        (well.masked if source == "mask" else well.lines)(what)


def test_drawn_curves_are_not_moved_along_the_scan(well):
    """A LAS file has one offset against its print; what was drawn on the scan has none."""
    well.calibrate(track(20, "GR"))
    lower = [[x, y + 11] for x, y in well.points("GR")]
    with pytest.raises(LabelError, match="GR lies on ink in"):
        well.lines(labelme(("GR", "linestrip", lower)))


def test_of_two_curves_the_one_beside_the_ink_is_left_unlabelled_and_said(well):
    well.x["DT"] = well.x["DT"] + 40
    found, logs = well.lines(labelme(*both(well)))
    assert found["GR"].labelled > 0.98
    assert found["DT"].labelled == 0
    assert found["DT"].given > 0.9
    assert (logs[1].mask == 255).all()
    assert "DT lies on ink in" in well.said[0]


def test_a_curve_that_is_not_believed_is_not_believed_to_be_absent(well):
    well.x["DT"] = well.x["DT"] + 40
    gr, dt = well.points("GR"), well.points("DT", 0, 150)
    _, logs = well.lines(
        labelme(("GR", "linestrip", gr), ("DT", "linestrip", dt)), complete=("DT",)
    )
    assert (logs[1].mask == 255).all()


def test_a_label_is_not_believed_where_little_of_it_lies_on_ink(rng):
    """Right for its first part; further on it meets the ink of other things now and then."""
    n = int(rng.integers(3000, 5000))
    cut = int(rng.integers(1000, n - 1000))
    x = np.arange(n)
    on_ink = np.where(x < cut, rng.random(n) < 0.9, rng.random(n) < 0.18)
    given, nothing = np.ones(n, bool), np.zeros(n, bool)
    traced = TracedCurve(
        positions=np.full(n, 0.5), on_ink=on_ink, given=given, absent=nothing, line_width=2
    )
    assert traced.share_on_ink(given) > 0.25
    beside = traced.beside_ink()
    assert not beside[:cut].any()
    assert beside[cut + 300 :].mean() > 0.98
    rest = traced.without(beside)
    assert not rest.on_ink[cut + 300 :].sum() > 0.02 * n
    assert (rest.on_ink[:cut] == on_ink[:cut]).all()


def test_a_drawn_line_that_leaves_the_ink_is_labelled_on_it_alone(well):
    page = np.array(Image.open(well.scan))
    page[121:139, 20:221] = 255
    write_picture(well.scan, page)
    found, logs = well.lines(labelme(*both(well)))
    assert found["GR"].given > 0.99
    assert found["GR"].labelled == pytest.approx(1 - 18 / 310, abs=0.02)
    assert (logs[0].mask[:, 124:136] == 255).all()
    assert (logs[1].mask[:, 124:136] != 255).all()


@pytest.mark.parametrize("source", ["mask", "lines"])
def test_a_curve_that_goes_round_is_followed_beyond_the_edge(well, source):
    """Leaving at one edge it comes in at the other, and its values go on."""
    position = 0.75 + 0.4 * np.sin(well.y / 30)
    page = np.full((HEIGHT, WIDTH), 255, np.uint8)
    page[::20, 20:221] = 0
    pieces = [np.flatnonzero((position >= wrap) & (position < wrap + 1)) for wrap in (0, 1)]
    pieces = [
        part for rows in pieces for part in np.split(rows, np.flatnonzero(np.diff(rows) > 1) + 1)
    ]
    lines = [np.stack([20 + 200 * (position[rows] % 1), rows], axis=1) for rows in pieces]
    fixed = [np.rint(16 * line).astype(np.int32) for line in lines]
    cv2.polylines(page, fixed, False, 0, 2, cv2.LINE_AA, shift=4)
    write_picture(well.scan, page)
    well.calibrate(track(20, "GR", wraps="true"))
    if source == "mask":
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        cv2.polylines(mask, [np.rint(line).astype(np.int32) for line in lines], False, 1, 3)
        found, (log,) = well.masked(mask)
    else:
        found, (log,) = well.lines(labelme(*[("GR", "linestrip", one.tolist()) for one in lines]))
    assert found["GR"].labelled > 0.93
    values = log.curves.values[0]
    known = np.isfinite(values)
    assert known[10:320].mean() > 0.9
    np.testing.assert_allclose(values[known], position[: len(values)][known], atol=3 / 200)
    # Nowhere across the track in between, as the mean of two pieces would be.
    beside = (log.mask == 1) & (log.grey > 200)
    assert beside.sum() < 0.1 * (log.mask == 1).sum()


def outline(points, width=6.0):
    """Round a curve at some distance, there and back."""
    there = [[x - width / 2, y] for x, y in points]
    return there + [[x + width / 2, y] for x, y in points[::-1]]


def encoded(mask):
    """A mask as Labelme keeps it: its corners, and a PNG of what lies between."""
    y, x = np.nonzero(mask)
    part = mask[y.min() : y.max() + 1, x.min() : x.max() + 1]
    file = io.BytesIO()
    Image.fromarray(part).save(file, "PNG")
    corners = [[float(x.min()), float(y.min())], [float(x.max()), float(y.max())]]
    return corners, base64.b64encode(file.getvalue()).decode()


def drawn_as(well, form):
    points, flat = well.points("GR"), np.ravel(well.points("GR")).tolist()
    match form:
        case "polygon" | "linestrip" | None:
            return labelme(("GR", form, points))
        case "line":
            pieces = pairwise(points)
            return labelme(*[("GR", "line", [a, b]) for a, b in pieces])
        case "outline":
            return labelme(("GR", "polygon", outline(points)))
        case "mask":
            corners, png = encoded(well.mask(("GR", 1, 0, HEIGHT - 1)))
            table = labelme(("GR", "mask", corners))
            table["shapes"][0]["mask"] = png
            return table
        case "COCO line":
            return coco([flat])
        case "COCO outline":
            return coco([np.ravel(outline(points)).tolist()])
        case "COCO RLE":
            on = well.mask(("GR", 1, 0, HEIGHT - 1)).T.ravel()
            edges = np.flatnonzero(np.diff(on, prepend=0, append=on[-1] ^ 1))
            counts = np.diff(edges, prepend=0).tolist()
            return coco({"size": [HEIGHT, WIDTH], "counts": counts})
    raise AssertionError(form)


FORMS = ["polygon", "linestrip", "line", "outline", "mask", "COCO line", "COCO outline", "COCO RLE"]


@pytest.mark.parametrize("form", [*FORMS, None])
def test_a_curve_is_the_same_in_every_form_it_is_drawn_in(well, form):
    well.calibrate(track(20, "GR"))
    table = drawn_as(well, form)
    if form is None:
        del table["shapes"][0]["shape_type"]  # as the first Labelme wrote
    found, (log,) = well.lines(table)
    assert found["GR"].labelled > 0.98
    check_on_curve(well, log, "GR", (0, 329))


@pytest.mark.parametrize("form", ["outline", "mask", "COCO line", "linestrip"])
@pytest.mark.parametrize("scale", [0.5, 2.0])
def test_a_curve_drawn_on_a_copy_of_another_size_is_scaled(well, form, scale):
    well.calibrate(track(20, "GR"))
    seen = Well(well.folder, well.scan, well.y, {"GR": well.x["GR"]})
    table = drawn_as(seen, form)
    size = round(WIDTH * scale), round(HEIGHT * scale)
    if form == "COCO line":
        table["images"][0] |= {"width": size[0], "height": size[1]}
        part = table["annotations"][0]["segmentation"]
        part[0] = (scale * np.array(part[0])).tolist()
    else:
        table |= {"imageWidth": size[0], "imageHeight": size[1]}
        shape = table["shapes"][0]
        if form == "mask":
            mask = cv2.resize(
                well.mask(("GR", 1, 0, HEIGHT - 1)), size, interpolation=cv2.INTER_AREA
            )
            shape["points"], shape["mask"] = encoded(mask)
        else:
            shape["points"] = (scale * np.array(shape["points"])).tolist()
    found, (log,) = well.lines(table)
    assert found["GR"].labelled > 0.97
    check_on_curve(well, log, "GR", (0, 329), within=3)
    assert f"drawn on {size[0]} × {size[1]} px" in well.said[0]


@pytest.mark.parametrize(
    ("size", "message"),
    [
        ((HEIGHT, WIDTH), "330 × 460 px .*, where the scan has 460 × 330; turned by its EXIF"),
        ((HEIGHT * 2, WIDTH * 2), "660 × 920 px .* EXIF"),
        ((WIDTH, HEIGHT - 20), "460 × 310 px .*, where the scan has 460 × 330"),
        ((0, 0), "0 × 0 px"),
    ],
)
@pytest.mark.parametrize("kind", [labelme, coco])
def test_labels_of_a_picture_of_other_proportions_are_refused(well, kind, size, message):
    shape = {labelme: ("GR", "linestrip", well.points("GR"))}
    flat = [np.ravel(well.points("GR")).tolist()]
    with pytest.raises(LabelError, match=f"lines.json: drawn on {message}"):
        well.lines(kind(shape.get(kind, flat), size=size))


@pytest.mark.parametrize("kind", [labelme, coco])
def test_lines_of_a_picture_without_a_size_must_lie_within_the_scan(well, kind):
    shape = {labelme: ("GR", "linestrip", well.points("GR"))}
    flat = [np.ravel(well.points("GR")).tolist()]
    table = kind(shape.get(kind, flat), size=None if kind is labelme else ())
    found, _ = well.lines(table)
    assert found["GR"].labelled > 0.98
    assert "says no width and height" in well.said[0]
    (well.folder / "lines.json").write_text(json.dumps(table).replace("329.0", "777.0"))
    with pytest.raises(LabelError, match="777 on a picture whose size it does not say"):
        well.imported(PolylineLabels(path=well.folder / "lines.json"))


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (("GR", "circle", [[50.0, 50.0], [60.0, 60.0]]), "'GR' is a circle, which is no curve"),
        (("GR", "rectangle", [[50.0, 50.0], [60.0, 60.0]]), "'GR' is a rectangle"),
        (("GR", "points", [[50.0, 50.0], [60.0, 60.0]]), "'GR' is a points"),
        (("GR", "linestrip", [[50.0, 50.0]]), "'GR' is a single point"),
        (("GR", "mask", [[50.0, 50.0], [60.0, 60.0]]), "a mask labelled 'GR' has no pixels"),
        (("no GR", "circle", [[50.0, 50.0], [60.0, 60.0]]), "'no GR' is a circle"),
        (
            ("SP", "linestrip", [[1.0, 2.0], [3.0, 4.0]]),
            "labelled 'SP'; .* has GR .*'GR' × 1, 'SP'",
        ),
    ],
)
def test_a_shape_that_is_no_curve_is_refused_by_name(well, shape, message):
    with pytest.raises(LabelError, match=f"lines.json: .*{message}"):
        well.lines(labelme(("GR", "linestrip", well.points("GR")), shape))


def test_a_line_counts_in_the_track_of_its_curve_alone(well):
    """DT drawn over the track of GR: of one mnemonic, it is not the other's label."""
    with pytest.raises(LabelError, match="lines.json: none of GR, DT is inside its track"):
        well.lines(labelme(("DT", "linestrip", well.points("GR"))))
    found, _ = well.lines(labelme(("curve 1", "linestrip", well.points("GR"))))
    assert found["GR"].labelled > 0.98
    assert found["DT"].given == 0


@pytest.mark.parametrize("kind", ["labelme", "coco", "masks"])
def test_labels_of_one_scan_label_no_other(well, kind):
    """The other is its mirror image, of the same size."""
    other = well.folder / "other.png"
    write_picture(other, np.array(Image.open(well.scan))[::-1])
    scans = [well.scan, other]
    if kind == "masks":
        write_picture(
            well.folder / "well mask.png", well.mask(("GR", 1, 0, 329)), palette=bytes(768)
        )
        with pytest.raises(LabelError, match="well mask.png: is not named as well.png"):
            well.imported(MaskLabels(path=well.folder / "well mask.png"), scans)
        return
    flat = [np.ravel(well.points("GR")).tolist()]
    table = coco(flat) if kind == "coco" else labelme(*both(well))
    (well.folder / "lines.json").write_text(json.dumps(table))
    labels = PolylineLabels(path=well.folder / "lines.json")
    with pytest.raises(
        LabelError, match=r"nothing is drawn on other.png in it; it is of 'well.png'"
    ):
        well.imported(labels, scans)
    message, logs = well.imported(labels, scans, on_error="skip")
    assert [one.scan for one in message.values()] == ["well.png", "well.png"]
    assert len(logs) == 2
    with pytest.raises(LabelError, match="lies on ink in|nothing is drawn on"):
        well.imported(labels, [other])


def test_a_renamed_scan_of_the_same_size_is_labelled_and_said(well):
    found, _ = well.lines(labelme(*both(well), name="crop.png"))
    assert found["GR"].labelled > 0.98
    assert "drawn on 'crop.png', taken for well.png" in well.said[0]
    with pytest.raises(
        LabelError, match=r"nothing is drawn on well.png in it; it is of 'crop.png'"
    ):
        well.lines(labelme(*both(well), name="crop.png", size=(2 * WIDTH, 2 * HEIGHT)))


@pytest.mark.parametrize("names", [("well.json", "other.json"), ("1.json", "2.json")])
def test_a_folder_has_one_file_a_scan(well, names):
    other, folder = well.folder / "other.png", well.folder / "labels"
    write_picture(other, np.array(Image.open(well.scan))[::-1])
    folder.mkdir()
    mirrored = [[x, HEIGHT - 1 - y] for x, y in well.points("GR")]
    tables = [
        labelme(("GR", "linestrip", well.points("GR"))),
        labelme(("GR", "linestrip", mirrored), name="..\\Scans\\OTHER.PNG"),
    ]
    for name, table in zip(names, tables, strict=True):
        (folder / name).write_text(json.dumps(table))
    well.calibrate(track(20, "GR"))
    _, logs = well.imported(PolylineLabels(path=folder), [well.scan, other])
    assert len(logs) == 2
    for log in logs:
        assert (log.mask[:, 10:320] == 1).any(0).mean() > 0.98
    write_picture(well.folder / "third.png", np.array(Image.open(well.scan)))
    with pytest.raises(LabelError, match=r"nothing is drawn on third.png in it; it is of"):
        well.imported(PolylineLabels(path=folder), [well.folder / "third.png"])


def test_pictures_of_one_name_are_told_apart_by_their_folders(well):
    flat, wrong = (
        [np.ravel(points).tolist()] for points in (well.points("GR"), [[90, 9], [90, 99]])
    )
    table = coco(flat, wrong, names=("a\\well.png", "scans/b/well.png"))
    (well.folder / "lines.json").write_text(json.dumps(table))
    labels = PolylineLabels(path=well.folder / "lines.json")
    with pytest.raises(LabelError, match=r"cannot tell .*'a\\\\well.png'.*'scans/b/well.png'"):
        well.imported(labels)
    (well.folder / "a").mkdir()
    inside = well.scan.rename(well.folder / "a/well.png")
    found, _ = well.imported(labels, [inside])
    assert found["GR"].labelled > 0.98


def test_a_missing_file_and_an_empty_folder_are_named(well):
    with pytest.raises(LabelError, match="lines.json: no such file"):
        well.imported(PolylineLabels(path=well.folder / "lines.json"))
    (well.folder / "empty").mkdir()
    with pytest.raises(LabelError, match="empty: no JSON file .* but nothing"):
        well.imported(PolylineLabels(path=well.folder / "empty"))
    with pytest.raises(LabelError, match="empty: no mask named well"):
        well.imported(MaskLabels(path=well.folder / "empty"))
    for ending in ("png", "tif", "json"):
        (well.folder / f"empty/well.{ending}").touch()
    with pytest.raises(LabelError, match=r"several masks of well.png: well.png, well.tif"):
        well.imported(MaskLabels(path=well.folder / "empty"))


@pytest.mark.parametrize("form", ["linestrip", "COCO RLE"])
def test_a_skewed_scan_is_labelled_alike(well, form):
    """Turned by 2 degrees, the corners given; drawn on, and said to be absent, as it lies."""
    turn = cv2.getRotationMatrix2D((0, 0), -2, 1)
    turn[:, 2] += 25, 10
    page = np.array(Image.open(well.scan))
    page[201:, 20:221] = 255
    size = WIDTH + 40, HEIGHT + 60
    skewed = cv2.warpAffine(page, turn, size, flags=cv2.INTER_AREA, borderValue=255)
    write_picture(well.scan, skewed)
    corners = [[20, 10], [220, 10], [220, 319], [20, 319]]
    there = [(turn @ [x, y, 1]).round(3).tolist() for x, y in corners]
    text = TRACK + CURVE.format(name="GR", trace=1, wraps="false")
    well.calibrate(text.replace(TRACK[TRACK.index("left") :], f"corners = {there}\n"))
    line = [(turn @ [x, y, 1]).tolist() for x, y in well.points("GR", 0, 200)]
    if form == "linestrip":
        span = [(turn @ [120, y, 1]).tolist() for y in (230, 329)]
        table = labelme(("GR", form, line), ("no GR", "line", span), size=size)
        found, (log,) = well.lines(table)
        assert (log.mask[:, 235:315] == 0).all()
    else:
        mask = np.zeros(size[::-1], np.uint8)
        cv2.polylines(mask, [np.rint(line).astype(np.int32)], False, 1, 1)
        edges = np.flatnonzero(np.diff(mask.T.ravel(), prepend=0, append=0))
        counts = np.diff(edges, prepend=0, append=mask.size).tolist()
        found, (log,) = well.lines(coco({"size": size[::-1], "counts": counts}, size=size))
        assert (log.mask[:, 235:315] == 255).all()
    assert found["GR"].labelled == pytest.approx(191 / 310, abs=0.02)
    true = (well.x["GR"][: log.mask.shape[1]] - 20) / BREADTH
    off = np.abs(log.curves.values[0][:190] - true[:190])
    assert np.nanquantile(off, 0.95) < 2 / BREADTH


def test_a_scan_on_its_side_is_labelled_alike(well):
    """Depth to the right: outlines, and where a curve is absent, are read along it."""
    page = np.array(Image.open(well.scan))
    write_picture(well.scan, np.ascontiguousarray(np.rot90(page)))
    lying = [[[y, WIDTH - 1 - x] for x, y in line] for line in (well.points("GR", 0, 200),)]
    text = track(20, "GR").replace("left = 20\nright = 220\ntop = 10\nbottom = 319", LYING)
    (well.folder / "c.toml").write_text((TOML + text).replace('"down"', '"right"'))
    shape = ("GR", "polygon", outline_across(lying[0]))
    gone = ("no GR", "line", [[230.0, 5.0], [329.0, 5.0]])
    _, (log,) = well.lines(labelme(shape, gone, size=(HEIGHT, WIDTH)))
    assert (log.mask[:, 235:315] == 0).all()
    assert (log.mask[:, 205:225] == 255).all()
    true = (well.x["GR"][:190] - 20) / BREADTH
    assert np.nanquantile(np.abs(log.curves.values[0][:190] - true), 0.95) < 2 / BREADTH


LYING = f"left = 10\nright = 319\ntop = {WIDTH - 1 - 220}\nbottom = {WIDTH - 1 - 20}"


def outline_across(points):
    """Round a curve that runs to the right."""
    return [[x, y - 3.0] for x, y in points] + [[x, y + 3.0] for x, y in points[::-1]]


@pytest.mark.parametrize(("paper", "ink"), [(235, 140), (200, 90), (255, 170)])
def test_faint_print_counts_as_ink(well, paper, ink):
    page = np.array(Image.open(well.scan)).astype(float)
    write_picture(well.scan, (ink + page * (paper - ink) / 255).astype(np.uint8))
    found, logs = well.lines(labelme(*both(well)))
    assert found["GR"].labelled > 0.97
    check_on_curve(well, logs[0], "GR", (0, 329))


def test_overlays_show_the_curve_and_what_is_not_labelled(well):
    well.calibrate(track(20, "GR"))
    (well.folder / "lines.json").write_text(
        json.dumps(labelme(("GR", "linestrip", well.points("GR", 0, 200))))
    )
    labels = PolylineLabels(path=well.folder / "lines.json")
    _, (log,) = well.imported(labels, overlays=well.folder / "seen")
    (path,) = (well.folder / "seen").iterdir()
    colours = np.array(Image.open(path)).astype(int)
    zoom = len(colours) // len(log.grey)
    tinted = colours[..., 0] - colours[..., 2]
    assert (tinted[:, 210 * zoom :] > 20).all()
    red = np.any(tinted > 100, axis=0)
    assert red[10 * zoom : 190 * zoom].all()
    assert not red[210 * zoom :].any()


def test_a_column_in_which_a_curve_lies_in_two_places_is_not_labelled(well):
    """A second line of GR beside the first one, in a part of the track."""
    beside = [[x - 60, y] for x, y in well.points("GR", 100, 160)]
    shapes = [("GR", "linestrip", well.points("GR")), ("GR", "linestrip", beside)]
    _, (log, _) = well.lines(labelme(*shapes))
    columns = (log.mask == 255).all(0)
    assert columns[104:156].all()
    assert not columns[12:96].any()
    assert not columns[164:315].any()


def test_the_command_takes_what_is_complete_and_tells_shares(well, veernet, capsys):
    well.calibrate(track(20, "GR"))
    (well.folder / "lines.json").write_text(
        json.dumps(labelme(("GR", "linestrip", well.points("GR", 0, 200)), name="old.png"))
    )
    words = ["import", well.scan, "--calibration", well.folder / "c.toml", "--polylines"]
    words += [well.folder / "lines.json", "--complete", "GR", "--out"]
    assert veernet(*words, well.folder / "json", "--json") == 0
    printed = capsys.readouterr()
    assert "drawn on 'old.png', taken for well.png" in printed.err
    (output,) = json.loads(printed.out)
    assert output["labelled"] == pytest.approx(191 / 310, abs=0.02)
    assert output["absent"] == pytest.approx(1 - 191 / 310, abs=0.02)
    assert veernet(*words, well.folder / "table") == 0
    assert f"{output['absent']:.2%}" in capsys.readouterr().out
    words[4:6] = ["--las", well.folder / "well.las"]
    assert veernet(*words, well.folder / "las") == 2
    assert "--complete goes with --masks and --polylines" in capsys.readouterr().err
