"""Optuna: a study in a journal file, which optuna-dashboard shows, also while it grows."""

import json
import os
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend, JournalFileSymlinkLock
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial

from search.follow import run_values
from search.history.hyperparameters import hyperparameters_of
from search.history.metric import METRICS
from search.history.optuna_trial import optuna_trial, params_of
from search.history.record import Run
from search.history.store import Search

_FILE = "journal.log"
_LOCK_SECONDS = 1.0  # a dashboard holds Optuna's lock for less; an older one was left by a kill


def make(folder: Path, search: Search) -> "OptunaSink":
    """The sink on a folder."""
    return OptunaSink(folder, search.name)


class OptunaSink:
    """The study has the search's name and a trial for each of the search's own; retrains are left out.

    Values are those of the search's metric; the user attributes have both accuracies of the best measurement.

    Optuna numbers trials as they are added; the user attribute `trial` is the number that hpsearch gave. A journal can
    only be added to, and a finished trial in it cannot change: if the past has changed, as when a failed trial is
    trained again, the study is deleted in the journal and added again.
    """

    def __init__(self, folder: Path, search: str) -> None:
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        path = folder / _FILE
        _repair(path)
        self._storage = JournalStorage(JournalFileBackend(str(path), _Lock(str(path))))
        self._name = search
        self._runs: dict[int, Run] = {}
        self._trials: dict[int, FrozenTrial] = {}  # as they are in the journal, by the number that hpsearch gave
        self._ids: dict[int, int] = {}  # Optuna's ids of them
        self.viewer = f"optuna-dashboard {path}"

    @property
    def runs(self) -> int:
        """How many trials the study holds."""
        return len(self._trials)

    def start(self, runs: Sequence[Run]) -> None:
        """Continue the study in the journal if it fits these runs, else make it again."""
        self._runs = {run.key[0]: run for run in runs if run.key[1] == 0}
        try:
            self._study = self._storage.get_study_id_from_name(self._name)
        except KeyError:
            self._study = self._create()
        trials = self._storage.get_all_trials(self._study)
        self._trials = {trial.user_attrs["trial"]: trial for trial in trials}
        self._ids = {
            number: self._storage.get_trial_id_from_study_id_trial_number(self._study, trial.number)
            for number, trial in self._trials.items()
        }
        if self._trials.keys() <= self._runs.keys():
            self.update(runs)
        else:
            self._anew()

    def update(self, runs: Sequence[Run]) -> None:
        """Add the runs' trials, or what is new of them."""
        own = {run.key[0]: run for run in sorted(runs, key=lambda run: run.key) if run.key[1] == 0}
        self._runs |= own
        wanted = {number: _trial_of(run) for number, run in own.items()}
        if all(_can_become(self._trials[n], trial) for n, trial in wanted.items() if n in self._trials):
            for number, trial in wanted.items():
                self._write(number, trial)
        else:
            self._anew()

    def close(self) -> None:
        """Nothing is left open."""

    def _create(self) -> int:
        return self._storage.create_new_study([StudyDirection.MAXIMIZE], self._name)

    def _anew(self) -> None:
        self._storage.delete_study(self._study)
        self._study, self._trials = self._create(), {}
        for number, run in sorted(self._runs.items()):
            self._write(number, _trial_of(run))

    def _write(self, number: int, trial: FrozenTrial) -> None:
        """Add a trial, or what the one in the journal lacks."""
        have = self._trials.get(number)
        self._trials[number] = trial
        if have is None:
            self._ids[number] = self._storage.create_new_trial(self._study, template_trial=trial)
            return
        for step, value in trial.intermediate_values.items():
            if have.intermediate_values.get(step) != value:
                self._storage.set_trial_intermediate_value(self._ids[number], step, value)
        if trial.state != have.state:
            for key, value in trial.user_attrs.items():
                if have.user_attrs.get(key) != value:
                    self._storage.set_trial_user_attr(self._ids[number], key, value)
            self._storage.set_trial_state_values(self._ids[number], trial.state, trial.values)


class _Lock(JournalFileSymlinkLock):
    """Optuna's usual lock, which a Ctrl-C may interrupt."""

    def release(self) -> None:
        """As Optuna's; if its clean-up after a Ctrl-C fails, raise the Ctrl-C, which that error would hide."""
        try:
            super().release()
        except FileNotFoundError as error:
            raise error.__context__ or error from None


def _trial_of(run: Run) -> FrozenTrial:
    """The run as Optuna's trial, with the times and attributes for the dashboard."""
    trial = optuna_trial(run)
    trial.datetime_start = datetime.fromtimestamp(run.asked.time, UTC)
    trial.user_attrs = {"trial": run.key[0], "config": json.dumps(run.config), **hyperparameters_of(run.config)}
    if trial.state.is_finished():
        trial.datetime_complete = datetime.fromtimestamp(run_values.last_time(run), UTC)
        trial.user_attrs |= {"state": run_values.state(run), "reason": run.reason}
        trial.user_attrs |= {f"best_{name}": run.at_best(name) for name in METRICS.values()}
    return trial


def _can_become(have: FrozenTrial, wanted: FrozenTrial) -> bool:
    """Whether additions to the journal can turn one trial into the other; times are ignored."""
    params = params_of(have.params, have.distributions)
    if params != wanted.params or have.user_attrs["config"] != wanted.user_attrs["config"]:
        return False
    if have.state.is_finished():
        return (have.state, have.values, have.intermediate_values) == (
            wanted.state,
            wanted.values,
            wanted.intermediate_values,
        )
    return have.intermediate_values.keys() <= wanted.intermediate_values.keys()


def _repair(path: Path) -> None:
    """Remove what a kill may have left: a line without its end, and a lock."""
    with suppress(FileNotFoundError):
        content = path.read_bytes()
        if not content.endswith(b"\n"):
            os.truncate(path, content.rfind(b"\n") + 1)
    lock = path.with_name(f"{path.name}.lock")
    with suppress(FileNotFoundError):
        time.sleep(max(0.0, lock.lstat().st_mtime + _LOCK_SECONDS - time.time()))
        if lock.lstat().st_mtime + _LOCK_SECONDS <= time.time():
            lock.unlink()
