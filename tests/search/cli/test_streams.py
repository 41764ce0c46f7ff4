"""What nobody reads is dropped: the search goes on, and what is done has exit code 0."""

import os
import signal
import subprocess
import time
from contextlib import redirect_stdout
from pathlib import Path

import pytest

from search.cli import streams
from search.history import ledger
from tests.end_to_end.commands import COMMAND, INLINE, wait_for

LAUNCH = (
    *(COMMAND, "launch", "--dataset", "digits", "--data-dir", "data", "--limit-train", "100", "--space", "cnn5"),
    *("--samples", "2", "--augment", "none", *INLINE, "--name"),
)


def closings(folder, name):
    return [e["reason"] for e in ledger.read(folder / "results" / name / "ledger.jsonl") if e["event"] == "closed"]


def test_a_stream_without_a_reader_takes_everything():
    reader, writer = os.pipe()
    with os.fdopen(writer, "w", buffering=1) as stream, redirect_stdout(streams.Unheard(stream)):
        print("read")
        os.close(reader)
        for _ in range(3):
            print("dropped", flush=True)


def test_a_stream_on_a_full_disk_refuses():
    with Path("/dev/full").open("w") as stream:
        with pytest.raises(OSError, match="No space left"):
            print("refused", file=streams.Unheard(stream), flush=True)
        streams.discard(stream)  # what it still holds is written when it is closed


def test_progress_that_nobody_reads_is_dropped_and_the_search_goes_on(tmp_path):
    process = subprocess.Popen([*LAUNCH, "x", "--epochs", "2"], cwd=tmp_path, stdout=-1, stderr=subprocess.STDOUT)
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=120) == 0
    assert closings(tmp_path, "x") == ["finished"]


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_descriptor_is_no_reason_to_fail(tmp_path, closed):
    command = ["sh", "-c", f'exec "$@" {closed}', "sh", *LAUNCH, "x", "--epochs", "1"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert closings(tmp_path, "x") == ["finished"]


@pytest.mark.parametrize(("ignored", "reason", "code"), [(False, "interrupted", 130), (True, "finished", 0)])
def test_a_lost_terminal_closes_the_record_unless_nohup_says_otherwise(tmp_path, ignored, reason, code):
    """The terminal's end is a pipe here, which closes as the signal comes."""
    disposition = signal.SIG_IGN if ignored else signal.SIG_DFL
    epochs = "20" if ignored else "2000"
    process = subprocess.Popen(
        [*LAUNCH, "x", "--epochs", epochs],
        cwd=tmp_path,
        stdout=-1,
        stderr=subprocess.STDOUT,
        preexec_fn=lambda: signal.signal(signal.SIGHUP, disposition),
    )
    path = tmp_path / "results" / "x" / "ledger.jsonl"
    wait_for(lambda: path.exists() and any(e["event"] == "measured" for e in ledger.read(path)))
    time.sleep(0.1)
    process.stdout.close()
    process.send_signal(signal.SIGHUP)
    assert process.wait(timeout=120) == code
    assert closings(tmp_path, "x") == [reason]


def test_a_name_that_is_not_utf_8_is_shown_escaped():
    name = os.fsdecode(b"caf\xe9")
    assert f"{name} × é".encode(errors=streams.ESCAPED) == "caf\\xe9 × é".encode()
    assert f"{name} × é".encode("ascii", errors=streams.ESCAPED) == b"caf\\xe9 ? ?"
