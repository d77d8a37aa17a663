"""builtin/executors."""
