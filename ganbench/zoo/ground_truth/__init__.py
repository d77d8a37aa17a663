"""What is true of a run, by code that shares nothing with diagnoses.

Where it looks like theirs (energy distance, AUC, forks with a smooth D) it is written again on purpose: a fault in a
shared function would hide itself.
"""
