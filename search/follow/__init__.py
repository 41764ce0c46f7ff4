"""Output for other tools: sinks that read a search's record and write it in the tools' formats.

To add a sink, add a module whose `make(folder, search)` gives a `sink.Sink`, and its name here.
"""

#: The sinks, each a module of that name in this package, with the library that it needs.
SINKS = {
    "tensorboard": "tensorboardX",
    "optuna": "optuna",
    "mlflow": "mlflow",
    "wandb": "wandb",
}
