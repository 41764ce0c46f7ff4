"""Lists of configurations: files of JSON lines."""

import json
from dataclasses import replace
from typing import Any

from rules.rule import LAUNCH, Rule, write

GOOD: dict[str, Any] = {"network": {"name": "cnn5"}, "optimizer": {"name": "sgd", "lr": 0.1}, "training": {}}
COMMAND = (*LAUNCH, "--space", "list.jsonl")


def line(rule: str, content: Any, *says: str, shown: str | None = None) -> Rule:
    """A list whose second line breaks a rule."""
    text = content if isinstance(content, str) else json.dumps(content)
    return Rule(
        rule=rule,
        input=shown or text[:120],
        command=COMMAND,
        breaks=write("list.jsonl", f"{json.dumps(GOOD)}\n{text}\n"),
        says=("line 2", *says),
    )


def part(name: str, /, **values: Any) -> dict[str, Any]:
    """The good configuration with other values in one of its parts."""
    return GOOD | {name: GOOD[name] | values}


def whole(rule: str, content: str | bytes, *says: str, shown: str) -> Rule:
    """A file that is no list at all."""
    return Rule(rule=rule, input=shown, command=COMMAND, breaks=write("list.jsonl", content), says=says)


RULES = [
    Rule(rule="a space is known", input="nope", command=(*LAUNCH, "--space", "nope"), says=("cnn_all",)),
    Rule(rule="a list exists", input="gone.jsonl", command=(*LAUNCH, "--space", "gone.jsonl"), says=("No such file",)),
    Rule(
        rule="a list is a file",
        input="a folder list.jsonl",
        command=COMMAND,
        breaks=lambda place: (place.home / "list.jsonl").mkdir(),
        says=("directory",),
    ),
    whole("a list holds a configuration", "\n \n", "no configuration", shown="empty lines"),
    whole("a list is UTF-8", b"\x89PNG\r\n\x1a\n\x00\xff", "UTF-8", shown="a PNG's first bytes"),
    line("a line is JSON", "nonsense", "JSON"),
    line("a line is not nested without end", "[" * 100_000, shown="100,000 brackets"),
    line("a number is one of JSON's", '{"network": {"name": "cnn5"}, "optimizer": {"name": "sgd", "lr": NaN}}', "NaN"),
    line("a number is finite", '{"network": {"name": "cnn5"}, "optimizer": {"name": "sgd", "lr": 1e400}}', "inf"),
    line("a configuration is an object", "[]", "object"),
    line("a configuration has an optimizer", {"network": {"name": "cnn5"}}, "optimizer"),
    line("a configuration has no other part", GOOD | {"optimiser": {}}, "optimiser", "known"),
    line("a part is an object", GOOD | {"network": "cnn6"}, "object", "str"),
    line("a name is a string", part("network", name=6), "string"),
    line("a listed network is known", part("network", name="cnn9"), "cnn1"),
    line("an optimizer is known", part("optimizer", name="nosuch"), "rmsprop"),
    line("an optimizer has its own arguments only", part("optimizer", nesterov=True), "nesterov"),
    line("an optimizer's argument lies in its range", part("optimizer", momentum=1.5), "momentum"),
    line("a learning rate is a number", part("optimizer", lr="0.1"), "number"),
    line("a learning rate is above zero", part("optimizer", lr=0), "above 0"),
    line("weight decay is not negative", part("optimizer", weight_decay=-1), "weight_decay"),
    line("a batch size is a whole number", part("training", batch_size=1.5), "batch_size"),
    line("smoothing is below one", part("training", label_smoothing=1), "below 1"),
    line("a schedule is known", part("training", schedule="stairs"), "cosine"),
    line("an augmentation is known", part("training", augment="flip"), "flip-crop"),
    line("training has no other settings", part("training", batches=1), "batches"),
    line("a hyperparameter is one of its network's", part("network", depth=3), "width"),
    line("a width is a factor in (0, 64]", part("network", width=65), "(0, 64]"),
    line("a dropout lies in [0, 1)", part("network", conv_dropout=1), "conv_dropout"),
    line("an activation is known", part("network", activation="swish"), "relu"),
    line("a pooling is known", part("network", pool="min"), "average"),
    line("a normalisation is known", part("network", norm="layer"), "everywhere"),
    line("hidden widths are a list", part("network", head_widths=5), "head_widths"),
    line("hidden widths are at least one", part("network", head_widths=[0]), "at least 1"),
    replace(
        line("a listed network fits the images", part("network", name="cnn4"), "at least 2×2"),
        command=(*COMMAND, "--image-size", "4"),
        input="cnn4 on 4×4",
    ),
]


def rules() -> list[Rule]:
    """The group's rules."""
    return [replace(rule, group="spaces and lists") for rule in RULES]
