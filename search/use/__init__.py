"""Uses of the retrained winners: predictions, exported networks, model cards."""
