"""Imports go up the table of the design only: search, trainables, architectures; held in a process of its own."""

import ast
import json
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import architectures
import trainables

ROOT = Path(architectures.__file__).parents[1]
ARCHITECTURES = [module.name for module in pkgutil.walk_packages(architectures.__path__, "architectures.")]
TRAINABLES = [module.name for module in pkgutil.walk_packages(trainables.__path__, "trainables.")]


def loaded_by(modules: list[str]) -> set[str]:
    """Top-level names that a fresh process has loaded after importing these."""
    code = "import importlib, json, sys\nfor name in sys.argv[1:]: importlib.import_module(name)\n"
    code += "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})))"
    done = subprocess.run([sys.executable, "-c", code, *modules], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return set(json.loads(done.stdout.splitlines()[-1]))


def imported_in(file: Path) -> set[str]:
    """Top-level names that a file imports, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.partition(".")[0])
    return found


def importers(package: str, *names: str) -> set[str]:
    files = (ROOT / package).rglob("*.py")
    return {file.relative_to(ROOT).as_posix() for file in files if imported_in(file) & set(names)}


def test_architectures_load_torch_and_nothing_of_ours_above_them() -> None:
    found = loaded_by(ARCHITECTURES)
    assert {"architectures", "torch"} <= found
    assert not found & {"trainables", "search", "ray", "optuna", "click", "pandas"}


def test_trainables_without_the_actor_load_neither_ray_nor_the_search() -> None:
    found = loaded_by([name for name in TRAINABLES if name != "trainables.worker.actor"])
    assert {"architectures", "trainables", "torch"} <= found
    assert not found & {"search", "ray", "optuna", "click"}


def test_only_the_actor_knows_ray() -> None:
    assert importers("trainables", "ray") == {"trainables/worker/actor.py"}
    assert importers("architectures", "ray") == set()


def test_no_package_imports_one_above_it() -> None:
    assert importers("architectures", "trainables", "search", "optuna", "click") == set()
    assert importers("trainables", "search", "optuna", "click") == set()


def test_only_the_command_knows_click() -> None:
    assert all(file.startswith("search/cli/") for file in importers("search", "click"))


@pytest.mark.parametrize("module", ["search", "search.cli.main"])
def test_the_command_is_quick_to_import(module: str) -> None:
    found = loaded_by([module])
    assert "search" in found
    assert not found & {"torch", "ray", "optuna", "pandas"}


def test_help_loads_nothing_heavy() -> None:
    assert not loaded_by(["search.cli.main"]) & {"torch", "ray", "optuna", "pandas", "numpy", "pyarrow", "rich"}


def test_showing_a_search_loads_neither_torch_nor_what_draws_and_trains() -> None:
    found = loaded_by(
        [
            "search.show.status",
            "search.show.ranking",
            "search.show.winners",
            "search.show.dataset",
            "search.history.load",
        ]
    )
    assert {"search", "pandas"} <= found
    assert not found & {"torch", "ray", "optuna", "scipy"}


def test_how_far_a_search_is_and_its_best_trials_are_shown_without_tables() -> None:
    found = loaded_by(["search.show.status", "search.show.ranking", "search.show.watch", "search.storage.opening"])
    assert "rich" in found
    assert not found & {"pandas", "numpy", "pyarrow", "torch", "optuna"}


def test_a_page_loads_neither_torch_nor_ray_and_no_library_that_only_some_figures_need() -> None:
    found = loaded_by(["search.page.page", "search.page.dataset", "search.page.markdown", "search.page.drawing"])
    assert {"search", "jinja2", "pandas"} <= found
    assert not found & {"torch", "ray", "optuna", "scipy", "matplotlib", "plotly", "aiohttp"}


def test_following_a_search_loads_a_sinks_library_only_when_the_sink_is_opened() -> None:
    found = loaded_by(["search.follow.loop"])
    assert not found & {"torch", "ray", "pandas", "optuna", "tensorboardX"}


def test_what_there_is_to_search_is_shown_without_torch() -> None:
    found = loaded_by(["search.show.catalogue"])
    assert {"architectures", "optuna"} <= found
    assert not found & {"torch", "ray", "pandas", "scipy"}


def test_a_launch_loads_what_it_is_checked_with_before_ray_starts() -> None:
    found = loaded_by(["search.run.launch"])
    assert "optuna" in found
    assert not found & {"torch", "ray", "pandas", "scipy"}


def test_the_process_that_starts_workers_never_loads_torch() -> None:
    runs = ["launch", "retrain", "foresee", "engines.tune", "engines.tuner"]
    found = loaded_by([f"search.run.{name}" for name in runs])
    assert "ray" in found
    assert "torch" not in found


#: The modules of each row of CONTRIBUTING's table, and what they may import besides each other.
ROWS = {
    "architectures": {
        "layers steps blocks": set(),
        "build cost module_cost describe": {"layers", "steps", "blocks"},
        "initialise pretrained tuning": {"layers", "steps", "blocks"},
        "families": {"layers", "steps", "blocks", "cost", "module_cost"},
        "errors checks": set(),
    },
    "trainables": {
        "rules files intervals": set(),
        "limits collection caches": set(),
        "config training_config optimizers schedules augmentation": {"rules", "transforms"},
        "transforms augment": {"augmentation"},
        "data": {"limits"},
        "fits": {"config", "optimizers", "transforms"},
        "precision precision_gain": {"limits", "caches", "files"},
        "resident memory cuda_graph": {"data"},
        "training batches averaging distillation half_weights matrices offline stopping torch_optimizers": {
            *("config", "training_config", "optimizers", "schedules"),
            *("transforms", "augment", "fits", "metrics", "resident", "cuda_graph"),
        },
        "saved_network predictions metrics": {"config", "files", "intervals", "memory", "resident", "training"},
        "worker": {
            *("files", "limits", "collection", "config", "data", "resident", "memory", "training", "batches"),
            *("distillation", "saved_network", "predictions"),
        },
    },
    "search": {
        "history": set(),
        "spaces": set(),
        "experience": {"spaces"},
        "samplers": {"spaces", "history", "experience"},
        "schedulers": {"history"},
        "storage": {"history", "machines"},
        "machines": set(),
        "forecast": {"machines", "samplers"},
        "studies": {"history", "spaces", "schedulers"},
        "show": {"history", "spaces", "forecast", "schedulers", "studies"},
        "run": {"history", "spaces", "experience", "samplers", "schedulers", "storage", "machines", "forecast", "show"},
        "page": {"history", "show", "schedulers", "studies"},
        "follow": {"history"},
        "use": {"history", "run"},
    },
}
#: What every module of a package may import.
SHARED = {"architectures": {"errors", "checks"}, "trainables": set(), "search": {"readable"}}


def rooms_of(package: str) -> dict[str, set[str]]:
    """The modules and folders right below a package, each with those that its files import, also inside functions."""
    found: dict[str, set[str]] = {}
    for file in (ROOT / package).rglob("*.py"):
        imports = found.setdefault(file.relative_to(ROOT / package).parts[0].removesuffix(".py"), set())
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.ImportFrom) and node.module == package:
                imports |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith(f"{package}."):
                imports.add(node.module.split(".")[1])
    return found


@pytest.mark.parametrize("package", ROWS)
def test_a_module_imports_only_its_own_row_and_what_is_named_there(package: str) -> None:
    found, rows = rooms_of(package), {tuple(names.split()): allowed for names, allowed in ROWS[package].items()}
    others = {"__init__", "__main__", "cli"} | SHARED[package]
    assert {name for names in rows for name in names} | others >= set(found), "every module has a row"
    for names, allowed in rows.items():
        for name in names:
            assert found[name] <= {*names, *allowed} | SHARED[package], name


def test_the_command_reaches_all_of_the_search() -> None:
    assert rooms_of("search")["cli"] >= {"run", "show", "history"}


def test_no_module_imports_itself_through_others() -> None:
    imports = {name: imports_of(file) for name, file in modules().items()}
    for name in imports:
        seen, ahead = set(), set(imports[name])
        while ahead:
            seen |= ahead
            ahead = {further for each in ahead for further in imports.get(each, ())} - seen
        assert name not in seen, name


def modules() -> dict[str, Path]:
    """The files of the three packages by the names of their modules; those of packages are left out."""
    files = (file for package in ("architectures", "trainables", "search") for file in (ROOT / package).rglob("*.py"))
    return {".".join(file.relative_to(ROOT).with_suffix("").parts): file for file in files if file.stem != "__init__"}


def imports_of(file: Path) -> set[str]:
    """Modules that a file imports when it is imported itself."""
    found: set[str] = set()
    for node in ast.parse(file.read_text()).body:
        if isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found
