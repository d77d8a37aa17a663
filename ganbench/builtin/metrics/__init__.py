"""builtin/metrics."""
