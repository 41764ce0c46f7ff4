"""The installed command refuses as the one in this process does, and at once."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.bad_input.cases import says

COMMAND = str(Path(sys.executable).with_name("hpsearch"))


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (("begin",), ("'begin'", "launch, resume")),
        (("launch", "--samples", "0"), ("--samples", "x>=1")),
        (("launch", "--dataset", "nope"), ("'nope'", "digits")),
        (("launch", "--dataset", "digits", "--space", "own:raises"), ("RuntimeError",)),
        (("networks", "cnn6", "--set", "width=abc"), ("width", "'abc'")),
    ],
)
def test_the_installed_command_does_the_same(place: Path, arguments: tuple[str, ...], parts: tuple[str, ...]):
    environment = {"PATH": "/usr/bin:/bin", "HOME": str(place), "HPSEARCH_DATA": "data"}
    done = subprocess.run([COMMAND, *arguments], capture_output=True, text=True, timeout=60, env=environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert re.fullmatch(r"hpsearch: [^\n]+\n", done.stderr), done.stderr
    says(done.stderr, *parts)
    assert not Path("results").exists()


def test_a_wrong_request_does_not_wait_for_ray(place: Path):
    program = (
        "import sys; from search.cli.main import main; sys.argv = ['hpsearch', 'launch', '--space', 'own:nothing',"
        " '--dataset', 'digits', '--data-dir', 'data']\n"
        "try: main()\nexcept SystemExit: print('ray' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.stdout == "False\n"
