"""What there is to search: networks and spaces, for people."""

import inspect
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from architectures.blocks import Network
from architectures.cost import cost
from architectures.describe import describe
from architectures.families import FAMILIES, make_network
from architectures.layers import Shape, SizeError
from search.show.terminal import Rows
from search.spaces import find_space
from search.spaces.parameters import Parameter, parameters
from search.spaces.space import SPACES
from search.studies import STUDIES
from search.studies.study import MEASURES, Published, Study


def networks(shape: Shape, num_classes: int) -> Rows:
    """A row for each family, at its published size; `misfit` says why a family cannot take such images."""
    rows = []
    for name, family in FAMILIES.items():
        made = family()
        row = {"name": name, "group": family.group, "units": len(made.blocks), "hidden": len(made.head.hidden)}
        rows.append(row | _figures(made, shape, num_classes))
    return rows


def _figures(network: Network, shape: Shape, num_classes: int) -> dict[str, Any]:
    try:
        costs = cost(network, shape, num_classes)
    except SizeError as error:
        names = ("parameters", "with_statistics", "forward_mflop", "activation_kib")
        return dict.fromkeys(names) | {"misfit": str(error)}
    return {
        "parameters": costs.parameters,
        "with_statistics": costs.with_statistics,
        "forward_mflop": round(costs.flops / 1e6, 1 if costs.flops < 1e9 else None),
        "activation_kib": round(costs.activation_bytes / 1024),
        "misfit": None,
    }


def network(name: str, hyperparameters: dict[str, Any], shape: Shape, num_classes: int) -> Rows:
    """A row for each layer with its output shape and counts, and their sum."""
    return describe(make_network(name, hyperparameters, shape, num_classes), shape, num_classes)


def hyperparameters(name: str) -> str:
    """The hyperparameters of a family that `--set` changes, with the published values."""
    own = FAMILIES[name].hyperparameters
    values = ", ".join(f"{key}={'unset' if value is None else _plain(value)}" for key, value in own.items())
    return f"{name} takes, with --set KEY=VALUE: {values}"


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def spaces() -> Rows:
    """A row for each built-in space."""
    return [{"name": name, "what": (function.__doc__ or "").splitlines()[0]} for name, function in SPACES.items()]


def studies() -> Rows:
    """A row for each built-in study."""
    return [
        {"study": each.name, "asks": each.question, "of": each.source, "arms": len(each.arms) or each.space}
        for each in STUDIES.values()
    ]


def study(found: Study) -> Rows:
    """A row for each arm of a study, with its published figures."""
    figures = {arm: [each for each in found.published if each.arm == arm] for arm in found.arms}
    return [
        {
            "arm": arm,
            "network": _words(config.network.name, config.network.hyperparameters),
            "optimizer": _words(config.optimizer.name, {"lr": config.optimizer.lr, **config.optimizer.arguments}),
            "batch": config.training.batch_size,
            "published": "; ".join(_figure(each) for each in figures[arm]),
        }
        for arm, config in found.arms.items()
    ]


def _words(name: str, settings: Mapping[str, Any]) -> str:
    return " ".join([name, *(f"{key}={_plain(value)}" for key, value in settings.items())])


def _figure(each: Published) -> str:
    spread = f" ± {each.std:.1%}" if each.std else ""
    return f"{each.value:.1%}{spread} {MEASURES[each.measure].split()[0]}{f' ({each.dataset})' if each.dataset else ''}"


def remarks(name: str) -> str:
    """What a built-in space's documentation says after its first line; empty for other spaces."""
    text = inspect.getdoc(SPACES[name]) if name in SPACES else None
    return " ".join((text or "").splitlines()[1:]).strip()


def space(name: str, *, each: bool = False) -> Rows:
    """A row for each parameter of a space, or for each configuration of a list.

    A parameter that belongs to several choices of another one, such as the width of every network, is one row. With
    `each`, every parameter is a row, with the name under which it is drawn.
    """
    found = find_space(name)
    if found.function is None:
        return [
            {"trial": n, "network": c.network.name, "optimizer": c.optimizer.name, "lr": c.optimizer.lr,
             "batch_size": c.training.batch_size, "epochs": c.training.epochs}
            for n, c in enumerate(found.configs)
        ]  # fmt: skip
    drawn = parameters(found.function)
    return [
        {
            "parameter": p.name,
            "values": _values(p.distribution) + (" (depends on other draws)" if p.depends else ""),
            "when": _when(p),
        }
        for p in (drawn if each else _together(drawn))
    ]


def _when(parameter: Parameter) -> str:
    conditions = " and ".join(f"{k} is {' or '.join(map(_plain, v))}" for k, v in parameter.conditions)
    if parameter.sometimes:
        return f"{conditions}, and depends on other draws" if conditions else "depends on other draws"
    return conditions or "always"


def _together(found: list[Parameter]) -> list[Parameter]:
    """Parameters without repetition: cnn1/width and cnn2/width of the same distribution are <network>/width."""
    groups: dict[tuple[str, ...], list[Parameter]] = {}
    for each in found:
        groups.setdefault(_sharing(each), []).append(each)
    choices = {each.name: getattr(each.distribution, "choices", ()) for each in found}
    return [of[0] if len(of) == 1 else _shared(of, choices) for of in groups.values()]


def _sharing(parameter: Parameter) -> tuple[str, ...]:
    """A key that is equal for parameters that are shown as one: they differ only by another parameter's choice."""
    match parameter.conditions:
        case ((other, (choice,)),) if parameter.name.startswith(f"{choice}/"):
            alike = f"{parameter.distribution} {parameter.depends} {parameter.sometimes}"
            return other, parameter.name.removeprefix(f"{choice}/"), alike
    return (parameter.name,)


def _shared(of: list[Parameter], choices: dict[str, tuple[Any, ...]]) -> Parameter:
    """Several parameters as one, drawn with any of the choices that they belong to."""
    ((other, (choice,)),) = of[0].conditions
    bringing = [each.conditions[0][1][0] for each in of]
    kept = tuple(each for each in choices[other] if each in bringing)
    conditions: tuple[tuple[str, tuple[Any, ...]], ...] = () if len(kept) == len(choices[other]) else ((other, kept),)
    return replace(of[0], name=f"<{other}>{of[0].name.removeprefix(str(choice))}", conditions=conditions)


def _values(distribution: Any) -> str:
    if hasattr(distribution, "choices"):
        return ", ".join(map(_plain, distribution.choices))
    scale = "log scale" if distribution.log else "uniform"
    step = f", step {distribution.step:g}" if distribution.step not in (None, 1) else ""
    return f"{distribution.low:g} to {distribution.high:.10g}, {scale}{step}"
