"""A search on uneven classes, whose two networks rank differently by accuracy and by balanced accuracy, to its retrain.

Their logits are fixed, so what they score is known: `largest` always says "dark", which most images are; `careful`
takes the brighter half of the dark images for grey ones, and all others for what they are.
"""

import json
from pathlib import Path

import pytest
from PIL import Image

from search.follow.loop import follow, sink_folder
from search.history import ledger, store
from search.history.load import Loaded, read_search
from search.history.store import Request, Search
from search.run.launch import launch, resume
from search.run.problem import RequestError
from search.run.retrain import Again, retrain
from search.run.session import Options
from search.show import ranking, winners
from search.show.overview import summary
from search.show.status import print_status, status
from tests.contracts.sink_readers import read_optuna, read_tensorboard

INLINE = Options(engine="inline")
SIDE = 8
BRIGHTNESS = {"dark": (0, 60), "grey": (128, 128), "light": (255, 255)}
NETWORKS = """
import torch
from torch import nn


class Fixed(nn.Module):
    def __init__(self, careful):
        super().__init__()
        self.careful, self.weight = careful, nn.Parameter(torch.zeros(1))

    def forward(self, images):
        level = images.mean((1, 2, 3)) * self.careful - (1 - self.careful)
        light, dark = (level > 0.5).float(), (level < -0.8).float()
        return torch.stack((dark, 1 - light - dark, light), 1) + 0 * self.weight


def largest():
    return Fixed(0.0)


def careful():
    return Fixed(1.0)
"""


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Images of one brightness each; of ten, eight are dark."""
    root = tmp_path / "pictures"
    for part, ones in (("train", 5), ("val", 2), ("test", 1)):
        for name, levels in BRIGHTNESS.items():
            (root / part / name).mkdir(parents=True)
            for number in range(ones * (8 if name == "dark" else 1)):
                level = levels[number % 2]
                Image.new("RGB", (SIDE, SIDE), (level,) * 3).save(root / part / name / f"{number}.png")
    return root


@pytest.fixture
def request_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pictures: Path):
    """Make the request of two trials, `careful` and then `largest`."""
    (tmp_path / "fixed.py").write_text(NETWORKS)
    monkeypatch.syspath_prepend(tmp_path)
    space = tmp_path / "space.jsonl"
    lines = [
        {"network": {"name": f"fixed:{name}"}, "optimizer": {"name": "sgd", "lr": 0.1}, "training": {"batch_size": 8}}
        for name in ("careful", "largest")
    ]
    space.write_text("".join(json.dumps(line) + "\n" for line in lines))

    def made(metric: str | None) -> Request:
        asked = {} if metric is None else {"metric": metric}
        where = {"dataset": str(pictures), "data_dir": str(tmp_path / "data")}
        return Request(space=str(space), samples=2, epochs=2, augment="none", **where, **asked)

    return made


def states(found: Loaded) -> list[str]:
    return [run.state for run in found.record.trials]


def retrain_best(search: Search, **options):
    return retrain(search, INLINE, Again(epochs=1, **options), top=1, distinct=False)


@pytest.mark.parametrize(
    ("metric", "ended", "best", "tested"),
    [
        # careful: 12 of 20 right, each class's share 0.5, 1 and 1; largest: 16 of 20, and 1, 0 and 0.
        ("accuracy", ["done", "done"], 1, (8, 1 / 3)),
        ("balanced_accuracy", ["done", "stopped"], 0, (6, 2.5 / 3)),
    ],
)
def test_the_metric_decides_who_is_stopped_who_is_first_and_who_is_trained_again(
    tmp_path, request_of, metric, ended, best, tested
):
    launch(request_of(metric), INLINE, results=tmp_path, name="one")
    found = read_search(tmp_path, "one")
    assert states(found) == ended
    first, second = found.trials.to_dict("records")
    assert (first["best_val_accuracy"], second["best_val_accuracy"]) == (0.6, 0.8)
    assert first["best_val_balanced_accuracy"] == pytest.approx(2.5 / 3)
    assert second["best_val_balanced_accuracy"] == pytest.approx(1 / 3)
    assert found.epochs.val_balanced_accuracy.notna().all()
    assert [run.key[0] for run in ranking.top(found, None)] == [best, 1 - best]
    assert status(found)["best_trial"] == best
    outcome, (run,) = retrain_best(found.search)
    assert (outcome.reason, run.key) == ("finished", (best, 1))
    assert (run.test.correct, run.test.images) == (tested[0], 10)
    assert run.test.balanced_accuracy == pytest.approx(tested[1])
    (row,) = read_search(tmp_path, "one").retrains.to_dict("records")
    assert row["test_balanced_accuracy"] == run.test.balanced_accuracy
    assert row["test_balanced_low"] <= row["test_balanced_accuracy"] <= row["test_balanced_high"]


def test_a_resume_keeps_the_metric(tmp_path, request_of):
    began = launch(
        request_of("balanced_accuracy"), Options(engine="inline", max_time=1e-9), results=tmp_path, name="one"
    )
    assert began.reason == "out of time"
    assert resume(store.find(tmp_path, "one"), INLINE, samples=None).reason == "finished"
    assert states(read_search(tmp_path, "one")) == ["done", "stopped"]


def test_a_search_that_names_no_metric_is_ranked_by_accuracy_and_its_ledger_names_none(tmp_path, request_of):
    search = launch(request_of(None), INLINE, results=tmp_path, name="one").search
    assert not any("metric" in line for line in ledger.read(search.ledger))
    path = search.folder / "search.json"
    data = json.loads(path.read_text())
    del data["request"]["metric"], data["data"]["guessing"]  # as an older version wrote it
    path.write_text(json.dumps(data))
    found = read_search(tmp_path, "one")
    assert (found.search.request.metric, found.search.guess) == ("accuracy", None)
    assert resume(found.search, INLINE, samples=None).reason == "finished"
    assert [run.key[0] for run in ranking.top(found, None)] == [1, 0]


def test_what_guessing_gives_is_said_beside_the_accuracies_and_the_metric_comes_first(tmp_path, request_of, capsys):
    launch(request_of("balanced_accuracy"), INLINE, results=tmp_path, name="one")
    line = "majority-class baseline: 80.0%, or 33.3% balanced accuracy"
    assert line in capsys.readouterr().err.splitlines()
    found = read_search(tmp_path, "one")
    assert found.search.facts["data"]["guessing"] == {"accuracy": 0.8, "balanced_accuracy": pytest.approx(1 / 3)}
    ranking.print_top(found, ranking.top(found, 10))
    table = capsys.readouterr().out
    assert line in table.splitlines() and "best validation balanced accuracy" in table
    assert table.index("83.3%") < table.index("60.0% (")
    print_status(status(found))
    shown = capsys.readouterr().out
    assert "best       83.3% balanced accuracy, 60.0% accuracy on validation, trial 0" in shown and line in shown
    assert (summary(found)["best_val_accuracy"], summary(found)["best_val_balanced_accuracy"]) == (
        0.6,
        pytest.approx(2.5 / 3),
    )
    _, (run,) = retrain_best(found.search)
    capsys.readouterr()
    winners.print_retrains(read_search(tmp_path, "one"), [run.key])
    table = capsys.readouterr().out
    assert f"{line} on the test images" in table
    assert table.index("test balanced accuracy") < table.index("test accuracy")


def test_sinks_are_told_what_trials_are_compared_by(tmp_path, request_of):
    launch(request_of("balanced_accuracy"), INLINE, results=tmp_path, name="one")
    search = store.find(tmp_path, "one")
    for name in ("optuna", "tensorboard"):
        follow(search, name, sink_folder(search.folder, name), once=True)
    compared = read_optuna(sink_folder(search.folder, "optuna"), "one")
    balanced = read_tensorboard(sink_folder(search.folder, "tensorboard"), "one", tag="val_balanced_accuracy")
    expected = {0: {50: 2.5 / 3, 100: 2.5 / 3}, 1: {50: 1 / 3}}
    for trial, curve in expected.items():
        assert compared[trial][1] == pytest.approx(curve)
        assert balanced[trial][1] == pytest.approx(curve)


def test_a_retrain_takes_given_validation_images_when_it_is_asked_to(tmp_path, request_of, capsys):
    launch(request_of(None), INLINE, results=tmp_path, name="one")
    search = store.find(tmp_path, "one")
    _, (first,) = retrain_best(search)
    assert "on all 50 training images, without the 20 validation images" in capsys.readouterr().err
    _, (second,) = retrain_best(search, with_validation=True)
    assert "on all 70 images, 20 of them the dataset's own validation images" in capsys.readouterr().err
    assert [[m.images for m in run.measurements] for run in (first, second)] == [[50], [70]]
    assert (first.key, second.key) == ((1, 1), (1, 2)), "another training, not the one that is there"
    assert (first.asked.with_validation, second.asked.with_validation) == (None, True)
    lines = len(ledger.read(search.ledger))
    _, (again,) = retrain_best(search, with_validation=True)
    assert (again.key, len(ledger.read(search.ledger))) == ((1, 2), lines), "nothing is trained twice"
    assert read_search(tmp_path, "one").retrains.with_validation.tolist() == [False, True]


def test_validation_images_that_a_dataset_does_not_bring_cannot_be_asked_for(tmp_path, request_of, pictures):
    (pictures / "val").rename(tmp_path / "away")
    launch(request_of(None), INLINE, results=tmp_path, name="one")
    search = store.find(tmp_path, "one")
    before = search.ledger.read_bytes()
    with pytest.raises(RequestError, match="--with-validation .* own validation images, and one has none"):
        retrain_best(search, with_validation=True)
    assert search.ledger.read_bytes() == before
    _, (run,) = retrain_best(search)
    assert [m.images for m in run.measurements] == [50], "a share of train is trained on anyway"
