"""Who gets in: the token that Ray asks for. Import before Ray, which reads its settings when it is imported."""

import os
from pathlib import Path

os.environ.setdefault("RAY_AUTH_MODE", "token")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")

REMEDY = (
    "put the head's in the variable RAY_AUTH_TOKEN, in the file that RAY_AUTH_TOKEN_PATH names, or in "
    "~/.ray/auth_token (mode 600)"
)


def wants_token() -> bool:
    """Whether Ray in this process insists on a token."""
    return os.environ["RAY_AUTH_MODE"].lower() == "token"


def token_file() -> Path | None:
    """The file in which Ray looks for its token, which need not exist; None where a variable holds it."""
    if os.environ.get("RAY_AUTH_TOKEN"):
        return None
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    return Path(named) if named else Path("~/.ray/auth_token").expanduser()


def token() -> str | None:
    """The token, which is never shown or written anywhere; None where there is none."""
    file = token_file()
    try:
        text = os.environ["RAY_AUTH_TOKEN"] if file is None else file.read_text()
    except (OSError, UnicodeDecodeError):
        return None
    return text.strip() or None


def place() -> str:
    """Where the token is, or the first of the places where it is not."""
    file = token_file()
    return "in the variable RAY_AUTH_TOKEN" if file is None else f"in {file}"


def header() -> dict[str, str]:
    """What a request carries to be let in."""
    found = token()
    return {"authorization": f"Bearer {found}"} if found else {}
