"""What a diagnoser says of a history: how suspect it is, now and at the end, and its findings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...contract.records import Finding, Horizon

HORIZONS: tuple[Horizon, ...] = ("now", "end")


@dataclass(frozen=True)
class Prediction:
    """What a diagnoser says of a history as to one failure: how strongly it suspects it, and what it finds.

    `score` orders runs: higher is more suspect. It is all that AUROC looks at. `findings` are those of severity
    `failure`.
    """

    score: Mapping[Horizon, float]
    findings: Sequence[Finding]

    def finds(self, horizon: Horizon) -> bool:
        """Whether there is a finding of this horizon; a state stands in for a forecast that was not made."""
        return any(finding.horizon in (horizon, "now") for finding in self.findings)

    @property
    def confidence(self) -> float:
        """Of the surest finding, as a run's `stop_on` looks at it; 0 without any."""
        return max((finding.confidence for finding in self.findings), default=0.0)
