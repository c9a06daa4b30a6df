"""Pictures in and out: any scan as grey, 0 = black ink and 255 = white paper."""

import threading
import warnings
from collections.abc import Generator, Sequence
from contextlib import contextmanager, nullcontext
from io import BytesIO
from itertools import islice
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.ImageFile import ImageFile
from PIL.TiffImagePlugin import TiffImageFile

from veernet.data import tiff
from veernet.data.formats import MASKS, SCANS, conversion, format_of, refusal
from veernet.data.levels import grey_of, misread, raw_mode
from veernet.errors import ImageError, ImageWarning
from veernet.files import atomic_write

MAX_PIXELS = 2**28
"""Default limit on the pixels of a picture: 20 m of paper 210 mm wide at 200 dpi. Reading takes one
byte per pixel, four more in colour, and twice as many if the picture has to be turned."""

MAX_DPI = 10_000
"""Highest resolution at which a page of a PDF is drawn."""

TILE_SLACK = 2**22
"""Pixels by which a TIFF's tile may exceed four times its picture."""

_LOCK = threading.Lock()
_readers, _limit = 0, Image.MAX_IMAGE_PIXELS

_TILE = (322, 323)  # tags of a tile's width and height


def read_grey(
    path: Path,
    *,
    page: int | None = None,
    dpi: float | None = None,
    max_pixels: int = MAX_PIXELS,
    size: tuple[int, int] | None = None,
) -> UInt8[ndarray, "h w"]:
    """Read a scan (PNG, JPEG, TIFF, BMP, WebP, or a page of a PDF) as grey levels.

    Bilevel, palette, grey of up to 16 bits and colour are all converted to 8-bit grey; a TIFF's
    WhiteIsZero flag and an EXIF orientation are honoured, transparent pixels are paper.

    Args:
        page: number of the page of a TIFF or PDF, from 1; if None the first, with a warning if
            there are more.
        dpi: resolution at which a page of a PDF is drawn; if None that of the scan on it.
        max_pixels: pictures that declare more are refused before decoding.
        size: (h, w) that the picture must declare.

    Raises:
        ImageError: no such file or page, not a picture, of a kind that is not read, damaged, empty,
            too large, or of another size.
    """
    if page is not None and page < 1:
        raise ImageError(f"{path}: page {page} was asked for; pages are counted from 1")
    if dpi is not None and not 0 < dpi <= MAX_DPI:
        raise ImageError(f"{path}: a resolution of {dpi:g} dpi; it is above 0, up to {MAX_DPI:,}")
    with _opened(path, SCANS) as (file, kind):
        if kind == "PDF":
            from veernet.data.pdf import read_page  # load PDFium for a PDF only

            return read_page(path, page=page, dpi=dpi, max_pixels=max_pixels)
        if dpi is not None:
            raise ImageError(f"{path}: only a PDF is drawn at a resolution (--dpi), not a {kind}")
        with _pictured(path, file, kind, max_pixels, size) as picture:
            _turn_to(path, file, picture, page)
            _check_area(path, picture, max_pixels)
            # Archives, which give `size`, have digests instead, and are read by many threads.
            return _decoded(path, picture, listen=size is None)


def to_grey(picture: ndarray) -> UInt8[ndarray, "h w"]:
    """Convert a picture in memory to grey levels, as a file of it would be read: grey (h, w), RGB
    (h, w, 3), or RGBA (h, w, 4), where transparent pixels are paper.

    Raises:
        ImageError: it has another shape or type, is empty, or all of it is transparent.
    """
    _check_in_memory(picture)
    if picture.ndim == 2:
        return picture
    return grey_of(Path("picture"), Image.fromarray(picture), raw="", negative=False)


def _check_in_memory(picture: ndarray) -> None:
    """Check that an array is a picture: its shape and its type."""
    if not isinstance(picture, ndarray):  # pyright: ignore[reportUnnecessaryIsInstance]
        raise ImageError(
            "a picture in memory is an array, as np.asarray makes one of a picture of Pillow; got "
            f"{type(picture)}"
        )
    of_channels = picture.shape[2:] in ((), (3,), (4,))
    if picture.dtype != np.uint8 or picture.ndim < 2 or not of_channels or not picture.size:
        raise ImageError(
            "a picture in memory is grey (h, w), RGB (h, w, 3) or RGBA (h, w, 4), of uint8 with "
            f"255 = paper; got {picture.shape} of {picture.dtype}"
        )


def on_paper(picture: ndarray) -> UInt8[ndarray, "h w *rgb"]:
    """Return a picture in memory as grey (h, w) or RGB (h, w, 3): transparent pixels are paper.

    Raises:
        ImageError: as for `to_grey`.
    """
    _check_in_memory(picture)
    if picture.ndim == 2:
        return picture
    rgb = picture[..., :3]
    if picture.shape[2] == 4:
        to_grey(picture)  # refuses one that is transparent throughout
        opaque = picture[..., 3:].astype(np.float32) / 255
        rgb = np.rint(rgb * opaque + 255 * (1 - opaque)).astype(np.uint8)
    return np.ascontiguousarray(rgb)


def read_picture(
    path: Path,
    *,
    page: int | None = None,
    dpi: float | None = None,
    max_pixels: int = MAX_PIXELS,
) -> UInt8[ndarray, "h w *rgb"]:
    """Read a scan in its colours, or in grey where it has none; see `read_grey`.

    Raises:
        ImageError: as for `read_grey`.
    """
    grey = read_grey(path, page=page, dpi=dpi, max_pixels=max_pixels)
    rgb = read_rgb(path, page=page, max_pixels=max_pixels)
    return grey if rgb is None else rgb


def read_rgb(
    path: Path,
    *,
    page: int | None = None,
    max_pixels: int = MAX_PIXELS,
    size: tuple[int, int] | None = None,
) -> UInt8[ndarray, "h w 3"] | None:
    """Read the colours of a scan that `read_grey` reads; None if it is grey, or a PDF, or of
    colours other than red, green and blue.

    Raises:
        ImageError: as for `read_grey`.
    """
    with _opened(path, SCANS) as (file, kind):
        if kind == "PDF":
            return None
        with _pictured(path, file, kind, max_pixels, size) as picture:
            _turn_to(path, file, picture, page or 1)
            _check_area(path, picture, max_pixels)
            if picture.mode not in ("RGB", "P") or "transparency" in picture.info:
                return None
            picture.load()
            ImageOps.exif_transpose(picture, in_place=True)
            return np.array(picture.convert("RGB"))


def read_index(
    path: Path, *, max_pixels: int = MAX_PIXELS, size: tuple[int, int] | None = None
) -> UInt8[ndarray, "h w"]:
    """Read the class indices of an indexed (or grey) mask.

    Raises:
        ImageError: as for `read_grey`, or the picture is neither indexed nor grey.
    """
    with (
        _opened(path, MASKS) as (file, kind),
        _pictured(path, file, kind, max_pixels, size) as picture,
    ):
        _check_levels(path, picture)
        if isinstance(picture, TiffImageFile) and picture.tag_v2.get(tiff.PHOTOMETRIC) == 0:
            raise ImageError(f"{path}: a mask whose white is zero; its classes are not told by it")
        if picture.mode not in ("P", "L"):
            raise ImageError(
                f"{path}: a mask is an indexed or grey picture, found {picture.mode!r}"
            )
        return np.array(picture)


def write_picture(
    path: Path, picture: UInt8[ndarray, "h w *rgb"], *, palette: bytes | None = None
) -> None:
    """Write grey, RGB, or (with a palette of R, G, B triples) class indices, whole or not at all.

    The suffix chooses the format: `.png`, or `.tif` for TIFF with Zstandard, which libtiff decodes
    six times as fast (`docs/notes/0003`).
    """
    with atomic_write(path) as temporary:
        save_picture(temporary, picture, palette=palette)


def save_picture(
    path: Path, picture: UInt8[ndarray, "h w *rgb"], *, palette: bytes | None = None
) -> None:
    """Save a picture as `write_picture` does, but a failure may leave half a file."""
    image = Image.fromarray(picture)
    if palette is not None:
        image.putpalette(palette)
    encoded = BytesIO()  # libtiff opens UTF-8 names only, and prints errors of a full disk itself
    if path.suffix == ".tif":
        image.save(encoded, "TIFF", compression="zstd")
    else:  # level 6 saves a tenth and takes three times as long
        image.save(encoded, "PNG", compress_level=1)
    path.write_bytes(encoded.getbuffer())


def to_depth_right(upright: UInt8[ndarray, "h w *rgb"]) -> UInt8[ndarray, "w h *rgb"]:
    """Turn a scan with depth down the page on its side: depth to the right, left edge below."""
    return np.ascontiguousarray(np.rot90(upright))


def to_depth_down(lying: UInt8[ndarray, "h w *rgb"]) -> UInt8[ndarray, "w h *rgb"]:
    """Undo `to_depth_right`."""
    return np.ascontiguousarray(np.rot90(lying, -1))


@contextmanager
def _opened(path: Path, formats: Sequence[str]) -> Generator[tuple[BinaryIO, str]]:
    """Open a file and find its format; errors of the block become `ImageError`."""
    try:
        file = path.open("rb")
    except FileNotFoundError as missing:
        raise ImageError(f"{path}: no such picture") from missing
    except OSError as closed:
        raise ImageError(f"{path}: cannot be opened ({closed.strerror})") from closed
    with file:
        kind = format_of(file)
        if kind is None or kind not in formats:
            raise ImageError(refusal(path, kind, formats))
        try:
            yield file, kind
        except ImageError:
            raise
        except MemoryError as full:
            raise ImageError(f"{path}: too large for the memory; cut it into parts") from full
        except UnidentifiedImageError as unknown:
            parts = tiff.parts(file) if kind == "TIFF" else None
            reason = "damaged" if parts is None else f"of a kind that is not read ({parts})"
            raise ImageError(f"{path}: a {kind} that is {reason}; {conversion(path)}") from unknown
        except Exception as broken:  # decoders raise anything from SyntaxError to struct.error
            raise ImageError(
                f"{path}: not a readable {kind} ({_message(broken)}); if another program reads it, "
                f"{conversion(path)}"
            ) from broken


@contextmanager
def _pictured(
    path: Path, file: BinaryIO, kind: str, max_pixels: int, size: tuple[int, int] | None
) -> Generator[ImageFile]:
    # From a handle: given a name, Pillow maps an uncompressed TIFF and loses its orientation.
    with _no_other_limit(), Image.open(file, formats=(kind,)) as picture:
        _check_area(path, picture, max_pixels)
        if size is not None and picture.size != size[::-1]:
            raise ImageError(
                f"{path}: {picture.size[1]} × {picture.size[0]} px (h × w), where the metadata "
                f"says {size[0]} × {size[1]}"
            )
        yield picture


def _message(broken: Exception) -> str:
    """Return a decoder's message without error numbers and file names."""
    if isinstance(broken, OSError) and broken.strerror:
        return broken.strerror
    message = str(broken) or type(broken).__name__
    return "its data are damaged, or end too early" if "decoder error" in message else message


def _turn_to(path: Path, file: BinaryIO, picture: ImageFile, page: int | None) -> None:
    """Select a page; if none is asked for, the first, and say so where there are more."""
    number, frames = 1 if page is None else page, [0]
    if number > tiff.MOST_PAGES:
        raise ImageError(f"{path}: pages up to {tiff.MOST_PAGES:,} are read, got {number}")
    if isinstance(picture, TiffImageFile):
        frames = [*islice(tiff.pages(file), number + 1)] or frames
    if number > len(frames):
        raise ImageError(
            f"{path}: page {number} was asked for, the file has {len(frames)} (from 1)"
        )
    picture.seek(frames[number - 1])
    if page is None and len(frames) > 1:
        warnings.warn(
            ImageWarning(f"{path}: page 1 of several is read; --page chooses another"),
            stacklevel=3,
        )


def _check_levels(path: Path, picture: ImageFile) -> None:
    """Refuse a picture of which Pillow would silently read wrong levels."""
    reason = misread(picture)
    if reason is None and isinstance(picture, TiffImageFile):
        reason = tiff.misread(picture.tag_v2, path.stat().st_size)
    if reason is not None:
        raise ImageError(f"{path}: {reason}; {conversion(path)}")


def _decoded(path: Path, picture: ImageFile, *, listen: bool) -> UInt8[ndarray, "h w"]:
    """Decode a picture to grey levels; rows that libtiff lost are known from its stderr alone."""
    _check_levels(path, picture)
    raw, negative, is_tiff = raw_mode(picture), False, isinstance(picture, TiffImageFile)
    palette = None
    if isinstance(picture, TiffImageFile):
        negative = tiff.left_negative(picture.tag_v2)
        palette = tiff.palette_of_bytes(picture.tag_v2)
    with tiff.overheard() if is_tiff and listen else nullcontext(list[str]()) as heard:
        picture.load()
    if heard:
        raise ImageError(f"{path}: damaged, some of its rows are lost ({heard[0]})")
    if palette is not None:
        picture.putpalette(palette)
    ImageOps.exif_transpose(picture, in_place=True)
    return grey_of(path, picture, raw=raw, negative=negative)


def _check_area(path: Path, picture: ImageFile, max_pixels: int) -> None:
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
    if tile[0] * tile[1] > 4 * width * height + TILE_SLACK:
        raise ImageError(
            f"{path}: tiles of {tile[0]} × {tile[1]} px in a picture of {width} × {height} px"
        )


@contextmanager
def _no_other_limit() -> Generator[None]:
    """Lift Pillow's own limit of 179 Mpx, which long logs pass; `max_pixels` takes its place.

    The limit is global: the first thread that reads lifts it, and the last one restores it.
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
