"""Components that make a run fail in a known way. Any suite may use them, to see a failure happen."""
