"""Which trial begins when, and what a worker measures before its first epoch."""

import json
from dataclasses import replace

import numpy as np
import pytest
from click.testing import CliRunner

from search.cli.launching import launch as launch_command
from search.forecast.calibration import Calibration
from search.history import store
from search.history.events import Opened
from search.history.ledger import Ledger
from search.history.store import Request
from search.run import foresee, rehearsal, session
from search.run.driver import Driver
from search.run.engines import inline
from search.run.foresee import MOST_AFFORDED, affordable
from search.run.launch import launch, resume
from search.run.order import Order
from search.run.problem import Problem, RequestError, new_problem
from search.run.rehearsal import rehearse
from search.run.run_files import RunFiles
from search.run.session import Options
from search.run.trials import draw_trials
from search.schedulers.scheduler import make_scheduler
from search.spaces import Space
from search.storage import claims
from tests.search.run import searches
from trainables.config import Config, NetworkConfig, OptimizerConfig, TrainingConfig
from trainables.worker.speed import Speed


def config(width, epochs=None):
    return Config(
        NetworkConfig("cnn5", {"width": width}),
        OptimizerConfig("sgd", 0.1),
        TrainingConfig(batch_size=32, epochs=epochs, augment="none"),
    )


CONFIGS = (config(0.5, 2), config(0.25), config(1.0, 1), config(0.25, 3))
LIST = Space("list", configs=CONFIGS)


@pytest.fixture
def make(images):
    def problem(scheduler, samples=4):
        return Problem(Request(space="list", samples=samples, epochs=1, data_dir="", scheduler=scheduler), LIST, images)

    return problem


def test_a_list_that_nothing_stops_begins_with_its_longest(make):
    assert list(make("none").order(4)) == [2, 0, 3, 1]


@pytest.mark.parametrize(
    ("network", "says"),
    [
        (
            NetworkConfig("cnn5", {"widht": 1}),
            "list, line 1: network 'cnn5' has no hyperparameter 'widht' (did you mean ",
        ),
        (NetworkConfig("cnn5", {"width": -1}), "list, line 1: network 'cnn5': width must be "),
        (NetworkConfig("cnn1", {}), "list, line 1 is impossible for these images: network 'cnn1': "),
    ],
)
def test_a_line_is_impossible_only_if_it_is_for_the_images(images, network, says):
    config = Config(network, OptimizerConfig("sgd", 0.1))
    listed = Space("list", configs=(config,), places=("line 1",))
    small = replace(images, pixels=np.ascontiguousarray(images.pixels[..., :2, :2]))
    with pytest.raises(RequestError) as caught:
        Problem(Request(space="list", samples=1, data_dir=""), listed, small).check_list()
    assert str(caught.value).startswith(says)


def test_images_too_large_to_be_moved_are_refused_unless_the_search_does_not_move_them(images):
    listed = Space("list", configs=(replace(CONFIGS[0], training=TrainingConfig()),), places=("line 1",))
    large = replace(images, pixels=np.broadcast_to(np.uint8(0), (len(images), 1, 4100, 4100)))
    request = Request(space="list", samples=1, data_dir="")
    with pytest.raises(RequestError, match="list, line 1 is impossible for these images: images that are flipped"):
        Problem(request, listed, large).check_list()
    Problem(replace(request, augment="none"), listed, large).check_list()


def test_fewer_samples_are_the_first_lines(make):
    assert list(make("none", samples=2).order(2)) == [0, 1]


def test_what_may_be_stopped_begins_in_its_order(make):
    assert list(make("asha").order(4)) == [0, 1, 2, 3]


def test_there_are_no_more_trials_than_a_list_has_lines(make):
    assert (make("asha", samples=9).samples, make("asha", samples=2).samples) == (4, 2)


class Noted(Calibration):
    """Notes which runs have calibrated."""

    def __init__(self, *arguments):
        super().__init__(*arguments)
        self.runs = []

    def hear(self, run, speeds=()):
        self.runs.append(run)
        super().hear(run, speeds)


def test_the_first_trial_calibrates_and_then_trains(tmp_path, make):
    problem, heard = make("none"), []
    calibration = Noted(CONFIGS, 2, heard.append)
    with Ledger(tmp_path / "ledger.jsonl") as book:
        source = draw_trials(problem, Order(problem.order(4)))
        driver = Driver(
            book, source, make_scheduler("none", max_t=1, samples=1), RunFiles(tmp_path), calibration=calibration
        )
        driver.append(Opened(samples=4, slots=1))
        inline.train(driver, searches.work_of(problem), searches.Silent())
        runs = driver.record.trials
    assert calibration.runs == [
        (2, 0)
    ]  # this one worker has measured an epoch before it could begin with another trial
    assert [run.state for run in runs] == ["done"] * 4
    assert [len(run.measurements) for run in runs] == [2, 1, 1, 3]
    (speeds,) = heard
    assert set(speeds) == {0, 2} and all(each.step > 0 for each in speeds.values())


def test_a_launch_says_which_transforms_its_trainings_are_too_short_for(tmp_path, capsys):
    space = tmp_path / "list.jsonl"
    training = {"batch_size": 32, "cutmix": 0.5, "cutout": 2, "mixing_from": 40}
    line = {"network": {"name": "cnn5", "width": 0.125}, "optimizer": {"name": "sgd", "lr": 0.1}, "training": training}
    space.write_text(json.dumps(line) + "\n")
    request = Request(
        space=str(space), samples=1, epochs=1, dataset="digits", data_dir=str(tmp_path), limit_train=40, augment="none"
    )
    launch(request, Options(engine="inline"), results=tmp_path, name="one")
    assert "note: cutmix may be drawn but is not applied in runs shorter than 40 epochs" in capsys.readouterr().err


@pytest.mark.parametrize(("given", "drawn"), [((), "flip-crop"), (("--augment", "none"), "none")])
def test_the_augmentation_that_is_asked_for_replaces_that_of_a_space(given, drawn, tmp_path, monkeypatch):
    begun = []
    monkeypatch.setattr("search.run.launch.run", lambda *args: begun.append(args) or (_ for _ in ()).throw(KeyError()))
    words = ["--space", "modern_small", "--dataset", "digits", "--samples", "2", "--epochs", "1", "--engine", "inline"]
    CliRunner().invoke(launch_command, [*words, *given, "--results", str(tmp_path), "--data-dir", str(tmp_path)])
    ((search, *_),) = begun
    request = search.request
    assert (request.augment_all, request.augment) == (bool(given), given[1] if given else "published")
    problem = new_problem(request, is_share_asked=False)
    assert {problem.complete(problem.sampler().draw(number).config).training.augment for number in range(2)} == {drawn}


def test_configurations_of_a_list_keep_their_augmentation_and_a_note_says_so(make):
    def asked(problem):
        return replace(problem, request=replace(problem.request, augment="flip-crop", augment_all=True))

    mine = asked(make("none"))
    assert [each.training.augment for each in mine.plan().configs] == ["none"] * len(CONFIGS)
    assert "note: --augment flip-crop has no effect: each configuration of list sets its own" in mine.notes
    open_ = Space("open", configs=(replace(CONFIGS[0], training=replace(CONFIGS[0].training, augment=None)),))
    one = replace(asked(make("none", samples=1)), space=open_)
    assert [each.training.augment for each in one.plan().configs] == ["flip-crop"]
    assert not any("--augment" in line for line in one.notes)


@pytest.mark.slow
def test_a_budget_affords_as_many_samples_as_are_forecast_to_fit(tmp_path, monkeypatch):
    calibrate, measured = foresee.calibrate, []

    def once(*arguments):
        measured.extend([] if measured else [calibrate(*arguments)])
        return measured[0]

    monkeypatch.setattr(foresee, "calibrate", once)
    request = Request(space="cnn5", samples=1, epochs=2, dataset="digits", data_dir=str(tmp_path), limit_train=100)
    assert 1 < affordable(request, 60, parallel=1) <= MOST_AFFORDED
    with pytest.raises(RequestError, match="one sample takes about .*, longer than --budget"):
        affordable(request, 1e-3, parallel=1)
    most = affordable(request, 10, parallel=1)
    (tmp_path / "mine.jsonl").write_text((json.dumps(config(1.0, epochs=2).to_json()) + "\n") * (most + 1))
    with pytest.raises(
        RequestError, match=rf"enough for \d+ samples, fewer than the {most + 1} configurations of --first"
    ):
        affordable(replace(request, first=str(tmp_path / "mine.jsonl")), 10, parallel=1)


def test_forecasts_of_a_list_begin_with_the_longest_by_measured_time(tmp_path, monkeypatch):
    lines = [config(width, epochs=1).to_json() for width in (0.125, 0.25, 1.0)]
    monkeypatch.setattr(foresee, "calibrate", lambda *_: {0: Speed(32, 9.0, 0.0), 1: Speed(32, 1.0, 0.0)})
    played = []

    def spy(plan, *others):
        played.append((plan.scheduler, list(plan.order)))
        return rehearse(plan, *others)

    monkeypatch.setattr(foresee, "rehearse", spy)
    request = searches.listed(tmp_path, lines, epochs=1, limit_train=80, scheduler="none")
    foresee.dry_run(request, results=tmp_path, parallel=1)
    assert played[0] == ("none", [0, 2, 1]) and ("asha", [0, 1, 2]) in played
    played.clear()
    assert affordable(request, 60, parallel=1) == 3
    assert ("none", [0]) in played and all(order[0] == 0 for _, order in played)


@pytest.mark.parametrize("more", [(), ("--budget", "1h"), ("--study", "padding", "--image-size", "32")])
def test_forecasts_for_the_inline_engine_count_with_its_one_trial_at_a_time(tmp_path, monkeypatch, more):
    slots = []

    def spy(plan, seconds, parallel, *others):
        slots.append(parallel)
        return rehearse(plan, seconds, parallel, *others)

    monkeypatch.setattr(foresee, "rehearse", spy)
    monkeypatch.setattr(foresee, "MOST_AFFORDED", 4)
    monkeypatch.setattr(foresee, "calibrate", lambda *_: {0: Speed(32, 0.1, 0.0)})
    words = ["--dataset", "digits", "--data-dir", tmp_path, "--results", tmp_path, "--epochs", 2, "--parallel", 2]
    space = () if "--study" in more else ("--space", "cnn5")
    asked = [*map(str, (*words, *space, *more)), "--limit-train", "100", "--engine", "inline", "--dry-run"]
    done = CliRunner().invoke(launch_command, asked)
    assert done.exit_code == 0, done.output
    assert set(slots) == {1}


def test_a_long_forecast_is_announced(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(rehearsal, "_LONG", 1)
    line = "forecasting from 100 simulations …\n"
    request = searches.listed(tmp_path, [config(0.125, epochs=1).to_json()], epochs=1, limit_train=80)
    launch(request, Options(engine="inline"), results=tmp_path, name="one")
    assert line in capsys.readouterr().err
    monkeypatch.setattr(foresee, "calibrate", lambda *given: given[3]("measuring") or {0: Speed(32, 0.1, 0.0)})
    words = ["--dataset", "digits", "--data-dir", tmp_path, "--results", tmp_path, "--epochs", 2, "--samples", 1]
    asked = [*map(str, words), "--space", "cnn5", "--limit-train", "100", "--dry-run"]
    done = CliRunner().invoke(launch_command, asked)
    assert (done.exit_code, done.stderr) == (0, f"measuring\n{line}"), done.output


def test_networks_that_are_to_be_kept_are_tested_also_those_that_a_resume_adds(tmp_path):
    lines = [config(width, epochs=1).to_json() for width in (0.125, 0.25)]
    request = searches.listed(tmp_path, lines, epochs=1, limit_train=80, samples=1)
    first = launch(request, Options(engine="inline"), results=tmp_path, name="one", kept=True)
    outcome = resume(first.search, Options(engine="inline"), samples=2)
    assert [run.test.images for run in outcome.record.trials] == [359, 359]
    usual = launch(replace(request, samples=2), Options(engine="inline"), results=tmp_path, name="two")
    assert [run.test for run in usual.record.trials] == [None, None]


def test_a_slot_has_as_many_threads_as_were_asked_for(tmp_path):
    line = {"network": {"name": "cnn5", "width": 0.125}, "optimizer": {"name": "adam", "lr": 0.001}}
    request = searches.listed(tmp_path, [line], epochs=1, limit_train=80, scheduler="none", threads=2)
    found = launch(request, Options(engine="inline"), results=tmp_path, name="one").search
    assert (found.request.threads, found.facts["threads"]) == (2, 2)


def test_a_dry_run_plays_each_scheduler_with_the_options_that_suit_the_sampler(tmp_path, monkeypatch):
    played = {}

    def spy(plan, *others):
        played[plan.scheduler] = plan.options
        return rehearse(plan, *others)

    monkeypatch.setattr(foresee, "rehearse", spy)
    request = Request(
        space="modern_small", samples=4, epochs=8, dataset="digits", data_dir=str(tmp_path), limit_train=100,
        sampler="transfer", grace_period=4,
    )  # fmt: skip
    found = foresee.dry_run(request, results=tmp_path, parallel=1)
    assert played["asha"] == {"grace_period": 4, "reduction_factor": 2, "keep": None}
    assert played["halving"] == {"grace_period": 2, "reduction_factor": None, "keep": 0.5}
    assert not any("prefer" in line for line in found.search.warnings), "it prefers from the beginning"
    told, few = (line for line in found.notes if line.startswith("note: "))
    assert "after 320 images" in few and few.endswith("give more --epochs, or --scheduler none to stop no trial early")
    held_back = "note: cutmix may be drawn but is not applied in runs shorter than 40 epochs"
    assert told.startswith(held_back), "as in a launch"


def test_a_search_is_one_only_once_its_list_and_its_storage_are_written(tmp_path, monkeypatch):
    begin, seen = claims.begin, []

    def spy(place, search):
        begin(place, search)
        seen.extend([store.names(tmp_path / "results"), sorted(path.name for path in search.folder.iterdir())])
        raise KeyboardInterrupt

    monkeypatch.setattr(claims, "begin", spy)
    request = searches.listed(tmp_path, [config(0.125, epochs=1).to_json()], epochs=1, limit_train=80)
    with pytest.raises(KeyboardInterrupt):
        launch(
            request, Options(engine="inline"), results=tmp_path / "results", name="one", storage=str(tmp_path / "there")
        )
    assert seen == [[], ["space.jsonl", "storage.json"]]
    assert list((tmp_path / "results").iterdir()) == []


def test_a_launch_that_is_interrupted_before_its_record_begins_can_be_given_again(tmp_path, monkeypatch):
    request = searches.listed(tmp_path, [config(0.125, epochs=1).to_json()], epochs=1, limit_train=80)
    asked = {"results": tmp_path / "results", "name": "one", "storage": str(tmp_path / "there")}

    def interrupted(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(session, "followed", interrupted)
        with pytest.raises(KeyboardInterrupt):
            launch(request, Options(engine="inline"), **asked)
    assert [path for path in (tmp_path / "there").rglob("*") if path.is_file()] == []
    assert launch(request, Options(engine="inline"), **asked).reason == "finished"
