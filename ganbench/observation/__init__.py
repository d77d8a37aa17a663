"""Signals and probes of a run in training, written into its history."""
