"""In which order runs begin where none is stopped."""

from dataclasses import replace

import pytest

from search.history.events import State
from search.history.ledger import read
from search.history.record import Run
from search.run import launch, order
from search.run.retrain import retrain
from search.run.retrain_plan import Again
from search.run.session import Options
from tests.search import events
from tests.search.run import searches
from trainables.worker.speed import Speed

# By FLOPs, the widest are the longest; measured, the narrowest.
WIDTHS = (0.125, 0.5, 0.25, 1.0)
MEASURED = {0: Speed(8, 4.0, 0.0), 1: Speed(8, 1.0, 0.0), 2: Speed(8, 2.0, 0.0), 3: Speed(8, 3.0, 0.0)}


def request_in(folder):
    lines = [
        {
            "network": {"name": "cnn5", "width": width},
            "optimizer": {"name": "sgd", "lr": 0.01},
            "training": {"batch_size": 8},
        }
        for width in WIDTHS
    ]
    return searches.listed(folder, lines, epochs=1, limit_train=80, scheduler="none")


def begun(outcome):
    """The numbers of the trials in the order in which they were asked for."""
    return [line["trial"] for line in read(outcome.search.ledger) if line["event"] == "asked"]


def test_an_order_may_change_while_it_is_gone_through():
    trials, found = order.Order([0, 1, 2, 3, 4]), []
    trials.drop({1})
    for trial in trials:
        found.append(trial)
        if trial == 0:
            trials.change([4, 0, 3, 1, 2])
            assert trials.first == 4
    assert (found, trials.first) == ([0, 4, 3, 2], None)


@pytest.mark.parametrize("speeds, after", [({}, [1, 2, 0]), (MEASURED, [0, 2, 1])])
def test_a_list_begins_with_the_most_flops_and_goes_on_by_measured_times(tmp_path, monkeypatch, speeds, after):
    class Calibrated(launch.Calibration):
        def hear(self, run, _=()):
            self._found |= speeds
            super().hear(run)

    monkeypatch.setattr(launch, "Calibration", Calibrated)
    outcome = launch.launch(request_in(tmp_path), Options(engine="inline"), results=tmp_path, name="one")
    assert begun(outcome) == [3, *after]


def test_a_resumed_list_goes_on_by_the_times_of_its_trials(tmp_path, monkeypatch):
    request = replace(request_in(tmp_path), samples=1)
    first = launch.launch(request, Options(engine="inline"), results=tmp_path, name="one")
    monkeypatch.setattr(launch, "measured_speeds", lambda trials, _: MEASURED if len(trials) == 1 else {})
    outcome = launch.resume(first.search, Options(engine="inline"), samples=4)
    assert begun(outcome) == [0, 3, 2, 1]


def test_a_run_s_speed_is_that_of_its_usual_epoch(tmp_path):
    measured = [
        events.measured(10 * n, trial=3, images_per_second=pace) for n, pace in ((1, 10.0), (2, 40.0), (3, 50.0))
    ]
    found = order.measured_speeds([events.run(3, measured), events.run(4)], 20)
    assert found == {3: Speed(20, 0.5, 0.0)}, "a batch has no more images than there are; the start counts for little"


def test_retrains_begin_with_the_longest_by_the_speed_of_their_trials_and_their_width(tmp_path, monkeypatch):
    searched = launch.launch(request_in(tmp_path), Options(engine="inline"), results=tmp_path, name="one")
    paces = {0: 1.0, 1: 8.0, 2: 2.0, 3: 4.0}
    monkeypatch.setattr(order, "_images_per_second", lambda run: paces[run.key[0]])
    _, runs = retrain(searched.search, Options(engine="inline"), Again(epochs=1, repeats=2), top=4, distinct=False)
    assert all(run.state is State.DONE for run in runs)
    started = [line["trial"] for line in read(searched.search.ledger) if line["event"] == "started" and line["repeat"]]
    assert started == [0, 0, 2, 2, 3, 3, 1, 1]


def test_retrains_that_have_begun_go_first_and_wider_ones_take_longer():
    trials = [events.run(n, [events.measured(10, trial=n, images_per_second=10.0)], flops=20) for n in range(3)]
    retrains = [
        Run(events.asked(n, 1, flops=flops), attempt=attempt)
        for n, flops, attempt in ((0, 20, 0), (1, 80, 0), (2, 20, 1))
    ]
    assert [run.key[0] for run in order.longest_first(events.record(*trials), retrains)] == [2, 1, 0]
