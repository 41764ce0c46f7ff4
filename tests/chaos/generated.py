"""Bad input that hypothesis makes up: each kind a function that holds for every example, run in one process.

    python tests/chaos/generated.py ledgers --seed 1 --examples 300

Runs in a folder that bad_input.py has prepared. Prints what came of the examples; an exception is a broken promise.
"""

import argparse
import contextlib
import io
import json
import sys
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import click
import hypothesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from rules.rule import FINISHED, line_with_checksum, whole_lines

import search.cli.main as cli
from trainables import saved_network
from trainables.data.images import DatasetError

HERE = Path("generated")
outcomes: Counter[str] = Counter()
Test = Callable[[Any], None]


def main() -> None:
    """Run one kind."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("kind", choices=sorted(KINDS))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--examples", type=int, default=300)
    options = parser.parse_args()
    HERE.mkdir()
    hypothesis.configuration.set_hypothesis_home_dir(HERE)
    strategy, test = KINDS[options.kind]()
    run = given(strategy)(test)
    run = settings(
        max_examples=options.examples,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )(run)
    hypothesis.seed(options.seed)(run)()
    shown = ", ".join(f"{count} {what}" for what, count in sorted(outcomes.items()))
    print(f"{sum(outcomes.values())} examples of seed {options.seed}: {shown}")


# ---- making


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def damaged(draw: st.DrawFn, data: bytes) -> bytes:
    """Bytes of which some are changed, added, exchanged or gone."""
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(data)))
        end = min(len(data), start + draw(st.sampled_from((1, 1, 8, 100, len(data)))))
        match draw(st.sampled_from(("turn over", "replace", "insert", "remove", "truncate", "repeat"))):
            case "turn over":
                data = data[:start] + bytes(byte ^ 0xFF for byte in data[start:end][:8]) + data[start:][8:]
            case "replace":
                data = data[:start] + draw(st.binary(max_size=16)) + data[end:]
            case "insert":
                data = data[:start] + draw(st.binary(min_size=1, max_size=16)) + data[start:]
            case "remove":
                data = data[:start] + data[end:]
            case "truncate":
                data = data[:start]
            case "repeat":
                data = data[:end] + data[start:]
    return data


@st.composite
def changed(draw: st.DrawFn, value: Any) -> Any:
    """Plain data of which a part is another, gone, or has another name."""
    value = json.loads(json.dumps(value))
    for _ in range(draw(st.integers(1, 2))):
        inner = value
        while isinstance(inner, dict | list) and len(inner):
            keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
            key = draw(st.sampled_from(keys))
            if isinstance(inner[key], dict | list) and len(inner[key]) and draw(st.integers(0, 3)):
                inner = inner[key]
                continue
            match draw(st.sampled_from(("replace", "replace", "remove", "add"))):
                case "replace":
                    inner[key] = draw(JSON)
                case "remove":
                    del inner[key]
                case "add" if isinstance(inner, dict):
                    inner[draw(st.text(max_size=8))] = draw(JSON)
            break
    return value


# ---- holding


def hpsearch(*arguments: str) -> int:
    """The command in this process; its exit code, after a look at what it says."""
    out, err = io.StringIO(), io.StringIO()
    before = sys.path[:]
    with mock.patch("sys.argv", ["hpsearch", *arguments]), contextlib.redirect_stdout(out):
        try:
            with contextlib.redirect_stderr(err):
                cli.main()
        except SystemExit as end:
            code = end.code
    sys.path[:] = before
    assert code in (0, 1, 2), f"exit code {code}"
    lines = err.getvalue().splitlines()
    if code:
        assert len(lines) == 1 and lines[0].startswith("hpsearch: "), f"standard error is {lines}"
    outcomes["refused" if code else "understood"] += 1
    return int(code)


def held(call: Callable[[], Any], *refusals: type[Exception]) -> Any:
    """What a call gives, or None when it refuses in one of the ways it may."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = call()
    except refusals:
        outcomes["refused"] += 1
        return None
    outcomes["understood"] += 1
    return found


# ---- the kinds


def options() -> tuple[st.SearchStrategy, Test]:
    """Verbs with options and values at random; what would begin is only noted."""
    text = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12)
    value = text | st.integers().map(str) | st.floats().map(str) | st.sampled_from(("none", "asha", "digits", FINISHED))
    reaching = {"--submit", "--storage"}  # these ask around in the network
    flags = {
        name: sorted({flag for option in verb.params for flag in option.opts if flag[0] == "-"} - reaching)
        for name, verb in cli.cli.commands.items()
        if name != "doctor"  # which looks at the machine and takes no value
    }
    strategy = st.sampled_from(sorted(flags)).flatmap(
        lambda verb: st.tuples(
            st.just(verb),
            st.lists(st.tuples(st.sampled_from(flags[verb]), value), max_size=4),
            st.lists(value, max_size=1),
        )
    )

    def begin(*_: object, **__: object) -> None:
        raise click.UsageError("it would begin")

    def test(example: Any) -> None:
        verb, given_options, arguments = example
        words = [word for option in given_options for word in option]
        with (
            mock.patch("search.run.launch.launch", begin),
            mock.patch("search.run.launch.dry_run", begin),
            mock.patch("search.run.launch.resume", begin),
            mock.patch("search.run.retrain.retrain", begin),
        ):
            hpsearch(verb, *words, *arguments)

    return strategy, test


def settings_of_networks() -> tuple[st.SearchStrategy, Test]:
    """A family with hyperparameters, an image shape and a number of classes at random."""
    keys = st.sampled_from(
        ("width", "activation", "pool", "norm", "conv_dropout", "head_dropout", "head_widths", "depth")
    )
    value = JSON.map(json.dumps) | st.sampled_from(("relu", "published", "max", "0.5", "[64]", "1e-300", "64"))
    strategy = st.tuples(
        st.sampled_from([f"cnn{i}" for i in range(1, 9)]),
        st.lists(st.tuples(keys, value), max_size=3),
        st.lists(st.integers(0, 40), min_size=3, max_size=3),
        st.integers(-1, 10**7),
    )

    def test(example: Any) -> None:
        name, pairs, shape, classes = example
        words = [word for key, value in pairs for word in ("--set", f"{key}={value}")]
        hpsearch("networks", name, *words, "--input", "x".join(map(str, shape)), "--classes", str(classes))

    return strategy, test


GOOD = {
    "network": {"name": "cnn5", "width": 0.5, "head_widths": [16], "activation": "relu", "conv_dropout": 0.1},
    "optimizer": {"name": "sgd", "lr": 0.1, "weight_decay": 0.0, "momentum": 0.1},
    "training": {"batch_size": 32, "epochs": 2, "label_smoothing": 0.1, "schedule": "cosine", "augment": "none"},
}


def lists() -> tuple[st.SearchStrategy, Test]:
    """Files that are no list, or nearly one."""

    def test(data: bytes) -> None:
        (HERE / "list.jsonl").write_bytes(data)
        hpsearch("spaces", str(HERE / "list.jsonl"))

    return st.binary(max_size=200) | damaged(f"{json.dumps(GOOD)}\n".encode() * 2), test


def configurations() -> tuple[st.SearchStrategy, Test]:
    """Configurations that are none, or nearly one, and the network that each is."""
    from search.run.launch import check_space
    from search.run.session import RequestError
    from search.spaces import SpaceError, find_space

    def test(config: Any) -> None:
        (HERE / "list.jsonl").write_text(json.dumps(config) + "\n")
        held(
            lambda: check_space(find_space(str(HERE / "list.jsonl")), (1, 16, 16), 10),
            SpaceError,
            RequestError,
        )

    return changed(GOOD) | JSON, test


def requests() -> tuple[st.SearchStrategy, Test]:
    """search.json with parts changed, read by every verb that reads it."""
    path = Path("results", FINISHED, "search.json")
    whole = path.read_bytes()

    def begin(*_: object, **__: object) -> None:
        raise click.UsageError("it would begin")

    def test(data: Any) -> None:
        path.write_text(json.dumps(data))
        try:
            with mock.patch("search.run.launch._search_session", begin), mock.patch("search.run.session.train", begin):
                for verb in ("status", "top", "list", "resume"):
                    hpsearch(verb, *([FINISHED] if verb != "list" else []))
        finally:
            path.write_bytes(whole)

    return changed(json.loads(whole)), test


def ledgers() -> tuple[st.SearchStrategy, Test]:
    """Ledgers with bytes changed: what is read is what stands before the damage."""
    from search.history import ledger

    path = Path("results", FINISHED, "ledger.jsonl")
    whole = path.read_bytes()

    def test(data: bytes) -> None:
        path.write_bytes(data)
        try:
            code = hpsearch("status", FINISHED)
            assert path.read_bytes() == data, "reading has changed it"
            if code == 0:
                assert len(ledger.read(path)) == len(whole_lines(data))
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore")
                    ledger.Ledger(path).close()
                assert path.read_bytes() == b"".join(line + b"\n" for line in whole_lines(data))
        finally:
            path.write_bytes(whole)

    lines = whole.splitlines(keepends=True)
    return damaged(whole) | st.permutations(lines).map(b"".join) | st.lists(st.sampled_from(lines)).map(b"".join), test


def events() -> tuple[st.SearchStrategy, Test]:
    """Ledgers of which an event says something else, with a right checksum."""
    path = Path("results", FINISHED, "ledger.jsonl")
    whole = path.read_bytes()
    entries = [json.loads(line) for line in whole.splitlines()]
    for entry in entries:
        del entry["crc"]

    def with_changed(number: int) -> st.SearchStrategy[bytes]:
        def put(entry: Any) -> bytes:
            before, after = entries[:number], entries[number + 1 :]
            return b"".join(map(line_with_checksum, [*before, entry | {"v": 1, "seq": number}, *after]))

        return changed(entries[number]).map(put)

    def test(data: bytes) -> None:
        path.write_bytes(data)
        try:
            for verb in ("status", "top", "list"):
                hpsearch(verb, *([FINISHED] if verb != "list" else []))
            assert path.read_bytes() == data, "reading has changed it"
        finally:
            path.write_bytes(whole)

    return st.integers(0, len(entries) - 1).flatmap(with_changed), test


def load(folder: Path, data_dir: Path = HERE / "data") -> Any:
    """A dataset from a folder, or nothing."""
    from trainables.data import load as loading

    return held(lambda: loading.load(str(folder), "train", data_dir=data_dir), DatasetError)


def pictures(count: int, formats: tuple[str, ...] = ("PNG",)) -> list[bytes]:
    """Small images."""
    from PIL import Image

    found = []
    for number in range(count):
        buffer = io.BytesIO()
        Image.new("RGB", (8, 8), (number, 2 * number, 3 * number)).save(buffer, formats[number % len(formats)])
        found.append(buffer.getvalue())
    return found


def parquet() -> tuple[st.SearchStrategy, Test]:
    """Parquet files with bytes changed."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = HERE / "table"
    folder.mkdir()
    kind = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = pa.array([{"bytes": data, "path": "0.png"} for data in pictures(8)], kind)
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"image": rows, "label": [0, 1] * 4}), sink)

    def test(data: bytes) -> None:
        (folder / "train.parquet").write_bytes(data)
        load(folder)

    return st.binary(max_size=300) | damaged(sink.getvalue().to_pybytes()), test


def tables() -> tuple[st.SearchStrategy, Test]:
    """Parquet files of columns at random."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder = HERE / "table"
    folder.mkdir()
    images = st.sampled_from(pictures(3)) | st.binary(max_size=20) | st.none()
    boxed = st.fixed_dictionaries({"bytes": images, "path": st.text(max_size=8) | st.none()})
    cell = [
        images,
        boxed,
        st.integers(-(2**63), 2**63 - 1),
        st.integers(0, 2),
        st.text(max_size=8),
        st.none(),
        st.booleans(),
        st.floats(),
        st.lists(st.integers(0, 3), max_size=2),
        st.dates(),
    ]
    names = st.sampled_from(("img", "labels", "fine_label", "kind", "", "a.b", "bytes"))

    def of(kind: st.SearchStrategy, rows: int) -> st.SearchStrategy[list[Any]]:
        return st.lists(kind, min_size=rows, max_size=rows)

    def with_rows(rows: int) -> st.SearchStrategy[dict[str, list[Any]]]:
        any_column = st.sampled_from(cell).flatmap(lambda kind: of(kind, rows))
        pictured = of(st.sampled_from(pictures(3)), rows)
        return st.builds(
            lambda first, label, more: {"image": first, "label": label} | more,
            pictured | pictured | any_column,
            of(st.integers(0, 2), rows) | of(st.sampled_from("ab"), rows) | any_column,
            st.dictionaries(names, any_column, max_size=2),
        )

    columns = st.integers(0, 8).flatmap(with_rows)
    metadata = JSON.map(json.dumps) | st.just(
        '{"info": {"features": {"label": {"_type": "ClassLabel", "names": ["a"]}}}}'
    )

    def test(example: Any) -> None:
        content, described = example
        try:
            table = pa.table(content).replace_schema_metadata({"huggingface": described})
            pq.write_table(table, folder / "train.parquet")
        except (pa.ArrowException, UnicodeError):  # what Parquet cannot hold
            outcomes["not a table"] += 1
            return
        load(folder)

    return st.tuples(columns, metadata), test


def images() -> tuple[st.SearchStrategy, Test]:
    """Images with bytes changed."""
    good = pictures(8, ("PNG", "JPEG", "BMP", "WEBP"))
    for number, data in enumerate(good):
        for part in ("train", "test"):
            path = HERE / "images" / part / "ab"[number % 2] / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)

    def test(data: bytes) -> None:
        (HERE / "images" / "train" / "a" / "0.png").write_bytes(data)
        load(HERE / "images")

    return st.sampled_from(good[:4]).flatmap(damaged), test


def caches() -> tuple[st.SearchStrategy, Test]:
    """The image cache with bytes changed."""
    from trainables.data import load as loading
    from trainables.data.images import fingerprint

    whole = fingerprint(loading.load("digits", "train", data_dir=HERE))
    files = sorted((HERE / "cache").glob("digits*"))
    content = {path: path.read_bytes() for path in files}

    def test(example: tuple[Path, bytes]) -> None:
        path, data = example
        path.write_bytes(data)
        found = held(lambda: loading.load("digits", "train", data_dir=HERE), DatasetError)
        assert found is not None and fingerprint(found) == whole
        for path, data in content.items():
            path.write_bytes(data)

    return st.sampled_from(files).flatmap(lambda path: st.tuples(st.just(path), damaged(content[path]))), test


def a_training(config: dict[str, Any] = GOOD) -> Any:
    """A small training that has run for an epoch."""
    import torch

    from trainables.config import Config
    from trainables.resident import Resident
    from trainables.training import Training

    torch.set_num_threads(1)
    resident = Resident(torch.zeros(32, 1, 8, 8, dtype=torch.uint8), torch.arange(32) % 2, 2)
    return Training(Config.from_json(config), resident, None, seed=0)


def checkpoints() -> tuple[st.SearchStrategy, Test]:
    """Checkpoints with bytes changed: what is read is what was written, or nothing."""
    import torch

    from trainables.files import Folder
    from trainables.worker import checkpoints
    from trainables.worker.actor import _UNUSABLE

    training = a_training()
    training.run_segment()
    checkpoints.save(Folder(str(HERE)), "good.pt", training.state())
    good = (HERE / "good.pt").read_bytes()
    weights = [tensor.clone() for tensor in training.model.state_dict().values()]

    def test(data: bytes) -> None:
        (HERE / "bad.pt").write_bytes(data)
        fresh = a_training()

        def read() -> list[Any]:
            fresh.restore(checkpoints.load(Folder(str(HERE)), "bad.pt"))
            return list(fresh.model.state_dict().values())

        try:
            found = read()
        except _UNUSABLE:  # what begins a trial anew
            outcomes["refused"] += 1
            return
        outcomes["understood"] += 1
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(weights, found, strict=True)), "another state"

    return damaged(good) | st.binary(max_size=300), test


def networks() -> tuple[st.SearchStrategy, Test]:
    """Networks on disk with bytes changed: what is read is what was written, or nothing."""
    import torch

    training = a_training()
    network = saved_network.Network(training.model, training.config, (1, 8, 8), ("a", "b"))
    good = saved_network.network_files(network)
    settings_ = json.loads(good["config.json"])

    def test(files: dict[str, bytes]) -> None:
        for name, data in (good | files).items():
            (HERE / name).write_bytes(data)
        found = held(lambda: saved_network.load_network(HERE), saved_network.NetworkError, OSError)
        if found and "crc32" in json.loads((HERE / "config.json").read_text()):
            ours, theirs = training.model.state_dict().values(), found.model.state_dict().values()
            assert all(torch.equal(a, b) for a, b in zip(ours, theirs, strict=True)), "other weights"
            assert (found.config, found.classes) == (network.config, network.classes), "another configuration"

    return (
        damaged(good["model.safetensors"]).map(lambda data: {"model.safetensors": data})
        | damaged(good["config.json"]).map(lambda data: {"config.json": data})
        | changed(settings_).map(lambda data: {"config.json": json.dumps(data).encode()})
    ), test


def predictions() -> tuple[st.SearchStrategy, Test]:
    """Predictions with bytes changed."""
    from search.history import scores
    from search.history.load import read_search
    from trainables.predictions import PredictionsError

    path = next(Path("results", FINISHED, "retrain").glob("*/predictions.parquet"))
    good = path.read_bytes()
    found = read_search(Path("results"), FINISHED)
    runs = scores.tested(found.record)
    whole = found.retrains

    def test(data: bytes) -> None:
        path.write_bytes(data)
        try:
            read = held(lambda: (found.retrains, scores.classes(found.search.folder, runs)), PredictionsError)
            assert read is None or read[0].equals(whole), "other predictions"
        finally:
            path.write_bytes(good)

    return damaged(good) | st.binary(max_size=300), test


KINDS: dict[str, Callable[[], tuple[st.SearchStrategy, Test]]] = {
    "options": options,
    "settings": settings_of_networks,
    "lists": lists,
    "configurations": configurations,
    "requests": requests,
    "ledgers": ledgers,
    "events": events,
    "parquet": parquet,
    "tables": tables,
    "images": images,
    "caches": caches,
    "checkpoints": checkpoints,
    "networks": networks,
    "predictions": predictions,
}

if __name__ == "__main__":
    main()
