"""The eight networks of Lopez (2024) as families that share their hyperparameters (see `plain`).

Each decorated function gives a published network, and the family varies it.
"""

from architectures.blocks import Dense, Head, Unit
from architectures.families.plain import Plain, plain_family
from architectures.steps import Activation

PUBLISHED = ("cnn1", "cnn2", "cnn3", "cnn4", "cnn5", "cnn6", "cnn7", "cnn8")
"""The families of the published search. The spaces draw from these, whatever else the registry holds."""


def _leaky(slope: float) -> Activation:
    return Activation("leaky_relu", slope)


@plain_family
def cnn1() -> Plain:
    """Five units; the fourth goes from its convolution straight to its pooling."""
    return Plain(
        units=(
            Unit(channels=48, norm=True),
            Unit(channels=100, norm=True, pool="average"),
            Unit(channels=128),
            Unit(channels=200, activation=None, pool="max"),
            Unit(channels=256, pool="max", dropout=0.2),
        ),
        head=Head(hidden=(Dense(width=150, dropout=0.3),)),
    )


@plain_family
def cnn2() -> Plain:
    """Four units before a wide hidden layer, which holds most of its parameters."""
    return Plain(
        units=(
            Unit(channels=32, norm=True),
            Unit(channels=64, norm=True, pool="max"),
            Unit(channels=150, norm=True),
            Unit(channels=300, pool="max"),
        ),
        head=Head(hidden=(Dense(width=512, dropout=0.3),)),
    )


@plain_family
def cnn3() -> Plain:
    """Three pooled units, the first with a 7×7 kernel."""
    leaky = _leaky(0.01)
    return Plain(
        units=(
            Unit(channels=32, kernel=7, norm=True, activation=leaky, pool="max"),
            Unit(channels=150, norm=True, activation=leaky, pool="max"),
            Unit(channels=200, activation=leaky, pool="max", dropout=0.1),
        ),
        head=Head(hidden=(Dense(width=256, dropout=0.3),)),
    )


@plain_family
def cnn4() -> Plain:
    """Four pooled units with kernels from 5×5 down to 1×1."""
    leaky = _leaky(0.01)
    return Plain(
        units=(
            Unit(channels=32, kernel=5, norm=True, activation=leaky, pool="average"),
            Unit(channels=132, norm=True, activation=leaky, pool="max", dropout=0.1),
            Unit(channels=256, kernel=2, activation=leaky, pool="average", dropout=0.1),
            Unit(channels=200, kernel=1, activation=leaky, pool="max", dropout=0.1),
        ),
        head=Head(hidden=(Dense(width=128, dropout=0.3),)),
    )


@plain_family
def cnn5() -> Plain:
    """The smallest: two units, a leaky ReLU after the first and a ReLU after the second, no hidden layer."""
    return Plain(
        units=(
            Unit(channels=32, kernel=2, activation=_leaky(0.01), pool="max"),
            Unit(channels=128, pool="max"),
        )
    )


@plain_family
def cnn6() -> Plain:
    """Three wide normalised units without a hidden layer: the published winner on validation."""
    return Plain(
        units=(
            Unit(channels=128, norm=True, pool="max"),
            Unit(channels=246, norm=True, pool="max"),
            Unit(channels=256, norm=True),
        )
    )


@plain_family
def cnn7() -> Plain:
    """Four wide normalised units with dropout and no hidden layer: the published winner on test."""
    leaky = _leaky(0.1)
    return Plain(
        units=(
            Unit(channels=38, norm=True, activation=leaky, pool="max", dropout=0.25),
            Unit(channels=255, norm=True, activation=leaky, dropout=0.1),
            Unit(channels=399, norm=True, activation=leaky, pool="max", dropout=0.1),
            Unit(channels=200, norm=True, activation=leaky, dropout=0.1),
        )
    )


@plain_family
def cnn8() -> Plain:
    """Four normalised units with kernels of 5, 4, 3 and 2, and two hidden layers."""
    return Plain(
        units=(
            Unit(channels=32, kernel=5, norm=True),
            Unit(channels=64, kernel=4, norm=True, pool="max"),
            Unit(channels=128, norm=True, dropout=0.1),
            Unit(channels=256, kernel=2, norm=True, pool="max", dropout=0.1),
        ),
        head=Head(
            hidden=(
                Dense(width=256, activation=_leaky(0.05), dropout=0.2),
                Dense(width=128, dropout=0.2),
            )
        ),
    )
