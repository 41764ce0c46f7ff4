"""A running average of a network's weights (EMA), which validates better than the weights do while they move.

Its decay is given for an epoch, so that it means the same at every batch size. In the first steps it decays faster,
as the weights of the beginning are soon far away.
"""

from copy import deepcopy
from typing import Any

import torch
from torch import Tensor, nn


class Average:
    """The exponential average of a model's weights, and of its running statistics, after every step."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        """decay: the share of the average that is left an epoch later, between 0 and 1."""
        self.model = deepcopy(model)
        """A network with the averaged weights."""
        self._decay = decay
        self._pairs = _pairs(self.model, model)

    @torch.no_grad()
    def update(self, steps: float, epochs: float) -> None:
        """Take the model's weights in. steps: taken so far, this one included. epochs: the length of this step."""
        decay = min(self._decay**epochs, (1 + steps) / (10 + steps))
        averages, values, counts, counted = self._pairs
        torch._foreach_lerp_(averages, values, 1 - decay)
        if counts:
            torch._foreach_copy_(counts, counted)

    def state(self) -> dict[str, Any]:
        """What continuing needs."""
        return self.model.state_dict()

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned."""
        self.model.load_state_dict(state)


def _pairs(average: nn.Module, model: nn.Module) -> tuple[list[Tensor], list[Tensor], list[Tensor], list[Tensor]]:
    """Tensors of both that are averaged (of floats), and those that are copied (counts), each with its counterpart."""
    ours, theirs = ([*each.parameters(), *each.buffers()] for each in (average, model))
    pairs = list(zip((each.detach() for each in ours), (each.detach() for each in theirs), strict=True))
    floats = [pair for pair in pairs if pair[0].is_floating_point()]
    counts = [pair for pair in pairs if not pair[0].is_floating_point()]
    return [a for a, _ in floats], [b for _, b in floats], [a for a, _ in counts], [b for _, b in counts]
