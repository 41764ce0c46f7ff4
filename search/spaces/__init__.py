"""What may be drawn: spaces by name, lists of configurations, and a user's own functions."""

from importlib import import_module

from search.spaces.find import find_space
from search.spaces.flat_names import config_of
from search.spaces.space import Space, SpaceError

__all__ = ["Space", "SpaceError", "config_of", "find_space"]

# The modules of the built-in spaces, in the order in which the spaces are listed; importing one registers its spaces.
for _module in ("published", "families", "modern", "reports", "networks"):
    import_module(f"search.spaces.{_module}")
