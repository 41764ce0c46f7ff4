"""What a terminal shows of a session at work."""

import io

import pytest
from rich.console import Console

from search.history.events import State
from search.show.live import Best, Scene, picture, time_left
from tests.search.events import ended, measured, record, run


def scene_of(*runs, **changes):
    best = Best()
    for each in runs:
        for event in each.measurements:
            best.hear(event)
    made = {"what": "trial", "total": 10, "slots": 2, "rungs": (1.0, 2.0), "pauses": False, "expected": None}
    made["active"] = [each.key for each in runs if each.state is State.RUNNING]
    return Scene(record=record(*runs), runs=runs, best=best, elapsed=30.0, **{**made, **changes})


def drawn(scene, width=80):
    console = Console(file=io.StringIO(), width=width)
    console.print(picture(scene))
    return [line.rstrip() for line in console.file.getvalue().splitlines()]


def curve(trial, *values):
    return [measured(10 * (n + 1), value, trial=trial, images_per_second=12345.0) for n, value in enumerate(values)]


TRIALS = (
    run(0, curve(0, 0.2, 0.4), State.DONE),
    run(1, curve(1, 0.1), State.STOPPED),
    run(2, curve(2, 0.3), State.DONE),
    run(3, curve(3, 0.5, 0.9), State.RUNNING),
    run(4, state=State.RUNNING),
)


def test_slots_rungs_the_best_and_the_time_left_fit_into_80_columns():
    long = run(5, curve(5, 0.4), State.RUNNING, config=TRIALS[0].config | {"optimizer": {"name": "o" * 60, "lr": 0.1}})
    lines = drawn(scene_of(*TRIALS, long))
    assert max(map(len, lines)) <= 80
    assert [line.split()[:2] for line in lines[1:4]] == [["1", "3"], ["2", "4"], ["3", "5"]]
    assert lines[1].split() == ["1", "3", "cnn5", "×0.5,", "sgd", "0.1", "2/4", "90.0%", "12,345"]
    assert [line.split() for line in lines[4:7]] == [
        ["epoch", "1", "2"],
        ["reached", "5", "2"],
        ["stopped", "1", "0"],
    ]
    assert lines[7] == "3/10 ended: 2 done, 3 running, 1 stopped"
    assert lines[8] == "best val 90.0% (trial 3, cnn5 ×0.5, sgd 0.1)"
    assert set(lines[9].strip()) <= set("▁▂▃▄▅▆▇█")
    assert lines[10].startswith("30 s so far, about ")


def test_the_best_so_far_never_falls_and_ends_at_its_highest_bar():
    best = Best()
    for event in curve(0, 0.1, 0.5, 0.3, 0.9):
        best.hear(event)
    assert (best.values, best.sparkline) == ([0.1, 0.5, 0.5, 0.9], "▁▅▅█")
    for event in curve(1, *[0.2] * 96):
        best.hear(event)
    assert best.sparkline == "▁" + "█" * 23
    assert Best().sparkline == ""
    best.hear(ended(State.DIVERGED, trial=0))
    assert best.values == [0.2] * 96


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        ({}, 11 / 3),  # seven trials to go of 4/3 epochs each, less the 2 epochs of those at work, in two slots
        ({"rungs": ()}, 13.0),
        ({"pauses": True, "expected": 26.0}, 10.0),
        ({"pauses": True}, None),
        ({"total": None}, None),
        ({"slots": 0}, 11 / 3),  # the two at work are on machines that joined later
        ({"slots": 0, "active": ()}, None),
    ],
)
def test_the_time_left_goes_by_what_is_known_of_the_epochs_to_come(changes, left):
    found = time_left(scene_of(*TRIALS, **changes))
    assert found == (left and pytest.approx(left))


def test_the_time_left_is_unknown_while_finalists_are_cross_validated_and_no_winner_is_known():
    folds = tuple(run(0, curve(0, 0.2), State.RUNNING, repeat=n, fold=n, folds=2) for n in (1, 2))
    assert time_left(scene_of(*folds, what="retrain", rungs=(), total=3)) is None
    long = folds[0].config | {"training": folds[0].config["training"] | {"epochs": 40}}
    winner = run(0, curve(0, 0.2), State.RUNNING, repeat=3, config=long)
    left = time_left(scene_of(*folds, winner, what="retrain", rungs=(), total=4))
    assert left == pytest.approx((3 + 3 + 39 + 40) / 2), "a student is trained as long as a winner, not as a fold"
