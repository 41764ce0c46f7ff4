"""What a person may choose of a search and of a training: metrics, schedulers' options, recipes, changed code."""

import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

from rules.pictures import encoded, picture, taken, write_part
from rules.rule import DIGITS, FINISHED, PICTURES, Done, Place, Rule, both, change, write
from rules.spaces import GOOD, line, part

INLINE = ("--engine", "inline")
LAUNCH = ("launch", *DIGITS, "--space", "small:space", "--samples", "2", "--epochs", "4", "--name", "new")
NEW = ("results/new", "results/new/*")
#: Options of schedulers that are refused, and what is said of them.
SCHEDULERS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("a grace period is no longer than a trial", ("--grace-period", "5"), ("--grace-period", "--epochs 4")),
    ("a grace period is a number", ("--grace-period", "soon"), ("soon",)),
    ("a grace period is finite", ("--grace-period", "inf"), ("finite",)),
    ("a grace period is no NaN", ("--grace-period", "nan"), ("finite",)),
    ("a grace period is above zero", ("--grace-period", "0"), ("above 0",)),
    ("a reduction factor is at least two", ("--scheduler", "asha", "--reduction-factor", "1.5"), ("at least 2",)),
    ("a reduction factor is a number", ("--scheduler", "asha", "--reduction-factor", "half"), ("half",)),
    ("a share to keep is below one", ("--scheduler", "halving", "--keep", "1"), ("inside (0, 1)",)),
    ("a share to keep is above zero", ("--scheduler", "halving", "--keep", "0"), ("inside (0, 1)",)),
    ("a share to keep is a number", ("--scheduler", "halving", "--keep", "half"), ("half",)),
    ("a share to keep belongs to its scheduler", ("--scheduler", "asha", "--keep", "0.5"), ("--keep", "halving")),
    ("a factor belongs to its scheduler", ("--scheduler", "halving", "--reduction-factor", "2"), ("asha",)),
    ("who stops nothing takes no grace period", ("--scheduler", "none", "--grace-period", "1"), ("--grace-period",)),
    ("threads are at least one", ("--threads", "0"), ("--threads",)),
    ("a cost that counts too is a known one", ("--also", "price"), ("price", "parameters", "flops", "seconds")),
    ("a metric is a known one", ("--metric", "f1"), ("balanced_accuracy",)),
)
#: Lines of lists whose training or optimizer breaks a rule.
RECIPES: tuple[tuple[str, dict[str, Any], tuple[str, ...]], ...] = (
    ("an average's share is below one", part("training", ema=1.0), ("ema", "below 1")),
    ("an average's share is above zero", part("training", ema=0), ("ema", "above 0")),
    ("an average's share is a number", part("training", ema="slow"), ("ema", "number")),
    ("a warm-up is a share of the training", part("training", warmup=1), ("warmup", "below 1")),
    ("a decay over time is not negative", part("training", time_decay=-1), ("time_decay",)),
    ("what is decayed is a known part", part("training", decayed="biases"), ("biases", "weights")),
    ("patience is at least one", part("training", patience=0), ("patience", "from 1")),
    ("weights of classes are there or not", part("training", class_weights=2), ("class_weights", "true or false")),
    ("a crop's padding is not negative", part("training", crop_padding=-1), ("crop_padding", "from 0")),
    ("jitter is at most one", part("training", jitter=2), ("jitter", "at most 1")),
    ("a rotation is at most half a turn", part("training", rotation=181), ("rotation", "at most 180")),
    ("a schedule has a known name", part("training", schedule="stairs"), ("stairs", "one_cycle")),
    ("cutmix is a probability", part("training", cutmix=1.5), ("cutmix", "at most 1")),
    ("a cutout is a whole number of pixels", part("training", cutout=2.5), ("cutout", "whole number")),
    ("a cutout is no larger than the image", part("training", cutout=17), ("cutout", "17")),
    ("grey images have no channels to shift", part("training", channel_shift=0.2), ("channel_shift", "grey")),
    ("a transform is a known one", part("training", mosaic=1), ("mosaic", "cutmix")),
    ("Nesterov's momentum is above zero", part("optimizer", name="sgd_nesterov", momentum=0), ("momentum", "above 0")),
    ("AdamW's betas are below one", part("optimizer", name="adamw", beta1=1), ("beta1", "below 1")),
    ("Muon's others have a rate", part("optimizer", name="muon", others_lr=0), ("others_lr", "above 0")),
    ("Muon keeps norms or does not", part("optimizer", name="muon", keep_norms=0.5), ("keep_norms", "whole")),
    ("a width leaves a channel", part("network", width=1e-4), ("width", "channel")),
)
WITHOUT_MATRICES = """
import torch
from torch import nn

class Scale(nn.Module):
    def __init__(self, num_classes):
        super().__init__()
        self.bias = nn.Parameter(torch.zeros(num_classes))

    def forward(self, x):
        return x.mean((1, 2, 3), keepdim=False).unsqueeze(1) + self.bias

def network(num_classes):
    return Scale(num_classes)
"""
TPE = """
from search.spaces import config_of

def space(trial):
    trial.suggest_categorical("network", ("cnn5",))
    optimizer = trial.suggest_categorical("optimizer", ("sgd", "adam"))
    trial.suggest_float(f"{optimizer}/lr", 1e-3, 1e-1)
    trial.suggest_categorical("batch_size", (16, 32) if optimizer == "sgd" else (64, 128))
    return config_of(trial.params)
"""
THREE = """
from search.spaces import config_of

def space(trial):
    trial.suggest_categorical("network", ("cnn5",))
    trial.suggest_categorical("cnn5/width", (0.125, 0.25, 0.5))
    trial.suggest_categorical("optimizer", ("sgd",))
    trial.suggest_categorical("sgd/lr", (0.01,))
    return config_of(trial.params)
"""


def asked(rule: str, options: tuple[str, ...], says: tuple[str, ...]) -> Rule:
    """An option of a launch that is refused."""
    return Rule(rule=rule, input=" ".join(options), command=(*LAUNCH, *options), says=says)


def skewed(place: Place) -> None:
    """Ten cats to every dog."""
    write_part(place.home / "images", 2)
    for number in range(2, 20):
        (place.home / "images" / "cat" / f"{number:02}.png").write_bytes(encoded(picture("cat", number)))


def edited(place: Place) -> None:
    """The user's space, with another choice."""
    change("small.py", lambda text: text.replace(b"(0.25,)", b"(0.5,)"))(place)


def resumed(rule: str, shown: str, verb: str, breaks: Callable[[Place], None], *options: str, **more: Any) -> Rule:
    """A search that goes on, or its retrain."""
    own = ("--samples", "4") if verb == "resume" else ("--top", "1", "--epochs", "2")
    return Rule(rule=rule, input=shown, command=(verb, FINISHED, *own, *INLINE, *options), breaks=breaks, **more)


def trials(number: int) -> Callable[[Place, Done], Iterable[str]]:
    """So many different trials were recorded."""

    def after(place: Place, _: Done) -> Iterable[str]:
        events = [json.loads(line) for line in place.ledger("new").read_text().splitlines()]
        drawn = {json.dumps(event["config"]) for event in events if event["event"] == "asked"}
        if len(drawn) != number:
            yield f"{len(drawn)} different trials, not {number}"

    return after


def guessed(place: Place, _: Done) -> Iterable[str]:
    """The metric is recorded."""
    if json.loads((place.search("new") / "search.json").read_text())["request"].get("metric") != "balanced_accuracy":
        yield "the metric is not recorded"


#: Winners that are named, and fields of their training: the rule, the verb, its options, and what its line says.
NAMED = [
    ("a named winner is a trial", "retrain", ("--trial", "99"), ("no measured trial 99", "it has 0 to")),
    ("a named winner is a number or the knee", "retrain", ("--trial", "best"), ("best", "number", "knee")),
    ("winners are named or found", "retrain", ("--trial", "0", "--top", "2"), ("--trial", "--top", "one of them")),
    ("students are winners", "retrain", ("--top", "1", "--students", "2"), ("--students 2", "1 winner;")),
    ("a narrow student is a student", "retrain", ("--student-width", "0.5"), ("--student-width", "--students")),
    ("a field of a training is known", "retrain", ("--set", "cutmixx=1"), ("cutmixx", "known")),
    ("a field of a training is within its limits", "retrain", ("--set", "cutmix=2"), ("cutmix", "at most 1")),
    ("a field of a training is a finite number", "retrain", ("--set", "cutmix=NaN"), ("cutmix", "finite")),
    ("a field of a training has a value", "retrain", ("--set", "cutmix"), ("--set", "KEY=VALUE")),
    ("epochs have an option of their own", "retrain", ("--set", "epochs=3"), ("--epochs 3",)),
    ("a front is by a known cost", "top", ("--pareto", "price"), ("price", "parameters", "flops", "seconds")),
    ("a front is not every trial", "top", ("--pareto", "flops", "--all"), ("--all", "--pareto")),
    ("images are moved for examples", "report", ("--dataset", "digits"), ("--dataset", "--examples")),
]
RUN = (f"results/{FINISHED}/*",)
MUON = {"network": {"name": "flat:network"}, "optimizer": {"name": "muon", "lr": 0.02}}
FLAT = line("Muon has a matrix to train", GOOD | MUON, "muon")
RULES = [
    *(asked(*each) for each in SCHEDULERS),
    *(line(rule, content, *says) for rule, content, says in RECIPES),
    replace(FLAT, breaks=both(write("flat.py", WITHOUT_MATRICES), FLAT.breaks)),
    replace(
        taken(
            "what guessing gives is said",
            "20 cats, 2 dogs",
            skewed,
            "--metric",
            "balanced_accuracy",
            line="majority-class baseline:",
        ),
        after=guessed,
    ),
    Rule(
        rule="validation images that are not there are not trained on",
        input="retrain --with-validation",
        command=("retrain", PICTURES, "--top", "1", "--epochs", "1", "--with-validation", *INLINE),
        says=("--with-validation",),
    ),
    Rule(
        rule="a winner's width is above zero",
        input="--width 0",
        command=("retrain", FINISHED, "--width", "0"),
        says=("--width",),
    ),
    Rule(
        rule="a winner's patience is at least one",
        input="--patience 0",
        command=("retrain", FINISHED, "--patience", "0"),
    ),
    *(
        Rule(rule=rule, input=" ".join(options), command=(verb, FINISHED, *options), says=says)
        for rule, verb, options, says in NAMED
    ),
    resumed("an edited space is noticed", "another width", "resume", edited, says=("small.py", "--changed-code")),
    resumed(
        "an edited space is taken when that is asked",
        "--changed-code",
        "resume",
        edited,
        "--changed-code",
        code=0,
        lines=None,
        may_change=RUN,
    ),
    Rule(
        rule="choices that depend on other draws are found for tpe",
        input="batch sizes of each optimizer",
        command=(*LAUNCH[:-4], "--name", "new", "--space", "mine:space", "--sampler", "tpe", *INLINE),
        breaks=write("mine.py", TPE),
        says=("batch_size", "--sampler random"),
    ),
    Rule(
        rule="a small space is drawn once",
        input="3 configurations for 10 samples",
        command=(*LAUNCH, "--space", "mine:space", "--samples", "10", "--scheduler", "none", "--epochs", "1", *INLINE),
        breaks=write("mine.py", THREE),
        code=0,
        lines=None,
        says=("3 trials",),
        may_change=NEW,
        after=trials(3),
    ),
]


def rules() -> list[Rule]:
    """The group's rules."""
    return [replace(rule, group="choices") for rule in RULES]
