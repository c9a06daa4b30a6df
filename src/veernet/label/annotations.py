"""Read the JSON files of annotation tools: Labelme and COCO."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from jaxtyping import Bool, Float
from numpy import ndarray
from PIL import Image
from pydantic import Field

from veernet.errors import LabelError
from veernet.files import Json, read_json, validate
from veernet.label import rle

Finite = Annotated[float, Field(allow_inf_nan=False)]

_OTHERS = {
    "features": "as GeoJSON has",
    "_via_img_metadata": "as the VGG Image Annotator writes",
    "_via_settings": "as the VGG Image Annotator writes",
    "result": "as Label Studio writes",
    "annotations": "as Label Studio writes",
    "segmentation": "as results of COCO, which say neither categories nor names of pictures",
}
"""Keys that identify other formats, with their names."""

_FORMS = {"line": "line", "linestrip": "line", "polygon": "polygon", "mask": "mask"}
"""Labelme's shape types that can be a curve. Files from before it wrote the type hold polygons."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """One shape that an annotator drew.

    label:  label in the annotator's words
    form:   line, polygon or mask; for any other shape the file's name of it
    points: (x, y) of a line or polygon; the corners of a mask
    mask:   encoded pixels of a mask; None for other shapes
    """

    label: str
    form: str
    points: Float[ndarray, "n 2"]
    mask: "LabelmeMask | Rle | None" = None


@dataclass(frozen=True, kw_only=True)
class Picture:
    """Shapes drawn on one picture."""

    file: Path
    """File in which the shapes are written."""
    name: str
    """Name of the picture in the file; empty if it has none."""
    size: tuple[int, int] | None
    """Size (w, h) of the picture that the annotator saw, px; None if the file does not say."""
    shapes: tuple[Shape, ...]


@dataclass(frozen=True)
class Rle:
    """Mask encoded as COCO does, for a picture of size (h, w)."""

    size: tuple[int, int]
    counts: str | list[int]

    def pixels(self, size: tuple[int, int]) -> Bool[ndarray, "h w"]:
        """Decode the mask, on a picture of `size` (w, h).

        Raises:
            ValueError: the mask is damaged, or has another size.
        """
        h, w = self.size
        if (w, h) != size:
            raise ValueError(f"a mask of {w} × {h} px on a picture of {size[0]} × {size[1]} px")
        return rle.decode(self.size, self.counts)


@dataclass(frozen=True)
class LabelmeMask:
    """Mask encoded as Labelme does: a PNG of a part of the picture."""

    corners: tuple[int, int, int, int]
    """Left, top, right and bottom pixel of that part."""
    png: str

    def pixels(self, size: tuple[int, int]) -> Bool[ndarray, "h w"]:
        """Decode the mask, on a picture of `size` (w, h).

        Raises:
            ValueError: the mask is damaged, or reaches beyond the picture.
        """
        left, top, right, bottom = self.corners
        if not (0 <= left <= right < size[0] and 0 <= top <= bottom < size[1]):
            raise ValueError(f"a mask from {left}, {top} to {right}, {bottom}, beyond the picture")
        data = base64.b64decode(self.png)
        declared = tuple(int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
        if declared != (right - left + 1, bottom - top + 1):
            raise ValueError(f"a mask of another size than from its corners, {self.corners}")
        try:
            with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
                part = np.array(picture.convert("L")) > 0
        except Exception as broken:  # decoders raise anything from SyntaxError to struct.error
            raise ValueError(f"a mask that is no readable PNG ({broken})") from broken
        whole = np.zeros(size[::-1], bool)
        whole[top : bottom + 1, left : right + 1] = part
        return whole


@dataclass(frozen=True)
class _LabelmeShape:
    label: str
    points: list[tuple[Finite, Finite]]
    shape_type: str | None = None
    mask: str | None = None


@dataclass(frozen=True)
class _Labelme:
    shapes: list[_LabelmeShape]
    name: Annotated[str | None, Field(alias="imagePath")] = None
    width: Annotated[int | None, Field(alias="imageWidth")] = None
    height: Annotated[int | None, Field(alias="imageHeight")] = None


@dataclass(frozen=True)
class _CocoImage:
    id: int | str
    file_name: str
    width: int | None = None
    height: int | None = None


@dataclass(frozen=True)
class _CocoCategory:
    id: int | str
    name: str


@dataclass(frozen=True)
class _CocoAnnotation:
    image_id: int | str
    category_id: int | str
    segmentation: list[list[Finite]] | Rle | None = None
    bbox: list[Finite] | None = None


@dataclass(frozen=True)
class _Coco:
    images: list[_CocoImage]
    categories: list[_CocoCategory]
    annotations: list[_CocoAnnotation]


def read_annotations(path: Path) -> list[Picture]:
    """Read the shapes drawn on every picture of a file.

    Raises:
        LabelError: there is no such file, or it is damaged, or has another format.
    """
    if path.is_file():
        with path.open("rb") as file:
            if file.read(64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
                raise LabelError(_unknown(path, "XML, as CVAT and Pascal VOC write"))
    table = read_json(path, error=LabelError, missing=f"{path}: no such file of polylines")
    if isinstance(table, dict) and "shapes" in table:
        labelme = validate(_Labelme, table, where=str(path), error=LabelError, extra="ignore")
        return [_of_labelme(path, labelme)]
    if isinstance(table, dict) and "images" in table:
        coco = validate(_Coco, table, where=str(path), error=LabelError, extra="ignore")
        return _of_coco(path, coco)
    raise LabelError(_unknown(path, _described(table)))


def _unknown(path: Path, found: str) -> str:
    return (
        f"{path}: neither COCO (images, categories, annotations) nor Labelme (shapes), but "
        f"{found}; export lines as one of the two"
    )


def _described(table: Any) -> str:
    nest: Json = table
    match nest:
        case dict():
            what = nest
            keys = ", ".join(map(repr, [*what][:5]))
            found = f"an object with the keys {keys}" if keys else "an empty object"
        case [dict() as what, *_]:
            found = f"a list of objects with the keys {', '.join(map(repr, [*what][:5]))}"
        case _:
            return f"JSON of {type(nest).__name__}"
    return ", ".join([found, *[said for key, said in _OTHERS.items() if key in what][:1]])


def _size(width: int | None, height: int | None) -> tuple[int, int] | None:
    return None if width is None or height is None else (width, height)


def _of_labelme(path: Path, table: _Labelme) -> Picture:
    shapes = list[Shape]()
    for shape in table.shapes:
        form = shape.shape_type or "polygon"
        points = np.array(shape.points, float).reshape(-1, 2)
        mask = None
        if form == "mask":
            if shape.mask is None or len(points) != 2:
                raise LabelError(f"{path}: a mask labelled {shape.label!r} has no pixels")
            left, top, right, bottom = np.clip(points.ravel(), -1e9, 1e9).astype(int).tolist()
            mask = LabelmeMask((left, top, right, bottom), shape.mask)
        form = _FORMS.get(form, form)
        shapes.append(Shape(label=shape.label, form=form, points=points, mask=mask))
    return Picture(
        file=path,
        name=table.name or "",
        size=_size(table.width, table.height),
        shapes=tuple(shapes),
    )


def _of_coco(path: Path, table: _Coco) -> list[Picture]:
    names = {one.id: one.name for one in table.categories}
    shapes: dict[int | str, list[Shape]] = {one.id: [] for one in table.images}
    if len(shapes) < len(table.images):
        raise LabelError(f"{path}: several images have the same id")
    if len(names) < len(table.categories):
        raise LabelError(f"{path}: several categories have the same id")
    for one in table.annotations:
        if one.category_id not in names:
            raise LabelError(
                f"{path}: an annotation is of category {one.category_id!r}, which is not among its "
                f"categories: {', '.join(map(repr, names))}"
            )
        if one.image_id not in shapes:
            raise LabelError(
                f"{path}: an annotation of {names[one.category_id]!r} is of image "
                f"{one.image_id!r}, which is not among its images"
            )
        shapes[one.image_id] += _of_annotation(path, names[one.category_id], one)
    return [
        Picture(
            file=path,
            name=image.file_name,
            size=_size(image.width, image.height),
            shapes=tuple(shapes[image.id]),
        )
        for image in table.images
    ]


def _of_annotation(path: Path, label: str, one: _CocoAnnotation) -> Sequence[Shape]:
    match one.segmentation:
        case Rle(size=(h, w)) as mask:
            corners = np.array([[0.0, 0.0], [w - 1.0, h - 1.0]])
            return [Shape(label=label, form="mask", points=corners, mask=mask)]
        case [_, *_] as parts:
            if any(len(part) % 2 for part in parts):
                raise LabelError(f"{path}: a line labelled {label!r} has an odd number of x and y")
            points = [np.array(part, float).reshape(-1, 2) for part in parts]
            return [Shape(label=label, form="polygon", points=part) for part in points]
        case _:
            if one.bbox is None or len(one.bbox) != 4:
                raise LabelError(f"{path}: an annotation of {label!r} has no segmentation")
            x, y, w, h = one.bbox
            corners = np.array([[x, y], [x + w, y + h]])
            return [Shape(label=label, form="rectangle", points=corners)]
