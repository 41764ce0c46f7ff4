"""A wrong request is one line on standard error that says what would be right, exit code 2, and leaves nothing."""

import json
import re
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from search.cli import main
from search.history import ledger, store
from search.show import catalogue
from trainables.data.images import fingerprint
from trainables.data.load import load
from trainables.optimizers import OPTIMIZERS

COMMAND = str(Path(sys.executable).with_name("hpsearch"))
VERBS = list(main.cli.commands)
GOOD = {"network": {"name": "cnn5"}, "optimizer": {"name": "sgd", "lr": 0.1}}
OWN = """
import torch
from torch import nn
from search.spaces import config_of
from trainables.config import Config, NetworkConfig, OptimizerConfig

NUMBER = 3

def raises(*_):
    raise RuntimeError("first line\\nsecond line")

def nothing(*_):
    return None

def a_dict(*_):
    return {"network": "cnn6"}

def space_of(network, optimizer="sgd", lr=0.1, **training):
    def function(trial):
        trial.suggest_categorical("network", (network,))
        trial.suggest_categorical("optimizer", (optimizer,))
        trial.suggest_categorical(f"{optimizer}/lr", (lr,))
        for key, value in training.items():
            trial.suggest_categorical(key, (value,))
        return config_of(trial.params)
    return function

unknown_network = space_of("cnn9")
unknown_optimizer = space_of("cnn5", "nosuch")
unknown_name = space_of("cnn5", momentum=0.9)
unknown_hyperparameter = space_of("cnn5", **{"cnn5/depth": 3})
nameless = space_of(None)
raising_network = space_of("own:raises")
no_rate = lambda trial: config_of({"network": "cnn5", "optimizer": "sgd"})
no_draw = lambda trial: trial.suggest_categorical("network", ())
no_json = lambda trial: Config(NetworkConfig("cnn5", {"width": {1}}), OptimizerConfig("sgd", 0.1))

def hungry(depth):
    return nn.Identity()

def misfit(num_classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(7, num_classes))

def short():
    return nn.Sequential(nn.Flatten(), nn.LazyLinear(3))
"""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to stand in, with a user's module; a search that would begin fails the test."""

    def begin(*_: Any) -> None:
        raise AssertionError("a wrong request has begun a search")

    monkeypatch.setattr("search.machines.local_ray.start", begin)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    for module in ("own", "broken", "exits", "syntax", "lists"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    Path("own.py").write_text(OWN)
    Path("broken.py").write_text("1 / 0\n")
    Path("exits.py").write_text("raise SystemExit(0)\n")
    Path("syntax.py").write_text("def space(\n")
    return tmp_path


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the digits are cached, once for all cases."""
    return tmp_path_factory.mktemp("data")


Run = Callable[..., tuple[int, str, str]]
Refused = Callable[..., str]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """The command in this process: exit code, standard output, standard error."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["hpsearch", *map(str, arguments)])
        with warnings.catch_warnings(record=True) as caught, pytest.raises(SystemExit) as end:
            warnings.simplefilter("always", UserWarning)
            main.main()
        assert [str(w.message) for w in caught if issubclass(w.category, UserWarning)] == []
        out, err = capsys.readouterr()
        return end.value.code, out, err  # type: ignore[return-value]

    return call


@pytest.fixture
def refused(run: Run) -> Refused:
    """Hold the rule, and give the line to look at what it says."""

    def call(*arguments: object) -> str:
        before = sorted(Path("results").rglob("*")) if Path("results").is_dir() else Path("results").exists()
        code, out, err = run(*arguments)
        after = sorted(Path("results").rglob("*")) if Path("results").is_dir() else Path("results").exists()
        assert (code, out, before) == (2, "", after), err
        assert re.fullmatch(r"hpsearch: \S[^\n]*\n", err), err
        return err

    return call


@pytest.fixture
def launch(refused: Refused, data_dir: Path) -> Refused:
    """A launch on digits that is refused."""

    def call(*arguments: object) -> str:
        dataset = () if "--dataset" in arguments else ("--dataset", "digits")
        return refused("launch", "--data-dir", data_dir, *dataset, *arguments)

    return call


def says(line: str, *parts: str) -> None:
    missing = [part for part in parts if part not in line]
    assert not missing, f"{line!r} lacks {missing}"


def write_list(*lines: object, name: str = "list.jsonl") -> str:
    Path(name).write_text("".join(f"{line if isinstance(line, str) else json.dumps(line)}\n" for line in lines))
    return name


def merged(**parts: Any) -> dict[str, Any]:
    return {
        key: GOOD.get(key, {}) | value if isinstance(value, dict) else value for key, value in (GOOD | parts).items()
    }


# ---- options


NUMBERS = [
    *(("launch", option, value) for option in ("--samples", "--epochs", "--parallel") for value in ("0", "-1", "two")),
    *(("launch", "--limit-train", value) for value in ("0", "1.5", "all")),
    *(("launch", "--seed", value) for value in ("-1", "x", "1e3")),
    *(("launch", "--image-size", value) for value in ("0", "32x32", "9" * 12)),
    ("launch", "--parallel", "1000000"),
    *(("launch", "--validation", value) for value in ("0", "1", "-0.1", "1.5", "half", "nan")),
    *(("launch", "--max-time", value) for value in ("0", "-1", "1h", "nan", "inf", "1e400")),
    *(("launch", "--epochs", value) for value in ("1e3", "9" * 30)),
    *(("top", "--number", value) for value in ("0", "x")),
    *(("retrain", option, v) for option in ("--top", "--epochs", "--repeats", "--parallel") for v in ("0", "x")),
    *(("resume", "--samples", value) for value in ("0", "x")),
    ("resume", "--max-time", "0"),
    ("resume", "--parallel", "0"),
    ("networks", "--classes", "1"),
    ("networks", "--classes", "ten"),
]


@pytest.mark.parametrize(("verb", "option", "value"), NUMBERS)
def test_a_number_that_is_none_or_outside_its_range_is_refused(refused: Refused, verb: str, option: str, value: str):
    line = refused(verb, option, value)
    says(line, option, value.removesuffix("e400").replace("1", "") if value == "1e400" else value.lstrip("-"))
    assert re.search(r"range|is not a valid (integer|number)|not a finite number", line)


@pytest.mark.parametrize(
    ("option", "known"),
    [
        ("--augment", ("none", "flip-crop", "published")),
        ("--sampler", ("random", "tpe")),
        ("--scheduler", ("asha", "none")),
    ],
)
def test_an_unknown_choice_names_the_known_ones(refused: Refused, option: str, known: tuple[str, ...]):
    says(refused("launch", option, "best"), option, "'best'", *known)


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("begin",), ("'begin'", *VERBS)),
        (("launch", "--speed", "9"), ("--speed", "hpsearch launch --help")),
        (("--results", "x"), ("--results",)),
        (("launch", "--samples"), ("--samples", "requires an argument")),
        (("launch", "digits"), ("digits", "hpsearch launch --help")),
        (("status", "one", "two"), ("two",)),
        (("list", "one"), ("one",)),
        (("list", "--json=yes"), ("--json",)),
        (("launch", "--results", ""), ("--results", "empty")),
        (("launch", "--data-dir", ""), ("--data-dir", "empty")),
        (("launch", "--data-dir", "~no-such-user/data"), ("--data-dir", "~no-such-user/data")),
        (("launch", "--data-dir", "own.py"), ("own.py", "file")),
        (("list", "--results", "own.py"), ("own.py", "file")),
        (("list", "--results", "r" * 5000), ("--results",)),
    ],
)
def test_an_unknown_verb_or_a_misused_option_is_refused(
    refused: Refused, arguments: tuple[str, ...], parts: tuple[str, ...]
):
    says(refused(*arguments), *parts)


# ---- spaces


@pytest.mark.parametrize(
    ("space", "parts"),
    [
        ("nope", ("'nope'", "cnn_all", "cnn8", ".jsonl", "package.module:function")),
        ("", ("''", "cnn_all")),
        ("missing:space", ("missing:space", "No module named", "package.module:function")),
        (":space", (":space", "package.module:function")),
        ("..own:space", ("..own:space", "package.module:function")),
        ("own:missing", ("own:missing", "missing", "package.module:function")),
        ("own:", ("own:", "package.module:function")),
        ("broken:space", ("broken:space", "division by zero")),
        ("exits:space", ("exits:space", "SystemExit")),
        ("syntax:space", ("syntax:space", "SyntaxError")),
        ("own:NUMBER", ("own:NUMBER", "int", "not a function")),
        ("own:raises", ("RuntimeError", "first line second line")),
        ("own:nothing", ("NoneType", "Config")),
        ("own:a_dict", ("got dict", "Config")),
        ("own:unknown_network", ("'cnn9'", "known: cnn1", "cnn8")),
        ("own:unknown_optimizer", ("'nosuch'", ", ".join(OPTIMIZERS))),
        ("own:unknown_name", ("momentum",)),
        ("own:unknown_hyperparameter", ("'depth'", "known: width")),
        ("own:nameless", ("name", "None")),
        ("own:no_rate", ("sgd/lr",)),
        ("own:no_draw", ("ValueError",)),
        ("own:no_json", ("cnn5", "JSON")),
        ("own:raising_network", ("own:raises", "RuntimeError", "first line second line")),
    ],
)
def test_what_is_no_space_is_refused_before_there_is_a_search(launch: Refused, space: str, parts: tuple[str, ...]):
    says(launch("--space", space), *parts)


@pytest.mark.parametrize("space", ["nope", "missing:space", "own:NUMBER", "own:raises", "own:nothing", "no.jsonl"])
def test_what_is_no_space_cannot_be_shown(refused: Refused, space: str):
    refused("spaces", space)


@pytest.mark.filterwarnings("ignore:Choices for a categorical distribution")
def test_a_space_whose_choices_are_lists_can_be_shown(place: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(place)
    Path("lists.py").write_text(
        "from search.spaces import config_of\n"
        "def space(trial):\n"
        "    trial.suggest_categorical('network', ('cnn5',))\n"
        "    if trial.suggest_categorical('cnn5/head_widths', ([8], [16])) == [8]:\n"
        "        trial.suggest_float('cnn5/head_dropout', 0, 0.5)\n"
        "    return config_of({**trial.params, 'optimizer': 'sgd', 'sgd/lr': 0.1})\n"
    )
    assert [row["when"] for row in catalogue.space("lists:space")] == ["always", "always", "cnn5/head_widths is [8]"]


# ---- lists of configurations


LINES = [
    ("nonsense", ("line 2", "JSON")),
    ('{"network": ', ("line 2", "JSON")),
    ("[" * 100_000, ("line 2",)),
    ('{"network": "' + "x" * 10, ("line 2", "JSON")),
    ([], ("line 2", "object", "list")),
    ("null", ("line 2", "object", "NoneType")),
    ({}, ("line 2", "network", "optimizer")),
    ({"network": "cnn6"}, ("line 2", "optimizer")),
    (merged(network="cnn6"), ("line 2", "network", "object", "str")),
    ({**GOOD, "optimiser": {}}, ("line 2", "optimiser", "known: network, optimizer, training")),
    (merged(network={"name": "cnn9"}), ("line 2", "'cnn9'", "known: cnn1")),
    (merged(network={"name": "网络"}), ("line 2", "'网络'", "known: cnn1")),
    (merged(network={"name": 6}), ("line 2", "6", "string")),
    (merged(optimizer={"name": "nosuch"}), ("line 2", "'nosuch'", ", ".join(OPTIMIZERS))),
    (merged(optimizer={"name": None}), ("line 2", "None", "string")),
    (merged(optimizer={"lr": "0.1"}), ("line 2", "lr", "'0.1'", "number")),
    (merged(optimizer={"lr": 0}), ("line 2", "lr", "above 0")),
    (merged(optimizer={"lr": True}), ("line 2", "lr", "True")),
    (merged(optimizer={"lr": int("9" * 400)}), ("line 2", "lr")),
    (merged(optimizer={"weight_decay": -1}), ("line 2", "weight_decay", "at least 0")),
    (merged(optimizer={"momentum": 1.5}), ("line 2", "momentum", "1.5")),
    (merged(optimizer={"nesterov": True}), ("line 2", "nesterov", "known: lr")),
    ('{"network": {"name": "cnn5"}, "optimizer": {"name": "sgd", "lr": NaN}}', ("line 2", "NaN")),
    ('{"network": {"name": "cnn5", "width": Infinity}, "optimizer": {"name": "sgd", "lr": 1}}', ("line 2", "Infinity")),
    ('{"network": {"name": "cnn5"}, "optimizer": {"name": "sgd", "lr": 1e400}}', ("line 2", "lr", "inf")),
    (merged(training=None), ("line 2", "training", "object")),
    (merged(training={"epochs": 0}), ("line 2", "epochs", "got 0")),
    (merged(training={"epochs": 1.5}), ("line 2", "epochs", "1.5")),
    (merged(training={"epochs": 10**30}), ("line 2", "epochs")),
    (merged(training={"batch_size": True}), ("line 2", "batch_size", "True")),
    (merged(training={"batch_size": None}), ("line 2", "batch_size", "None")),
    (merged(training={"batch_size": "64"}), ("line 2", "batch_size", "'64'")),
    (merged(training={"label_smoothing": 1}), ("line 2", "label_smoothing", "below 1")),
    (merged(training={"schedule": "step"}), ("line 2", "'step'", "constant, cosine")),
    (merged(training={"schedule": ["cosine"]}), ("line 2", "schedule")),
    (merged(training={"augment": "flip"}), ("line 2", "'flip'", "none, flip-crop, published")),
    (merged(training={"augment": {}}), ("line 2", "augment", "none, flip-crop, published")),
    (merged(training={"batches": 1}), ("line 2", "batches", "known: batch_size")),
]


@pytest.mark.parametrize(("line", "parts"), LINES)
def test_a_line_that_is_no_configuration_is_named_by_its_number(launch: Refused, line: object, parts: tuple[str, ...]):
    says(launch("--space", write_list(GOOD, line, GOOD)), "list.jsonl", *parts)


IMPOSSIBLE = [
    ({"width": 0}, ("width", "(0, 64]", "got 0")),
    ({"width": True}, ("width", "(0, 64]", "True")),
    ({"depth": 3}, ("'depth'", "known: width")),
    ({"activation": "swish"}, ("'swish'", "relu, leaky_relu")),
    ({"activation": ["relu"]}, ("activation", "relu, leaky_relu")),
    ({"pool": "min"}, ("'min'", "published, max, average")),
    ({"norm": {}}, ("norm", "published, everywhere, none")),
    ({"conv_dropout": "a"}, ("conv_dropout", "[0, 1)", "'a'")),
    ({"head_dropout": [0.1]}, ("head_dropout", "[0, 1)")),
    ({"head_widths": 5}, ("head_widths", "list", "5")),
    ({"head_widths": "abc"}, ("head_widths", "list", "abc")),
    ({"head_widths": ["a"]}, ("head_widths", "'a'")),
    ({"head_widths": [0]}, ("width", "at least 1", "0")),
    ({"head_widths": [10**30]}, ("head_widths",)),
    ({"name": "missing:network"}, ("missing:network", "package.module:function")),
    ({"name": "own:raises"}, ("own:raises", "RuntimeError", "first line second line")),
    ({"name": "own:nothing"}, ("own:nothing", "NoneType", "torch.nn.Module")),
    ({"name": "own:hungry"}, ("own:hungry", "depth")),
]


@pytest.mark.parametrize(("network", "parts"), IMPOSSIBLE)
def test_an_impossible_network_is_named_by_its_number(launch: Refused, network: dict[str, Any], parts: tuple[str, ...]):
    says(launch("--space", write_list(GOOD, merged(network=network))), "2", "list.jsonl", *parts)


def test_a_network_that_is_too_deep_for_the_images_names_unit_size_and_rule(launch: Refused):
    space = write_list(GOOD, merged(network={"name": "cnn4"}))
    says(launch("--space", space, "--image-size", "4"), "2", "list.jsonl", "unit 2", "1×1", "at least 2×2")


@pytest.mark.parametrize("name", ["own:misfit", "own:short"])
def test_a_users_module_that_does_not_fit_images_or_classes_is_refused(launch: Refused, name: str):
    says(launch("--space", write_list(GOOD, merged(network={"name": name}))), "2", name)


def test_an_impossible_network_after_an_empty_line_is_named_by_its_line(launch: Refused):
    says(launch("--space", write_list(GOOD, "", merged(network={"width": 0}))), "3")


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (None, ("list.jsonl", "No such file")),
        (b"", ("list.jsonl", "no configuration", "one JSON object a line")),
        (b"\n \n", ("list.jsonl", "no configuration")),
        (b"\x89PNG\r\n\x1a\n\x00\xff", ("list.jsonl", "UTF-8")),
        (b"\x00\x00\x00", ("list.jsonl", "line 1")),
        ("folder", ("list.jsonl", "directory")),
    ],
)
def test_a_list_that_cannot_be_read_is_refused(launch: Refused, content: object, parts: tuple[str, ...]):
    if content == "folder":
        Path("list.jsonl").mkdir()
    elif isinstance(content, bytes):
        Path("list.jsonl").write_bytes(content)
    says(launch("--space", "list.jsonl"), *parts)


# ---- datasets


def folder_of_images(*classes: str, sizes: tuple[int, ...] = (8, 8, 8, 8), root: str = "my images") -> Path:
    for name in classes:
        folder = Path(root) / name
        folder.mkdir(parents=True)
        for number, size in enumerate(sizes):
            Image.fromarray(np.full((size, size), number, np.uint8)).save(folder / f"{number}.png")
    return Path(root)


def empty() -> Path:
    Path("empty").mkdir()
    return Path("empty")


def unreadable() -> Path:
    root = folder_of_images("cat", "dog")
    for file in (root / "cat").iterdir():
        file.write_text("a cat")
    return root


def parquet(**columns: Any) -> Path:
    Path("table").mkdir()
    pq.write_table(pa.table(columns), "table/train.parquet")
    return Path("table")


def csv(name: str) -> Path:
    Path("csv").mkdir()
    Path("csv", name).write_text("image,label\na.png,0\n")
    return Path("csv")


DATASETS = [
    (lambda: "imagenet", ("'imagenet'", "cifar100", "digits", "folder")),
    (lambda: "", ("''", "digits")),
    (lambda: "x" * 5000, ("digits",)),
    (lambda: "~no-such-user/images", ("~no-such-user", "digits")),
    (lambda: "no such folder", ("no such folder", "digits")),
    (lambda: "own.py", ("own.py", "digits")),
    (empty, ("empty", "class folders", "Parquet")),
    (lambda: folder_of_images("cat"), ("my images", "at least two classes", "1")),
    (lambda: folder_of_images("cat", "dog", sizes=()), ("every class folder must hold images", "2 of 2", "cat")),
    (lambda: folder_of_images("cat", "dog", sizes=(8,)), ("at least two images",)),
    (lambda: folder_of_images("cat", "dog", sizes=(8, 9, 8, 9)), ("one size", "8×8", "9×9", "--image-size")),
    (unreadable, ("every image must be readable", "3 of 6", "the first is", "my images/cat/", "PNG")),
    (lambda: parquet(label=[0, 1]), ("train.parquet", "column of encoded images", "label (int64)")),
    (lambda: parquet(image=[b""] * 2), ("train.parquet", "labels", "image (binary)")),
    (lambda: parquet(image=[b"", None] * 9, label=[0, 1] * 9), ("label must have an image", "have none")),
    (lambda: parquet(image=[b""] * 4, label=[0, 1, 0, None]), ("must have a label", "1 of 4", "row 3")),
    (lambda: csv("train.csv"), ("csv", "class folders", "train*.parquet")),
    (lambda: csv("train.parquet"), ("train.parquet", "Parquet")),
    (lambda: csv("data.parquet"), ("train*.parquet", "data.parquet")),
]


@pytest.mark.parametrize(("make", "parts"), DATASETS)
def test_a_dataset_that_is_not_clean_is_refused(launch: Refused, make: Callable[[], object], parts: tuple[str, ...]):
    says(launch("--space", "cnn5", "--dataset", make()), *parts)


def test_without_network_and_data_the_line_says_what_to_fetch_and_what_works_without(
    refused: Refused, monkeypatch: pytest.MonkeyPatch
):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    line = refused("launch", "--dataset", "cifar100", "--data-dir", "data")
    says(line, "cifar100", str(Path("data").resolve()), "https://", "cifar-100-python.tar.gz", "--dataset digits")


@pytest.mark.parametrize(("size", "parts"), [("100000", ("100000", "1438")), ("5", ("5", "10"))])
def test_a_subset_larger_than_the_dataset_or_smaller_than_its_classes_is_refused(
    launch: Refused, size: str, parts: tuple[str, ...]
):
    says(launch("--limit-train", size), *parts)


# ---- searches and where they lie


@pytest.mark.parametrize("name", ["", "a/b", "../out", "..", ".", "/tmp/out", "-x", "a b", "süß", "a\nb", "x" * 101])
def test_a_name_that_is_no_folder_in_the_results_is_refused(launch: Refused, name: str):
    says(launch("--name", name), "name", "1 to 100", " ".join(name.split()))
    assert not Path("../out").exists()


@pytest.mark.parametrize(
    ("results", "parts"),
    [("own.py/results", ("own.py/results",)), ("/proc/results", ("/proc/results", "cannot write"))],
)
def test_results_that_cannot_be_written_are_refused(launch: Refused, results: str, parts: tuple[str, ...]):
    says(launch("--limit-train", "40", "--space", "cnn5", "--results", results), *parts)


def make_search(data_dir: Path, name: str = "mine", **changes: Any) -> store.Search:
    """A search's folder as a launch leaves it, with nothing done."""
    images = load("digits", "train", data_dir=data_dir)
    request = store.Request(**{"space": "cnn5", "samples": 8, "dataset": "digits", "data_dir": str(data_dir)} | changes)
    data = {"fingerprint": fingerprint(images), "num_train": 1000, "num_validation": 437}
    return store.create(Path("results"), name, request, 1.0, {"data": data})


@pytest.fixture
def mine(data_dir: Path) -> store.Search:
    """A search in which one trial was asked for and nothing more."""
    search = make_search(data_dir)
    with ledger.Ledger(search.ledger) as book:
        book.append("opened", samples=8, slots=2)
        config = GOOD | {"training": {"batch_size": 32, "epochs": 4}}
        facts = {"parameters": 1, "flops": 1, "redrawn": 0, "seed": 1, "params": {}, "distributions": {}}
        book.append("asked", trial=0, repeat=0, config=config, **facts)
        book.append("closed", reason="interrupted")
    return search


def test_a_search_that_exists_is_not_begun_again(launch: Refused, mine: store.Search):
    says(launch("--name", "mine"), "'mine'", "--name", "hpsearch resume mine")


@pytest.mark.parametrize("verb", ["resume", "status", "top", "retrain"])
def test_without_a_search_the_line_says_how_to_begin_one(refused: Refused, verb: str):
    says(refused(verb), "results", "hpsearch launch")
    says(refused(verb, "other"), "'other'", "hpsearch launch")


@pytest.mark.parametrize("verb", ["resume", "status", "top", "retrain"])
@pytest.mark.parametrize("name", ["other", "..", ".", "", "a/b", "../results/mine", "x" * 300])
def test_an_unknown_search_names_the_known_ones(refused: Refused, mine: store.Search, verb: str, name: str):
    says(refused(verb, name), f"'{name}'", "mine")


def test_a_folder_beside_the_results_is_no_search(refused: Refused, mine: store.Search):
    Path("search.json").write_text((mine.folder / "search.json").read_text())
    says(refused("status", ".."), "'..'", "mine")


def test_a_retrain_needs_a_finished_trial(refused: Refused, mine: store.Search):
    says(refused("retrain"), "mine", "no finished trial", "hpsearch status")


@pytest.mark.parametrize("verb", ["resume", "retrain"])
def test_a_search_that_another_process_runs_is_left_alone(refused: Refused, mine: store.Search, verb: str):
    with ledger.Ledger(mine.ledger):
        says(refused(verb), "mine", "running in another process", "hpsearch status")


def test_samples_only_grow(refused: Refused, mine: store.Search):
    says(refused("resume", "--samples", "7"), "8", "7", "grow")


@pytest.mark.parametrize("verb", ["resume", "retrain"])
def test_a_dataset_that_has_changed_is_refused(refused: Refused, data_dir: Path, verb: str):
    images = folder_of_images("cat", "dog")
    search = make_search(data_dir, dataset=str(images))
    search.ledger.touch()
    says(refused(verb), "my images", "changed", "mine", "new search")


def test_a_list_that_has_gone_is_refused(refused: Refused, data_dir: Path):
    make_search(data_dir, space="gone.jsonl").ledger.touch()
    says(refused("resume"), "gone.jsonl", "No such file")


@pytest.mark.parametrize("verb", ["resume", "status", "top", "retrain", "list"])
def test_a_ledger_damaged_in_the_middle_names_the_line(refused: Refused, mine: store.Search, verb: str):
    mine.ledger.write_bytes(mine.ledger.read_bytes().replace(b'"trial":0', b'"trial":1'))
    says(refused(verb), "ledger.jsonl", "line 2", "checksum")


@pytest.mark.parametrize("verb", ["resume", "status", "top", "retrain", "list"])
def test_a_ledger_of_a_newer_version_is_refused(
    refused: Refused, mine: store.Search, verb: str, monkeypatch: pytest.MonkeyPatch
):
    with monkeypatch.context() as newer, ledger.Ledger(mine.ledger) as book:
        newer.setattr("search.history.ledger.VERSION", 2)
        book.append("opened", samples=8, slots=2)
    says(refused(verb), "ledger.jsonl", "version 2", "update")


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (lambda data: {**data, "v": 2}, ("mine", "newer", "version 2", "update")),
        (lambda data: {**data, "v": "new"}, ("damaged",)),
        (lambda data: [], ("damaged",)),
        (lambda data: {"v": 1, "request": {}}, ("damaged",)),
        (lambda data: {**data, "created": "today"}, ("damaged",)),
        (lambda data: {**data, "request": {"space": "cnn5"}}, ("damaged",)),
        (lambda data: {**data, "request": ["cnn5"]}, ("damaged",)),
        (lambda data: b'{"v": 1, "cre', ("damaged",)),
        (lambda data: b"\xff\xfe\x00", ("damaged",)),
        (lambda data: b"", ("damaged",)),
    ],
)
@pytest.mark.parametrize("arguments", [("status",), ("resume", "mine"), ("list",)])
def test_a_search_json_that_is_damaged_or_newer_is_refused(
    refused: Refused,
    mine: store.Search,
    change: Callable[[Any], Any],
    parts: tuple[str, ...],
    arguments: tuple[str, ...],
):
    path = mine.folder / "search.json"
    changed = change(json.loads(path.read_text()))
    path.write_bytes(changed if isinstance(changed, bytes) else json.dumps(changed).encode())
    says(refused(*arguments), "mine", *parts)


# ---- networks


@pytest.mark.parametrize(
    "shape", ["", "32", "3x32", "3x32x32x1", "0x32x32", "3x-1x32", "axbxc", "3*32*32", "²x8x8", f"3x32x{'9' * 5000}"]
)
def test_a_bad_image_shape_is_refused(refused: Refused, shape: str):
    says(refused("networks", "cnn6", "--input", shape), "--input", "CxHxW", "3x32x32", shape)


@pytest.mark.parametrize(
    ("setting", "parts"),
    [
        ("width", ("KEY=VALUE", "'width'", "width=0.5")),
        ("=1", ("''", "known: width")),
        ("depth=3", ("'depth'", "known: width")),
        ("activation=swish", ("'swish'", "relu, leaky_relu")),
        *((f"width={v}", ("width", "(0, 64]")) for v in ("abc", "", "0", "-1", "65", "1e400", "NaN", "true", "[1]")),
        *((f"conv_dropout={v}", ("conv_dropout", "[0, 1)")) for v in ("2", "-0.1", "a", "NaN", "true")),
        *((f"head_widths={v}", ("head_widths",)) for v in ("5", '["a"]', "[1.5]", "[true]", "ab", "[1e400]")),
        ("head_widths=[0]", ("at least 1",)),
        ("width=" + "[" * 100_000, ("width",)),
    ],
)
def test_a_bad_setting_is_refused(refused: Refused, setting: str, parts: tuple[str, ...]):
    says(refused("networks", "cnn6", "--set", setting), *parts)


def test_a_setting_without_a_network_is_refused(refused: Refused):
    says(refused("networks", "--set", "width=0.5"), "--set", "hpsearch networks cnn6 --set width=0.5")


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("cnn9", ("'cnn9'", "cnn1", "cnn8", "package.module:function")),
        ("", ("''", "cnn1")),
        ("missing:network", ("missing:network", "No module named")),
        ("own:missing", ("own:missing",)),
        ("broken:network", ("broken:network", "division by zero")),
        ("own:NUMBER", ("own:NUMBER", "not a function")),
        ("own:raises", ("own:raises", "first line second line")),
        ("own:nothing", ("own:nothing", "NoneType", "architectures.blocks.Network")),
        ("own:a_dict", ("own:a_dict", "dict", "architectures.blocks.Network")),
        ("own:hungry", ("own:hungry", "depth")),
        ("builtins:dict", ("signature", "dict")),
    ],
)
def test_what_is_no_network_is_refused(refused: Refused, name: str, parts: tuple[str, ...]):
    says(refused("networks", name), *parts)


@pytest.mark.parametrize("arguments", [("cnn4", "--input", "3x4x4"), ("--input", "3x1x8")])
def test_images_too_small_for_a_network_name_unit_size_and_rule(refused: Refused, arguments: tuple[str, ...]):
    line = refused("networks", *arguments)
    says(line, "unit", "map", "at least 2×2", "larger images")
    assert re.search(r"\d+×\d+", line)


# ---- good behaviour


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_the_command_alone_shows_its_help_with_an_example(run: Run, arguments: tuple[str, ...]):
    code, out, err = run(*arguments)
    assert (code, err) == (0, "")
    says(out, "hpsearch launch --dataset digits", *VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_shows_an_example(run: Run, verb: str):
    code, out, err = run(verb, "--help")
    assert (code, err) == (0, "")
    assert re.search(rf"^  hpsearch {verb}\b", out, re.MULTILINE)


def test_the_version_is_shown(run: Run):
    assert re.fullmatch(r"hpsearch, version \d+\.\d+\.\d+\n", run("--version")[1])


@pytest.mark.parametrize(
    ("arguments", "kind"),
    [
        (("spaces",), list),
        (("spaces", "cnn5"), list),
        (("networks",), list),
        (("networks", "cnn6", "--set", "width=0.5", "--input", "1x16x16"), list),
        (("list",), list),
        (("status",), dict),
        (("top",), list),
        (("top", "--all"), list),
        (("top", "--distinct"), list),
    ],
)
def test_json_is_valid_json(run: Run, mine: store.Search, arguments: tuple[str, ...], kind: type):
    code, out, err = run(*arguments, "--json")
    assert (code, err) == (0, "")
    assert isinstance(json.loads(out, parse_constant=pytest.fail), kind)


def test_a_search_without_a_line_in_its_ledger_can_be_looked_at(run: Run, data_dir: Path):
    search = make_search(data_dir)
    for content in (None, b""):
        if content is not None:
            search.ledger.write_bytes(content)
        assert [run(verb)[0] for verb in ("list", "status", "top")] == [0, 0, 0]


def test_top_says_that_nothing_is_measured_yet(run: Run, mine: store.Search):
    assert run("top")[:2] == (0, "mine has no measured trial yet\n")


def test_a_torn_last_line_hides_nothing_before_it(run: Run, mine: store.Search):
    with mine.ledger.open("ab") as file:
        file.write(b'{"v":1,"seq":3,"tim')
    code, out, err = run("status", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["trials"] == {"waiting": 1}


def test_a_search_whose_folder_was_renamed_is_found(run: Run, mine: store.Search):
    mine.folder.rename("results/the best one")
    assert json.loads(run("status", "the best one", "--json")[1])["name"] == "the best one"


def test_a_file_that_cannot_be_read_is_one_line_too(run: Run, mine: store.Search):
    mine.ledger.unlink()
    mine.ledger.mkdir()
    code, _, err = run("status")
    assert code == 1
    assert re.fullmatch(r"hpsearch: [^\n]*ledger.jsonl[^\n]*\n", err)


def test_a_folder_that_is_no_search_is_passed_over(run: Run, mine: store.Search):
    Path("results/notes").mkdir()
    assert [row["name"] for row in json.loads(run("list", "--json")[1])] == ["mine"]


def test_a_path_with_brackets_is_shown_as_it_is(run: Run):
    code, out, _ = run("list", "--results", "[bold]/[/x]")
    assert code == 0
    says(out, "[bold]/[/x]")


# ---- the installed command


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("begin",), ("'begin'", "launch, resume")),
        (("launch", "--samples", "0"), ("--samples", "x>=1")),
        (("launch", "--dataset", "nope"), ("'nope'", "digits")),
        (("launch", "--dataset", "digits", "--space", "own:raises"), ("RuntimeError",)),
        (("networks", "cnn6", "--set", "width=abc"), ("width", "'abc'")),
    ],
)
def test_the_installed_command_does_the_same(place: Path, arguments: tuple[str, ...], parts: tuple[str, ...]):
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(place), "HPSEARCH_DATA": "data"}
    done = subprocess.run([COMMAND, *arguments], capture_output=True, text=True, timeout=60, env=environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"hpsearch: [^\n]+\n", done.stderr), done.stderr
    says(done.stderr, *parts)
    assert not Path("results").exists()


def test_a_wrong_request_does_not_wait_for_ray(place: Path):
    program = (
        "import sys; from search.cli.main import main; sys.argv = ['hpsearch', 'launch', '--space', 'own:nothing',"
        " '--dataset', 'digits', '--data-dir', 'data']\n"
        "try: main()\nexcept SystemExit: print('ray' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout == "False\n"


def test_a_job_is_not_a_dry_run(refused: Refused) -> None:
    assert "give one of them" in refused("launch", "--submit", "http://head:8265", "--storage", "/s", "--dry-run")
