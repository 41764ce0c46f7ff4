"""What a training step computes on a GPU as one CUDA graph, which is launched whole.

A step of a small network at batch size 8 is hundreds of kernels that run for a few microseconds each, less than Python
takes to launch one. Captured are forward, loss, backward and metrics. The optimizer is not: fused it is few kernels, it
takes its learning rate and counts its steps on the host, and its state is then the same with and without a capture.
torch's Adagrad could not be captured at all.
"""

from collections.abc import Callable

import torch
from torch import Tensor

_WARM_UPS = 3  # kernels are chosen and workspaces made in the first calls, which may not be captured

Compute = Callable[[Tensor, Tensor], None]


class Captured:
    """`compute` for batches of one size: their tensors are copied to where the captured ones lay.

    What `compute` makes stays in the same memory from call to call, parameters' gradients included.
    """

    def __init__(self, compute: Compute, inputs: Tensor, labels: Tensor) -> None:
        """inputs, labels: an example. `compute` runs several times and must not wait for the device."""
        self.size = len(labels)
        self._inputs, self._labels = inputs.clone(), labels.clone()
        self._replay = _capture(lambda: compute(self._inputs, self._labels))

    def __call__(self, inputs: Tensor, labels: Tensor) -> None:
        """Compute for this batch."""
        self._inputs.copy_(inputs)
        self._labels.copy_(labels)
        self._replay()


def _capture(work: Callable[[], None]) -> Callable[[], None]:
    """Record what `work` launches; the function that is returned launches it again."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(_WARM_UPS):
            work()
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph, stream=stream):
        work()
    return graph.replay
