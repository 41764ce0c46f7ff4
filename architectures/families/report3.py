"""Report 3, on the coarse and the fine labels of CIFAR-100 (Keras)."""

from architectures.blocks import Dense, Head, Unit
from architectures.families.plain import Plain, plain_family


@plain_family
def coarse() -> Plain:
    """Its first network: two convolutions, one pooling, no dropout; 2,119,252 parameters for 20 classes."""
    units = (Unit(channels=32, pool="max"), Unit(channels=64))
    return Plain(units=units, head=Head(hidden=(Dense(width=128),)), dropout_after="pools")


def _deep() -> Plain:
    units = (Unit(channels=32), Unit(channels=32, pool="max", dropout=0.25), Unit(channels=64), Unit(channels=64))
    return Plain(units=units, head=Head(dropout=0.25, hidden=(Dense(width=128, dropout=0.5),)), dropout_after="pools")


@plain_family
def coarse_deep() -> Plain:
    """`coarse` with two more convolutions and dropout: 2,165,428 parameters for 20 classes.

    Its random search over the widths chose these.
    """
    return _deep()


@plain_family
def fine() -> Plain:
    """`coarse_deep` as it was trained on the fine labels: 2,175,748 parameters for 100 classes."""
    return _deep()
