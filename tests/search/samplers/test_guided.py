"""The samplers that learn from equally far trials, and the one that draws evenly."""

import json
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest

from search.history.events import State
from search.samplers import LEARNING, SAMPLERS
from search.samplers.choosing import of_one_value
from search.samplers.gp import flatten
from search.samplers.hearing import LEAST, Deepest, observed
from search.samplers.make import make_sampler
from search.samplers.optuna_sampler import as_draw
from search.samplers.process import Points, improvement
from search.samplers.sampler import history_json
from search.spaces import Space, SpaceError, config_of, find_space
from search.spaces.explorer import explore, found_in, place_of, replayed, value_at
from search.spaces.space import SPACES
from tests.search import events
from tests.search.events import measured
from trainables.config import Config

HALF_GUIDED = ("tpe", "gp")  # every second draw is random; transfer has tests of its own


def anything(config):
    pass


def guided(name, space="cnn_all", history=None, check=anything):
    return make_sampler(find_space(space), name, 0, check, history or Deepest((1.0,)))


def ended(trial, drawn, value):
    return events.run(trial, [measured(10, value, trial=trial)], State.DONE, **history_json(drawn))


@pytest.mark.parametrize("name", HALF_GUIDED)
def test_every_second_draw_is_that_of_random(name):
    drawing, random = guided(name), guided("random")
    for n in range(2 * LEAST):
        drawn = drawing.draw(n)
        drawing.tell(ended(n, drawn, 0.1 + 0.01 * n))
        if n % 2 == 0 or n < LEAST:
            assert drawn == random.draw(n)
        elif n > LEAST + 1:
            assert drawn != random.draw(n)


@pytest.mark.parametrize("name", HALF_GUIDED)
def test_what_an_earlier_search_has_trained_is_drawn_again_from_the_same_stream(name):
    random = guided("random")
    earlier = [observed(ended(n, random.draw(n), 0.5)) for n in range(6)]
    waiting = observed(events.run(6, (), State.WAITING, **history_json(random.draw(6))))
    drawing, again = (guided(name, history=Deepest((1.0,), [*earlier, waiting])) for _ in range(2))
    draws = [drawing.draw(n) for n in (0, 2, 4, 6, 8)]
    known = [each.params for each in earlier]
    assert not [each for each in draws if each.params in known]
    assert draws[3:] == [random.draw(6), random.draw(8)], "that trial was not trained, and the last one is new"
    again.tell(ended(0, random.draw(0), 0.5))  # as earlier versions drew it
    assert [again.draw(n) for n in (2, 4)] == draws[1:3]


@pytest.mark.parametrize("name", HALF_GUIDED)
def test_where_size_counts_as_well_guided_draws_are_small_and_good_and_the_same_again(name):
    """The value grows with the batch and with the width; only the width costs."""
    histories = [Deepest((1.0,), also=("parameters",)) for _ in range(2)]
    drawing, again = (guided(name, "cnn5", history) for history in histories)
    draws = []
    for n in range(41):
        drawn = drawing.draw(n)
        draws.append(drawn)
        width = drawn.config.network.hyperparameters["width"]
        value = 0.2 * (drawn.config.optimizer.name == "adam") + 0.1 * width
        run = events.run(
            n, [measured(10, value, trial=n)], State.DONE, **history_json(drawn), parameters=round(1000 * width)
        )
        drawing.tell(run)
        again.tell(run)
    at_random, learnt = (
        np.mean([each.config.optimizer.name == "adam" for each in draws[start::2]]) for start in (0, 13)
    )
    assert learnt > at_random + 0.15
    assert len({each.config.network.hyperparameters["width"] for each in draws[13::2]}) > 1, "all of the front"
    assert drawing.draw(41) == again.draw(41)


def test_several_values_become_one_by_weights_of_the_draw_s_own():
    history = Deepest((1.0,), also=("parameters",))
    for n in range(LEAST):
        history.tell(ended(n, guided("random").draw(n), 0.1 * n))
    told = history.trials()
    values = [[each.value for each in of_one_value(told, np.random.default_rng(seed))] for seed in (0, 0, 1)]
    assert values[0] == values[1] != values[2]
    assert all(each == sorted(each) for each in values), "equal costs leave the order of the values"
    one = Deepest((1.0,))
    for n in range(LEAST):
        one.tell(ended(n, guided("random").draw(n), 0.1 * n))
    told = one.trials()
    assert of_one_value(told, np.random.default_rng(0)) is told


@pytest.mark.parametrize("name", HALF_GUIDED)
def test_guided_draws_come_near_what_was_good_and_are_the_same_again(name):
    def good(drawn):
        return 0.5 * (drawn.config.training.batch_size == 32) + 0.5 * (drawn.config.optimizer.name == "adam")

    drawing, again, draws = guided(name, "cnn5"), guided(name, "cnn5"), []
    for n in range(33):
        draws.append(drawing.draw(n))
        run = ended(n, draws[-1], good(draws[-1]))
        drawing.tell(run)
        again.tell(run)
    at_random, learnt = (np.mean([good(each) for each in draws[start::2]]) for start in (0, 13))
    assert learnt > at_random + 0.15
    assert drawing.draw(33) == again.draw(33)


def test_gp_draws_only_what_the_images_can_be_trained_with():
    from architectures.layers import SizeError

    def check(config):
        if config.network.name == "cnn6":
            raise SizeError("not cnn6")

    drawing = guided("gp", check=check)
    for n in range(LEAST + 4):
        drawn = drawing.draw(n)
        assert n <= LEAST or n % 2 == 0 or not drawn.impossible
        drawing.tell(ended(n, drawn, 0.1))


def test_learning_rates_of_all_optimizers_share_a_coordinate():
    def draw(optimizer, lr, batch):
        def pick(name, distribution):
            return {"optimizer": optimizer, f"{optimizer}/lr": lr, "batch_size": batch}.get(name) or value_at(
                distribution, 0.0
            )

        return explore(SPACES["cnn5"], pick)

    points = flatten([draw("adam", 1e-4, 32), draw("sgd", 1e-5, 32), draw("sgd", 1e-1, 256)])
    one, two = np.abs(points[0] - points[1]), np.abs(points[1] - points[2])
    assert np.isclose(two, 1.0).sum() == 2, "from one end of the rates and of the batches to the other"
    assert np.isclose(one, np.sqrt(0.5)).sum() == 2, "only the optimizer's two choices differ by so much"
    assert ((points >= 0) & (points <= 1)).all()


def test_the_process_expects_most_between_good_points_and_nothing_where_a_trial_is_under_way():
    known = np.array([[0.0], [0.4], [0.6], [1.0], [0.1], [0.9], [0.2], [0.8]])
    values = -np.abs(known[:, 0] - 0.5)
    values = (values - values.mean()) / values.std()
    places = np.array([[0.05], [0.5], [0.95]])
    alone = improvement(points(known), values, points(np.empty((0, 1))), points(places))
    assert alone.argmax() == 1
    assert improvement(points(known), values, points(np.array([[0.5]])), points(places))[1] < alone[1]


def points(places):
    """Points of which nothing is expected."""
    return Points(places, np.zeros(len(places)))


def test_qmc_draws_point_n_for_trial_n_evenly():
    drawing, again = guided("qmc"), guided("qmc")
    draws = [drawing.draw(n) for n in range(64)]
    assert [again.draw(n) for n in reversed(range(64))] == draws[::-1]
    assert set(Counter(each.config.network.name for each in draws).values()) == {8}
    assert set(Counter(each.config.optimizer.name for each in draws).values()) == {16}
    decays = sorted(np.log(each.config.optimizer.weight_decay / 1e-6) / np.log(1e3) for each in draws)
    assert max(b - a for a, b in pairwise(decays)) < 2 / 64, "each of 64 equal parts has one"


def test_qmc_of_another_seed_is_another_sequence():
    other = make_sampler(find_space("cnn_all"), "qmc", 1, anything)
    assert other.draw(0) != guided("qmc").draw(0)


def test_a_place_and_its_value_are_the_way_back_of_each_other():
    def space(trial):
        trial.suggest_categorical("network", ("cnn5", "cnn6"))
        trial.suggest_float("cnn5/width", 0.25, 1.0, step=0.25)
        trial.suggest_int("batch_size", 16, 64, step=16)
        trial.suggest_int("epochs", 1, 8, log=True)
        trial.suggest_float("dropout", 0.0, 0.5)
        trial.suggest_categorical("optimizer", ("sgd",))
        trial.suggest_float("sgd/lr", 1e-5, 1e-1, log=True)
        names = ("network", "optimizer", "sgd/lr", "batch_size")
        return config_of({name: trial.params[name] for name in names})

    for place in (0.0, 0.3, 0.999):
        found = explore(space, lambda name, distribution, place=place: value_at(distribution, place))
        for name, distribution in found.distributions.items():
            assert distribution._contains(distribution.to_internal_repr(found.params[name]))
            where = place_of(distribution, found.params[name])
            assert where is None or abs(where - place) <= 0.35
    assert [value_at(found.distributions["cnn5/width"], p) for p in (0, 0.26, 0.51, 0.76)] == [0.25, 0.5, 0.75, 1.0]


def test_a_draw_is_found_again_by_its_parameters_and_by_its_configuration():
    function = SPACES["cnn_all"]
    drawn = guided("random").draw(5)
    assert replayed(function, drawn.params).config == drawn.config
    assert found_in(function, drawn.config).params == drawn.params
    assert replayed(SPACES["cnn3"], drawn.params) is None
    assert replayed(function, {**drawn.params, "more": 1}) is None
    assert replayed(function, {**drawn.params, "batch_size": 48}) is None
    assert found_in(function, drawn.config.with_training(batch_size=48)) is None


@pytest.mark.parametrize("place", [0.0, 0.5, 0.99])
def test_a_draw_without_some_transforms_is_found_again_by_its_configuration(place):
    def pick(name, distribution):
        return 64 if name == "batch_size" else value_at(distribution, place)

    drawn = explore(SPACES["modern"], pick)
    assert json.dumps(found_in(SPACES["modern"], drawn.config).params) == json.dumps(drawn.params)


def depends(trial):
    """Choices that are sequences, and a range that depends on another draw."""
    trial.suggest_categorical("network", ("cnn6",))
    trial.suggest_categorical("cnn6/head_widths", ([256], (512, 256)))
    size = trial.suggest_int("batch_size", 16, 256)
    trial.suggest_float("cnn6/width", 0.1, 0.2 + 16 / size)
    trial.suggest_categorical("optimizer", ("adam",))
    trial.suggest_float("adam/lr", 1e-4, 1e-2, log=True)
    return config_of(trial.params)


@pytest.mark.filterwarnings("ignore:Choices for a categorical distribution")
@pytest.mark.parametrize("name", ["random", "tpe", "gp", "transfer", "qmc"])
def test_every_sampler_draws_sequences_and_from_ranges_that_depend_on_other_draws(name):
    """The ledger keeps the draws as JSON, so a sampler that is told of them again has lists."""
    space = Space("depends", depends)
    drawing, again = (make_sampler(space, name, 0, anything, Deepest((1.0,))) for _ in range(2))
    for n in range(3 * LEAST):
        drawn = drawing.draw(n)
        assert 0.1 <= drawn.params["cnn6/width"] <= 0.2 + 16 / drawn.params["batch_size"]
        assert again.draw(n) == drawn
        told = json.loads(json.dumps(history_json(drawn)))
        for each in (drawing, again):
            each.tell(events.run(n, [measured(10, 1 / drawn.params["batch_size"], trial=n)], State.DONE, **told))
        found = replayed(depends, told["params"])
        assert found.params == drawn.params
        assert found_in(depends, Config.from_json(told["config"])).params == drawn.params


def stages(trial):
    """Two numbers whose names have the same last part."""
    widths = [trial.suggest_int(f"stage{n}/width", 8, 64) for n in (1, 2)]
    rate = trial.suggest_float("sgd/lr", 1e-3, 1e-1, log=True)
    return config_of(
        {"network": "coarse_deep", "coarse_deep/conv_widths": widths * 2, "optimizer": "sgd", "sgd/lr": rate}
    )


def test_two_names_of_a_draw_with_the_same_last_part_have_a_coordinate_each():
    qmc = make_sampler(Space("stages", stages), "qmc", 0, anything)
    draws = [qmc.draw(n) for n in range(32)]
    first, second = ([each.params[f"stage{n}/width"] for each in draws] for n in (1, 2))
    assert abs(np.corrcoef(first, second)[0, 1]) < 0.3, "not only the diagonal"
    points = flatten([replayed(stages, each.params) for each in draws])
    assert points.shape[1] == 3
    assert all(np.isclose(points, (np.array(each)[:, None] - 8) / 56).all(axis=0).any() for each in (first, second))


def rated(choices, high):
    def space(trial):
        trial.suggest_categorical("batch_size", choices)
        trial.suggest_float("sgd/lr", 1e-3, high, log=True)
        return config_of({**trial.params, "network": "cnn1", "cnn1/width": 0.25, "optimizer": "sgd"})

    return Space("rated", space)


@pytest.mark.parametrize("name", LEARNING)
def test_a_search_whose_space_has_changed_learns_from_what_it_would_still_draw(name):
    before, now = rated((64, 128), 1e-1), rated((128, 256), 1.0)
    earlier, history, same = make_sampler(before, "random", 0, anything), Deepest((1.0,)), Deepest((1.0,))
    drawing, expected = (make_sampler(now, name, 0, anything, told) for told in (history, same))
    runs = [ended(n, earlier.draw(n), 0.1 + 0.01 * n) for n in range(3 * LEAST)]
    for run in runs:
        drawing.tell(run)
        if (again := replayed(now.function, run.asked.params)) is not None:
            expected.tell(ended(run.asked.trial, as_draw(again), run.best.value))
    numbers = range(3 * LEAST, 3 * LEAST + 6)
    draws = [drawing.draw(n) for n in numbers]
    assert draws == [expected.draw(n) for n in numbers]
    assert {each.config.training.batch_size for each in draws} <= {128, 256}
    assert 0 < len(same.trials()) < len(history.trials())


def noting(trial):
    """Uses its trial for more than suggestions."""
    trial.set_user_attr("beginning", trial.number)
    assert trial.user_attrs == {"beginning": trial.number}
    return depends(trial)


def asking(trial):
    """Uses what only a trial of a study has."""
    return depends(trial) if trial.study else None


@pytest.mark.filterwarnings("ignore:Choices for a categorical distribution")
@pytest.mark.parametrize("name", SAMPLERS)
def test_a_space_may_use_more_of_its_trial_than_suggestions(name):
    drawing = make_sampler(Space("noting", noting), name, 0, anything, Deepest((1.0,)))
    for n in range(LEAST + 2):
        drawing.tell(ended(n, drawing.draw(n), 0.5))


@pytest.mark.filterwarnings("ignore:Choices for a categorical distribution")
@pytest.mark.parametrize("name", ["gp", "transfer"])
def test_a_space_that_cannot_be_tried_out_is_refused_before_it_is_drawn_from(name):
    with pytest.raises(SpaceError, match="has no attribute 'study'; .*use --sampler random or tpe") as raised:
        make_sampler(Space("asking", asking), name, 0, anything, Deepest((1.0,)))
    assert str(raised.value).count("the space raised") == 1


def test_a_space_that_fails_in_mid_search_is_said_to_have_failed_once():
    def sometimes(trial):
        if len(known) < LEAST:
            return SPACES["cnn5"](trial)
        raise RuntimeError("it fails")

    known = []
    drawing = make_sampler(Space("sometimes", sometimes), "gp", 0, anything, Deepest((1.0,)))
    for n in range(LEAST):
        known.append(drawing.draw(n))
        drawing.tell(ended(n, known[-1], 0.5))
    with pytest.raises(SpaceError, match="^the space raised RuntimeError: it fails$"):
        drawing.draw(LEAST + 1)


def test_the_same_sequence_has_one_coordinate_whether_new_or_from_a_ledger():
    history = Deepest((1.0,))
    drawn = make_sampler(Space("depends", depends), "random", 0, anything).draw(0)
    history.tell(ended(0, drawn, 0.5))
    known, new = flatten([*history.trials(), replayed(depends, drawn.params)])
    assert (known == new).all()


def test_a_list_is_drawn_in_its_order_whatever_is_told(tmp_path):
    path = tmp_path / "list.jsonl"
    path.write_text('{"network": {"name": "cnn5"}, "optimizer": {"name": "sgd", "lr": 0.1}}\n')
    listed = make_sampler(find_space(str(path)), "gp", 0, anything, Deepest((1.0,)))
    assert listed.draw(0).config.network.name == "cnn5" and listed.draw(1) is None


def test_what_is_tried_first_is_drawn_before_anything_else_and_learnt_from():
    function = SPACES["cnn_all"]
    random = guided("random")
    wanted = random.draw(77).config
    outside = wanted.with_training(batch_size=48)
    drawing = make_sampler(Space("cnn_all", function), "gp", 0, anything, Deepest((1.0,)), (wanted, outside))
    draws = [drawing.draw(n) for n in range(4)]
    assert [each.config for each in draws[:2]] == [wanted, outside]
    assert draws[0].params == random.draw(77).params and draws[1].params == {}
    assert draws[2:] == [random.draw(2), random.draw(3)]
