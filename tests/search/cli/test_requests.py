"""Requests that are refused in one line, and the commands that the command prints."""

import json
import re
import shlex
import sys
from dataclasses import replace
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner

from architectures.errors import HpsearchError
from search.cli.main import cli, main
from search.history import ledger, store
from search.history.events import Opened
from search.history.ledger import Ledger
from search.run import ending
from search.storage import claims
from tests.search.events import asked
from tests.search.page.searches import make_search
from tests.search.storage.drivers import Driver
from tests.trainables.data.pictures import class_folders

LONG = "a" * 300


def done(*words):
    return CliRunner().invoke(cli, [str(word) for word in words])


def refused(*words):
    """The line on a request that is wrong."""
    found = done(*words)
    if isinstance(found.exception, HpsearchError):
        assert found.exception.exit_code == 2 and "\n" not in str(found.exception)
        return str(found.exception)
    assert found.exit_code == 2, found
    return " ".join(found.output.splitlines()[-1].split())


def printed(output, verb):
    """The words of the command of a verb that is printed, up to the end of its line or a semicolon."""
    return shlex.split(output[output.index(f"hpsearch {verb}") :].splitlines()[0].partition(";")[0])


def test_a_ledger_is_cut_only_where_it_is_damaged(tmp_path):
    path = make_search(tmp_path, trials=2).ledger
    before = path.read_bytes()
    line = f"no line of {path} is damaged, so --until is not needed"
    assert refused("resume", "made", "--until", 4, "--results", tmp_path) == line
    path.write_bytes(before[:-5])  # torn, which a resume mends by itself
    assert refused("resume", "made", "--until", 4, "--results", tmp_path) == line
    assert path.read_bytes() == before[:-5]


@pytest.mark.parametrize("damage", ["a checksum", "a trial that nobody asked for"])
def test_a_damaged_ledger_is_cut(tmp_path, damage):
    found = make_search(tmp_path, trials=2)
    path, lines = found.ledger, found.ledger.read_bytes().splitlines(keepends=True)
    if damage == "a checksum":
        lines[3] = lines[3].replace(b'"trial":0', b'"trial":7')
        path.write_bytes(b"".join(lines))
        said = refused("status", "made", "--results", tmp_path)
        want = ["hpsearch", "resume", "made", "--results", str(tmp_path), "--until", "4"]
        assert printed(said, "resume") == want
    else:
        path.write_bytes(b"".join(lines[:1]))
        with Ledger(path) as book:
            book.append(replace(asked(), trial=-1))
            book.append(asked())
        lines = path.read_bytes().splitlines(keepends=True)
        assert "--until 2" in refused("status", "made", "--results", tmp_path)
    done("resume", "made", "--until", 4 if damage == "a checksum" else 2, "--results", tmp_path)
    assert ledger.read(path)[-1]["event"] == "cut"
    assert [each.read_bytes() for each in path.parent.glob("ledger-*.jsonl")] == [b"".join(lines)]


@pytest.mark.parametrize("storage", [(), ("--storage", "there")])
def test_the_knee_is_retrained_where_its_search_is(tmp_path, monkeypatch, storage):
    monkeypatch.chdir(tmp_path)
    found = make_search(tmp_path / "mine")
    if storage:
        claims.begin("there", found)
        driver = Driver(found.folder)
        driver.mirror.copy()
        driver.die()
    command = printed(done("top", "made", "--results", "mine", "--pareto", "flops", *storage).output, "retrain")
    assert command[:-2] == ["hpsearch", "retrain", "made", "--results", "mine", *storage]


def test_a_search_whose_name_is_taken_is_continued_where_it_is(tmp_path):
    make_search(tmp_path, trials=1)
    said = refused("launch", "--dataset", "digits", "--name", "made", "--results", tmp_path)
    assert printed(said, "resume") == ["hpsearch", "resume", "made", "--results", str(tmp_path)]


def test_a_search_that_was_stopped_is_continued_where_it_is(tmp_path, monkeypatch):
    make_search(tmp_path, trials=1, finished=False)
    monkeypatch.setattr(ending, "stop", lambda found: "interrupted")
    output = done("stop", "made", "--results", tmp_path).output
    assert f"hpsearch resume made --results {tmp_path} continues it" in output


def test_a_retrain_that_was_stopped_is_continued_by_its_own_command(tmp_path, monkeypatch):
    found = make_search(tmp_path, trials=1)
    monkeypatch.setattr(ending, "stop", lambda found: "interrupted")
    with Ledger(found.ledger) as ledger:
        ledger.append(Opened(slots=1))
        output = done("stop", "made", "--results", tmp_path).output
    assert "the same hpsearch retrain continues it" in output


def test_an_unfinished_study_is_continued_where_it_is(tmp_path):
    found = make_search(tmp_path, finished=False)
    facts = {"name": "s", "question": "?", "source": "", "part": None, "arms": [], "repeats": 1}
    store.record(found, study=facts | {"measure": "val_accuracy", "changed": [], "published": [], "remark": ""})
    line = done("answer", "made", "--results", tmp_path).output.splitlines()[-1]
    assert line == f"to continue it: hpsearch resume made --results {tmp_path}"


@pytest.mark.parametrize(
    "words",
    [
        ("predict", LONG),
        ("predict", LONG, "photo.png"),
        ("dataset", "digits", "--html", LONG),
        ("dataset", "digits", "--html", f"{LONG}/page.html"),
        ("dataset", "digits", "--html", "/"),
        ("retrain", "--trial", "1" * 5000),
    ],
    ids=lambda words: " ".join(words)[:24],
)
def test_what_can_be_no_path_and_no_number_is_refused(tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    assert refused(*words)
    assert list(tmp_path.iterdir()) == []


def test_a_storage_that_cannot_be_read_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert refused("serve", "--port", 0, "--storage", LONG).startswith(f"storage {LONG}: ")


@pytest.mark.parametrize(
    "words",
    [
        ("predict", "made", ""),
        ("report", "made", "--figures", ""),
        ("report", "made", "--out", ""),
        ("dataset", "digits", "--html", ""),
        ("export", "made", "--format", "safetensors", "--out", ""),
        ("status", "made", "--storage", ""),
        ("launch", "--dataset", "digits", "--storage", ""),
    ],
    ids=lambda words: " ".join(words),
)
def test_an_empty_path_is_not_the_working_folder(tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    make_search(tmp_path / "results", trials=2)
    assert "an empty path is " in refused(*words)
    assert [path.name for path in tmp_path.iterdir()] == ["results"]


def test_an_empty_name_is_no_experience(tmp_path):
    words = ("launch", "--dataset", "digits", "--sampler", "transfer", "--results", tmp_path, "--dry-run")
    assert refused(*words, "--experience", "").startswith("no experience of ''; known: cifar10, ")


def test_an_example_is_one_that_the_verb_takes():
    assert "such as cutmix=0.5; got 'batch_size'" in refused("retrain", "--set", "batch_size")
    assert "such as width=0.5; got 'batch_size'" in refused("networks", "cnn6", "--set", "batch_size")


OWN_STUDIES = """
from search.studies.study import Part, Study, arm

GOOD = {"question": "?", "parts": (Part(dataset="digits"),), "epochs": 2, "measure": "val_accuracy"}

def rates():
    return Study(name="rates", arms={"low": arm("cnn5", "sgd", 0.01), "high": arm("cnn5", "sgd", 0.1)}, **GOOD)

def searched(samples=4):
    return Study(name="searched", space="cnn_published", samples=samples, **GOOD)

def space(trial):
    raise ValueError("it is drawn from")
"""


@pytest.fixture
def own_studies(tmp_path, monkeypatch):
    """A module `own_studies` of a user."""
    (tmp_path / "own_studies.py").write_text(OWN_STUDIES)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "own_studies", raising=False)


@pytest.mark.parametrize(("given", "taken"), [((), None), (("--limit-train", "9"), 9)])
@pytest.mark.parametrize("own", [False, True])
def test_a_quick_study_of_few_images_takes_them_all(tmp_path, monkeypatch, own_studies, own, given, taken):
    asked = []

    def dry_run(request, **_):
        asked.append(request)
        return SimpleNamespace(notes=(), search=None, schedulers={})

    monkeypatch.setattr("search.run.foresee.dry_run", dry_run)
    monkeypatch.setattr("search.show.forecast.print_forecast", lambda *_: None)
    place = class_folders(tmp_path / "pets" / "train", per_class=5).parent
    study = ("own_studies:rates",) if own else ("batch-norm", "--dataset", place)
    words = ("launch", "--study", *study, "--quick", "--data-dir", tmp_path / "data")
    assert done(*words, *given, "--dry-run").exit_code == 0
    assert [request.limit_train for request in asked] == [taken]


def test_a_users_own_study_is_shown_by_its_arms_or_its_space(own_studies):
    (low, high) = json.loads(done("spaces", "own_studies:rates", "--json").stdout)
    assert (low["arm"], low["optimizer"], high["arm"]) == ("low", "sgd lr=0.01", "high")
    assert done("spaces", "own_studies:searched").stdout == done("spaces", "cnn_published").stdout
    assert refused("spaces", "own_studies:space") == "the space raised ValueError: it is drawn from"
    assert refused("spaces", "own_studies:none").startswith("cannot import 'own_studies:none'")


@pytest.mark.parametrize("storage", [(), ("--storage", "there")])
def test_a_search_without_winners_is_retrained_where_it_is(tmp_path, monkeypatch, storage):
    monkeypatch.chdir(tmp_path)
    found = make_search(tmp_path / "mine", trials=2)
    (tmp_path / "a.png").touch()
    if storage:
        claims.begin("there", found)
        driver = Driver(found.folder)
        driver.mirror.copy()
        driver.die()
    for words in (("predict", "made", "a.png"), ("predict", "made", "a.png", "--ensemble"), ("export", "made")):
        more = ("--format", "card", "--out", "card.md") if words[0] == "export" else ()
        command = printed(refused(*words, *more, "--results", "mine", *storage), "retrain")
        assert command[: 5 + len(storage)] == ["hpsearch", "retrain", "made", "--results", "mine", *storage]


def test_a_student_that_is_missing_is_taught_where_its_search_is(tmp_path):
    make_search(tmp_path, trials=2, retrains=[(0, 1)])
    (tmp_path / "a.png").touch()
    command = printed(refused("predict", "made", tmp_path / "a.png", "--student", "--results", tmp_path), "retrain")
    assert command[:5] == ["hpsearch", "retrain", "made", "--results", str(tmp_path)]


def test_a_near_name_is_suggested_first(tmp_path):
    make_search(tmp_path, "running", trials=1)
    for words, near in (
        (("status", "runing", "--results", tmp_path), "running"),
        (("launch", "--dataset", "digits", "--space", "modrn"), "modern"),
        (("launch", "--dataset", "digits", "--study", "batchnorm"), "batch-norm"),
        (("spaces", "batchnorm"), "batch-norm"),
        (("retrain", "running", "--set", "cutmx=0.5", "--results", tmp_path), "cutmix"),
    ):
        line = refused(*words)
        assert f" (did you mean '{near}'?); " in line.partition("known:")[0].partition("newest")[0]


def test_an_image_that_is_not_there_may_have_been_a_search(tmp_path):
    make_search(tmp_path, "running", trials=1)
    line = refused("predict", "runing", "a.png", "--results", tmp_path)
    assert line.endswith("nor an image (did you mean 'running'?)")


def test_an_unknown_space_may_have_been_a_study():
    line = refused("spaces", "nothing-near")
    assert "known: cnn_published, " in line and " batch-norm, " in line and "did you mean" not in line


def test_a_field_that_set_refuses_is_not_named_as_known():
    known = refused("retrain", "--set", "nothing_near=1").partition("known: ")[2].split(", ")
    assert "batch_size" in known and "cutmix" in known and not {"epochs", "patience"} & set(known)


@pytest.mark.parametrize(
    ("given", "minutes"), [("2h", 120), ("30m", 30), ("90s", 1.5), ("90", 90), ("0.02", 0.02), ("1e-3", 1e-3)]
)
@pytest.mark.parametrize("option", ["max_time", "trial_timeout"])
def test_a_time_without_a_unit_is_minutes(option, given, minutes):
    (param,) = (each for each in cli.commands["launch"].params if each.name == option)
    context = click.Context(cli.commands["launch"])
    assert param.process_value(context, given) == pytest.approx(60 * minutes)


def test_a_worker_may_be_still_for_half_an_hour():
    (param,) = (each for each in cli.commands["launch"].params if each.name == "trial_timeout")
    assert param.process_value(click.Context(cli.commands["launch"]), param.default) == 30 * 60


def test_nothing_is_deleted_unasked_where_nobody_can_answer(tmp_path):
    made = make_search(tmp_path, trials=1)
    assert refused("delete", "made", "--results", tmp_path) == "no terminal to ask in: give --yes"
    assert made.folder.exists()


@pytest.mark.parametrize("file", ["search.json", "ledger.jsonl", "one of its copy in a storage"])
def test_a_search_that_cannot_be_read_hides_no_other_in_the_list(tmp_path, monkeypatch, file):
    monkeypatch.chdir(tmp_path)
    broken = make_search(tmp_path / "results", "broken", trials=2)
    whole = make_search(tmp_path / "results", "whole", trials=2)
    words, damaged = ("list",), broken.folder / file
    if not damaged.exists():
        words = ("list", "--storage", "there")
        for found in (broken, whole):
            claims.begin("there", found)
            driver = Driver(found.folder)
            driver.mirror.copy()
            driver.die()
        (damaged,) = (tmp_path / "there" / "broken" / "record").iterdir()
    damaged.write_bytes(damaged.read_bytes().replace(b'"v":', b'"w":'))
    found = done(*words)
    assert found.exit_code == 2 and found.stderr.startswith("hpsearch: broken: ") and found.stderr.count("\n") == 1
    assert [line.split()[:2] for line in found.stdout.splitlines()[3:5]] == [
        ["broken", "unreadable"],
        ["whole", "finished"],
    ]
    rows = json.loads(done(*words, "--json").stdout)
    assert [(row["name"], row["state"], row["trials"]) for row in rows] == [
        ("broken", "unreadable", None),
        ("whole", "finished", 2),
    ]
    assert f"hpsearch: broken: {rows[0]['reason']}\n" == found.stderr and rows[1]["reason"] is None
    assert list(rows[0]) == list(rows[1])


@pytest.mark.parametrize("words", [("export",), ("status", "one", "two"), ("launch", "--nope")])
def test_a_hint_is_a_sentence_of_its_own(words, monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["hpsearch", *words])
    with pytest.raises(SystemExit) as end:
        main()
    line = capsys.readouterr().err
    assert end.value.code == 2 and line.count("\n") == 1 and re.search(rf"\S\. See hpsearch {words[0]} --help$", line)
