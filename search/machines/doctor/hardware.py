"""Checks of cores, shared memory, GPUs, and the variables that control threads."""

import os
import shutil
import subprocess
from pathlib import Path

from architectures.errors import one_line
from search.machines import host, mps
from search.machines.row import Row, count, size_of
from trainables import limits

OBJECT_STORE_SHARE = 0.3  # of the memory, that Ray uses for its object store
GPU_SECONDS = 10  # for the driver's answer
BINDINGS = ("OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY", "KMP_AFFINITY")
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def cores() -> Row:
    """The cores that this process may use, and how much of their time a container's limit allows."""
    usable, quota = limits.usable_cores(), limits.cpu_quota()
    found = f"{usable} of {os.cpu_count()}" + ("" if quota is None else f", with the time of {quota:g}")
    if quota is not None and quota < usable:
        found += f"; {count(limits.cores(), 'trial')} at a time by default"
    return Row("cores", found)


def shared_memory() -> Row:
    """Room for Ray's object store, from which workers read the images; without room it is on disk, which is slow."""
    total, free = host.shared_memory()
    wanted = int(limits.memory()[1] * OBJECT_STORE_SHARE)
    found = f"{size_of(free)} free of {size_of(total)} in /dev/shm"
    if free < min(wanted, 10e9):  # with 10 GB, Ray makes its store smaller instead of using a disk
        return Row(
            "shared memory", found, "warning", f"Ray's object store wants {size_of(wanted)}: docker run --shm-size"
        )
    return Row("shared memory", found)


def gpus() -> list[Row]:
    """GPUs as the driver and as torch see them, and the precision that training takes by default."""
    driver = _driver_gpus()
    if not driver and not any(Path("/dev").glob("nvidia[0-9]*")) and not Path("/dev/kfd").exists():
        return [Row("GPUs", "none; trials train on the CPU"), _precision_of_cores()]
    import torch

    from trainables.precision import default_precision

    num_gpus = torch.cuda.device_count()
    built_for = f"torch {torch.__version__} is built for CUDA {torch.version.cuda}"
    newer = f"{built_for}: update the driver, or install a torch for it"
    if not num_gpus:
        seen = f"{'; '.join(driver) or 'a device file'}, but torch sees none"
        if (hidden := os.environ.get("CUDA_VISIBLE_DEVICES")) is not None:
            return [Row("GPUs", seen, "problem", f"CUDA_VISIBLE_DEVICES={hidden} hides them")]
        if torch.version.cuda is None:
            return [
                Row("GPUs", seen, "problem", f"torch {torch.__version__} is built without CUDA: install one with it")
            ]
        return [Row("GPUs", seen, "problem", newer)]
    try:
        properties = [torch.cuda.get_device_properties(i) for i in range(num_gpus)]
    except RuntimeError as error:  # a driver that is too old still counts its GPUs
        seen = f"{'; '.join(driver) or num_gpus}, but torch cannot use them: {one_line(error)}"
        return [Row("GPUs", seen, "problem", newer)]
    found = "; ".join(f"{each.name}, {size_of(each.total_memory)}" for each in properties)
    row = Row("GPUs", f"{found}; CUDA {torch.version.cuda}" + (f"; driver {driver[0]}" if driver else ""))
    if len(driver) > num_gpus:
        row = Row(
            "GPUs", f"{num_gpus} of {len(driver)}: {found}", "warning", "CUDA_VISIBLE_DEVICES may hide the others"
        )
    return [row, _sharing(), Row("precision", f"{default_precision('cuda')} by default")]


def _sharing() -> Row:
    """Whether workers can use a GPU at the same time."""
    if mps.is_installed():
        return Row("GPU sharing", f"{mps.CONTROL} is installed; a launch starts it, and says whether it works")
    advice = "workers take turns on a GPU, which is several times slower for small networks; it comes with the driver"
    return Row("GPU sharing", f"no {mps.CONTROL}", "warning", advice)


def _precision_of_cores() -> Row:
    """The precision that a measurement finds faster, chosen as in a launch."""
    try:
        from trainables.precision import cpu_gain, precision_with
    except (ImportError, OSError) as error:
        return Row("precision", "not measured", "warning", f"torch cannot be imported: {one_line(error)}")
    gain = cpu_gain(keep=False)
    found = f"a convolution in bfloat16 trains {gain:.1f} times as fast as in float32"
    return Row("precision", f"{precision_with(gain)} by default: {found}")


def _driver_gpus() -> list[str]:
    """Name, memory and driver of each GPU that nvidia-smi lists."""
    if not shutil.which("nvidia-smi"):
        return []
    command = ["nvidia-smi", "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=GPU_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.strip() for line in done.stdout.splitlines() if line.strip()] if done.returncode == 0 else []


def threads() -> Row:
    """Variables that set the number of threads or their cores; a worker sets its own number, not its cores."""
    given = [f"{name}={os.environ[name]}" for name in (*THREADS, *BINDINGS) if name in os.environ]
    bound = [name for name in BINDINGS if name in os.environ]
    if bound and os.environ.get("OMP_PROC_BIND", "true").lower() != "false":
        return Row("threads", ", ".join(given), "warning", f"all workers may share one core: unset {' '.join(bound)}")
    return Row("threads", ", ".join(given) or "no variable rules them; each worker sets its own number")
