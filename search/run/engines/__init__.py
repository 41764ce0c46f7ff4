"""What executes tasks. An engine asks the driver for tasks and brings it the answers; the driver knows none of them.

`tune` runs warm Ray actors on cores, GPUs and clusters; `inline` runs in this process, without Ray; `simulated` plays
recorded or made-up curves against a clock.
"""

ENGINES = ("tune", "inline")
"""The engines that train; each is a module of this package with a function `train`."""

DEFAULT_ENGINE = "tune"
