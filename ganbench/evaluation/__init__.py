"""Stage 5: samples to scores, each beside its floor."""

from .scoring import Evaluator
from .sampling import generate

__all__ = ["Evaluator", "generate"]
