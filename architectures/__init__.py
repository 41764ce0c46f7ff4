"""Networks as data: what they are, how they are built, what they cost. Knows torch and nothing else."""
