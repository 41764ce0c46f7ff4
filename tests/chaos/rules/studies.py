"""Studies that cannot be asked, and searches that have no answer."""

from collections.abc import Iterable
from dataclasses import replace

from rules.rule import DIGITS, FINISHED, Done, Place, Rule, write

GOOD = """
question = "Which rate?"
dataset = "digits"
epochs = 1

[arms.low]
network = {name = "cnn5", width = 0.125}
optimizer = {name = "sgd", lr = 0.01}

[arms.high]
network = {name = "cnn5", width = 0.125}
optimizer = {name = "sgd", lr = 0.1}
"""
ASK = ("launch", *DIGITS, "--name", "new", "--engine", "inline", "--study")


def asked(rule: str, options: tuple[str, ...], *says: str) -> Rule:
    """Options that are refused."""
    return Rule(rule=rule, input=" ".join(options), command=("launch", *DIGITS, "--name", "new", *options), says=says)


def filed(rule: str, old: str, new: str, *says: str) -> Rule:
    """A study's file with another passage."""
    assert old in GOOD
    shown = new.strip() or f"no {old.strip()}"
    breaks = write("rates.toml", GOOD.replace(old, new, 1))
    return Rule(rule=rule, input=shown, command=(*ASK, "rates.toml"), breaks=breaks, says=says)


def published(rule: str, figure: str, *says: str) -> Rule:
    """A figure that no study could have."""
    return filed(rule, "epochs = 1\n", f"epochs = 1\n[[published]]\n{figure}\n", *says)


def answered(_: Place, done: Done) -> Iterable[str]:
    """The answer is printed."""
    if "Which rate?" not in done.out or "minus the first" not in done.out:
        yield f"it is not answered: {done.out[-200:]}"


RULES = [
    asked("a study has a known name", ("--study", "batchnorm"), "batchnorm", "batch-norm", ".toml"),
    asked("--quick is of a study", ("--quick",), "--quick", "--study"),
    asked("--repeats is of a study", ("--repeats", "3"), "--repeats", "--study"),
    asked("a study has a repeat", ("--study", "padding", "--repeats", "0"), "--repeats"),
    asked("a study settles its space", ("--study", "padding", "--space", "cnn_all"), "--space", "padding"),
    asked("a study of a space has no repeats", ("--study", "published-search", "--repeats", "3"), "published-search"),
    asked("a study's networks take the images", ("--study", "transfer"), "transfer"),
    filed("a study has a question", 'question = "Which rate?"\n', "", "question"),
    filed("a study's field is a known one", "epochs = 1", "epoch = 1", "'epoch'", "epochs"),
    filed("a study's epochs are a number", "epochs = 1", 'epochs = "1"', "epochs", "'1'"),
    filed("a study compares two arms", "[arms.high]", "[other]", "other"),
    filed("arms have as many repeats as each other", "[arms.high]", "[arms.high]\nrepeats = 2", "repeats", "high"),
    filed("an arm is a configuration", "lr = 0.01", "rate = 0.01", "low", "lr"),
    published("a figure was published for an arm", 'arm = "middle"\nvalue = 0.5', "middle", "low, high"),
    published("a published figure is a share", 'arm = "low"\nvalue = 54.0', "54.0", "fraction"),
    published("a published figure has a value", 'arm = "low"', "value"),
    Rule(rule="a study's file exists", input="none.toml", command=(*ASK, "none.toml"), says=("none.toml",)),
    Rule(rule="only a study is answered", input=FINISHED, command=("answer", FINISHED), says=(FINISHED, "not a study")),
    Rule(rule="there is a study", input="searches that are none", command=("answer",), says=("--study",)),
    Rule(
        rule="a study of a file is asked",
        input="two arms, two repeats",
        command=(*ASK, "rates.toml", "--repeats", "2"),
        breaks=write("rates.toml", GOOD),
        code=0,
        lines=None,
        may_change=("results/new", "results/new/*"),
        after=answered,
    ),
]


def rules() -> list[Rule]:
    """The group's rules."""
    return [replace(rule, group="studies") for rule in RULES]
