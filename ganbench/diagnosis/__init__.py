"""Histories to findings and verdicts: of a live run, a stored run, or a log."""
