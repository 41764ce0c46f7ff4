"""Weights & Biases: a W&B run for each run, in one group, on its server or, offline, in the folder.

WANDB_MODE, WANDB_PROJECT, WANDB_ENTITY, WANDB_BASE_URL and the login work as in the library.
"""

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from architectures.errors import one_line
from search.follow import run_values
from search.follow.sink import SinkError
from search.history.events import FINAL
from search.history.record import Key, Run
from search.history.store import Search
from trainables import files

os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # read when wandb is imported: it reports its own errors

import wandb
from pydantic import ValidationError

_FLUSH_SECONDS = 0.5


def make(folder: Path, search: Search) -> "WandbSink":
    """The sink on a folder, which offline runs and the library's logs go to."""
    return WandbSink(folder, search)


@dataclass
class _Open:
    """A run that has not ended."""

    run: wandb.Run
    """The library's run."""
    past: list[tuple[int, int]] = field(default_factory=list)
    """The attempt and the images of each measurement that it was given."""


class WandbSink:
    """Steps are training images. The state of a run that has ended is its tag, and is in its summary.

    A run's name on the server is made of the search and the trial, so an existing one is continued. Its past cannot
    change there: if a trial is trained again from an earlier point, only values after the last step are added.
    Offline such a run is written again. Runs that have ended and are written are noted in `written.json`.
    """

    def __init__(self, folder: Path, search: Search) -> None:
        self._folder = folder.absolute()
        self._search, self._identity = search.name, run_values.identity(search)
        with _reported():
            self._settings = wandb.Settings(
                console="off",
                silent=True,
                disable_git=True,
                disable_code=True,
                disable_job_creation=True,
                x_save_requirements=False,
                x_disable_stats=True,  # of this process, which trains nothing
                x_disable_meta=True,
                x_disable_machine_info=True,
                x_transaction_log_flush_interval=_FLUSH_SECONDS,
            )
            settings = wandb.setup(self._settings).settings
        if settings.mode == "disabled":
            raise SinkError("with WANDB_MODE=disabled nothing is written; use offline or online")
        self._offline = settings.mode in ("offline", "dryrun")
        self._open: dict[Key, _Open] = {}
        self._noted = self._folder / "written.json"
        self._written: dict[str, str] = {}
        with suppress(OSError, ValueError):
            self._written = json.loads(self._noted.read_text(encoding="utf-8"))
        self.viewer = f"wandb sync {self._folder}/wandb/offline-run-*" if self._offline else settings.base_url

    @property
    def runs(self) -> int:
        """How many runs are written."""
        return len(self._open) + len(self._written)

    def start(self, runs: Sequence[Run]) -> None:
        """Write the runs that are not noted as written; offline, remove runs that are not among these."""
        with _reported():
            for held in self._open.values():
                held.run.finish()
        self._open = {}
        wanted = {self._id(run) for run in runs}
        self._written = {
            name: digest
            for name, digest in self._written.items()
            if name in wanted and (not self._offline or self._folders(name))
        }
        for folder in self._folder.glob("wandb/offline-run-*"):
            if not any(folder.name.endswith(f"-{name}") for name in wanted):
                shutil.rmtree(folder)
        self.update(runs)

    def update(self, runs: Sequence[Run]) -> None:
        """Add to the runs; one that has ended is finished."""
        with _reported():
            for run in runs:
                if self._written.get(self._id(run)) != self._digest(run):
                    self._write(run)

    def close(self) -> None:
        """Finish the runs that are open, wait for the library, and note what it has written."""
        with _reported():
            wandb.teardown()
        files.write(self._noted, json.dumps(self._written, indent=0).encode())

    def _write(self, run: Run) -> None:
        held, past = self._open.get(run.key), run_values.past(run)
        if held is not None and held.past != past[: len(held.past)]:
            held.run.finish()
            held = None
        if held is None:
            held = self._open[run.key] = self._begin(run)
        for measured in run.measurements[len(held.past) :]:
            if measured.images >= held.run.step:  # else it is on the server already
                row = {"epoch": measured.epoch, **run_values.curves(measured)}
                held.run.log(row, step=measured.images, commit=True)
        held.past = past
        if run.state in FINAL:
            held.run.summary.update({"state": run_values.state(run), "reason": run.reason, **run_values.finals(run)})
            held.run.tags = (run_values.state(run),)
            held.run.finish(exit_code=0 if run_values.is_well(run) else 1)
            del self._open[run.key]
            self._written[self._id(run)] = self._digest(run)

    def _begin(self, run: Run) -> _Open:
        name = self._id(run)
        self._written.pop(name, None)
        for folder in self._folders(name):
            shutil.rmtree(folder)
        given = {key: value for key, value in run_values.hyperparameters(run).items() if value is not None}
        begun = wandb.init(
            project=os.environ.get("WANDB_PROJECT", "hpsearch"),
            id=name,
            name=run_values.name(run),
            group=self._search,
            job_type="retrain" if run.key[1] else "trial",
            config=given,
            dir=self._folder,
            resume="allow",
            reinit="create_new",
            settings=self._settings,
        )
        if begun.url:
            self.viewer = begun.project_url or self.viewer
        return _Open(begun)

    def _folders(self, name: str) -> list[Path]:
        """Where the library has written a run."""
        return list(self._folder.glob(f"wandb/*run-*-{name}"))

    def _id(self, run: Run) -> str:
        return f"{self._identity}-{run_values.name(run)}"

    def _digest(self, run: Run) -> str:
        """The digest noted for a run that has ended; a run with another one is written."""
        return run_values.digest(self._offline, run_values.past(run), run_values.end(run))


@contextmanager
def _reported() -> Iterator[None]:
    """The library's errors as one line."""
    try:
        yield
    except ValidationError as error:  # of a variable's value
        first = error.errors()[0]
        name = "_".join(map(str, first["loc"])).upper()
        raise SinkError(f"WANDB_{name} is refused by its library: {first['msg']}; got '{first['input']}'") from error
    except wandb.Error as error:
        raise SinkError(f"Weights & Biases refuses the search: {one_line(error)}") from error
