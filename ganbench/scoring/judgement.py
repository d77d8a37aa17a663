"""What a diagnoser says of a history."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ..records import Finding, Horizon

HORIZONS: tuple[Horizon, ...] = ("now", "end")


@dataclass(frozen=True)
class Judgement:
    """What a diagnoser says of a history as to one failure: how strongly it suspects it, and its finding if any.

    `suspicion` orders runs: higher is more suspect. It is all that AUROC looks at.
    """

    suspicion: Mapping[Horizon, float]
    finding: Finding | None  # the gravest of severity `failure`, of either horizon
