"""Where trials run: this machine, a Ray of its own, or a cluster."""

from search.machines import ray_variables as ray_variables  # before any module of the package imports Ray
