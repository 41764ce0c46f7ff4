"""For other tools: sinks that read a search's record and write elsewhere.

To add a sink, add a module whose `make(folder, name)` gives a `sink.Sink`, and its name here.
"""

SINKS = {
    "tensorboard": "search.follow.tensorboard",
    "optuna": "search.follow.optuna",
}
