"""Remedies tried: the failed trials of a run trained again with what was recommended, and with a tip at random."""

from .cases import how_judged
from .planning import Plan, Request, prepare
from .stages import differences, surroundings, trying, verifying
from .writing import Tables, write_tables

__all__ = [
    "Plan",
    "Request",
    "Tables",
    "differences",
    "how_judged",
    "prepare",
    "surroundings",
    "trying",
    "verifying",
    "write_tables",
]
