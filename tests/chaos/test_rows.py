"""The table of disturbances."""

import csv

from tests.chaos.rows import Row, renew


def row(part: str, number: int) -> Row:
    return Row(
        number=number,
        part=part,
        disturbance="a worker",
        search="one",
        interrupted="",
        running=True,
        events_before=3,
        finished_before=1,
        processes_left=0,
        seconds=1.0,
    )


def test_the_rows_of_parts_that_were_left_out_stay(tmp_path):
    path = tmp_path / "chaos.csv"
    renew(path, 1, [row("drivers", 1), row("workers", 2), row("torn", 3)])
    renew(path, 2, [row("workers", 1)])
    renew(path, 2, [row("workers", 1), row("disk", 2)])
    with path.open() as file:
        found = [(each["seed"], each["part"], each["number"]) for each in csv.DictReader(file)]
    assert found == [("1", "drivers", "1"), ("1", "torn", "3"), ("2", "workers", "1"), ("2", "disk", "2")]


def test_a_disturbance_that_lost_a_line_or_repeated_too_much_is_not_good():
    good = row("drivers", 1)
    assert good.good
    for wrong in ({"lines_lost": 1}, {"repeated": 1}, {"trouble": "a hang"}):
        assert not Row(**vars(good) | wrong).good
