"""Configurations as rows of numbers."""

import numpy as np

from search.experience.columns import Columns

ROWS = [
    {"network": "cnn5", "sgd/lr": 1e-4, "batch_size": 32},
    {"network": "cnn6", "adam/lr": 1e-2, "batch_size": 64, "cnn6/width": 0.5},
    {"network": "cnn6", "adam/lr": 1e-3, "batch_size": 128, "cnn6/width": 1.0},
]


def test_rates_of_all_optimizers_share_a_logarithmic_column_and_what_is_absent_lies_in_the_middle():
    batch, lr, _, _, width = Columns(ROWS).places(ROWS).T  # in the order of their names
    assert np.allclose(batch, [0, 1 / 3, 1])
    assert np.allclose(lr, [0, 1, 0.5])
    assert np.allclose(width, [0.5, 0, 1])


def test_two_choices_are_as_far_apart_as_the_ends_of_a_range():
    columns = Columns(ROWS)
    one, other = columns.places([ROWS[1], {**ROWS[1], "network": "cnn5"}])
    assert np.isclose(np.linalg.norm(one - other), 1)


def test_new_rows_take_the_median_for_what_they_lack_and_nothing_for_what_is_unknown():
    columns = Columns(ROWS)
    found = columns.of([{"network": "new", "sgd/lr": 0.0, "momentum": 0.9}])[0]
    assert np.allclose(found, [64, np.log(1e-4), 0, 0, 0.75])


def test_a_transform_that_a_row_lacks_is_off_and_a_setting_has_its_default():
    rows = [{**ROWS[0], "cutout": 12, "warmup": 0.25}, {**ROWS[0], "cutout": 8, "warmup": 0.125}, ROWS[0]]
    columns = Columns(rows)
    assert np.allclose(columns.of(rows)[:, [1, -1]], [[12, 0.25], [8, 0.125], [0, 0]])
    assert np.allclose(columns.places(rows)[:, [1, -1]], [[1, 1], [2 / 3, 0.5], [0, 0]])


def test_a_hyperparameter_of_a_network_that_has_the_name_of_an_optimizer_s_has_a_column_of_its_own():
    rows = [{"own:net/momentum": 0.1 * n, "sgd/momentum": 0.9 - 0.2 * n, "sgd/lr": 0.1} for n in range(3)]
    found = Columns(rows).of([*rows, {"sgd/lr": 0.1}])
    assert np.allclose(found[:, 1:], [[0.0, 0.9], [0.1, 0.7], [0.2, 0.5], [0.1, 0.7]])
