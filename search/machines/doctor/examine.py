"""Checks everything that a search needs.

Nothing is changed and nothing is started. Ray is imported only to ask a cluster.
"""

from pathlib import Path

from search.machines import ray_needs
from search.machines.doctor import access, folders, hardware, packages
from search.machines.row import Row


def examine(results: Path, data_dir: Path, *, address: str | None = None, storage: str | None = None) -> list[Row]:
    """Check this machine, and a cluster and a storage if they are given.

    Raises ClusterError for an address of the wrong form.
    """
    if address is not None:
        from search.machines import cluster  # imported late, as it brings Ray

        address = cluster.resolve(address)
    rows = [*packages.packages(), hardware.cores(), ray_needs.memory(), hardware.shared_memory(), *hardware.gpus()]
    rows += [ray_needs.limits(), hardware.threads()]
    rows += ray_needs.folder("results", results)
    rows += [*ray_needs.folder("data", data_dir, locks=False), folders.datasets(data_dir)]
    rows += ray_needs.ray_files()
    rows += [*access.rays(), ray_needs.token()]
    if address is not None:
        rows += access.machines(address)
    if storage is not None:
        rows.append(folders.round_trip(storage))
    return rows
