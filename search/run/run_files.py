"""The files of a search's runs: from which checkpoint a run continues, which files may be removed, and when."""

import re
import warnings
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path

from architectures.errors import one_line
from search.history.events import FINAL, State
from search.history.record import Record, Run
from search.history.store import retrain_folder
from search.storage.mirror import Mirror
from trainables import files
from trainables.files import NETWORK_FILES, Folder
from trainables.predictions import PREDICTIONS
from trainables.worker.task import Task


class RunFiles:
    """The checkpoints of one search, and trained networks until they are moved to their folders."""

    def __init__(self, folder: Path, *, checkpoints: Folder | None = None, mirror: Mirror | None = None) -> None:
        """folder: the search's. checkpoints: a place that all machines reach, by default one in the search's folder.
        mirror: copies the record to a storage, if the search has one.
        """
        self._folder = folder.absolute()  # workers have another working folder
        self.search = self._folder.name
        self._mirror = mirror
        self.is_shared = checkpoints is not None
        self.checkpoints = checkpoints or Folder(str(self._folder / "checkpoints"))
        self._unusable: set[str] = set()
        self._has_complained = False  # that a file cannot be deleted

    def usable(self, run: Run) -> str | None:
        """The name of the checkpoint that a run can continue from, if there is one."""
        name = run.checkpoint
        if not name or name in self._unusable:
            return None
        if self._mirror is not None and self._mirror.is_failing:
            return name  # asking could take ten seconds, in which the driver hears no worker
        with suppress(OSError):  # a storage that is unavailable now may be back when the worker reads
            return name if self.checkpoints.has(name) else None
        return name

    def refuse(self, name: str) -> None:
        """Never continue from this checkpoint again: a worker could not read it."""
        self._unusable.add(name)

    def note(self, task: Task) -> str | None:
        """The reason that a worker wrote before it ended itself; None if it wrote none."""
        try:
            return self.checkpoints.read(f"{task.prefix}.reason").decode()
        except OSError:
            return None

    def collect(self, task: Task, run: Run) -> None:
        """Move a trained network, which a worker wrote under its attempt's name, to its folder.

        Raises OSError without one of its files. It is no FileNotFoundError, as a file that a worker has written is only
        not here yet, or where this machine does not look.
        """
        for name in [*(NETWORK_FILES if task.weights else ()), *([PREDICTIONS] if task.fold else ())]:
            written = f"{task.prefix}+{name}"
            try:
                data = self.checkpoints.read(written)
            except FileNotFoundError as error:
                where = files.shown(self.checkpoints.location)
                raise OSError(f"{written} is not in {where} on the driver's machine") from error
            files.write(retrain_folder(self._folder, run) / name, data)

    def lend(self, run: Run, teachers: Iterable[Run]) -> tuple[str, ...]:
        """Put the teachers' networks where a worker reads them while it trains this run; returns their names there."""
        names = []
        for place, teacher in enumerate(teachers, 1):
            names.append(f"{run.key[0]}-{run.key[1]}-{run.attempt + 1}-teacher-{place}")
            for part in NETWORK_FILES:
                with suppress(FileNotFoundError):  # deleted by someone; the worker says so, and the run fails
                    data = (retrain_folder(self._folder, teacher) / part).read_bytes()
                    self.checkpoints.write(f"{names[-1]}+{part}", data)
        return tuple(names)

    def release(self, run: Run) -> None:
        """Remove what a run that has ended no longer needs, and leftovers of its older attempts."""
        if run.checkpoint:
            self.remove(run.checkpoint)
        if run.attempt > 1 or run.key[1] or run.is_kept:
            trial, repeat = run.key
            with suppress(OSError):  # an unavailable storage keeps them until the next sweep
                for name in self._names(f"{trial}-{repeat}-"):
                    self.remove(name)

    def remove(self, name: str) -> None:
        """Delete a file, once every copy of the record shows that it is not needed."""
        if self._mirror is None:
            self._delete(partial(self.checkpoints.remove, name))
        else:
            self._mirror.when_stored(lambda: self.checkpoints.remove(name))

    def _delete(self, step: Callable[[], None]) -> None:
        """Run a step that deletes a file. If it cannot be deleted, that is said once; the next sweep tries it again."""
        try:
            step()
        except OSError as error:
            if not self._has_complained:
                self._has_complained = True
                warnings.warn(f"a file that is no longer needed cannot be deleted: {one_line(error)}", stacklevel=3)

    def sweep(self, record: Record) -> None:
        """Remove what a killed session left: files that no unfinished run needs, and half-written ones."""
        self.sweep_checkpoints(record)
        for path in self._folder.rglob("*.tmp"):
            self._delete(partial(files.remove, path))

    def sweep_checkpoints(self, record: Record) -> None:
        """Remove the files of workers that no unfinished run needs."""
        needed = {run.checkpoint for run in record.runs.values() if run.state not in FINAL}
        with suppress(OSError):  # an unavailable storage keeps them until the next sweep
            for name in self.checkpoints.names():
                if name not in needed and re.match(r"\d+-\d+-\d+[-+.]", name):  # only files of ours
                    self.remove(name)

    def release_paused(self, runs: Iterable[Run]) -> None:
        """Remove the checkpoints of runs that stay paused, as the search is finished."""
        for run in runs:
            if run.state is State.PAUSED:
                self.release(run)

    def _names(self, prefix: str) -> list[str]:
        return [name for name in self.checkpoints.names() if name.startswith(prefix)]


def images_of(checkpoint: str) -> int:
    """The images that a checkpoint's training has seen, which are the end of its name."""
    return int(Path(checkpoint).stem.rpartition("-")[2])


class NoFiles(RunFiles):
    """For a simulation, which writes no files."""

    def __init__(self) -> None:
        """Keep nothing."""

    def usable(self, run: Run) -> str | None:
        """The checkpoint's name in the record."""
        return run.checkpoint

    def note(self, task: Task) -> str | None:
        """None: simulated workers write nothing."""
        return None

    def release(self, run: Run) -> None:
        """Nothing to remove."""

    def remove(self, name: str) -> None:
        """Nothing to remove."""

    def sweep(self, record: Record) -> None:
        """Nothing to remove."""

    def sweep_checkpoints(self, record: Record) -> None:
        """Nothing to remove."""
