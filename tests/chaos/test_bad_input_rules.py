"""The table of broken rules: what is in it, and some of them broken for real."""

import contextlib
from pathlib import Path

import pytest


@pytest.fixture
def bad_input(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    import bad_input

    return bad_input


@pytest.fixture
def workplace(bad_input):
    """A workplace whose template is an empty folder."""
    with contextlib.ExitStack() as stack:
        made = bad_input.Workplace(stack, cold=True)
        made.template.mkdir()
        yield made


def test_each_rule_is_another(bad_input):
    names = [(rule.group, rule.rule) for rule in bad_input.all_rules()]
    assert len(names) == len(set(names)) > 400


def test_a_promise_that_is_broken_is_noticed(bad_input, workplace):
    rules = {rule.rule: rule for rule in bad_input.all_rules()}
    kept = workplace.run(rules["a verb is one of the known ones"], seed=0)
    assert (kept["outcome"], kept["exit_code"], kept["lost_records"]) == ("kept", 2, 0)
    assert "begin" in kept["message"]
    # With a ledger that is gone there is no search, so what the rule says is not said.
    broke = workplace.run(rules["a search exists"], seed=0)
    assert broke["outcome"] == "broke" and "it does not say 'finished'" in broke["message"]
    assert bad_input.summary([kept, broke]).splitlines()[2:] == ["| command line | 2 | 2 | 0 | 0 | 0 | 1 | 0 |"]


def test_rules_that_are_not_broken_again_keep_their_rows(bad_input, tmp_path):
    first, second, third = (
        dict.fromkeys(bad_input.COLUMNS, "old") | {"group": rule.group, "rule": rule.rule}
        for rule in bad_input.all_rules()[:3]
    )
    bad_input.keep([third, first], tmp_path / "table.csv")
    bad_input.keep([second | {"outcome": "new"}, third | {"outcome": "new"}], tmp_path / "table.csv")
    lines = (tmp_path / "table.csv").read_text().splitlines()[1:]
    assert [line.rpartition(",")[2] for line in lines] == ["old", "new", "new"]
    assert lines[0].startswith(f"{first['group']},{first['rule']}")
