"""The Gaussian process of the samplers that learn by one: which improvement it expects of candidates."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from scipy.stats import norm
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Kernel, Matern, WhiteKernel

#: Choices for the process, whose values are standardised: its length scale, and the variance of a measurement. The few
#: trials of a search do not determine them better, and a short list avoids bad local optima.
_LENGTHS = (0.5, 1.0, 2.0, 4.0)
_NOISES = (0.02, 0.1, 0.3)
_UNMEASURED = (0.8, 1.0, 0.1)  # trust, length and noise while there are no values


@dataclass(frozen=True)
class Points:
    """Configurations as the process sees them."""

    places: np.ndarray
    """Their coordinates, (configurations, coordinates)."""
    expected: np.ndarray
    """What is expected of each before anything is measured, in any unit; zeros if nothing is."""

    def __len__(self) -> int:
        return len(self.places)


def improvement(
    known: Points, values: np.ndarray, under_way: Points, candidates: Points, trusts: Sequence[float] = (0.0,)
) -> np.ndarray:
    """The expected improvement of each candidate over the best expected value among the known trials.

    values: of the known trials, standardised; there may be none. Running trials are assumed to reach their expected
    values (Ginsbourger et al. 2010, the kriging believer). trusts: choices for the correlation of values with what was
    expected beforehand; the likeliest is used.
    """
    centre, spread = (known.expected.mean(), max(known.expected.std(), 1e-9)) if len(known) else (0.0, 1.0)

    def beforehand(points: Points, trust: float) -> np.ndarray:
        return np.asarray(trust * (points.expected - centre) / spread)

    choices = list(product(trusts, _LENGTHS, _NOISES)) if len(known) else [_UNMEASURED]
    fitted = [
        (trust, _process(_kernel(trust, length, noise), known.places, values - beforehand(known, trust)))
        for trust, length, noise in choices
    ]
    trust, process = fitted[0] if len(fitted) == 1 else max(fitted, key=_likelihood)
    first = next(points for points in (known, under_way, candidates) if len(points))
    best = (_mean(process, first.places) + beforehand(first, trust)).max()
    if len(under_way):
        places = np.concatenate([known.places, under_way.places])
        believed = np.concatenate([values - beforehand(known, trust), _mean(process, under_way.places)])
        process = _process(process.kernel, places, believed)
    mean, deviation = process.predict(candidates.places, return_std=True)
    noise = process.kernel.k2.noise_level  # of a measurement; it is no reason to draw a candidate
    deviation = np.sqrt(np.maximum(deviation**2 - noise, 1e-12))
    better = (mean + beforehand(candidates, trust) - best) / deviation
    return np.asarray(deviation * (better * norm.cdf(better) + norm.pdf(better)))


def _kernel(trust: float, length: float, noise: float) -> Kernel:
    """What is left of the unit variance of values when some of it was expected, and the noise beside it."""
    rest = Matern(length, nu=2.5)
    return (ConstantKernel(1 - trust**2) * rest if trust else rest) + WhiteKernel(noise)


def _process(kernel: Kernel, places: np.ndarray, values: np.ndarray) -> GaussianProcessRegressor:
    """A process that is fitted to values, if there are any."""
    process = GaussianProcessRegressor(kernel, optimizer=None)
    return process.fit(places, values) if len(values) else process


def _likelihood(fitted: tuple[float, GaussianProcessRegressor]) -> float:
    return float(fitted[1].log_marginal_likelihood_value_)


def _mean(process: GaussianProcessRegressor, places: np.ndarray) -> np.ndarray:
    return np.reshape(process.predict(places), len(places))  # scikit-learn gives a number for one unmeasured place
