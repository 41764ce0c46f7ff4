"""Which networks the last retrain's winners are, after retrains with finalists and without."""

import pytest

from search.history import events, scores
from search.history.events import Chosen, State
from search.history.record import Record
from search.history.winners import in_order, last_retrain
from tests.search import events as made
from tests.search.events import CONFIG, asked, measured


def chosen(*trials, weights=None):
    return Chosen(trials=list(trials), finalists=[0, 1, 2], repeats=[], images=80, weights=weights)


def retrained(*keys, epochs=4, width=None, **test):
    """Retrains that are asked for, trained and tested."""
    config = {**CONFIG, "training": {**CONFIG["training"], "epochs": epochs}}
    if width is not None:
        config["network"] = {**CONFIG["network"], "width": width}
    for trial, repeat in keys:
        yield asked(trial, repeat, config=config)
        yield measured(10, None, trial=trial, repeat=repeat, state=State.DONE)
        yield events.Tested(trial=trial, repeat=repeat, correct=1, **{"images": 2, **test})


def after(*happened):
    """A search whose trials rank 2, 1, 0, and what came after it."""
    trials = [e for n in range(3) for e in (asked(n), measured(10, n / 10, trial=n, state=State.DONE))]
    return Record(made.in_order([*trials, *happened]))


FIRST, OTHER = chosen(0, 1), chosen(0, 2)


@pytest.mark.parametrize(
    ("happened", "runs", "decision"),
    [
        ([], [], None),
        (retrained((2, 1), (1, 1)), [(1, 1), (2, 1)], None),
        ([FIRST, *retrained((0, 1), (1, 1))], [(0, 1), (1, 1)], FIRST),
        ([FIRST, *retrained((0, 1), (1, 1)), OTHER, *retrained((2, 1))], [(0, 1), (2, 1)], OTHER),
        ([*retrained((0, 1), (1, 1), (2, 1)), FIRST], [(0, 1), (1, 1)], FIRST),
        ([FIRST, *retrained((0, 1), (1, 1)), *retrained((2, 1))], [(0, 1), (1, 1), (2, 1)], None),
        ([FIRST, *retrained((0, 1), (1, 1)), *retrained((1, 2), (2, 1), epochs=9)], [(1, 2), (2, 1)], None),
        ([FIRST, *retrained((0, 1), (1, 1)), OTHER], [(0, 1), (1, 1)], FIRST),
        ([FIRST, *retrained((0, 1))], [(0, 1)], FIRST),
    ],
    ids=[
        "nothing is tested",
        "the best of the search",
        "finalists",
        "other finalists, of whom one was tested before",
        "finalists who were all tested before",
        "one more without finalists",
        "longer ones without finalists",
        "finalists who are in training",
        "a finalist who failed",
    ],
)
def test_the_last_retrain_is_known_with_the_decision_that_it_followed(happened, runs, decision):
    record = after(*happened)
    found, followed = last_retrain(record)
    assert [run.key for run in found] == runs
    assert followed == decision or (decision and followed.same_as(decision))


def test_finalists_come_in_the_order_of_their_folds_and_others_as_the_search_ranks_them():
    record = after(*retrained((2, 1), (1, 1)), chosen(0, 1), *retrained((0, 1), (0, 2), (1, 2), epochs=9))
    assert [run.key for run in in_order(record)] == [(0, 1), (0, 2), (1, 1), (1, 2), (2, 1)]
    assert [run.key for run in in_order(after(*retrained((0, 1), (2, 1))))] == [(2, 1), (0, 1)]


def test_retrains_of_other_widths_are_other_retrains():
    record = after(*retrained((2, 1), (1, 1), width=1.0), *retrained((2, 2), width=2.0))
    assert [run.key for run in last_retrain(record)[0]] == [(2, 2)]


@pytest.mark.parametrize("test", [{"images": 3}, {"fingerprint": "b"}, {"flips": True}])
def test_retrains_that_were_tested_in_other_ways_are_other_retrains(test):
    record = after(*retrained((2, 1), (1, 1), fingerprint="a"), *retrained((0, 1), **{"fingerprint": "a", **test}))
    assert [run.key for run in last_retrain(record)[0]] == [(0, 1)]


def test_tests_whose_images_were_not_recorded_are_those_of_a_retrain_with_as_many():
    """0.1.0 recorded no fingerprint."""
    record = after(*retrained((2, 1)), *retrained((1, 1), fingerprint="a"))
    assert [run.key for run in last_retrain(record)[0]] == [(1, 1), (2, 1)]
    changed = after(*retrained((2, 1)), *retrained((1, 1), fingerprint="a"), *retrained((0, 1), fingerprint="b"))
    assert [run.key for run in last_retrain(changed)[0]] == [(0, 1)]
    assert scores.sets_of(scores.tested(changed)) == {(2, 1): 1, (1, 1): 1, (0, 1): 2}


def test_winners_whose_whole_widths_were_rounded_are_of_one_retrain():
    """The first of mlp at twice its width, the others at 1.25 times theirs, which leaves the last as it was."""
    before = {0: 300, 1: 100, 2: 102, 3: 51, 4: 1}
    wide = [(0, 1, 600), (0, 2, 375), (1, 1, 125), (2, 1, round(102 * 1.25)), (3, 1, round(51 * 1.25)), (4, 1, 1)]

    def mlp(width):
        return {**CONFIG, "network": {"name": "mlp", "width": width}}

    drawn = [asked(trial, config=mlp(width)) for trial, width in before.items()]
    retrains = [asked(trial, repeat, config=mlp(width)) for trial, repeat, width in wide]
    passes = [events.Tested(trial=trial, repeat=repeat, correct=1, images=2) for trial, repeat, _ in wide]
    record = Record(made.in_order([*drawn, *retrains, *passes]))
    assert [run.key for run in last_retrain(record)[0]] == [(0, 2), (1, 1), (2, 1), (3, 1), (4, 1)]


def with_settings(drawn, retrains):
    """A search of trials with these settings of their training, and retrains of theirs with these."""

    def config(settings):
        return {**CONFIG, "training": {**CONFIG["training"], **settings}}

    trials = [asked(trial, config=config(settings)) for trial, settings in enumerate(drawn)]
    again = [asked(*key, config=config(settings)) for key, settings in retrains.items()]
    passes = [events.Tested(trial=trial, repeat=repeat, correct=1, images=2) for trial, repeat in retrains]
    return Record(made.in_order([*trials, *again, *passes]))


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0)])
def test_a_winner_that_drew_what_a_retrain_gave_all_of_them_is_one_of_its_winners(order):
    drawn = [{"cutmix": 0.5}, {}, {"cutmix": 0.25}]
    record = with_settings(drawn, {(trial, 1): {"cutmix": 0.5} for trial in order})
    assert [run.key for run in last_retrain(record)[0]] == [(0, 1), (1, 1), (2, 1)]
    switched_off = with_settings(drawn, {(trial, 1): {} for trial in order})
    assert [run.key for run in last_retrain(switched_off)[0]] == [(0, 1), (1, 1), (2, 1)]


def test_no_two_winners_of_a_retrain_were_given_other_settings():
    """The last one drew the value that the second was given, so on its own it could be of the first's retrain too."""
    retrains = {(2, 1): {}, (1, 1): {"cutmix": 0.5}, (0, 1): {"cutmix": 0.5}}
    record = with_settings([{"cutmix": 0.5}, {}, {}], retrains)
    assert [run.key for run in last_retrain(record)[0]] == [(0, 1), (1, 1)]
