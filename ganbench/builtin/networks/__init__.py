"""builtin/networks."""
