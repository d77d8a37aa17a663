"""zoo/faults."""
