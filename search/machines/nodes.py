"""The nodes of the cluster that this process is connected to: what each offers, and what it lacks."""

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from search.machines.cluster import ClusterError

# isort: split
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

NODE_SECONDS = 60  # for a node's answer: it starts a process, which imports torch


@dataclass(frozen=True, kw_only=True)
class Node:
    """A machine of the cluster."""

    id: str
    """Ray's name for the node."""

    host: str
    """The machine's name."""

    address: str
    """The machine's IP address."""

    is_driver: bool
    """Whether this process runs there."""

    cpus: int
    """Cores that Ray offers there."""

    gpus: int
    """GPUs that Ray offers there."""

    memory: int
    """Bytes of memory that Ray offers there."""

    versions: Mapping[str, str | None] = field(default_factory=dict)
    """Versions of hpsearch, torch, ray and python there; None for a package that is missing."""

    cores: int | None = None
    """Cores that Ray's processes can keep busy there."""

    total_memory: int | None = None
    """Bytes of memory of the machine, or of a container with less."""

    gpu_names: tuple[str, ...] = ()
    """The names of the GPUs."""

    gpu_memory: tuple[int, ...] = ()
    """Bytes of memory of each GPU."""

    precision: str | None = None
    """The default precision of training there."""

    free_disk: int | None = None
    """Free bytes on the disk with Ray's files there."""

    reason: str | None = None
    """Why the node has not answered, or why hpsearch does not work there; None when all is well."""


def find() -> list[Node]:
    """The live nodes, each examined by a task that runs on it."""

    # Ray sends a nested function as code, so it also runs on nodes with another hpsearch, or none.
    @ray.remote(num_cpus=0, max_retries=0)
    def look(folder: str, *, has_gpus: bool) -> dict[str, Any]:
        import platform
        import shutil
        from importlib.metadata import PackageNotFoundError, version

        versions: dict[str, str | None] = {"python": platform.python_version()}
        for package in ("hpsearch", "torch", "ray"):
            try:
                versions[package] = version(package)
            except PackageNotFoundError:
                versions[package] = None
        found: dict[str, Any] = {"versions": versions, "free_disk": shutil.disk_usage(folder).free}
        try:
            import torch

            from trainables import limits
            from trainables.precision import default_precision

            gpus = [torch.cuda.get_device_properties(i) for i in range(torch.cuda.device_count() if has_gpus else 0)]
            found |= {
                "cores": limits.cores(),
                "total_memory": limits.memory()[0],
                "gpu_names": tuple(gpu.name for gpu in gpus),
                "gpu_memory": tuple(int(gpu.total_memory) for gpu in gpus),
                "precision": default_precision("cuda" if gpus else "cpu"),
            }
        except Exception as error:
            found["reason"] = f"hpsearch cannot be imported there ({type(error).__name__}: {error})"
        return found

    alive = [node for node in ray.nodes() if node["Alive"]]
    tasks = [
        look.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(
            str(Path(node["ObjectStoreSocketName"]).parent), has_gpus=node["Resources"].get("GPU", 0) >= 1
        )
        for node in alive
    ]
    ready, _ = ray.wait(tasks, num_returns=len(tasks), timeout=NODE_SECONDS)
    here = ray.get_runtime_context().get_node_id()
    found = []
    for node, task in zip(alive, tasks, strict=True):
        if task in ready:
            try:
                facts = ray.get(task)
            except ray.exceptions.RayError as error:
                facts = {"reason": f"it cannot run tasks ({' '.join(str(error).split())[:200]})"}
        else:
            facts = {"reason": f"it has not answered within {NODE_SECONDS} s"}
            ray.cancel(task, force=True)
        resources = node["Resources"]
        found.append(
            Node(
                id=node["NodeID"],
                host=node["NodeManagerHostname"],
                address=node["NodeManagerAddress"],
                is_driver=node["NodeID"] == here,
                cpus=int(resources.get("CPU", 0)),
                gpus=int(resources.get("GPU", 0)),
                memory=int(resources.get("memory", 0)),
                **facts,
            )
        )
    return found


def check(nodes: Sequence[Node]) -> None:
    """Raise ClusterError naming the nodes that could train but lack the driver's hpsearch, torch or Python."""
    bad = [f"{node.host} ({node.address}): {found}" for node in nodes if (found := trouble(node))]
    if bad:
        ours = wanted()
        raise ClusterError(
            f"every machine of the cluster needs hpsearch {ours['hpsearch']} with torch {ours['torch']} on Python "
            f"{ours['python']}, installed for the Python that runs Ray there; {'; '.join(bad)}"
        )


def trouble(node: Node) -> str | None:
    """Why a node cannot train with this driver; None when it can, or when it offers no slot."""
    if not node.cpus and not node.gpus:
        return None
    theirs = {**node.versions, "python": _minor(node.versions.get("python"))}
    different = [
        f"{package} is {theirs[package] or 'missing'}"
        for package, needed in wanted().items()
        if node.versions and theirs[package] != needed
    ]
    return ", ".join(different) or node.reason


def wanted() -> dict[str, str]:
    """The versions that every node needs: those of this process; for Python only the minor version."""
    return {"hpsearch": version("hpsearch"), "torch": version("torch"), "python": _minor(platform.python_version())}


def _minor(python: str | None) -> str:
    return ".".join((python or "").split(".")[:2])
