"""Every private or undocumented name of Ray that hpsearch uses, each behind a function that says what it is for.

Ray may rename any of them in a minor release, so pyproject.toml pins the minor version, and `tests/search/machines/
test_ray_private.py` tests each of them on a real Ray.
"""

from __future__ import annotations

import json
import os
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partialmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ray._private import ray_constants, services, utils, worker
from ray._private.node import Node
from ray._private.parameter import RayParams
from ray._private.runtime_env.constants import RAY_JOB_CONFIG_JSON_ENV_VAR
from ray._raylet import setproctitle  # type: ignore[attr-defined]  # its stub lacks it
from ray.experimental import internal_kv
from ray.job_config import JobConfig

if TYPE_CHECKING:  # Tune takes two seconds to import
    from ray.air.execution._internal import TrackedActor
    from ray.tune.execution.tune_controller import TuneController
    from ray.tune.experiment import Trial

#: The parts of Ray's dashboard that a search uses, for machines, actors, logs and metrics. Most are processes of 90 MB.
#: Those of Ray Serve, Ray Data and Ray Train are left out, and two that Ray does not start by default.
_DASHBOARD = ("NodeHead", "StateHead", "JobHead", "EventHead", "ReportHead", "MetricsHead", "UsageStatsHead")

# ---- starting and finding a Ray


@contextmanager
def on_loopback_alone() -> Iterator[None]:
    """A Ray that starts within this takes 127.0.0.1 as the machine's address, and so listens only on loopback.

    That is Ray's default on Windows and macOS. On Linux it takes an address that other machines reach, and listens with
    several ports on all addresses. Ray's environment variable for this is not used: child processes would inherit it.
    """
    before, ray_constants.ENABLE_RAY_CLUSTER = ray_constants.ENABLE_RAY_CLUSTER, False
    try:
        yield
    finally:
        ray_constants.ENABLE_RAY_CLUSTER = before


@contextmanager
def in_a_private_folder() -> Iterator[None]:
    """A Ray that starts within this keeps its files in a folder that only this user can open, as logs may hold secrets.

    Ray lets everybody into it. A umask would do the same, but also for what other threads and all workers write.
    """
    make_folders = Node._init_temp

    def make_private_folders(node: Node, *arguments: Any) -> None:
        make_folders(node, *arguments)
        Path(node.get_session_dir_path()).chmod(0o700)

    Node._init_temp = make_private_folders
    try:
        yield
    finally:
        Node._init_temp = make_folders


@contextmanager
def on_free_ports() -> Iterator[None]:
    """A Ray that starts within this takes a free port for the web server of its dashboard's agent.

    Otherwise it takes 52365. If another Ray on the machine has that port, the agent tries it for more than three
    seconds, the start of the node waits meanwhile, and then the agent runs without a web server.
    """
    with _parameters(dashboard_agent_listen_port=0):
        yield


@contextmanager
def without_monitors(*, logs: bool) -> Iterator[None]:
    """A Ray that starts within this has no process for an autoscaler, and none that copies workers' logs if not `logs`.

    One machine does not grow, and the logs would go to a driver that prints none: the dashboard reads the files. Each
    process would take 0.6 s of CPU time while workers start, and 70 MB.
    """
    with _parameters(no_monitor=True, include_log_monitor=logs):
        yield


@contextmanager
def _parameters(**values: Any) -> Iterator[None]:
    """A Ray that starts within this has these parameters, which `ray.init` does not take."""
    with_the_defaults = RayParams.__init__
    RayParams.__init__ = partialmethod(with_the_defaults, **values)
    try:
        yield
    finally:
        RayParams.__init__ = with_the_defaults


@contextmanager
def with_all_processes_at_once(meanwhile: Callable[[], None]) -> Iterator[None]:
    """A Ray that starts within this starts its dashboard while the node's agents start, and does not wait for it.

    Otherwise it starts the dashboard, waits until it answers, and then starts the agents: each takes a second to import
    what it needs, on one core. meanwhile: called once all processes have begun. Ray also imports the dashboard's
    libraries in the driver, to see whether it has them; the dashboard itself finds out as well.
    """
    start_dashboard, start_others, begin = Node.start_api_server, Node.start_ray_processes, services.start_ray_process
    look_for_libraries, stored = utils.get_dashboard_dependency_error, internal_kv._internal_kv_get
    asked: dict[str, Any] = {}

    def later(node: Node, **wanted: Any) -> None:
        asked.update(wanted)

    def begin_the_last(command: list[str], *arguments: Any, **more: Any) -> Any:
        process = begin([*command, f"--modules-to-load={','.join(_DASHBOARD)}"], *arguments, **more)
        meanwhile()
        return process

    def not_waited_for(key: str | bytes, *arguments: Any, **more: Any) -> Any:
        return b"" if key == ray_constants.DASHBOARD_ADDRESS else stored(key, *arguments, **more)

    def at_once(node: Node) -> None:
        start_others(node)
        services.start_ray_process, internal_kv._internal_kv_get = begin_the_last, not_waited_for
        start_dashboard(node, **asked)

    Node.start_api_server, Node.start_ray_processes = later, at_once
    utils.get_dashboard_dependency_error = lambda: None
    try:
        yield
    finally:
        Node.start_api_server, Node.start_ray_processes = start_dashboard, start_others
        services.start_ray_process, internal_kv._internal_kv_get = begin, stored
        utils.get_dashboard_dependency_error = look_for_libraries


@contextmanager
def sigterm_left_to_us() -> Iterator[None]:
    """A Ray that starts within this leaves SIGTERM to the session, for which it is a Ctrl-C.

    Ray's handlers in Python would end the process. The one of its C++ part aborts it and is replaced at the end, which
    only the main thread can do.
    """
    of_ray, utils.set_sigterm_handler = utils.set_sigterm_handler, lambda handler: None
    try:
        yield
    finally:
        utils.set_sigterm_handler = of_ray
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))


def dashboard(seconds: float) -> str | None:
    """HOST:PORT of the dashboard of the Ray that this process is connected to; None until the dashboard answers.

    Raises ray.exceptions.RayError when Ray's store does not answer within so many seconds.
    """
    key, namespace = ray_constants.DASHBOARD_ADDRESS.encode(), ray_constants.KV_NAMESPACE_DASHBOARD
    found = internal_kv.internal_kv_get_gcs_client().internal_kv_get(key, namespace, seconds)
    return found.decode() if found else None


class _NoFolders(list[str]):
    """A list that stays empty when it is extended."""

    def extend(self, _: object) -> None:
        """Do nothing."""


def job_without_folders() -> JobConfig:
    """The job configuration with which Ray's workers import installed packages first, as this process does.

    Otherwise Ray puts the working folder and the script's folder first on the path of each worker, and a user's own
    `random.py` or `architectures/` there is imported instead.
    """
    job = JobConfig()
    job._py_driver_sys_path = _NoFolders()
    return job


def log_folder() -> Path:
    """The folder with the logs of the Ray that this process is connected to."""
    return Path(worker._global_node.get_logs_dir_path())


def print_nothing() -> None:
    """Keep Ray from printing long tracebacks of its raylet to standard output, which log_to_driver=False does not.

    What they say about a worker is also in the error of its trial.
    """
    worker.print_to_stdstream = lambda *_, **__: None


def show(text: str) -> None:
    """Show in Ray's dashboard what this worker does, as the title of its process, until the actor's call ends.

    Ray gives the process another title at each call. The title is also the label "Component" of the metrics of its
    memory and load; Ray drops metrics with an old title within 20 s.
    """
    setproctitle(f"ray::hpsearch {text}")


def running_here() -> str:
    """HOST:PORT of the Ray that runs on this machine; raises ConnectionError when none does."""
    return str(services.get_ray_address_from_environment("auto", None))


def raylets(address: str, header: Mapping[str, str], seconds: float) -> list[str]:
    """The path of the raylet's socket on each live node of the cluster whose head is at HOST:PORT.

    header: with the token, as `tokens.header` gives it. Raises grpc.RpcError when the head does not answer within so
    many seconds, or refuses.
    """
    import grpc  # imported late, as only a cluster needs it
    from ray.core.generated.gcs_pb2 import GcsNodeInfo
    from ray.core.generated.gcs_service_pb2 import GetAllNodeInfoRequest
    from ray.core.generated.gcs_service_pb2_grpc import NodeInfoGcsServiceStub

    with grpc.insecure_channel(address, options=[("grpc.enable_http_proxy", 0)]) as channel:
        stub = NodeInfoGcsServiceStub(channel)
        answer = stub.GetAllNodeInfo(GetAllNodeInfoRequest(), timeout=seconds, metadata=tuple(header.items()))
    return [node.raylet_socket_name for node in answer.node_info_list if node.state == GcsNodeInfo.ALIVE]


def job_has_folder() -> bool:
    """Whether this process is the driver of a job that was submitted with a working directory."""
    job = json.loads(os.environ.get(RAY_JOB_CONFIG_JSON_ENV_VAR) or "{}")
    return "working_dir" in (job.get("runtime_env") or {})


# ---- Tune's controller


def live_actors(controller: TuneController) -> list[TrackedActor]:
    """The actors that have a process, including those that are still starting."""
    return list(controller._actor_manager.live_actors)


def trials_with_actors(controller: TuneController) -> set[Trial]:
    """The trials that have a live actor, whether it is training or still starting."""
    alive = set(live_actors(controller))
    return {trial for actor, trial in controller._actor_to_trial.items() if actor in alive}


def count_no_callbacks() -> None:
    """Keep Tune from counting callbacks for its usage report, if that is off.

    For this, Tune imports MLflow and W&B if they are installed: more than a second before the first worker starts.
    """
    from ray.air._internal import usage  # imported late, as it brings Tune

    if os.environ.get("RAY_USAGE_STATS_ENABLED") == "0":
        usage.tag_callbacks = lambda _: False


def keep_actors_warm(controller: TuneController, trial: Trial, number: int) -> None:
    """Keep so many more idle actors with the resources of this trial alive until the experiment ends.

    Otherwise Tune keeps one for each staged trial, and a single one when no trial is staged.
    """
    controller._actor_cache.increase_max(trial.placement_group_factory, number)


def allow_pending_trials(controller: TuneController, number: int) -> None:
    """Let so many trials wait for an actor at the same time, instead of the start's TUNE_MAX_PENDING_TRIALS_PG."""
    controller.update_max_pending_trials(number)


def forget_metrics(trial: Trial) -> None:
    """Drop what Tune would keep of a trial's results until the experiment ends: two queues for each metric."""
    trial.run_metadata.metric_analysis.clear()
    trial.run_metadata.metric_n_steps.clear()
