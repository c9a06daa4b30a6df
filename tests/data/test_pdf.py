"""A page of a PDF comes out with the pixels of the scan on it."""

import subprocess
import sys
import warnings

import numpy as np
import pytest
from PIL import Image

from hand_made import pdf, scanned
from veernet.data.raster import read_grey
from veernet.errors import ImageError, ImageWarning


@pytest.fixture
def scan(rng):
    """Black and white, of an odd size."""
    h, w = rng.integers(150, 400, 2)
    return np.where(rng.random((h, w)) < 0.3, 0, 255).astype(np.uint8)


@pytest.fixture
def read(tmp_path):
    def read(content, **options):
        (tmp_path / "scan.pdf").write_bytes(content)
        return read_grey(tmp_path / "scan.pdf", **options)

    return read


@pytest.mark.parametrize("dpi", [72, 200, 203, 300, 600])
def test_a_page_of_one_picture_is_that_picture_at_any_resolution(scan, read, dpi):
    np.testing.assert_array_equal(read(pdf(scanned(scan, dpi))), scan)


def test_grey_levels_are_kept(rng, read):
    grey = rng.integers(0, 256, (211, 307), np.uint8)
    np.testing.assert_array_equal(read(pdf(scanned(grey, 150))), grey)


@pytest.mark.parametrize("rotate", [0, 90, 180, 270])
@pytest.mark.parametrize(
    ("matrix", "box", "lay"),
    [
        ("{w:.2f} 0 0 {h:.2f} 0 0", "0 0 {w:.2f} {h:.2f}", lambda seen: seen),
        ("{w:.2f} 0 0 -{h:.2f} 0 {h:.2f}", "0 0 {w:.2f} {h:.2f}", lambda seen: seen[::-1]),
        ("-{w:.2f} 0 0 {h:.2f} {w:.2f} 0", "0 0 {w:.2f} {h:.2f}", lambda seen: seen[:, ::-1]),
        ("0 {w:.2f} -{h:.2f} 0 {h:.2f} 0", "0 0 {h:.2f} {w:.2f}", np.rot90),
    ],
    ids=["upright", "upside down", "mirrored", "on its side"],
)
def test_a_turned_picture_on_a_turned_page_keeps_its_pixels(scan, read, rotate, matrix, box, lay):
    page = scanned(scan, 200, matrix=matrix, box=box, more=f"/Rotate {rotate}")
    np.testing.assert_array_equal(read(pdf(page)), np.rot90(lay(scan), -rotate // 90))


def test_a_margin_is_paper_and_leaves_the_picture_its_pixels(scan, read):
    h, w = (pixels * 72 / 200 for pixels in scan.shape)
    box, matrix = f"100 200 {w + 130:.2f} {h + 215:.2f}", "{w:.2f} 0 0 {h:.2f} 110.3 207.1"
    grey = read(pdf(scanned(scan, 200, matrix=matrix, box=box)))
    rows, columns = (np.flatnonzero((grey == 0).any(axis=axis)) for axis in (1, 0))
    found = grey[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    np.testing.assert_array_equal(found, scan)
    assert columns[0] == np.ceil(10.3 / 72 * 200)


def test_strips_of_a_scan_are_joined_without_a_seam(rng, read):
    scan = np.where(rng.random((1003, 333)) < 0.3, 0, 255).astype(np.uint8)
    strips, unit = [scan[top : top + 64] for top in range(0, 1003, 64)], 72 / 203
    w, h = 333 * unit, 1003 * unit
    content = " ".join(
        f"q {w:.2f} 0 0 {len(strip) * unit:.2f} 0 {h - (64 * i + len(strip)) * unit:.2f} cm "
        f"/P{i} Do Q"
        for i, strip in enumerate(strips)
    )
    grey = read(pdf((f"/MediaBox [0 0 {w:.2f} {h:.2f}]", content, strips)))
    np.testing.assert_array_equal(grey, scan)


def test_the_finest_of_the_large_pictures_gives_the_resolution(rng, scan, read):
    h, w = scan.shape
    coarse = rng.integers(200, 256, (h // 4, w // 4), np.uint8)
    page = scanned(scan, 72)
    both = f"q {w} 0 0 {h} 0 0 cm /P1 Do Q {page[1]}"
    grey = read(pdf((page[0], both, [scan, coarse])))
    np.testing.assert_array_equal(grey, scan)


def test_a_resolution_can_be_chosen(scan, read):
    h, w = scan.shape
    assert read(pdf(scanned(scan, 200)), dpi=100).shape == (round(h / 2), round(w / 2))


def test_a_page_without_a_scan_is_drawn_at_200_dpi_and_says_so(read):
    page = "/MediaBox [0 0 144 72]", "0.5 g 0 0 72 36 re f", []
    expected = np.full((200, 400), 255)
    expected[100:, :200] = 128
    with pytest.warns(ImageWarning, match="scan.pdf: page 1 is no scan; .* 200 dpi, --dpi choo"):
        grey = read(pdf(page))
    np.testing.assert_allclose(grey, expected, atol=1)
    assert read(pdf(page), dpi=72).shape == (72, 144)


def test_any_page_can_be_read_and_a_word_is_said_where_none_is_chosen(scan, read):
    content = pdf(scanned(scan, 200), scanned(scan[:100], 300))
    np.testing.assert_array_equal(read(content, page=2), scan[:100])
    with pytest.warns(ImageWarning, match="page 1 of 2 is read; --page chooses another"):
        np.testing.assert_array_equal(read(content), scan)
    with pytest.raises(ImageError, match="page 3 was asked for, the file has 2"):
        read(content, page=3)


def test_a_pdf_that_pillow_writes_is_read(scan, read, tmp_path):
    Image.fromarray(scan).convert("1").save(tmp_path / "pillow.pdf", resolution=300)
    np.testing.assert_array_equal(read_grey(tmp_path / "pillow.pdf"), scan)


@pytest.mark.parametrize(
    ("spoilt", "message"),
    [
        (lambda pdf: pdf[:-30], "the PDF is cut short"),
        (lambda pdf: b"%PDF-1.4\n%%EOF\n", "not a readable PDF"),
        (
            lambda pdf: pdf.replace(b"/Count 1", b"/Count 0").replace(
                b"/Kids [3 0 R]", b"/Kids []"
            ),
            "not a readable PDF",
        ),
        (
            lambda pdf: pdf.replace(b"stream\nx", b"stream\n\0"),
            r"a picture of \d+ × \d+ px on page 1 is damaged",
        ),
    ],
    ids=["cut", "empty", "no pages", "spoilt picture"],
)
def test_a_damaged_pdf_is_refused(scan, read, capfd, spoilt, message):
    with pytest.raises(ImageError, match=f"scan.pdf: {message}"):
        read(spoilt(pdf(scanned(scan, 200))))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("bits", [1, 8])
@pytest.mark.parametrize("cut", [0.3, 0.99])
def test_a_picture_whose_data_end_early_is_not_filled_with_ink(rng, read, bits, cut):
    levels = (0, 255) if bits == 1 else range(256)
    scan = rng.choice(np.array(levels, np.uint8), (150, 170))
    content = pdf(scanned(scan, 200))
    begin = content.rindex(b"stream\n", 0, content.rindex(b"endstream")) + 7
    data = content[begin : content.rindex(b"\nendstream")]
    whole = b"/Length %d" % len(data)
    assert whole in content
    for length, spoilt in ((int(cut * len(data)), True), (len(data) - 3, False)):
        short = content.replace(data, data[:length]).replace(whole, b"/Length %d" % length)
        if spoilt:
            with pytest.raises(ImageError, match="a picture of 170 × 150 px on page 1 is damaged"):
                read(short)
        else:  # only the sum at the end is missing
            np.testing.assert_array_equal(read(short), scan)


def test_an_encrypted_pdf_is_told_from_a_damaged_one(scan, read):
    lock = b"/Filter /Standard /V 1 /R 2 /P -4 /O <%s> /U <%s>" % (b"17" * 32, b"42" * 32)
    content = pdf(scanned(scan, 200)).replace(
        b"/Root 1 0 R", b"/Root 1 0 R /ID [<00> <00>] /Encrypt << %s >>" % lock
    )
    with pytest.raises(ImageError, match="scan.pdf: the PDF is encrypted; take the password off"):
        read(content)


def test_a_pdf_is_refused_by_the_size_that_it_would_have(scan, read):
    h, w = scan.shape
    content = pdf(scanned(scan, 200))
    with pytest.raises(ImageError, match=f"a picture of {w} × {h} px on page 1 is more than"):
        read(content, max_pixels=h * w - 1)
    huge = pdf(("/MediaBox [0 0 1000000 1000000]", "0 0 9 9 re f", []))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ImageWarning)
        with pytest.raises(ImageError, match=r"drawn with 2777778 × .*choose a lower resolution"):
            read(huge)
    with pytest.raises(ImageError, match="a resolution of 0 dpi"):
        read(content, dpi=0)


def test_pdfium_is_loaded_where_a_pdf_is_read():
    program = "import sys, veernet.data.raster; print('pypdfium2' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert done.stdout.split() == [b"False"]
