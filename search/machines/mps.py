"""NVIDIA's Multi-Process Service (MPS), with which workers use a GPU at the same time instead of taking turns.

On an H100, with batches of 8, eight trainings with MPS do 2.9 to 4.4 times the steps of one; sixteen that take turns do
1.2 to 1.3 times as many (`benchmarks/README.md`). `HPSEARCH_MPS=0` switches it off.
"""

import ctypes
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from subprocess import DEVNULL, Popen, SubprocessError, TimeoutExpired

from search.machines import scratch

CONTROL = "nvidia-cuda-mps-control"
_PIPES, _LOGS = "CUDA_MPS_PIPE_DIRECTORY", "CUDA_MPS_LOG_DIRECTORY"
_DEFAULT_PIPES = Path("/tmp/nvidia-mps")
_SECONDS = 20  # for the service to start, to serve its first process, or to end
_MOST = 48  # processes that the service can serve on one GPU (since Volta)
_PR_SET_PDEATHSIG = 1  # prctl's number (linux/prctl.h)

# What a worker does first: driver, context, memory. Without torch, whose import takes seconds.
_FIRST_USE = """
import ctypes, sys
cuda, context, memory = ctypes.CDLL("libcuda.so.1"), ctypes.c_void_p(), ctypes.c_void_p()
steps = [
    lambda: cuda.cuInit(0),
    lambda: cuda.cuDevicePrimaryCtxRetain(ctypes.byref(context), 0),
    lambda: cuda.cuCtxSetCurrent(context),
    lambda: cuda.cuMemAlloc_v2(ctypes.byref(memory), ctypes.c_size_t(1 << 20)),
]
sys.exit(next((f"CUDA error {code}" for step in steps if (code := step())), 0))
"""


@contextmanager
def sharing(workers: int) -> Iterator[tuple[bool, str | None]]:
    """Let workers that start within this share this machine's GPUs. workers: for each GPU.

    Yields whether they share, and a line that says so, or why they take turns; None if there is nothing to share or MPS
    is switched off.
    """
    if workers < 2 or os.environ.get("HPSEARCH_MPS") == "0":
        yield False, None
    elif workers > _MOST:
        yield False, f"workers take turns on the GPU: at most {_MOST} can share one, and there are {workers}"
    else:
        with service() as trouble:
            line = f"workers take turns on the GPU: {trouble}" if trouble else "workers share the GPU (NVIDIA's MPS)"
            yield trouble is None, line


@contextmanager
def service() -> Iterator[str | None]:
    """The service, for processes that start within this; yields None, or why there is none.

    A service that is already running is used if it works.
    """
    control = shutil.which(CONTROL)
    if named := os.environ.get(_PIPES):
        trouble = _first_use()
        yield trouble and f"the service of {_PIPES}={named} does not work ({trouble})"
    elif (_DEFAULT_PIPES / "control").exists() and _first_use() is None:
        yield None
    elif control is None:
        yield f"{CONTROL}, with which they would share it, is not installed"
    else:
        with scratch.folder() as folder, _running(control, folder) as trouble:
            yield trouble and f"{CONTROL} does not work here ({trouble})"


def is_installed() -> bool:
    """Whether this machine has the service."""
    return shutil.which(CONTROL) is not None


@contextmanager
def _running(control: str, folder: Path) -> Iterator[str | None]:
    """The service, until the block ends or this process dies; yields None, or why it does not work."""
    before = {name: os.environ.get(name) for name in (_PIPES, _LOGS)}
    os.environ.update(dict.fromkeys(before, str(folder)))
    service = None
    try:
        try:
            service = _start(control)
            trouble = _trouble(control, service)
        except (OSError, AttributeError, SubprocessError) as error:
            trouble = str(error)
        if trouble is not None:  # workers run without it
            _restore(before)
            if service is not None:
                _end(control, service, folder)
                service = None
        yield trouble
    finally:
        _restore(before)
        if service is not None:
            _end(control, service, folder)


def _start(control: str) -> Popen[bytes]:
    prctl = ctypes.CDLL(None).prctl
    # The service must see all GPUs of the machine. If it saw fewer, it would number them from 0, and a worker that was
    # given a GPU with another number would find none.
    every_gpu = {name: value for name, value in os.environ.items() if name != "CUDA_VISIBLE_DEVICES"}
    return Popen(
        [control, "-f"],
        stdin=DEVNULL,
        stdout=DEVNULL,
        stderr=DEVNULL,
        env=every_gpu,
        start_new_session=True,  # Ctrl-C must reach only the search, which ends the service after its workers
        preexec_fn=lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGTERM),
    )


def _trouble(control: str, service: Popen[bytes]) -> str | None:
    """Wait until the service serves a process; returns what is wrong, or None."""
    limit = time.monotonic() + _SECONDS
    while _ask(control, "get_server_list") != 0:
        if service.poll() is not None:
            return f"it ended with {service.returncode}"
        if time.monotonic() > limit:
            return f"no answer within {_SECONDS} s"
        time.sleep(0.05)
    return _first_use()


def _first_use() -> str | None:
    """What goes wrong when a process uses a GPU as a worker does; None when nothing does."""
    command = [sys.executable, "-I", "-S", "-c", _FIRST_USE]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS)
    except TimeoutExpired:
        return f"a process waited for it for {_SECONDS} s"
    lines = done.stderr.strip().splitlines()
    return None if done.returncode == 0 else (lines[-1] if lines else f"a process ended with {done.returncode}")


def _ask(control: str, command: str, pipes: Path | None = None) -> int:
    """Give the service a command; returns its exit code, or 1 without an answer."""
    environment = os.environ if pipes is None else os.environ | {_PIPES: str(pipes)}
    with suppress(OSError, TimeoutExpired):
        return subprocess.run(
            [control], input=f"{command}\n", text=True, stdout=DEVNULL, stderr=DEVNULL, timeout=5, env=environment
        ).returncode
    return 1


def _end(control: str, service: Popen[bytes], pipes: Path) -> None:
    if service.poll() is None and _ask(control, "quit", pipes) != 0:
        service.terminate()
    for how in (service.terminate, service.kill):
        try:
            service.wait(_SECONDS)
            return
        except TimeoutExpired:
            how()
    service.wait()


def _restore(before: dict[str, str | None]) -> None:
    for name, value in before.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value
