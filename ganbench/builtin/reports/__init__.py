"""builtin/reports."""
