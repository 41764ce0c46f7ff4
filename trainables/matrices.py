"""An optimizer of matrices for a network: kernels count as matrices, the rest has another optimizer.

Torch's Muon takes only matrices. A kernel (O, I, h, w) counts as the matrix (O, I·h·w) that multiplies patches.
Nothing here waits for the device. Muon launches some twenty operations for each matrix, which a GPU gets as a graph of
their own (`MatrixOptimizer.capture`).
"""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter
from torch.optim import Optimizer

from trainables import cuda_graph
from trainables.fits import check_matrices


def kernels_of(optimizer: str, parameters: Sequence[Parameter]) -> list[Parameter]:
    """The parameters that are matrices or kernels, without the last one, which makes the logits.

    Raises SizeError when there are none.
    """
    kernels = [parameter for parameter in parameters if parameter.dim() > 1][:-1]
    check_matrices(optimizer, len(kernels) + 1)
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


_RATE_OF_ONE = {"lr": 1.0, "weight_decay": 0.0}


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
        each is scaled back to its present norm after every step, if that is not zero.
        """
        self._kernels, self._matrices = list(kernels), list(matrices)
        self._of_matrices, self._others = of_matrices, others
        self._weights = [matrix.detach() for matrix in matrices]
        norms = torch._foreach_norm(self._weights) if keep_norms else ()
        # A matrix that is zero at first could never leave that norm.
        kept = [(weights, norm) for weights, norm in zip(self._weights, norms, strict=False) if norm > 0]
        self._scaled, self._norms = [weights for weights, _ in kept], [norm for _, norm in kept]
        self._captured_step: Callable[[], None] | None = None

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups of both; the matrices come first."""
        return [*self._of_matrices.param_groups, *self._others.param_groups]

    @torch.no_grad()
    def step(self) -> None:
        """Change every parameter by its gradient."""
        if self._captured_step is not None:
            self._captured_step()
        else:
            self._give_gradients()
            self._of_matrices.step()
        self._others.step()
        if self._scaled:
            ratios = torch._foreach_div(self._norms, torch._foreach_norm(self._scaled))
            torch._foreach_mul_(self._scaled, ratios)

    def capture(self) -> None:
        """Launch the matrices' steps as a CUDA graph from now on. The kernels' gradients keep their memory.

        A graph repeats its numbers, but learning rates change. So it makes the change by a rate of one, to which `step`
        gives the rate; this rounds differently. Raises CaptureMemoryError when there is too little memory for a graph.
        """
        pairs = zip(self._kernels, self._matrices, self._weights, strict=True)
        weights = {matrix: values for kernel, matrix, values in pairs if kernel.grad is not None}
        states = [self._of_matrices.state[matrix] for matrix in weights]
        with cuda_graph.memory_errors():
            before = [{name: value.clone() for name, value in state.items()} for state in states]
            changes = {matrix: torch.zeros_like(values) for matrix, values in weights.items()}
        for matrix, change in changes.items():  # what the optimizer changes from now on
            matrix.data = change
        try:
            with cuda_graph.memory_errors():
                replay = cuda_graph.capture(lambda: self._change(list(changes.values())))
        except BaseException:
            self._point_at_weights()
            raise
        finally:
            for state, was in zip(states, before, strict=True):  # the first calls have changed it
                for name, value in state.items():
                    value.copy_(was[name]) if name in was else value.zero_()
        groups = []
        for group in self._of_matrices.param_groups:
            if own := [matrix for matrix in group["params"] if matrix in weights]:
                groups.append((group, [weights[matrix] for matrix in own], [changes[matrix] for matrix in own]))

        def step() -> None:
            replay()
            for group, of_weights, of_changes in groups:
                if group["weight_decay"]:
                    torch._foreach_mul_(of_weights, 1 - group["lr"] * group["weight_decay"])
                torch._foreach_add_(of_weights, of_changes, alpha=group["lr"])

        self._captured_step = step

    def _point_at_weights(self) -> None:
        for matrix, values in zip(self._matrices, self._weights, strict=True):
            matrix.data = values

    @torch.no_grad()
    def _change(self, changes: list[Tensor]) -> None:
        """Set the changes, at which the matrices point, to those by a rate of one without weight decay."""
        groups = self._of_matrices.param_groups
        settings = [{name: group[name] for name in _RATE_OF_ONE} for group in groups]
        self._give_gradients()
        torch._foreach_zero_(changes)
        try:
            for group in groups:
                group |= _RATE_OF_ONE
            self._of_matrices.step()
        finally:
            for group, setting in zip(groups, settings, strict=True):
                group |= setting

    def _give_gradients(self) -> None:
        for kernel, matrix in zip(self._kernels, self._matrices, strict=True):
            matrix.grad = None if kernel.grad is None else _flat(kernel.grad, kernel)

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
        """Continue from what `state_dict` returned, without a graph, as it would change the former state."""
        self._captured_step = None
        self._point_at_weights()
        self._of_matrices.load_state_dict(state["matrices"])
        self._others.load_state_dict(state["others"])
