"""What may be drawn: spaces by name, lists of configurations, and a user's own functions."""

from search.spaces.space import Space, SpaceError, config_of, find_space

__all__ = ["Space", "SpaceError", "config_of", "find_space"]
