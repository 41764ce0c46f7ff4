"""No scheduler: every trial runs to its end."""

from search.history.events import Decision, Event
from search.schedulers.scheduler import scheduler


@scheduler("none")
class NoScheduler:
    """Stops nothing."""

    rungs: tuple[float, ...] = ()
    pauses = False
    same_on_any_slots = False

    def decide(self, trial: int, epoch: float, value: float) -> Decision:
        """Go on."""
        return Decision.CONTINUE

    def choose(self) -> None:
        """No trial is ever paused."""

    def hear(self, event: Event) -> None:
        """Nothing is kept."""
