"""Pages of PDF files as grey pictures, by PDFium."""

import math
import threading
import warnings
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pypdfium2 as pdfium
import pypdfium2.raw as pdfium_c
from jaxtyping import UInt8
from numpy import ndarray

from veernet.errors import ImageError, ImageWarning

INCH = 72
"""Points per inch."""

DRAWN_DPI = 200
"""Default resolution of pages without a scan."""

TAIL = 2**16
"""Bytes at the end of a file that must contain its end mark."""

PIECE = 2**20
"""Bytes to which compressed data are unpacked at a time."""

INSET = 0.02
"""Margin by which a picture is kept inside its pixels, px: if it were larger by a rounding error,
PDFium would interpolate it."""

_END_OF_JPEG = b"\xff\xd9"

_LOCK = threading.Lock()  # PDFium is not thread-safe

Box = tuple[float, float, float, float]
"""Left, bottom, right, top, points."""


@dataclass(frozen=True, kw_only=True)
class _Picture:
    """A picture on a page."""

    image: pdfium.PdfImage
    box: Box
    size: tuple[int, int]
    """Width and height as it lies on the page, px."""
    unit: tuple[float, float]
    """Width and height of a pixel, points."""

    @property
    def pixels(self) -> int:
        """Number of pixels."""
        return self.size[0] * self.size[1]


def read_page(
    path: Path, *, page: int | None, dpi: float | None, max_pixels: int
) -> UInt8[ndarray, "h w"]:
    """Draw a page as grey levels.

    A page that is mostly scan is returned in the pixels of the scan, unchanged if the scan is
    upright or turned by right angles.

    Args:
        page: number from 1; if None the first, with a warning if there are more.
        dpi: resolution; that of the page's finest large picture if None, or 200 without one.
        max_pixels: larger pages, or pages with a larger picture, are refused before drawing.

    Raises:
        ImageError: the file is no PDF, damaged or encrypted, or has no such page; the page is too
            large, or is of one level.
    """
    number = 1 if page is None else page
    with _opened(path) as document:
        if number > len(document):
            raise ImageError(
                f"{path}: page {number} was asked for, the file has {len(document)} (from 1)"
            )
        if page is None and len(document) > 1:
            warnings.warn(
                ImageWarning(f"{path}: page 1 of {len(document)} is read; --page chooses another"),
                stacklevel=3,
            )
        sheet, (w, h) = _sheet(path, document, number, dpi, max_pixels)
        if w * h > max_pixels:
            raise ImageError(
                f"{path}: page {number} is drawn with {w} × {h} px, {max_pixels:,} px are allowed; "
                "choose a lower resolution (--dpi), or raise the limit (--max-pixels)"
            )
        grey = _drawn(sheet, w, h)
    if grey.min() == grey.max():
        raise ImageError(f"{path}: page {number} is of one level all over; it may be damaged")
    return grey


def _sheet(
    path: Path, document: pdfium.PdfDocument, number: int, dpi: float | None, max_pixels: int
) -> tuple[pdfium.PdfPage, tuple[int, int]]:
    """Return a page, and its width and height in pixels of its scan, or at `dpi` or `DRAWN_DPI`."""
    page = document[number - 1]
    pictures = [*_pictures(page)]
    for picture in pictures:
        w, h = picture.size
        if w * h > max_pixels:
            raise ImageError(
                f"{path}: a picture of {w} × {h} px on page {number} is more than the "
                f"{max_pixels:,} px allowed; raise the limit (--max-pixels)"
            )
        if _is_cut(picture.image):
            raise ImageError(f"{path}: a picture of {w} × {h} px on page {number} is damaged")
    scan = _scan(pictures, page.get_bbox())
    if dpi is None and scan is not None:
        return _laid_out(document, number - 1, *scan)
    if dpi is None:
        warnings.warn(
            ImageWarning(
                f"{path}: page {number} is no scan; it is drawn at {DRAWN_DPI} dpi, --dpi chooses "
                "another resolution"
            ),
            stacklevel=4,
        )
    scale = (DRAWN_DPI if dpi is None else dpi) / INCH
    w, h = (max(1, round(scale * points)) for points in page.get_size())
    return page, (w, h)


@contextmanager
def _opened(path: Path) -> Generator[pdfium.PdfDocument]:
    """Open a document, with PDFium locked to this thread."""
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - TAIL))
        if b"%%EOF" not in file.read():
            raise ImageError(f"{path}: the PDF is cut short; its last line, %%EOF, is missing")
    with _LOCK:
        try:
            with pdfium.PdfDocument(path) as document:
                yield document
        except pdfium.PdfiumError as broken:
            if broken.err_code == pdfium_c.FPDF_ERR_PASSWORD:
                raise ImageError(
                    f"{path}: the PDF is encrypted; take the password off it, for example with "
                    "`qpdf --decrypt`"
                ) from broken
            raise ImageError(f"{path}: not a readable PDF ({broken})") from broken


def _pictures(page: pdfium.PdfPage) -> Iterator[_Picture]:
    for image in page.get_objects():
        if not isinstance(image, pdfium.PdfImage):
            continue
        matrix, form = image.get_matrix(), image.container
        while form is not None:
            matrix, form = matrix.multiply(form.get_matrix()), form.container
        a, b, c, d, x, y = matrix.get()
        (w, h), (across, up) = image.get_px_size(), (math.hypot(a, b), math.hypot(c, d))
        if min(w, h, across, up) <= 0:
            continue
        unit = across / w, up / h
        if abs(b) + abs(c) > abs(a) + abs(d):  # it lies on its side
            w, h, unit = h, w, (up / h, across / w)
        xs, ys = (x, x + a, x + c, x + a + c), (y, y + b, y + d, y + b + d)
        yield _Picture(
            image=image, box=(min(xs), min(ys), max(xs), max(ys)), size=(w, h), unit=unit
        )


def _is_cut(image: pdfium.PdfImage) -> bool:
    """Return whether the data of a picture are damaged or end too early; PDFium would silently draw
    the rest black. Always False for CCITT, JBIG2 and JPEG 2000, where it is not detectable."""
    match image.get_filters():
        case ["FlateDecode"]:
            return not _inflates(bytes(image.get_data()))
        case [*_, "DCTDecode"]:
            return _END_OF_JPEG not in bytes(image.get_data(decode_simple=True))
        case _:
            return False


def _inflates(data: bytes) -> bool:
    """Return whether compressed data are complete up to their last block; the checksum after it may
    be missing."""
    whole, rest = zlib.decompressobj(), data
    try:
        while rest and not whole.eof:
            whole.decompress(rest, PIECE)
            rest = whole.unconsumed_tail
    except zlib.error:
        return False
    try:
        whole.decompress(bytes(4), PIECE)  # read as the checksum if that is missing
    except zlib.error:
        return True
    return whole.eof


def _scan(pictures: Sequence[_Picture], page: Box) -> tuple[Box, tuple[float, float]] | None:
    """Return the box around a page's pictures, and the pixel size of the finest large one; None if
    they cover less than half of the page."""
    if not pictures:
        return None
    corners = np.array([picture.box for picture in pictures])
    left, bottom = corners[:, :2].min(axis=0).tolist()
    right, top = corners[:, 2:].max(axis=0).tolist()
    around = left, bottom, right, top
    largest = max(_area(picture.box) for picture in pictures)
    if 2 * _area(around) < _area(page):
        return None
    large = [picture for picture in pictures if 2 * _area(picture.box) >= largest]
    return around, max(large, key=lambda picture: picture.pixels).unit


def _area(box: Box) -> float:
    left, bottom, right, top = box
    return (right - left) * (top - bottom)


def _laid_out(
    document: pdfium.PdfDocument, index: int, around: Box, unit: tuple[float, float]
) -> tuple[pdfium.PdfPage, tuple[int, int]]:
    """Align a page's edges and pictures to whole pixels; returns it, its width and height in px."""
    page = document[index]
    edges, origin, steps, size = page.get_bbox(), list[float](), list[float](), list[int]()
    for axis in (0, 1):
        low, high = around[axis], around[axis + 2]
        n = max(1, round((high - low) / unit[axis]))
        step = (high - low) / (n - 2 * INSET)
        before = math.ceil(round((low - edges[axis]) / step - INSET, 2))
        after = math.ceil(round((edges[axis + 2] - high) / step - INSET, 2))
        origin.append(low - (before + INSET) * step)
        steps.append(step)
        size.append(max(1, before + n + after))
    box = *origin, *(at + n * step for at, n, step in zip(origin, size, steps, strict=True))
    page.set_mediabox(*box)
    page.set_cropbox(*box)
    page.close()
    page = document[index]  # reload it, with the new box
    for picture in _pictures(page):
        _settle(picture, origin, steps)
    w, h = size
    return page, (h, w) if page.get_rotation() in (90, 270) else (w, h)


def _settle(picture: _Picture, origin: Sequence[float], steps: Sequence[float]) -> None:
    """Snap a picture to the nearest pixels: strips of a scan are placed with few decimals. One of
    another resolution, or a tilted one, stays as it is."""
    moves = list[tuple[float, float]]()
    for axis, (start, step, n) in enumerate(zip(origin, steps, picture.size, strict=True)):
        low, high = picture.box[axis], picture.box[axis + 2]
        if abs((high - low) / step - n) > 0.5:
            return
        scale = (n - 2 * INSET) * step / (high - low)
        moves.append((scale, start + (round((low - start) / step) + INSET) * step - scale * low))
    (a, e), (d, f) = moves
    if picture.image.container is None:
        picture.image.transform(pdfium.PdfMatrix.from_raw(pdfium_c.FS_MATRIX(a, 0, 0, d, e, f)))


def _drawn(page: pdfium.PdfPage, w: int, h: int) -> UInt8[ndarray, "h w"]:
    bitmap = pdfium.PdfBitmap.new_native(w, h, pdfium_c.FPDFBitmap_Gray)
    bitmap.fill_rect((255, 255, 255, 255), 0, 0, w, h)
    pdfium_c.FPDF_RenderPageBitmap(bitmap, page, 0, 0, w, h, 0, pdfium_c.FPDF_GRAYSCALE)
    return np.array(bitmap.to_numpy()).reshape(h, w)
