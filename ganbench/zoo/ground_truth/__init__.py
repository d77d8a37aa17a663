"""zoo/ground_truth."""
