"""Checks of this machine and of a cluster: what they offer, what is missing, and what to do about it."""
