"""Images on a device, or on the host beside it. The device here is "meta", which has shapes and no values."""

import numpy as np
import pytest
import torch

from trainables.data.images import Images
from trainables.resident import Resident


def test_batches_are_the_images_at_the_indices_and_all_in_order(digits: Images) -> None:
    images = Resident.of(digits, "cpu")
    assert len(images) == len(digits) and images.num_classes == len(digits.classes)
    pixels, labels = images.take(torch.tensor([3, 1]))
    assert np.array_equal(pixels.numpy(), digits.pixels[[3, 1]]) and labels.tolist() == digits.labels[[3, 1]].tolist()
    parts = list(images.split(500))
    assert torch.equal(torch.cat([pixels for pixels, _ in parts]), images.pixels)
    assert torch.equal(torch.cat([labels for _, labels in parts]), images.labels)
    assert len(images.first(7)) == 7


def test_images_that_other_processes_share_are_not_copied(digits: Images) -> None:
    assert Resident.of(digits, "cpu").pixels.data_ptr() == digits.pixels.ctypes.data


@pytest.mark.parametrize(("room", "where"), [(None, "meta"), (10**9, "meta"), (1000, "cpu")])
def test_pixels_that_the_device_has_no_room_for_stay_on_the_host(
    digits: Images, room: float | None, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.Tensor, "pin_memory", lambda self: self)  # needs a GPU
    images = Resident.of(digits, "meta", room=room)
    assert (images.pixels.device.type, images.labels.device.type, images.device.type) == (where, "meta", "meta")
    pixels, labels = images.take(torch.arange(5, device=where))
    assert (pixels.shape, labels.shape) == ((5, *digits.shape), (5,))
    assert {each.device.type for each in (pixels, labels, *next(images.split(4)))} == {"meta"}
