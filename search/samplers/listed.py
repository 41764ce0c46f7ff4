"""A finite list of configurations, drawn in its order."""

from dataclasses import dataclass

from search.history.record import Run
from search.samplers.sampler import Draw
from trainables.config import Config


@dataclass(frozen=True)
class ListSampler:
    """Draws a list's configurations in their order."""

    configs: tuple[Config, ...]
    """The list."""

    def draw(self, trial: int) -> Draw | None:
        """Configuration number `trial` of the list; None after the last one."""
        return Draw(self.configs[trial], {}, {}) if trial < len(self.configs) else None

    def tell(self, run: Run) -> None:
        """Do nothing: a list does not learn."""
