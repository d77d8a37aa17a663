"""Samples to scores, each beside its floor."""
