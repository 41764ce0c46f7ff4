"""How one configuration is trained, checkpointed, retrained and tested. Only `worker.actor` imports Ray."""
