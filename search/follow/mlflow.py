"""MLflow: an experiment for the search and an MLflow run for each run, in a database in the search's folder.

If MLFLOW_TRACKING_URI names a server or another database, they are written there.
"""

import logging
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from architectures.errors import one_line
from search.follow import run_values
from search.follow.sink import SinkError
from search.history.events import FINAL, State
from search.history.record import Key, Run
from search.history.store import Search

# Read when mlflow is imported: by default it reports its use over the network, and tries for minutes to reach a server.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "4")

import mlflow
from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

_SEARCH, _RUN = "hpsearch.search", "hpsearch.run"
_WRITTEN, _END = "hpsearch.written", "hpsearch.end"
_PARENT = "mlflow.parentRunId"
_KIND = {"mlflow.experimentKind": "custom_model_development"}  # the page then begins with the runs
_STATUSES = {
    State.DONE: "FINISHED",
    State.STOPPED: "KILLED",
    State.DIVERGED: "FAILED",
    State.INFEASIBLE: "FAILED",
    State.FAILED: "FAILED",
}
_MEASUREMENTS = 80  # in one call, which takes 1,000 values: nine for each, and parameters and tags


def make(folder: Path, search: Search) -> "MlflowSink":
    """The sink on a folder, or on what MLFLOW_TRACKING_URI names."""
    return MlflowSink(folder, search)


@dataclass
class _Known:
    """What MLflow has about a run."""

    id: str
    """MLflow's id of it."""
    written: str = ""
    """Its tag for what has been written: the number of measurements, and a digest of them."""
    end: str = ""
    """Its tag for the run's state when that was written."""
    status: str = "RUNNING"
    """MLflow's status."""

    @property
    def count(self) -> int:
        """The number of measurements that have been written."""
        return int(self.written.partition(" ")[0] or 0)


class MlflowSink:
    """Steps are training images. Tags give a run's state; a run that the scheduler stopped is KILLED in MLflow.

    The tags `hpsearch.search` and `hpsearch.run` identify a run, so an existing one is continued. Values of a metric
    cannot change in MLflow: a run that is trained again from an earlier point is deleted, which MLflow can undo, and
    added again. Retrains are children of their trials.
    """

    def __init__(self, folder: Path, search: Search) -> None:
        for library in ("mlflow", "alembic"):
            logging.getLogger(library).setLevel(logging.ERROR)  # they log how the database's tables are made
        self._search = run_values.identity(search)
        own = f"sqlite:///{folder.absolute() / 'mlflow.db'}"
        self._uri = os.environ.get("MLFLOW_TRACKING_URI") or own
        self._known: dict[Key, _Known] = {}
        with self._reported():
            if self._uri == own:
                _create(folder.absolute())
            self._client = MlflowClient(tracking_uri=self._uri)
            found = self._client.get_experiment_by_name(search.name)
            if found is None:
                place = (folder.absolute() / "artifacts").as_uri() if self._uri == own else None
                self._experiment = self._client.create_experiment(search.name, place, _KIND)
            else:
                self._experiment = found.experiment_id
                if found.lifecycle_stage == "deleted":
                    self._client.restore_experiment(self._experiment)
        # From an environment of its own: what is installed here only writes, and all of mlflow refuses our pyarrow.
        self.viewer = f"uvx mlflow=={mlflow.__version__} ui --backend-store-uri {self._uri}"
        if self._uri.startswith("http"):
            self.viewer = f"{self._uri.rstrip('/')}/#/experiments/{self._experiment}"

    @property
    def runs(self) -> int:
        """How many runs are written."""
        return len(self._known)

    def start(self, runs: Sequence[Run]) -> None:
        """Continue the runs that exist, and delete others that an earlier sink has left."""
        self._known = {}
        wanted = {_tag(run.key): run.key for run in runs}
        with self._reported():
            for found in self._found():
                key = wanted.get(found.data.tags[_RUN])
                if key is None or key in self._known:
                    self._client.delete_run(found.info.run_id)
                    continue
                tags = found.data.tags
                self._known[key] = _Known(
                    found.info.run_id, tags.get(_WRITTEN, ""), tags.get(_END, ""), found.info.status
                )
        self.update(runs)

    def update(self, runs: Sequence[Run]) -> None:
        """Add the runs, or what is new of them."""
        with self._reported():
            for run in sorted(runs, key=lambda run: run.key):  # trials before their retrains
                known = self._known.get(run.key)
                if known is not None and known.written and known.written != _written(run, known.count):
                    self._client.delete_run(known.id)
                    known = None
                if known is None:
                    known = self._known[run.key] = self._add(run)
                self._write(known, run)

    def close(self) -> None:
        """Nothing is left open."""

    def _found(self) -> Iterator[Any]:
        """The search's runs."""
        token = None
        while True:
            page = self._client.search_runs(
                [self._experiment], f"tags.`{_SEARCH}` = '{self._search}'", page_token=token
            )
            yield from page
            token = page.token
            if not token:
                return

    def _add(self, run: Run) -> _Known:
        trial, repeat = run.key
        tags = {_SEARCH: self._search, _RUN: _tag(run.key)}
        if repeat and (trial, 0) in self._known:
            tags[_PARENT] = self._known[trial, 0].id
        began = round(run.asked.time * 1000)
        added = self._client.create_run(self._experiment, began, tags, run_name=run_values.name(run))
        return _Known(added.info.run_id)

    def _write(self, known: _Known, run: Run) -> None:
        """Write what MLflow lacks of a run. Each call notes in a tag, after the values, what it has written."""
        while known.written != (now := _written(run, min(len(run.measurements), known.count + _MEASUREMENTS))):
            upto = int(now.partition(" ")[0])
            values = [value for n in range(known.count, upto) for value in _metrics(run, n)]
            params = [] if known.written else [Param(k, str(v)) for k, v in run_values.hyperparameters(run).items()]
            self._client.log_batch(known.id, values, params, [RunTag(_WRITTEN, now)])
            known.written = now
        end = run_values.digest(run_values.end(run))
        if known.end != end:
            last = _last(run)
            values = [Metric(k, v, *last) for k, v in run_values.finals(run).items()] if run.state in FINAL else []
            tags = [RunTag("state", run_values.state(run)), RunTag("reason", run.reason or ""), RunTag(_END, end)]
            self._client.log_batch(known.id, values, [], tags)
            known.end = end
        status = _STATUSES.get(run.state, "RUNNING")
        if known.status != status:
            if run.state in FINAL:
                self._client.set_terminated(known.id, status, round(run_values.last_time(run) * 1000))
            else:
                self._client.update_run(known.id, status)
            known.status = status

    @contextmanager
    def _reported(self) -> Iterator[None]:
        """MLflow's errors as one line."""
        try:
            yield
        except (MlflowException, SQLAlchemyError) as error:
            raise SinkError(f"MLflow at {self._uri} refuses the search: {one_line(error)}") from error


def _create(folder: Path) -> None:
    """Make the database unless there is one; under another name first, so that a kill leaves no incomplete one."""
    path, begun = folder / "mlflow.db", folder / "begun.db"
    if not path.exists():
        begun.unlink(missing_ok=True)
        MlflowClient(tracking_uri=f"sqlite:///{begun}")
        begun.rename(path)


def _tag(key: Key) -> str:
    trial, repeat = key
    return f"{trial}-{repeat}" if repeat else str(trial)


def _written(run: Run, count: int) -> str:
    """The tag after the first `count` measurements have been written; "0 …" after the parameters alone."""
    return f"{count} {run_values.digest(run_values.past(run)[:count])}"


def _metrics(run: Run, number: int) -> list[Metric]:
    """The values of a measurement."""
    measured = run.measurements[number]
    values = run_values.curves(measured) | {"epoch": measured.epoch}
    return [Metric(name, value, round(measured.time * 1000), measured.images) for name, value in values.items()]


def _last(run: Run) -> tuple[int, int]:
    """The time and the step of final values."""
    images = run.measurements[-1].images if run.measurements else 0
    return round(run_values.last_time(run) * 1000), images
