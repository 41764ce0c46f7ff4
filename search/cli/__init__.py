"""The command `hpsearch`; one module for each group of subcommands."""
