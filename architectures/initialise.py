"""The choice of initial weights for a training."""

from torch import nn

from architectures.checks import INITIALISATIONS, check_choice


def initialise(module: nn.Module, how: str) -> None:
    """Initialise the weights of a module from torch's global generator.

    how: "torch" leaves everything as the layers drew it. "kaiming" draws the weights of convolutions and dense layers
    from normal distributions whose variance is two divided by the number of inputs, and sets their biases to zero (He
    et al. 2015, "Delving deep into rectifiers"). Raises ValueError for another name.
    """
    check_choice("initialisation", how, INITIALISATIONS)
    if how == "torch":
        return
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(part.weight, nonlinearity="relu")
            if part.bias is not None:
                nn.init.zeros_(part.bias)
