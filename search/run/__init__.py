"""Running searches: launch, resume and retrain."""
