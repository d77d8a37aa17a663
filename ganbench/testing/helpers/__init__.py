"""testing/helpers."""
