"""builtin/datasets."""
