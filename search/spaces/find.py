"""A space by the name that a user gives."""

from pathlib import Path

from architectures.errors import instead
from architectures.families import import_function
from search.spaces.lists import read_list
from search.spaces.space import SPACES, Space, SpaceError


def find_space(name: str) -> Space:
    """A built-in space, a JSON-lines file of configurations, or a user's `package.module:function`.

    Raises SpaceError for anything else.
    """
    if name in SPACES:
        return Space(name, SPACES[name])
    if name.endswith(".jsonl"):
        return read_list(Path(name))
    if ":" in name:
        try:
            return Space(name, import_function(name))
        except ValueError as error:
            raise SpaceError(f"space: {error}") from error
    raise SpaceError(
        f"unknown space '{name}'{instead(name, SPACES)}, a .jsonl file, or your own as package.module:function"
    )
