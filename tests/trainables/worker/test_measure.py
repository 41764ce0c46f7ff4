"""How long a step takes, by a clock that the steps themselves move."""

from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn

from trainables.config import Config, NetworkConfig, OptimizerConfig, TrainingConfig
from trainables.resident import Resident
from trainables.worker import measure as measuring
from trainables.worker.measure import measure

STEP = 1 / 1024  # a second of the clock; sums of it are exact
steps = 0


class Counted(nn.Module):
    """A network that counts how often it is trained."""

    def __init__(self) -> None:
        super().__init__()
        self.logits = nn.Linear(64, 10)

    def forward(self, images: Tensor) -> Tensor:
        """One more step."""
        global steps
        steps += self.training
        logits: Tensor = self.logits(images.flatten(1))
        return logits


@pytest.mark.parametrize(
    ("batch", "images"),
    [
        (32, 600),  # two steps, then sixteen
        (4, 600),  # then as many as are allowed
        (32, 33),  # one step, as a last image is no batch of its own
        (1, 600),  # likewise at first
        (64, 100),  # two steps, the second of 36 images
    ],
)
def test_a_step_takes_the_time_of_the_steps_that_were_made(
    monkeypatch: pytest.MonkeyPatch, batch: int, images: int
) -> None:
    monkeypatch.setattr(measuring, "time", SimpleNamespace(perf_counter=lambda: steps * STEP))
    config = Config(
        NetworkConfig(f"{__name__}:Counted", {}),
        OptimizerConfig("sgd", 0.01),
        TrainingConfig(batch_size=batch, augment="none"),
    )
    resident = Resident(torch.zeros(images, 1, 8, 8, dtype=torch.uint8), torch.arange(images) % 10, 10)
    (speed,) = measure([config], resident, precision="float32", budget=1000)
    assert speed is not None
    assert (speed.batch, speed.step, speed.start) == (batch, STEP, 0.0)
