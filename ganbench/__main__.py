"""`python -m ganbench`, the same as `ganbench`."""

from .cli import main

main()
