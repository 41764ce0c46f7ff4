"""The token that Ray asks for."""

import os
import shlex
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from tempfile import NamedTemporaryFile

REMEDY = (
    "put the head's in the variable RAY_AUTH_TOKEN, in the file that RAY_AUTH_TOKEN_PATH names, or in "
    "~/.ray/auth_token (mode 600)"
)


def wants_token() -> bool:
    """Whether Ray in this process requires a token."""
    return os.environ["RAY_AUTH_MODE"].lower() == "token"


def token_file() -> Path | None:
    """The file in which Ray looks for its token, whether or not it exists; None when a variable holds the token.

    A relative path if the user has no home folder.
    """
    if os.environ.get("RAY_AUTH_TOKEN"):
        return None
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    return Path(named or os.path.expanduser("~/.ray/auth_token"))  # noqa: PTH111  it does not raise without a home


def token() -> str | None:
    """The token, or None without one. It must never be shown or written anywhere."""
    file = token_file()
    try:
        text = os.environ["RAY_AUTH_TOKEN"] if file is None else file.read_text()
    except (OSError, UnicodeDecodeError):
        return None
    return text.strip() or None


def make() -> None:
    """Make a token that only this user can read if there is none yet; a file that a variable names is left alone.

    Ray makes one as well, but others could read it until its mode is changed.
    """
    file = token_file()
    if file is None or not file.is_absolute() or "RAY_AUTH_TOKEN_PATH" in os.environ or not wants_token():
        return
    with suppress(OSError):  # then Ray tries, and says why it cannot; or there is one
        file.parent.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile("w", dir=file.parent) as new:  # of mode 600
            new.write(token_hex(32))
            new.flush()
            os.link(new.name, file)  # whole, and never in the place of another process's


def place() -> str:
    """Where the token is, in words; without a token, where Ray looks for it."""
    file = token_file()
    return "in the variable RAY_AUTH_TOKEN" if file is None else f"in {file}"


def printed_by() -> str | None:
    """The command that prints the token in a terminal, to copy it; None when Ray asks for none."""
    file = token_file()
    if not wants_token():
        return None
    return "echo $RAY_AUTH_TOKEN" if file is None else f"cat {shlex.quote(str(file))}"


def header() -> dict[str, str]:
    """The header of a request with the token; empty without one."""
    found = token()
    return {"authorization": f"Bearer {found}"} if found else {}
