"""How good diagnoses are: tested on recordings of runs whose failures are known."""
