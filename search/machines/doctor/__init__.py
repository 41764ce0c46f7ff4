"""What this machine and a cluster offer, what is missing, and what to do about it."""
