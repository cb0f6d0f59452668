"""`python -m cman`, the same as `cman`."""

from cman.cli.app import main

main()
