"""Report 4, hypothesis tests on CIFAR-100 (Keras): a baseline and its variants."""

from collections.abc import Sequence
from functools import partial

from architectures.blocks import Dense, Head, Network, Unit
from architectures.checks import check_choice, check_counts, check_dropout, check_factor, check_flag, scaled
from architectures.families.registry import family, register
from architectures.steps import Activation, Pooling

POOLS = ("none", "max", "average", "mixed")
PADDINGS = ("valid", "same")
_MOST_WIDTH = 1_000_000


@family
def baseline(
    *,
    conv_widths: Sequence[int] = (32, 64),
    head_widths: Sequence[int] = (128,),
    width: float = 1.0,
    pool: str = "none",
    padding: str = "valid",
    norm: bool = False,
    activation: str = "relu",
    conv_dropout: float = 0.0,
    head_dropout: float = 0.0,
    conv_l2: float = 0.0,
    head_l2: float = 0.0,
) -> Network:
    """Two convolutions without padding or pooling and a hidden layer: 6,454,948 parameters.

    conv_widths: channels of each convolution. head_widths: of each hidden layer. width: factor on both.
    pool: after each convolution "none", "max" or "average"; "mixed" is max in the first half and average in the rest.
    padding: "valid" (none, so that a map loses two pixels at each convolution) or "same".
    norm: batch norm after every convolution and hidden layer. conv_dropout, head_dropout: after each of them;
    head_dropout is before the classifier if no layer is hidden.
    conv_l2, head_l2: λ of the penalty λ·Σw² on the weights of the convolutions and of the hidden layers.

    The variants that the report compares are settings: pooling with three pooled convolutions (`conv_widths`
    [32, 64, 128]), padding, norm and dropout, L2, activations.
    """
    check_counts("conv_widths", conv_widths, "[32, 64]", _MOST_WIDTH)
    check_counts("head_widths", head_widths, "[128]", _MOST_WIDTH)
    check_factor("width", width)
    check_choice("pool", pool, POOLS)
    check_choice("padding", padding, PADDINGS)
    check_flag("norm", norm)
    check_dropout(conv_dropout, "conv_dropout")
    check_dropout(head_dropout, "head_dropout")
    nonlinearity = Activation(activation)
    units = tuple(
        Unit(
            channels=scaled(channels, width),
            padding=1 if padding == "same" else 0,
            norm=norm,
            activation=nonlinearity,
            pool=_pooling(pool, number, len(conv_widths)),
            dropout=conv_dropout,
            l2=conv_l2,
        )
        for number, channels in enumerate(conv_widths)
    )
    hidden = tuple(
        Dense(width=scaled(wide, width), norm=norm, activation=nonlinearity, dropout=head_dropout, l2=head_l2)
        for wide in head_widths
    )
    if head_l2 and not hidden:
        raise ValueError("head_l2 is on the weights of hidden layers, and head_widths has none: set head_l2 to 0")
    return Network(blocks=units, head=Head(hidden=hidden, dropout=0.0 if hidden else head_dropout))


def _pooling(pool: str, number: int, convolutions: int) -> Pooling | None:
    """The pooling after convolution `number`, counted from 0."""
    if pool == "none":
        return None
    return "average" if pool == "average" or (pool == "mixed" and number >= convolutions / 2) else "max"


# The final models, for coarse and for fine labels: ELU, batch norm, dropout 0.4 and L2. The report gives neither λ nor
# their widths, which here continue the baseline's.
register(
    "baseline_final",
    partial(
        baseline.function,
        conv_widths=(32, 64, 128),
        pool="average",
        padding="same",
        norm=True,
        activation="elu",
        conv_dropout=0.4,
        head_dropout=0.4,
        conv_l2=1e-4,
        head_l2=1e-4,
    ),
    __name__,
)
