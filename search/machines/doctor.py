"""What this machine and a cluster offer, what is missing, and what to do about it.

Nothing is changed and nothing is started. Neither torch nor Ray is imported unless a GPU or a cluster is to be asked.
"""

import fcntl
import os
import platform
import re
import resource
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, metadata, requires, version
from pathlib import Path
from typing import Literal

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from architectures.errors import one_line
from search.machines import host, tokens
from trainables import files
from trainables.data.known import DATASETS

WORKER_BYTES = 2**30  # of memory that a slot takes with torch, a network and its batches, about
RAY_BYTES = 2**30  # that the driver and Ray's own processes take, about
OBJECT_STORE_SHARE = 0.3  # of the memory, which Ray gives its object store
LITTLE_DISK, NO_DISK = 5e9, 5e8  # bytes, under which room is short, and too short
LEAST_FILES = 4096  # open at a time; Ray opens some for each worker
LEAST_PROCESSES = 2000  # and threads; Ray has about 500 before its first worker
GPU_SECONDS = 10  # for the driver's answer

_BINDINGS = ("OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY", "KMP_AFFINITY")
_THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")

Verdict = Literal["ok", "warning", "problem"]


@dataclass(frozen=True)
class Row:
    """One thing that was looked at."""

    check: str
    found: str
    verdict: Verdict = "ok"
    advice: str = ""


def examine(results: Path, data_dir: Path, *, address: str | None = None, storage: str | None = None) -> list[Row]:
    """Look at this machine, and at a cluster and a storage where they are given; raises ClusterError for no address."""
    if address is not None:
        from search.machines import cluster

        address = cluster.resolve(address)
    rows = [*packages(), cores(), memory(), shared_memory(), *gpus(), limits(), threads()]
    rows += [*folder("results", results), *folder("data", data_dir), datasets(data_dir)]
    rows += [*rays(), token()]
    if address is not None:
        rows += machines(address)
    if storage is not None:
        rows.append(round_trip(storage))
    return rows


def packages() -> list[Row]:
    """Python and the packages against the least versions that this project declares."""
    needed = [Requirement(line) for line in requires("hpsearch") or []]
    needed = [each for each in needed if each.marker is None or each.marker.evaluate()]
    rows = [_version("Python", platform.python_version(), SpecifierSet(metadata("hpsearch")["Requires-Python"]))]
    for each in needed:
        try:
            found = version(each.name)
        except PackageNotFoundError:
            found = None
        row = _version(each.name, found, each.specifier)
        if row.verdict != "ok":
            rows.append(row)
    fine = ", ".join(f"{name} {version(name)}" for name in ("torch", "ray", "optuna"))
    if len(rows) == 1:
        rows.append(Row("packages", f"hpsearch {version('hpsearch')}; all {len(needed)} are there: {fine}, …"))
    return rows


def _version(name: str, found: str | None, wanted: SpecifierSet) -> Row:
    if found is not None and wanted.contains(found, prereleases=True):
        return Row(name, found)
    advice = "make a virtual environment with a newer Python" if name == "Python" else f"pip install '{name}{wanted}'"
    return Row(name, found or "missing", "problem", f"{wanted} is needed: {advice}")


def cores() -> Row:
    """The cores that this process may use, and how much of them a container's limit leaves."""
    usable, quota = _cores(), host.cpu_quota()
    found = f"{usable} of {os.cpu_count()}" + ("" if quota is None else f", with the time of {quota:g}")
    if quota is not None and quota < usable:
        slots = max(1, int(quota))
        return Row("cores", found, "warning", f"a trial a core would share that time: --parallel {slots}")
    return Row("cores", found)


def memory() -> Row:
    """Memory, against what a trial on each core takes."""
    total, free = host.memory()
    found = f"{_size(free)} free of {_size(total)}"
    slots = int((free - RAY_BYTES) // WORKER_BYTES)
    if slots < 1:
        return Row("memory", found, "problem", f"make {_size(RAY_BYTES + WORKER_BYTES)} free: a search needs that")
    if slots < _cores():
        return Row("memory", found, "warning", f"a trial takes about {_size(WORKER_BYTES)}: --parallel {slots}")
    return Row("memory", found)


def shared_memory() -> Row:
    """Room for Ray's object store, through which workers get the images; on a disk it is slow."""
    total, free = host.shared_memory()
    wanted = int(host.memory()[1] * OBJECT_STORE_SHARE)
    found = f"{_size(free)} free of {_size(total)} in /dev/shm"
    if free < min(wanted, 10e9):  # Ray takes less than its share rather than a disk once it has ten
        return Row(
            "shared memory", found, "warning", f"Ray's object store wants {_size(wanted)}: docker run --shm-size"
        )
    return Row("shared memory", found)


def gpus() -> list[Row]:
    """GPUs as the driver and as torch see them, and the precision that training takes by default."""
    driver = _driver_gpus()
    if not driver and not any(Path("/dev").glob("nvidia[0-9]*")) and not Path("/dev/kfd").exists():
        fast = host.has_matrix_units()
        found = "bfloat16 by default (AMX)" if fast else "float32 by default: no matrix units for bfloat16"
        return [Row("GPUs", "none; trials train on the cores"), Row("precision", found)]
    import torch

    from trainables.training import default_precision

    count = torch.cuda.device_count()
    if not count:
        hidden = os.environ.get("CUDA_VISIBLE_DEVICES")
        advice = (
            f"CUDA_VISIBLE_DEVICES={hidden} hides them"
            if hidden is not None
            else f"torch {torch.__version__} is built for CUDA {torch.version.cuda}: update the driver, or install a "
            "torch for it"
            if torch.version.cuda
            else f"torch {torch.__version__} is built without CUDA: install one that has it"
        )
        return [Row("GPUs", f"{'; '.join(driver) or 'a device file'}, but torch sees none", "problem", advice)]
    names = [torch.cuda.get_device_properties(i) for i in range(count)]
    found = "; ".join(f"{each.name}, {_size(each.total_memory)}" for each in names)
    seen = Row("GPUs", f"{found}; CUDA {torch.version.cuda}" + (f"; driver {driver[0]}" if driver else ""))
    if len(driver) > count:
        seen = Row("GPUs", f"{count} of {len(driver)}: {found}", "warning", "CUDA_VISIBLE_DEVICES may hide the others")
    return [seen, Row("precision", f"{default_precision('cuda')} by default")]


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


def limits() -> Row:
    """How many files, processes and threads there may be."""
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = host.process_limit()
    found = f"{'any number of' if most_files < 0 else f'{most_files:,}'} files, " + (
        "any number of processes" if most is None else f"{most:,} processes"
    )
    if 0 <= most_files < LEAST_FILES:
        return Row("limits", found, "warning", f"Ray wants {LEAST_FILES} open files: ulimit -n, or docker run --ulimit")
    if most is not None and most < LEAST_PROCESSES:
        return Row("limits", found, "warning", f"Ray wants {LEAST_PROCESSES} threads: docker run --pids-limit")
    return Row("limits", found)


def threads() -> Row:
    """Variables that rule threads. Workers set their number themselves, but not where they run."""
    given = [f"{name}={os.environ[name]}" for name in (*_THREADS, *_BINDINGS) if name in os.environ]
    bound = [name for name in _BINDINGS if name in os.environ]
    if bound and os.environ.get("OMP_PROC_BIND", "true").lower() != "false":
        return Row("threads", ", ".join(given), "warning", f"all workers may share one core: unset {' '.join(bound)}")
    return Row("threads", ", ".join(given) or "no variable rules them; each worker sets its own number")


def folder(check: str, path: Path) -> Iterator[Row]:
    """Room in a folder, and whether files can be written, renamed and locked there; tried in a file that goes again."""
    place = host.existing(path)
    kind, free = host.file_system(place), shutil.disk_usage(place).free
    found = f"{path}: {_size(free)} free ({kind})" + ("" if place == path.absolute() else ", not there yet")
    if free < NO_DISK:
        yield Row(check, found, "problem", f"make room, or choose another folder: a search needs {_size(NO_DISK)}")
    elif free < LITTLE_DISK:
        yield Row(check, found, "warning", "checkpoints and images may fill it: a full disk pauses a search")
    elif kind in ("tmpfs", "ramfs"):
        yield Row(check, found, "warning", "it is memory, gone with the machine's next start")
    else:
        yield Row(check, found)
    try:
        with tempfile.TemporaryDirectory(dir=place, prefix=".hpsearch-doctor-") as scratch:
            files.write(Path(scratch) / "file", b"written, flushed, renamed")
            locked = _locks(Path(scratch) / "file")
    except OSError as error:
        yield Row(check, f"{place} cannot be written: {error.strerror or error}", "problem", "choose another folder")
        return
    if not locked:
        advice = "nothing keeps two processes from one search: use a local disk, or mount it with locks"
        yield Row(check, f"{place} has no file locks ({kind})", "warning", advice)


def _locks(path: Path) -> bool:
    """Whether a second lock on a file is refused."""
    with path.open("rb") as first, path.open("rb") as second:
        try:
            fcntl.flock(first, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        try:
            fcntl.flock(second, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        except OSError:
            return False
    return False


def datasets(data_dir: Path) -> Row:
    """The known datasets that are decoded already."""
    cached = [name for name in DATASETS if any((data_dir / "cache").glob(f"{name}-train-*.json"))]
    return Row("datasets", f"decoded: {', '.join(cached)}" if cached else "none decoded yet; the first launch does it")


def rays() -> list[Row]:
    """Every Ray that runs here, and whom its ports let in."""
    running = host.ray_processes()
    if not running:
        return [Row("Ray here", "none runs; a launch without --address starts its own")]
    heads = [process for process in running if process.is_head]
    named = ", ".join(str(port.number) for head in heads for port in host.ports([head])) or "unknown"
    found = f"{_count(len(heads), 'cluster')} with the head here (port {named})" if heads else "a node"
    rows = [Row("Ray here", f"{found}; {len(running)} of its processes")]
    beyond = [str(port.number) for port in host.ports(running) if port.beyond_loopback]
    if not beyond:
        return [*rows, Row("who gets in", "its ports are on loopback")]
    shown = f"{len(beyond)} ports beyond loopback ({', '.join(beyond[:6])}{', …' * (len(beyond) > 6)})"
    asks = {process.asks_for_token for process in running if process.is_head or process.program.endswith("/raylet")}
    if False in asks:
        advice = "whoever reaches them runs code here: start Ray with RAY_AUTH_MODE=token"
        return [*rows, Row("who gets in", f"{shown}, without a token", "problem", advice)]
    if None in asks:
        advice = "see that it was started with RAY_AUTH_MODE=token"
        return [*rows, Row("who gets in", f"{shown}, of another user", "warning", advice)]
    return [*rows, Row("who gets in", f"{shown}: whoever has the token")]


def token() -> Row:
    """Ray's token: whether there is one, and who may read it."""
    if not tokens.wants_token():
        found = f"RAY_AUTH_MODE={os.environ['RAY_AUTH_MODE']}"
        return Row("token", found, "warning", "whoever reaches Ray's ports may run code: unset RAY_AUTH_MODE")
    file = tokens.token_file()
    if file is None:
        return Row("token", tokens.place())
    if not file.exists() and "RAY_AUTH_TOKEN_PATH" not in os.environ:
        return Row("token", "none yet; the first launch makes one")
    if tokens.token() is None:
        return Row("token", f"none in {file}", "problem", tokens.REMEDY)
    mode = file.stat().st_mode & 0o777
    if mode & 0o077:
        return Row("token", f"{file} has mode {mode:o}", "problem", f"others may read it: chmod 600 {file}")
    return Row("token", f"{file}, mode {mode:o}")


def machines(address: str) -> list[Row]:
    """The cluster's machines, each asked for itself."""
    from search.machines import cluster

    try:
        cluster.connect(address)
    except cluster.ClusterError as error:
        return [Row("cluster", address, "problem", str(error))]
    try:
        nodes = cluster.nodes()
    finally:
        cluster.ray.shutdown()
    rows = [
        Row("cluster", f"{address}: {_count(len(nodes), 'node')}, {_count(sum(node.cpus for node in nodes), 'core')}")
    ]
    for node in nodes:
        gpus = f", {_count(node.gpus, 'GPU')} ({', '.join(dict.fromkeys(node.gpu_names))})" if node.gpus else ""
        disk = "" if node.free_disk is None else f", {_size(node.free_disk)} of disk"
        place = f"{node.address}{' (this one)' * node.is_driver}"
        found = f"{place}: {_count(node.cpus, 'core')}{gpus}, {_size(node.memory)}{disk}"
        versions = "".join(f", {name} {version or 'missing'}" for name, version in node.versions.items())
        trouble = cluster.trouble(node)
        remedy = "install this machine's versions there" if node.versions else "see Ray's log there"
        advice = f"{trouble}: {remedy}" if trouble else ""
        rows.append(Row(f"node {node.host}", f"{found}{versions}", "problem" if trouble else "ok", advice))
    precisions = {node.precision for node in nodes if node.precision}
    if len(precisions) > 1:
        rows.append(Row("precision", f"{' and '.join(sorted(precisions))}", "ok", "all train in float32"))
    return rows


def round_trip(storage: str) -> Row:
    """Write, read and delete a small file in a storage."""
    place = files.Folder(storage)
    name, content = f".hpsearch-doctor-{os.getpid()}", b"a small file"
    began = time.perf_counter()
    try:
        place.write(name, content)
        same = place.read(name) == content
        place.remove(name)
    except OSError as error:
        reason = re.sub(r"//[^/@\s]*@", "//", one_line(error))[:200]
        return Row(
            "storage",
            reason,
            "problem",
            "s3:// takes AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; a folder must be writable",
        )
    if not same:
        return Row("storage", "what was read is not what was written", "problem", "use another storage")
    return Row("storage", f"written, read and deleted in {(time.perf_counter() - began) * 1e3:.0f} ms")


def _cores() -> int:
    return len(os.sched_getaffinity(0))


def _size(size: float) -> str:
    return f"{size / 1e9:.1f} GB"


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s' * (number != 1)}"
