import pytest

from search.history.metric import ACCURACY, BALANCED, Guess, guess, shown


def test_guessing_gives_the_largest_class_s_share_and_an_equal_part_of_the_classes_that_occur():
    assert guess([7, 7, 7, 2]) == Guess(accuracy=0.75, balanced_accuracy=0.5)
    assert guess([3]) == Guess(accuracy=1.0, balanced_accuracy=1.0)


@pytest.mark.parametrize(
    ("metric", "labels", "expected"),
    [
        (ACCURACY, [0, 1] * 50, (ACCURACY,)),
        (ACCURACY, [0] * 75 + [1] * 25, (ACCURACY,)),  # one and a half times the even share
        (ACCURACY, [0] * 76 + [1] * 24, (ACCURACY, BALANCED)),
        (BALANCED, [0, 1] * 50, (BALANCED, ACCURACY)),
    ],
)
def test_balanced_accuracy_is_shown_where_it_ranks_or_classes_are_uneven(metric, labels, expected):
    assert shown(metric, guess(labels)) == expected


def test_without_a_recorded_guess_the_metric_alone_decides_what_is_shown():
    assert (shown(ACCURACY, None), shown(BALANCED, None)) == ((ACCURACY,), (BALANCED, ACCURACY))


def test_a_guess_says_what_is_shown():
    found = guess([0] * 8 + [1, 2])
    assert found.line((ACCURACY,)) == "majority-class baseline: 80.0%"
    assert found.line((BALANCED, ACCURACY)) == "majority-class baseline: 80.0%, or 33.3% balanced accuracy"
