"""The token is found where Ray looks for it."""

import subprocess
from pathlib import Path

import pytest

from search.machines import tokens


def output(command: str | None) -> str:
    assert command
    return subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True).stdout.strip()


def test_the_command_that_people_copy_prints_the_token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a folder; echo" / "token"
    file.parent.mkdir()
    file.write_text("from the file")
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(file))
    monkeypatch.delenv("RAY_AUTH_TOKEN", raising=False)
    assert output(tokens.printed_by()) == tokens.token() == "from the file"
    monkeypatch.setenv("RAY_AUTH_TOKEN", "from the variable")
    assert output(tokens.printed_by()) == tokens.token() == "from the variable"
    assert "from" not in (tokens.printed_by() or "")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    assert tokens.printed_by() is None


def test_a_new_token_can_be_read_by_this_user_alone_and_an_old_one_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    for name in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
        monkeypatch.delenv(name, raising=False)
    tokens.make()
    made = tokens.token()
    assert made
    (file,) = (tmp_path / ".ray").iterdir()
    assert (file.name, file.stat().st_mode & 0o777) == ("auth_token", 0o600)
    tokens.make()
    assert tokens.token() == made
