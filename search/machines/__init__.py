"""Where trials run: on this machine, in a local Ray, or on a cluster."""

from search.machines import ray_variables as ray_variables  # before any module of the package imports Ray
