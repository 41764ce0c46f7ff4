"""Environment variables that Ray and Tune read when they are imported. Import this before Ray."""

import os

VARIABLES = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_AUTH_MODE": "token",
    # Otherwise, if the driver runs under `uv run`, Ray starts every worker with `uv run` too, in a new environment.
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    # Otherwise `ray.init` waits for idle workers to start, and for ever if they cannot.
    "RAY_prestart_worker_first_driver": "0",
    # A raylet looks for its object store's socket before that exists, and again after this time; Ray's default is 1 s.
    "RAY_raylet_client_connect_timeout_milliseconds": "20",
    "RAY_raylet_client_num_connect_attempts": "500",  # so it tries for as long as by default
    "RAY_AIR_NEW_OUTPUT": "0",  # verbose=0 silences only Tune's older reporter
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_GLOBAL_CHECKPOINT_S": "1e9",
    "TUNE_WARN_THRESHOLD_S": "5",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",  # the session handles Ctrl-C
}
"""Their names and values; variables that are already set keep their values."""

for _name, _value in VARIABLES.items():
    os.environ.setdefault(_name, _value)
