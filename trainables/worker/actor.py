"""The warm worker: one Ray actor per slot, which keeps its process, torch and the images from trial to trial.

This is the only module of `trainables` that imports Ray. The driver imports it too, and does not need torch.
"""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from architectures.errors import one_line
from trainables import collection
from trainables.limits import UnfitError

with collection.paused():
    import ray
    from ray import tune
    from ray.actor import ActorHandle

    from trainables.data.images import Images
    from trainables.files import Folder
    from trainables.worker.task import Task

if TYPE_CHECKING:
    from trainables.worker.checkpoints import Files
    from trainables.worker.slot import Answer


@dataclass(frozen=True)
class Far:
    """A folder on another machine, reached through an actor there."""

    keeper: ActorHandle
    """An actor of class `Folder`."""

    def write(self, name: str, data: bytes | memoryview) -> None:
        """As `Folder.write`; raises OSError too if the machine cannot be reached."""
        self._ask(self.keeper.write.remote(name, bytes(data)))

    def read(self, name: str) -> bytes:
        """As `Folder.read`."""
        return self._ask(self.keeper.read.remote(name))

    def _ask(self, answer: Any) -> Any:
        try:
            return ray.get(answer)
        except ray.exceptions.RayActorError as error:
            raise OSError("the driver's machine cannot be reached") from error
        except ray.exceptions.RayTaskError as error:  # of no error number, and with a traceback in its text
            raise error.cause from None


@dataclass(frozen=True)
class Place:
    """Where checkpoints lie."""

    folder: Folder
    """The folder."""
    node: str | None = None
    """The node that has it, if other nodes do not reach it."""
    keeper: ActorHandle | None = None
    """The actor through which other nodes reach it."""

    def from_here(self) -> "Files":
        """The access to it from this process."""
        if self.keeper is None or ray.get_runtime_context().get_node_id() == self.node:
            return self.folder
        return Far(self.keeper)


class Worker(tune.Trainable):
    """A Tune trainable around a `Slot`."""

    def setup(
        self,
        config: dict[str, Any],
        *,
        train: Images,
        validation: Images | None,
        place: Place,
        threads: int,
        show: Callable[[str], None] = lambda _: None,
        versions: Mapping[str, str] | None = None,
        folder: str | None = None,
        **slot: Any,
    ) -> None:
        """Prepare the process once, then take the first run. Images come from Ray's object store, shared by all.

        show: displays what this process trains now. versions: the driver's, which must equal this process's. folder:
        where a user's own networks are looked up, after everything else. slot: more arguments of `Slot`.

        Raises UnfitError if this machine can train nothing.
        """
        _check_versions(versions or {})
        try:
            with collection.paused():
                import torch  # in the worker's process alone

                from trainables.memory import keep_freed_memory
                from trainables.worker.slot import Slot
        except (ImportError, OSError) as error:
            raise UnfitError(f"{os.uname().nodename} cannot import what a worker needs: {one_line(error)}") from error

        if folder is not None:  # only now, as it may hold a file with the name of a library that torch can do without
            sys.path.append(folder)
        keep_freed_memory()
        torch.set_num_threads(threads)
        self._slot = Slot(place.from_here(), train=train, validation=validation, **slot)
        self._show = show
        self._begin(Task(**config["task"]))

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next run; always possible."""
        self._begin(Task(**new_config["task"]))
        return True

    def _begin(self, task: Task) -> None:
        self._doing = describe(task)
        print(self._doing, flush=True)  # into the worker's log, which Ray's dashboard shows below its actor
        self._slot.begin(task)

    def step(self) -> "Answer":
        """As `Slot.step`."""
        self._show(self._doing)
        return self._slot.step()

    def __repr__(self) -> str:
        return "hpsearch worker"


def describe(task: Task) -> str:
    """What a worker trains, in one line of plain words."""
    optimizer, run = task.config["optimizer"], f"{task.trial}-{task.repeat}" if task.repeat else f"{task.trial}"
    return f"trial {run}: {task.config['network']['name']}, {optimizer['name']} {optimizer['lr']:.2g}"


def versions() -> dict[str, str]:
    """Versions that driver and workers must agree on: the same code, and the same arithmetic."""
    return {package: version(package) for package in ("hpsearch", "torch")}


def _check_versions(wanted: Mapping[str, str]) -> None:
    for package, ours in versions().items():
        theirs = wanted.get(package, ours)
        if ours != theirs:
            raise UnfitError(
                f"{os.uname().nodename} has {package} {ours} and the driver {theirs}: install the same version"
            )
