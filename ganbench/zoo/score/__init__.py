"""How good diagnoses are: tried on recorded runs of which the truth is known."""
