"""What is read of other processes, whatever they are called."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from search.machines import host, ray_processes


@contextmanager
def running(program: Path) -> Iterator[None]:
    """A process of this program, which sleeps; Linux names it after the program, cut at 15 bytes."""
    shutil.copy("/bin/sleep", program)
    with subprocess.Popen([program, "100"]) as process:
        try:
            yield
        finally:
            process.kill()


def test_a_process_whose_name_is_cut_within_a_letter_is_looked_at_as_any_other(tmp_path: Path) -> None:
    with running(tmp_path / "aaaaaaaaaaaaaaü"):
        assert ray_processes.is_one_at_work() in (True, False)


def test_a_mount_whose_path_is_not_utf_8_is_one_of_the_file_systems(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / os.fsdecode(b"caf\xe9 \xc3\xbc")
    folder.mkdir()
    lines = [
        b"1 0 0:1 / / rw - ext4 x rw",
        b"2 1 0:2 / %s rw - nfs4 x rw" % os.fsencode(folder).replace(b" ", b"\\040"),
    ]
    (tmp_path / "self").mkdir()
    (tmp_path / "self/mountinfo").write_bytes(b"\n".join(lines))
    monkeypatch.setattr(host, "PROC", tmp_path)
    assert (host.file_system(folder), host.file_system(tmp_path)) == ("nfs4", "ext4")
