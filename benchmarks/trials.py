"""Measures what a trial costs that trains nothing: this project's engine against Ray Tune alone with its own loggers.

Each run is a process of its own, so that its memory is that of one search. Ours draws from `cnn_all`, checks every draw
against the images and writes every event to the ledger, as `hpsearch launch` does; only the worker answers at once.
Tune's trials are drawn by its random search from as many hyperparameters, its loggers, snapshots and reporter are those
it comes with. Without `reuse_actors`, Tune's default, a trial takes seconds: fewer are measured.

`python benchmarks/trials.py` prints a Markdown table.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import header, spread, table

from search.history.events import FINAL, Ended, Event, Measured, State

EVERY = 100  # trials between two readings of the memory, and in the mean at the beginning and at the end


def resident() -> float:
    """MiB of memory that this process has (VmRSS)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS"))


class Clock:
    """Notes when each trial ends (Unix seconds) and the memory (MiB) at every hundredth."""

    def __init__(self) -> None:
        self.times: list[float] = []
        self.memory: list[float] = []

    def tick(self) -> None:
        """A trial has ended."""
        self.times.append(time.time())
        if len(self.times) % EVERY == 0:
            self.memory.append(resident())


def ours(trials: int, clock: Clock) -> None:
    """This project's engine with a worker that answers at once, as if it had trained its last epoch."""
    # Imported late, here and below: the process that waits for the runs needs none of it.
    from searching import noise, pretended, ray_for, run_search

    from search.machines import machine
    from search.run.engines.tuner import Worker  # not from where it is defined: Ray reads the environment on import
    from search.spaces import find_space

    class Idle(Worker):
        def step(self) -> dict[str, Any]:
            epochs = self.config["task"]["config"]["training"]["epochs"]
            return pretended(State.DONE, epochs, val_accuracy=0.5)

    def listen(event: Event) -> None:
        if isinstance(event, Measured | Ended) and event.state in FINAL:
            clock.tick()

    here = machine.find(None)
    with ray_for(here):
        run_search(
            Idle,
            find_space("cnn_all"),
            noise(100),
            noise(20),
            here,
            samples=trials,
            epochs=30,
            scheduler="asha",
            listen=listen,
        )


def tune_alone(trials: int, clock: Clock, **options: Any) -> None:
    """Ray Tune as it comes."""
    import ray
    from ray import tune

    # And nothing of `search.machines`, which sets Ray's variables.
    from trainables import limits

    class Idle(tune.Trainable):
        def setup(self, config: dict[str, Any]) -> None:
            pass

        def reset_config(self, new_config: dict[str, Any]) -> bool:
            return True

        def step(self) -> dict[str, Any]:
            return {"score": self.config["lr"], "done": True}

    class Ends(tune.Callback):
        def on_trial_complete(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
            clock.tick()

    names = ("network", "optimizer", "width", "activation", "pool", "norm", "batch_size", "label_smoothing", "schedule")
    space = {name: tune.choice(["a", "b", "c", "d"]) for name in names}
    space |= {name: tune.uniform(0, 1) for name in ("conv_dropout", "head_dropout", "momentum", "dampening")}
    space |= {name: tune.loguniform(1e-6, 1) for name in ("lr", "weight_decay")}
    ray.init(num_cpus=limits.cores())
    with tempfile.TemporaryDirectory() as folder:
        tune.Tuner(
            tune.with_resources(Idle, {"CPU": 1}),
            param_space=space,
            tune_config=tune.TuneConfig(metric="score", mode="max", num_samples=trials, **options),
            run_config=tune.RunConfig(
                storage_path=folder,
                callbacks=[Ends()],
                checkpoint_config=tune.CheckpointConfig(checkpoint_at_end=False),  # there is nothing to save
            ),
        ).fit()
    ray.shutdown()


WAYS: dict[str, Callable[[int, Clock], None]] = {
    "hpsearch": ours,
    "Tune, `reuse_actors`": lambda trials, clock: tune_alone(trials, clock, reuse_actors=True),
    "Tune, its default": tune_alone,
}


def measure(way: str, trials: int) -> dict[str, float]:
    """A run in a process of its own: ms a trial over all, at the hundredth and at the end; the driver's MiB then."""
    print(f"{way}, {trials} trials …", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        to, output = Path(folder) / "clock.json", Path(folder) / "output"
        command = [sys.executable, __file__, "--way", way, "--trials", str(trials), "--to", str(to)]
        environment = {**os.environ, "RAY_USAGE_STATS_ENABLED": "0"}
        with output.open("w") as file:
            failed = subprocess.run(command, stdout=file, stderr=subprocess.STDOUT, env=environment, check=False)
        if failed.returncode:
            sys.exit(f"{way} failed:\n{output.read_text()[-4000:]}")
        clock = json.loads(to.read_text())
    times, memory = clock["times"], clock["memory"]
    assert len(times) == trials, f"{len(times)} of {trials} trials ended"
    found = {"ms": 1000 * (times[-1] - times[0]) / (trials - 1)}
    if trials >= 2 * EVERY:
        half = EVERY // 2
        found["early"] = 1000 * (times[EVERY + half - 1] - times[half - 1]) / EVERY
        found["late"] = 1000 * (times[-1] - times[-1 - EVERY]) / EVERY
        found["early MiB"], found["late MiB"] = memory[0], memory[-1]
        found["growth"] = found["late"] / found["early"]
    return found


def report(runs: dict[str, list[dict[str, float]]], trials: dict[str, int]) -> str:
    """A row a way: medians and spreads over the runs."""
    base = [run["ms"] for run in runs["Tune, `reuse_actors`"]]

    def cell(way: str, name: str, form: str) -> str:
        values = [run[name] for run in runs[way] if name in run]
        return spread(values, form) if values else ""

    return table(
        [
            {
                "way": way,
                "trials": trials[way],
                "ms a trial": cell(way, "ms", ".1f"),
                "to Tune's": f"{statistics.median(run['ms'] for run in runs[way]) / statistics.median(base):.2f}×",
                "ms at the 100th": cell(way, "early", ".1f"),
                "ms in the last 100": cell(way, "late", ".1f"),
                "last to 100th": cell(way, "growth", ".2f"),
                "driver at the 100th, MiB": cell(way, "early MiB", ".0f"),
                "driver at the last, MiB": cell(way, "late MiB", ".0f"),
            }
            for way in runs
        ]
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=2000, help="of a run, at least 200")
    parser.add_argument("--cold", type=int, default=40, help="trials of a run of Tune's default; 0 leaves it out")
    parser.add_argument("--repeats", type=int, default=5, help="runs of each way, interleaved")
    parser.add_argument("--short", action="store_true", help="200 trials, none of Tune's default, one run")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)  # the run itself, in its own process
    parser.add_argument("--to", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.way:
        clock = Clock()
        WAYS[asked.way](asked.trials, clock)
        asked.to.write_text(json.dumps(vars(clock)))
        return
    if asked.short:
        asked.trials, asked.cold, asked.repeats = 200, 0, 1
    trials = {way: asked.cold if way == "Tune, its default" else asked.trials for way in WAYS}
    runs: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS if trials[way]}
    for _ in range(asked.repeats):
        for way, done in runs.items():
            done.append(measure(way, trials[way]))
    print(header("ray", "optuna"), end="\n\n")
    print(report(runs, trials))


if __name__ == "__main__":
    main()
