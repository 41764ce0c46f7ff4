"""A Ray cluster that runs already: who lets this process in, which machines it has, and what they lack.

Ray itself waits two minutes for a cluster that is not there and twenty seconds for one that does not know its token,
and writes of it in C++; so the head is asked a first question over plain gRPC, which is refused in milliseconds.
"""

import atexit
import importlib.util
import json
import logging
import os
import platform
import re
import shutil
import socket
import sys
import tempfile
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from architectures.errors import HpsearchError, one_line
from search.machines import tokens

# isort: split
import grpc
import ray
from ray.core.generated.gcs_pb2 import GcsNodeInfo
from ray.core.generated.gcs_service_pb2 import GetAllNodeInfoRequest
from ray.core.generated.gcs_service_pb2_grpc import NodeInfoGcsServiceStub
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

HEAD_SECONDS = 10  # for the head's first answer
NODE_SECONDS = 60  # for a node's, which starts a process and imports torch
MOST_BYTES = 50 * 2**20  # of a user's own modules; Ray's own limit is ten times that
MOST_ENTRIES = 20_000  # looked at in search of them

_OURS = ("architectures", "search", "trainables")
_NOT_CODE = ("__pycache__", "data", "node_modules", "results")


class ClusterError(HpsearchError):
    """A cluster that cannot be used as asked: one line with what is wrong and what would be right."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """A machine of the cluster.

    cpus, gpus: what Ray hands out there. memory: bytes that Ray counts on there. free_disk: bytes where Ray keeps its
    files there. cores: that its processes may use. precision: of training by default. versions: of hpsearch, torch,
    ray and python. reason: why the node has not answered, or why hpsearch does not work there.
    """

    id: str
    host: str
    address: str
    is_driver: bool
    cpus: int
    gpus: int
    memory: int
    versions: Mapping[str, str | None] = field(default_factory=dict)
    cores: int | None = None
    gpu_names: tuple[str, ...] = ()
    precision: str | None = None
    free_disk: int | None = None
    reason: str | None = None


def connect(address: str, runtime_env: Mapping[str, Any] | None = None) -> None:
    """Connect this process to the cluster at HOST:PORT, or to the one of this machine for "auto".

    runtime_env: what workers need beside the installed packages, as `own_modules` gives it. Raises ClusterError when
    nobody answers, when the token is missing or wrong, when this machine is no node of the cluster, and when versions
    of Ray or Python differ.
    """
    found = resolve(address)
    machines = _ask(found)
    if not any(_is_here(each) for each in machines):
        here = socket.gethostname()
        raise ClusterError(
            f"the search's driver must run on a machine of the cluster at {found}, and {here} is none: "
            f"ray start --address={found} makes it one, or send the search there with --submit http://HEAD:8265"
        )
    # Pickles and bytecode are the same for a minor version, and Ray's default refuses every other patch.
    os.environ.setdefault("RAY_DEFAULT_PYTHON_VERSION_MATCH_LEVEL", "minor")
    try:
        ray.init(address=found, runtime_env=dict(runtime_env or {}), log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:
        ray.shutdown()
        raise ClusterError(f"cannot connect to the Ray cluster at {found}: {_why(error)}") from error


def resolve(address: str) -> str:
    """HOST:PORT of a cluster; raises ClusterError for what is no such address, and for "auto" where no Ray runs."""
    if address == "auto":
        # Set for every job that Ray starts; otherwise a Ray of this machine, which it finds among the processes.
        address = os.environ.get("RAY_ADDRESS") or _of_this_machine()
    if "://" in address:
        raise ClusterError(
            f"--address is HOST:PORT of a cluster that this machine is a node of, got '{address}': start a node here "
            "with ray start --address=HOST:PORT (6379 by default) and give that, or send the search to the cluster "
            "with --submit http://HEAD:8265"
        )
    match = re.fullmatch(r"([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.%]+\]):([0-9]{1,5})", address)
    if not match or not 0 < int(match[2]) < 65536:
        raise ClusterError(f"--address is HOST:PORT, such as 10.0.0.5:6379, or auto; got '{address}'")
    return address


def _of_this_machine() -> str:
    from ray._private.services import get_ray_address_from_environment

    try:
        return str(get_ray_address_from_environment("auto", None))
    except ConnectionError as error:
        raise ClusterError(
            "--address auto is a Ray that runs on this machine, and there is none: "
            "ray start --address=HOST:PORT joins a cluster, ray start --head begins one"
        ) from error


def _ask(address: str) -> list[GcsNodeInfo]:
    """The cluster's machines that are alive; raises ClusterError when the head does not answer or refuses."""
    token = tokens.token()
    try:
        machines = _machines(address, {})
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.UNAUTHENTICATED:
            raise _no_head(address, error) from error
    else:
        if tokens.wants_token() and token is None:
            raise ClusterError(
                f"the cluster at {address} asks for no token, so whoever reaches it may run code on its machines: "
                "start it with RAY_AUTH_MODE=token, or, where nobody else can reach it, set RAY_AUTH_MODE=disabled here"
            )
        warnings.warn(
            f"the cluster at {address} asks for no token: whoever reaches it may run code on its machines", stacklevel=3
        )
        return machines
    if token is None:
        raise ClusterError(f"the cluster at {address} asks for a token, and there is none here: {tokens.REMEDY}")
    if not tokens.wants_token():
        raise ClusterError(
            f"the cluster at {address} asks for a token, and RAY_AUTH_MODE={os.environ['RAY_AUTH_MODE']} keeps this "
            "process from sending it: set RAY_AUTH_MODE=token"
        )
    try:
        return _machines(address, tokens.header())
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.UNAUTHENTICATED:
            raise _no_head(address, error) from error
        raise ClusterError(
            f"the cluster at {address} has another token than this machine, whose is {tokens.place()}: {tokens.REMEDY}"
        ) from error


def _machines(address: str, header: Mapping[str, str]) -> list[GcsNodeInfo]:
    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        answer = NodeInfoGcsServiceStub(channel).GetAllNodeInfo(
            GetAllNodeInfoRequest(), timeout=HEAD_SECONDS, metadata=tuple(header.items())
        )
    return [each for each in answer.node_info_list if each.state == GcsNodeInfo.ALIVE]


def _no_head(address: str, error: grpc.RpcError) -> ClusterError:
    if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
        detail = f"nothing within {HEAD_SECONDS} s"
    else:
        detail = error.details().rpartition("last error: ")[2].rpartition("remote host: ")[2]
    return ClusterError(
        f"no Ray cluster answers at {address} ({detail}): HOST is the head's, which must run, and PORT the one that "
        "ray start --head names, 6379 by default (8265 is its dashboard's and 10001 that of ray://)"
    )


def _is_here(machine: GcsNodeInfo) -> bool:
    """Whether a node's raylet runs on this machine: its socket is a file here, and answers."""
    with socket.socket(socket.AF_UNIX) as end:
        try:
            end.connect(machine.raylet_socket_name)
        except OSError:
            return False
    return True


def _why(error: Exception) -> str:
    """Why Ray did not connect, in one line."""
    text = one_line(error)
    versions = re.search(r"started with: Ray: (\S+) Python: (\S+) .*started with: Ray: (\S+) Python: (\S+)", text)
    if versions is None:
        return text[:300]
    ray_there, python_there, ray_here, python_here = versions.groups()
    return (
        f"it runs Ray {ray_there} on Python {python_there}, and this machine has Ray {ray_here} on Python "
        f"{python_here}: install the same on both"
    )


def nodes() -> list[Node]:
    """The machines of the cluster that this process is connected to, each asked by a task of its own."""

    # A function in a function travels as its code, so that it also runs where there is another hpsearch, or none.
    @ray.remote(num_cpus=0, max_retries=0)
    def look(folder: str) -> dict[str, Any]:
        import os
        import platform
        import shutil
        from importlib.metadata import PackageNotFoundError, version

        versions: dict[str, str | None] = {"python": platform.python_version()}
        for package in ("hpsearch", "torch", "ray"):
            try:
                versions[package] = version(package)
            except PackageNotFoundError:
                versions[package] = None
        found: dict[str, Any] = {
            "versions": versions,
            "cores": len(os.sched_getaffinity(0)),
            "free_disk": shutil.disk_usage(folder).free,
        }
        try:
            import torch

            from trainables.training import default_precision

            names = tuple(torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count()))
            found |= {"gpu_names": names, "precision": default_precision("cuda" if names else "cpu")}
        except Exception as error:
            found["reason"] = f"hpsearch cannot be imported there ({type(error).__name__}: {error})"
        return found

    alive = [node for node in ray.nodes() if node["Alive"]]
    tasks = [
        look.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node["NodeID"], soft=False)).remote(
            str(Path(node["ObjectStoreSocketName"]).parent)
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
        wanted = _wanted()
        raise ClusterError(
            f"every machine of the cluster needs hpsearch {wanted['hpsearch']} with torch {wanted['torch']} on Python "
            f"{wanted['python']}, installed for the Python that runs Ray there; {'; '.join(bad)}"
        )


def trouble(node: Node) -> str | None:
    """What keeps a node from training with this driver, if anything; a node without a slot need not train."""
    if not node.cpus and not node.gpus:
        return None
    theirs = {**node.versions, "python": _minor(node.versions.get("python"))}
    different = [
        f"{package} is {theirs[package] or 'missing'}"
        for package, ours in _wanted().items()
        if node.versions and theirs[package] != ours
    ]
    return ", ".join(different) or node.reason


def _wanted() -> dict[str, str]:
    return {"hpsearch": version("hpsearch"), "torch": version("torch"), "python": _minor(platform.python_version())}


def _minor(python: str | None) -> str:
    return ".".join((python or "").split(".")[:2])


def own_modules(names: Iterable[str], folder: Path) -> dict[str, Any] | None:
    """What Ray's runtime environment needs so that workers import a user's own modules from `folder`.

    names: of spaces and networks; None when none of those is a module of the folder. Raises ClusterError as `stage`.
    """
    files = modules(names, folder)
    # Ray gives a job's own folder to its workers already, and refuses a second one.
    return stage(files) if files and not _job_has_folder() else None


def modules(names: Iterable[str], folder: Path) -> dict[Path, Path]:
    """The files that a user's own spaces and networks may import, each with its name relative to the folder.

    The Python files of the folder, and the packages below it; not what Python would find elsewhere by that name,
    results, data, virtual environments and hidden files. Nothing when none of `names` is a module of the folder.
    """
    own = {name.partition(":")[0].partition(".")[0] for name in names if ":" in name and not name.endswith(".jsonl")}
    if not any(_is_own(name, folder) for name in own):
        return {}
    return {file: file.relative_to(folder) for file in _modules(folder)}


def stage(files: Mapping[Path, Path]) -> dict[str, Any]:
    """A runtime environment whose working directory holds copies of these files under these names.

    Workers have that directory first on their path, so a module has the name there that it has here. The copies go
    when this process ends. Raises ClusterError when they are more than code.
    """
    size = sum(file.stat().st_size for file in files)
    if size > MOST_BYTES:
        largest = max(files, key=lambda file: file.stat().st_size)
        raise ClusterError(
            f"your own modules would take {size / 2**20:.0f} MiB to the cluster, more than {MOST_BYTES >> 20}; the "
            f"largest file is {largest}: keep what is no code out of the packages in {Path.cwd()}"
        )
    copy = Path(tempfile.mkdtemp(prefix="hpsearch-modules-"))
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    for file, name in files.items():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(file, copy / name)
    return {"working_dir": str(copy)}


def _modules(folder: Path) -> list[Path]:
    """The Python files of a folder and below, and everything in its packages."""
    found: list[Path] = []
    entries = 0
    for place, folders, files in os.walk(folder):
        here = Path(place)
        entries += len(folders) + len(files)
        if entries > MOST_ENTRIES:
            raise ClusterError(
                f"{folder} holds too much to look through for your own modules (more than {MOST_ENTRIES:,} files): "
                "call hpsearch in a folder of their own"
            )
        folders[:] = [each for each in folders if _may_hold_modules(here / each, top=here == folder)]
        package = here != folder and "__init__.py" in files
        for name in files:
            if here == folder and not _is_own(name.removesuffix(".py"), folder):
                continue
            if name.endswith(".py") or (package and not name.startswith(".")):
                found.append(here / name)
    return found


def _may_hold_modules(folder: Path, *, top: bool) -> bool:
    name = folder.name
    if not name.isidentifier() or name in _NOT_CODE or (folder / "pyvenv.cfg").exists():
        return False
    return not top or _is_own(name, folder.parent)


def _is_own(name: str, folder: Path) -> bool:
    """Whether a module of the folder is what this process gets by that name.

    The folder comes last in the search for modules here, and first in a worker: one that nothing else uses here must
    not hide a module of Python's or of a package's there.
    """
    if not ((folder / f"{name}.py").exists() or (folder / name).is_dir()) or name in _OURS:
        return False
    if name in sys.stdlib_module_names:
        return False
    try:
        spec = importlib.util.find_spec(name)
    except ValueError:  # __main__
        return False
    if spec is None:  # not on the path here
        return True
    places = [spec.origin] if spec.has_location else spec.submodule_search_locations or []
    return any(place and Path(place).resolve().is_relative_to(folder.resolve()) for place in places)


def _job_has_folder() -> bool:
    """Whether this process is the driver of a job that was submitted with a working directory."""
    job = json.loads(os.environ.get("RAY_JOB_CONFIG_JSON_ENV_VAR") or "{}")
    return "working_dir" in (job.get("runtime_env") or {})
