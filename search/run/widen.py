"""A winner of a narrow search as a wider network."""

from dataclasses import replace

from architectures.families import FAMILIES
from search.history.hyperparameters import width_of
from search.run.problem import RequestError
from trainables.config import Config, NetworkConfig


def widened(config: Config, factor: float, option: str = "--width") -> Config:
    """The configuration with its network's hyperparameter `width` multiplied; nothing else changes.

    option: what asks for it. Raises RequestError for a network without such a hyperparameter.
    """
    if factor == 1:
        return config
    name, given = config.network.name, config.network.hyperparameters
    width, is_whole = width_of(name, given)
    if isinstance(width, bool) or not isinstance(width, int | float):
        known = ", ".join(FAMILIES[name].hyperparameters if name in FAMILIES else given) or "none"
        raise RequestError(
            f"network '{name}' has no width for {option} {factor:g} to multiply (its hyperparameters: {known}); "
            f"leave {option} out"
        )
    wider = max(1, round(width * factor)) if is_whole else width * factor
    return replace(config, network=NetworkConfig(name, {**given, "width": wider}))
