"""Stage 5: samples to scores, each beside its floor."""

from .sampling import generate
from .scoring import Evaluator

__all__ = ["Evaluator", "generate"]
