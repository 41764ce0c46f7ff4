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
    said = judged_early(Problem(request, find_space(request.space), images).plan(), request)
    assert len(said) == (grace_period is not None)
    if said:
        assert said[0].endswith(f"; --grace-period {grace_period} compares trials later")
        assert "(warmup), and the first rung is at" in said[0]
