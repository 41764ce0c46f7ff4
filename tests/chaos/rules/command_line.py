"""Wrong verbs, options and names."""

import fcntl
from dataclasses import replace

from rules.rule import DIGITS, FINISHED, INTERRUPTED, LAUNCH, Place, Rule, change, flip, powerless, shell


def held(place: Place) -> None:
    """The interrupted search's ledger, open in another process."""
    file = place.stack.enter_context(place.ledger(INTERRUPTED).open("ab"))
    fcntl.flock(file, fcntl.LOCK_EX)


def no_finished_trial(place: Place) -> None:
    """The finished search's ledger as it was when its first trial began."""
    lines = place.ledger().read_bytes().splitlines(keepends=True)
    first = next(i for i, line in enumerate(lines) if b'"event":"measured"' in line)
    place.ledger().write_bytes(b"".join(lines[:first]))


def full(place: Place) -> None:
    """Standard output on a disk that is full."""
    shell('"$@" > /dev/full')(place)


def no_results(place: Place) -> None:
    """A results folder that may not be written to."""
    (place.home / "results").chmod(0o555)
    powerless(place)


def ascii_terminal(place: Place) -> None:
    """A terminal that knows no × and no –."""
    place.environment |= {"PYTHONIOENCODING": "ascii", "LANG": "C"}


def sent(rule: str, shown: str, url: str, *options: str, says: str) -> Rule:
    """A launch that is sent to a cluster."""
    command = ("launch", "--dataset", "digits", "--data-dir", "/data", *options, "--submit", url)
    return Rule(rule=rule, input=shown, command=command, says=(says,))


def stored(rule: str, location: str, *says: str) -> Rule:
    """A launch whose record is kept elsewhere as well."""
    return Rule(rule=rule, input=location, command=(*LAUNCH, "--storage", location), says=says)


NOWHERE = "http://127.0.0.1:9"

RULES = [
    Rule(rule="a verb is one of the known ones", input="begin", command=("begin",), says=("launch, resume",)),
    Rule(rule="a verb takes only its own options", input="--speed 9", command=("launch", "--speed", "9")),
    Rule(rule="an option has a value", input="--samples", command=("launch", "--samples")),
    Rule(rule="a flag has no value", input="--json=yes", command=("list", "--json=yes")),
    Rule(rule="a verb takes one search", input="status one two", command=("status", "one", "two")),
    Rule(rule="a count is a whole number", input="--epochs two", command=("launch", "--epochs", "two")),
    Rule(rule="a count is at least one", input="--samples 0", command=("launch", "--samples", "0")),
    Rule(rule="epochs have a most", input="10^9", command=("launch", "--epochs", "1000000000")),
    Rule(rule="an image's side has a most", input="10^5", command=("launch", "--image-size", "100000")),
    Rule(rule="slots have a most", input="10^6", command=("resume", "--parallel", "1000000")),
    Rule(rule="a seed is not negative", input="-1", command=("launch", "--seed", "-1")),
    Rule(rule="a share lies inside (0, 1)", input="1", command=("launch", "--validation", "1")),
    Rule(rule="a time is finite", input="nan", command=("launch", "--max-time", "nan"), says=("not a time",)),
    Rule(rule="a time is above zero", input="0", command=("resume", "--max-time", "0")),
    Rule(rule="a choice is one of those listed", input="best", command=("launch", "--sampler", "best"), says=("tpe",)),
    Rule(rule="a folder's path is not empty", input="''", command=("list", "--results", "")),
    Rule(rule="a folder is no file", input="own.py", command=("launch", "--data-dir", "own.py"), says=("a file",)),
    Rule(rule="a home folder is a user's", input="~nobody-here", command=("list", "--results", "~nobody-here/x")),
    Rule(rule="a path has a length that exists", input="5,000 letters", command=("list", "--results", "r" * 5000)),
    Rule(
        rule="results can be written",
        input="a folder without the right to write",
        command=LAUNCH,
        breaks=no_results,
        says=("cannot write",),
    ),
    Rule(rule="a name stays in the results", input="../out", command=(*LAUNCH[:-1], "../out"), says=("1 to 100",)),
    Rule(rule="a name is new", input=FINISHED, command=(*LAUNCH[:-1], FINISHED), says=(f"hpsearch resume {FINISHED}",)),
    Rule(rule="a search exists", input="other", command=("status", "other"), says=(FINISHED,)),
    Rule(rule="a search's name is no path", input="../results/finished", command=("top", "../results/finished")),
    Rule(rule="there is a search", input="an empty folder", command=("top", "--results", "none"), says=("launch",)),
    Rule(
        rule="a name is text",
        input="a byte that is no UTF-8",
        command=("list", "--results", b"results-\xff"),
        code=0,
        lines=0,
    ),
    Rule(rule="samples only grow", input="1", command=("resume", FINISHED, "--samples", "1"), says=("3", "grow")),
    Rule(
        rule="one process at a time works on a search",
        input="a ledger that another process has open",
        command=("resume", INTERRUPTED),
        breaks=held,
        says=("another process",),
    ),
    Rule(
        rule="a retrain needs a finished trial",
        input="a search with none",
        command=("retrain", FINISHED),
        breaks=no_finished_trial,
        says=("no finished trial",),
    ),
    Rule(
        rule="a dataset is known or a folder",
        input="imagenet",
        command=("launch", "--dataset", "imagenet", "--data-dir", "data"),
        says=("digits",),
    ),
    Rule(
        rule="a subset has an image of each class",
        input="5 of 10 classes",
        command=("launch", *DIGITS[:-1], "5"),
        says=("10",),
    ),
    Rule(
        rule="a subset is no larger than the dataset",
        input="100,000 of 1,438",
        command=("launch", *DIGITS[:-1], "100000"),
        says=("1438",),
    ),
    Rule(
        rule="standard output can be written",
        input="/dev/full",
        command=("list",),
        breaks=full,
        code=1,
        says=("No space",),
    ),
    Rule(
        rule="a terminal shows what it can",
        input="one that knows ASCII only",
        command=("networks", "cnn5"),
        breaks=ascii_terminal,
        code=0,
        lines=0,
    ),
    Rule(
        rule="the data folder can be written",
        input="a folder below a file",
        command=(*LAUNCH, "--data-dir", "own.py/data"),
        says=("own.py",),
    ),
    Rule(
        rule="the cache is rebuilt when it is damaged",
        input="an image's byte turned over",
        command=("launch", "--dataset", "digits", "--data-dir", "data", "--space", "impossible.jsonl"),
        breaks=lambda place: [
            path.write_bytes(path.read_bytes()[:-1] + b"!") for path in (place.home / "data/cache").glob("*pixels.npy")
        ],
        lines=2,
        says=("is damaged and is rebuilt",),
    ),
    # sessions, clusters and storages
    Rule(rule="retries have a most", input="101", command=(*LAUNCH, "--retries", "101")),
    Rule(rule="a timeout is above zero", input="0", command=(*LAUNCH, "--trial-timeout", "0")),
    Rule(
        rule="a cluster's address is HOST:PORT",
        input="nowhere",
        command=(*LAUNCH, "--address", "nowhere"),
        says=("HOST:PORT",),
    ),
    Rule(
        rule="a cluster answers",
        input="127.0.0.1:9",
        command=("resume", INTERRUPTED, "--address", "127.0.0.1:9"),
        says=("no Ray cluster answers",),
    ),
    sent("a job needs a storage", "none", NOWHERE, says="--storage"),
    sent("a job's storage is one for all", "shared", NOWHERE, "--storage", "shared", says="/a/path"),
    sent(
        "a job goes to a dashboard's address", "ray:8265", "ray:8265", "--storage", "/shared", says="http://HEAD:8265"
    ),
    sent("a dashboard answers", NOWHERE, NOWHERE, "--storage", "/shared", says="no dashboard answers"),
    replace(
        sent("a job's folders are the head's", "data", NOWHERE, "--storage", "/shared", says="on the head"),
        command=("launch", "--data-dir", "data", "--storage", "/shared", "--submit", NOWHERE),
    ),
    stored("a storage is of a kind that is known", "ftp://host/path", "s3://"),
    stored("a storage holds no keys", "s3://key:secret@bucket/path", "holds no keys", "s3://…"),
    stored("a storage names a bucket", "s3://", "names no bucket"),
    stored("a storage can be written", "own.py", "own.py"),
    Rule(
        rule="a storage has the search",
        input="an empty folder",
        command=("status", "--storage", "none"),
        says=("no search in none",),
    ),
    Rule(
        rule="a ledger has the line before which it is cut",
        input="--until 999",
        command=("resume", FINISHED, "--until", "999"),
        breaks=change(f"results/{FINISHED}/ledger.jsonl", lambda data: flip(data, len(data) // 2)),
        says=("--until is the number of a line",),
    ),
    # networks
    Rule(rule="a network is known", input="cnn9", command=("networks", "cnn9"), says=("cnn1",)),
    Rule(rule="an image's shape is CxHxW", input="3*32*32", command=("networks", "cnn6", "--input", "3*32*32")),
    Rule(rule="--set changes a network", input="--set width=0.5 alone", command=("networks", "--set", "width=0.5")),
    Rule(rule="--set takes KEY=VALUE", input="width", command=("networks", "cnn6", "--set", "width")),
    Rule(rule="a classifier has two classes", input="--classes 1", command=("networks", "--classes", "1")),
    Rule(
        rule="a network fits the images",
        input="cnn4 on 4×4",
        command=("networks", "cnn4", "--input", "3x4x4"),
        says=("at least 2×2",),
    ),
    Rule(
        rule="a network's function has a signature",
        input="builtins:dict",
        command=("networks", "builtins:dict"),
    ),
]


def rules() -> list[Rule]:
    """The group's rules."""
    return [replace(rule, group="command line") for rule in RULES]
