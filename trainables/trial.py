"""The warm worker: one Ray actor a slot, which keeps its process, torch and the images from trial to trial.

This is the only module of `trainables` that knows Ray. A worker trains an epoch a step and answers with a flat result:
the measurement, the checkpoint it wrote, and how the run stands. What follows from it is decided in the driver.
"""

import os
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from ray import tune

from trainables import checkpoint, speed
from trainables.config import Config
from trainables.datasets import Images
from trainables.loop import Resident, Training
from trainables.memory import keep_freed_memory
from trainables.retrain import Network, save_network
from trainables.task import Task

CHECKPOINT_SHARE = 0.02  # of training time, at most, goes into checkpoints
_CONTEXT_BYTES = 600e6  # of GPU memory, that a process takes before its first tensor
_DISK_BYTES_PER_SECOND = 100e6  # a cautious first guess; the first checkpoint measures it


class Worker(tune.Trainable):
    """A Tune trainable with nothing of the last trial left behind after `reset_config`."""

    def setup(
        self,
        config: dict[str, Any],
        *,
        train: Images,
        validation: Images | None,
        threads: int,
        device: str,
        precision: str,
        sharers: int = 0,
    ) -> None:
        """Prepare the process once, then the first run. Images come from Ray's object store, shared by all workers.

        sharers: workers on this one's GPU, each of which gets an equal part of its memory and no more.
        """
        keep_freed_memory()
        torch.set_num_threads(threads)
        if sharers:
            _fence_memory(sharers)
        self._precision = precision
        self._classes = train.classes
        self._train = Resident.of(train, device)
        self._validation = Resident.of(validation, device) if validation is not None else None
        self._bytes_per_second = _DISK_BYTES_PER_SECOND
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

        A task with something to calibrate has that as its first step, which answers with `speeds` alone.
        """
        began = time.time()
        if self._calibrate:
            configs, self._calibrate = [Config.from_json(each) for each in self._calibrate], ()
            speeds = speed.measure(configs, self._train, precision=self._precision, budget=speed.SECONDS)
            return self._answer(began, state="calibrated", speeds=[each and asdict(each) for each in speeds])
        try:
            training = self._training or self._make_training()
            self._training = training
            measurement = training.run_epoch()
        except torch.OutOfMemoryError as error:
            # The failed step's tensors hang on its frames; without them the next trial has the memory back.
            self._training = None
            return self._answer(began, state="infeasible", reason=str(error).splitlines()[0])
        if not measurement.finite:
            return self._answer(began, state="diverged", reason="the loss is not finite", **asdict(measurement))
        written, saved = None, time.perf_counter()
        if training.finished:
            if self._task.weights:
                shape = tuple(self._train.pixels.shape[1:])
                save_network(Path(self._task.weights), Network(training.model, training.config, shape, self._classes))
        elif self._checkpoint_is_due(measurement.seconds):
            written = self._save_checkpoint()
        state = "done" if training.finished else "running"
        cost = time.perf_counter() - saved
        return self._answer(began, state=state, written=written, checkpoint_seconds=cost, **asdict(measurement))

    def _make_training(self) -> Training:
        training = Training(
            Config.from_json(self._task.config),
            self._train,
            self._validation,
            seed=self._task.seed,
            precision=self._precision,
        )
        if self._task.resume_from:
            training.restore(checkpoint.load(Path(self._task.resume_from)))
        return training

    def _answer(self, began: float, *, written: str | None = None, **fields: Any) -> dict[str, Any]:
        return {**fields, "checkpoint": written, "began": began, "host": os.uname().nodename, "pid": os.getpid()}

    def _checkpoint_is_due(self, seconds: float) -> bool:
        """Whether a checkpoint now costs at most its share of the training since the last one."""
        self._since_checkpoint += seconds
        if self._task.deadline is not None and time.time() > self._task.deadline:
            return True
        assert self._training is not None
        cost = _size(self._training.state()) / self._bytes_per_second
        return cost <= CHECKPOINT_SHARE * self._since_checkpoint

    def _save_checkpoint(self) -> str:
        """Write the state beside the older checkpoint, which the driver deletes once the new one is recorded."""
        assert self._training is not None
        path = Path(f"{self._task.checkpoints}-{self._task.attempt}-{self._training.images}.pt")
        began = time.perf_counter()
        written = checkpoint.save(path, self._training.state())
        self._bytes_per_second = written / max(time.perf_counter() - began, 1e-6)
        self._since_checkpoint = 0.0
        return path.name

    def __repr__(self) -> str:
        return "hpsearch worker"


def _fence_memory(sharers: int) -> None:
    """Keep this process within its part of the GPU's memory, so that no trial takes what another needs.

    Ray's fraction of a GPU is a matter of scheduling alone. A CUDA context lies outside of what torch counts.
    """
    total = torch.cuda.get_device_properties(0).total_memory
    torch.cuda.set_per_process_memory_fraction(max(0.0, 1 / sharers - _CONTEXT_BYTES / total))


def _size(state: Any) -> int:
    """Bytes of the tensors in nested dictionaries and lists."""
    if isinstance(state, torch.Tensor):
        return state.numel() * state.element_size()
    if isinstance(state, Mapping):
        return sum(_size(value) for value in state.values())
    if isinstance(state, list | tuple):
        return sum(_size(value) for value in state)
    return 0
