"""What a sampler that learns is told of the trials before."""

from math import log

import pytest
from optuna.study import StudyDirection
from optuna.trial import TrialState

from search.history.events import State
from search.history.request import Request
from search.samplers.hearing import LEAST, Deepest, Ended, Observed, observed, with_common
from search.samplers.make import history_of, make_sampler, with_hearing
from search.samplers.sampler import history_json
from search.spaces import Space, SpaceError
from search.spaces.space import SPACES
from tests.search import events
from tests.search.events import measured

RUNGS = (1.0, 2.0, 4.0)
DRAWS = make_sampler(Space("cnn_all", SPACES["cnn_all"]), "random", 0, lambda config: None)


def run(trial, accuracies, state=State.PAUSED, **changes):
    """A trial that was measured after each whole epoch; an epoch is ten images."""
    curve = [measured(10 * (i + 1), value, trial=trial, images_per_second=100.0) for i, value in enumerate(accuracies)]
    return events.run(trial, curve, state, **history_json(DRAWS.draw(trial)), **changes)


def told(runs, prior=()):
    history = Deepest(RUNGS, prior)
    for each in runs:
        history.tell(each)
    return history


def test_nothing_is_told_before_eight_trials_have_reached_a_rung():
    history = told(run(n, [0.1 * n]) for n in range(LEAST - 1))
    assert history.rung is None
    assert {each.state for each in history.trials()} == {TrialState.RUNNING}


def test_only_values_at_the_deepest_rung_that_eight_have_reached_are_told():
    shallow = [run(n, [0.5]) for n in range(5)]
    deep = [run(n, [0.1, 0.01 * n]) for n in range(5, 5 + LEAST)]
    deeper = [run(20, [0.3, 0.2, 0.9, 0.9], State.DONE)]
    history = told([*deeper, *shallow, *deep])
    assert history.rung == 2.0
    states = [each.state for each in history.trials()]
    assert states == [TrialState.RUNNING] * 5 + [TrialState.COMPLETE] * (LEAST + 1)
    values = [each.value for each in history.trials()[5:]]
    assert values == [max(0.1, 0.01 * n) for n in range(5, 5 + LEAST)] + [0.3], "the best up to the rung, never later"
    assert all(not each.intermediate_values for each in history.trials())


def test_how_a_trial_ended_is_told():
    deep = [run(n, [0.1, 0.2]) for n in range(LEAST)]
    ends = (State.STOPPED, State.DIVERGED, State.INFEASIBLE, State.FAILED, State.DONE)
    history = told([*deep, *(run(LEAST + n, [0.3], state) for n, state in enumerate(ends))])
    stopped, diverged, infeasible, failed, done = history.trials()[LEAST:]
    assert (stopped.state, list(stopped.intermediate_values.values())) == (TrialState.PRUNED, [0.3])
    assert (diverged.state, diverged.intermediate_values) == (TrialState.PRUNED, {})
    assert (infeasible.state, infeasible.intermediate_values) == (TrialState.PRUNED, {})
    assert failed.state is TrialState.FAIL
    assert (done.state, done.value) == (TrialState.COMPLETE, 0.3), "it has fewer epochs, and will have no more"


def test_a_rung_within_an_epoch_is_heard_at_the_end_of_the_batch_that_reaches_it():
    """With images for 10 in an epoch, batches of 5 end at 0.5 epochs, batches of 3 at 0.6, and batches of 7 at 0.7."""
    history = Deepest((0.5, 1.0, 4.0))
    for n in range(LEAST):
        curve = [measured((5, 6, 7)[n % 3], 0.1 * n, trial=n)]
        history.tell(events.run(n, curve, State.PAUSED, **history_json(DRAWS.draw(n))))
    assert history.rung == 0.5
    assert [each.value for each in history.trials()] == [pytest.approx(0.1 * n) for n in range(LEAST)]
    later = [measured(6, 0.1), measured(10, 0.9)]
    history.tell(events.run(0, later, State.DONE, **history_json(DRAWS.draw(0))))
    assert history.trials()[0].value == 0.1, "never later than the first measurement there"


def test_stopped_trials_came_equally_far_if_they_were_stopped_at_the_same_rung():
    history = Deepest((0.5, 1.0, 4.0))
    for n, images in enumerate(([5], [6], [6, 10])):
        curve = [measured(each, 0.1 * place, trial=n) for place, each in enumerate(images)]
        history.tell(events.run(n, curve, State.STOPPED, **history_json(DRAWS.draw(n))))
    assert [each.intermediate_values for each in history.trials()] == [{500: 0.0}, {500: 0.0}, {500: 0.0, 1000: 0.1}]


@pytest.mark.parametrize(
    ("lengths", "rungs", "expected"),
    [
        ([4] * LEAST, (16.0,), (4.0, 16.0)),
        ([4] * LEAST, (4.0, 16.0), (4.0, 16.0)),
        ([4, 4, 2, 2, 2, 2, 2, 2, 1], (3.0, 16.0), (2.0, 3.0, 16.0)),
        ([4, 3], (16.0,), (3.0, 16.0)),
        ([2.5] * LEAST, (4.0, 16.0), (2.0, 4.0, 16.0)),
        ([0.5] * LEAST, (2.0, 16.0), (2.0, 16.0)),
        ([], (2.0, 16.0), (2.0, 16.0)),
    ],
)
def test_a_shorter_search_is_compared_after_the_last_whole_epoch_that_enough_of_its_trials_have(
    lengths, rungs, expected
):
    prior = [Observed({}, {}, State.PAUSED, [(length, 0.5)]) for length in lengths]
    assert tuple(with_common(rungs, prior)) == expected


def test_what_a_shorter_search_found_counts_until_as_many_trials_of_this_one_are_longer():
    prior = [observed(run(n, [0.1, 0.02 * n])) for n in range(LEAST)]
    history = Deepest((4.0,), prior)
    history.tell(run(30, [0.3, 0.5, 0.9], State.RUNNING))
    assert history.rung == 2.0
    assert [each.value for each in history.trials()] == [max(0.1, 0.02 * n) for n in range(LEAST)] + [0.5]
    for n in range(30, 30 + LEAST):
        history.tell(run(n, [0.1, 0.2, 0.3, 0.4], State.DONE))
    assert history.rung == 4.0
    assert [each.value for each in history.trials()] == [0.4] * LEAST


def test_a_later_state_of_a_trial_replaces_the_earlier_one():
    history = told([run(n, [0.1, 0.2]) for n in range(LEAST)])
    history.tell(run(3, [0.1, 0.2, 0.3, 0.7], State.DONE))
    assert history.rung == 2.0
    assert history.trials()[3].value == 0.2


def test_trials_of_an_earlier_search_count_and_those_that_never_ended_are_left_out():
    prior = [observed(run(n, [0.1, 0.02 * n, 0.3, 0.02 * n], State.DONE)) for n in range(LEAST)]
    history = told([run(30, [0.9])], [*prior, observed(run(40, [0.2]))])
    assert history.rung == 4.0
    assert [each.state for each in history.trials()] == [TrialState.COMPLETE] * LEAST + [TrialState.RUNNING]


def test_a_configuration_that_the_space_cannot_draw_is_nothing_to_learn_from():
    assert told([events.run(0, [measured(10, 0.5)], State.PAUSED)]).trials() == []


def test_where_costs_count_they_are_told_beside_the_value_and_stopped_trials_have_none():
    history = Deepest(RUNGS, also=("parameters", "seconds"))
    for n in range(LEAST):
        history.tell(run(n, [0.1, 0.2], parameters=10**n))
    history.tell(run(LEAST, [0.3], State.STOPPED))
    assert history.directions == [StudyDirection.MAXIMIZE, StudyDirection.MINIMIZE, StudyDirection.MINIMIZE]
    *deep, stopped = history.trials()
    assert [each.values for each in deep] == [pytest.approx([0.2, n * log(10), log(0.01)]) for n in range(LEAST)]
    assert (stopped.state, stopped.values, stopped.intermediate_values) == (TrialState.PRUNED, None, {})


def test_a_trial_without_distributions_is_refused_when_it_is_told():
    with pytest.raises(SpaceError, match="trial 3 of the ledger holds no draw that Optuna can learn from"):
        told([events.run(3, (), State.WAITING, params={"lr": 0.1}, distributions={})])


def test_a_search_that_recorded_no_hearing_is_told_what_has_ended():
    request = Request(space="cnn_all", samples=3, data_dir="", sampler="tpe")
    assert isinstance(history_of(request, RUNGS), Ended)
    history = Ended()
    history.tell(run(0, [0.5], State.RUNNING))
    history.tell(run(0, [0.5, 0.6], State.PAUSED))
    assert [each.intermediate_values for each in history.trials()] == [{10: 0.5}]
    history.tell(run(0, [0.5, 0.7], State.DONE))
    assert [each.value for each in history.trials()] == [0.7]


def test_a_launch_records_what_a_sampler_that_learns_hears():
    request = Request(space="cnn_all", samples=3, data_dir="", sampler="tpe")
    assert with_hearing(request).hears == "everything"
    learns_nothing = Request(space="cnn_all", samples=3, data_dir="", sampler="qmc", hears="waves")
    with pytest.raises(SpaceError, match="--hears applies only to --sampler tpe, gp, transfer; got qmc"):
        with_hearing(learns_nothing)
    unknown = Request(space="cnn_all", samples=3, data_dir="", sampler="tpe", hears="whispers")
    with pytest.raises(SpaceError, match="unknown value 'whispers' of --hears; known: everything, waves"):
        history_of(unknown, RUNGS)


def test_what_is_told_goes_through_json():
    first = observed(run(0, [0.5, 0.6], State.DONE))
    assert Observed(first.params, first.distributions, State("done"), [[1.0, 0.5], [2.0, 0.6]]).until(2.0) == 0.6
