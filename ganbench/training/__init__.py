"""The state of one run, and the loop that trains it."""
