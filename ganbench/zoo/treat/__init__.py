"""Tries remedies: failed trials trained again with what was recommended, with a control at random, and unchanged."""

from .cases import describe_outcomes
from .plan import TreatPlan, TreatRequest, prepare_treatment
from .tables import Tables, write_tables
from .treat import differences, environment_diff, reproduce, treat

__all__ = [
    "Tables",
    "TreatPlan",
    "TreatRequest",
    "describe_outcomes",
    "differences",
    "environment_diff",
    "prepare_treatment",
    "reproduce",
    "treat",
    "write_tables",
]
