"""Engines execute tasks. An engine asks the driver for tasks and returns the answers; the driver knows no engine.

`tune` runs warm Ray actors on cores, GPUs and clusters; `inline` runs in this process, without Ray; `simulated`
simulates a search with recorded or random curves and its own clock.
"""

ENGINES = ("tune", "inline")
"""The engines that train; each is a module of this package with a function `train`."""

DEFAULT_ENGINE = "tune"
