"""No scheduler: every trial runs to its end."""

from collections.abc import Sequence

from search.history.events import Decision, Event, Measured
from search.schedulers.scheduler import scheduler


@scheduler("none")
class NoScheduler:
    """Stops nothing."""

    rungs: tuple[float, ...] = ()
    pauses = False
    same_on_any_slots = False

    def __init__(self, also: Sequence[str] = ()) -> None:
        """also: further objectives; ignored."""

    def decide(self, measured: Measured) -> Decision:
        """Always continue."""
        return Decision.CONTINUE

    def choose(self) -> None:
        """No trial is ever paused."""

    def hear(self, event: Event) -> None:
        """Keep nothing."""
