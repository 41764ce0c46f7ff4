"""Networks as data: what they are, how they are built and what they cost. Imports torch and nothing else."""
