"""The inline engine: trains in this process, one trial at a time, without Ray. For debuggers, notebooks and tests."""

import logging

import torch

from architectures.errors import one_line
from search.run.driver import Driver
from search.run.engines.engine import Watcher, Work
from trainables.memory import keep_freed_memory
from trainables.worker.slot import Slot
from trainables.worker.task import Task


def train(driver: Driver, work: Work, watcher: Watcher) -> None:
    """Train everything that the driver hands out, one task after the other.

    There is no watchdog, as a debugger may stop the process for long.
    """
    here = work.here
    keep_freed_memory()
    torch.set_num_threads(here.threads)
    slot = Slot(
        driver.files.checkpoints,
        train=work.train,
        validation=work.validation,
        device=here.device,
        precision=here.precision,
    )
    while (task := driver.next_task()) is not None:
        driver.started(task)
        _run(driver, slot, task, watcher)


def _run(driver: Driver, slot: Slot, task: Task, watcher: Watcher) -> None:
    """Train one task until the driver ends it or its code fails."""
    slot.begin(task)
    goes_on = True
    while goes_on:
        try:
            answer = slot.step()
        except Exception as error:  # a network of the user's own may raise anything
            logging.getLogger(__name__).debug("trial %d failed", task.trial, exc_info=True)
            driver.failed(task, one_line(error, named=True))
            return
        goes_on = driver.measured(task, answer)
        watcher.refresh()
