"""What was made to do harm is refused or escaped."""

import io
import json
import re
import resource
import shutil
import struct
import zlib
from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest
import torch
from rich.console import Console

from veernet import Archive, Schedule, VeerNetConfig
from veernet.data.raster import read_grey
from veernet.digitisation import read_calibration
from veernet.errors import ArchiveError, CalibrationError, ImageError, LasError
from veernet.files import read_json_lines, write_json_lines
from veernet.las import read_las
from veernet.report.page import write_report
from veernet.synth.make import make
from veernet.train.run import start
from veernet.train.trainer import fit
from veernet.training import Training

CPU = torch.device("cpu")
TINY = Training(
    network=VeerNetConfig(out_channels=3, channels=(2, 4, 8), num_heads=2, num_layers=1),
    schedule=Schedule(effective_batch=2, pixel_budget=8000),
    epochs=1,
)


def png(width, height, rows=b""):
    def chunk(kind, body):
        crc = zlib.crc32(kind + body).to_bytes(4, "big")
        return len(body).to_bytes(4, "big") + kind + body + crc

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    parts = (b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def tiff(width, height, data, *, following=0, tile=None):
    """One strip or tile of grey bytes, by hand; the next page is said to be at `following`."""
    entries = {256: width, 257: height, 258: 8, 259: 8, 262: 1, 277: 1}
    place, size = (273, 279) if tile is None else (324, 325)
    entries |= {278: height} if tile is None else {322: tile, 323: tile}
    n = len(entries) + 2
    entries |= {place: 8 + 2 + n * 12 + 4, size: len(data)}
    table = b"".join(struct.pack("<HHII", tag, 4, 1, entries[tag]) for tag in sorted(entries))
    header = b"II*\0" + struct.pack("<I", 8)
    return header + struct.pack("<H", n) + table + struct.pack("<I", following) + data


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


@pytest.mark.parametrize("made", [png, lambda w, h: tiff(w, h, zlib.compress(bytes(42_000_000)))])
def test_a_picture_of_an_absurd_size_is_refused_before_it_is_decoded(tmp_path, made):
    path, before = tmp_path / "bomb.png", peak()
    path.write_bytes(made(100_000, 100_000))
    assert path.stat().st_size < 43_000
    with pytest.raises(ImageError, match="bomb.png: 100,?000 × 100,?000 px is more than"):
        read_grey(path)
    assert peak() - before < 200e6


def test_a_strip_that_unpacks_to_more_than_it_said_fills_no_memory(tmp_path):
    path, before = tmp_path / "bomb.tif", peak()
    path.write_bytes(tiff(100, 100, zlib.compress(bytes(420_000_000), 9)))
    with suppress(ImageError):
        assert read_grey(path).shape == (100, 100)
    assert peak() - before < 200e6


def test_a_tile_much_larger_than_its_picture_is_refused(tmp_path):
    path = tmp_path / "tile.tif"
    path.write_bytes(tiff(100, 100, zlib.compress(bytes(128 * 128)), tile=128))
    assert read_grey(path).shape == (100, 100)
    path.write_bytes(tiff(100, 100, zlib.compress(bytes(100)), tile=36_000))
    with pytest.raises(ImageError, match="tiles of 36000 × 36000 px in a picture of 100 × 100 px"):
        read_grey(path)


@pytest.mark.parametrize(("side", "largest"), [(100, 2048), (1000, 2848)])
def test_a_tile_may_have_four_pictures_of_pixels_and_four_mebipixels_more(tmp_path, side, largest):
    """A tile is decoded whole, whatever of it the picture shows; its sides go by sixteen."""
    path = tmp_path / "tile.tif"
    assert largest**2 <= 4 * side**2 + 2**22 < (largest + 16) ** 2
    path.write_bytes(tiff(side, side, zlib.compress(bytes(largest**2)), tile=largest))
    assert read_grey(path).shape == (side, side)
    path.write_bytes(tiff(side, side, zlib.compress(bytes(100)), tile=largest + 16))
    with pytest.raises(ImageError, match=f"tiles of {largest + 16} × {largest + 16} px"):
        read_grey(path)


def test_pages_in_a_circle_come_to_an_end(tmp_path):
    path = tmp_path / "circle.tif"
    path.write_bytes(tiff(10, 10, zlib.compress(bytes(100)), following=8))
    assert read_grey(path).shape == (10, 10)
    with pytest.raises(ImageError, match="page 2 was asked for, the file has 1"):
        read_grey(path, page=2)


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "/etc/passwd", "images/../../x.tif", "a\\..\\b", "a\x1b[2J"]
)
@pytest.mark.parametrize("field", ["file_name", "mask_file_name", "curves_file"])
def test_metadata_that_leads_elsewhere_is_refused(small_archive, tmp_path, name, field):
    shutil.copytree(small_archive, tmp_path / "archive")
    path = tmp_path / "archive/train/metadata.jsonl"
    rows = read_json_lines(path, error=ArchiveError, missing="")
    write_json_lines(path, [{**row, field: name} for row in rows])
    with pytest.raises(ArchiveError, match=r"metadata.jsonl: .*is no name of a file inside"):
        Archive.open(tmp_path / "archive").split("train")


def test_curves_that_promise_more_than_a_log_has_are_refused(small_archive, tmp_path):
    shutil.copytree(small_archive, tmp_path / "archive")
    split = Archive.open(tmp_path / "archive").split("train")
    path = split.folder / split.rows[0].curves_file
    np.savez_compressed(path, rows=np.zeros((2, 20_000)), values=np.zeros((2, 20_000)))
    assert path.stat().st_size < 2000
    with pytest.raises(ArchiveError, match=r"000000.npz: .* more than curves of shape"):
        split.log(0)
    good = np.zeros((2, split.rows[0].width))
    np.savez_compressed(path, rows=good, values=good, texts=np.zeros(2_000_000, "U9"))
    with pytest.raises(ArchiveError, match=r"000000.npz: .* bytes of words, where"):
        split.log(0)
    np.savez(path, rows=np.zeros((2, split.rows[0].width), "U9"), values=np.zeros((2, 3)))
    with pytest.raises(ArchiveError, match="000000.npz: "):
        split.log(0)


def test_a_las_file_of_gigabytes_is_refused_by_its_size(tmp_path):
    path = tmp_path / "well.las"
    with path.open("wb") as file:
        file.write(b"~V\n")
        file.truncate(3 << 30)
    with pytest.raises(LasError, match=r"well.las: 3,221,225,472 bytes are more than"):
        read_las(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("step = 0.5", "step = 1e-300"),
        ("[10.0, 1020.0]", "[1e300, 1e301]"),
        ("[10.0, 1020.0]", "[nan, 1020.0]"),
        ("left = 0\n", f"left = {10**30}\n"),
        ("right = 150.0", "right = 1e300"),
        ("right = 150.0", f"right = {'9' * 5000}"),
        ("right = 150.0", f"right = {'[' * 5000}"),
        ("right = 150.0", f"{'a.' * 400_000}a = 1"),
        ("right = 150.0", f"{'a' * 1_000_000}"),
    ],
)
def test_a_calibration_of_huge_numbers_is_refused(tmp_path, old, new):
    text = """[depth]
step = 0.5
ties = [[0.0, 1000.0], [10.0, 1020.0]]
[[track]]
left = 0
right = 40
top = 0
bottom = 10
[[track.curve]]
mnemonic = "GR"
left = 0.0
right = 150.0
"""
    path = tmp_path / "calibration.toml"
    path.write_text(text)
    assert read_calibration(path)
    path.write_text(text.replace(old, new))
    assert old in text
    with pytest.raises(CalibrationError, match="calibration.toml: "):
        read_calibration(path)


SCRIPT = "<script>alert(1)</script>.png"


def test_a_log_named_like_a_script_is_escaped_in_the_report(small_archive, tmp_path):
    """It cannot be read either, so that its name is in the log of the run and in the report."""
    shutil.copytree(small_archive, tmp_path / "archive")
    path = tmp_path / "archive/train/metadata.jsonl"
    first, *rows = read_json_lines(path, error=ArchiveError, missing="")
    write_json_lines(path, [{**first, "file_name": SCRIPT}, *rows])
    run = tmp_path / "<b>run"
    start(run, Archive.open(tmp_path / "archive"), TINY)
    assert fit(run, device=CPU, on_error="skip", console=Console(quiet=True))
    write_report(tmp_path / "report.html", run)
    page = (tmp_path / "report.html").read_text()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;.png" in page
    assert "<script" not in page
    assert "<b>run" not in page


def test_names_of_classes_in_a_log_become_text_in_the_report(small_archive, tmp_path):
    run = tmp_path / "run"
    start(run, Archive.open(small_archive), TINY)
    assert fit(run, device=CPU, console=Console(quiet=True))
    log = (run / "log.jsonl").read_text()
    (run / "log.jsonl").write_text(log.replace("curve 1", r"<script>$\\frac{1}$"))
    write_report(tmp_path / "report.html", run)
    assert "<script" not in (tmp_path / "report.html").read_text()


def test_one_damaged_log_of_two_hundred_is_left_out_counted_and_named(tmp_path, small_logs):
    archive = tmp_path / "archive"
    make(archive, replace(small_logs, height=(32, 32), width=(64, 80)), (200, 2, 0))
    image = archive / "train/images/000123.tif"
    image.write_bytes(image.read_bytes()[:70])
    how = replace(TINY, schedule=Schedule(effective_batch=20, pixel_budget=60_000), epochs=2)
    start(tmp_path / "run", Archive.open(archive), how)
    console = Console(record=True, width=200, file=io.StringIO())
    assert fit(tmp_path / "run", device=CPU, on_error="skip", workers=1, console=console)
    rows = [json.loads(line) for line in (tmp_path / "run/log.jsonl").read_text().splitlines()]
    assert [r["file_name"] for r in rows if r["kind"] == "skipped"] == ["images/000123.tif"] * 2
    assert "1 logs were left out: images/000123.tif (2 times)" in console.export_text()
    write_report(tmp_path / "report.html", tmp_path / "run")
    page = (tmp_path / "report.html").read_text()
    assert re.search(r"1 could not be read.*images/000123.tif, 2 times: ", page, re.DOTALL)
