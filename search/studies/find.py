"""A study by the name that a user gives."""

from inspect import signature
from pathlib import Path

from architectures.errors import instead
from architectures.families import import_function
from search.studies.files import read_study
from search.studies.study import STUDIES, Study, StudyError


def is_study(name: str) -> bool:
    """Whether a name is that of a study; a user's function of no arguments makes one, as a space's takes a trial.

    Raises StudyError for a function that cannot be imported.
    """
    if name in STUDIES or name.endswith(".toml"):
        return True
    if ":" not in name:
        return False
    try:
        function = import_function(name)
    except ValueError as error:
        raise StudyError(str(error)) from error
    try:
        signature(function).bind()
    except (TypeError, ValueError):  # it takes arguments, or its signature is not known
        return False
    return True


def find_study(name: str) -> Study:
    """A built-in study, a TOML file, or a user's `package.module:function` that returns one.

    Raises StudyError for anything else.
    """
    if name in STUDIES:
        return STUDIES[name]
    if name.endswith(".toml"):
        return read_study(Path(name))
    if ":" not in name:
        raise StudyError(
            f"unknown study '{name}'{instead(name, STUDIES)}, a .toml file, or your own as package.module:function"
        )
    try:
        found = import_function(name)()
    except StudyError:
        raise
    except ValueError as error:
        raise StudyError(f"study: {error}") from error
    except (Exception, SystemExit) as error:
        raise StudyError(f"study: {name} raised {type(error).__name__}: {error}") from error
    if not isinstance(found, Study):
        raise StudyError(f"study: {name} must return a search.studies.Study, got {type(found).__name__}")
    return found
