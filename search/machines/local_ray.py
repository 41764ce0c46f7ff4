"""A session's Ray: one of its own, on loopback alone and behind a token, or the cluster that it is connected to."""

import logging
import os
import signal
from pathlib import Path
from typing import Any

from architectures.errors import HpsearchError, one_line

# Read by Ray and Tune, some of them on import.
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
os.environ.setdefault("RAY_AUTH_MODE", "token")
os.environ.setdefault("RAY_AIR_NEW_OUTPUT", "0")  # Tune's older reporter is the one that verbose=0 silences
os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
os.environ.setdefault("TUNE_DISABLE_AUTO_CALLBACK_LOGGERS", "1")
os.environ.setdefault("TUNE_GLOBAL_CHECKPOINT_S", "1e9")
os.environ.setdefault("TUNE_WARN_THRESHOLD_S", "5")
os.environ.setdefault("TUNE_DISABLE_SIGINT_HANDLER", "1")  # Ctrl-C is the session's matter

import ray
from ray._private import ray_constants

from search.machines.machine import Machine


class RayStartError(HpsearchError):
    """Ray that does not start: one line."""

    exit_code = 1


def start(here: Machine) -> str:
    """Start a local Ray, or use the cluster that this process is connected to; the dashboard's address.

    Raises RayStartError when Ray does not start.
    """
    if here.address is None:
        context = _start_local(here)
    else:  # called again where this process is connected already, Ray only says to what
        context = ray.init(ignore_reinit_error=True, logging_level=logging.ERROR)
    # A polite kill (a container or a batch system that stops) is a Ctrl-C; Ray's own handler would abort.
    signal.signal(signal.SIGTERM, lambda *_: signal.raise_signal(signal.SIGINT))
    return f"http://{context.dashboard_url}"


def _start_local(here: Machine) -> Any:
    """A Ray for this session alone, every port of it on loopback and behind Ray's token."""
    umask = os.umask(0o077)  # what Ray writes, its token above all, is for this user alone
    # What Ray does by default on other systems: 127.0.0.1 is the machine's address, where it would take one that
    # others reach and listen on all. As a variable of the environment, programs started from here would inherit it.
    clusters, ray_constants.ENABLE_RAY_CLUSTER = ray_constants.ENABLE_RAY_CLUSTER, False
    try:
        context = ray.init(
            address="local",  # whatever RAY_ADDRESS says
            num_cpus=here.slots * here.threads,
            num_gpus=here.num_gpus,
            include_dashboard=True,
            dashboard_host="127.0.0.1",
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
    except Exception as error:  # Ray raises bare ones
        reason = one_line(error)
        raise RayStartError(f"Ray does not start here ({reason}); hpsearch doctor says what there is") from error
    finally:
        os.umask(umask)
        ray_constants.ENABLE_RAY_CLUSTER = clusters
    token = Path("~/.ray/auth_token").expanduser()
    if token.exists():
        token.chmod(0o600)
    return context


def stop() -> None:
    """Stop the local Ray and its workers, or leave the cluster."""
    ray.shutdown()
