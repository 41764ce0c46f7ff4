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
        """also: whatever else counts; here nothing does."""

    def decide(self, measured: Measured) -> Decision:
        """Go on."""
        return Decision.CONTINUE

    def choose(self) -> None:
        """No trial is ever paused."""

    def hear(self, event: Event) -> None:
        """Nothing is kept."""
