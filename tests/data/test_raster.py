"""Every kind of scan is read to the same grey levels."""

import struct
import zlib
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from veernet.data.raster import read_grey, read_index, to_depth_down, to_depth_right, write_picture
from veernet.errors import ImageError, ImageWarning


@pytest.fixture
def page(rng):
    """Black and white, 37 × 23 px, not symmetric in any way."""
    return np.where(rng.random((37, 23)) < 0.3, 0, 255).astype(np.uint8)


@pytest.mark.parametrize("white_is_zero", [True, False])
@pytest.mark.parametrize("compression", ["group4", "raw", "tiff_lzw"])
def test_a_bilevel_tiff_is_black_on_white_whichever_way_it_counts(
    page, tmp_path, compression, white_is_zero
):
    path = tmp_path / "page.tif"
    stored = Image.fromarray(255 - page if white_is_zero else page).convert("1")
    tags = TiffImagePlugin.ImageFileDirectory_v2()
    if white_is_zero:  # Pillow writes the bits as they are; the tag turns their meaning round
        tags[262] = 0
        stored = Image.fromarray(page).convert("1")
    stored.save(path, compression=compression, tiffinfo=tags)
    with Image.open(path) as written:
        assert isinstance(written, TiffImagePlugin.TiffImageFile)
        assert written.tag_v2[262] == (0 if white_is_zero else 1)
    np.testing.assert_array_equal(read_grey(path), page)


@pytest.mark.parametrize(
    ("name", "mode", "options"),
    [
        ("grey.png", "L", {}),
        ("grey.tif", "L", {"compression": "tiff_deflate"}),
        ("palette.tif", "P", {"compression": "tiff_lzw"}),
        ("palette.png", "P", {}),
        ("colour.png", "RGB", {}),
        ("bilevel.png", "1", {}),
        ("deep.png", "I;16", {}),
        ("deep.tif", "I;16", {}),
        ("deep white is zero.tif", "I;16", {"tiffinfo": {262: 0}}),
        ("turned.tif", "L", {"tiffinfo": {274: 6}}),
    ],
)
def test_every_depth_and_palette_comes_out_alike(page, tmp_path, name, mode, options):
    if mode == "I;16":
        stored = 255 - page if options else page
        picture = Image.fromarray(stored.astype(np.uint16) * 257)
    elif mode == "P":
        picture = Image.fromarray((page == 0).astype(np.uint8))
        picture.putpalette([255, 255, 255, 0, 0, 0])
    else:
        stored = np.rot90(page) if options.get("tiffinfo") else page
        picture = Image.fromarray(np.ascontiguousarray(stored)).convert(mode)
    picture.save(tmp_path / name, **options)
    np.testing.assert_array_equal(read_grey(tmp_path / name), page)


def test_a_jpeg_is_read_to_within_its_own_loss(tmp_path):
    ramp = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (40, 1))
    Image.fromarray(ramp).save(tmp_path / "ramp.jpg", quality=95)
    assert np.abs(read_grey(tmp_path / "ramp.jpg").astype(int) - ramp).max() <= 6


def test_transparent_pixels_are_paper(tmp_path):
    clear = np.zeros((5, 6, 4), np.uint8)
    clear[2, 3, 3] = 255
    Image.fromarray(clear).save(tmp_path / "clear.png")
    expected = np.full((5, 6), 255)
    expected[2, 3] = 0
    np.testing.assert_array_equal(read_grey(tmp_path / "clear.png"), expected)


def test_any_page_of_a_tiff_can_be_read(page, tmp_path):
    path = tmp_path / "two.tif"
    Image.fromarray(page).save(path, save_all=True, append_images=[Image.fromarray(page[:9])])
    np.testing.assert_array_equal(read_grey(path, page=2), page[:9])
    with pytest.raises(ImageError, match="page 3 was asked for, the file has 2"):
        read_grey(path, page=3)
    with pytest.warns(ImageWarning, match="two.tif: page 1 of several is read; --page chooses"):
        np.testing.assert_array_equal(read_grey(path), page)


def test_a_scan_longer_than_pillow_allows_is_read(tmp_path):
    path = tmp_path / "long.tif"
    Image.new("1", (640, 300_000), 1).save(path, compression="group4")
    assert read_grey(path).shape == (300_000, 640)


def test_a_scan_is_refused_by_its_declared_size(page, tmp_path):
    write_picture(tmp_path / "page.png", page)
    with pytest.raises(ImageError, match=r"page.png: 23 × 37 px is more than the 850 px allowed"):
        read_grey(tmp_path / "page.png", max_pixels=850)
    assert read_grey(tmp_path / "page.png", max_pixels=851).shape == (37, 23)


def test_laid_on_its_side_depth_runs_right_and_the_left_edge_lies_below(page):
    side = to_depth_right(page)
    assert side.shape == (23, 37)
    np.testing.assert_array_equal(side[-1], page[:, 0])
    np.testing.assert_array_equal(to_depth_down(side), page)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a picture of a known format"),
        (b"\x89PNG\r\n\x1a\n", "a PNG that is damaged"),
        (b"not a picture", "not a picture of a known format"),
    ],
)
def test_a_broken_picture_is_named(tmp_path, content, message):
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    with pytest.raises(ImageError, match=f"broken.png: {message}") as failure:
        read_grey(path)
    assert "<" not in str(failure.value)  # as of an object


def test_a_truncated_picture_is_named(page, tmp_path):
    path = tmp_path / "page.png"
    write_picture(path, page)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ImageError, match="page.png: not a readable"):
        read_grey(path)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("page.gif", "GIF"),
        ("page.jp2", "JPEG 2000"),
        ("page.avif", "AVIF"),
        ("page.pgm", "Netpbm"),
        ("page.pcx", "PCX"),
    ],
)
def test_other_formats_are_named_and_how_they_are_converted(page, tmp_path, name, found):
    Image.fromarray(page).save(tmp_path / name)
    message = f"{name}: {found} is not read, but .*; convert it, for example with `magick {name} "
    with pytest.raises(ImageError, match=message):
        read_grey(tmp_path / name)


def bmp(rows, bits, palette, *, top_down):
    """Rows of indices or of blue, green, red as a BMP."""
    lines = [np.packbits(row) if bits == 1 else row.ravel() for row in rows.astype(np.uint8)]
    lines = lines if top_down else lines[::-1]
    data = b"".join(line.tobytes() + bytes(-len(line) % 4) for line in lines)
    colours = b"".join(bytes([*colour[::-1], 0]) for colour in palette)
    h, w = rows.shape[:2]
    size = 14, 40, len(colours), len(data)
    head = struct.pack("<2sI4xI", b"BM", sum(size), sum(size[:3]))
    about = 40, w, -h if top_down else h, 1, bits, 0, len(data), 0, 0, len(palette), 0
    return head + struct.pack("<IiiHHIIiiII", *about) + colours + data


@pytest.mark.parametrize("top_down", [False, True])
@pytest.mark.parametrize("bits", [1, 8, 24, 32])
def test_a_bmp_of_any_depth_is_read(rng, tmp_path, bits, top_down):
    palette = rng.integers(0, 256, (2**bits, 3)).tolist() if bits <= 8 else []
    shape = (23, 37) if palette else (23, 37, bits // 8)
    rows = rng.integers(0, len(palette) or 256, shape)
    colours = np.array(palette)[rows] if palette else rows[..., 2::-1]
    (tmp_path / "scan.bmp").write_bytes(bmp(rows, bits, palette, top_down=top_down))
    expected = colours @ [0.299, 0.587, 0.114]
    np.testing.assert_allclose(read_grey(tmp_path / "scan.bmp"), expected, atol=1)


def test_a_bmp_of_fewer_colours_than_its_depth_is_not_read_as_one_bit(rng, tmp_path):
    rows, palette = rng.integers(0, 2, (23, 37)), [[0, 0, 0], [255, 255, 255]]
    (tmp_path / "scan.bmp").write_bytes(bmp(rows, 8, palette, top_down=False))
    with pytest.raises(ImageError, match="scan.bmp: its palette has fewer colours.*convert it"):
        read_grey(tmp_path / "scan.bmp")


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_a_lossless_webp_is_read(rng, page, tmp_path, mode):
    picture = Image.fromarray(page).convert(mode)
    if mode == "RGBA":
        picture.putalpha(
            Image.fromarray(np.where(rng.random(page.shape) < 0.5, 255, 0).astype(np.uint8))
        )
    picture.save(tmp_path / "scan.webp", lossless=True)
    expected = page if mode != "RGBA" else np.where(np.asarray(picture.getchannel("A")), page, 255)
    np.testing.assert_array_equal(read_grey(tmp_path / "scan.webp"), expected)


@pytest.mark.parametrize("name", ["moving.png", "moving.webp"])
def test_an_animation_is_no_scan(page, tmp_path, name):
    first, second = Image.fromarray(page).convert("RGB"), Image.fromarray(255 - page)
    first.save(tmp_path / name, save_all=True, append_images=[second.convert("RGB")])
    with pytest.raises(ImageError, match=f"{name}: it is an animation"):
        read_grey(tmp_path / name)


@pytest.mark.parametrize("name", ["turned.jpg", "turned.png", "turned.webp"])
def test_the_orientation_of_a_camera_is_honoured(page, tmp_path, name):
    exif = Image.Exif()
    exif[274] = 6
    blocks = np.kron(page[:5, :4], np.ones((16, 16), np.uint8))
    stored = Image.fromarray(np.ascontiguousarray(np.rot90(blocks))).convert("RGB")
    stored.save(tmp_path / name, exif=exif, quality=100)
    np.testing.assert_allclose(read_grey(tmp_path / name), blocks, atol=12)


def test_the_inks_of_a_printed_jpeg_are_read_as_colours(tmp_path):
    ramp = np.tile(np.arange(0, 256, 4, dtype=np.uint8), (40, 1))
    Image.fromarray(ramp).convert("RGB").convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    np.testing.assert_allclose(read_grey(tmp_path / "cmyk.jpg"), ramp, atol=6)


@pytest.mark.parametrize("deep", [False, True])
def test_a_transparent_level_is_paper_or_refused(page, tmp_path, deep):
    levels = np.where(page == 0, 77, page).astype(np.uint16 if deep else np.uint8)
    Image.fromarray(levels).save(tmp_path / "clear.png", transparency=77)
    if deep:
        with pytest.raises(ImageError, match="one of its levels is transparent"):
            read_grey(tmp_path / "clear.png")
        return
    with pytest.raises(ImageError, match="all of the picture is transparent, or white"):
        read_grey(tmp_path / "clear.png")
    Image.fromarray(levels).save(tmp_path / "clear.png", transparency=255)
    np.testing.assert_array_equal(read_grey(tmp_path / "clear.png"), levels)


@pytest.mark.parametrize("bits", [2, 4, 8])
def test_a_colour_beyond_the_palette_is_no_ink(tmp_path, bits):
    def chunk(name, data):
        return (
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        )

    row = np.array([0, *[255] * -(-37 * bits // 8)], np.uint8).tobytes()
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", 37, 5, bits, 3, 0, 0, 0)),
        (b"PLTE", bytes(3 * (2**bits - 1))),
        (b"IDAT", zlib.compress(5 * row)),
        (b"IEND", b""),
    ]
    content = b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)
    (tmp_path / "page.png").write_bytes(content)
    message = f"page.png: damaged, some pixels have none of its {2**bits - 1} colours"
    with pytest.raises(ImageError, match=message):
        read_grey(tmp_path / "page.png")


def test_only_a_pdf_takes_a_resolution_and_only_a_tiff_or_pdf_pages(page, tmp_path):
    write_picture(tmp_path / "page.png", page)
    with pytest.raises(ImageError, match="only a PDF is drawn at a resolution .--dpi., not a PNG"):
        read_grey(tmp_path / "page.png", dpi=200)
    with pytest.raises(ImageError, match="page 2 was asked for, the file has 1"):
        read_grey(tmp_path / "page.png", page=2)


def test_a_missing_picture_is_named(tmp_path):
    with pytest.raises(ImageError, match="none.png: no such picture"):
        read_grey(tmp_path / "none.png")


def test_indices_of_a_mask_survive_its_palette(rng, tmp_path):
    mask = rng.choice(np.array([0, 1, 2, 255], np.uint8), (13, 17))
    write_picture(tmp_path / "mask.png", mask, palette=bytes(range(256)) * 3)
    np.testing.assert_array_equal(read_index(tmp_path / "mask.png"), mask)


def test_a_mask_in_colour_is_refused(tmp_path):
    write_picture(tmp_path / "mask.png", np.zeros((3, 4, 3), np.uint8))
    with pytest.raises(ImageError, match="indexed or grey picture, found 'RGB'"):
        read_index(tmp_path / "mask.png")


def test_threads_that_read_at_once_leave_pillow_its_limit(tmp_path):
    write_picture(tmp_path / "a.png", np.full((40, 50), 7, np.uint8))
    before = Image.MAX_IMAGE_PIXELS
    with ThreadPoolExecutor(8) as pool:
        for grey in pool.map(read_grey, [tmp_path / "a.png"] * 400):
            assert grey.shape == (40, 50)
    assert before == Image.MAX_IMAGE_PIXELS
