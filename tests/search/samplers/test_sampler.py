import json

import optuna
import pytest
from optuna.distributions import FloatDistribution, distribution_to_json
from optuna.trial import FixedTrial

from architectures.layers import SizeError
from search.history.events import State
from search.history.optuna_trial import optuna_trial
from search.samplers import SAMPLERS
from search.samplers.hearing import Deepest, Ended, observed
from search.samplers.make import make_sampler
from search.samplers.optuna_sampler import OptunaSampler
from search.samplers.sampler import derive_seed, history_json
from search.spaces import Space, SpaceError, config_of, find_space
from search.spaces.space import SPACES
from tests.search import events
from tests.search.events import measured
from trainables.config import Config


def anything(_config: Config) -> None:
    pass


def sampler(kind="random", seed=0, check=anything, space="cnn_all"):
    return make_sampler(Space(space, SPACES[space]), kind, seed, check)


def ended(trial, drawn, state=State.DONE, accuracies=(0.1, 0.2)):
    curve = [measured(100 * (i + 1), value, trial=trial) for i, value in enumerate(accuracies)]
    return events.run(trial, curve, state, **history_json(drawn))


def test_a_draw_depends_on_the_search_seed_and_its_number_alone():
    first, again, other = sampler(), sampler(), sampler(seed=1)
    forward = [first.draw(n).config for n in range(5)]
    backward = [again.draw(n).config for n in reversed(range(5))]
    assert forward == backward[::-1]
    assert len({str(config) for config in forward}) == 5
    assert other.draw(0).config != forward[0]


def test_seeds_of_trials_repeats_and_purposes_are_all_different():
    seeds = {derive_seed(s, n, r, p) for s in range(3) for n in range(20) for r in range(3) for p in ("train", "draw")}
    assert len(seeds) == 3 * 20 * 3 * 2


def test_impossible_draws_are_drawn_again_from_the_same_stream_and_counted():
    def only_cnn6(config: Config) -> None:
        if config.network.name != "cnn6":
            raise SizeError("not cnn6")

    drawn = [sampler(check=only_cnn6).draw(n) for n in range(10)]
    assert {d.config.network.name for d in drawn} == {"cnn6"}
    assert sum(len(d.impossible) for d in drawn) > 10
    assert {reason for d in drawn for reason in d.impossible} == {"not cnn6"}
    assert drawn == [sampler(check=only_cnn6).draw(n) for n in range(10)]


def test_a_space_without_a_possible_draw_is_an_error_that_says_why():
    def never(_config: Config) -> None:
        raise SizeError("too small")

    with pytest.raises(SpaceError, match="1000 draws.*too small"):
        sampler(check=never).draw(0)


@pytest.mark.parametrize(
    "state, accuracies, expected, values",
    [
        (State.DONE, (0.1, 0.3), "COMPLETE", {100: 0.1, 200: 0.3}),
        (State.STOPPED, (0.1,), "PRUNED", {100: 0.1}),
        (State.DIVERGED, (0.1,), "PRUNED", {}),
        (State.INFEASIBLE, (), "PRUNED", {}),
        (State.FAILED, (), "FAIL", {}),
        (State.RUNNING, (0.1,), "RUNNING", {100: 0.1}),
        (State.WAITING, (), "RUNNING", {}),
    ],
)
def test_optuna_hears_the_truth(state, accuracies, expected, values):
    frozen = optuna_trial(ended(0, sampler().draw(0), state, accuracies))
    assert frozen.state.name == expected
    assert frozen.intermediate_values == values
    assert frozen.value == (0.3 if state is State.DONE else None)


def test_tpe_draws_the_same_from_the_same_history_and_learns_from_it():
    def good(config):
        return 0.9 if config.network.name == "cnn6" else 0.1

    tpe, runs, configs = sampler("tpe"), [], []
    for n in range(60):
        drawn = tpe.draw(n)
        runs.append(ended(n, drawn, accuracies=(good(drawn.config),)))
        tpe.tell(runs[-1])
        configs.append(drawn.config)
    assert sum(good(c) > 0.5 for c in configs[30:]) > 3 * sum(good(c) > 0.5 for c in configs[:10])
    resumed = sampler("tpe")
    for run in reversed(runs):
        resumed.tell(run)
    assert resumed.draw(60).config == tpe.draw(60).config


def test_a_list_is_drawn_in_order_and_ends(tmp_path):
    path = tmp_path / "list.jsonl"
    path.write_text('{"network": {"name": "cnn5"}, "optimizer": {"name": "sgd", "lr": 0.1}}\n' * 2)
    listed = make_sampler(find_space(str(path)), "random", 0, anything)
    assert listed.draw(1).config.network.name == "cnn5"
    assert listed.draw(2) is None


def test_the_history_goes_through_json(tmp_path):
    drawn = sampler().draw(3)
    fields = json.loads(json.dumps(history_json(drawn)))
    told = optuna_trial(events.run(3, (), State.WAITING, **fields))
    assert isinstance(told, optuna.trial.FrozenTrial)
    assert told.params == drawn.params


@pytest.mark.parametrize("history", [Ended(), Deepest((1.0,))])
def test_a_draw_that_rounding_put_beyond_its_range_is_learnt_from_and_one_farther_away_is_not(history):
    fields = {"distributions": {"x": distribution_to_json(FloatDistribution(0.0, 0.3, step=0.1))}}
    history.tell(events.run(0, (), State.WAITING, params={"x": 0.1 * 3}, **fields))
    assert [each.params for each in history.trials()] == [{"x": 0.3}] and 0.1 * 3 > 0.3
    with pytest.raises(SpaceError, match="trial 1 of the ledger"):
        history.tell(events.run(1, (), State.WAITING, params={"x": 0.31}, **fields))


@pytest.mark.parametrize("distributions", [{"lr": "{}"}, {"lr": "no JSON"}, {}])
def test_a_recorded_draw_without_its_distributions_is_refused_in_one_line(distributions):
    run = events.run(3, (), State.WAITING, params={"lr": 0.1}, distributions=distributions)
    with pytest.raises(SpaceError, match="trial 3 of the ledger holds no draw that Optuna can learn from: [^\n]+$"):
        sampler("tpe").tell(run)


@pytest.mark.parametrize("name", SAMPLERS)
def test_every_sampler_draws_and_is_told(name):
    drawing = sampler(name)
    first = drawing.draw(0)
    drawing.tell(ended(0, first))
    assert drawing.draw(1).config != first.config


def test_an_unknown_sampler_is_refused_with_the_known_ones():
    with pytest.raises(SpaceError, match="unknown sampler 'best'; known: random, tpe, gp, transfer, qmc"):
        sampler("best")


def widths(trial):
    """Six configurations."""
    trial.suggest_categorical("network", ("cnn5",))
    trial.suggest_categorical("cnn5/width", (0.25, 0.5, 1.0))
    trial.suggest_categorical("optimizer", ("sgd",))
    trial.suggest_categorical("sgd/lr", (0.1, 0.01))
    return config_of(trial.params)


def small(kind, check=anything, seed=3):
    return make_sampler(Space("small", widths), kind, seed, check)


@pytest.mark.parametrize("kind", SAMPLERS)
def test_a_small_space_is_drawn_without_repeats_until_nothing_is_left(kind):
    drawing = small(kind)
    drawn = [drawing.draw(n) for n in range(8)]
    configs = [each.config for each in drawn[:6]]
    assert all(configs.count(config) == 1 for config in configs)
    assert drawn[6:] == [None, None]
    again = small(kind)
    assert [again.draw(n) for n in range(8)] == drawn
    assert drawing.draw(2) == drawn[2], "a trial's own draw is no repeat"


@pytest.mark.parametrize("kind", SAMPLERS)
def test_a_resumed_search_draws_what_is_left(kind):
    drawing, resumed = small(kind), small(kind)
    for n in range(4):
        run = ended(n, drawing.draw(n), accuracies=(0.1 * n,))
        drawing.tell(run)
        resumed.tell(run)
    rest = [drawing.draw(n) for n in (4, 5, 6)]
    assert [resumed.draw(n) for n in (4, 5, 6)] == rest
    assert rest[2] is None


@pytest.mark.parametrize("kind", ["tpe", "gp"])
def test_of_a_small_space_what_an_earlier_search_has_trained_is_drawn_last(kind):
    earlier = [observed(ended(n, drawn)) for n, drawn in enumerate(map(small("random").draw, range(4)))]
    known = [each.params for each in earlier]
    drawing = make_sampler(Space("small", widths), kind, 3, anything, Deepest((1.0,), earlier))
    drawn = [drawing.draw(n) for n in range(6)]
    assert [each.params in known for each in drawn] == [False] * 2 + [True] * 4
    assert len({str(each.config) for each in drawn}) == 6 and drawing.draw(6) is None


def test_what_is_impossible_is_not_left():
    def narrow(config: Config) -> None:
        if config.network.hyperparameters["width"] > 0.5:
            raise SizeError("too wide")

    drawing = small("random", narrow)
    drawn = [drawing.draw(n) for n in range(5)]
    assert {each.config.network.hyperparameters["width"] for each in drawn[:4]} == {0.25, 0.5}
    assert drawn[4] is None

    def never(config: Config) -> None:
        raise SizeError("too small")

    with pytest.raises(SpaceError, match="all 6 draws of the space are impossible; the last one: too small"):
        small("random", never).draw(0)


def test_a_large_space_that_gives_the_same_again_and_again_ends():
    def stuck(trial):
        trial.suggest_float("endless", 0.0, 1.0)
        return widths(FixedTrial({"network": "cnn5", "cnn5/width": 0.5, "optimizer": "sgd", "sgd/lr": 0.1}))

    class Constant(optuna.samplers.RandomSampler):
        def sample_independent(self, *_):
            return 0.5

    drawing = OptunaSampler(stuck, 0, anything, lambda _, seed: Constant(seed))
    assert drawing.draw(0) is not None and drawing.draw(1) is None


def test_choices_that_depend_on_other_draws_are_drawn_at_random_and_refused_by_tpe():
    def depends(trial):
        trial.suggest_categorical("network", ("cnn5", "cnn6"))
        wide = trial.params["network"] == "cnn5"
        trial.suggest_categorical("batch_size", (16, 32) if wide else (64, 128))
        trial.suggest_categorical("optimizer", ("sgd",))
        trial.suggest_float("sgd/lr", 1e-4, 1e-1)
        return config_of(trial.params)

    drawing = make_sampler(Space("depends", depends), "random", 0, lambda config: only(config, "cnn5"))
    sizes = {drawing.draw(n).config.training.batch_size for n in range(12)}
    assert sizes == {16, 32}
    with pytest.raises(SpaceError, match="'batch_size' from .* --sampler random$"):
        make_sampler(Space("depends", depends), "tpe", 0, anything)


def only(config, network):
    if config.network.name != network:
        raise SizeError(f"not {network}")
