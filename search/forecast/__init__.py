"""What a search will cost: seconds and memory of its configurations."""
