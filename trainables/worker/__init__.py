"""One slot's work: its task, its checkpoints, its watchdog. Only `actor` imports Ray."""
