"""What a plain script does, shared by the Tune script and the Optuna loop.

PIL transforms image by image as `torchvision.datasets.CIFAR10` has them, a DataLoader, and a training loop as tutorials
write it. Network and hyperparameters are the project's, so that the same work is done. One thing is kinder than
tutorials: loader processes live as long as their trial, where a loader's default is to start them anew each epoch.
"""

import os
import time
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import nn
from torch.nn import Parameter
from torch.utils.data import DataLoader, Dataset
from torchvision import transforms

from architectures.build import build
from architectures.families import make_network
from trainables.config import Config, OptimizerConfig
from trainables.optimizers import OPTIMIZERS
from trainables.training import EVALUATION_BATCH

TO_TENSOR = (transforms.ToTensor(), transforms.Normalize([0.5] * 3, [0.5] * 3))


class Pictures(Dataset):
    """Pixels uint8 (N, H, W, 3) and labels (N,) as pairs of a transformed PIL image and its label."""

    def __init__(self, pixels: np.ndarray, labels: np.ndarray, transform: transforms.Compose) -> None:
        self.pixels, self.labels, self.transform = pixels, labels.tolist(), transform

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
        return self.transform(Image.fromarray(self.pixels[index])), self.labels[index]


def train(config: Config, data: Path, *, workers: int, threads: int, precision: str) -> Iterator[dict[str, Any]]:
    """Train a configuration for its epochs; after each epoch and its validation, `command.FIELDS` without the trial.

    workers: processes of each loader, 0 for none. threads: of torch in this process. precision: float32 or bfloat16.
    """
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    settings = config.training
    train_loader, val_loader, shape, num_classes = loaders(data, settings.batch_size, workers)
    network = make_network(config.network.name, config.network.hyperparameters, shape, num_classes)
    model = build(network, shape, num_classes)
    criterion = nn.CrossEntropyLoss(label_smoothing=settings.label_smoothing)
    optimizer = make_optimizer(config.optimizer, model.parameters())
    scheduler = None
    if settings.schedule == "cosine":
        steps = settings.epochs * len(train_loader)
        scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)

    def autocast() -> torch.autocast:
        return torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16")

    for epoch in range(1, settings.epochs + 1):
        began = time.time()
        model.train()
        running_loss = 0.0
        for inputs, labels in train_loader:
            optimizer.zero_grad()
            with autocast():
                loss = criterion(model(inputs), labels)
            loss.backward()
            optimizer.step()
            if scheduler:
                scheduler.step()
            running_loss += loss.item()
        model.eval()
        correct, val_loss = 0, 0.0
        with torch.no_grad():
            for inputs, labels in val_loader:
                with autocast():
                    outputs = model(inputs)
                    val_loss += criterion(outputs, labels).item()
                correct += (outputs.argmax(1) == labels).sum().item()
        ended = time.time()
        yield {
            "pid": os.getpid(),
            "epoch": epoch,
            "began": began,
            "ended": ended,
            "seconds": ended - began,
            "train_loss": running_loss / len(train_loader),
            "val_loss": val_loss / len(val_loader),
            "val_accuracy": correct / len(val_loader.dataset),
        }


def loaders(data: Path, batch_size: int, workers: int) -> tuple[DataLoader, DataLoader, tuple[int, int, int], int]:
    """Loaders of training and validation images, an image's shape (C, H, W), and the number of classes."""
    arrays = np.load(data)
    _, height, width, channels = arrays["train_pixels"].shape
    pictures = Pictures(arrays["train_pixels"], arrays["train_labels"], augmented(height, width))
    held_out = Pictures(arrays["val_pixels"], arrays["val_labels"], transforms.Compose(TO_TENSOR))
    processes = {"num_workers": workers, "persistent_workers": workers > 0}
    return (
        DataLoader(pictures, batch_size, shuffle=True, **processes),
        DataLoader(held_out, EVALUATION_BATCH, **processes),
        (channels, height, width),
        int(arrays["num_classes"]),
    )


def augmented(height: int, width: int) -> transforms.Compose:
    """The published transforms of a training image."""
    return transforms.Compose(
        [
            transforms.RandomHorizontalFlip(),
            transforms.RandomCrop((height, width), padding=3),
            transforms.ColorJitter(0.1, 0.1, 0.1, 0.1),
            transforms.RandomRotation(5),
            *TO_TENSOR,
        ]
    )


def make_optimizer(config: OptimizerConfig, parameters: Iterable[Parameter]) -> torch.optim.Optimizer:
    """Torch's optimizer in its default implementation."""
    entry = OPTIMIZERS[config.name]
    keywords: dict[str, Any] = entry.keywords(config.arguments)
    return getattr(torch.optim, entry.torch_class)(
        parameters, lr=config.lr, weight_decay=config.weight_decay, **keywords
    )
