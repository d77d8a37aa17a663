"""The diagnoses for a training loop that is not ours."""

from .monitor import Monitor

__all__ = ["Monitor"]
