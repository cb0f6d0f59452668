"""`python -m cman`, the same as `cman`."""

from cman.cli import main

main()
