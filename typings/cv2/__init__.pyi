# The part of OpenCV that is used here. Its own stubs take every picture for integers or floats of
# any size and every argument for a UMat too; these say which dtype comes back.
from collections.abc import Sequence
from typing import Any, TypeAlias, TypeVar

from numpy import dtype, float32, float64, generic, int32, ndarray, uint8

_D = TypeVar("_D", bound=generic)
_Any: TypeAlias = ndarray[Any, dtype[Any]]
_Of: TypeAlias = ndarray[Any, dtype[_D]]
_Point: TypeAlias = Sequence[int]
_Size: TypeAlias = Sequence[int]
_Colour: TypeAlias = float | Sequence[float]

BORDER_CONSTANT: int
BORDER_REPLICATE: int
CC_STAT_HEIGHT: int
CC_STAT_WIDTH: int
DIST_L2: int
FONT_HERSHEY_SIMPLEX: int
IMREAD_COLOR: int
IMREAD_GRAYSCALE: int
IMREAD_UNCHANGED: int
IMWRITE_JPEG_QUALITY: int
IMWRITE_PNG_FILTER: int
IMWRITE_PNG_FILTER_NONE: int
IMWRITE_PNG_STRATEGY: int
INTER_AREA: int
INTER_CUBIC: int
INTER_LINEAR: int
INTER_NEAREST: int
LINE_AA: int
MORPH_BLACKHAT: int
MORPH_CLOSE: int
MORPH_OPEN: int
COLOR_RGB2LAB: int
THRESH_BINARY: int
WARP_INVERSE_MAP: int

def setNumThreads(nthreads: int) -> None: ...

# Files: None where the picture cannot be read.
def imread(filename: str, flags: int = ...) -> _Any | None: ...
def imdecode(buf: _Of[uint8], flags: int) -> _Any | None: ...
def imencode(ext: str, img: _Any, params: Sequence[int] = ...) -> tuple[bool, _Of[uint8]]: ...

# Levels.
def LUT(src: _Of[uint8], lut: _Of[_D]) -> _Of[_D]: ...
def absdiff(src1: _Of[_D], src2: _Of[_D]) -> _Of[_D]: ...
def addWeighted(
    src1: _Of[_D], alpha: float, src2: _Of[_D], beta: float, gamma: float
) -> _Of[_D]: ...
def convertScaleAbs(src: _Of[uint8], *, alpha: float) -> _Of[uint8]: ...
def merge(mv: Sequence[_Of[_D]]) -> _Of[_D]: ...
def multiply(src1: _Of[_D], src2: _Of[_D], *, scale: float = ...) -> _Of[_D]: ...
def subtract(src1: _Of[_D], src2: _Of[_D]) -> _Of[_D]: ...
def threshold(src: _Of[_D], thresh: float, maxval: float, type: int) -> tuple[float, _Of[_D]]: ...
def calcHist(
    images: Sequence[_Any],
    channels: Sequence[int],
    mask: _Of[uint8] | None,
    histSize: Sequence[int],
    ranges: Sequence[float],
) -> _Of[float32]: ...

# Neighbourhoods.
def GaussianBlur(src: _Of[_D], ksize: _Size, sigmaX: float) -> _Of[_D]: ...
def blur(src: _Of[_D], ksize: _Size, *, borderType: int = ...) -> _Of[_D]: ...
def boxFilter(
    src: _Of[_D], ddepth: int, ksize: _Size, *, normalize: bool = ..., borderType: int = ...
) -> _Of[_D]: ...
def medianBlur(src: _Of[_D], ksize: int) -> _Of[_D]: ...
def dilate(src: _Of[_D], kernel: _Any) -> _Of[_D]: ...
def cvtColor(src: _Of[_D], code: int) -> _Of[_D]: ...
def morphologyEx(src: _Of[_D], op: int, kernel: _Any) -> _Of[_D]: ...
def distanceTransform(src: _Of[uint8], distanceType: int, maskSize: int) -> _Of[float32]: ...
def connectedComponents(
    image: _Of[uint8], *, connectivity: int = ...
) -> tuple[int, _Of[int32]]: ...
def connectedComponentsWithStats(
    image: _Of[uint8], *, connectivity: int = ...
) -> tuple[int, _Of[int32], _Of[int32], _Of[float64]]: ...

# Places.
def getRotationMatrix2D(center: Sequence[float], angle: float, scale: float) -> _Of[float64]: ...
def resize(src: _Of[_D], dsize: _Size, *, interpolation: int = ...) -> _Of[_D]: ...
def remap(
    src: _Of[_D],
    map1: _Any,
    map2: _Any,
    interpolation: int,
    *,
    borderMode: int = ...,
    borderValue: _Colour = ...,
) -> _Of[_D]: ...
def warpAffine(
    src: _Of[_D],
    M: _Any,
    dsize: _Size,
    dst: None = ...,
    flags: int = ...,
    borderMode: int = ...,
    borderValue: _Colour = ...,
) -> _Of[_D]: ...

# Drawing, on the array given, which is returned.
def ellipse(
    img: _Of[_D],
    center: _Point,
    axes: _Size,
    angle: float,
    startAngle: float,
    endAngle: float,
    color: _Colour,
    thickness: int = ...,
    lineType: int = ...,
) -> _Of[_D]: ...
def fillPoly(img: _Of[_D], pts: Sequence[_Of[int32]], color: _Colour) -> _Of[_D]: ...
def line(
    img: _Of[_D],
    pt1: _Point,
    pt2: _Point,
    color: _Colour,
    thickness: int = ...,
    lineType: int = ...,
) -> _Of[_D]: ...
def polylines(
    img: _Of[_D],
    pts: Sequence[_Of[int32]],
    isClosed: bool,
    color: _Colour,
    thickness: int = ...,
    lineType: int = ...,
    shift: int = ...,
) -> _Of[_D]: ...
def mean(src: _Of[_D]) -> tuple[float, float, float, float]: ...
def getTextSize(
    text: str, fontFace: int, fontScale: float, thickness: int
) -> tuple[tuple[int, int], int]: ...
def putText(
    img: _Of[_D],
    text: str,
    org: _Point,
    fontFace: int,
    fontScale: float,
    color: _Colour,
    thickness: int = ...,
    lineType: int = ...,
) -> _Of[_D]: ...
def rectangle(
    img: _Of[_D], pt1: _Point, pt2: _Point, color: _Colour, thickness: int = ...
) -> _Of[_D]: ...
