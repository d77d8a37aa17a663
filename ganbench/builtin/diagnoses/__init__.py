"""builtin/diagnoses."""
