"""Networks as data: their definition, construction and cost. Imports torch and nothing else."""
