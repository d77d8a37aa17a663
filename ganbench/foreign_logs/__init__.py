"""Logs of other programs: whatever their format, a run's signals by our names, and what they can tell."""

from .history import to_history
from .log import Log, Series, what_was_read
from .parquet import Recording
from .patterns import compiled
from .reading import Found, read
from .verdicts import verdicts, weighed

__all__ = [
    "Found",
    "Log",
    "Recording",
    "Series",
    "compiled",
    "read",
    "to_history",
    "verdicts",
    "weighed",
    "what_was_read",
]
