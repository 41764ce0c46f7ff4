"""`python -m search` is the command `hpsearch`."""

from hpsearch_command import main

main()
