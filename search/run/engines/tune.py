"""The engine that trains with warm workers on Ray, local or a cluster: it starts Ray, and `tuner` runs Tune on it."""

import time
from dataclasses import dataclass

from search.machines import local_ray, mps, tokens
from search.machines.machine import slots_per_gpu
from search.readable import duration
from search.run.driver import Driver
from search.run.engines.engine import Watcher, Work


def train(driver: Driver, work: Work, watcher: Watcher) -> None:
    """Start Ray, or use the cluster that this process is connected to, and train everything that is handed out.

    Raises StartError when Ray or its workers do not start.
    """
    here, began = work.here, time.time()
    workers = f"{here.slots} worker{'s' * (here.slots > 1)}"
    watcher.say(f"starting Ray and {workers} …" if here.address is None else f"starting {workers} on {here.address} …")
    # Before Ray starts, as its workers inherit the environment. A cluster's machines start their own service.
    with mps.sharing(slots_per_gpu(here) if here.address is None else 0) as shared:
        local_ray.start(here, meanwhile=_import_the_rest)
        watcher.say(f"Ray started in {duration(time.time() - began)}")
        if shared is not None:
            watcher.say(shared)
        try:
            if driver.pausing is None:  # Ray's start may lose the exception of a Ctrl-C, and no worker is needed then
                from search.run.engines.tuner import run_workers  # imports Tune: half a second

                run_workers(driver, work, _Announcing(watcher))
        finally:
            local_ray.stop()


@dataclass
class _Announcing:
    """A watcher that also says where Ray's dashboard is, once that answers."""

    watcher: Watcher
    is_said: bool = False

    def say(self, line: str) -> None:
        self.watcher.say(line)

    def refresh(self) -> None:
        if not self.is_said and (address := local_ray.dashboard()):
            self.is_said = True
            self.watcher.say(f"Ray's dashboard: {address}")
            if command := tokens.printed_by():
                self.watcher.say(f"its token, to paste there: {command}")
        self.watcher.refresh()


def _import_the_rest() -> None:
    """Import what the session needs once Ray runs: Ray's processes take longer to start, and this one would wait."""
    import scipy.optimize  # noqa: F401  # for the forecast, which workers would wait for

    import search.run.engines.tuner  # noqa: F401
