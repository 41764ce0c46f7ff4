"""What several tests share: one thread, and a few hundred real images."""

import pytest
import torch

from trainables.cache import Images
from trainables.datasets import load, subset


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Images:
    """A training set of 320 handwritten digits, 16×16 and grey, every class in its share."""
    images = load("digits", "train", data_dir=tmp_path_factory.mktemp("digits"))
    return images.take(subset(images.labels, 320, seed=0))
