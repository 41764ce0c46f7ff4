"""Look at everything that a search needs.

Nothing is changed and nothing is started. Neither torch nor Ray is imported unless a GPU or a cluster is to be asked.
"""

from pathlib import Path

from search.machines.doctor import access, folders, hardware, limits, packages
from search.machines.doctor.row import Row


def why_ray_may_not_start() -> str | None:
    """The first problem of this machine that keeps Ray from starting, with what to do; None when none is known."""
    rows = [*folders.ray_files(), access.token(), limits.limits(), hardware.memory()]
    return next((f"{row.check}: {row.found}: {row.advice}" for row in rows if row.verdict == "problem"), None)


def examine(results: Path, data_dir: Path, *, address: str | None = None, storage: str | None = None) -> list[Row]:
    """Look at this machine, and at a cluster and a storage where they are given.

    Raises ClusterError for an address of the wrong form.
    """
    if address is not None:
        from search.machines import cluster  # imported late, as it brings Ray

        address = cluster.resolve(address)
    rows = [*packages.packages(), hardware.cores(), hardware.memory(), hardware.shared_memory(), *hardware.gpus()]
    rows += [limits.limits(), limits.threads()]
    rows += [*folders.folder("results", results), *folders.folder("data", data_dir), folders.datasets(data_dir)]
    rows += folders.ray_files()
    rows += [*access.rays(), access.token()]
    if address is not None:
        rows += access.machines(address)
    if storage is not None:
        rows.append(folders.round_trip(storage))
    return rows
