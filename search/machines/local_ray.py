"""The Ray that a session uses: a local one, on loopback alone and behind a token, or the cluster it is connected to."""

import logging
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from architectures.errors import one_line

# Read by Ray and Tune, some of them on import.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_AUTH_MODE", "token")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # Tune's older reporter is the one that verbose=0 silences
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", "1e9")
os.environ.setdefault("TUNE_WARN_THRESHOLD_S", "5")
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")  # the session handles Ctrl-C

import ray

from search.machines import ray_needs, ray_private
from search.machines.machine import Machine, StartError


def start(here: Machine) -> str:
    """Start a local Ray, or use the cluster that this process is connected to. Returns the dashboard's address.

    Raises StartError when Ray does not start.
    """
    if here.address is None:
        context = _start_local(here)
    else:  # this process is connected already, so Ray only returns the connection
        context = ray.init(ignore_reinit_error=True, logging_level=logging.ERROR)
    # SIGTERM, which a container or a batch system sends first, acts as Ctrl-C; Ray's own handler would abort.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    return f"http://{context.dashboard_url}"


def _start_local(here: Machine) -> Any:
    """A Ray of this session's own: all its ports are on loopback and ask for the token."""
    umask = os.umask(0o077)  # so that this user alone can read what Ray writes, above all its token
    try:
        with ray_private.on_loopback_alone(), _path_for_workers(), _without_hangups():
            context = ray.init(
                address="local",  # whatever RAY_ADDRESS says
                num_cpus=here.slots * here.threads,
                num_gpus=here.num_gpus,
                include_dashboard=True,
                dashboard_host="127.0.0.1",
                log_to_driver=False,
                logging_level=logging.ERROR,
                job_config=ray_private.job_without_folders(),
            )
    except Exception as error:  # Ray raises bare ones
        reason = ray_needs.in_the_way() or one_line(error)
        raise StartError(f"Ray does not start here ({reason}); hpsearch doctor says what there is") from error
    finally:
        os.umask(umask)
    token = Path("~/.ray/auth_token").expanduser()
    if token.exists():
        token.chmod(0o600)
    return context


@contextmanager
def _without_hangups() -> Iterator[None]:
    """A process that starts within this does not hear of a terminal that goes away, so the session can end it."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})  # which a process inherits
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _path_for_workers() -> Iterator[None]:
    """Within this, a process that starts looks for modules where this one does, in the same order."""
    before = os.environ.get("PYTHONPATH")
    os.environ["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(folder or str(Path.cwd()) for folder in sys.path))
    try:
        yield
    finally:
        if before is None:
            del os.environ["PYTHONPATH"]
        else:
            os.environ["PYTHONPATH"] = before


def stop() -> None:
    """Stop the local Ray and its workers, or leave the cluster."""
    ray.shutdown()
