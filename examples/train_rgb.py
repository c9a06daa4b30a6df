"""Train a network of one's own on colour images of different sizes, padded as little as can be.

`seal` makes any network blind to padding; the sampler puts images of like shapes together. The two
workers are started afresh (spawn), as on Windows and macOS.

usage: python examples/train_rgb.py
"""

import torch
from torch import nn
from torch.utils.data import DataLoader, Dataset

from veernet import Dice, Sample, Schedule, ScheduleSampler, collate, seal, train_step


class Discs(Dataset[Sample]):
    """Red discs on noise, each image of another size; the class of a disc's pixels is 1."""

    def __init__(self, n: int):
        self.sizes = torch.randint(32, 96, (n, 2), generator=torch.manual_seed(0)).numpy()

    def __len__(self) -> int:
        return len(self.sizes)

    def __getitem__(self, index: int) -> Sample:
        h, w = map(int, self.sizes[index])
        y, x = torch.meshgrid(torch.arange(h) - h // 2, torch.arange(w) - w // 2, indexing="ij")
        disc = y**2 + x**2 < 144
        image = torch.randint(0, 200, (3, h, w), dtype=torch.uint8)
        image[0][disc] = 255
        return Sample(image=image, target=disc.to(torch.uint8))


def main() -> None:
    """Train for two epochs and print the loss of each step."""
    images = Discs(48)
    network = nn.Sequential(
        nn.Conv2d(3, 16, 3, padding=1), nn.GroupNorm(4, 16), nn.ReLU(), nn.Conv2d(16, 1, 1)
    )
    model = seal(network)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    sampler = ScheduleSampler(Schedule(effective_batch=8, pixel_budget=20_000), images.sizes)
    loader = DataLoader(
        images,
        batch_sampler=sampler,
        collate_fn=collate,
        num_workers=2,
        multiprocessing_context="spawn",
    )
    for epoch in range(2):
        sampler.set_epoch(epoch)
        for batches in sampler.steps(loader):
            result = train_step(model, optimizer, Dice(), batches)
            print(f"epoch {epoch + 1}, step {sampler.step}: loss {result.loss:.4f}")


if __name__ == "__main__":
    main()
