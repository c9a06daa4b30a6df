"""Images of different sizes in one tensor."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int, Shaped, UInt8
from numpy import ndarray
from torch import Tensor
from torch.nn import functional as F

from veernet.data.labels import UNLABELLED
from veernet.errors import BatchError


@dataclass(frozen=True, slots=True)
class Sample:
    """One image with its labels, at its own size.

    image:  ink, 0 = paper: uint8 from 0 to 255, or floating point from 0 to 1
    target: class index of every pixel, 0 = background, `UNLABELLED` = unknown. Integers of any type
            are taken, and kept as uint8; True of a mask is class 1. A mask of 0 and 255 has no
            curve, for 255 is unknown: give `mask == 255`

    Raises:
        BatchError: a tensor of another shape or type, or a class that is not from 0 to 255.
    """

    image: Shaped[Tensor, "C h w"]
    target: Shaped[Tensor, "h w"]

    def __post_init__(self) -> None:
        for name, x in (("image", self.image), ("target", self.target)):
            if not isinstance(x, Tensor):  # pyright: ignore[reportUnnecessaryIsInstance]
                raise BatchError(
                    f"{name} must be a torch.Tensor, as torch.from_numpy makes one; got {type(x)}"
                )
        _check_image(self.image, "(C, h, w)")
        if self.target.ndim != 2:
            raise BatchError(
                "target must be (h, w), one class index a pixel; got the shape "
                f"{tuple(self.target.shape)}. Of one mask a class, background first, "
                "masks.argmax(0) makes it"
            )
        if self.image.shape[1:] != self.target.shape:
            raise BatchError(
                "image and target must have one size; got "
                f"{tuple(self.image.shape[1:])} and {tuple(self.target.shape)}"
            )
        object.__setattr__(self, "target", _class_indices(self.target))


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples padded at the bottom and right to one canvas.

    image:     ink, 0 on the padding
    target:    class indices, `UNLABELLED` on the padding
    sizes:     (h, w) of every sample, kept on the CPU, where the layers read them
    n_classes: 1 + the largest class index of every sample, 0 where nothing is labelled; if not
               given, counted on the device, and the padding is checked too

    Raises:
        BatchError: an image or a target of another type than `Sample` keeps, sizes beyond the
            canvas, or labels on the padding.
    """

    image: Shaped[Tensor, "B C H W"]
    target: UInt8[Tensor, "B H W"]
    sizes: Int[Tensor, "B 2"]
    n_classes: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        _check_image(self.image, "(B, C, H, W)")
        if self.target.dtype != torch.uint8:
            raise BatchError(
                f"the target of a batch must be uint8; got {self.target.dtype}. collate() makes it"
            )
        if not self.n_classes:
            _check_padding(self.target, self.sizes)
            object.__setattr__(self, "n_classes", tuple(map(_n_classes, self.target)))

    @property
    def n_images(self) -> int:
        """Number of samples in the batch."""
        return self.image.shape[0]

    @property
    def n_labelled(self) -> int:
        """Number of samples with a labelled pixel."""
        return sum(n > 0 for n in self.n_classes)

    @property
    def valid(self) -> Bool[Tensor, "B 1 H W"]:
        """True on labelled pixels, False on unlabelled ones and on padding."""
        return labelled(self.target)

    @property
    def padded_pixels(self) -> int:
        """Pixels of all samples' canvases, padding included."""
        return self.n_images * self.target.shape[1] * self.target.shape[2]

    def halves(self) -> tuple["Batch", "Batch"]:
        """Split the batch in two, each half cropped to its own canvas; no data is copied.

        Raises:
            ValueError: the batch holds one sample only.
        """
        if self.n_images < 2:
            raise ValueError(f"a batch of {self.n_images} scan(s) has no halves")
        middle = (self.n_images + 1) // 2
        return self._part(slice(None, middle)), self._part(slice(middle, None))

    def to(self, device: torch.device, dtype: torch.dtype = torch.float32) -> "Batch":
        """Return the batch on `device`, its image in floating point from 0 to 1.

        A uint8 image is transferred as it is and converted there: a quarter of the transfer.
        """
        return Batch(
            image=as_float(self.image.to(device, non_blocking=True), dtype),
            target=self.target.to(device, non_blocking=True),
            sizes=self.sizes,
            n_classes=self.n_classes,
        )

    def pin_memory(self) -> "Batch":
        """Return the batch in page-locked memory; `torch.utils.data.DataLoader` calls this."""
        image, target = self.image.pin_memory(), self.target.pin_memory()
        return Batch(image, target, self.sizes, self.n_classes)

    def _part(self, scans: slice) -> "Batch":
        sizes = self.sizes[scans]
        ((h, w),) = _pairs(sizes.amax(0, keepdim=True))
        image, target = self.image[scans, :, :h, :w], self.target[scans, :h, :w]
        return Batch(image, target, sizes, self.n_classes[scans])


def _pairs(sizes: Int[Tensor, "B 2"]) -> list[list[int]]:
    return sizes.tolist()  # pyright: ignore[reportUnknownMemberType, reportUnknownVariableType]: untyped in torch


def labelled(target: Shaped[Tensor, "B H W"]) -> Bool[Tensor, "B 1 H W"]:
    """Return True where the class of a pixel is known."""
    return (target != UNLABELLED)[:, None]


def as_float(image: Shaped[Tensor, "*B C H W"], dtype: torch.dtype) -> Shaped[Tensor, "*B C H W"]:
    """Return ink in floating point, from 0 = paper to 1; uint8 is divided by 255."""
    converted = image.to(dtype)
    return converted / 255 if image.dtype == torch.uint8 else converted


def collate(samples: Sequence[Sample]) -> Batch:
    """Pad samples at the bottom and right to their greatest height and width.

    The image is padded with 0 (paper), the target with `UNLABELLED`. Usable as it is as the
    `collate_fn` of a `torch.utils.data.DataLoader`.

    >>> split = open_archive("archive").split("train")
    >>> batch = collate([split[0], split[1]])
    >>> batch.image.shape[2:] == batch.target.shape[1:]
    True

    Raises:
        BatchError: no samples, anything that is not a `Sample`, or images that differ in channels
            or dtype.
    """
    if isinstance(samples, Sample):
        raise BatchError("collate() takes a list of samples; got one Sample")
    samples = list(samples)
    if not samples:
        raise BatchError("collate() needs at least one scan, got none")
    for number, scan in enumerate(samples):
        if not isinstance(scan, Sample):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise BatchError(
                f"collate() takes Sample(image, target); number {number} is a {type(scan).__name__}"
            )
    kinds = {(scan.image.shape[0], scan.image.dtype) for scan in samples}
    if len(kinds) > 1:
        listed = ", ".join(sorted(f"{channels} of {dtype}" for channels, dtype in kinds))
        raise BatchError(
            f"the images of a batch must have the same channels and type; got {listed}"
        )
    sizes = [(scan.target.shape[0], scan.target.shape[1]) for scan in samples]
    canvas = max(h for h, _ in sizes), max(w for _, w in sizes)
    return Batch(
        image=torch.stack([_pad(scan.image, canvas, 0) for scan in samples]),
        target=torch.stack([_pad(scan.target, canvas, UNLABELLED) for scan in samples]),
        sizes=torch.tensor(sizes),
        n_classes=tuple(_n_classes(scan.target) for scan in samples),
    )


def _check_image(image: Tensor, shape: str) -> None:
    if image.ndim != shape.count(",") + 1 or 0 in image.shape:
        raise BatchError(
            f"image must be {shape}, of at least 1 px; got the shape {tuple(image.shape)}"
        )
    if image.dtype != torch.uint8 and not image.is_floating_point():
        raise BatchError(
            "image must be uint8 from 0 to 255, or floating point from 0 to 1; got "
            f"{image.dtype}. As float, divided by the value of full ink, it is one"
        )


def _class_indices(target: Tensor) -> UInt8[Tensor, "h w"]:
    if target.dtype in (torch.uint8, torch.bool):
        return target.to(torch.uint8)
    if target.is_floating_point() or target.is_complex():
        raise BatchError(
            f"target must hold class indices, integers or bool; got {target.dtype}. "
            "Of probabilities, p > 0.5 makes them"
        )
    least, most = target.long().aminmax()
    if least < 0 or most > UNLABELLED:
        raise BatchError(
            f"target must hold classes from 0 to {UNLABELLED - 1}, and {UNLABELLED} for not "
            f"labelled; got {int(least)} to {int(most)}"
        )
    return target.to(torch.uint8)


def _check_padding(target: UInt8[Tensor, "B H W"], sizes: Int[Tensor, "B 2"]) -> None:
    H, W = target.shape[1:]
    if sizes.shape != (len(target), 2) or not all(
        1 <= h <= H and 1 <= w <= W for h, w in _pairs(sizes)
    ):
        raise BatchError(
            f"sizes must be {len(target)} pairs from 1 × 1 to {H} × {W} px; got {_pairs(sizes)}"
        )
    for number, (own, (h, w)) in enumerate(zip(target, _pairs(sizes), strict=True)):
        if bool((own[h:] != UNLABELLED).any() | (own[:h, w:] != UNLABELLED).any()):
            raise BatchError(
                f"image {number} of the batch has labels beyond its {h} × {w} px, where the target "
                f"must be {UNLABELLED}"
            )


def _n_classes(target: UInt8[Tensor, "h w"]) -> int:
    # 255 + 1 is 0 in uint8: unlabelled pixels come below every class.
    return int((target + 1).amax())


def _pad(x: Tensor, canvas: tuple[int, int], value: int) -> Tensor:
    (h, w), (H, W) = x.shape[-2:], canvas
    return F.pad(x, (0, W - w, 0, H - h), value=value)


def to_ink(grey: UInt8[ndarray, "h w"]) -> UInt8[Tensor, "1 h w"]:
    """Convert a grey scan to the network's input: 0 = paper, 255 = ink."""
    return as_tensor(255 - grey)[None]


def as_tensor(x: UInt8[ndarray, "*shape"]) -> UInt8[Tensor, "*shape"]:
    """Return an array as a tensor that shares its memory."""
    return torch.from_numpy(x)  # pyright: ignore[reportUnknownMemberType]: untyped in torch
