"""Runs a command and sends it a signal once its search has measured an epoch; ends with its exit code.

    python tests/chaos/signalled.py SIGHUP results/new/ledger.jsonl [--tee] -- hpsearch launch …

--tee: both of its streams go through `tee`, as `2>&1 | tee` has it, and the signal to both, as a terminal sends it.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path


def main() -> None:
    """Run the command."""
    (name, ledger, *options), words = sys.argv[1 : sys.argv.index("--")], sys.argv[sys.argv.index("--") + 1 :]
    with_tee = "--tee" in options
    signal.signal(getattr(signal, name), signal.SIG_DFL)  # where this runs below nohup, the command would ignore it too
    process = subprocess.Popen(
        words,
        stdout=subprocess.PIPE if with_tee else None,
        stderr=subprocess.STDOUT if with_tee else None,
        process_group=0,
    )
    if with_tee:
        assert process.stdout
        tee = subprocess.Popen(["tee", os.devnull], stdin=process.stdout, stdout=sys.stderr, process_group=process.pid)
        process.stdout.close()
    while process.poll() is None and not (Path(ledger).exists() and b'"measured"' in Path(ledger).read_bytes()):
        time.sleep(0.05)
    if process.poll() is None:
        os.killpg(process.pid, getattr(signal, name))
    code = process.wait()
    if with_tee:
        tee.wait()
    sys.exit(code)


if __name__ == "__main__":
    main()
