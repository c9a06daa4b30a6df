"""Pictures in and out: any scan as grey, 0 = black ink and 255 = white paper."""

import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image, ImageOps, UnidentifiedImageError

from veernet.errors import ImageError
from veernet.files import replacing

MAX_PIXELS = 2**28
"""The largest picture read unless told otherwise: 20 m of paper 210 mm wide at 200 dpi. Reading it
takes a byte a pixel, four more where it is in colour, and again as many where it is turned."""

BAND = 2**22
"""Pixels of colour or 16 bits that are made grey at a time."""

_LOCK = threading.Lock()
_readers, _limit = 0, Image.MAX_IMAGE_PIXELS

_TILE = (322, 323)  # width and height
_PHOTOMETRIC = 262  # the TIFF tag whose 0 means that white is zero


def read_grey(
    path: Path,
    *,
    page: int = 0,
    max_pixels: int = MAX_PIXELS,
    size: tuple[int, int] | None = None,
) -> UInt8[ndarray, "h w"]:
    """Read a PNG, JPEG or TIFF scan of any depth and palette as grey levels.

    Bilevel, palette, grey of 8 or 16 bits and colour all come out alike; a TIFF's WhiteIsZero flag
    and an EXIF orientation are honoured, transparent pixels are paper.

    Args:
        page: which page of a TIFF of several, from 0.
        max_pixels: a picture that declares more is refused before it is decoded.
        size: (h, w) that the first page must declare.

    Raises:
        ImageError: no such file, not a picture, damaged, empty, too large, or of another size.
    """
    with _opened(path, max_pixels, size) as picture:
        pages = getattr(picture, "n_frames", 1)
        if not 0 <= page < pages:
            raise ImageError(f"{path}: page {page} was asked for, the file has {pages} (from 0)")
        picture.seek(page)
        _check_area(path, picture, max_pixels)
        # Pillow honours the flag but for 16 bits.
        white_is_zero = picture.format == "TIFF" and picture.getexif().get(_PHOTOMETRIC) == 0
        return _grey(ImageOps.exif_transpose(picture), white_is_zero=white_is_zero)


def read_index(
    path: Path, *, max_pixels: int = MAX_PIXELS, size: tuple[int, int] | None = None
) -> UInt8[ndarray, "h w"]:
    """Read the class indices of an indexed (or grey) mask.

    Raises:
        ImageError: as `read_grey`, or a picture of another kind.
    """
    with _opened(path, max_pixels, size) as picture:
        if picture.mode not in ("P", "L"):
            raise ImageError(
                f"{path}: a mask is an indexed or grey picture, found {picture.mode!r}"
            )
        return np.array(picture)


def write_picture(
    path: Path, picture: UInt8[ndarray, "h w *rgb"], *, palette: bytes | None = None
) -> None:
    """Write grey, RGB, or (with a palette of R, G, B triples) class indices, whole or not at all.

    The name says how: `.png`, or `.tif` for TIFF with Zstandard, which libtiff decodes six times as
    fast (`docs/notes/0003`).
    """
    with replacing(path) as temporary:
        save_picture(temporary, picture, palette=palette)


def save_picture(
    path: Path, picture: UInt8[ndarray, "h w *rgb"], *, palette: bytes | None = None
) -> None:
    """Save a picture as `write_picture` does, but a failure may leave half a file."""
    image = Image.fromarray(picture)
    if palette is not None:
        image.putpalette(palette)
    encoded = BytesIO()  # libtiff knows no name that is not UTF-8, and tells of a full disk itself
    if path.suffix == ".tif":
        image.save(encoded, "TIFF", compression="zstd")
    else:  # level 6 saves a tenth and takes three times as long
        image.save(encoded, "PNG", compress_level=1)
    path.write_bytes(encoded.getbuffer())


def lay_on_side(upright: UInt8[ndarray, "h w *rgb"]) -> UInt8[ndarray, "w h *rgb"]:
    """Turn a scan with depth down the page on its side: depth to the right, left edge below."""
    return np.ascontiguousarray(np.rot90(upright))


def stand_up(lying: UInt8[ndarray, "h w *rgb"]) -> UInt8[ndarray, "w h *rgb"]:
    """Undo `lay_on_side`."""
    return np.ascontiguousarray(np.rot90(lying, -1))


@contextmanager
def _opened(path: Path, max_pixels: int, size: tuple[int, int] | None) -> Generator[Image.Image]:
    try:
        # From a handle: given a name, Pillow maps an uncompressed TIFF and loses its orientation.
        with (
            _no_other_limit(),
            path.open("rb") as file,
            Image.open(file, formats=("PNG", "JPEG", "TIFF")) as picture,
        ):
            _check_area(path, picture, max_pixels)
            if size is not None and picture.size != size[::-1]:
                raise ImageError(
                    f"{path}: {picture.size[1]} × {picture.size[0]} px (h × w), where the metadata "
                    f"says {size[0]} × {size[1]}"
                )
            yield picture
    except ImageError:
        raise
    except FileNotFoundError as missing:
        raise ImageError(f"{path}: no such picture") from missing
    except MemoryError as full:
        raise ImageError(f"{path}: too large for the memory; cut it into parts") from full
    except Exception as broken:  # decoders raise anything from SyntaxError to struct.error
        raise ImageError(f"{path}: not a readable PNG, JPEG or TIFF ({_told(broken)})") from broken


def _told(broken: Exception) -> str:
    """What a decoder says, and nothing of the file object that it was given."""
    if isinstance(broken, UnidentifiedImageError):
        return "its first bytes are those of none"
    if isinstance(broken, OSError) and broken.strerror:
        return broken.strerror
    return str(broken) or type(broken).__name__


def _check_area(path: Path, picture: Image.Image, max_pixels: int) -> None:
    width, height = picture.size
    if width * height == 0:
        raise ImageError(f"{path}: the picture is empty ({width} × {height} px)")
    if width * height > max_pixels:
        raise ImageError(
            f"{path}: {width} × {height} px is more than the {max_pixels:,} px allowed; "
            "cut it into parts, or raise the limit (--max-pixels)"
        )
    tags = getattr(picture, "tag_v2", {})
    tile = [int(tags.get(tag, 0)) for tag in _TILE]
    if tile[0] * tile[1] > 4 * width * height + BAND:
        raise ImageError(
            f"{path}: tiles of {tile[0]} × {tile[1]} px in a picture of {width} × {height} px"
        )


@contextmanager
def _no_other_limit() -> Generator[None]:
    """Lift Pillow's own limit of 179 Mpx, which long logs pass; `max_pixels` takes its place.

    It is one for all threads: the first that reads lifts it, and the last puts it back.
    """
    global _readers, _limit
    with _LOCK:
        if _readers == 0:
            _limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        _readers += 1
    try:
        yield
    finally:
        with _LOCK:
            _readers -= 1
            if _readers == 0:
                Image.MAX_IMAGE_PIXELS = _limit


def _grey(picture: Image.Image, *, white_is_zero: bool) -> UInt8[ndarray, "h w"]:
    if picture.mode in ("I", "F"):
        raise ValueError(f"levels of 32 bits ({picture.mode}) have no agreed white")
    if picture.mode.startswith("I;16"):
        levels = _by_bands(picture, _of_16_bits)
        return 255 - levels if white_is_zero else levels
    if picture.has_transparency_data:
        return _by_bands(picture, _on_paper)
    return np.array(picture.convert("L"))


def _by_bands(
    picture: Image.Image, grey: Callable[[Image.Image], UInt8[ndarray, "_ w"]]
) -> UInt8[ndarray, "h w"]:
    """A picture made grey some rows at a time, to hold little of it in a wider type."""
    w, h = picture.size
    picture.load()
    rows = max(1, BAND // w)
    bands = ((0, top, w, min(h, top + rows)) for top in range(0, h, rows))
    return np.concatenate([grey(picture.crop(band)) for band in bands])


def _of_16_bits(picture: Image.Image) -> UInt8[ndarray, "h w"]:
    return (np.asarray(picture, dtype=np.float32) / 257 + 0.5).astype(np.uint8)


def _on_paper(picture: Image.Image) -> UInt8[ndarray, "h w"]:
    ink = picture.convert("RGBA")
    white = Image.new("RGBA", ink.size, "white")
    return np.array(Image.alpha_composite(white, ink).convert("L"))
