"""What a space can draw: every draw of a small one, and whether its parameters keep their choices."""

import pytest
from optuna.samplers import RandomSampler

from search.spaces import SpaceError, config_of
from search.spaces.drawing import MOST, check_constant, choice, everything
from search.spaces.space import SPACES


def lrs_of(optimizer, *lrs):
    """A space of one network and these learning rates of each optimizer."""

    def space(trial):
        trial.suggest_categorical("network", ("cnn5",))
        name = trial.suggest_categorical("optimizer", optimizer)
        trial.suggest_categorical(f"{name}/lr", lrs)
        return config_of(trial.params)

    return space


def branches(trial):
    """Two networks, one of which has a width, and steps of whole and of other numbers."""
    if trial.suggest_categorical("network", ("cnn5", "cnn6")) == "cnn6":
        trial.suggest_float("cnn6/width", 0.25, 0.75, step=0.25)
    trial.suggest_categorical("optimizer", ("sgd",))
    trial.suggest_categorical("sgd/lr", (0.1,))
    trial.suggest_int("batch_size", 16, 48, step=16)
    return config_of(trial.params)


def test_every_draw_of_a_small_space_is_found_once():
    found = everything(branches)
    drawn = [(c.params["network"], c.params.get("cnn6/width"), c.params["batch_size"]) for c in found]
    expected = [("cnn5", None, size) for size in (16, 32, 48)]
    expected += [("cnn6", width, size) for width in (0.25, 0.5, 0.75) for size in (16, 32, 48)]
    assert drawn == expected
    assert [c.config for c in found] == [config_of(c.params) for c in found]
    assert len(everything(lrs_of(("sgd",), 0.1))) == 1, "a space without a choice has one draw"


@pytest.mark.parametrize(
    ("low", "high", "step"), [(0.0, 0.3, 0.1), (-0.3, 0.0, 0.1), (0.01, 0.1, 0.01), (1.0, 1.9, 0.3)]
)
def test_every_value_of_a_range_with_a_step_is_one_that_optuna_draws(low, high, step):
    def space(trial):
        value = trial.suggest_float("cnn5/conv_dropout", low, high, step=step)
        trial.suggest_categorical("network", ("cnn5",))
        return config_of({"network": "cnn5", "optimizer": "sgd", "sgd/lr": 2 + value})

    found = everything(space)
    random = [choice(space, RandomSampler(seed=seed)).params for seed in range(100)]
    values = [each.params["cnn5/conv_dropout"] for each in found]
    assert set(values) == {params["cnn5/conv_dropout"] for params in random}
    distribution = found[0].distributions["cnn5/conv_dropout"]
    assert all(distribution._contains(value) for value in values)


@pytest.mark.parametrize("name", SPACES)
def test_the_built_in_spaces_are_not_small(name):
    assert everything(SPACES[name]) is None


def test_a_space_of_many_draws_and_one_that_fails_are_not_looked_through():
    assert len(everything(lrs_of(("sgd",), *range(1, MOST + 1)))) == MOST
    assert everything(lrs_of(("sgd",), *range(1, MOST + 2))) is None
    assert everything(lrs_of(("sgd", "adam"), *range(1, MOST))) is None

    def fails(trial):
        raise RuntimeError(trial.suggest_categorical("network", ("cnn5", "cnn6")))

    assert everything(fails) is None


def changes(second):
    """A space whose learning rate is drawn as `second` does for one of its optimizers."""

    def space(trial):
        trial.suggest_categorical("network", ("cnn5",))
        if trial.suggest_categorical("optimizer", ("sgd", "adam")) == "sgd":
            trial.suggest_categorical("batch_size", (16, 32))
        else:
            second(trial)
        trial.suggest_float(f"{trial.params['optimizer']}/lr", 1e-4, 1e-1, log=True)
        return config_of(trial.params)

    return space


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (lambda trial: trial.suggest_categorical("batch_size", (64, 128)), r"\(64, 128\)"),
        (lambda trial: trial.suggest_int("batch_size", 16, 64), "16 to 64"),
    ],
)
def test_a_parameter_that_changes_its_choices_is_named_with_them_and_the_remedy(second, words):
    with pytest.raises(SpaceError) as raised:
        check_constant(changes(second))
    line = str(raised.value)
    assert "'batch_size'" in line and "(16, 32)" in line and "--sampler random" in line and "\n" not in line
    assert words.replace("\\", "") in line


def test_parameters_that_keep_their_choices_pass():
    check_constant(branches)
    check_constant(SPACES["cnn_all"])
    check_constant(changes(lambda trial: trial.suggest_categorical("batch_size", (16, 32))))
