import json

import optuna
import pytest

from architectures.families import FAMILIES
from search.spaces import space
from search.spaces.space import SPACES, SpaceError, config_of, draw, find_space, parameters
from trainables.config import Config
from trainables.optimizers import OPTIMIZERS

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


def by_name(space):
    return {parameter.name: parameter for parameter in parameters(SPACES[space])}


def test_the_built_in_spaces_are_the_named_ones():
    assert list(SPACES) == ["cnn_published", "cnn_all", *(f"cnn{i}" for i in range(1, 9))]


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


def test_conditions_are_found_by_drawing():
    found = by_name("cnn_all")
    assert found["cnn6/width"].conditions == (("network", ("cnn6",)),)
    assert found["sgd/lr"].conditions == (("optimizer", ("sgd",)),)
    assert found["batch_size"].conditions == ()


@pytest.mark.parametrize("name", SPACES)
def test_every_draw_is_a_configuration_of_its_own_family_and_optimizer_alone(name):
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=1))
    for _ in range(40):
        trial = study.ask()
        config = draw(SPACES[name], trial)
        assert Config.from_json(json.loads(json.dumps(config.to_json()))) == config
        assert set(config.optimizer.arguments) == set(OPTIMIZERS[config.optimizer.name].arguments)
        prefixes = {key.split("/")[0] for key in trial.params if "/" in key}
        assert prefixes <= {config.network.name, config.optimizer.name}
        if name in FAMILIES:
            assert config.network.name == name


def test_flat_names_become_a_configuration():
    config = config_of(
        {
            "network": "cnn6",
            "cnn6/width": 0.5,
            "optimizer": "sgd",
            "sgd/lr": 0.1,
            "sgd/momentum": 0.3,
            "weight_decay": 1e-4,
            "batch_size": 64,
        }
    )
    assert config.network.hyperparameters == {"width": 0.5}
    assert (config.optimizer.lr, config.optimizer.weight_decay, config.optimizer.arguments) == (
        0.1,
        1e-4,
        {"momentum": 0.3},
    )
    assert config.training.batch_size == 64


def test_a_users_own_space_is_found_and_explored(tmp_path, monkeypatch):
    (tmp_path / "myspace.py").write_text(
        "from search.spaces import config_of\n"
        "def small(trial):\n"
        "    trial.suggest_categorical('network', ('cnn5',))\n"
        "    if trial.suggest_categorical('optimizer', ('sgd', 'adam')) == 'sgd':\n"
        "        trial.suggest_float('sgd/lr', 0.01, 0.1, log=True)\n"
        "    else:\n"
        "        trial.suggest_float('adam/lr', 0.001, 0.01)\n"
        "    trial.suggest_int('batch_size', 16, 64, step=16)\n"
        "    return config_of(trial.params)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    found = {p.name: p for p in parameters(find_space("myspace:small").function)}
    assert found["sgd/lr"].conditions == (("optimizer", ("sgd",)),)
    assert found["batch_size"].conditions == ()


def test_a_list_is_read_line_by_line_with_epochs_of_its_own(tmp_path):
    path = tmp_path / "list.jsonl"
    path.write_text(
        '{"network": {"name": "cnn5"}, "optimizer": {"name": "sgd", "lr": 0.1}, "training": {"epochs": 4}}\n\n'
        '{"network": {"name": "cnn6", "width": 0.5}, "optimizer": {"name": "adam", "lr": 0.001}}\n'
    )
    first, second = find_space(str(path)).configs
    assert (first.training.epochs, second.training.epochs) == (4, None)
    assert second.with_defaults(epochs=30, augment="none").training.epochs == 30
    assert first.with_defaults(epochs=30, augment="none").training.epochs == 4


def test_a_broken_line_is_named_by_its_number(tmp_path):
    path = tmp_path / "list.jsonl"
    path.write_text('{"network": {"name": "cnn5"}, "optimizer": {"name": "sgd", "lr": 0.1}}\n{"network": {}}\n')
    with pytest.raises(SpaceError, match="line 2"):
        find_space(str(path))


def test_two_spaces_of_one_name_are_refused():
    with pytest.raises(ValueError, match="exists already"):
        space.space(SPACES["cnn_all"])
