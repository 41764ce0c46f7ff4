"""The watchdog by itself; what a slot does with it is in `test_slot`."""

import time

from trainables.worker.watchdog import Watchdog


def test_a_watchdog_lets_progress_and_idleness_pass() -> None:
    ended: list[str] = []
    state = {"images": 0}
    watchdog = Watchdog(0.2, lambda: state["images"], ended.append)
    with watchdog.watching():
        for _ in range(10):
            time.sleep(0.06)
            state["images"] += 1
    time.sleep(0.5)
    assert ended == []
    with watchdog.watching():
        time.sleep(0.5)
    assert len(ended) == 1


def test_a_watchdog_asks_for_progress_only_while_it_watches() -> None:
    asked: list[bool] = []
    watchdog = Watchdog(0.1, lambda: asked.append(True), lambda _: None)
    time.sleep(0.2)
    assert asked == [], "there is nothing to ask for yet"
    with watchdog.watching():
        time.sleep(0.2)
    assert asked
