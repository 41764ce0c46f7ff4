"""What a launch says about its request before it trains."""

import pytest

from search.history.store import Request
from search.run.notes import judged_early
from search.run.problem import Problem
from search.schedulers.scheduler import with_defaults
from search.spaces import find_space


@pytest.mark.parametrize(
    ("asked", "grace_period"),
    [
        ({"space": "modern_small", "epochs": 16, "scheduler": "halving"}, 2),
        ({"space": "modern_small", "epochs": 60}, 8),
        ({"space": "modern_small", "epochs": 16, "scheduler": "halving", "grace_period": 2}, None),
        ({"space": "modern_small", "epochs": 16, "scheduler": "none"}, None),
        ({"space": "cnn_all", "epochs": 16, "scheduler": "halving"}, None),
    ],
)
def test_a_first_rung_early_in_the_warm_up_is_named(images, asked, grace_period) -> None:
    request = with_defaults(Request(samples=40, dataset="digits", data_dir="", **asked))
    said = judged_early(Problem(request, find_space(request.space), images).plan(), request, 50_000)
    assert len(said) == (grace_period is not None)
    if said:
        assert said[0].endswith(f"; --grace-period {grace_period} compares trials later")
        assert "(warmup), and the first rung is at" in said[0]


@pytest.mark.parametrize(
    ("num_train", "grace_period", "asked"),
    [
        (1600, 2, {"scheduler": "halving"}),
        (999, 4, {}),
        (1600, None, {}),
        (2000, None, {"scheduler": "halving"}),
        (1600, None, {"scheduler": "halving", "grace_period": 1}),
        (100, 32, {"epochs": 64}),
        (100, None, {"epochs": 16}),
        (500, 4, {"space": "modern_small", "scheduler": "halving"}),
    ],
)
def test_a_first_rung_after_few_images_is_named(images, num_train, grace_period, asked) -> None:
    chosen = {"space": "cnn_all", "epochs": 16, **asked}
    request = with_defaults(Request(samples=40, dataset="digits", data_dir="", **chosen))
    said = judged_early(Problem(request, find_space(request.space), images).plan(), request, num_train)
    assert len(said) == (grace_period is not None)
    if said:
        assert said[0].endswith(f"; --grace-period {grace_period} compares trials later")
        assert "when many good networks are still at chance" in said[0]
