"""Every TIFF is read to the levels that were meant, or refused: never to others."""

import os
import time

import numpy as np
import pytest
from PIL import Image

from hand_made import chained, joined, tiff
from veernet.data.raster import read_grey, read_index
from veernet.errors import ImageError, ImageWarning

H, W = 23, 37
LUMA = np.array([0.299, 0.587, 0.114])

orders = pytest.mark.parametrize("order", ["<", ">"], ids=["intel", "motorola"])
packings = pytest.mark.parametrize("deflate", [False, True], ids=["raw", "deflate"])


@pytest.fixture
def read(tmp_path):
    def read(content, **options):
        (tmp_path / "scan.tif").write_bytes(content)
        return read_grey(tmp_path / "scan.tif", **options).astype(float)

    return read


@orders
@packings
@pytest.mark.parametrize("photometric", [0, 1], ids=["white is zero", "black is zero"])
@pytest.mark.parametrize("bits", [1, 2, 4, 8, 12, 16])
def test_grey_of_any_depth_comes_out_on_the_same_scale(
    rng, read, bits, photometric, deflate, order
):
    white = 2**bits - 1
    levels = rng.integers(0, white + 1, (H, W))
    levels[0, :2] = 0, white
    grey = read(tiff(levels, bits, photometric, order=order, deflate=deflate))
    expected = 255 * (levels / white if photometric else 1 - levels / white)
    np.testing.assert_allclose(grey, expected, atol=1)


@pytest.mark.parametrize("photometric", [0, 1])
@pytest.mark.parametrize("bits", [8, 10, 12, 14])
def test_levels_of_fewer_bits_that_lie_in_16_are_not_nearly_black(rng, read, bits, photometric):
    levels = rng.integers(0, 2**bits, (H, W))
    levels[0, 0] = 2**bits - 1
    with pytest.warns(ImageWarning, match=f"no level of its 16 bits needs more than {bits}"):
        grey = read(tiff(levels, 16, photometric))
    expected = levels / (2**bits - 1) * 255
    np.testing.assert_allclose(grey, expected if photometric else 255 - expected, atol=1)


@orders
@packings
@pytest.mark.parametrize("factor", [1, 256, 257])
@pytest.mark.parametrize("bits", [1, 2, 4, 8])
def test_a_palette_is_read_whether_written_with_8_bits_or_16(
    rng, read, bits, factor, deflate, order
):
    palette = rng.integers(0, 256, (2**bits, 3))
    indices = rng.integers(0, 2**bits, (H, W))
    colours = {320: (palette.T * factor).ravel()}
    grey = read(tiff(indices, bits, 3, tags=colours, order=order, deflate=deflate))
    np.testing.assert_allclose(grey, palette[indices] @ LUMA, atol=1)


def test_a_palette_of_too_few_colours_is_refused(rng, read):
    content = tiff(rng.integers(0, 16, (H, W)), 8, 3, tags={320: rng.integers(0, 2**16, 48)})
    with pytest.raises(ImageError, match="its palette is not of 256 colours; convert it"):
        read(content)


@orders
@packings
@pytest.mark.parametrize(
    ("photometric", "alpha"), [(0, 0), (0, 2), (1, 0), (1, 1), (1, 2)], ids=str
)
def test_grey_with_alpha_lies_on_paper(rng, read, photometric, alpha, deflate, order):
    level, opacity = rng.integers(0, 256, (2, H, W))
    grey = level if photometric else 255 - level
    if alpha == 1:  # multiplied in
        level = grey = np.minimum(level, opacity)
        expected = grey + 255 - opacity
    else:
        expected = grey if alpha == 0 else 255 + (grey - 255) * (opacity / 255)
    pixels = np.stack([level, opacity], axis=2)
    content = tiff(pixels, 8, photometric, tags={338: alpha}, order=order, deflate=deflate)
    np.testing.assert_allclose(read(content), expected, atol=2)


@orders
@packings
@pytest.mark.parametrize("planes", [False, True], ids=["pixels", "planes"])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("photometric", [2, 5], ids=["rgb", "cmyk"])
def test_colour_is_read_right_or_not_at_all(rng, read, photometric, bits, planes, deflate, order):
    white = 2**bits - 1
    pixels = rng.integers(0, white + 1, (H, W, 3 if photometric == 2 else 4))
    content = tiff(pixels, bits, photometric, planes=planes, order=order, deflate=deflate)
    if planes and bits == 16:
        with pytest.raises(ImageError, match="of 16 bits lie in planes of their own; convert"):
            read(content)
        return
    rgb = pixels / white
    if photometric == 5:
        rgb = (1 - rgb[..., :3]) * (1 - rgb[..., 3:])
    np.testing.assert_allclose(read(content), 255 * (rgb @ LUMA), atol=2)


def test_dim_levels_in_deep_colour_are_refused(rng, read):
    with pytest.raises(ImageError, match="brightest of its levels of 16 bits has 5.* of white"):
        read(tiff(rng.integers(0, 2**12, (H, W, 3)), 16, 2))


@packings
@pytest.mark.parametrize(
    ("bits", "samples", "photometric", "tags", "message"),
    [
        (8, 1, None, {}, "does not say whether 0 is black or white"),
        (8, 1, 1, {339: 2}, "signed, or of floating point"),
        (16, 1, 1, {339: 2}, "signed, or of floating point"),
        (32, 1, 1, {339: 3}, "signed, or of floating point"),
        (32, 1, 1, {}, "levels of 32 bits have no agreed white|samples of 32 bits"),
        (10, 1, 1, {}, r"not read \(samples of 10 bits, photometric interpretation 1"),
        (14, 1, 0, {}, r"not read \(samples of 14 bits, photometric interpretation 0"),
        (16, 2, 1, {338: 2}, r"not read \(samples of 16, 16 bits"),
        (8, 3, 8, {}, "photometric interpretation is 8"),
        (8, 4, 5, {332: 2}, "inks are others than those of CMYK"),
        (4, 1, 1, {266: 2}, "run backwards"),
        (8, 4, 2, {}, "does not say what its samples beyond red, green and blue are"),
    ],
)
def test_what_would_be_read_wrong_is_refused_with_a_way_out(
    rng, read, bits, samples, photometric, tags, message, deflate
):
    pixels = rng.integers(0, 2**bits, (H, W, samples))
    with pytest.raises(ImageError, match=f"scan.tif: .*({message}).*`magick scan.tif -depth 8"):
        read(tiff(pixels, bits, photometric, tags=tags, deflate=deflate))


def test_ycbcr_is_read_where_it_is_compressed_and_refused_where_not(rng, read):
    pixels = np.stack([rng.integers(30, 220, (H, W)), *rng.integers(124, 133, (2, H, W))], axis=2)
    whole = {530: [1, 1]}
    grey = read(tiff(pixels, 8, 6, tags=whole, deflate=True))
    np.testing.assert_allclose(grey, pixels[..., 0], atol=1)
    with pytest.raises(ImageError, match="YCbCr without compression"):
        read(tiff(pixels, 8, 6, tags=whole))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_is_honoured(rng, read, orientation):
    as_seen = rng.integers(0, 256, (H, W))
    stored = {
        1: as_seen,
        2: as_seen[:, ::-1],
        3: as_seen[::-1, ::-1],
        4: as_seen[::-1],
        5: as_seen.T,
        6: np.rot90(as_seen),
        7: as_seen[::-1, ::-1].T,
        8: np.rot90(as_seen, -1),
    }[orientation]
    grey = read(tiff(np.ascontiguousarray(stored), 8, 1, tags={274: orientation}))
    np.testing.assert_array_equal(grey, as_seen)


@packings
def test_a_file_that_ends_too_early_is_refused(rng, read, deflate):
    long = tiff(rng.integers(0, 256, (H, W)), 8, 1, deflate=deflate, tags={279: 50_000})
    with pytest.raises(ImageError, match="it is cut short: .* bytes of 50,008 or more"):
        read(long)


def test_strips_of_fewer_bytes_than_the_picture_are_refused(rng, read):
    few = tiff(rng.integers(0, 256, (H, W)), 8, 1, tags={279: 100})
    with pytest.raises(ImageError, match="it holds 100 bytes of 851"):
        read(few)


@packings
@pytest.mark.parametrize("tags", [{273: 0}, {279: 0}, {278: H // 2}, {273: 3}], ids=str)
def test_strips_that_are_not_there_are_no_ink(rng, read, deflate, tags):
    """Of sparse files, and of those that a writer left in the middle."""
    page = rng.integers(0, 256, (H, W))
    with pytest.raises(ImageError, match="scan.tif: some of its . strips are not there"):
        read(tiff(page, 8, 1, deflate=deflate, tags=tags))


@pytest.mark.parametrize(
    ("tiles", "length", "message"),
    [
        (6, 256, None),
        (5, 256, "some of its 6 tiles are not there"),
        (6, 100, "it holds 600 bytes of 1,536"),
    ],
)
def test_tiles_that_are_not_there_or_too_short_are_no_ink(rng, read, tiles, length, message):
    page, start = rng.integers(0, 256, (16 * 6, 16)), 8
    at = [start + 256 * i for i in range(tiles)]
    shape = {256: W, 257: H, 322: 16, 323: 16, 324: at, 325: [length] * tiles}
    strips = dict.fromkeys((273, 278, 279))
    content = tiff(page, 8, 1, tags={**shape, **strips})
    if message is None:
        tiled = page.reshape(2, 3, 16, 16).swapaxes(1, 2).reshape(32, 48)
        np.testing.assert_array_equal(read(content), tiled[:H, :W])
        return
    with pytest.raises(ImageError, match=f"scan.tif: {message}"):
        read(content)


def test_bits_that_run_backwards_inside_packed_bytes_are_refused(rng, read):
    """Whether the bytes were turned before they were packed or after it, the file does not say."""
    rows = np.packbits(rng.integers(0, 2, (H, W)), axis=1, bitorder="little")
    packed = b"".join(bytes([len(row) - 1, *row]) for row in rows)
    stored = np.frombuffer(packed, np.uint8)[None]
    table = {256: W, 257: H, 258: 1, 259: 32773, 266: 2, 278: H, 279: len(packed)}
    with pytest.raises(ImageError, match="run backwards"):
        read(tiff(stored, 8, 1, tags=table))


@pytest.mark.parametrize("compression", ["group3", "group4"])
def test_rows_that_libtiff_lost_refuse_the_scan(rng, read, tmp_path, capfd, compression):
    picture = Image.fromarray(np.where(rng.random((200, 100)) < 0.5, 0, 255).astype(np.uint8))
    picture.convert("1").save(tmp_path / "whole.tif", compression=compression)
    whole = bytearray((tmp_path / "whole.tif").read_bytes())
    whole[1000:1600] = b"\x01" * 600
    with pytest.raises(ImageError, match="damaged, some of its rows are lost .Fax.*line"):
        read(bytes(whole))
    assert capfd.readouterr().err == ""
    os.write(2, b"heard again\n")
    assert capfd.readouterr().err == "heard again\n"


def test_pages_are_counted_without_their_thumbnails(rng, tmp_path):
    first, second = (Image.fromarray(rng.integers(0, 256, s, np.uint8)) for s in ((H, W), (9, 11)))
    path = tmp_path / "scan.tif"
    small = first.resize((5, 4))
    small.encoderinfo = {"tiffinfo": {254: 1}}
    first.save(path, save_all=True, append_images=[small])
    np.testing.assert_array_equal(read_grey(path), first)  # and no word of other pages
    with pytest.raises(ImageError, match="page 2 was asked for, the file has 1"):
        read_grey(path, page=2)
    first.save(path, save_all=True, append_images=[small, second])
    np.testing.assert_array_equal(read_grey(path, page=2), second)
    with pytest.warns(ImageWarning, match="page 1 of several"):
        np.testing.assert_array_equal(read_grey(path), first)


@orders
@pytest.mark.parametrize("tags", [{254: 1}, {255: 2}], ids=["new", "old"])
def test_a_thumbnail_that_comes_first_is_no_page(rng, read, order, tags):
    page, small = rng.integers(0, 256, (H, W)), rng.integers(0, 256, (9, 11))
    both = joined(tiff(small, 8, 1, order=order, tags=tags), tiff(page, 8, 1, order=order), order)
    np.testing.assert_array_equal(read(both), page)


def test_fifty_thousand_pages_are_not_walked_through(rng, read):
    page = rng.integers(0, 256, (H, W))
    content, begun = chained(tiff(page, 8, 1), 50_000), time.monotonic()
    with pytest.warns(ImageWarning, match="page 1 of several"):
        np.testing.assert_array_equal(read(content), page)
    np.testing.assert_array_equal(read(content, page=300), page)
    with pytest.raises(ImageError, match="pages up to 2,000 are read, got 49999"):
        read(content, page=49_999)
    assert time.monotonic() - begun < 5


@pytest.mark.parametrize("page", [0, -1])
def test_pages_are_counted_from_one(rng, read, page):
    with pytest.raises(ImageError, match=f"page {page} was asked for; pages are counted from 1"):
        read(tiff(rng.integers(0, 256, (H, W)), 8, 1), page=page)


def test_a_mask_whose_white_is_zero_is_refused(rng, tmp_path):
    (tmp_path / "mask.tif").write_bytes(tiff(rng.integers(0, 3, (H, W)), 8, 0))
    with pytest.raises(ImageError, match="mask.tif: a mask whose white is zero"):
        read_index(tmp_path / "mask.tif")
