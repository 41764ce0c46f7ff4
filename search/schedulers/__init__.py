"""What to stop, pause or go on with."""
