"""Doing it: launch, resume and retrain."""
