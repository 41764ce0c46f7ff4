"""Early stopping: training ends when validation stops improving, and keeps the best epoch's weights."""

from copy import deepcopy
from typing import Any

from torch import nn


class Best:
    """The best measurement so far by the search's metric (the earliest of equal ones), with its weights."""

    def __init__(self, patience: int) -> None:
        """patience: epochs without a better value after which training has stalled."""
        self._patience = patience
        self._value = -1.0
        self._epoch = 0.0
        self._weights: dict[str, Any] | None = None

    def hear(self, epoch: float, value: float, model: nn.Module) -> None:
        """Add a measurement and the model that was measured."""
        if value > self._value:
            self._value, self._epoch = value, epoch
            self._weights = {name: value.detach().clone() for name, value in model.state_dict().items()}

    def stalled(self, epoch: float) -> bool:
        """Whether training should end after so many epochs; never before the first measurement."""
        return self._weights is not None and epoch - self._epoch >= self._patience

    def of(self, model: nn.Module) -> nn.Module:
        """A copy of the model with the best weights; the model itself before the first measurement."""
        if self._weights is None:
            return model
        best = deepcopy(model)
        best.load_state_dict(self._weights)
        return best

    def state(self) -> dict[str, Any]:
        """What `restore` needs to continue."""
        return {"value": self._value, "epoch": self._epoch, "weights": self._weights}

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned."""
        self._value, self._epoch, self._weights = state["value"], state["epoch"], state["weights"]
