"""What a launch says about its request before it trains."""

import math

import pytest

from search.history.store import Request
from search.run.defaults import settled
from search.run.notes import judged_early, objectives
from search.run.problem import Problem
from search.samplers.make import make_sampler
from search.spaces import Space, find_space


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
    request = settled(Request(samples=40, dataset="digits", data_dir="", **asked))
    said = judged_early(Problem(request, find_space(request.space), images).plan(), request, 50_000)
    assert len(said) == (grace_period is not None)
    if said:
        assert said[0].endswith(f"; --grace-period {grace_period} compares trials later")
        assert "(warmup), and the first rung is at" in said[0]


def test_of_two_better_rungs_the_later_one_within_the_training_is_named(images) -> None:
    request = settled(
        Request(samples=40, dataset="digits", data_dir="", space="modern_small", epochs=16, scheduler="halving")
    )
    plan = Problem(request, find_space(request.space), images).plan()
    named = [judged_early(plan, request, num_train)[0].split("--grace-period ")[1][0] for num_train in (50_000, 500)]
    assert named == ["2", "4"]
    (line,) = judged_early(plan, request, 100)
    assert "(warmup)" in line and "--grace-period 2 " in line, "after few images: at the end of the training"


@pytest.mark.parametrize(
    ("num_train", "grace_period", "asked"),
    [
        (1600, 2, {"scheduler": "halving"}),
        (999, 4, {}),
        (1600, None, {}),
        (2000, None, {"scheduler": "halving"}),
        (1600, None, {"scheduler": "halving", "grace_period": 1}),
        (100, 32, {"epochs": 64}),
        (100, math.inf, {"epochs": 16}),
        (500, 4, {"space": "modern_small", "scheduler": "halving"}),
        (5000, 0.5, {"grace_period": 0.1}),
    ],
)
def test_a_first_rung_after_few_images_is_named(images, num_train, grace_period, asked) -> None:
    chosen = {"space": "cnn_all", "epochs": 16, **asked}
    request = settled(Request(samples=40, dataset="digits", data_dir="", **chosen))
    said = judged_early(Problem(request, find_space(request.space), images).plan(), request, num_train)
    assert len(said) == (grace_period is not None)
    if said:
        later = f"--grace-period {grace_period} compares trials later"
        if grace_period == math.inf:  # no rung within the training is late enough
            later = "give more --epochs, or --scheduler none to stop no trial early"
        assert said[0].endswith(f"; {later}")
        assert "when good networks may still be at chance" in said[0]
        assert "at 1 epochs" not in said[0]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (
            {"scheduler": "none"},
            "note: --also parameters --also flops have no effect on the search: no trial is stopped, and the sampler "
            "random does not learn",
        ),
        (
            {"scheduler": "none", "also": "flops"},
            "note: --also flops has no effect on the search: no trial is stopped, and the sampler random does not "
            "learn",
        ),
        (
            {},
            "objectives: maximise accuracy; minimise parameters and FLOPs per image",
        ),
    ],
)
def test_costs_that_nothing_compares_have_no_effect(asked, told) -> None:
    request = settled(Request(**{"space": "cnn_all", "samples": 4, "data_dir": "", "also": "parameters,flops"} | asked))
    assert objectives(request) == (told,)


def test_a_launch_says_from_how_many_of_its_first_configurations_the_sampler_learns(images) -> None:
    def said(sampler: str, *sizes: int) -> list[str]:
        drawn = make_sampler(space, "random", 0, lambda config: None).draw(0).config
        first = Space("mine.jsonl", configs=tuple(drawn.with_training(batch_size=size) for size in sizes))
        request = Request(space="cnn5", samples=9, dataset="digits", data_dir="", sampler=sampler)
        return [line for line in Problem(request, space, images, first=first).notes if line.startswith("first: ")]

    space = find_space("cnn5")
    assert said("gp", 32, 64) == ["first: the sampler can learn from 2 of 2 configurations"]
    some = "first: the sampler can learn from 1 of 3 configurations; it cannot tell how cnn5 would draw the others"
    assert said("tpe", 32, 48, 48) == [some]
    none = "first: the sampler can learn from none of 2 configurations; it cannot tell how cnn5 would draw them"
    assert said("tpe", 48, 48) == [none]
    assert said("random", 32, 64) == [], "it does not learn"
