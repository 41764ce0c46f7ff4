"""Warm workers on Ray: a local Ray that starts and ends with the session, or a cluster."""

import time
from contextlib import suppress
from importlib import import_module
from threading import Thread

from search.machines import local_ray, mps, tokens
from search.machines.machine import slots_per_gpu
from search.readable import duration
from search.run.driver import Driver
from search.run.engines.engine import Watcher, Work

WORKERS = "search.run.engines.tune_workers"


def train(driver: Driver, work: Work, watcher: Watcher) -> None:
    """Start Ray, or use the cluster that this process is connected to, and train everything that is handed out.

    Raises StartError when Ray or its workers do not start.
    """
    here, began = work.here, time.time()
    workers = f"{here.slots} worker{'s' * (here.slots > 1)}"
    watcher.say(f"starting Ray and {workers} …" if here.address is None else f"starting {workers} on {here.address} …")
    # Ray's start mostly waits for its processes; meanwhile Tune is imported, which takes a second.
    Thread(target=_import_early, daemon=True).start()
    # Before Ray starts, as its workers inherit the environment. A cluster's machines start their own service.
    with mps.sharing(slots_per_gpu(here) if here.address is None else 0) as shared:
        address = local_ray.start(here)
        took = duration(time.time() - began)
        watcher.say(f"Ray's dashboard: {address}; started in {took}")
        if command := tokens.printed_by():
            watcher.say(f"its token, to paste there: {command}")
        if shared is not None:
            watcher.say(shared)
        try:
            import_module(WORKERS).run_workers(driver, work, watcher)
        finally:
            local_ray.stop()


def _import_early() -> None:
    with suppress(Exception):  # `train`'s own import raises it again
        import_module(WORKERS)
