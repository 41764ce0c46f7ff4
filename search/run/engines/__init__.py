"""What executes tasks."""
