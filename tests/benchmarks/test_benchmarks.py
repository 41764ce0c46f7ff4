"""Benchmarks end, and print what they promise: the GPU's without a GPU and without Ray, the others with theirs."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OPTIONS = "--families cnn5 --optimizers adam adagrad --batches 8 --steps 2 --epochs 1 --processes 2 --seconds 0.1"


def tables_of(printed: str) -> list[list[dict[str, str]]]:
    """Every Markdown table, its rows by column."""
    found = []
    for block in re.findall(r"(?:^\|.*\n?)+", printed, flags=re.MULTILINE):
        names, _, *rows = ([cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines())
        found.append([dict(zip(names, row, strict=True)) for row in rows])
    return found


def number(cell: str) -> float:
    """The figure that a cell begins with."""
    return float(re.split(r"[ ×%]", cell)[0].replace(",", ""))


@pytest.mark.slow
def test_without_a_gpu_all_but_the_captured_columns_is_measured_and_ray_is_not_imported() -> None:
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    # Processes that it spawns inherit -X importtime.
    command = [sys.executable, "-X", "importtime", "benchmarks/gpu.py", *OPTIONS.split()]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.returncode == 0, done.stderr[-2000:]
    imported = set(re.findall(r"^import time:.*\| +([\w.]+)$", done.stderr, flags=re.MULTILINE))
    assert "torch" in imported
    assert not {name for name in imported if name.partition(".")[0] == "ray"}

    steps, loader, processes, failures = tables_of(done.stdout)
    assert [(row["network"], row["optimizer"], row["batch"]) for row in steps] == [
        ("cnn5", "adam", "8"),
        ("cnn5", "adagrad", "8"),
    ]
    for row in steps:
        assert all(row[f"captured {what}"] == "unmeasured" for what in ("steps/s", "images/s", "of copy", "of product"))
        assert number(row["eager images/s"]) == pytest.approx(8 * number(row["eager steps/s"]), rel=0.1)
        assert number(row["eager steps/s"]) > 0
    assert [(row["network"], row["batch"], row["captured is faster by"]) for row in loader] == [
        ("cnn5", "8", "unmeasured")
    ]
    assert number(loader[0]["loop images/s"]) > 0
    assert [(row["network"], row["batch"]) for row in processes] == [("cnn5", "8")]
    assert number(processes[0]["2 processes"]) > 0
    assert (processes[0]["enough"], processes[0]["2 processes, by turns"]) == ("2", "unmeasured")
    assert (failures[0]["others"], failures[0]["train on"], failures[0]["MPS"]) == ("1", "1", "unmeasured")


@pytest.mark.slow
def test_workers_share_the_data() -> None:
    command = [sys.executable, "benchmarks/data.py", "--images", "20000", "--workers", "2"]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=280)
    assert done.returncode == 0, done.stderr[-2000:]
    (rows,) = tables_of(done.stdout)
    times = {row["way"]: number(row["times the data"]) for row in rows}
    assert times["no data"] == 0
    assert times["shared"] < 0.2  # of 58.6 MiB: what one process has more or less than another
    shared = next(number(row["shared memory of all, MiB"]) for row in rows if row["way"] == "shared")
    assert shared == pytest.approx(58.6, abs=5)
    assert times["copied"] > 0.8


@pytest.mark.slow
def test_the_scripts_that_a_search_is_compared_with_have_ray_and_tune_as_they_come() -> None:
    program = "import json, end_to_end; print(json.dumps(end_to_end.ENVIRONMENT))"
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("RAY_", "TUNE_"))}
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env=clean | {"PYTHONPATH": "benchmarks"},
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    given = {name: value for name, value in json.loads(done.stdout).items() if name.startswith(("RAY_", "TUNE_"))}
    assert given == {"RAY_USAGE_STATS_ENABLED": "0"}
