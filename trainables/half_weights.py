"""A network's weights in bfloat16, converted all together.

Under autocast a separate kernel converts each weight in every step, and another one its gradient: a third of all
kernels of a small network on a GPU, which runs them one after the other. Here two kernels convert all of them.
The results are autocast's.
"""

import torch
from torch import Tensor, nn
from torch.func import functional_call

_CONVERTED = (nn.Conv2d, nn.Linear)  # layers whose weights autocast converts


class HalfWeights:
    """The network with bfloat16 weights in its convolutions and dense layers; all else is unchanged.

    The network's own float32 weights get their gradients when `give_gradients` is called.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        found: dict[str, Tensor] = {}
        for path, module in model.named_modules():
            if type(module) in _CONVERTED:  # a subclass may compute something else
                own = module.named_parameters(path, recurse=False)
                found |= {name: weight for name, weight in own if weight.requires_grad}
        self._weights = list(found.values())
        self._halves = {
            name: weight.detach().to(torch.bfloat16, memory_format=torch.preserve_format).requires_grad_()
            for name, weight in found.items()
        }

    def __call__(self, inputs: Tensor) -> Tensor:
        """The network's outputs for these inputs; call it under autocast."""
        halves = list(self._halves.values())
        if halves:
            with torch.no_grad():
                torch._foreach_copy_(halves, self._weights)
        for half in halves:
            half.grad = None
        output: Tensor = functional_call(self._model, self._halves, (inputs,))
        return output

    def give_gradients(self) -> None:
        """Replace the weights' gradients by those of the last backward pass."""
        theirs, found = [], []
        for weight, half in zip(self._weights, self._halves.values(), strict=True):
            if half.grad is not None:
                weight.grad = torch.empty_like(weight) if weight.grad is None else weight.grad
                theirs.append(weight.grad)
                found.append(half.grad)
        if found:
            torch._foreach_copy_(theirs, found)
