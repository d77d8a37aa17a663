"""Logs of other programs: whatever their format, a run's signals by our names, and what they can tell."""

from .formats.parquet import Recording
from .formats.patterns import compiled
from .history import to_history
from .log import Log, Series, what_was_read
from .read import Found, read_logs
from .rules import apply_rules, rank_findings

__all__ = [
    "Found",
    "Log",
    "Recording",
    "Series",
    "apply_rules",
    "compiled",
    "rank_findings",
    "read_logs",
    "to_history",
    "what_was_read",
]
