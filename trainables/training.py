"""The plain training loop: one configuration, one process, no Ray.

    training = Training(config, train, validation, seed=0)
    while not training.finished:
        print(training.run_segment())

A segment is an epoch, or a part of one if marks lie within it. Data stay on the device as uint8; a batch is an index
into them, augmented as a batch; metrics stay there too and are read once per segment. All randomness of a segment
derives from (seed, epoch, part), so a checkpoint at its end needs no generator: a continued run equals one that was
never interrupted.
"""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, one_hot

from architectures.build import Prepare, build, capturable
from architectures.families import make_network
from architectures.initialise import initialise
from architectures.pretrained import load_weights
from architectures.tuning import tunings
from trainables.augment import augment, normalise
from trainables.averaging import Average
from trainables.batches import EVALUATION_BATCH, at_once, batches_of, blocks_of, mark_at, starts_of, steps_before
from trainables.config import Config
from trainables.cuda_graph import Captured, CaptureMemoryError
from trainables.distillation import Teachers
from trainables.fits import check_transforms
from trainables.half_weights import HalfWeights
from trainables.matrices import MatrixOptimizer
from trainables.metrics import balanced_accuracy
from trainables.offline import augment_offline
from trainables.resident import Resident
from trainables.schedules import rate_factor
from trainables.stopping import Best
from trainables.torch_optimizers import make_optimizer
from trainables.transforms.apply import transforms

# Largest batch, in images, whose step is captured on a GPU: larger ones take longer to compute than to launch, and a
# capture holds the memory of their maps (benchmarks/README.md).
CAPTURED_BATCH = 512


@dataclass(frozen=True)
class Measurement:
    """The measurement at a segment's end. Losses are nats per image, accuracies fractions of one."""

    images: int
    """Images trained on since the start."""
    epoch: float
    """The same, divided by the size of the training set."""
    train_loss: float
    """Mean over the segment, with label smoothing."""
    train_accuracy: float
    """Mean over the segment."""
    val_loss: float | None
    """None in a retrain."""
    val_accuracy: float | None
    """None in a retrain."""
    val_balanced_accuracy: float | None
    """Mean share classified correctly over the classes that occur in the validation images; None in a retrain."""
    learning_rate: float
    """Of the segment's last step."""
    images_per_second: float
    """Training alone."""
    seconds: float
    """Training and validation of this segment."""

    @property
    def finite(self) -> bool:
        """Whether every loss is a number; a run whose loss is not has diverged."""
        return math.isfinite(self.train_loss) and (self.val_loss is None or math.isfinite(self.val_loss))


class Training:
    """A configuration in training.

    The same configuration, data, seed and threads give the same curve, bit for bit on a CPU. Raises SizeError if the
    network does not fit the images. Sets torch's global seed at each epoch's start.
    """

    def __init__(
        self,
        config: Config,
        train: Resident,
        validation: Resident | None,
        *,
        seed: int,
        precision: str = "float32",
        micro_batch: int | None = None,
        captured: bool | None = None,
        marks: Sequence[float] = (),
        judged_by: str = "val_accuracy",
        teachers: Teachers | None = None,
        progress: Callable[[], None] = lambda: None,
    ) -> None:
        """micro_batch: images that networks compute at a time if memory is too small for a batch. The training
        then differs slightly: batch norm sees fewer images at a time. captured: whether steps are launched as CUDA
        graphs; by default if that is faster. marks: epochs, perhaps fractions, at which a segment ends as well; each is
        rounded up to a whole batch. judged_by: the field of `Measurement` that early stopping uses. teachers: networks
        whose predictions replace the labels as targets; the training's loss and accuracy then compare with them.
        progress: called after each part of a batch that was computed, also in validation.
        """
        if config.training.epochs is None:
            raise ValueError("the configuration has no number of epochs; see Config.with_defaults")
        self.config, self.seed, self.precision, self.micro_batch = config, seed, precision, micro_batch
        self.train, self.validation, self._teachers = train, validation, teachers
        self.device = train.device
        self.images, self._judged_by, self._progress = 0, judged_by, progress
        self._marks = {mark_at(epochs, len(train), config.training.batch_size) for epochs in marks}
        torch.manual_seed(seed)
        shape = tuple(train.pixels.shape[1:])
        check_transforms(config.training.transforms, shape)
        network = make_network(config.network.name, config.network.hyperparameters, shape, train.num_classes)
        self.model = build(network, shape, train.num_classes)
        initialise(self.model, config.training.init)
        load_weights(network, self.model)
        self.model.to(device=self.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        if validation is not None:
            self._class_sizes = torch.bincount(validation.labels, minlength=validation.num_classes).tolist()
        settings, tuned = config.training, tunings(network, self.model, shape, train.num_classes)
        self.optimizer = make_optimizer(config.optimizer, self.model.parameters(), settings.decayed, tuned)
        self._rates = [group["lr"] for group in self.optimizer.param_groups]
        self._average = Average(self.model, settings.ema) if settings.ema is not None else None
        self._best = Best(settings.patience) if settings.patience is not None else None
        # What teachers say has their weights already.
        weighted = settings.class_weights and teachers is None
        self._class_weights = _class_weights(train) if weighted else None
        # Summed on the device over a segment: the loss of its images, and how many were recognised.
        self._totals = torch.zeros(2, dtype=torch.float64, device=self.device)
        if captured is None:
            captured = self.device.type == "cuda" and capturable(network)
            captured = captured and config.training.batch_size <= CAPTURED_BATCH
        self._capturing = captured and micro_batch is None and config.training.batch_size <= len(train)
        self._captured: Captured | None = None
        self._halves = HalfWeights(self.model) if self._capturing and precision == "bfloat16" else None

    @property
    def epoch(self) -> int:
        """Whole epochs trained."""
        return self.images // len(self.train)

    @property
    def finished(self) -> bool:
        """Whether the configuration's epochs are done, or validation has not improved for `patience` epochs."""
        stalled = self._best is not None and self._best.stalled(self.images / len(self.train))
        return stalled or self.epoch >= (self.config.training.epochs or 0)

    @property
    def at_mark(self) -> bool:
        """Whether training is at a mark."""
        return self.images in self._marks

    @property
    def judged(self) -> nn.Module:
        """The network that is validated: the one with averaged weights, if there is an average."""
        return self._average.model if self._average is not None else self.model

    @property
    def result(self) -> nn.Module:
        """The trained network: the judged one, with the best epoch's weights if they were kept."""
        return self._best.of(self.judged) if self._best is not None else self.judged

    def run_segment(self) -> Measurement:
        """Train to the next mark or to the epoch's end, whichever comes first, and validate."""
        began, before = time.perf_counter(), self.images
        train_loss, train_accuracy = self._train_segment()
        trained = time.perf_counter()
        val_loss, val_accuracy, val_balanced = self._validate() if self.validation is not None else (None, None, None)
        values = {"val_accuracy": val_accuracy, "val_balanced_accuracy": val_balanced}
        if self._best is not None and (value := values[self._judged_by]) is not None:
            self._best.hear(self.images / len(self.train), value, self.judged)
        return Measurement(
            images=self.images,
            epoch=self.images / len(self.train),
            train_loss=train_loss,
            train_accuracy=train_accuracy,
            val_loss=val_loss,
            val_accuracy=val_accuracy,
            val_balanced_accuracy=val_balanced,
            learning_rate=self.optimizer.param_groups[0]["lr"],
            images_per_second=(self.images - before) / (trained - began),
            seconds=time.perf_counter() - began,
        )

    def ends_finite(self) -> bool:
        """Whether the result of a training without validation predicts numbers; True until it is finished.

        Nothing else shows that its last step has diverged: a step's loss is computed before its weights change.
        """
        if self.validation is not None or not self.finished:
            return True
        batch = self.micro_batch or self.config.training.batch_size
        logits, _ = next(evaluate(self.result, self.train, self.precision, batch))
        return bool(logits.isfinite().all())

    def state(self) -> dict[str, Any]:
        """What `restore` needs besides configuration, data and seed, as tensors and plain values."""
        state = {"images": self.images, "model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        if self._average is not None:
            state["average"] = self._average.state()
        if self._best is not None:
            state["best"] = self._best.state()
        return state

    def restore(self, state: dict[str, Any]) -> None:
        """Continue from what `state` returned."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(deepcopy(state["optimizer"]))  # torch would keep the given tensors
        if self._average is not None:
            self._average.restore(state["average"])
        if self._best is not None:
            self._best.restore(state["best"])
        self.images, self._captured = state["images"], None  # an optimizer of matrices has left its graph

    def _train_segment(self) -> tuple[float, float]:
        settings = self.config.training
        self.model.train()
        if self._capturing and self._captured is None:
            self._capture()
        begins = self.epoch * len(self.train)
        within = self.images - begins
        ends = sorted({mark - begins for mark in self._marks if begins < mark < begins + len(self.train)})
        part = sum(end <= within for end in ends)
        # One seed for shuffling, augmentation and dropout: see the module's docstring. The order is the whole epoch's.
        torch.manual_seed(self._seed(0))
        generator = torch.Generator(self.device).manual_seed(self._seed(0))
        order = torch.randperm(len(self.train), generator=generator, device=self.device)
        if part:
            torch.manual_seed(self._seed(part))
            generator.manual_seed(self._seed(part))
        batches = batches_of(order.to(self.train.pixels.device), settings.batch_size)
        ahead = [
            batch
            for at, batch in zip(starts_of(batches), batches, strict=True)
            if within <= at < (*ends, len(order))[part]
        ]
        change = transforms(settings.batch_transforms, self._seed(part), self.train.num_classes)
        refined_from = (1 - settings.refine) * len(self.train) * (settings.epochs or 1)
        self._totals.zero_()
        for block in blocks_of(ahead, self.train.pixels.shape[2:].numel()):
            inputs, labels = self._inputs(torch.cat(block), generator)
            sizes = [len(batch) for batch in block]
            for batch, of in zip(inputs.split(sizes), labels.split(sizes), strict=True):
                self._set_learning_rate()
                self._compute(*self._taught(*change(batch, of, off=self.images >= refined_from)))
                self.optimizer.step()
                self.images += len(of)
                if self._average is not None:
                    self._average.update(self.images / settings.batch_size, len(of) / len(self.train))
        loss_sum, correct = self._totals.tolist()
        trained = sum(map(len, ahead))
        return loss_sum / trained, correct / trained

    def _inputs(self, index: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """The images at these indices as this epoch uses them, and their labels."""
        pixels, labels = self.train.take(index)
        settings = self.config.training
        if settings.offline:
            return augment_offline(pixels, index.cpu().numpy(), settings, self.seed, self.epoch), labels
        return augment(pixels, settings.augmentation, generator), labels

    def _taught(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        """Images as the network gets them, with their labels or what the teachers say instead."""
        if self._teachers is None:
            return inputs, labels
        found = []
        with _autocast(self.device, self.precision):
            for part in inputs.split(self.micro_batch or len(inputs)):
                found.append(self._teachers(part))
                self._progress()
        return inputs, torch.cat(found)

    def _seed(self, part: int) -> int:
        """The seed of a part of this epoch; that of the first part is the whole epoch's."""
        return int(np.random.SeedSequence([self.seed, self.epoch, part]).generate_state(1)[0])

    def _validate(self) -> tuple[float, float, float]:
        """Loss, accuracy and balanced accuracy."""
        assert self.validation is not None
        num_classes = self.validation.num_classes
        totals = torch.zeros(2 + num_classes, dtype=torch.float64, device=self.device)  # then those recognised by class
        batch = EVALUATION_BATCH if self.micro_batch is None else 4 * self.micro_batch  # no gradients: a third of it
        batch = min(batch, EVALUATION_BATCH)
        for logits, labels in evaluate(self.judged, self.validation, self.precision, batch, progress=self._progress):
            loss = cross_entropy(logits, labels, reduction="sum")
            recognised = logits.argmax(1) == labels
            totals[:2] += torch.stack((loss, recognised.sum()))
            totals[2:].index_add_(0, labels, recognised.double())
        loss_sum, correct, *by_class = totals.tolist()
        number = len(self.validation)
        return loss_sum / number, correct / number, balanced_accuracy(by_class, self._class_sizes)

    def _compute(self, inputs: Tensor, labels: Tensor) -> None:
        """Set the gradients of a batch's mean loss, and add to the segment's totals."""
        if self._captured is not None and len(labels) == self._captured.size:
            self._captured(inputs, labels)
            self._progress()
        else:
            self._backward(inputs, labels)

    def _capture(self) -> None:
        """Make the step of a batch one launch, if there is memory for that.

        The training stays the same, except that Muon's changes are rounded differently.
        """
        pixels, labels = next(self.train.split(self.config.training.batch_size))
        before = [buffer.clone() for buffer in self.model.buffers()]
        change = transforms(self.config.training.batch_transforms, 0, self.train.num_classes)
        try:
            self._captured = Captured(self._backward, *self._taught(*change(normalise(pixels), labels)))
            if isinstance(self.optimizer, MatrixOptimizer):
                self.optimizer.capture()
        except CaptureMemoryError:
            self._capturing, self._captured, self._halves = False, None, None  # the step itself may fit
        for buffer, value in zip(self.model.buffers(), before, strict=True):  # batch norm has changed them
            buffer.copy_(value)

    def _backward(self, inputs: Tensor, labels: Tensor) -> None:
        """What `_compute` does, without a captured graph; in parts if `micro_batch` is set."""
        # While capturing, gradients are allocated in the graph's memory; from then on the graph writes them there.
        self.optimizer.zero_grad(set_to_none=self._captured is None)
        sizes = [len(labels)]
        if self.micro_batch is not None and self.micro_batch < len(labels):
            sizes = [len(part) for part in batches_of(torch.arange(len(labels)), self.micro_batch)]
        for part, of in zip(inputs.split(sizes), labels.split(sizes), strict=True):
            loss, logits = self._forward(part, of)
            # Its share of the batch's mean. Given to `backward` instead, it would make torch import sympy: a third of a
            # second in each worker.
            (loss if len(sizes) == 1 else loss * (len(of) / len(labels))).backward()
            if self._halves is not None:
                self._halves.give_gradients()
            self._totals[0].add_(loss.detach(), alpha=len(of))
            self._totals[1].add_(_recognised(logits, of))
            self._progress()

    def _forward(self, inputs: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        with _autocast(self.device, self.precision):
            logits = (self._halves or self.model)(inputs)
        # What teachers say is smooth already.
        logits, smoothing = logits.float(), self.config.training.label_smoothing if self._teachers is None else 0.0
        if self._class_weights is None:
            return cross_entropy(logits, labels, label_smoothing=smoothing), logits
        if smoothing:  # torch would weight what each class gets of it by that class, not by the image's own
            shares = one_hot(labels, logits.shape[1]) if labels.dim() == 1 else labels
            weighted = shares * self._class_weights
            return cross_entropy(logits, weighted.lerp(weighted.mean(1, keepdim=True), smoothing)), logits
        loss = cross_entropy(logits, labels, self._class_weights, label_smoothing=smoothing, reduction="sum")
        return loss / len(labels), logits

    def _set_learning_rate(self) -> None:
        settings = self.config.training
        factor = rate_factor(
            settings.schedule,
            self.images,
            len(self.train) * (settings.epochs or 1),
            batch_size=settings.batch_size,
            warmup=settings.warmup,
            time_decay=settings.time_decay,
            steps=steps_before(self.images, len(self.train), settings.batch_size),
        )
        for group, rate in zip(self.optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * factor


def _recognised(logits: Tensor, labels: Tensor) -> Tensor:
    """How many images are classified correctly; if a label has shares of several classes, the largest counts."""
    return (logits.argmax(1) == (labels if labels.dim() == 1 else labels.argmax(1))).sum()


def _class_weights(images: Resident) -> Tensor:
    """A weight for each class (num_classes,), with which all classes that have images count equally; 1 on average."""
    counts = images.labels.bincount(minlength=images.num_classes).float()
    return (counts > 0) * len(images) / (counts.clamp(min=1) * (counts > 0).sum())


def evaluate(
    model: nn.Module,
    images: Resident,
    precision: str,
    batch: int = EVALUATION_BATCH,
    *,
    mirrored: bool = False,
    progress: Callable[[], None] = lambda: None,
) -> Iterator[tuple[Tensor, Tensor]]:
    """Logits float32 (B, num_classes) and labels (B,) of every image in order, or of its mirror image.

    batch: the most images at once, of which `evaluated_at_once` may allow fewer. progress: called after each batch.
    """
    model.eval()
    for pixels, labels in images.split(min(batch, evaluated_at_once(model, images))):
        with torch.inference_mode(), _autocast(images.device, precision):
            inputs = normalise(pixels)
            logits = model(inputs.flip(3) if mirrored else inputs).float()
        progress()
        yield logits, labels


def evaluated_at_once(model: nn.Module, images: Resident) -> int:
    """How many images are evaluated at once: fewer if they, or what the network enlarges them to, exceed 32×32."""
    enlarged = (each.pixels for each in model.modules() if isinstance(each, Prepare))
    most = at_once(EVALUATION_BATCH, max((images.pixels.shape[2:].numel(), *enlarged)))
    return max(1, min(most, len(images)))


def _autocast(device: torch.device, precision: str) -> torch.autocast:
    return torch.autocast(device.type, torch.bfloat16, enabled=precision == "bfloat16")
