"""The table of broken rules: what is in it, and one of them broken for real."""

from pathlib import Path

import pytest


@pytest.fixture
def bad_input(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(Path(__file__).parent)
    import bad_input

    return bad_input


def test_there_are_more_than_sixty_rules_and_each_is_another(bad_input):
    names = [rule.rule for rule in bad_input.all_rules()]
    assert len(names) == len(set(names)) > 60


def test_a_promise_that_is_broken_is_noticed(bad_input, tmp_path):
    rules = {rule.rule: rule for rule in bad_input.all_rules()}
    template = bad_input.fresh(tmp_path / "template")
    bad_input.fresh(tmp_path / "outside")
    kept = bad_input.run(rules["a verb is one of the known ones"], tmp_path, template, seed=0)
    assert (kept["outcome"], kept["exit_code"], kept["lost_records"]) == ("kept", 2, 0)
    assert "begin" in kept["message"]
    # With a ledger that is gone there is no search, so what the rule says is not said.
    broke = bad_input.run(rules["a search exists"], tmp_path, template, seed=0)
    assert broke["outcome"] == "broke" and "it does not say 'finished'" in broke["message"]
