"""Settings with which the largest families are quick to call; their layers are of the same kinds."""

from typing import Any

_BODY: dict[str, Any] = {"size": 32, "body_lr": 1.0}
SMALLER: dict[str, dict[str, Any]] = {
    "wide_resnet": {"depth": 16, "width": 1.0},
    **dict.fromkeys(("vgg16", "vgg19", "resnet50"), _BODY),
}
