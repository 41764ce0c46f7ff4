"""What we use of Ray Tune: it places warm workers, gives them tasks and brings their answers to the driver.

Tune's own snapshots, loggers, checkpoints and restore are off: the ledger is the authoritative record.
"""

import logging
import os
import re
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from search.machines import debugging, ray_logs, ray_needs, ray_private, ray_processes, scratch

# isort: split
import ray
from ray import tune
from ray.tune.execution.tune_controller import TuneController
from ray.tune.experiment import Trial
from ray.tune.schedulers import FIFOScheduler
from ray.tune.search import Searcher
from ray.tune.stopper import Stopper
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from search.machines.machine import Machine, slots_per_gpu
from search.run.driver import Driver
from search.run.engines.engine import Watcher, Work
from search.run.engines.starting import Starting
from search.run.gauges import Gauges
from search.run.run_files import RunFiles
from trainables.files import Folder, is_full
from trainables.limits import UnfitError
from trainables.worker.actor import Place, Worker, versions
from trainables.worker.task import Task


def run_workers(
    driver: Driver,
    work: Work,
    watcher: Watcher,
    *,
    worker: type[Worker] = Worker,
    warm: bool = True,
    is_gpu_shared: bool = False,
) -> None:
    """Train on the Ray that this process is connected to.

    worker: the class of the workers. warm: whether a worker trains several trials; else each trial has its own process.
    is_gpu_shared: whether workers use a GPU through MPS, so that a fault of one ends them all.

    Raises what the driver raised, such as an unwritable ledger, and StartError when no worker starts.
    """
    here = work.here
    # As many staged trials as slots: Tune keeps an actor warm only for a trial that is already staged.
    sharers = slots_per_gpu(here)
    os.environ["TUNE_MAX_PENDING_TRIALS_PG"] = str(here.slots)
    trainable = tune.with_resources(
        tune.with_parameters(
            worker,
            train=work.train,
            validation=work.validation,
            place=_place(driver.files, here),
            threads=here.threads,
            show=ray_private.show,
            device=here.device,
            precision=here.precision,
            sharers=sharers,
            timeout=work.timeout,
            versions=versions(),
            folder=str(Path.cwd()) if here.address is None else None,  # a cluster's workers have a copy
        ),
        resources(here),
    )
    judge = _Judge(driver, here, is_gpu_shared)
    with scratch.folder() as place:
        tuner = tune.Tuner(
            trainable,
            tune_config=tune.TuneConfig(
                search_alg=_Feed(driver, judge, here.limit), scheduler=judge, num_samples=-1, reuse_actors=warm
            ),
            run_config=tune.RunConfig(
                name="hpsearch",
                storage_path=str(place),
                verbose=0,
                stop=_End(driver, judge),
                callbacks=[_Starts(judge, watcher, Gauges(driver))],
                failure_config=tune.FailureConfig(max_failures=0),
                checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
            ),
        )
        if not debugging.is_on():
            logging.getLogger("ray.tune").setLevel(logging.CRITICAL)
        ray_private.count_no_callbacks()
        try:
            tuner.fit()
        except OSError as error:
            if is_full(error) and (reason := ray_needs.in_the_way()):
                raise OSError(error.errno, reason) from error
            raise
    if judge.fatal is not None:
        raise judge.fatal


def resources(here: Machine) -> dict[str, float]:
    """What a trial takes of what Ray has.

    Cores too beside a GPU, of which equal parts may be more than slots; but a cluster may offer its GPUs alone, and
    there `_Feed` counts the trials.
    """
    cores: dict[str, float] = {"CPU": here.threads, "memory": here.memory}
    if not (sharers := slots_per_gpu(here)):
        return cores
    return {"GPU": 1 / sharers} | (cores if here.address is None else {})


def _place(files: RunFiles, here: Machine) -> Place:
    """Where workers write checkpoints: directly to a place that all share, else through an actor on this node."""
    folder = files.checkpoints
    if here.address is None or files.is_shared:
        return Place(folder)
    node = ray.get_runtime_context().get_node_id()
    here_alone = NodeAffinitySchedulingStrategy(node, soft=False)
    keeper = ray.remote(Folder).options(num_cpus=0, scheduling_strategy=here_alone).remote(folder.location)
    return Place(folder, node, keeper)


def _task(trial: Trial) -> Task:
    return Task(**trial.config["task"])


class _Local:
    """Is neither pickled nor copied: Tune does that with its arguments, but the driver has an open ledger."""

    def __getstate__(self) -> dict[str, Any]:
        return {}

    def __deepcopy__(self, memo: dict[int, Any]) -> "_Local":
        return self


class _Feed(_Local, Searcher):
    """Tune's searcher: asks the driver. limit: most tasks at a time if Ray has room for more, or None."""

    def __init__(self, driver: Driver, judge: "_Judge", limit: int | None) -> None:
        super().__init__()
        self._driver, self._judge, self._limit = driver, judge, limit

    def suggest(self, trial_id: str) -> Any:
        if self._limit is not None and self._driver.num_handed_out >= self._limit:
            return None
        task = self._judge.guard(self._driver.next_task)
        if task is not None:
            return {"task": vars(task)}
        # After FINISHED Tune never asks again, but a running run may fail and have to be trained again.
        return None if self._driver.waiting and self._judge.fatal is None else Searcher.FINISHED

    def on_trial_complete(self, trial_id: str, result: Mapping[str, Any] | None = None, error: bool = False) -> None:
        """Do nothing: the driver has the result from the scheduler."""

    def save(self, checkpoint_path: str) -> None:
        """Do nothing: the ledger has the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Do nothing: the ledger has the state."""


class _Judge(_Local, FIFOScheduler):
    """Tune's scheduler: every answer goes to the driver, and the decision goes back to Tune.

    Tune would turn an exception here into a failure of the current trial, so the first one is kept and ends the
    session.
    """

    def __init__(self, driver: Driver, here: Machine, is_gpu_shared: bool) -> None:
        super().__init__()
        self._driver, self._here, self._is_gpu_shared = driver, here, is_gpu_shared
        self._keeps_warm = False
        self._starting = Starting(ray_processes.is_one_at_work, ray_logs.last_error)
        self._looked = time.monotonic()
        self.fatal: Exception | None = None

    def guard(self, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        """Call the driver; None if this fails, or an earlier call has."""
        if self.fatal is not None:
            return None
        try:
            return call(*arguments, **options)
        except Exception as error:
            self.fatal = error
            return None

    def on_trial_add(self, tune_controller: TuneController, trial: Trial) -> None:
        # A worker whose trial pauses may have to wait for reports of other trials before it gets a new one.
        if not self._keeps_warm:
            ray_private.keep_actors_warm(tune_controller, trial, self._here.slots)
            self._keeps_warm = True

    def on_trial_result(self, tune_controller: TuneController, trial: Trial, result: dict) -> str:
        goes_on = self.guard(self._driver.measured, _task(trial), _answer(result))
        return self.CONTINUE if goes_on else self.STOP

    def on_trial_complete(self, tune_controller: TuneController, trial: Trial, result: dict) -> None:
        ray_private.forget_metrics(trial)  # they were half of the memory that a trial left in the driver

    def on_trial_error(self, tune_controller: TuneController, trial: Trial) -> None:
        text = _error(trial)
        unfit = unfit_of(text) if self._here.address is not None else None
        reason = unfit or reason_of(text)
        is_shared = self._is_gpu_shared and is_gpu_fault(text)
        self.guard(self._driver.failed, _task(trial), reason, is_shared=is_shared, is_unfit=unfit is not None)
        self.guard(self._starting.failed, reason)

    def started(self, trial: Trial) -> None:
        """A worker has begun a trial."""
        self._starting.started()
        self.guard(self._driver.started, _task(trial))

    def look(self) -> None:
        """Once per second, check that workers start. Not on a cluster, where they may have to wait for other jobs."""
        if self._here.address is None and time.monotonic() > self._looked + 1:
            self._looked = time.monotonic()
            self.guard(self._starting.look)

    def choose_trial_to_run(self, tune_controller: TuneController) -> Trial | None:
        """The next trial that gets a free worker.

        Not one whose own worker is starting: Tune would end that worker and start another. If trials are shorter than a
        start, this would repeat, and a machine that joins, or a slot whose worker died, would never be used.
        """
        if self._driver.pausing or self.fatal is not None:
            return None
        if self._here.address is not None:  # one more than there are workers, for a machine that joins
            workers = len(ray_private.live_actors(tune_controller))
            ray_private.allow_pending_trials(tune_controller, max(self._here.slots, workers + 1))
        has_worker = ray_private.trials_with_actors(tune_controller)
        waiting = (trial for trial in tune_controller.get_trials() if trial.status == Trial.PENDING)
        return next((trial for trial in waiting if trial not in has_worker), None)


class _End(_Local, Stopper):
    """Ends the session early: at once if the driver fails, after the last run has paused if the driver pauses."""

    def __init__(self, driver: Driver, judge: _Judge) -> None:
        self._driver, self._judge = driver, judge

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        return False

    def stop_all(self) -> bool:
        return self._judge.fatal is not None or (self._driver.pausing is not None and not self._driver.active)


class _Starts(_Local, tune.Callback):
    """Tells the driver when a worker begins a run, and the display and Ray's metrics when to update."""

    def __init__(self, judge: _Judge, watcher: Watcher, gauges: Gauges) -> None:
        self._judge, self._watcher, self._gauges = judge, watcher, gauges

    def on_trial_start(self, iteration: int, trials: list[Trial], trial: Trial, **info: Any) -> None:
        self._judge.started(trial)

    def on_step_end(self, iteration: int, trials: list[Trial], **info: Any) -> None:
        self._judge.look()
        self._watcher.refresh()
        self._gauges.refresh()


#: Fields that Tune adds to every result and the ledger does not record.
_TUNES = frozenset(
    {
        "trial_id",
        "date",
        "timestamp",
        "time_this_iter_s",
        "time_total_s",
        "hostname",
        "node_ip",
        "time_since_restore",
        "training_iteration",
        "iterations_since_restore",
        "done",
        "episodes_total",
        "timesteps_total",
        "config",
        "experiment_tag",
    }
)


def _answer(result: dict[str, Any]) -> dict[str, Any]:
    return {k: v for k, v in result.items() if k not in _TUNES and "/" not in k}


#: What Ray says about a dead worker, and what that means.
_DEATHS = {
    "node running low on memory": "its machine ran out of memory",
    "its node has died": "its machine died or was cut off",
    "its node is dead": "its machine died or was cut off",
    "the node it was running on is dead": "its machine died or was cut off",
    "its worker process has died": "the worker's process died: killed, perhaps for memory",
    "is temporarily unavailable": "the worker's process cannot be reached",
}


_UNFIT = f"{UnfitError.__module__}.{UnfitError.__name__}: "


def _error(trial: Trial) -> str:
    """Tune's error file, which holds the traceback of a worker that raised."""
    file = Path(trial.local_path or "") / (trial.run_metadata.error_filename or "")
    text = file.read_text() if file.is_file() else ""
    logging.getLogger(__name__).debug(text)
    return text


def is_gpu_fault(text: str) -> bool:
    """Whether a worker's error may be a fault of the GPU, which ends every process that uses that through MPS.

    MPS reports a fault to all of them, and does not say which one caused it. Not every error of CUDA is such a fault,
    but only too little memory is surely none.
    """
    found = re.search(r"\b(?:CUDA|cuDNN)(?: driver| Frontend)? error: (.*)|Error 80\d: .*MPS", text)
    return found is not None and not re.match(r"out of memory|\w*ALLOC_FAILED", found[1] or "")


def unfit_of(text: str) -> str | None:
    """The machine that can train nothing, and why, in one line; None if a worker's error is of another kind."""
    if "failed to import on the worker" in text:  # Ray's words where our modules are missing or broken
        address = re.search(r"^\s*ip: (\S+)", text, re.MULTILINE)
        return f"{address[1] if address else 'a machine'}: {reason_of(text)}"
    return reason_of(text) if _UNFIT in text else None


def reason_of(text: str) -> str:
    """Why a worker failed, in one line. text: its error, of which the last line that names an error begins it."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    named = [i for i, line in enumerate(lines) if re.match(r"[\w.]*(Error|Exception|Interrupt|Exit)\b", line)]
    found = " ".join(lines[named[-1] if named else -1 :]) or "the worker failed without an error"
    found = found.removeprefix(_UNFIT)
    if (death := next((meaning for sign, meaning in _DEATHS.items() if sign in text), None)) is None:
        return found
    imported = ray_logs.import_error(text)
    return f"a worker cannot import what it needs: {imported}" if imported else death
