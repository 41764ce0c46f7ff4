"""The built-in spaces draw what they always drew."""

import hashlib
import json

import optuna
import pytest

from architectures.families import FAMILIES as REGISTRY
from search.samplers.make import make_sampler
from search.samplers.sampler import history_json
from search.spaces import find_space
from search.spaces.parameters import parameters
from search.spaces.space import SPACES, draw
from tests.search import events
from tests.search.events import measured
from trainables.config import Config
from trainables.optimizers import OPTIMIZERS

FAMILIES = tuple(f"cnn{i}" for i in range(1, 9))
PUBLISHED_RANGES = {
    "adam/lr": (1e-4, 1e-1, False),
    "adam/beta1": (0.8, 0.99999, False),
    "adam/beta2": (0.8, 0.99999999, False),
    "rmsprop/lr": (1e-4, 1e-1, True),
    "rmsprop/alpha": (0.8, 1.0, False),
    "rmsprop/momentum": (0.0, 0.5, False),
    "adagrad/lr": (1e-3, 1e-1, True),
    "adagrad/initial_accumulator_value": (0.0, 0.3, False),
    "adagrad/lr_decay": (0.0, 0.1, False),
    "sgd/lr": (1e-5, 1e-1, True),
    "sgd/momentum": (0.0, 0.4, False),
    "sgd/dampening": (0.0, 0.4, False),
}

#: Of the first 50 draws with 0.1.0, for `modern` and `modern_small` since Muon's learning rates were lowered: space,
#: sampler and seed to the beginning of their SHA-256.
DRAWS = {
    ("cnn_published", "random", 0): "f5253ddf4261c61f",
    ("cnn_published", "random", 1): "d6dd0033ddfb4114",
    ("cnn_published", "tpe", 0): "e393adaa54541269",
    ("cnn_published", "tpe", 1): "60a5bb87e5764cad",
    ("cnn_all", "random", 0): "488eca819605b420",
    ("cnn_all", "random", 1): "89ba9ca405b03be7",
    ("cnn_all", "tpe", 0): "b04d7a48be37e702",
    ("cnn_all", "tpe", 1): "4dafd4f826141f39",
    ("cnn3", "random", 0): "9f9217637499839b",
    ("cnn3", "random", 1): "323a0ebd99d41f75",
    ("cnn3", "tpe", 0): "409941f85b1d1279",
    ("cnn3", "tpe", 1): "a4eadaa4916bb742",
    ("modern", "random", 0): "9b23188539d59467",
    ("modern", "random", 1): "de1696b94bdb59b6",
    ("modern", "tpe", 0): "a085f212c1da1413",
    ("modern_small", "random", 0): "7d5e8bafe1f80014",
}


def by_name(space):
    return {parameter.name: parameter for parameter in parameters(SPACES[space])}


def test_the_built_in_spaces_are_two_of_all_published_families_two_modern_ones_and_one_of_each_family():
    assert list(SPACES)[:10] == ["cnn_published", "cnn_all", *FAMILIES]
    assert set(SPACES) == {"cnn_published", "cnn_all", "modern", "modern_small", *REGISTRY}


@pytest.mark.parametrize("name", REGISTRY)
def test_the_space_of_a_family_draws_networks_of_it_that_can_be_made(name):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=2))
    made = set()
    for _ in range(20):
        config = draw(SPACES[name], study.ask())
        assert config.network.name == name
        made.add(REGISTRY[name](**config.network.hyperparameters))
    assert len(made) > 5


def test_cnn_published_has_exactly_the_published_ranges():
    found = by_name("cnn_published")
    ranges = {n: (p.distribution.low, p.distribution.high, p.distribution.log) for n, p in found.items() if "/" in n}
    assert ranges == PUBLISHED_RANGES
    assert set(found) - set(ranges) == {"network", "optimizer", "batch_size"}
    assert found["batch_size"].distribution.choices == (8,)


def test_cnn_all_draws_every_learning_rate_on_a_log_scale_and_adams_ends_at_a_hundredth():
    found = by_name("cnn_all")
    for name, (low, high, _) in PUBLISHED_RANGES.items():
        distribution = found[name].distribution
        expected = (low, 1e-2 if name == "adam/lr" else high, name.endswith("/lr"))
        assert (distribution.low, distribution.high, distribution.log) == expected


def test_cnn_all_varies_every_family_and_how_it_is_trained():
    found = by_name("cnn_all")
    for family in FAMILIES:
        assert found[f"{family}/width"].distribution.choices == (0.25, 0.5, 0.75, 1.0)
        assert found[f"{family}/conv_dropout"].distribution.high == 0.3
        assert found[f"{family}/head_dropout"].distribution.high == 0.5
        assert set(found[f"{family}/norm"].distribution.choices) == {"published", "everywhere", "none"}
    assert found["batch_size"].distribution.choices == (32, 64, 128, 256)
    assert found["label_smoothing"].distribution.choices == (0.0, 0.1)
    assert found["schedule"].distribution.choices == ("constant", "cosine")


@pytest.mark.parametrize("name", SPACES)
def test_every_draw_is_a_configuration_of_its_own_family_and_optimizer_alone(name):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(40):
        trial = study.ask()
        config = draw(SPACES[name], trial)
        assert Config.from_json(json.loads(json.dumps(config.to_json()))) == config
        assert set(config.optimizer.arguments) <= set(OPTIMIZERS[config.optimizer.name].arguments)
        prefixes = {key.split("/")[0] for key in trial.params if "/" in key}
        assert prefixes <= {config.network.name, config.optimizer.name}
        if name in FAMILIES:
            assert config.network.name == name


@pytest.mark.parametrize(("space", "sampler", "seed"), DRAWS)
def test_draws_are_those_of_the_version_that_brought_the_space(space, sampler, seed):
    drawing = make_sampler(find_space(space), sampler, seed, lambda config: None)
    digest = hashlib.sha256()
    for trial in range(50):
        drawn = drawing.draw(trial)
        content = [drawn.config.to_json(), drawn.params, drawn.distributions]
        digest.update(json.dumps(content, sort_keys=True).encode())
        drawing.tell(events.run(trial, [measured(100, (trial * 37 % 101) / 101)], **history_json(drawn)))
    assert digest.hexdigest()[:16] == DRAWS[space, sampler, seed]
