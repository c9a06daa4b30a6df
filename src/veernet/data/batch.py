"""Images of different sizes in one tensor."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Int, Shaped
from torch import Tensor
from torch.nn import functional as F

UNLABELLED = 255
"""The class index of a pixel that no loss and no metric looks at: padding, or not labelled."""


@dataclass(frozen=True, slots=True)
class Scan:
    """One image with its labels, at its own size.

    image:  ink, 0 = paper: uint8 from 0 to 255, or floating point from 0 to 1
    target: class index of every pixel, 0 = background, `UNLABELLED` = unknown
    """

    image: Shaped[Tensor, "C h w"]
    target: Shaped[Tensor, "h w"]


@dataclass(frozen=True, slots=True)
class Batch:
    """Scans padded at the bottom and right to one canvas.

    image:  ink, 0 on the padding
    target: class indices, `UNLABELLED` on the padding
    sizes:  (h, w) of every scan, kept on the CPU, where the layers read them
    """

    image: Shaped[Tensor, "B C H W"]
    target: Shaped[Tensor, "B H W"]
    sizes: Int[Tensor, "B 2"]

    @property
    def n_images(self) -> int:
        """How many scans the batch holds."""
        return self.image.shape[0]

    @property
    def valid(self) -> Bool[Tensor, "B 1 H W"]:
        """True on scanned and labelled pixels, False on padding."""
        return labelled(self.target)

    @property
    def padded_pixels(self) -> int:
        """Pixels of the canvas of all scans, padding included."""
        return self.n_images * self.target.shape[1] * self.target.shape[2]

    def halves(self) -> tuple["Batch", "Batch"]:
        """The first scans and the others, each half cropped to its own canvas; no data is copied.

        Raises:
            ValueError: the batch holds one scan only.
        """
        if self.n_images < 2:
            raise ValueError(f"a batch of {self.n_images} scan(s) has no halves")
        middle = (self.n_images + 1) // 2
        return self._part(slice(None, middle)), self._part(slice(middle, None))

    def to(self, device: torch.device, dtype: torch.dtype = torch.float32) -> "Batch":
        """The batch on `device`, its image in floating point from 0 to 1.

        A uint8 image travels as it is and is converted there: a quarter of the transfer.
        """
        return Batch(
            image=as_float(self.image.to(device, non_blocking=True), dtype),
            target=self.target.to(device, non_blocking=True),
            sizes=self.sizes,
        )

    def pin_memory(self) -> "Batch":
        """The batch in page-locked memory; `torch.utils.data.DataLoader` calls this."""
        return Batch(self.image.pin_memory(), self.target.pin_memory(), self.sizes)

    def _part(self, scans: slice) -> "Batch":
        sizes = self.sizes[scans]
        h, w = sizes.amax(0).tolist()
        return Batch(self.image[scans, :, :h, :w], self.target[scans, :h, :w], sizes)


def labelled(target: Shaped[Tensor, "B H W"]) -> Bool[Tensor, "B 1 H W"]:
    """True where the class of a pixel is known."""
    return (target != UNLABELLED)[:, None]


def as_float(image: Shaped[Tensor, "*B C H W"], dtype: torch.dtype) -> Shaped[Tensor, "*B C H W"]:
    """Ink in floating point, from 0 = paper to 1; uint8 is divided by 255."""
    converted = image.to(dtype)
    return converted / 255 if image.dtype == torch.uint8 else converted


def collate(scans: Sequence[Scan]) -> Batch:
    """Pad `scans` to their own common height and width, at the bottom and right.

    The image is padded with 0 (paper), the target with `UNLABELLED`. Usable as it is as the
    `collate_fn` of a `torch.utils.data.DataLoader`.

    Raises:
        ValueError: no scans, or an image and its target differ in size.
    """
    if not scans:
        raise ValueError("collate() needs at least one scan, got none")
    sizes = [_size(scan) for scan in scans]
    canvas = max(h for h, _ in sizes), max(w for _, w in sizes)
    return Batch(
        image=torch.stack([_pad(scan.image, canvas, 0) for scan in scans]),
        target=torch.stack([_pad(scan.target, canvas, UNLABELLED) for scan in scans]),
        sizes=torch.tensor(sizes),
    )


def _size(scan: Scan) -> tuple[int, int]:
    image, target = scan.image.shape[-2:], scan.target.shape
    if image != target:
        raise ValueError(
            f"image and target must have one size; got {tuple(image)} and {tuple(target)}"
        )
    return target[0], target[1]


def _pad(x: Tensor, canvas: tuple[int, int], value: int) -> Tensor:
    (h, w), (H, W) = x.shape[-2:], canvas
    return F.pad(x, (0, W - w, 0, H - h), value=value)
