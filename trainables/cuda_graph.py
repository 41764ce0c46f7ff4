"""A training step on a GPU as one CUDA graph, which is launched as a whole.

A step of a small network at batch size 8 is hundreds of kernels that run for a few microseconds each, less than Python
takes to launch one. The graph holds forward, loss, backward and metrics. The optimizer stays outside: it is few kernels
when fused, takes its learning rate and counts its steps on the host, and so has the same state with and without a
graph. torch's Adagrad could not be captured at all. Muon's many operations have a graph of their own
(`trainables/matrices.py`).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache

import torch
from torch import Tensor

from trainables.memory import memory_error

_WARM_UPS = 3  # the first calls choose kernels and allocate workspaces, which a capture must not do

Compute = Callable[[Tensor, Tensor], None]


class CaptureMemoryError(RuntimeError):
    """A capture ran out of memory. The step may still fit uncaptured, as it then keeps no memory of its own.

    `memory_error` finds the allocator's error in it. The memory is free again once nothing refers to this error.
    """


class Captured:
    """`compute` as a graph, for batches of one size, which are copied into the captured tensors.

    The results of `compute`, including the parameters' gradients, have the same memory in every call.
    """

    def __init__(self, compute: Compute, inputs: Tensor, labels: Tensor) -> None:
        """inputs, labels: an example. `compute` runs several times and must not wait for the device.

        Raises CaptureMemoryError when there is too little memory for a graph.
        """
        self.size = len(labels)
        with memory_errors():
            self._inputs, self._labels = inputs.clone(), labels.clone()
            self._replay = capture(lambda: compute(self._inputs, self._labels))

    def __call__(self, inputs: Tensor, labels: Tensor) -> None:
        """Compute for this batch."""
        self._inputs.copy_(inputs)
        self._labels.copy_(labels)
        self._replay()


@contextmanager
def memory_errors() -> Iterator[None]:
    """Raise CaptureMemoryError instead of the allocator's error when memory runs out within this."""
    try:
        yield
    except RuntimeError as error:
        if (reason := memory_error(error)) is None:
            raise
        raise CaptureMemoryError(reason) from error


def capture(work: Callable[[], None]) -> Callable[[], None]:
    """Record what `work` launches; the returned function launches it again."""
    stream = _stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(_WARM_UPS):
            work()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        work()
    return graph.replay


@cache
def _stream() -> torch.cuda.Stream:
    """The stream of all captures of this process: cuBLAS keeps a workspace for every stream it was used on."""
    return torch.cuda.Stream()
