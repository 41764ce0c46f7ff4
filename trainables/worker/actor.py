"""The warm worker: one Ray actor a slot, which keeps its process, torch and the images from trial to trial.

This is the only module of `trainables` that knows Ray. A worker trains an epoch a step and answers with a flat result:
the measurement, the checkpoint it wrote, and how the run stands. What follows from it is decided in the driver.
"""

import os
import threading
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pickle import UnpicklingError
from typing import Any

import ray
import torch
from ray import tune
from ray.actor import ActorHandle

from architectures.errors import one_line
from trainables.config import Config
from trainables.data.images import Images
from trainables.files import Folder, is_full
from trainables.memory import keep_freed_memory, memory_error
from trainables.resident import Resident
from trainables.saved_network import Network, network_files
from trainables.training import Measurement, Training
from trainables.worker import checkpoints, speed
from trainables.worker.task import Task
from trainables.worker.watchdog import Watchdog

CHECKPOINT_SHARE = 0.02  # of training time, at most, goes into checkpoints
_CONTEXT_BYTES = 600e6  # of GPU memory, that a process takes before its first tensor
_IMAGES_SHARE = 0.25  # of a worker's GPU memory, at most, for the training images, and again for the others
_DISK_BYTES_PER_SECOND = 100e6  # a cautious first guess; the first checkpoint measures it
_NOTE_SECONDS = 10  # at most, for writing down why a worker ends itself


#: What reading a checkpoint raises that is gone, damaged, or of something else. Any other error may pass.
_UNUSABLE = (
    FileNotFoundError,
    EOFError,
    UnpicklingError,
    LookupError,
    AttributeError,
    TypeError,
    ValueError,
    RuntimeError,
)


class _UnreadableError(Exception):
    """A checkpoint that is damaged, or of something else."""


@dataclass(frozen=True)
class Far:
    """A folder of another machine, behind an actor there: an actor of class `Folder`."""

    keeper: ActorHandle

    def write(self, name: str, data: bytes | memoryview) -> None:
        """As `Folder.write`; also an OSError when the machine is not reached."""
        self._ask(self.keeper.write.remote(name, bytes(data)))

    def read(self, name: str) -> bytes:
        """As `Folder.read`."""
        return self._ask(self.keeper.read.remote(name))

    def _ask(self, answer: Any) -> Any:
        try:
            return ray.get(answer)
        except ray.exceptions.RayActorError as error:
            raise OSError("the driver's machine is not reached") from error


@dataclass(frozen=True)
class Place:
    """Where checkpoints lie: a folder, and for workers on other nodes than `node` the actor that keeps it, if any."""

    folder: Folder
    node: str | None = None
    keeper: ActorHandle | None = None

    def from_here(self) -> checkpoints.Files:
        """The way to it from this process."""
        if self.keeper is None or ray.get_runtime_context().get_node_id() == self.node:
            return self.folder
        return Far(self.keeper)


class Worker(tune.Trainable):
    """A Tune trainable with nothing of the last trial left behind after `reset_config`."""

    def setup(
        self,
        config: dict[str, Any],
        *,
        train: Images,
        validation: Images | None,
        place: Place,
        threads: int,
        device: str,
        precision: str,
        sharers: int = 0,
        timeout: float | None = None,
        versions: Mapping[str, str] | None = None,
    ) -> None:
        """Prepare the process once, then the first run. Images come from Ray's object store, shared by all workers.

        sharers: workers on this one's GPU, each of which gets an equal part of its memory and no more. timeout:
        seconds without progress after which this process ends itself. versions: the driver's, which must be these.
        """
        _check_versions(versions or {})
        keep_freed_memory()
        torch.set_num_threads(threads)
        room = _IMAGES_SHARE * _fence_memory(sharers) if sharers else None
        self._precision = precision
        self._classes = train.classes
        self._files = place.from_here()
        self._train = Resident.of(train, device, room=room)
        self._validation = Resident.of(validation, device, room=room) if validation is not None else None
        self._bytes_per_second = _DISK_BYTES_PER_SECOND
        self._watchdog = Watchdog(timeout, self._progress, self._give_up) if timeout else None
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """Take the next run; always possible."""
        self._begin(new_config)
        return True

    def _begin(self, config: dict[str, Any]) -> None:
        self._task = Task(**config["task"])
        self._training: Training | None = None
        self._since_checkpoint = 0.0
        self._calibrate = self._task.calibrate

    def step(self) -> dict[str, Any]:
        """Train one epoch: the measurement's fields, `state`, `checkpoint`, its seconds, `host` and `pid`.

        A task with something to calibrate has that as its first step, which answers with `speeds` alone. Without a
        measurement `state` says why: "out of memory", "unreadable" when a checkpoint is, or "interrupted" when a
        network could not be written. `full` says that a disk is.
        """
        if self._watchdog is None:
            return self._step()
        with self._watchdog.watching():
            return self._step()

    def _step(self) -> dict[str, Any]:
        began = time.time()
        if self._calibrate:
            configs, self._calibrate = [Config.from_json(each) for each in self._calibrate], ()
            speeds = speed.measure(configs, self._train, precision=self._precision, budget=speed.SECONDS)
            return self._answer(began, state="calibrated", speeds=[each and asdict(each) for each in speeds])
        try:
            self._training = self._training or self._make_training()
            measurement = self._training.run_epoch()
        except _UnreadableError as error:
            return self._answer(began, state="unreadable", reason=str(error))
        except (RuntimeError, MemoryError) as error:
            if (cause := memory_error(error)) is None:
                raise
            # The failed step's tensors hang on its frames; without them the next trial has the memory back.
            self._training = None
            return self._answer(began, state="out of memory", reason=str(cause).partition("\n")[0])
        if not measurement.finite:
            return self._answer(began, state="diverged", reason="the loss is not finite", **asdict(measurement))
        return self._keep(began, self._training, measurement)

    def _keep(self, began: float, training: Training, measurement: Measurement) -> dict[str, Any]:
        """Write the trained network, or a checkpoint if one is due, and answer."""
        saved = time.perf_counter()
        kept: dict[str, Any] = {"state": "done" if training.finished else "running"}
        try:
            if training.finished:
                self._write_network(training)
            elif self._checkpoint_is_due(training, measurement.seconds):
                kept["written"] = self._write_checkpoint(training)
        except OSError as error:
            kept |= {"trouble": f"cannot write a checkpoint: {error}"}
            if is_full(error):
                kept["full"] = str(error)
            if training.finished:  # what is not kept is not done
                return self._answer(began, **kept | {"state": "interrupted", "reason": str(error)})
        cost = time.perf_counter() - saved
        return self._answer(began, **kept, checkpoint_seconds=cost, **asdict(measurement))

    def _make_training(self) -> Training:
        training = Training(
            Config.from_json(self._task.config),
            self._train,
            self._validation,
            seed=self._task.seed,
            precision=self._precision,
            micro_batch=self._task.micro_batch,
        )
        if name := self._task.resume_from:
            try:
                training.restore(checkpoints.load(self._files, name))
            except _UNUSABLE as error:
                if memory_error(error):
                    raise
                reason = one_line(error)
                raise _UnreadableError(f"the checkpoint {name} cannot be used: {reason}") from error
        return training

    def _answer(self, began: float, *, written: str | None = None, **fields: Any) -> dict[str, Any]:
        return {**fields, "checkpoint": written, "began": began, "host": os.uname().nodename, "pid": os.getpid()}

    def _checkpoint_is_due(self, training: Training, seconds: float) -> bool:
        """Whether a checkpoint now costs at most its share of the training since the last one."""
        self._since_checkpoint += seconds
        if self._task.deadline is not None and time.time() > self._task.deadline:
            return True
        return _size(training.state()) / self._bytes_per_second <= CHECKPOINT_SHARE * self._since_checkpoint

    def _write_checkpoint(self, training: Training) -> str:
        """Write the state beside the older checkpoint, which the driver deletes once the new one is recorded."""
        name = f"{self._task.prefix}-{training.images}.pt"
        began = time.perf_counter()
        written = checkpoints.save(self._files, name, training.state())
        self._bytes_per_second = written / max(time.perf_counter() - began, 1e-6)
        self._since_checkpoint = 0.0
        return name

    def _write_network(self, training: Training) -> None:
        """Write a retrain's network under this attempt's name; the driver puts it in its place."""
        if self._task.weights:
            shape = tuple(self._train.pixels.shape[1:])
            network = Network(training.model, training.config, shape, self._classes)
            for name, data in network_files(network).items():
                self._files.write(f"{self._task.prefix}+{name}", data)

    def _progress(self) -> tuple[str, int]:
        """What changes as long as this worker gets on."""
        return self._task.prefix, self._training.images if self._training else 0

    def _give_up(self, reason: str) -> None:
        """End this process; the note says why, unless even that makes no progress."""
        note = threading.Thread(
            target=self._files.write, args=(f"{self._task.prefix}.reason", reason.encode()), daemon=True
        )
        note.start()
        note.join(_NOTE_SECONDS)
        os._exit(1)

    def __repr__(self) -> str:
        return "hpsearch worker"


def versions() -> dict[str, str]:
    """Versions that driver and workers must agree on: the same code, and the same arithmetic."""
    return {package: version(package) for package in ("hpsearch", "torch")}


def _check_versions(wanted: Mapping[str, str]) -> None:
    for package, ours in versions().items():
        theirs = wanted.get(package, ours)
        if ours != theirs:
            raise RuntimeError(f"{os.uname().nodename} has {package} {ours} and the driver {theirs}: install the same")


def _fence_memory(sharers: int) -> float:
    """Keep this process within its part of the GPU's memory, so that no trial takes what another needs: bytes.

    Ray's fraction of a GPU is a matter of scheduling alone. A CUDA context lies outside of what torch counts.
    """
    total = torch.cuda.get_device_properties(0).total_memory
    part = max(0.0, total / sharers - _CONTEXT_BYTES)
    torch.cuda.set_per_process_memory_fraction(part / total)
    return part


def _size(state: Any) -> int:
    """Bytes of the tensors in nested dictionaries and lists."""
    if isinstance(state, torch.Tensor):
        return state.numel() * state.element_size()
    if isinstance(state, Mapping):
        return sum(_size(value) for value in state.values())
    if isinstance(state, list | tuple):
        return sum(_size(value) for value in state)
    return 0
