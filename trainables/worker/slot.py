"""One slot's work: it keeps the images, trains one run after another, and answers after every segment.

It does not use Ray, so the inline engine, tests and notebooks use it as the warm worker in `actor` does. The driver
decides what follows from an answer.
"""

import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from typing import Any, TypeVar

import torch

from architectures.errors import one_line
from trainables import limits
from trainables.config import Config
from trainables.data.images import Images
from trainables.data.split import fold
from trainables.distillation import Teachers
from trainables.files import NETWORK_FILES, is_full
from trainables.memory import memory_error
from trainables.predictions import PREDICTIONS, predictions_file
from trainables.resident import IMAGES_SHARE, Resident
from trainables.saved_network import Network, network_files, network_of, predict
from trainables.training import Measurement, Training
from trainables.worker import checkpoints
from trainables.worker.checkpoints import CheckpointError, Files
from trainables.worker.measure import measure
from trainables.worker.patience import OutOfReachError, patiently
from trainables.worker.speed import SECONDS
from trainables.worker.task import Task
from trainables.worker.watchdog import Watchdog

CHECKPOINT_SHARE = 0.02  # of training time, at most, for checkpoints
_DISK_BYTES_PER_SECOND = 100e6  # a cautious first guess; the first checkpoint measures it
_PARTS = ("model", "optimizer")  # of a checkpoint, each a dictionary
_NOTE_SECONDS = 10  # at most, for writing down why a worker ends itself

Answer = dict[str, Any]
"""The measurement's fields, `state`, `checkpoint`, `began`, `host` and `pid`; plain values to send to the driver.

Without a measurement `state` says why: "calibrated" (then there are `speeds`), "out of memory" (then `batch`
says how many images a whole batch has), "unreadable" if a checkpoint is, or "interrupted" when files could not be read,
or a network not be written, in several attempts.
"""

_Result = TypeVar("_Result")


class Slot:
    """Trains one task at a time; a task leaves nothing behind for the next one."""

    def __init__(
        self,
        files: Files,
        *,
        train: Images,
        validation: Images | None,
        device: str,
        precision: str,
        sharers: int = 0,
        timeout: float | None = None,
    ) -> None:
        """files: where checkpoints lie. sharers: slots on this one's GPU, each of which gets an equal part of its
        memory and no more. timeout: seconds without progress after which this process ends itself.
        """
        room = IMAGES_SHARE * _fence_memory(sharers) if sharers else None
        self._files, self._precision, self._classes = files, precision, train.classes
        self._train = Resident.of(train, device, room=room)
        self._validation = Resident.of(validation, device, room=room) if validation is not None else None
        self._bytes_per_second = _DISK_BYTES_PER_SECOND
        self._since_checkpoint = 0.0  # seconds of training; below 0 until it has made up for an attempt that failed
        # Counts parts of batches that were computed, and attempts and waits for files that a run cannot do without.
        self._signs = 0
        self._watchdog = Watchdog(timeout, self._progress, self._give_up) if timeout else None

    def begin(self, task: Task) -> None:
        """Take a task; its first step builds the network."""
        self._task = task
        self._training: Training | None = None
        self._since_checkpoint = min(0.0, self._since_checkpoint)
        self._calibrate = task.calibrate

    def step(self) -> Answer:
        """Train a segment, or first calibrate the task's configurations; returns the answer for the driver."""
        with self._watched():
            return self._step()

    @contextmanager
    def _watched(self) -> Iterator[None]:
        if self._watchdog is None:
            yield
            return
        with self._watchdog.watching():
            yield

    def _step(self) -> Answer:
        began = time.time()
        if self._calibrate:
            configs, self._calibrate = [Config.from_json(each) for each in self._calibrate], ()
            speeds = measure(configs, self._train, precision=self._precision, budget=SECONDS, progress=self._count)
            return self._answer(began, state="calibrated", speeds=[each and asdict(each) for each in speeds])
        try:
            self._training = self._training or self._make_training()
            measurement = self._training.run_segment()
            ends_finite = self._training.ends_finite()
        except CheckpointError as error:
            return self._answer(began, state="unreadable", reason=str(error))
        except OutOfReachError as error:
            return self._answer(began, state="interrupted", reason=f"its files cannot be read: {error}")
        except (RuntimeError, MemoryError) as error:
            if (reason := memory_error(error)) is None:
                raise
            # The failed step's frames hold its tensors; without them the next trial can use the memory.
            num_images, self._training = len(self._training.train if self._training else self._train), None
            batch = min(self._task.config["training"]["batch_size"], num_images)
            return self._answer(began, state="out of memory", reason=reason, batch=batch)
        if not measurement.finite:
            return self._answer(began, state="diverged", reason="the loss is not finite", **asdict(measurement))
        if not ends_finite:
            reason = "what its network predicts is not finite"
            return self._answer(began, state="diverged", reason=reason, **asdict(measurement))
        return self._keep(began, self._training, measurement)

    def _keep(self, began: float, training: Training, measurement: Measurement) -> Answer:
        """Write the result of the training, or a checkpoint if one is due, and answer."""
        saved = time.perf_counter()
        kept: Answer = {"state": "done" if training.finished else "running"}
        try:
            if training.finished:
                self._write_result(training)
            elif self._checkpoint_is_due(training, measurement.seconds):
                kept["written"] = self._write_checkpoint(training)
        except OSError as error:
            kept |= {"trouble": f"cannot write a checkpoint: {error}"}
            if is_full(error):
                kept["full"] = str(error)
            if training.finished:  # a network that was not saved does not count as done
                reason = f"its network cannot be written: {one_line(error)}"
                return self._answer(began, **kept | {"state": "interrupted", "reason": reason})
        cost = time.perf_counter() - saved
        return self._answer(began, **kept, checkpoint_seconds=cost, **asdict(measurement))

    def _make_training(self) -> Training:
        task = self._task
        train, validation = self._train, self._validation
        if task.fold is not None:
            others, left_out = fold(train.labels.cpu().numpy(), *task.fold)
            train, validation = train.part(others), train.part(left_out)
        training = Training(
            Config.from_json(task.config),
            train,
            validation,
            seed=task.seed,
            precision=self._precision,
            micro_batch=task.micro_batch,
            marks=task.marks,
            judged_by=task.judged_by,
            teachers=self._teachers(task.teachers),
            progress=self._count,
        )
        if task.resume_from:
            self._restore(training, task.resume_from)
        return training

    def _teachers(self, names: Sequence[str]) -> Teachers | None:
        """The networks with these names, on this slot's device."""
        found = []
        for name in names:
            written = {part: self._patiently(partial(self._files.read, f"{name}+{part}")) for part in NETWORK_FILES}
            found.append(network_of(written, name, str(self._train.device), run_own_code=True).model)
        return Teachers(found) if found else None

    def _restore(self, training: Training, name: str) -> None:
        state = self._patiently(partial(checkpoints.load, self._files, name))
        if not isinstance(state, Mapping) or not all(isinstance(state.get(part), Mapping) for part in _PARTS):
            raise CheckpointError(f"the checkpoint {name} is not that of a training")
        try:
            training.restore(state)
        except (RuntimeError, LookupError, ValueError) as error:  # other shapes, other parts, another optimizer
            if memory_error(error):
                raise
            raise CheckpointError(f"the checkpoint {name} is of another training: {one_line(error)}") from error

    def _answer(self, began: float, *, written: str | None = None, **fields: Any) -> Answer:
        return {**fields, "checkpoint": written, "began": began, "host": os.uname().nodename, "pid": os.getpid()}

    def _checkpoint_is_due(self, training: Training, seconds: float) -> bool:
        """Whether the run may pause here or a checkpoint costs at most its share of the training since the last one."""
        self._since_checkpoint += seconds
        if self._task.pauses and training.at_mark:
            return True
        if self._task.deadline is not None and time.time() > self._task.deadline:
            return True
        return _size(training.state()) / self._bytes_per_second <= CHECKPOINT_SHARE * self._since_checkpoint

    def _write_checkpoint(self, training: Training) -> str:
        """Write the state beside the older checkpoint, which the driver deletes once the new one is recorded."""
        name = f"{self._task.prefix}-{training.images}.pt"
        began = time.perf_counter()
        try:
            written = checkpoints.save(self._files, name, training.state())
        except OSError:
            self._since_checkpoint = (began - time.perf_counter()) / CHECKPOINT_SHARE
            raise
        self._bytes_per_second = written / max(time.perf_counter() - began, 1e-6)
        self._since_checkpoint = 0.0
        return name

    def _write_result(self, training: Training) -> None:
        """Write a retrain's network or a fold's predictions under this attempt's name; the driver puts it in place."""
        kept: dict[str, bytes | memoryview] = {}
        if self._task.weights:
            shape = tuple(self._train.pixels.shape[1:])
            kept |= network_files(Network(training.result, training.config, shape, self._classes))
        if self._task.fold is not None and training.validation is not None:
            found = predict(training.result, training.validation, self._precision, progress=self._count)
            kept[PREDICTIONS] = predictions_file(*found, self._classes)
        for name, data in kept.items():
            self._patiently(partial(self._files.write, f"{self._task.prefix}+{name}", data))

    def _patiently(self, attempt: Callable[[], _Result]) -> _Result:
        """As the function, whose waits the watchdog does not take for a hang."""
        return patiently(attempt, self._count)

    def _count(self) -> None:
        self._signs += 1

    def _progress(self) -> tuple[str, int]:
        """A value that changes as long as this slot makes progress."""
        return self._task.prefix, self._signs

    def _give_up(self, reason: str) -> None:
        """End this process; a note says why, unless writing it hangs."""
        note = threading.Thread(
            target=self._files.write, args=(f"{self._task.prefix}.reason", reason.encode()), daemon=True
        )
        note.start()
        note.join(_NOTE_SECONDS)
        os._exit(1)


def _fence_memory(sharers: int) -> float:
    """Keep this process within its part of the GPU's memory, and return that part in bytes.

    Ray uses a fraction of a GPU only for scheduling. torch does not count the memory of a CUDA context. Raises
    UnfitError if almost nothing is left.
    """
    total = torch.cuda.get_device_properties(0).total_memory
    part = total / sharers - limits.GPU_CONTEXT_BYTES
    if part < limits.GPU_LEAST_BYTES:
        raise limits.UnfitError(
            f"{os.uname().nodename} has a GPU of {total / 1e9:.1f} GB, which is too little for {sharers} at a time"
        )
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
