"""Grey levels of a picture that Pillow has opened, 0 = black ink and 255 = white paper."""

import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from numpy import ndarray
from PIL import Image, ImageOps
from PIL.ImageFile import ImageFile

from veernet.errors import ImageError, ImageWarning

BAND_PIXELS = 2**22
"""Pixels of colour or of more than 8 bits that are converted to grey at a time."""

DIM = 64
"""Least level of the brightest pixel of a picture with 16 bits per channel that shows paper."""


def raw_mode(picture: ImageFile) -> str:
    """Return Pillow's raw mode, the layout of samples in the file; only before decoding."""
    if not picture.tile:
        return ""
    args = picture.tile[0].args
    return args[0] if isinstance(args, tuple) else str(args)


def misread(picture: ImageFile) -> str | None:
    """Return why Pillow would silently decode wrong levels, or None.

    `tiff.misread` has further reasons for TIFF.
    """
    raw = raw_mode(picture)
    if picture.format in ("PNG", "WEBP") and getattr(picture, "n_frames", 1) > 1:
        return "it is an animation"
    if "transparency" in picture.info and raw in ("L;2", "L;4", "I;16B", "RGB;16B"):
        return "one of its levels is transparent, at a depth that is not 8 bits"
    if picture.format == "BMP" and raw in ("1", "L"):
        # Pillow takes the depth from the number of colours, and the length of a row from the file.
        codec, _, _, args = picture.tile[0]
        row = -(-picture.width * (1 if raw == "1" else 8) // 32) * 4
        if codec == "raw" and isinstance(args, tuple) and args[1] != row:
            return "its palette has fewer colours than its depth can tell apart"
    return None


def grey_of(path: Path, picture: Image.Image, *, raw: str, negative: bool) -> UInt8[ndarray, "h w"]:
    """Convert a decoded picture of any mode to grey levels.

    Args:
        path: its file, for messages.
        raw: its `raw_mode` before it was decoded.
        negative: whether white is zero in it.

    Raises:
        ImageError: the picture is damaged, fully transparent or white, or far too dark.
    """
    if picture.mode.startswith("I;16"):
        return _of_many_bits(path, picture, raw=raw, negative=negative)
    if picture.mode == "P" and picture.palette is not None:
        colours = len(picture.palette.palette) // len(picture.palette.mode)
        if np.asarray(picture).max() >= colours:
            raise ImageError(f"{path}: damaged, some pixels have none of its {colours} colours")
    if picture.mode in ("La", "LA", "PA") or picture.has_transparency_data:
        grey = np.concatenate([_on_paper(band, negative) for band in _bands(picture)])
        if grey.min() == 255:
            raise ImageError(f"{path}: all of the picture is transparent, or white")
        return grey
    grey = np.array(picture.convert("L"))
    if ";16" in raw and grey.max() < DIM:
        raise ImageError(
            f"{path}: the brightest of its levels of 16 bits has {grey.max() / 255:.1%} of white; "
            f"stretch them, for example with `magick {path.name} -auto-level -depth 8 scan.png`"
        )
    return np.invert(grey, out=grey) if negative else grey


def _bands(picture: Image.Image) -> Iterator[Image.Image]:
    """Yield bands of rows of a picture, so that little of it is held in a wider type."""
    w, h = picture.size
    rows = max(1, BAND_PIXELS // w)
    return (picture.crop((0, top, w, min(h, top + rows))) for top in range(0, h, rows))


def _of_many_bits(
    path: Path, picture: Image.Image, *, raw: str, negative: bool
) -> UInt8[ndarray, "h w"]:
    """Convert levels of 12 or 16 bits to 8.

    Scanners of 10 to 14 bits write their levels into 16 bits unscaled; the highest level of the
    whole page then gives the number of bits.
    """
    bits = 12 if raw == "I;12" else 16
    if bits == 16:
        used = max(int(np.asarray(band).max()) for band in _bands(picture)).bit_length()
        bits = max(8, used + used % 2)
        if bits < 16:
            warnings.warn(
                ImageWarning(f"{path}: no level of its 16 bits needs more than {bits}; read so"),
                stacklevel=2,
            )
    scale = np.float32(255 / (2**bits - 1))
    grey = np.concatenate(
        [
            (np.asarray(band, dtype=np.float32) * scale + np.float32(0.5)).astype(np.uint8)
            for band in _bands(picture)
        ]
    )
    return np.invert(grey, out=grey) if negative else grey


def _on_paper(picture: Image.Image, negative: bool) -> UInt8[ndarray, "h w"]:
    if picture.mode == "La":
        picture = picture.convert("LA")
    ink = picture.convert("RGBA")
    if negative:
        *bands, alpha = ink.split()
        ink = Image.merge("RGBA", [*map(ImageOps.invert, bands), alpha])
    white = Image.new("RGBA", ink.size, "white")
    return np.array(Image.alpha_composite(white, ink).convert("L"))
