"""Measures augmentation, images/s on one core, against torchvision one image at a time, in the same run.

Each way does the whole step: take a batch from a resident uint8 tensor by index, augment as published, normalise,
channels last. `python benchmarks/augment.py` prints a Markdown table.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import torch
from common import header, photograph_tiles
from torch import Tensor
from torchvision import transforms as v1
from torchvision.transforms import v2

from trainables.augment import augment, normalise
from trainables.augmentation import PRESETS
from trainables.transforms.apply import transforms

PUBLISHED = PRESETS["published"]


def batched(images: Tensor) -> Callable[[Tensor], Tensor]:
    generator = torch.Generator().manual_seed(0)
    return lambda index: augment(images[index], PUBLISHED, generator)


def tensors_one_by_one(images: Tensor) -> Callable[[Tensor], Tensor]:
    transform = v2.Compose(
        [
            v2.RandomHorizontalFlip(),
            v2.RandomCrop(32, padding=3),
            v2.ColorJitter(0.1, 0.1, 0.1, 0.1),
            v2.RandomRotation(5),
            v2.ToDtype(torch.float32, scale=True),
            v2.Normalize([0.5] * 3, [0.5] * 3),
        ]
    )
    return lambda index: torch.stack([transform(images[i]) for i in index])


def pil_one_by_one(images: Tensor) -> Callable[[Tensor], Tensor]:
    transform = v1.Compose(
        [
            v1.ToPILImage(),
            v1.RandomHorizontalFlip(),
            v1.RandomCrop(32, padding=3),
            v1.ColorJitter(0.1, 0.1, 0.1, 0.1),
            v1.RandomRotation(5),
            v1.ToTensor(),
            v1.Normalize([0.5] * 3, [0.5] * 3),
        ]
    )
    return lambda index: torch.stack([transform(images[i]) for i in index])


WAYS = {
    "batched, `trainables.augment`": batched,
    "torchvision v2, tensors": tensors_one_by_one,
    "torchvision v1, PIL": pil_one_by_one,
}


#: Transforms at usual strengths, and torchvision's way where it has one: one image at a time, as its draw is a batch's.
TRANSFORMS: dict[str, tuple[float, Callable[[Tensor], Tensor] | None]] = {
    "vertical_flip": (0.5, v2.RandomVerticalFlip()),
    "shear": (0.2, v2.RandomAffine(0, shear=11.3)),
    "zoom": (0.2, v2.RandomAffine(0, scale=(0.8, 1.2))),
    "channel_shift": (0.2, None),
    "trivial_augment": (1.0, v2.TrivialAugmentWide()),
    "cutout": (8, v2.RandomErasing(1.0, scale=(1 / 16, 1 / 16), ratio=(1, 1))),
    "mixup": (0.2, None),
    "cutmix": (0.5, None),
}
TOGETHER = 128  # images a batch for the table of transforms


def speed(way: Callable[[Tensor], Tensor], images: Tensor, batch: int, batches: int) -> float:
    """Images/s over some batches, drawn with replacement."""
    indices = torch.randint(len(images), (batches, batch))
    start = time.perf_counter()
    for index in indices:
        way(index).contiguous(memory_format=torch.channels_last)
    return batches * batch / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=15, help="measurements of each way, interleaved")
    repeats = parser.parse_args().repeats
    torch.set_num_threads(1)
    torch.manual_seed(0)
    images = torch.from_numpy(photograph_tiles())
    ways = {name: make(images) for name, make in WAYS.items()}
    print(header("torchvision"), end="\n\n")
    print("| batch | way | images/s, median | min–max | batched is faster by |")
    print("| ---: | --- | ---: | ---: | ---: |")
    for batch in (64, 128, 512):
        speeds: dict[str, list[float]] = {name: [] for name in ways}
        for repeat in range(repeats + 1):
            for name, way in ways.items():
                batches = max(1, 4096 // batch) if name == next(iter(ways)) else 1
                measured = speed(way, images, batch, batches)
                if repeat:  # the first round warms up
                    speeds[name].append(measured)
        medians = {name: statistics.median(values) for name, values in speeds.items()}
        fastest = medians[next(iter(ways))]
        for name, values in speeds.items():
            spread = f"{min(values):,.0f}–{max(values):,.0f}"
            print(f"| {batch} | {name} | {medians[name]:,.0f} | {spread} | {fastest / medians[name]:.1f}× |")

    print_transforms(images, repeats)


def _one_by_one(transform: Callable[[Tensor], Any], images: Iterable[Tensor]) -> None:
    for image in images:
        transform(image)


def print_transforms(images: Tensor, repeats: int) -> None:
    """A table of each transform alone, on a batch that is normalised already."""
    print("\n| transform | images/s, median | µs an image | torchvision, image by image |")
    print("| --- | ---: | ---: | ---: |")
    pixels, labels = images[:TOGETHER], torch.arange(TOGETHER) % 10
    inputs = normalise(pixels)
    for name, (strength, theirs) in TRANSFORMS.items():
        change = transforms({name: strength}, 0, 10)
        ours = per_second(partial(change, inputs, labels), repeats)
        them = per_second(partial(_one_by_one, theirs, pixels), repeats) if theirs else None
        beside = f"{them:,.0f}, {ours / them:.0f}× slower" if them else "–"
        print(f"| {name} | {ours:,.0f} | {1e6 / ours:.1f} | {beside} |")


def per_second(work: Callable[[], object], repeats: int) -> float:
    """Images/s of work on one batch, the median of some runs after one that warms up."""
    seconds = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    return TOGETHER / statistics.median(seconds[1:])


if __name__ == "__main__":
    main()
