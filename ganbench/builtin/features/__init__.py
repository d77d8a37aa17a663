"""builtin/features."""
