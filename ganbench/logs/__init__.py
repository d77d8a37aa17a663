"""Logs of other programs: read them in many formats, name their signals and derive findings from them."""

from .formats.parquet import StoredHistory
from .formats.patterns import compile_patterns
from .history import to_history
from .log import Log, Series, describe_log
from .read import ReadLogs, read_logs
from .rules import apply_rules, rank_findings

__all__ = [
    "Log",
    "ReadLogs",
    "Series",
    "StoredHistory",
    "apply_rules",
    "compile_patterns",
    "describe_log",
    "rank_findings",
    "read_logs",
    "to_history",
]
