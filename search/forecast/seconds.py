"""The seconds of an epoch of every configuration, from measured steps of some of them."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from architectures.cost import Cost
from search.forecast.calibration import CalibrationError, Speeds
from trainables.config import Config

#: A validation image's share of a training image's time: only the forward pass, unaugmented, in larger batches.
#: Measured over 302 epochs of `cnn_all` on 32×32 images: 0.17 to 0.41, median 0.27.
_VALIDATION = 0.27


@dataclass(frozen=True)
class Times:
    """The times of all configurations, in their order."""

    epochs: list[float]
    """Seconds of an epoch with its validation."""

    starts: list[float]
    """Seconds that a trial's start adds."""


def times(configs: Sequence[Config], costs: Sequence[Cost], found: Speeds, train: int, validation: int) -> Times:
    """The times of all configurations, measured or not; raises CalibrationError when none was measured.

    found: measured speeds. train, validation: numbers of images.

    A step's time is modelled as a sum of parts proportional to the batch's FLOPs, its activations and the parameters,
    and a constant: non-negative least squares of relative errors, then a factor for each family.
    """
    from scipy.optimize import nnls  # imported late: it takes a second, and only a forecast needs it

    if not found:
        raise CalibrationError("no training step of any configuration could be measured; training it will say why")
    measured = sorted(found)
    parts = np.array([_parts(costs[i], found[i].batch) for i in measured])
    seconds = np.array([found[i].step for i in measured])
    weights, _ = nnls(parts / seconds[:, None], np.ones(len(measured)))
    own = dict(zip(measured, seconds / (parts @ weights), strict=True))
    of_family: dict[str, list[float]] = {}
    for i in measured:
        of_family.setdefault(configs[i].network.name, []).append(own[i])
    epochs = []
    for i, (config, cost) in enumerate(zip(configs, costs, strict=True)):
        batch = min(config.training.batch_size, train)
        factor = own[i] if i in own else float(np.median(of_family.get(config.network.name, [1.0])))
        step = _parts(cost, batch)
        image = float(step[:2] @ weights[:2]) / batch
        epochs.append(factor * (float(step @ weights) * train / batch + _VALIDATION * image * validation))
    usual = float(np.median([each.start for each in found.values()]))
    return Times(epochs, [found[i].start if i in found else usual for i in range(len(configs))])


def _parts(cost: Cost, batch: int) -> np.ndarray:
    return np.array([batch * cost.flops, batch * cost.activation_bytes, cost.parameters, 1.0])
