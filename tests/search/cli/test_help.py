import json
import subprocess
import sys

import pytest

from search.cli.launching import SECTIONS
from search.cli.main import cli
from search.history.columns import TRIALS
from search.history.hyperparameters import hyperparameter_columns
from trainables.data.known import DATASETS

CODE = """
import json, sys
sys.argv = ["hpsearch", *sys.argv[1:]]
from search.cli.main import main
try:
    main()
except SystemExit as end:
    print(json.dumps([end.code, sorted({name.partition(".")[0] for name in sys.modules})]), file=sys.stderr)
"""


def help_of(*verbs: str) -> tuple[str, set[str]]:
    """What --help prints in a fresh process, and the packages that it loads."""
    done = subprocess.run([sys.executable, "-c", CODE, *verbs, "--help"], capture_output=True, text=True)
    code, loaded = json.loads(done.stderr)
    assert code == 0
    return done.stdout, set(loaded)


@pytest.mark.parametrize("verb", cli.commands)
def test_help_of_every_verb_has_examples_and_loads_nothing_heavy(verb):
    text, loaded = help_of(verb)
    assert f"hpsearch {verb}" in text.partition("\n")[2]
    assert not loaded & {"torch", "ray", "optuna", "pandas", "scipy"}


def test_what_each_verb_does_fits_into_80_columns():
    assert "..." not in help_of()[0].partition("Commands:")[2]


def test_help_of_top_explains_every_column():
    text, _ = help_of("top")
    for column in TRIALS:
        assert column.name in text
        if column.name not in hyperparameter_columns():
            assert column.meaning.split()[0] in text


def test_help_of_launch_names_every_known_dataset():
    (dataset,) = (param for param in cli.commands["launch"].params if param.name == "dataset")
    assert all(name in dataset.help.replace(",", "").split() for name in DATASETS)


@pytest.mark.parametrize("verb", ["status", "list", "top", "predict", "export", "report", "serve", "follow"])
def test_a_verb_that_only_reads_copies_nothing_to_a_storage(verb):
    (storage,) = (param for param in cli.commands[verb].params if param.name == "storage")
    assert "Read from this storage" in storage.help and "copied" not in storage.help


def test_every_option_of_launch_is_in_one_section():
    named = [option for options in SECTIONS.values() for option in options]
    known = {param.opts[-1].removeprefix("--") for param in cli.commands["launch"].params}
    assert sorted(named) == sorted(known)


def test_python_m_search_is_the_command():
    done = subprocess.run([sys.executable, "-m", "search", "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout == help_of()[0]
