"""A running average of a network's weights (EMA), which validates better than weights that still change.

Its decay is per epoch, so that it means the same at every batch size. In the first steps it decays faster, because the
initial weights are soon outdated. Running statistics are averages already and are copied: averaged again they lag
behind, which cost a point in the first epochs.
"""

from copy import deepcopy
from typing import Any

import torch
from torch import nn


class Average:
    """The exponential average of a model's weights after every step, with the model's running statistics."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        """decay: the share of the average that is left an epoch later, between 0 and 1."""
        self.model = deepcopy(model)
        """A network with the averaged weights."""
        self._decay = decay
        self._weights, self._buffers = ([each.detach() for each in of] for of in _parts(self.model))
        self._taken, self._copied = ([each.detach() for each in of] for of in _parts(model))

    @torch.no_grad()
    def update(self, steps: float, epochs: float) -> None:
        """Add the model's weights. steps: taken so far, including this one. epochs: the length of this step."""
        decay = min(self._decay**epochs, (1 + steps) / (10 + steps))
        torch._foreach_lerp_(self._weights, self._taken, 1 - decay)
        if self._buffers:
            torch._foreach_copy_(self._buffers, self._copied)

    def state(self) -> dict[str, Any]:
        """What `restore` needs to continue."""
        return self.model.state_dict()

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned."""
        self.model.load_state_dict(state)


def _parts(model: nn.Module) -> tuple[list[nn.Parameter], list[torch.Tensor]]:
    return list(model.parameters()), list(model.buffers())
