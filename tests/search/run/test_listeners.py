"""Whoever listens to a search cannot end it."""

from search.history import ledger
from search.history.store import Request
from search.run.launch import launch
from search.run.progress import Progress
from search.run.session import Options
from tests.search.run import searches


def test_a_listener_that_raises_is_reported_once_is_told_nothing_more_and_changes_nothing(
    tmp_path, problem, undisturbed, checkpoints_always
):
    told, heard = [], []

    def raises(event):
        told.append(event)
        if event.kind == "started":
            raise OSError("the dashboard is away")

    driver = searches.run(tmp_path / "search", problem, listeners=[raises, heard.append])
    assert [event.kind for event in told] == ["opened", "asked", "started"]
    assert driver.deaf == ["OSError: the dashboard is away"]
    assert [ledger.entry_of(event) for event in heard] == ledger.read(tmp_path / "search" / "ledger.jsonl")
    searches.assert_same_tables(tmp_path / "search", undisturbed)


def test_a_session_says_once_that_a_listener_failed(tmp_path, monkeypatch, capsys):
    def hear(self, event):
        raise RuntimeError("no room to draw")

    monkeypatch.setattr(Progress, "hear", hear)
    space = tmp_path / "space.jsonl"
    space.write_text('{"network": {"name": "cnn5", "width": 0.125}, "optimizer": {"name": "sgd", "lr": 0.1}}\n')
    request = Request(
        space=str(space), samples=1, epochs=2, dataset="digits", data_dir=str(tmp_path), limit_train=60, augment="none"
    )
    outcome = launch(request, Options(engine="inline"), results=tmp_path, name="one")
    assert (outcome.reason, [run.state for run in outcome.record.trials]) == ("finished", ["done"])
    assert capsys.readouterr().err.count("RuntimeError: no room to draw") == 1
