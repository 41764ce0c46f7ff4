"""Finite lists of configurations: a file with one JSON object per line."""

import json
from pathlib import Path

from search.spaces.space import Space, SpaceError
from trainables.config import Config


def read_list(path: Path) -> Space:
    """The configurations of a JSON-lines file, without empty lines; raises SpaceError with the line."""
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except OSError as error:
        raise SpaceError(f"cannot read the list {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SpaceError(f"cannot read the list {path}: it is not UTF-8 text ({error})") from error
    configs: dict[int, Config] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            configs[number] = Config.from_json(json.loads(line, parse_constant=_refuse))
        except json.JSONDecodeError as error:
            raise SpaceError(f"{path}, line {number} is not JSON: {error.msg} at column {error.colno}") from error
        except (ValueError, RecursionError) as error:
            raise SpaceError(f"{path}, line {number} is not a configuration: {error}") from error
    if not configs:
        raise SpaceError(f"{path} holds no configuration; give one JSON object a line")
    return Space(str(path), configs=tuple(configs.values()), places=tuple(f"line {number}" for number in configs))


def write_list(space: Space) -> bytes:
    """A finite list as the JSON lines that `read_list` reads."""
    return "".join(json.dumps(config.to_json()) + "\n" for config in space.configs).encode()


def _refuse(constant: str) -> None:
    """Refuse NaN and Infinity, which Python's JSON reader accepts although they are not JSON."""
    raise ValueError(f"JSON has no {constant}")
