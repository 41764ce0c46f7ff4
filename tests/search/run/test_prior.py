"""What a launch says about the earlier search that its sampler begins with."""

import json
from pathlib import Path

import pytest
from optuna import Trial
from optuna.distributions import FloatDistribution, distribution_to_json

from search.history import store
from search.history.ledger import Ledger
from search.history.request import Request
from search.run.prior import PriorError, prior_of
from search.samplers.hearing import LEAST, Deepest
from search.samplers.optuna_sampler import as_draw
from search.spaces import config_of, find_space
from search.spaces.explorer import explore, value_at
from tests.search.events import asked as asked_of
from tests.search.events import measured, run
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

    assert begins("modern") == ("warm start: the sampler begins with 8 trials of made",)
    assert begins("modern_small") == (
        "warm start: the sampler begins with 6 trials of made; 2 others are not used, as modern_small cannot draw them",
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
