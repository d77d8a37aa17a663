"""Rules that derive findings from the scalars of a log alone.

Losses are not comparable across objectives, and rules on them alone are heuristics: on public logs of 64 runs the best
of them found two thirds of the bad runs with one alarm in five false, with a threshold fitted to those very runs.
Losses alone therefore give warnings only, and never a healthy verdict.
"""

from .apply import apply_rules, rank_findings

__all__ = ["apply_rules", "rank_findings"]
