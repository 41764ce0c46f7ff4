"""A plain Ray Tune script as Ray's documentation teaches it: a function that trains and reports."""

import os
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import command
import plain
import ray
from ray import tune
from ray.tune.schedulers import ASHAScheduler

from search.spaces import find_space
from trainables.config import Config


def train(config: dict[str, Any]) -> None:
    """Train one configuration and report each epoch."""
    settings = {key: config[key] for key in ("workers", "threads", "precision")}
    for epoch in plain.train(Config.from_json(config["point"]), Path(config["data"]), **settings):
        tune.report(epoch)


def main() -> None:
    parser = command.parser(__doc__)
    parser.add_argument("--cpus-per-trial", type=int, default=1, help="how many trials run at a time follows from it")
    parser.add_argument("--workers", type=int, default=0, help="processes of each DataLoader")
    parser.add_argument("--threads", type=int, default=1, help="of torch in each trial")
    parser.add_argument("--reuse", type=int, default=0, help="1: Tune's reuse_actors, a process for many trials")
    parser.add_argument("--asha", type=int, metavar="MAX_T", help="stop trials early with Tune's ASHA")
    options = parser.parse_args()
    configs = find_space(str(options.configs)).configs
    # Its own Ray on the cores of this process, whatever else runs on the machine.
    ray.init(address="local", num_cpus=len(os.sched_getaffinity(0)))
    with TemporaryDirectory(prefix="tune-script-") as storage:
        tuner = tune.Tuner(
            tune.with_resources(train, {"cpu": options.cpus_per_trial}),
            param_space={
                "point": tune.grid_search([config.to_json() for config in configs]),
                "data": str(options.data.absolute()),
                "workers": options.workers,
                "threads": options.threads,
                "precision": options.precision,
            },
            tune_config=tune.TuneConfig(
                metric="val_accuracy",
                mode="max",
                reuse_actors=bool(options.reuse),
                scheduler=options.asha and ASHAScheduler(max_t=options.asha, grace_period=1, reduction_factor=2),
            ),
            run_config=tune.RunConfig(storage_path=storage),
        )
        results = tuner.fit()
        if results.num_errors:
            raise SystemExit(f"{results.num_errors} trials failed, the first with {results.errors[0]}")
        epochs = [
            {**epoch, "trial": trial}
            for trial, result in enumerate(results)
            for epoch in result.metrics_dataframe.to_dict("records")
        ]
    command.write(options.out, epochs)


if __name__ == "__main__":
    main()
