"""A training of some digits."""

from typing import Any

import numpy as np
import pytest

from tests.trainables.trainings import Make
from trainables.config import Config
from trainables.data.images import Images
from trainables.resident import Resident
from trainables.training import Training


@pytest.fixture
def make(digits: Images) -> Make:
    """Return a function that makes a training: 240 images, or `num_images`, to train and 80 to validate."""

    def made(config: Config, *, seed: int = 0, num_images: int = 240, validated: bool = True, **more: Any) -> Training:
        train = Resident.of(digits.take(np.arange(num_images)), "cpu")
        validation = Resident.of(digits.take(np.arange(240, 320)), "cpu") if validated else None
        return Training(config, train, validation, seed=seed, **more)

    return made
