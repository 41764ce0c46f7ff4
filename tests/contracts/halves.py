"""A scheduler for tests: pauses every trial at every half epoch, and lets the one with the fewest images go on."""

from search.history.events import FINAL, Asked, Decision, Ended, Event, Granted, Measured, Started, State
from search.schedulers.scheduler import scheduler


@scheduler("halves")
class Halves:
    """Every trial trains half an epoch at a time, in whatever slot is free."""

    pauses = True
    same_on_any_slots = False

    def __init__(self, max_t: int) -> None:
        """max_t: epochs."""
        self.rungs = tuple(half / 2 for half in range(1, 2 * max_t))
        self._paused: dict[int, int] = {}

    def decide(self, measured: Measured) -> Decision:
        """Pause."""
        return Decision.PAUSE

    def choose(self) -> int | None:
        """The paused trial with the fewest images, the lowest number first."""
        return min(self._paused, key=lambda trial: (self._paused[trial], trial), default=None)

    def hear(self, event: Event) -> None:
        """Note who pauses and who goes on."""
        if isinstance(event, Measured) and event.state is State.PAUSED:
            self._paused[event.trial] = event.images
        elif isinstance(event, Granted | Started | Ended | Asked) or getattr(event, "state", None) in FINAL:
            self._paused.pop(event.trial, None)


@scheduler("marks")
class Marks(Halves):
    """The same rungs, at which nobody pauses."""

    pauses = False

    def decide(self, measured: Measured) -> Decision:
        """Go on."""
        return Decision.CONTINUE
