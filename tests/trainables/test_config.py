"""Configurations: to JSON and back, and one line for everything that is not one."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainables.augmentation import PRESETS
from trainables.config import Config, ConfigError, NetworkConfig, OptimizerConfig, TrainingConfig
from trainables.optimizers import DECAYED, OPTIMIZERS, Argument
from trainables.schedules import SCHEDULES

numbers = st.floats(0, 1)


def within(rule: Argument) -> st.SearchStrategy[float]:
    """Values of an optimizer's argument."""
    return st.sampled_from((0, 1)) if rule.whole else st.floats(0, 0.999, exclude_min=True)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=3),
    max_leaves=5,
)
networks = st.builds(
    NetworkConfig,
    st.sampled_from(["cnn1", "cnn8", "json:loads"]),
    st.dictionaries(st.text().filter(lambda key: key != "name"), values, max_size=4),
)
optimizers = st.sampled_from(sorted(OPTIMIZERS)).flatmap(
    lambda name: st.builds(
        OptimizerConfig,
        st.just(name),
        st.floats(0, 1e6, exclude_min=True),
        numbers,
        st.fixed_dictionaries({}, optional={key: within(rule) for key, rule in OPTIMIZERS[name].arguments.items()}),
    )
)
trainings = st.builds(
    TrainingConfig,
    batch_size=st.integers(1, 10**6),
    epochs=st.none() | st.integers(1, 10**6),
    label_smoothing=st.floats(0, 0.99),
    schedule=st.sampled_from(sorted(SCHEDULES)),
    augment=st.none() | st.sampled_from(sorted(PRESETS)),
    init=st.sampled_from(["torch", "kaiming"]),
    warmup=st.floats(0, 0.99),
    time_decay=numbers,
    decayed=st.sampled_from(sorted(DECAYED)),
    ema=st.none() | st.floats(0, 1, exclude_min=True, exclude_max=True),
    patience=st.none() | st.integers(1, 100),
    class_weights=st.booleans(),
    crop_padding=st.none() | st.integers(0, 9),
    jitter=st.none() | numbers,
    rotation=st.none() | st.floats(0, 180),
    mixing_from=st.integers(0, 99),
    refine=st.floats(0, 0.99),
)

# The part of a configuration that is changed, what it becomes (None: left out), and what is said.
REFUSED: list[tuple[str, Any, str]] = [
    ("network", None, r"a configuration lacks 'network'; it needs network, optimizer"),
    ("optimizer", None, r"a configuration lacks 'optimizer'; it needs network, optimizer"),
    ("optimiser", {}, r"a configuration has no 'optimiser' .*'optimizer'\?\); known: network, optimizer, training"),
    ("network", "cnn5", r"network must be an object, got str"),
    ("network", {}, r"network lacks 'name'; it needs name"),
    ("network", {"name": 5}, r"a name must be a string, got 5"),
    ("optimizer", [], r"optimizer must be an object, got list"),
    ("optimizer", {"name": "sgd"}, r"optimizer lacks 'lr'; it needs name, lr"),
    ("optimizer", {"name": ["sgd"], "lr": 1}, r"a name must be a string, got \['sgd'\]"),
    ("optimizer", {"name": "nosuch", "lr": 1}, f"unknown optimizer 'nosuch'; known: {', '.join(OPTIMIZERS)}"),
    (
        "optimizer",
        {"name": "sgd", "lr": 1, "beta1": 0.9},
        r"'sgd' has no argument 'beta1'; known: lr, weight_decay, momentum, dampening",
    ),
    ("optimizer", {"name": "sgd", "lr": 0}, r"lr must be above 0, got 0"),
    ("optimizer", {"name": "sgd", "lr": "0.1"}, r"lr must be a finite number, got '0.1'"),
    ("optimizer", {"name": "sgd", "lr": None}, r"lr must be a finite number, got None"),
    ("optimizer", {"name": "sgd", "lr": True}, r"lr must be a finite number, got True"),
    ("optimizer", {"name": "sgd", "lr": float("nan")}, r"lr must be a finite number, got nan"),
    ("optimizer", {"name": "sgd", "lr": float("inf")}, r"lr must be a finite number, got inf"),
    ("optimizer", {"name": "sgd", "lr": 10**400}, r"lr must be a finite number"),
    ("optimizer", {"name": "rmsprop", "lr": 1e39}, r"lr must be at most 1e\+30, got 1e\+39"),
    ("optimizer", {"name": "nadam", "lr": 1, "weight_decay": 1e39}, r"weight_decay must be at most 1e\+30, got 1e\+39"),
    (
        "optimizer",
        {"name": "adagrad", "lr": 1, "initial_accumulator_value": 1e300},
        r"initial_accumulator_value must be at most 1e\+30, got 1e\+300",
    ),
    ("optimizer", {"name": "sgd", "lr": 1, "weight_decay": -1}, r"weight_decay must be at least 0, got -1"),
    ("optimizer", {"name": "sgd", "lr": 1, "momentum": -0.1}, r"momentum must be at least 0, got -0.1"),
    ("optimizer", {"name": "sgd", "lr": 1, "momentum": 1.1}, r"momentum must be at most 1, got 1.1"),
    ("optimizer", {"name": "sgd", "lr": 1, "momentum": float("nan")}, r"momentum must be a finite number, got nan"),
    ("optimizer", {"name": "adam", "lr": 1, "beta1": 1.0}, r"beta1 must be below 1, got 1.0"),
    ("training", [], r"training must be an object, got list"),
    ("training", {"batch": 3}, r"training has no 'batch'; known: batch_size, epochs, label_smoothing, schedule"),
    ("training", {"batch_size": 0}, r"batch_size must be a whole number .* 1.*, got 0"),
    ("training", {"batch_size": 32.0}, r"batch_size must be a whole number .* 1.*, got 32.0"),
    ("training", {"batch_size": True}, r"batch_size must be a whole number .* 1.*, got True"),
    ("training", {"batch_size": None}, r"batch_size must be a whole number .* 1.*, got None"),
    ("training", {"epochs": -1}, r"epochs must be a whole number .* 1.*, got -1"),
    ("training", {"epochs": "10"}, r"epochs must be a whole number .* 1.*, got '10'"),
    ("training", {"label_smoothing": 1}, r"label_smoothing must be below 1, got 1"),
    ("training", {"label_smoothing": float("nan")}, r"label_smoothing must be a finite number, got nan"),
    ("training", {"schedule": "steps"}, r"'steps' .*'step'.*; known: constant, cosine, linear, one_cycle, step"),
    ("training", {"schedule": None}, r"unknown schedule 'None'; known: constant, cosine"),
    ("training", {"warmup": 1.0}, r"warmup must be below 1, got 1.0"),
    ("training", {"refine": 1.0}, r"refine must be below 1, got 1.0"),
    ("training", {"refine": -0.1}, r"refine must be at least 0, got -0.1"),
    ("training", {"ema": 1.0}, r"ema must be below 1, got 1.0"),
    ("training", {"ema": 0.0}, r"ema must be above 0, got 0.0"),
    ("training", {"patience": 0}, r"patience must be a whole number .* 1.*, got 0"),
    ("training", {"class_weights": 1}, r"class_weights must be true or false, got 1"),
    ("training", {"decayed": "norms"}, r"unknown choice of decayed 'norms'; known: all, weights, conv, dense"),
    ("optimizer", {"name": "muon", "lr": 1, "keep_norms": 0.5}, r"keep_norms must be a whole number, got 0.5"),
    ("optimizer", {"name": "sgd_nesterov", "lr": 1, "momentum": 0}, r"momentum must be above 0, got 0"),
    ("training", {"augment": "mixup"}, r"unknown augmentation 'mixup'; known: none, flip-crop, published"),
    ("training", {"augment": ["none"]}, r"unknown augmentation .*; known: none, flip-crop, published"),
]


def plain() -> dict[str, Any]:
    return {"network": {"name": "cnn5"}, "optimizer": {"name": "sgd", "lr": 0.1}, "training": {}}


@given(config=st.builds(Config, networks, optimizers, trainings))
def test_any_configuration_survives_json(config: Config) -> None:
    assert Config.from_json(json.loads(json.dumps(config.to_json(), allow_nan=False))) == config


def test_json_is_three_flat_objects() -> None:
    config = Config(
        NetworkConfig("cnn5", {"width": 0.5}),
        OptimizerConfig("sgd", 0.1, 0.01, {"momentum": 0.9}),
        TrainingConfig(batch_size=64, epochs=3),
    )
    assert config.to_json() == {
        "network": {"name": "cnn5", "width": 0.5},
        "optimizer": {"name": "sgd", "lr": 0.1, "weight_decay": 0.01, "momentum": 0.9},
        "training": {
            "batch_size": 64,
            "epochs": 3,
            "label_smoothing": 0.0,
            "schedule": "constant",
            "augment": None,
        },
    }


def test_a_person_may_leave_out_what_has_a_default() -> None:
    data = plain()
    del data["training"]
    assert Config.from_json(data) == Config(NetworkConfig("cnn5"), OptimizerConfig("sgd", 0.1), TrainingConfig())


def test_reading_leaves_the_data_alone() -> None:
    data = plain()
    Config.from_json(data)
    assert data == plain()


@pytest.mark.parametrize(("part", "change", "message"), REFUSED)
def test_what_is_not_a_configuration_is_refused_in_one_line_with_rule_and_value(
    part: str, change: Any, message: str
) -> None:
    data = plain()
    if change is None:
        del data[part]
    else:
        data[part] = change
    with pytest.raises(ConfigError, match=message) as caught:
        Config.from_json(data)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("data", [None, "cnn5", [], 3])
def test_what_is_no_object_is_refused(data: Any) -> None:
    with pytest.raises(ConfigError, match="a configuration must be an object, got"):
        Config.from_json(data)


def test_defaults_fill_what_is_missing_and_nothing_else() -> None:
    own = Config.from_json(plain() | {"training": {"epochs": 7, "augment": "none", "batch_size": 8}})
    assert own.with_defaults(epochs=30, augment="published") == own
    filled = Config.from_json(plain() | {"training": {"batch_size": 8}}).with_defaults(epochs=30, augment="published")
    assert filled == own.with_training(epochs=30, augment="published")


def test_a_changed_training_is_checked_too() -> None:
    with pytest.raises(ConfigError, match="batch_size must be a whole number .* 1.*, got 0"):
        Config.from_json(plain()).with_training(batch_size=0)
