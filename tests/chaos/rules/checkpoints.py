"""Checkpoints that a resume finds: its trial begins anew from its seed, and the others go on."""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from rules.rule import INTERRUPTED, Done, Place, Rule, flip, runs_when_read

RUN = (f"results/{INTERRUPTED}/*",)
INLINE = ("--engine", "inline")
RAY = ("--parallel", "2")


def damaged(how: Callable[[Place, Path], object]) -> Callable[[Place], None]:
    """The first checkpoint of the interrupted search, damaged."""

    def breaks(place: Place) -> None:
        how(place, min((place.search(INTERRUPTED) / "checkpoints").iterdir()))

    return breaks


def saved(state: Callable[[Place, dict[str, Any]], object]) -> Callable[[Place], None]:
    """Another state in place of the given one, written as the product writes one."""

    def how(place: Place, path: Path) -> None:
        from trainables.files import Folder
        from trainables.worker import checkpoints

        folder = Folder(str(path.parent))
        checkpoints.save(folder, path.name, state(place, checkpoints.load(folder, path.name)))  # type: ignore[arg-type]

    return damaged(how)


def another_network(_: Place, __: object) -> dict[str, object]:
    """What a training of a network with one weight leaves."""
    import torch

    return {"images": 240, "model": {"weight": torch.zeros(1)}, "optimizer": {"state": {}, "param_groups": []}}


def begun_anew(place: Place, _: Done) -> Iterable[str]:
    """Both trials have reached their end, one of them from its seed."""
    events = [json.loads(line) for line in place.ledger(INTERRUPTED).read_bytes().splitlines()]
    opened = max(i for i, event in enumerate(events) if event["event"] == "opened")
    states = [event["state"] for event in events[opened:] if event.get("state") in ("done", "failed")]
    if states != ["done", "done"]:
        yield f"the trials ended as {states}"
    if not any(event["event"] == "started" and event["images"] == 0 for event in events[opened:]):
        yield "no trial began anew"


def resumed(rule: str, shown: str, breaks: Callable[[Place], None], *options: str) -> Rule:
    """A resume that finds this, without Ray unless the options say otherwise."""
    return Rule(
        rule=rule,
        input=shown,
        command=("resume", INTERRUPTED, *(options or INLINE)),
        breaks=breaks,
        code=0,
        lines=None,
        may_change=RUN,
        seconds=300,
        after=begun_anew,
    )


RULES = [
    resumed(
        "reading a checkpoint runs no code",
        "a pickle that makes a file",
        saved(lambda place, state: state | {"model": runs_when_read(place.home / "evil")}),
        *RAY,
    ),
    resumed("a checkpoint is whole", "its first half", damaged(lambda _, p: p.write_bytes(p.read_bytes()[:20000]))),
    resumed(
        "a checkpoint is what was written",
        "a byte of a weight turned over",
        damaged(lambda _, path: path.write_bytes(flip(path.read_bytes(), 3000))),
    ),
    resumed("a checkpoint is its network's", "a network with one weight", saved(another_network)),
    resumed(
        "a checkpoint's parts are what they should be",
        "optimizer: 5",
        saved(lambda _, state: state | {"optimizer": 5}),
    ),
    resumed("a checkpoint is there", "none", damaged(lambda _, path: path.unlink())),
    Rule(
        rule="a resume deletes only what it has written",
        input="notes.txt among the checkpoints",
        command=("resume", INTERRUPTED, *INLINE),
        breaks=lambda place: (place.search(INTERRUPTED) / "checkpoints" / "notes.txt").write_text("mine"),
        code=0,
        lines=None,
        may_change=("results/interrupted/*.*", "results/interrupted/checkpoints/*.pt"),
        seconds=300,
    ),
]


def rules() -> list[Rule]:
    """The group's rules."""
    return [replace(rule, group="checkpoints") for rule in RULES]
