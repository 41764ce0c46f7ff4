"""The sampler that begins with what searches of other images found."""

from dataclasses import replace
from functools import lru_cache

import numpy as np
import pytest

from search.experience.expectation import Expectation
from search.experience.recordings import Experience, Recording, datasets, recordings_of, shipped
from search.history.events import State
from search.history.request import Request
from search.run.experience import with_experience
from search.samplers.hearing import LEAST, Deepest
from search.samplers.make import make_sampler, with_hearing
from search.samplers.process import Points, improvement
from search.samplers.sampler import history_json
from search.spaces import SpaceError, config_of, find_space
from search.spaces.flat_names import flat_names_of
from search.spaces.space import SPACES, Space
from tests.search import events
from tests.search.events import measured


def transfer(space="cnn_all", experience="cifar10", seed=0):
    known = recordings_of([experience])
    return make_sampler(
        find_space(space), "transfer", seed, lambda _: None, Deepest((1.0,)), experience=Experience(known)
    )


def draws(sampler, value, number):
    """So many draws, of which each is told with its value before the next."""
    found = []
    for trial in range(number):
        found.append(sampler.draw(trial))
        run = events.run(trial, [measured(10, value(found[-1]), trial=trial)], State.DONE, **history_json(found[-1]))
        sampler.tell(run)
    return found


def test_among_recordings_of_small_and_large_images_those_of_the_size_that_is_searched_count():
    """On small images the first of two networks is good, on large ones the second."""
    rows = [{"network": name, "optimizer": "adam", "adam/lr": 1e-3 * n} for name in ("cnn5", "cnn6") for n in range(8)]
    small = Recording("small", "", rows, [1.0] * 8 + [0.0] * 8, 16)
    large = Recording("large", "", rows, [0.0] * 8 + [1.0] * 8, 32)
    pairs = {("cnn5", "adam"), ("cnn6", "adam")}

    def found(size):
        one, other = Expectation(Experience((small, large), size), pairs).of([rows[3], rows[11]])
        return one - other

    assert found(16) > 1 and found(32) < -1
    assert found(28) < -0.5  # between them, and nearer to the large ones
    assert abs(found(None)) < 0.1


@lru_cache
def coarse():
    """What is expected from CIFAR-100 alone."""
    space = find_space("cnn_all")
    random = make_sampler(space, "random", 1, lambda _: None)
    configs = [random.draw(trial).config for trial in range(100)]
    return Expectation(
        Experience(recordings_of(["cifar100-coarse"])), {(each.network.name, each.optimizer.name) for each in configs}
    )


def worth(drawn):
    return float(coarse().of([flat_names_of(drawn.config)])[0])


def test_the_first_draws_are_what_other_images_would_have_drawn_as_well():
    """Their worth on CIFAR-100 is judged by a recording that they do not know, of CIFAR-10."""
    random = make_sampler(find_space("cnn_all"), "random", 0, lambda _: None)
    guided = [drawn for trial, drawn in enumerate(draws(transfer(), lambda _: 0.5, LEAST)) if trial % 4 < 3]
    assert np.mean([worth(each) for each in guided]) > 0.5 + np.mean([worth(random.draw(trial)) for trial in range(40)])


def test_every_fourth_draw_is_that_of_random_and_all_are_the_same_again():
    random = make_sampler(find_space("cnn_all"), "random", 0, lambda _: None)
    found = draws(transfer(), worth, 2 * LEAST + 1)
    assert [n for n, each in enumerate(found) if each == random.draw(n)] == [3, 7, 11, 15]
    assert found == draws(transfer(), worth, 2 * LEAST + 1)
    assert found[0] != transfer(seed=1).draw(0)


def test_experience_that_misleads_is_given_up():
    found = [worth(each) for each in draws(transfer(), lambda drawn: 0.5 - 0.1 * worth(drawn), 41)]
    first, last = (
        np.mean([value for n, value in enumerate(found) if n in part and n % 4 < 3])
        for part in (range(8), range(28, 41))
    )
    assert last < first - 1


def test_a_small_space_is_drawn_from_what_is_expected_most():
    def few(trial):
        params = {
            "network": "cnn6",
            "cnn6/width": 0.5,
            "optimizer": trial.suggest_categorical("optimizer", ["adam", "sgd"]),
        }
        rate = trial.suggest_categorical("lr", [1e-5, 1e-3, 1e-1])
        return config_of({**params, f"{params['optimizer']}/lr": rate, "batch_size": 32})

    sampler = make_sampler(Space("few", few), "transfer", 0, lambda _: None, Deepest((1.0,)))
    found = draws(sampler, lambda _: 0.1, 6)
    assert len({str(each.params) for each in found}) == 6
    expected = Expectation(Experience(shipped()), {("cnn6", "adam"), ("cnn6", "sgd")})
    worths = expected.of([flat_names_of(each.config) for each in found])
    assert worths[:3].tolist() == sorted(worths[:3], reverse=True) and worths[0] == worths.max()


def test_values_that_follow_what_was_expected_are_expected_elsewhere_too_and_others_are_not():
    """Candidates are so far away that places say nothing of them."""
    rng = np.random.default_rng(0)
    expected = rng.normal(size=20)
    known, candidates = (
        Points(rng.random((20, 4)), expected),
        Points(np.array([[50.0] * 4, [90.0] * 4]), np.array([2.0, -2.0])),
    )
    nobody, trusts = Points(np.empty((0, 4)), np.empty(0)), (0.0, 0.5, 0.95)

    def found(values):
        return improvement(known, (values - values.mean()) / values.std(), nobody, candidates, trusts)

    much, little = found(expected)
    assert much > 10 * little
    one, other = found(rng.normal(size=20))
    assert one == pytest.approx(other, rel=1e-6)


def test_recordings_of_much_larger_images_are_left_out_unless_there_are_no_others():
    small = ("cifar10", "cifar100-coarse", "digits", "fashion-mnist")
    assert set(datasets()) - set(small) == {"cifar100-coarse-32", "fashion-mnist-28"}
    assert datasets(8) == datasets(16) == datasets(18) == small
    assert set(datasets(19)) - set(small) == {"fashion-mnist-28"}
    assert datasets(28) == datasets(224) == datasets()


def test_the_request_says_what_it_begins_with():
    asked = Request(space="cnn_all", samples=1, data_dir="/data", sampler="transfer")
    assert with_experience(asked, 16).experience == ",".join(datasets(16)) != ",".join(datasets())
    assert with_experience(asked, 32).experience == ",".join(datasets())
    for same in (replace(asked, experience="digits"), replace(asked, sampler="gp")):
        assert with_experience(same, 16) == same
    with pytest.raises(SpaceError, match="--experience applies only to --sampler transfer; got"):
        with_hearing(Request(space="cnn_all", samples=1, data_dir="/data", experience="digits"))


@pytest.mark.parametrize("recording", shipped(), ids=lambda recording: recording.what)
def test_the_recordings_are_what_they_say(recording):
    name = recording.what.split()[3].rstrip(",")
    sampler = make_sampler(Space(name, SPACES[name]), "random", 0, lambda _: None)
    drawn = [sampler.draw(trial).config for trial in range(200)]
    pairs = {(each.network.name, each.optimizer.name) for each in drawn}
    assert len(recording.tried) == int(recording.what.split()[0])
    assert {(row["network"], row["optimizer"]) for row in recording.tried} <= pairs
    if recording.size == 16:
        assert all(0 < value < 1 for value in recording.values), "accuracies"
    else:
        assert set(recording.values) == set(range(len(set(recording.values)))), "places in a search"
    sizes = {f"{size}x{size}": size for size in (16, 28, 32)}
    assert recording.size == sizes[recording.what.split()[-1]]
    assert len(set(recording.values)) > len(recording.tried) / 3


def test_the_help_names_all_datasets() -> None:
    from search.cli.launching import launch

    (option,) = (each for each in launch.params if each.name == "experience")
    assert all(name in option.help for name in datasets())
