"""Which of D's heads has become too strong, where it has several."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

import ganbench

from .readings import recent

PREFIX = "auc_d_head_"  # of the columns with each head's AUC, counted from 1
MIN_HEAD_AUC = 0.95  # of a head that is hardly ever wrong
MIN_LEAD = 0.15  # over the median of the others, so that one stands out


@dataclass(frozen=True)
class StrongHead:
    """A head that is hardly ever wrong while the others are.

    Attributes:
        number: Which, counted from 1.
        of: How many there are.
        auc: Its AUC on held-out data.
        others: The median AUC of the others.
    """

    number: int
    of: int
    auc: float
    others: float

    def __str__(self) -> str:
        return (
            f"Head {self.number} of {self.of} is hardly ever wrong (AUC {self.auc:.2f}), "
            f"and the others are (median AUC {self.others:.2f})"
        )

    def evidence(self, step: int) -> dict[str, ganbench.Evidence]:
        """Return its AUC beside that of the others."""
        return {f"{PREFIX}{self.number}": ganbench.Evidence(self.auc, self.others, step)}


def find_strong_head(columns: Mapping[str, np.ndarray[Any, Any]]) -> StrongHead | None:
    """Return the head that is far ahead of the others by the last observations; None if no single one is."""
    aucs = {int(name.removeprefix(PREFIX)): recent(columns, name) for name in columns if name.startswith(PREFIX)}
    if len(aucs) < 2:
        return None
    number = max(aucs, key=lambda head: aucs[head])
    others = float(np.median([auc for head, auc in aucs.items() if head != number]))
    if not (aucs[number] >= MIN_HEAD_AUC and aucs[number] - others >= MIN_LEAD):
        return None
    return StrongHead(number, len(aucs), aucs[number], others)
