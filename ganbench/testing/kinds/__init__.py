"""testing/kinds."""
