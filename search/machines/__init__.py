"""Where trials run: this machine, a Ray of its own, or a cluster."""
