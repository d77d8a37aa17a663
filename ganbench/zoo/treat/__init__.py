"""Remedies tried: the failed trials of a run trained again with what was recommended, and with a tip at random."""

from .cases import how_judged
from .plan import TreatPlan, TreatRequest, prepare_treatment
from .tables import Tables, write_tables
from .treat import differences, environment_diff, reproduce, treat

__all__ = [
    "Tables",
    "TreatPlan",
    "TreatRequest",
    "differences",
    "environment_diff",
    "how_judged",
    "prepare_treatment",
    "reproduce",
    "treat",
    "write_tables",
]
