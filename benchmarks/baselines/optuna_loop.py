"""Optuna's loop in one process: an objective that trains a configuration, one trial after the other."""

from typing import Any

import command
import optuna
import plain

from search.spaces import find_space


def main() -> None:
    parser = command.parser(__doc__)
    parser.add_argument("--workers", type=int, default=0, help="processes of each DataLoader")
    parser.add_argument("--threads", type=int, default=1, help="of torch")
    options = parser.parse_args()
    configs = find_space(str(options.configs)).configs
    settings = {key: getattr(options, key) for key in ("workers", "threads", "precision")}
    epochs: list[dict[str, Any]] = []

    def objective(trial: optuna.Trial) -> float:
        best = 0.0
        for epoch in plain.train(configs[trial.number], options.data, **settings):
            trial.report(epoch["val_accuracy"], epoch["epoch"])
            best = max(best, epoch["val_accuracy"])
            epochs.append({**epoch, "trial": trial.number})
        return best

    study = optuna.create_study(direction="maximize")
    study.optimize(objective, n_trials=len(configs))
    command.write(options.out, epochs)


if __name__ == "__main__":
    main()
