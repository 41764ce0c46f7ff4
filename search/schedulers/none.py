"""No scheduler: every trial runs to its end."""

from search.history.events import Decision, Event
from search.schedulers.scheduler import scheduler


@scheduler("none")
class NoScheduler:
    """Stops nothing."""

    rungs: tuple[float, ...] = ()
    pauses = False

    def __init__(self, max_t: int) -> None:
        """max_t: epochs, which no rung depends on."""

    def decide(self, trial: int, epoch: float, value: float) -> Decision:
        """Go on."""
        return Decision.CONTINUE

    def choose(self) -> None:
        """No trial is ever paused."""

    def hear(self, event: Event) -> None:
        """Nothing is kept."""
