"""What a diagnoser predicts: a score and findings, now and for the end of the budget."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...contract.records import Finding, Horizon

HORIZONS: tuple[Horizon, ...] = ("now", "end")


@dataclass(frozen=True)
class Prediction:
    """What a diagnoser predicts for one failure in a history.

    Attributes:
        score: Orders runs by horizon: higher is more suspect. AUROC looks at nothing else.
        findings: The findings of severity `failure`.
    """

    score: Mapping[Horizon, float]
    findings: Sequence[Finding]

    def finds(self, horizon: Horizon) -> bool:
        """Return whether there is a finding of this horizon; a present state counts as a forecast."""
        return any(finding.horizon in (horizon, "now") for finding in self.findings)

    @property
    def confidence(self) -> float:
        """The confidence of the most confident finding, which `stop_on` looks at; 0 without any."""
        return max((finding.confidence for finding in self.findings), default=0.0)
