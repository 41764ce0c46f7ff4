"""For other tools: sinks that read a search's record and write elsewhere.

To add a sink, add a module whose `make(folder, search)` gives a `sink.Sink`, and its name here.
"""

#: The sinks, each the module of its name in this package, and the library that it needs.
SINKS = {
    "tensorboard": "tensorboardX",
    "optuna": "optuna",
    "mlflow": "mlflow",
    "wandb": "wandb",
}
