"""What a launch says about the earlier search that its sampler begins with."""

import json
from pathlib import Path
from typing import Any

import pytest
from optuna import Trial
from optuna.distributions import FloatDistribution, distribution_to_json
from optuna.trial import TrialState

from search.history import store
from search.history.events import State
from search.history.ledger import Ledger
from search.history.request import Request
from search.run.prior import PriorError, prior_of, read_prior, write_prior
from search.samplers.hearing import LEAST, Deepest
from search.samplers.make import history_of, make_sampler
from search.samplers.optuna_sampler import as_draw
from search.samplers.sampler import history_json
from search.schedulers.scheduler import scheduler_of
from search.spaces import Space, config_of, find_space
from search.spaces.explorer import explore, value_at
from search.spaces.space import Function
from tests.search.events import asked as asked_of
from tests.search.events import measured, run, started
from tests.search.page.searches import make_search
from trainables.config import Config
from trainables.data.images import Images, fingerprint

X = distribution_to_json(FloatDistribution(0.0, 1.0))


def test_trials_that_the_space_cannot_draw_are_counted_and_not_used(tmp_path: Path, images: Images) -> None:
    earlier = make_search(tmp_path, trials=8, space="modern")
    facts = json.loads((earlier.folder / "search.json").read_text())
    facts["data"]["fingerprint"] = fingerprint(images)
    (earlier.folder / "search.json").write_text(json.dumps(facts))
    asked = {"samples": 1, "data_dir": "", "sampler": "gp", "warm_start": str(earlier.folder)}

    def begins(space: str) -> tuple[str, ...]:
        return prior_of(Request(space=space, **asked), find_space(space).function, images).lines

    assert begins("modern") == ("warm start: the sampler starts from 8 trials of made",)
    assert begins("modern_small") == (
        "warm start: the sampler starts from 6 trials of made; 2 others are not used, as modern_small cannot draw them",
    )
    with pytest.raises(PriorError, match="none of its 8 trials is usable, as they were drawn from modern and cnn5 can"):
        begins("cnn5")


def test_trials_of_a_shorter_search_do_not_count_as_trained_to_the_end_of_this_one(
    tmp_path: Path, images: Images
) -> None:
    earlier = make_search(tmp_path, trials=2 * LEAST, epochs=4, space="cnn_all")
    facts = json.loads((earlier.folder / "search.json").read_text())
    facts["data"]["fingerprint"] = fingerprint(images)
    (earlier.folder / "search.json").write_text(json.dumps(facts))
    for epochs, rung in ((4, 4.0), (8, 4.0), (16, 4.0)):
        request = Request(
            space="cnn_all", samples=1, data_dir="", sampler="gp", warm_start=str(earlier.folder), epochs=epochs
        )
        prior = prior_of(request, find_space("cnn_all").function, images)
        history = Deepest((1.0, 4.0, epochs), prior.observed)
        assert history.rung == rung
        assert sum(each.value is not None for each in history.trials()) == LEAST
    deeper = Deepest((1.0, 4.0, 16.0), prior.observed)
    for trial in range(LEAST):
        deeper.tell(run(trial, [measured(160, 0.5, trial=trial)], params={"x": 1.0}, distributions={"x": X}))
    assert deeper.rung == 16.0
    assert len(deeper.trials()) == LEAST + LEAST, "earlier ones that went on are unknown there, others were stopped"


def rated(batches: tuple[int, ...], high: float) -> Function:
    def space(trial: Trial) -> Config:
        trial.suggest_categorical("batch_size", batches)
        trial.suggest_float("sgd/lr", 1e-3, high, log=True)
        return config_of({**trial.params, "network": "cnn5", "optimizer": "sgd"})

    return space


def earlier_search(results: Path, images: Images, function: Function, trials: int, curves: list[int]) -> store.Search:
    """Trials of a search of four epochs, measured after so many tenths of an epoch."""
    asked = {"space": "own:space", "samples": trials, "data_dir": "", "epochs": 4}
    facts = {"data": {"fingerprint": fingerprint(images), "num_train": 90, "num_validation": 30}}
    earlier = store.create(results, "earlier", Request(**asked), 1.0, facts)
    drawing = make_sampler(Space("own", function), "random", 0, lambda _: None)
    with Ledger(earlier.ledger) as book:
        for trial in range(trials):
            drawn = drawing.draw(trial)
            config = drawn.config.with_defaults(epochs=4, augment="none").to_json()
            book.append(asked_of(trial, **{**history_json(drawn), "config": config}))
            book.append(started(trial))
            for images_seen in curves:
                is_last = images_seen == 40
                state = State.DONE if is_last else State.RUNNING
                book.append(measured(images_seen, 0.1 + 0.05 * trial, trial=trial, state=state))
    return earlier


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_trials_of_a_space_with_other_choices_and_ranges_are_learnt_from_as_this_one_draws_them(
    tmp_path: Path, images: Images, sampler: str
) -> None:
    before, now = rated((64, 128), 0.1), rated((64, 128, 256), 1.0)
    earlier = earlier_search(tmp_path, images, before, LEAST + 4, [10, 40])
    asked = {"space": "own:now", "samples": 20, "data_dir": "", "epochs": 4, "sampler": sampler}
    prior = prior_of(Request(**asked, warm_start=str(earlier.folder)), now, images)
    assert {each.distributions["sgd/lr"] for each in prior.observed} == {
        distribution_to_json(FloatDistribution(1e-3, 1.0, log=True))
    }
    write_prior(earlier.folder, prior)
    assert read_prior(earlier.folder).observed[0].distributions == prior.observed[0].distributions
    drawing = make_sampler(Space("own", now), sampler, 0, lambda _: None, Deepest((1.0, 4.0), prior.observed))
    assert 256 in {drawing.draw(trial).config.training.batch_size for trial in range(12)}


@pytest.mark.parametrize("scheduler", [{"scheduler": "none"}, {"grace_period": 8.0}])
def test_a_search_that_is_shorter_than_the_first_rung_is_learnt_from(
    tmp_path: Path, images: Images, scheduler: dict[str, Any]
) -> None:
    function = rated((64, 128), 0.1)
    earlier = earlier_search(tmp_path, images, function, LEAST, [10, 20, 30, 40])
    asked = {"space": "own", "samples": 20, "data_dir": "", "epochs": 16, "sampler": "tpe", "hears": "everything"}
    request = Request(**asked, **scheduler, warm_start=str(earlier.folder))
    prior = prior_of(request, function, images)
    assert prior.lines == ("warm start: the sampler starts from 8 trials of earlier",)
    history = history_of(request, scheduler_of(request, 20).rungs, prior.observed)
    assert [each.state for each in history.trials()] == [TrialState.COMPLETE] * LEAST
    drawing = make_sampler(Space("own", function), "tpe", 0, lambda _: None, history)
    assert drawing.draw(1) != make_sampler(Space("own", function), "random", 0, lambda _: None).draw(1)


def test_a_launch_says_if_there_is_nothing_to_learn(tmp_path: Path, images: Images) -> None:
    function = rated((64, 128), 0.1)
    earlier = earlier_search(tmp_path, images, function, LEAST, [5])
    asked = {"space": "own", "samples": 20, "data_dir": "", "epochs": 16, "sampler": "tpe", "scheduler": "halving"}
    request = Request(**asked, grace_period=2.0, warm_start=str(earlier.folder))
    nothing = "warm start: the sampler learns nothing from earlier, as no trial of it was trained for 2 epochs"
    assert prior_of(request, function, images).lines == (nothing,)
    request = Request(**asked, grace_period=0.5, warm_start=str(earlier.folder))
    assert prior_of(request, function, images).lines == ("warm start: the sampler starts from 8 trials of earlier",)


def test_a_trial_that_rounding_put_beyond_its_range_is_used(tmp_path: Path, images: Images) -> None:
    def space(trial: Trial) -> Config:
        trial.suggest_float("cnn5/conv_dropout", 0.0, 0.3, step=0.1)
        return config_of({**trial.params, "network": "cnn5", "optimizer": "sgd", "sgd/lr": 0.1})

    asked = {"space": "own:space", "samples": 1, "data_dir": "", "sampler": "gp"}
    facts = {"data": {"fingerprint": fingerprint(images), "num_train": 90, "num_validation": 30}}
    earlier = store.create(tmp_path, "earlier", Request(**asked), 1.0, facts)
    drawn = explore(space, lambda _, distribution: value_at(distribution, 0.99))
    params = {"cnn5/conv_dropout": 0.1 * 3}
    with Ledger(earlier.ledger) as book:
        book.append(asked_of(0, params=params, distributions=as_draw(drawn).distributions))
    assert drawn.params != params
    assert len(prior_of(Request(**asked, warm_start=str(earlier.folder)), space, images).observed) == 1
