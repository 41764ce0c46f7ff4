"""`python -m search` is the command `hpsearch`."""

from search.cli.main import main

main()
