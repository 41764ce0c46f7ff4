"""Memory of a training process on the CPU.

glibc returns large blocks to the system as soon as they are free, and the next step's tensors then fault their pages
in again, 4 KiB at a time. When the process keeps the blocks, a step takes up to a quarter less time
(`benchmarks/step.py`) and no result changes. The process then stays at its peak, which it reaches once an epoch anyway.
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


def memory_error(error: BaseException) -> str | None:
    """What says that memory ran out, in one line, if that is why this error was raised; else None.

    It is this error, or one that was being handled when this one was raised: a CUDA capture that runs out of memory
    raises a second error at its end. Only its text is returned: a caller that kept the error in a variable would keep
    the failed step's tensors, as the error's traceback holds the caller's frame, and that the variable.
    """
    found: BaseException | None = error
    while found is not None and not _says_out_of_memory(found):
        found = found.__context__
    return None if found is None else str(found).partition("\n")[0] or type(found).__name__


def _says_out_of_memory(error: BaseException) -> bool:
    # Only the CUDA allocator raises an error of its own class; others raise a RuntimeError.
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    signs = ("DefaultCPUAllocator: can't allocate memory", "CUBLAS_STATUS_ALLOC_FAILED", "CUDNN_STATUS_ALLOC_FAILED")
    text = str(error)
    # The last is all that oneDNN says; for what it does not support it goes on with "descriptor for".
    is_told = any(sign in text for sign in signs) or text == "could not create a primitive"
    return isinstance(error, RuntimeError) and is_told
