"""The retrained winners, put to use: predictions, exported networks, model cards."""
