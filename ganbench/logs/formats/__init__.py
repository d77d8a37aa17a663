"""logs/formats."""
