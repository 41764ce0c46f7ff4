"""Which trials none beats for less, and the knee among them."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from search.history.pareto import cost_of, front, knee
from search.history.record import Run
from tests.search.events import measured, run


def trial(number: int, value: float, parameters: int = 10, **more: Any) -> Run:
    return run(number, [measured(10, value, trial=number)], parameters=parameters, **more)


def numbers(runs: list[Run]) -> list[int]:
    return [each.key[0] for each in runs]


def test_a_trial_that_another_one_beats_for_less_is_not_on_the_front() -> None:
    runs = [trial(0, 0.9, 1000), trial(1, 0.8, 100), trial(2, 0.7, 200), trial(3, 0.8, 150), trial(4, 0.1, 10)]
    assert numbers(front(runs, ["parameters"])) == [0, 1, 4]


def test_with_two_costs_a_trial_stays_that_is_cheapest_by_one_of_them() -> None:
    runs = [trial(0, 0.9, 1000, flops=10), trial(1, 0.8, 100, flops=50), trial(2, 0.7, 200, flops=5)]
    assert numbers(front(runs, ["parameters", "flops"])) == [0, 1, 2]
    assert numbers(front(runs, ["flops"])) == [0, 2]


def test_equal_trials_stay_together() -> None:
    assert numbers(front([trial(0, 0.5), trial(1, 0.5)], ["parameters"])) == [0, 1]


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 6), st.integers(1, 6)), min_size=1, max_size=12))
def test_every_trial_off_the_front_is_beaten_by_one_on_it(points: list[tuple[int, int, int]]) -> None:
    runs = [trial(i, value / 10, p, flops=f) for i, (value, p, f) in enumerate(points)]
    found = set(numbers(front(runs, ["parameters", "flops"])))
    for i, (value, p, f) in enumerate(points):
        beaten = {
            j for j, (v, q, g) in enumerate(points) if (v >= value and q <= p and g <= f) and (v, q, g) != (value, p, f)
        }
        assert (i in found) == (not beaten)
        assert i in found or beaten & found


def test_the_knee_is_near_the_best_for_a_small_part_of_its_cost() -> None:
    runs = [trial(0, 0.90, 10_000), trial(1, 0.88, 100), trial(2, 0.30, 10)]
    one = knee(runs, ["parameters"])
    assert one is runs[1] and cost_of(one.asked, one.last, "parameters") == 100
    assert knee(runs[:2], ["parameters"]) is None
    assert knee([trial(i, 0.5, 10) for i in range(3)], ["parameters"]) is not None  # no range at all
