"""A network as a table: a row for each layer, and their sum."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from architectures.blocks import Network
from architectures.layers import Layer, Shape

if TYPE_CHECKING:
    from torch import nn

_COUNTS = ("parameters", "with_statistics", "flops")


def describe(network: Network | nn.Module, input_shape: Shape, num_classes: int) -> list[dict[str, Any]]:
    """A row for each layer of a network or child of a module, for images (C, H, W); the last row is their sum.

    `with_statistics` counts parameters as Keras does: with running means and variances. Raises SizeError if a map would
    be empty.
    """
    if not isinstance(network, Network):
        return _module_rows(network)
    rows = [_row(layer) for layer in network.layers(input_shape, num_classes)]
    total = {key: sum(row[key] for row in rows) for key in _COUNTS}
    return [*rows, {"layer": "all", "operation": "", "output": "", **total}]


def _row(layer: Layer) -> dict[str, Any]:
    return {
        "layer": layer.block,
        "operation": " ".join([layer.op, *(f"{key}={value}" for key, value in layer.settings.items())]),
        "output": "×".join(map(str, layer.output_shape)),
        "parameters": layer.parameters,
        "with_statistics": layer.parameters + layer.statistics,
        "flops": layer.flops,
    }


def _module_rows(module: nn.Module) -> list[dict[str, Any]]:
    from architectures.module_cost import statistics  # imported late: data are shown without torch

    def row(name: str, operation: str, part: nn.Module) -> dict[str, Any]:
        parameters = sum(p.numel() for p in part.parameters())
        return {
            "layer": name,
            "operation": operation,
            "parameters": parameters,
            "with_statistics": parameters + statistics(part),
        }

    rows = [row(name, type(child).__name__, child) for name, child in module.named_children()]
    return [*rows, row("all", "", module)]
