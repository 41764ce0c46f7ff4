"""The engine that trains with warm workers on Ray, local or a cluster: it starts Ray, and `tuner` runs Tune on it."""

import time
from dataclasses import dataclass

from search.machines import local_ray, mps, tokens
from search.machines.machine import slots_per_gpu
from search.readable import count, duration
from search.run.driver import Driver
from search.run.engines.engine import Watcher, Work
from trainables import collection


def train(driver: Driver, work: Work, watcher: Watcher) -> None:
    """Start Ray, or use the cluster that this process is connected to, and train everything that is handed out.

    Raises StartError when Ray or its workers do not start.
    """
    here, began = work.here, time.time()
    workers = count(here.slots, "worker")
    if here.address is None:
        watcher.say(f"starting Ray and {workers} …")
    elif here.slots:
        watcher.say(f"starting {workers} on {here.address} …")
    else:
        watcher.say(f"starting workers on {here.address} as machines join …")
    # Before Ray starts, as its workers inherit the environment. A cluster's machines start their own service.
    with mps.sharing(slots_per_gpu(here) if here.address is None else 0) as (is_shared, line):
        with driver.undisturbed():
            address = local_ray.start(here, meanwhile=_import_the_rest)
        if here.address is None:
            watcher.say(f"Ray started in {duration(time.time() - began)}")
            watcher = _Announcing(watcher)
        elif address is not None:
            _say_dashboard(watcher, address)
        if line is not None:
            watcher.say(line)
        try:
            with driver.undisturbed():
                from search.run.engines.tuner import run_workers  # imports Tune: half a second
            if driver.pausing is None:
                # Nobody was asked whether the machines of a cluster have the service.
                is_shared = is_shared or (here.address is not None and slots_per_gpu(here) > 1)
                run_workers(driver, work, watcher, is_gpu_shared=is_shared)
        finally:
            local_ray.stop()


@dataclass
class _Announcing:
    """A watcher that also says where Ray's dashboard is, once that answers."""

    watcher: Watcher
    next: float | None = 0.0
    """When to look for it, by the monotonic clock; None when it has been found."""

    def say(self, line: str) -> None:
        self.watcher.say(line)

    def refresh(self) -> None:
        if self.next is not None and time.monotonic() >= self.next:
            address = local_ray.dashboard()
            if address is not None:
                _say_dashboard(self.watcher, address)
            self.next = time.monotonic() + 1 if address is None else None
        self.watcher.refresh()


def _say_dashboard(watcher: Watcher, address: str) -> None:
    watcher.say(f"Ray's dashboard: {address}")
    if command := tokens.printed_by():
        watcher.say(f"its token, to paste there: {command}")


def _import_the_rest() -> None:
    """Import what the session needs once Ray runs: Ray's processes take longer to start, and this one would wait."""
    with collection.paused():
        import scipy.optimize  # noqa: F401  # for the forecast, which workers would wait for

        import search.run.engines.tuner  # noqa: F401
