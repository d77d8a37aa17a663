"""Stage 8: stored results compared over seeds: intervals, ranks, failure rates, verdicts."""

from .loading import Comparison, compare, load

__all__ = ["Comparison", "compare", "load"]
