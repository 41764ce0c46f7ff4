"""What a retrain would cost, from given speeds."""

from dataclasses import replace

import pytest

from architectures.cost import cost as cost_of_network
from architectures.families import make_network
from search.forecast.forecast import Spread
from search.forecast.memory import memory_of
from search.history.events import State
from search.machines.machine import Machine
from search.run.repeats import Way
from search.run.retrain_cost import forecast_of, lot_of
from tests.search.events import measured, record, run
from trainables.config import Config
from trainables.worker.speed import Speed

SHAPE, CLASSES, IMAGES = (1, 16, 16), 10, 320
STEPS = (0.01, 0.03, 0.02)  # seconds of 32 images: the second is the dearest, the first the cheapest
TEN_STEPS = IMAGES // 32


def config(trial, epochs, **training):
    return Config.from_json(
        {
            "network": {"name": "cnn5", "width": (0.25, 0.75, 0.5)[trial]},
            "optimizer": {"name": "sgd", "lr": 0.1},
            "training": {"batch_size": 32, "epochs": epochs, **training},
        }
    )


def cost(config):
    network = make_network(config.network.name, config.network.hyperparameters, SHAPE, CLASSES)
    return cost_of_network(network, SHAPE, CLASSES)


def lot(trial, epochs, *, known=(), images=(IMAGES, 0), folds=None, repeats=1, **training):
    made = config(trial, epochs, **training)
    return lot_of(record(*known), trial, Way(config=made, folds=folds), cost(made), images=images, repeats=repeats)


def foreseen(tmp_path, finalists, winners, *, top, slots, students=(), taught=0):
    here = Machine(slots=slots, threads=1, num_gpus=0, device="cpu", precision="float32")
    lots = [*finalists, *winners, *students]
    speeds = {i: Speed(32, STEPS[each.trial], 1.0) for i, each in enumerate(lots)}
    return forecast_of(finalists, winners, students, top, taught, speeds, here, tmp_path)


def test_a_retrain_takes_its_epochs_one_after_the_other_in_each_slot(tmp_path):
    winners = [lot(trial, 10, repeats=2) for trial in (0, 1)]
    alone = foreseen(tmp_path, [], winners, top=2, slots=1)
    assert (alone.trials, alone.epochs) == (4, Spread(40, 40, 40))
    runs = [1 + 10 * TEN_STEPS * STEPS[trial] for trial in (0, 1)]
    assert alone.seconds.middle == pytest.approx(2 * sum(runs))
    both = foreseen(tmp_path, [], winners, top=2, slots=2)
    assert both.seconds.middle == pytest.approx(sum(runs))
    assert both.memory == 2 * memory_of(winners[1].config, winners[1].cost) == 2 * alone.memory
    rows = [(row["network"], row["runs"]) for row in both.families]
    assert rows == [("cnn5 ×0.25", "2 seeds"), ("cnn5 ×0.75", "2 seeds")]


def test_the_longest_run_begins_first(tmp_path):
    winners = [lot(0, 10, repeats=2), lot(1, 10)]
    short, long = (1 + 10 * TEN_STEPS * STEPS[trial] for trial in (0, 1))
    both = foreseen(tmp_path, [], winners, top=2, slots=2)
    assert short < long
    assert both.seconds.middle == pytest.approx(max(long, 2 * short)), "not as if the long one began last"


def test_students_come_last_and_wait_for_their_teachers_answers(tmp_path):
    winners = [lot(trial, 10) for trial in (0, 1)]
    plain = foreseen(tmp_path, [], winners, top=2, slots=2)
    students = [replace(lot(trial, epochs), what="student") for trial, epochs in ((0, 10), (1, 4))]
    taught = foreseen(tmp_path, [], winners, top=2, slots=2, students=students, taught=2)
    assert (taught.trials, taught.epochs.middle) == (4, 34)
    one = foreseen(tmp_path, [], winners, top=2, slots=2, students=students, taught=1)
    assert (one.trials, one.epochs.middle) == (3, 30)
    answers = sum(STEPS[:2]) / 3
    assert taught.seconds.middle == pytest.approx(
        plain.seconds.middle + (1 + 10 * TEN_STEPS * STEPS[0]) * (1 + answers / STEPS[0])
    )
    assert [(row["trial"], row["runs"]) for row in taught.families[2:]] == [(0, "1 student"), (1, "1 student")]


def test_a_winner_that_taught_nobody_leaves_its_place_among_the_students(tmp_path):
    winners = [lot(trial, 10, known=[over(trial)]) for trial in (0, 1)]
    students = [replace(lot(trial, 10), what="student", left=left) for trial, left in ((0, []), (1, [4.0]))]
    found = foreseen(tmp_path, [], winners, top=2, slots=1, students=students, taught=1)
    assert (found.trials, found.epochs.middle, [row["trial"] for row in found.families]) == (1, 4, [1])


def over(trial):
    return run(trial, [measured(100, None)], State.DIVERGED, repeat=1, config=config(trial, 10).to_json())


def test_finalists_come_first_and_the_range_holds_whoever_wins(tmp_path):
    finalists = [lot(trial, 2, folds=2, images=(160, 160)) for trial in (2, 0, 1)]
    found = foreseen(tmp_path, finalists, [lot(trial, 10) for trial in (2, 0, 1)], top=1, slots=1)
    assert (found.trials, found.epochs.middle) == (7, 3 * 2 * 2 + 10)
    low, middle, high = (10 * TEN_STEPS * STEPS[trial] for trial in (0, 2, 1))
    assert found.seconds.middle - found.seconds.low == pytest.approx(middle - low)
    assert found.seconds.high - found.seconds.middle == pytest.approx(high - middle)


def test_what_earlier_commands_have_done_is_not_counted(tmp_path):
    done = run(0, [measured(100, None)], repeat=1, config=config(0, 10).to_json())
    begun = run(0, [measured(40, None)], State.INTERRUPTED, repeat=2, config=config(0, 10).to_json())
    begun.checkpoint = "0-2-1-40.pt"
    winner = lot(0, 10, known=(done, begun), repeats=3)
    assert winner.left == [6, 10]
    assert lot(0, 20, known=(done, begun), repeats=3).left == [20, 20, 20], "another number of epochs is another run"


def test_epochs_after_a_checkpoint_and_those_of_a_failed_run_are_trained_again(tmp_path):
    curve = [measured(images, None) for images in (20, 40, 60)]
    begun = run(0, curve, State.INTERRUPTED, repeat=1, config=config(0, 10).to_json())
    failed = run(0, curve, State.FAILED, repeat=2, config=config(0, 10).to_json())
    begun.checkpoint, failed.checkpoint = "0-1-1-40.pt", "0-2-1-40.pt"
    assert lot(0, 10, known=(begun, failed), repeats=2).left == [6, 10]


def test_a_training_that_may_stop_by_itself_is_said(tmp_path):
    found = foreseen(tmp_path, [], [lot(0, 10, patience=2)], top=1, slots=1)
    assert found.warnings == ["runs may end sooner because of --patience"]
