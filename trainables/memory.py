"""Memory of a training process on the CPU.

glibc returns large blocks to the system as soon as they are free, and the next step's tensors then fault their pages
in anew, 4 KiB at a time. Kept instead, a step takes up to a quarter less time (`benchmarks/step.py`) and no result
changes. What a process holds stays at its peak, which it reaches once an epoch anyway.
"""

import ctypes

import torch

# mallopt's parameters (malloc.h); their values are bytes and must be C ints.
_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3


def keep_freed_memory() -> None:
    """Let this process keep the memory that its tensors freed; does nothing where the C library is not glibc."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, 2**30)
        mallopt(_M_TRIM_THRESHOLD, 2**31 - 1)


def is_out_of_memory(error: BaseException | None) -> bool:
    """Whether an error says that memory ran out, or came up while one that says so was on its way.

    Only the CUDA allocator has a class of its own for it, and a CUDA capture that it ends raises a second error.
    """
    if error is None:
        return False
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    signs = ("DefaultCPUAllocator: can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")
    if isinstance(error, RuntimeError) and any(sign in str(error) for sign in signs):
        return True
    return is_out_of_memory(error.__context__)
