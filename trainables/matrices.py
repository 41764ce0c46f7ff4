"""An optimizer of matrices for a network: kernels count as matrices, the rest has another optimizer.

Torch's Muon takes only matrices. A kernel (O, I, h, w) counts as the matrix (O, I·h·w) that multiplies patches.
Nothing here waits for the device, and like every optimizer it stays outside a captured step.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer

from architectures.layers import SizeError


def kernels_of(optimizer: str, parameters: Sequence[Parameter]) -> list[Parameter]:
    """The parameters that are matrices or kernels, without the last one, which makes the logits.

    Raises SizeError when there are none.
    """
    kernels = [parameter for parameter in parameters if parameter.dim() > 1][:-1]
    if not kernels:
        raise SizeError(
            f"optimizer '{optimizer}' trains matrices, and this network has none besides that of its logits; "
            "take another optimizer"
        )
    return kernels


def as_matrix(kernel: Parameter) -> Parameter:
    """The kernel as a matrix (O, I·h·w) that shares its memory."""
    matrix = _flat(kernel.detach(), kernel)
    assert matrix.data_ptr() == kernel.data_ptr()
    return Parameter(matrix)


def _flat(values: Tensor, kernel: Tensor) -> Tensor:
    """(O, I, h, w) to (O, I·h·w), columns in the kernel's memory order; any order gives the same result."""
    if kernel.dim() == 4 and kernel.is_contiguous(memory_format=torch.channels_last):
        values = values.permute(0, 2, 3, 1)
    return values.flatten(1)


class MatrixOptimizer:
    """Two optimizers as one: for a network's kernels as matrices, and for its other parameters."""

    def __init__(
        self,
        kernels: Sequence[Parameter],
        matrices: Sequence[Parameter],
        of_matrices: Optimizer,
        others: Optimizer,
        *,
        keep_norms: bool,
    ) -> None:
        """matrices: the kernels by `as_matrix`, in the same order; `of_matrices` optimizes these. keep_norms: whether
        each is scaled back to its present norm after every step.
        """
        self._kernels, self._matrices = list(kernels), list(matrices)
        self._of_matrices, self._others = of_matrices, others
        self._norms = torch._foreach_norm(self._weights) if keep_norms else None

    @property
    def _weights(self) -> list[Tensor]:
        return [matrix.detach() for matrix in self._matrices]

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups of both; the matrices come first."""
        return [*self._of_matrices.param_groups, *self._others.param_groups]

    @torch.no_grad()
    def step(self) -> None:
        """Change every parameter by its gradient."""
        for kernel, matrix in zip(self._kernels, self._matrices, strict=True):
            matrix.grad = None if kernel.grad is None else _flat(kernel.grad, kernel)
        self._of_matrices.step()
        self._others.step()
        if self._norms is not None:
            ratios = torch._foreach_div(self._norms, torch._foreach_norm(self._weights))
            torch._foreach_mul_(self._weights, ratios)

    def zero_grad(self, set_to_none: bool = True) -> None:
        """Set the gradients to None, or to zero in place."""
        self._others.zero_grad(set_to_none)
        for kernel, matrix in zip(self._kernels, self._matrices, strict=True):
            matrix.grad = None
            if set_to_none:
                kernel.grad = None
            elif kernel.grad is not None:
                kernel.grad.zero_()

    def state_dict(self) -> dict[str, Any]:
        """The state of both. The norms to keep are those of the initial network, so the seed gives them again."""
        return {"matrices": self._of_matrices.state_dict(), "others": self._others.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from what `state_dict` returned."""
        self._of_matrices.load_state_dict(state["matrices"])
        self._others.load_state_dict(state["others"])
