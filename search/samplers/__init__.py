"""Who draws configurations from a space."""
