"""Ray's dashboard is announced when it answers."""

from ray.exceptions import RpcError

from search.machines import local_ray, ray_private
from search.run.engines import tune


class Said:
    """A watcher that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.refreshed = 0

    def say(self, line: str) -> None:
        self.lines.append(line)

    def refresh(self) -> None:
        self.refreshed += 1


def test_the_address_is_said_once_it_is_known_and_looked_for_once_a_second(monkeypatch) -> None:
    answers, now = [None, "127.0.0.1:8266", "never asked for"], [100.0]

    def dashboard(seconds: float) -> str | None:
        return answers.pop(0)

    monkeypatch.setattr(ray_private, "dashboard", dashboard)
    monkeypatch.setattr(tune.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(tune.tokens, "printed_by", lambda: "cat token")
    said = Said()
    watcher = tune._Announcing(said)
    for seconds in (0, 0.9, 1.0, 2.0):
        now[0] = 100 + seconds
        watcher.refresh()
        assert bool(said.lines) == (seconds >= 1)
    assert said.lines == ["Ray's dashboard: http://127.0.0.1:8266", "its token, to paste there: cat token"]
    assert (answers, said.refreshed) == (["never asked for"], 4)


def test_a_ray_that_does_not_say_is_asked_again_later(monkeypatch) -> None:
    def dashboard(seconds: float) -> str | None:
        raise RpcError("deadline exceeded")

    monkeypatch.setattr(ray_private, "dashboard", dashboard)
    assert local_ray.dashboard() is None
