"""The command `hpsearch`, in a module whose name nobody else uses, so that no `search.py` on PYTHONPATH replaces it."""

import os
import sys


def main() -> None:
    """Run the command with what is installed first on the path, here and in every process that is started from here."""
    _put_installed_first()
    # multiprocessing starts Python with -c, which looks for its own modules in the working folder first.
    os.environ.setdefault("PYTHONSAFEPATH", "1")
    from search.cli.main import main as run  # imported late: the path decides whose `search` this is

    try:
        run()
    except SystemExit as end:
        if {"torch", "ray", "pyarrow"} & sys.modules.keys() and isinstance(end.code, int):
            _end(end.code)
        raise


def _end(code: int) -> None:
    """End this process at once: Python would take torch and Ray down module by module, for more than a second.

    And where threads of pyarrow are alive, it has now and then ended with SIGABRT.
    """
    import atexit  # imported late, as the path was not in order before
    import threading
    from contextlib import suppress

    threading._shutdown()  # type: ignore[attr-defined]  # ends thread pools, and waits for threads, as Python does
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # nobody reads
            if stream is not None:  # as it is where it was closed
                stream.flush()
    os._exit(code)


def _put_installed_first() -> None:
    """Move the folder of the script, or the working folder, and those of PYTHONPATH behind what is installed."""
    named = os.environ.get("PYTHONPATH")
    late = [] if sys.flags.safe_path else sys.path[:1]
    late += [os.path.abspath(folder) for folder in named.split(os.pathsep)] if named else []
    installed = [folder for folder in sys.path if folder not in late]
    ours = os.path.dirname(os.path.abspath(__file__))
    if ours not in installed:
        installed.append(ours)
    sys.path[:] = list(dict.fromkeys((*installed, *late)))
    if named:  # for every Python that is started from here
        os.environ["PYTHONPATH"] = os.pathsep.join(folder for folder in sys.path if folder)
