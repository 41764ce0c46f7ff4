"""How one configuration is trained, checkpointed, retrained and tested. Only `trial` knows Ray."""
