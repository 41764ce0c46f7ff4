"""A Ray cluster that is already running: whether it lets this process in, and how to connect to it.

Ray itself waits two minutes for a cluster that does not exist and twenty seconds for one with another token, and
reports that from its C++ code. So the head is first asked over plain gRPC, which fails within milliseconds.
"""

import os
import re
import socket
import warnings
from collections.abc import Mapping
from typing import Any

from architectures.errors import HpsearchError, one_line
from search.machines import tokens

# isort: split
import grpc
import ray

from search.machines import debugging, ray_private

HEAD_SECONDS = 10  # for the head's first answer


class ClusterError(HpsearchError):
    """A cluster that cannot be used as asked: one line with what is wrong and what would be right."""


def connect(address: str, runtime_env: Mapping[str, Any] | None = None) -> None:
    """Connect this process to the cluster at HOST:PORT, or to the one of this machine for "auto".

    runtime_env: what workers need beside the installed packages, as `own_modules.runtime_env` gives it. Raises
    ClusterError when no cluster answers, when the token is missing or wrong, when this machine is not a node of the
    cluster, and when versions of Ray or Python differ.
    """
    found = resolve(address)
    if not any(_answers(raylet) for raylet in _ask(found)):
        here = socket.gethostname()
        raise ClusterError(
            f"the search's driver must run on a machine of the cluster at {found}, and {here} is not one: "
            f"ray start --address={found} makes it one, or send the search there with --submit http://HEAD:8265"
        )
    # Pickles and bytecode are the same within a minor version, but by default Ray refuses any other patch version.
    os.environ.setdefault("RAY_DEFAULT_PYTHON_VERSION_MATCH_LEVEL", "minor")
    try:
        ray.init(
            address=found,
            runtime_env=dict(runtime_env or {}),
            log_to_driver=debugging.is_on(),
            logging_level=debugging.ray_level(),
            job_config=ray_private.job_without_folders(),
        )
    except Exception as error:
        ray.shutdown()
        raise ClusterError(f"cannot connect to the Ray cluster at {found}: {_why(error)}") from error


def disconnect() -> None:
    """Leave the cluster, which keeps running."""
    ray.shutdown()


def resolve(address: str) -> str:
    """HOST:PORT of a cluster; raises ClusterError for anything else, and for "auto" where no Ray runs."""
    if address == "auto":
        # RAY_ADDRESS is set in every job that Ray starts; without it, Ray looks for one among this machine's processes.
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
    try:
        return ray_private.running_here()
    except ConnectionError as error:
        raise ClusterError(
            "--address auto needs a Ray that runs on this machine, and there is none: "
            "ray start --address=HOST:PORT joins a cluster, ray start --head starts one"
        ) from error


def _ask(address: str) -> list[str]:
    """The raylets of the cluster's live nodes; raises ClusterError when the head does not answer or refuses."""
    token = tokens.token()
    try:
        found = ray_private.raylets(address, {}, HEAD_SECONDS)
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
        return found
    if token is None:
        raise ClusterError(f"the cluster at {address} asks for a token, and there is none here: {tokens.REMEDY}")
    if not tokens.wants_token():
        raise ClusterError(
            f"the cluster at {address} asks for a token, and RAY_AUTH_MODE={os.environ['RAY_AUTH_MODE']} keeps this "
            "process from sending it: set RAY_AUTH_MODE=token"
        )
    try:
        return ray_private.raylets(address, tokens.header(), HEAD_SECONDS)
    except grpc.RpcError as error:
        if error.code() != grpc.StatusCode.UNAUTHENTICATED:
            raise _no_head(address, error) from error
        raise ClusterError(
            f"the cluster at {address} has a different token from this machine's, which is {tokens.place()}: "
            f"{tokens.REMEDY}"
        ) from error


def _no_head(address: str, error: grpc.RpcError) -> ClusterError:
    if error.code() == grpc.StatusCode.DEADLINE_EXCEEDED:
        detail = f"nothing within {HEAD_SECONDS} s"
    else:
        detail = error.details().rpartition("last error: ")[2].rpartition("remote host: ")[2]
    return ClusterError(
        f"no Ray cluster answers at {address} ({detail}): HOST is the machine on which the cluster's head runs, and "
        "PORT the one that ray start --head names, 6379 by default (8265 is the dashboard's and 10001 that of ray://)"
    )


def _answers(raylet: str) -> bool:
    """Whether a raylet runs on this machine: its socket is a file here, and answers."""
    with socket.socket(socket.AF_UNIX) as end:
        try:
            end.connect(raylet)
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
