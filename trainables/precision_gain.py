"""How much faster a processor trains in bfloat16, measured with one convolution."""

import time

import torch
from torch import Tensor, nn

REPEATS = 8


def measured_gain() -> float:
    """Seconds of a convolution's forward and backward pass in float32 over those in bfloat16, on one thread.

    They are seconds of the processor, as other work would make those of the clock differ between two measurements, and
    with them the default precision of two searches.
    """
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        layer = nn.Conv2d(64, 64, 3, padding=1).to(memory_format=torch.channels_last)
        maps = torch.zeros(32, 64, 16, 16).to(memory_format=torch.channels_last).requires_grad_()
        seconds: dict[bool, list[float]] = {False: [], True: []}
        for repeat in range(1 + REPEATS):  # in turns, so that other work on the machine slows both
            for half, taken in seconds.items():
                spent = _seconds(layer, maps, half)
                if repeat:  # the first time is a warm-up
                    taken.append(spent)
    finally:
        torch.set_num_threads(threads)
    return min(seconds[False]) / min(seconds[True])


def _seconds(layer: nn.Module, maps: Tensor, half: bool) -> float:
    began = time.thread_time()
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        out = layer(maps)
    out.sum().backward()
    return time.thread_time() - began
