"""The Ray that a session uses: a local one, only on loopback and with a token, or the cluster it is connected to."""

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import ray

from architectures.errors import one_line
from search.machines import debugging, ray_needs, ray_private, tokens
from search.machines.machine import Machine, StartError

_MOST = 500  # characters of a reason that are shown


def start(here: Machine, meanwhile: Callable[[], None] = lambda: None) -> str | None:
    """Start a local Ray, or use the cluster that this process is connected to.

    Returns the address of a cluster's dashboard, if it has one; a local Ray's is not known yet (`dashboard`).

    meanwhile: called while a local Ray's processes start.

    Raises StartError when Ray does not start.
    """
    if not debugging.is_on():
        ray_private.print_nothing()
    found: str | None = None
    if here.address is None:
        _start_local(here, meanwhile)
    else:  # this process is already connected, so Ray only returns the connection
        with ray_private.sigterm_left_to_us():
            found = ray.init(ignore_reinit_error=True, logging_level=debugging.ray_level()).dashboard_url
    return f"http://{found}" if found else None


def dashboard() -> str | None:
    """The address of a local Ray's dashboard; None until it answers, some seconds after Ray has started."""
    try:
        found = ray_private.dashboard(seconds=1)
    except ray.exceptions.RayError:  # Ray is busy, or has ended
        return None
    return f"http://{found}" if found else None


def _start_local(here: Machine, meanwhile: Callable[[], None]) -> None:
    """Start a Ray for this session only: all its ports are on loopback and ask for the token."""
    if reason := ray_needs.ends_the_process():
        raise StartError(f"Ray cannot start on this machine ({reason}); run hpsearch doctor for details")
    tokens.make()
    try:
        with (
            ray_private.in_a_private_folder(),
            ray_private.on_loopback_alone(),
            ray_private.on_free_ports(),
            ray_private.without_monitors(logs=debugging.is_on()),
            ray_private.with_all_processes_at_once(meanwhile),
            ray_private.sigterm_left_to_us(),
            _path_for_ray(),
            _without_hangups(),
        ):
            ray.init(
                address="local",  # whatever RAY_ADDRESS says
                num_cpus=here.slots * here.threads,
                num_gpus=here.num_gpus,
                include_dashboard=True,
                dashboard_host="127.0.0.1",
                log_to_driver=debugging.is_on(),
                logging_level=debugging.ray_level(),
                job_config=ray_private.job_without_folders(),
            )
    except Exception as error:  # Ray raises plain `Exception`s
        reason = ray_needs.in_the_way() or one_line(error)
        if "timed out during startup" in reason:
            reason = "its processes took more than the 30 s that it gives them; is the machine busy?"
        if len(reason) > _MOST:  # Ray puts whole logs into its errors
            reason = f"{reason[:_MOST]} …"
        raise StartError(f"Ray cannot start on this machine ({reason}); run hpsearch doctor for details") from error
    token = tokens.token_file()
    if token is not None and token.exists() and "RAY_AUTH_TOKEN_PATH" not in os.environ:
        token.chmod(0o600)


@contextmanager
def _without_hangups() -> Iterator[None]:
    """A process that starts within this gets no SIGHUP when its terminal is closed, so the session can end it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # child processes inherit the mask
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _path_for_ray() -> Iterator[None]:
    """A process that starts within this looks for modules where this one does, in the same order.

    It does not look into the working folder, which may hold any file: Ray's own processes do not need it, and workers
    get it after they have imported all our modules.
    """
    ours = Path(__file__).parents[2]
    here = Path.cwd()
    folders = [folder for folder in sys.path if folder and (Path(folder) == ours or Path(folder) != here)]
    wanted = {"PYTHONPATH": os.pathsep.join(dict.fromkeys(folders)), "PYTHONSAFEPATH": "1"}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def stop() -> None:
    """Stop the local Ray and its workers, or leave the cluster."""
    ray.shutdown()
