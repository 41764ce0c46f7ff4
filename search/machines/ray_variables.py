"""What Ray and Tune read from the environment when they are imported. Import this before Ray."""

import os

VARIABLES = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    # Otherwise Ray starts every worker of a driver below `uv run` with `uv run`, in a new environment.
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    # Otherwise `ray.init` waits, without end, until idle workers have started, which may not be able to.
    "RAY_prestart_worker_first_driver": "0",
    # A raylet looks for its object store's socket before that is there, and again after this time, Ray's a second.
    "RAY_raylet_client_connect_timeout_milliseconds": "20",
    "RAY_raylet_client_num_connect_attempts": "500",  # and in all as long as otherwise
    "RAY_AIR_NEW_OUTPUT": "0",  # Tune's older reporter is the one that verbose=0 silences
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "1e9",
    "TUNE_WARN_THRESHOLD_S": "5",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # the session handles Ctrl-C
}
"""Their names and values; those that are set already stay as they are."""

for _name, _value in VARIABLES.items():
    os.environ.setdefault(_name, _value)
