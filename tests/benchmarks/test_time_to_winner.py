"""When a search is as good as the script's best: what counts is the first trial of that accuracy, pair by pair."""

import importlib
from pathlib import Path
from typing import Any

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture
def module(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.syspath_prepend(BENCHMARKS)
    return importlib.import_module("time_to_winner")


def run(module: Any, launched: float, *accuracies: float | None) -> Any:
    """A command whose epochs end every ten seconds, the first one after ten."""
    epochs = [
        {"trial": 0, "epoch": place, "val_accuracy": accuracy, "ended": launched + 10 * place}
        for place, accuracy in enumerate(accuracies, 1)
    ]
    return module.Run(launched, launched + 10 * len(epochs) + 5, 2, epochs)


def test_a_row_compares_each_run_with_the_script_s_of_the_same_repeat(module: Any) -> None:
    script = [run(module, 0.0, 0.1, None, 0.3, 0.4), run(module, 100.0, 0.1, 0.5, 0.2, 0.2)]
    good, poor = [run(module, 50.0, 0.4), run(module, 200.0, 0.6)], [run(module, 60.0, 0.39), run(module, 300.0, 0.5)]
    found = module.rows({"script": script, "good": good, "poor": poor})
    reached = "as good as the script's best after, s"
    assert [row["way"] for row in found] == ["script", "good", "poor"]
    assert [row[reached] for row in found] == ["30.0 (20.0–40.0)", "10.0 (10.0–10.0)", "10.0"]
    assert [row["of so many runs"] for row in found] == ["2 of 2", "2 of 2", "1 of 2"]
    assert [row["sooner than the script, times"] for row in found] == ["1.0 (1.0–1.0)", "3.0 (2.0–4.0)", "2.0"]
    assert [row["best validation accuracy, %"] for row in found][1:] == ["50.0 (40.0–60.0)", "44.5 (39.0–50.0)"]
    assert found[0]["whole command, s"] == "45.0 (45.0–45.0)"


def test_a_way_that_is_never_as_good_has_no_time(module: Any) -> None:
    script, ours = run(module, 0.0, 0.4), run(module, 0.0, 0.39, 0.2)
    assert module.reached(ours, module.best(script)) is None
    (_, row) = module.rows({"script": [script], "ours": [ours]})
    assert (row["as good as the script's best after, s"], row["sooner than the script, times"]) == ("never", "")


def test_epochs_count_once_although_half_ones_are_measured_too(module: Any) -> None:
    measured = [(0, 0.5), (0, 1.0), (0, 2.0), (1, 0.5), (1, 1.0), (2, 0.5)]
    epochs = [{"trial": trial, "epoch": epoch, "began": place} for place, (trial, epoch) in enumerate(measured)]
    run = module.Run(0.0, 10.0, 2, epochs)
    assert run.trained == 3.5
    assert (run.all_train, run.none_waits) == (3, 5), "when the second trial began, and the last one"


def test_settings_of_the_script_may_leave_out_reuse_actors(module: Any) -> None:
    assert module.tune_settings("1,2,1") == (1, 2, 1, 0)
    assert module.tune_settings("1,2,1,1") == (1, 2, 1, 1)
