"""Augmentation, held against torchvision at the same parameters on photographs."""

import io
import os
from dataclasses import fields, replace
from itertools import permutations
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from PIL import Image
from sklearn.datasets import load_sample_images
from torch import Tensor
from torchvision.transforms import functional as pil_functional
from torchvision.transforms.v2 import functional as tensor_functional

from trainables.augment import Draw, apply, augment, draw, normalise
from trainables.augmentation import PRESETS, Augmentation

CIFAR10 = Path(os.environ.get("HPSEARCH_CIFAR10", Path(__file__).parents[3] / "shared/data/cifar10"))
PUBLISHED = PRESETS["published"]
NOTHING = PRESETS["none"]


def sample_tiles(height: int = 32, width: int = 32) -> Tensor:
    """256 tiles (256, 3, height, width) of scikit-learn's two photographs."""
    tiles = []
    for photograph in load_sample_images().images:
        pixels = torch.from_numpy(np.array(photograph)).permute(2, 0, 1)
        tiles.append(pixels.unfold(1, height, height).unfold(2, width, width).permute(1, 2, 0, 3, 4).flatten(0, 1))
    images = torch.cat(tiles)
    return images[torch.linspace(0, len(images) - 1, 256).long()].contiguous()


def cifar_images() -> Tensor:
    table = pq.ParquetFile(next(iter(sorted(CIFAR10.rglob("*train*.parquet")))))
    rows = next(table.iter_batches(256, columns=["img"])).to_pylist()
    arrays = [np.array(Image.open(io.BytesIO(row["img"]["bytes"])).convert("RGB")) for row in rows]
    return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2).contiguous()


SOURCES = {"tiles": sample_tiles} | ({"cifar10": cifar_images} if any(CIFAR10.rglob("*train*.parquet")) else {})


@pytest.fixture(scope="module", params=SOURCES)
def images(request: pytest.FixtureRequest) -> Tensor:
    return SOURCES[request.param]()


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def only(name: str, value: Any) -> Augmentation:
    return replace(NOTHING, **{name: value})


def drawn(augmentation: Augmentation, n: int, seed: int = 0) -> Draw:
    return draw(augmentation, n, generator=generator(seed), device="cpu")


def torchvision(images: Tensor, augmentation: Augmentation, draw: Draw, kind: str) -> Tensor:
    """What torchvision makes of each image alone, in [0, 1]; `kind` is what it works on: pil, uint8 or float."""
    functional = pil_functional if kind == "pil" else tensor_functional
    height, width = images.shape[2:]
    results = []
    for i, pixels in enumerate(images):
        image = pil_functional.to_pil_image(pixels) if kind == "pil" else pixels
        image = image if kind != "float" else pixels / 255
        image = functional.hflip(image) if draw.flip[i] else image
        image = functional.pad(image, [augmentation.crop_padding])
        image = functional.crop(image, int(draw.dy[i]), int(draw.dx[i]), height, width)
        for name in ("brightness", "contrast", "saturation", "hue"):
            if getattr(augmentation, name):
                image = getattr(functional, f"adjust_{name}")(image, float(getattr(draw, name)[i]))
        image = functional.rotate(image, float(draw.angle[i])) if augmentation.rotation else image
        image = pil_functional.pil_to_tensor(image) if kind == "pil" else image
        results.append(image if kind == "float" else image / 255)
    return torch.stack(results)


def error(images: Tensor, augmentation: Augmentation, kind: str, seed: int = 0) -> Tensor:
    """Absolute differences from torchvision, in steps of 1/255."""
    draw = drawn(augmentation, len(images), seed)
    return 255 * (apply(images, augmentation, draw) - torchvision(images, augmentation, draw, kind)).abs()


@pytest.mark.parametrize("padding", [0, 3, 5])
@pytest.mark.parametrize("flip", [False, True])
def test_flip_and_crop_are_torchvision_s(images: Tensor, flip: bool, padding: int) -> None:
    assert error(images, Augmentation(flip=flip, crop_padding=padding), "pil").max() == 0


@pytest.mark.parametrize("degrees", [5.0, 45.0, 180.0])
def test_rotation_is_torchvision_s_on_tensors_and_within_a_few_pixels_on_pil(images: Tensor, degrees: float) -> None:
    augmentation = Augmentation(flip=True, crop_padding=3, rotation=degrees)
    assert error(images, augmentation, "uint8").mean() < 0.01
    different = (error(images, augmentation, "pil") > 0).float().mean()
    assert different < 1e-3


@pytest.mark.parametrize("strength", [0.1, 0.5])
@pytest.mark.parametrize("name", ["brightness", "contrast", "saturation", "hue"])
def test_each_colour_change_is_torchvision_s(images: Tensor, name: str, strength: float) -> None:
    augmentation = only(name, strength)
    assert error(images, augmentation, "float").max() < 0.01
    assert error(images, augmentation, "uint8").mean() <= 2
    assert error(images, augmentation, "pil").mean() <= 2


@pytest.mark.parametrize("kind", ["pil", "uint8", "float"])
def test_everything_together_is_torchvision_s_in_this_order(images: Tensor, kind: str) -> None:
    assert error(images, PUBLISHED, kind).mean() <= (0.05 if kind == "float" else 2)


def test_fill_of_a_rotation_is_black_after_the_colours(images: Tensor) -> None:
    augmentation = replace(PUBLISHED, rotation=45.0)
    draw = replace(drawn(augmentation, len(images)), angle=torch.full((len(images),), 45.0))
    assert apply(images, augmentation, draw)[:, :, :4, :4].max() == 0


@pytest.mark.parametrize("kind", ["pil", "uint8"])
def test_grey_images(images: Tensor, kind: str) -> None:
    grey = images[:, :1].contiguous()
    assert error(grey, PUBLISHED, kind).mean() <= 2
    colourless = replace(PUBLISHED, saturation=0.0, hue=0.0)
    draw = drawn(PUBLISHED, len(grey))
    assert torch.equal(apply(grey, PUBLISHED, draw), apply(grey, colourless, draw))


@pytest.mark.parametrize(("height", "width"), [(17, 30), (31, 13), (33, 33)])
def test_sizes_that_are_odd_or_not_square(height: int, width: int) -> None:
    images = sample_tiles(height, width)
    assert error(images, replace(NOTHING, flip=True, crop_padding=2), "pil").max() == 0
    assert error(images, only("rotation", 30.0), "uint8").mean() < 0.01
    assert error(images, PUBLISHED, "pil").mean() <= 2


def test_extreme_colours_stay_in_range_and_finite() -> None:
    corners = torch.cartesian_prod(*3 * [torch.tensor([0, 1, 254, 255], dtype=torch.uint8)])
    images = corners.view(-1, 3, 1, 1).expand(-1, 3, 4, 4).contiguous()
    augmentation = Augmentation(brightness=1.0, contrast=1.0, saturation=1.0, hue=0.5)
    for seed in range(5):
        result = apply(images, augmentation, drawn(augmentation, len(images), seed))
        assert 0 <= result.min() <= result.max() <= 1
    still = replace(drawn(augmentation, len(images)), hue=torch.full((len(images),), 0.5))
    expected = torchvision(images, only("hue", 0.5), still, "float")
    assert torch.allclose(apply(images, only("hue", 0.5), still), expected, atol=1e-5)


def test_each_image_has_its_own_draw() -> None:
    image = sample_tiles()[100:101]
    results = augment(image.expand(64, -1, -1, -1), PUBLISHED, generator())
    assert len({tuple(result.flatten().tolist()) for result in results}) == 64


def test_a_batch_is_its_images_one_by_one(images: Tensor) -> None:
    draw = drawn(PUBLISHED, 8)
    together = apply(images[:8], PUBLISHED, draw)
    for i in range(8):
        one = Draw(**{field.name: getattr(draw, field.name)[i : i + 1] for field in fields(Draw)})
        alone = apply(images[i : i + 1], PUBLISHED, one)
        assert torch.allclose(alone, together[i : i + 1], atol=1e-6)


def test_draws_fill_their_ranges() -> None:
    augmentation = Augmentation(
        flip=True, crop_padding=3, brightness=0.1, contrast=0.2, saturation=1.5, hue=0.3, rotation=5.0
    )
    draw = drawn(augmentation, 20_000)
    assert abs(draw.flip.float().mean() - 0.5) < 0.02
    ranges = {"brightness": (0.9, 1.1), "contrast": (0.8, 1.2), "saturation": (0, 2.5), "hue": (-0.3, 0.3)}
    for name, (low, high) in (ranges | {"angle": (-5, 5)}).items():
        values = getattr(draw, name)
        slack = 0.01 * (high - low)
        assert low - 1e-6 <= values.min() < low + slack
        assert high - slack < values.max() <= high + 1e-6
        assert abs(values.mean() - (low + high) / 2) < slack
    for corner in (draw.dy, draw.dx):
        counts = torch.bincount(corner, minlength=7)
        assert len(counts) == 7
        assert counts.min() > 20_000 / 7 * 0.9
    independent = torch.corrcoef(torch.stack([getattr(draw, field.name).float() for field in fields(Draw)]))
    assert (independent - torch.eye(8)).abs().max() < 0.04


def test_what_is_off_is_drawn_as_nothing() -> None:
    draw = drawn(NOTHING, 100)
    for name, value in {"flip": 0, "dy": 0, "dx": 0, "brightness": 1, "contrast": 1, "saturation": 1}.items():
        assert (getattr(draw, name) == value).all()
    assert draw.hue.abs().max() == draw.angle.abs().max() == 0


@pytest.mark.parametrize("preset", PRESETS)
def test_the_same_generator_state_gives_the_same_result(preset: str) -> None:
    images = sample_tiles()
    first, second = (augment(images, PRESETS[preset], generator(3)) for _ in range(2))
    assert torch.equal(first, second)
    another = augment(images, PRESETS[preset], generator(4))
    assert torch.equal(first, another) == (preset == "none")


@pytest.mark.parametrize("n", [1, 63, 64, 65, 200])
def test_augment_is_draw_then_apply_then_normalise(n: int) -> None:
    images = sample_tiles()[:n]
    expected = apply(images, PUBLISHED, drawn(PUBLISHED, n, seed=5)) * 2 - 1
    result = augment(images, PUBLISHED, generator(5))
    assert torch.allclose(result, expected, atol=1e-6)
    assert result.is_contiguous(memory_format=torch.channels_last)
    assert result.dtype == torch.float32


def test_none_only_normalises_and_draws_nothing(images: Tensor) -> None:
    stream = generator()
    before = stream.get_state()
    result = augment(images, NOTHING, stream)
    assert torch.equal(result, normalise(images))
    assert torch.allclose(result, (images / 255 - 0.5) / 0.5, atol=1e-6)
    assert torch.equal(stream.get_state(), before)


def test_images_are_left_as_they_were() -> None:
    images = sample_tiles()
    before = images.clone()
    for preset in PRESETS.values():
        augment(images, preset, generator())
    assert torch.equal(images, before)


@pytest.mark.parametrize(
    ("field", "value"), [("crop_padding", -1), ("brightness", -0.1), ("hue", 0.6), ("rotation", float("nan"))]
)
def test_values_out_of_range_are_refused_by_name(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        only(field, value)


def test_the_fixed_colour_order_changes_little(images: Tensor) -> None:
    """torchvision draws the order of the four colour changes; on floats any order is near the fixed one."""
    names = ("brightness", "contrast", "saturation", "hue")
    colours = replace(PUBLISHED, flip=False, crop_padding=0, rotation=0.0)
    draw = drawn(colours, len(images))
    fixed = apply(images, colours, draw)
    differences = []
    for i, order in zip(range(len(images)), 11 * list(permutations(names)), strict=False):
        image = images[i] / 255
        for name in order:
            image = getattr(tensor_functional, f"adjust_{name}")(image, float(getattr(draw, name)[i]))
        differences.append((image - fixed[i]).abs().mean())
    assert 255 * torch.stack(differences).mean() <= 2


@pytest.mark.parametrize("preset", PRESETS)
def test_a_device_is_never_waited_for(preset: str) -> None:
    """Tensors on the meta device have no values, so reading one would raise."""
    draw = drawn(PRESETS[preset], 8)
    elsewhere = Draw(**{field.name: getattr(draw, field.name).to("meta") for field in fields(Draw)})
    images = sample_tiles()[:8].to("meta")
    assert apply(images, PRESETS[preset], elsewhere).shape == images.shape
    assert normalise(images).shape == images.shape
