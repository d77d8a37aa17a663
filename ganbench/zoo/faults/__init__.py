"""Components that make a run fail in a known way. Ordinary components: any suite may use them, to see a failure happen."""
