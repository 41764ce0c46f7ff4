"""What a launch says about the earlier search that its sampler begins with."""

import json
from pathlib import Path

import pytest
from optuna.distributions import FloatDistribution, distribution_to_json

from search.history.request import Request
from search.run.prior import PriorError, prior_of
from search.samplers.hearing import LEAST, Deepest
from search.spaces import find_space
from tests.search.events import measured, run
from tests.search.page.searches import make_search
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
