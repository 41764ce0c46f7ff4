"""What there is to search, and what a search of it would be: networks, spaces and forecasts, for people."""

from typing import Any

from architectures.build import build
from architectures.cost import cost
from architectures.families import FAMILIES, make_network
from architectures.spec import CNN, Shape, layers
from search.forecast import Forecast, Spread
from search.spaces import SPACES, find_space, parameters
from search.store import Request
from search.terminal import Rows, console, duration, print_rows


def networks(shape: Shape, num_classes: int) -> Rows:
    """A row a family, at its published size."""
    rows = []
    for name, family in FAMILIES.items():
        network = family()
        costs = cost(network, shape, num_classes)
        rows.append(
            {
                "name": name,
                "units": len(network.units),
                "hidden": len(network.head.hidden),
                "parameters": costs.parameters,
                "forward_mflop": round(costs.flops / 1e6, 1),
                "activation_kib": round(costs.activation_bytes / 1024),
            }
        )
    return rows


def network(name: str, hyperparameters: dict[str, Any], shape: Shape, num_classes: int) -> Rows:
    """A row a layer with its output shape and counts, and their sums."""
    made = make_network(name, hyperparameters, shape, num_classes)
    if not isinstance(made, CNN):
        module = build(made, shape, num_classes)
        return [
            {
                "layer": layer,
                "operation": type(child).__name__,
                "parameters": sum(p.numel() for p in child.parameters()),
            }
            for layer, child in module.named_children()
        ] + [{"layer": "all", "operation": "", "parameters": sum(p.numel() for p in module.parameters())}]
    rows: Rows = [
        {
            "layer": layer.unit,
            "operation": " ".join([layer.op, *(f"{k}={v}" for k, v in layer.settings.items())]),
            "output": "×".join(map(str, layer.output_shape)),
            "parameters": layer.parameters,
            "flops": layer.flops,
        }
        for layer in layers(made, shape, num_classes)
    ]
    total = {key: sum(row[key] for row in rows) for key in ("parameters", "flops")}
    return [*rows, {"layer": "all", "operation": "", "output": "", **total}]


def spaces() -> Rows:
    """A row a built-in space."""
    return [{"name": name, "what": (function.__doc__ or "").splitlines()[0]} for name, function in SPACES.items()]


def space(name: str) -> Rows:
    """A row a parameter of a space, or a configuration of a list."""
    found = find_space(name)
    if found.function is None:
        return [
            {"trial": n, "network": c.network.name, "optimizer": c.optimizer.name, "lr": c.optimizer.lr,
             "batch_size": c.training.batch_size, "epochs": c.training.epochs}
            for n, c in enumerate(found.configs)
        ]  # fmt: skip
    return [
        {
            "parameter": p.name,
            "values": _values(p.distribution),
            "when": " and ".join(f"{k} is {' or '.join(map(str, v))}" for k, v in p.conditions) or "always",
        }
        for p in parameters(found.function)
    ]


def _values(distribution: Any) -> str:
    if hasattr(distribution, "choices"):
        return ", ".join(map(str, distribution.choices))
    scale = "log scale" if distribution.log else "uniform"
    step = f", step {distribution.step:g}" if distribution.step not in (None, 1) else ""
    return f"{distribution.low:g} to {distribution.high:.10g}, {scale}{step}"


def print_forecast(request: Request, found: Forecast) -> None:
    """The forecast for people."""
    rows = [
        {name: _spread(value) if isinstance(value, Spread) else value for name, value in row.items()}
        for row in found.families
    ]
    print_rows(rows, "", f"{request.samples} trials of {request.space} on {request.dataset}: median (least to most)")
    for reason, times in found.impossible.items():
        console.print(f"impossible  {times} draws: {reason}")
    epochs = found.epochs
    console.print(f"epochs      about {epochs.middle:.0f} ({epochs.low:.0f} to {epochs.high:.0f}), {request.scheduler}")
    wall = found.seconds
    console.print(
        f"time        about {duration(wall.middle)} ({duration(wall.low)} to {duration(wall.high)}) in the slots"
    )
    console.print(f"memory      up to {found.memory / 2**20:,.0f} MiB in all slots, beside torch and the images")
    console.print(f"disk        up to {found.disk / 2**20:,.0f} MiB of checkpoints")
    for warning in found.warnings:
        console.print(f"warning     {warning}", style="yellow")


def _spread(value: Spread) -> str:
    def shown(number: float) -> str:
        return f"{number:,.0f}" if number >= 100 else f"{number:.3g}"

    if value.low == value.high:
        return shown(value.middle)
    return f"{shown(value.middle)} ({shown(value.low)} to {shown(value.high)})"
