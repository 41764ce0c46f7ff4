"""Limits on files and processes, and variables that rule threads."""

import os
import resource

from search.machines.doctor.row import Row, size_of
from trainables.limits import process_limit

LEAST_FILES = 4096  # open at a time; Ray opens some for each worker
LEAST_PROCESSES = 2000  # and threads; Ray has about 500 before its first worker
BINDINGS = ("OMP_PROC_BIND", "OMP_PLACES", "GOMP_CPU_AFFINITY", "KMP_AFFINITY")
THREADS = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def limits() -> Row:
    """How many files, processes and threads there may be."""
    _, most_files = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = process_limit()
    found = f"{'any number of' if most_files < 0 else f'{most_files:,}'} files, " + (
        "any number of processes" if most is None else f"{most:,} processes"
    )
    most_bytes, _ = resource.getrlimit(resource.RLIMIT_AS)
    if most_bytes != resource.RLIM_INFINITY:
        found += f", {size_of(most_bytes)} of address space"
        return Row("limits", found, "problem", "torch and Ray reserve more than they use: ulimit -v unlimited")
    if 0 <= most_files < LEAST_FILES:
        return Row("limits", found, "warning", f"Ray wants {LEAST_FILES} open files: ulimit -n, or docker run --ulimit")
    if most is not None and most < LEAST_PROCESSES:
        return Row("limits", found, "warning", f"Ray wants {LEAST_PROCESSES} threads: docker run --pids-limit")
    return Row("limits", found)


def threads() -> Row:
    """Variables that set the number of threads or their cores; a worker sets its own number, not its cores."""
    given = [f"{name}={os.environ[name]}" for name in (*THREADS, *BINDINGS) if name in os.environ]
    bound = [name for name in BINDINGS if name in os.environ]
    if bound and os.environ.get("OMP_PROC_BIND", "true").lower() != "false":
        return Row("threads", ", ".join(given), "warning", f"all workers may share one core: unset {' '.join(bound)}")
    return Row("threads", ", ".join(given) or "no variable rules them; each worker sets its own number")
