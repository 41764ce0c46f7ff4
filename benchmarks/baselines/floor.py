"""The floor: the bare training and validation steps of the configurations, on tensors that are normalised already.

No augmentation, no loader, no metrics, no search: forward, loss, backward and the optimizer's step with the project's
own network, optimizer, memory format and precision, then forward over the validation images. A process a slot; the
longest configuration first, to the slot that is free first.
"""

import multiprocessing
import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import command
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from architectures.build import build
from architectures.families import make_network
from search.run.problem import cost_of
from search.spaces import find_space
from trainables.augment import normalise
from trainables.config import Config
from trainables.data.images import Images
from trainables.memory import keep_freed_memory
from trainables.torch_optimizers import make_optimizer
from trainables.training import EVALUATION_BATCH

_tensors: dict[str, Tensor] = {}  # a slot's images, from its process's start to its end


def prepare(data: Path, threads: int, together: Barrier) -> None:
    """Put a slot's images in memory and wait for the other slots."""
    keep_freed_memory()
    torch.set_num_threads(threads)
    arrays = np.load(data)
    for part in ("train", "val"):
        pixels = torch.from_numpy(arrays[f"{part}_pixels"]).permute(0, 3, 1, 2)
        _tensors[f"{part}_pixels"] = normalise(pixels)
        _tensors[f"{part}_labels"] = torch.from_numpy(arrays[f"{part}_labels"])
    together.wait()


def train(trial: int, config: Config, num_classes: int, precision: str) -> list[dict[str, Any]]:
    """All steps of a configuration; `command.FIELDS` of each epoch."""
    pixels, labels = _tensors["train_pixels"], _tensors["train_labels"]
    shape, settings = tuple(pixels.shape[1:]), config.training
    network = make_network(config.network.name, config.network.hyperparameters, shape, num_classes)
    model = build(network, shape, num_classes).to(memory_format=torch.channels_last)
    optimizer = make_optimizer(config.optimizer, model.parameters())
    batches = list(zip(pixels.split(settings.batch_size), labels.split(settings.batch_size), strict=True))
    epochs = []
    for epoch in range(1, settings.epochs + 1):
        began = time.time()
        model.train()
        for inputs, targets in batches:
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
                logits = model(inputs)
            loss = cross_entropy(logits.float(), targets, label_smoothing=settings.label_smoothing)
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
        model.eval()
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            for inputs in _tensors["val_pixels"].split(EVALUATION_BATCH):
                model(inputs)
        ended = time.time()
        measured = (trial, os.getpid(), epoch, began, ended, ended - began, None)
        epochs.append(dict(zip(command.FIELDS, measured, strict=True)))
    return epochs


def main() -> None:
    parser = command.parser(__doc__)
    cores = len(os.sched_getaffinity(0))
    parser.add_argument(
        "--slots", type=int, default=cores, help="processes; each has its share of the cores as threads"
    )
    options = parser.parse_args()
    configs = find_space(str(options.configs)).configs
    with np.load(options.data) as arrays:
        _, height, width, channels = arrays["train_pixels"].shape
        num_classes = int(arrays["num_classes"])
    shape = (channels, height, width)
    blank = Images(np.zeros((1, *shape), np.uint8), np.zeros(1, np.int64), tuple(map(str, range(num_classes))))

    def work(trial: int) -> int:
        config = configs[trial]
        return cost_of(config, blank).flops * config.training.epochs

    order = sorted(range(len(configs)), key=work, reverse=True)
    spawn = multiprocessing.get_context("spawn")
    processes = min(options.slots, len(configs))
    start = (options.data, max(1, cores // options.slots), spawn.Barrier(processes))
    with ProcessPoolExecutor(processes, spawn, prepare, start) as pool:
        asked = [pool.submit(train, trial, configs[trial], num_classes, options.precision) for trial in order]
        epochs = [epoch for answer in asked for epoch in answer.result()]
    command.write(options.out, epochs)


if __name__ == "__main__":
    main()
