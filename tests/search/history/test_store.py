import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from search.history import store
from search.history.store import NameTakenError, Request, StoreError

REQUEST = Request(space="cnn_all", samples=3, data_dir="data")
FACTS = {"data": {"fingerprint": "abc", "num_train": 80, "num_validation": 20}, "threads": 2}


def test_a_search_comes_back_as_it_was_asked(tmp_path):
    made = store.create(tmp_path, "one", REQUEST, 12.0, FACTS)
    found = store.find(tmp_path, "one")
    assert found == made
    assert (found.request, found.facts) == (REQUEST, FACTS)


def test_a_search_of_a_cluster_that_had_no_slots_yet_can_be_read(tmp_path):
    store.create(tmp_path, "one", REQUEST, 12.0, FACTS | {"slots": 0})
    assert [each.facts["slots"] for each in store.find_all(tmp_path)] == [0]


def test_the_newest_is_the_latest_by_creation_not_by_name(tmp_path):
    for name, created in (("b", 1.0), ("a", 3.0), ("c", 2.0)):
        store.create(tmp_path, name, REQUEST, created, FACTS)
    assert store.find(tmp_path).name == "a"
    assert [s.name for s in store.find_all(tmp_path)] == ["b", "c", "a"]


def test_a_name_that_exists_is_refused_and_the_first_search_untouched(tmp_path):
    store.create(tmp_path, "one", REQUEST, 1.0, FACTS)
    before = (tmp_path / "one" / "search.json").read_bytes()
    with pytest.raises(StoreError, match="hpsearch resume one"):
        store.create(tmp_path, "one", REQUEST, 2.0, FACTS)
    assert (tmp_path / "one" / "search.json").read_bytes() == before


@pytest.mark.parametrize("kind", ["folder", "broken link"])
def test_a_folder_that_holds_no_search_is_no_search_to_continue(tmp_path, kind):
    if kind == "folder":
        (tmp_path / "one").mkdir()
    else:
        (tmp_path / "one").symlink_to(tmp_path / "nowhere")
    with pytest.raises(NameTakenError, match="one holds no search: remove it, or choose another --name$"):
        store.create(tmp_path, "one", REQUEST, 1.0, FACTS)


def test_what_cannot_be_prepared_leaves_no_folder(tmp_path):
    def fail(_):
        raise OSError(28, "No space left on device")

    with pytest.raises(StoreError, match="cannot write to the results folder .*: No space left on device"):
        store.create(tmp_path, "one", REQUEST, 1.0, FACTS, prepare=fail)
    assert list(tmp_path.iterdir()) == []


def test_of_processes_that_ask_for_one_name_at_once_one_gets_it(tmp_path):
    def create(number):
        with suppress(NameTakenError):
            return store.create(tmp_path, "one", REQUEST, float(number), FACTS)

    for turn in range(20):
        with ThreadPoolExecutor(8) as pool:
            made = [each for each in pool.map(create, range(8)) if each]
        assert made == [store.find(tmp_path, "one")], turn
        store.discard(made[0])


@pytest.mark.parametrize("name", ["", "..", "../x", "a/b", "/abs", ".hidden", "a b", "x" * 101, "ü"])
def test_a_name_that_could_leave_the_folder_is_refused(tmp_path, name):
    with pytest.raises(StoreError, match="name"):
        store.create(tmp_path / "results", name, REQUEST, 1.0, FACTS)
    assert not (tmp_path / "results").exists()


def test_results_in_a_folder_whose_name_is_not_utf_8_are_refused(tmp_path):
    with pytest.raises(StoreError, match="path must be in UTF-8"):
        store.create(tmp_path / "caf\udce9", "one", REQUEST, 1.0, FACTS)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text", ["", "{", "[" * 100_000, "[]", "{}", '{"v": 1}', '{"v": 1, "created": 1, "request": {"samples": 1}}']
)
def test_a_damaged_search_json_is_named(tmp_path, text):
    store.create(tmp_path, "one", REQUEST, 1.0, FACTS)
    (tmp_path / "one" / "search.json").write_text(text)
    with pytest.raises(StoreError, match=r"search\.json is damaged"):
        store.find(tmp_path, "one")


STUDY = {
    "name": "batch-norm",
    "question": "Does it help?",
    "source": None,
    "part": None,
    "arms": ["without", "with"],
    "repeats": 3,
    "measure": "test_accuracy",
    "published": [{"arm": "with", "value": 0.5, "std": None, "measure": "gap"}],
    "remark": None,
    "changed": [],
}


def test_what_is_recorded_of_a_study_is_read_again(tmp_path):
    store.create(tmp_path, "one", REQUEST, 1.0, FACTS | {"study": STUDY})
    assert store.find(tmp_path, "one").arms == ("without", "with")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("created",), "yesterday"),
        (("created",), float("inf")),
        (("request", "space"), 5),
        (("request", "samples"), "three"),
        (("request", "samples"), True),
        (("request", "samples"), 0),
        (("request", "epochs"), None),
        (("request", "seed"), -1),
        (("request", "limit_train"), 0),
        (("request", "image_size"), 1.5),
        (("request", "validation"), 7.0),
        (("request", "validation"), float("nan")),
        (("request", "sampler"), 5),
        (("request", "scheduler"), None),
        (("request", "augment"), "best"),
        (("request", "metric"), "kappa"),
        (("data", "guessing"), {"accuracy": 0.5}),
        (("data", "duplicates"), "ten"),
        (("data", "num_test_hashed"), -1),
        (("data", "guessing"), {"accuracy": 1.5, "balanced_accuracy": 0.5}),
        (("request", "dataset"), "a\0b"),
        (("request", "dataset"), "\ud800"),
        (("data",), None),
        (("data", "fingerprint"), 5),
        (("data", "num_validation"), 0),
        (("threads",), "many"),
        (("slots",), -1),
        (("precision",), "float16"),
        (("forecast",), {"epochs": 5}),
        (("study",), "batch-norm"),
        (("study",), {"name": "batch-norm"}),
        (("study",), STUDY | {"arms": [1, 2]}),
        (("study",), STUDY | {"arms": "with"}),
        (("study",), STUDY | {"measure": None}),
        (("study",), STUDY | {"published": [{"arm": "with", "measure": "gap", "value": 0.5}]}),
        (("study",), STUDY | {"repeats": True}),
        (("study",), STUDY | {"repeats": "three"}),
        (("study",), STUDY | {"published": [{"arm": "with"}]}),
        (("study",), STUDY | {"published": [{"arm": "with", "measure": "gap", "value": "high"}]}),
    ],
)
def test_a_search_json_that_no_launch_writes_is_damaged(tmp_path, path, value):
    made = store.create(tmp_path, "one", REQUEST, 1.0, FACTS)
    data = json.loads((made.folder / "search.json").read_text())
    inner = data
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    (made.folder / "search.json").write_text(json.dumps(data))
    with pytest.raises(StoreError, match=r"search\.json is damaged") as caught:
        store.find(tmp_path, "one")
    assert "\n" not in str(caught.value)


def test_a_damaged_field_is_named_with_its_rule(tmp_path):
    made = store.create(tmp_path, "one", REQUEST, 1.0, FACTS)
    data = json.loads((made.folder / "search.json").read_text())
    for field, value, rule in (("epochs", 0, "at least 1"), ("augment", "best", "none, flip-crop, published")):
        damaged = data | {"request": data["request"] | {field: value}}
        (made.folder / "search.json").write_text(json.dumps(damaged))
        with pytest.raises(StoreError, match=rf"{field} is {value!r}, not .*{rule}"):
            store.find(tmp_path, "one")


def test_a_search_whose_sampler_and_scheduler_are_unknown_here_can_be_read(tmp_path):
    asked = Request(space="cnn_all", samples=3, data_dir="data", sampler="of tomorrow", scheduler="of tomorrow")
    store.create(tmp_path, "one", asked, 1.0, FACTS)
    assert store.find(tmp_path, "one").request == asked


def test_a_newer_search_json_is_refused(tmp_path):
    store.create(tmp_path, "one", REQUEST, 1.0, FACTS)
    path = tmp_path / "one" / "search.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"v": 99}))
    with pytest.raises(StoreError, match="newer hpsearch"):
        store.find(tmp_path)


def test_a_search_that_is_not_there_has_its_folder_and_its_nearest_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    place = Path("results")
    with pytest.raises(StoreError, match=rf"no search in {tmp_path}/results yet; .*--results or HPSEARCH_RESULTS"):
        store.find(place)
    store.create(place, "running", REQUEST, 1.0, FACTS)
    with pytest.raises(
        StoreError, match=rf"in {tmp_path}/results \(did you mean 'running'\?\); the newest are running"
    ):
        store.find(place, "runing")
