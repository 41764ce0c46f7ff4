"""Winners in timm: import this module, then `timm.create_model("local-dir:FOLDER", pretrained=True)` loads one.

The folder is a retrain's, whose `config.json` holds the keys that timm reads. They name one entry of timm's registry,
which this module adds; it builds any of our families. timm itself is not installed with hpsearch.
"""

from typing import Any

from timm.models import load_pretrained, register_model
from torch import nn

from architectures.build import build
from architectures.families import FAMILIES, make_network
from search.use.winners import UseError


@register_model
def hpsearch(
    pretrained: bool = False,
    pretrained_cfg: dict[str, Any] | None = None,
    *,
    network: dict[str, Any],
    input_shape: list[int],
    **_: Any,
) -> nn.Module:
    """The module of a family from images (N, C, H, W) in [-1, 1] to logits, with the weights beside its config.json.

    It has the attributes `pretrained_cfg`, `default_cfg` and `num_classes` that timm's functions look for. Raises
    UseError for a network that is no family, which only its author's function can build.
    """
    hyperparameters = dict(network)
    name = hyperparameters.pop("name")
    if name not in FAMILIES:
        raise UseError(f"timm loads networks of hpsearch's families, which '{name}' is not")
    cfg = dict(pretrained_cfg or {})
    shape, classes = tuple(input_shape), cfg["num_classes"]
    model = build(make_network(name, hyperparameters, shape, classes), shape, classes)
    model.pretrained_cfg = model.default_cfg = cfg  # type: ignore[assignment]
    model.num_classes = classes
    if pretrained:
        load_pretrained(model, cfg, num_classes=classes, in_chans=shape[0])
    return model
