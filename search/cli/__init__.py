"""The command `hpsearch`; one module a group of verbs."""
