"""Report 2, on batch norm, dropout and width (CIFAR-10 and CIFAR-100, Keras).

Its counts include running statistics. For `anh` and `last` it gives the order of the steps after a dense layer (ReLU,
dropout, norm), but not after a convolution: here that is norm, ReLU, pooling, dropout, as in report 1.
"""

from architectures.blocks import Dense, Head, Step, Unit
from architectures.families.plain import Plain, plain_family

_ORDER: tuple[Step, ...] = ("activation", "dropout", "norm")


def _pair(channels: int, dropout: float, norm: bool = True) -> tuple[Unit, Unit]:
    return Unit(channels=channels, norm=norm), Unit(channels=channels, norm=norm, pool="max", dropout=dropout)


def _coursework(norm: bool) -> Plain:
    units = (*_pair(32, 0.3, norm), *_pair(64, 0.3, norm))
    return Plain(units=units, head=Head(hidden=(Dense(width=512, norm=norm, dropout=0.3),)), dropout_after="pools")


@plain_family
def coursework() -> Plain:
    """Two pairs of convolutions and a wide hidden layer: 2,214,532 parameters.

    The report does not give the probability of its three dropout layers; here it is the smallest of the three of the
    report's next network.
    """
    return _coursework(norm=False)


@plain_family
def coursework_bn() -> Plain:
    """`coursework` with a norm after every layer: 2,217,348 with running statistics."""
    return _coursework(norm=True)


@plain_family
def anh() -> Plain:
    """The widest, Anh (2021): four pairs of up to 512 channels, 15,795,556 with running statistics."""
    units = (*_pair(256, 0.2), *_pair(512, 0.2), *_pair(512, 0.2), *_pair(512, 0.2))
    hidden = Dense(width=1024, norm=True, dropout=0.2, order=_ORDER)
    return Plain(units=units, head=Head(hidden=(hidden,)), dropout_after="pools")


@plain_family
def last() -> Plain:
    """Its last network, its own best on CIFAR-100: three pairs, 2,762,660 with running statistics."""
    units = (*_pair(64, 0.2), *_pair(128, 0.2), *_pair(128, 0.2))
    hidden = Dense(width=1024, norm=True, dropout=0.5, order=_ORDER)
    return Plain(units=units, head=Head(hidden=(hidden,)), dropout_after="pools")
