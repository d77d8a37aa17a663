"""The terms of a loss by name: one that has no gradient teaches nothing."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

from ...contract.records import Player, WiringFault

StepLoss = Tensor | float | Mapping[str, Tensor | float] | None  # a loss of a step, or its terms by name
MIN_STEPS = 4  # in which a term has had no gradient


class LossTerms:
    """Counts in how many steps each term of a loss had no gradient, beside others that had one."""

    def __init__(self) -> None:
        self._without: dict[tuple[Player, str], int] = {}
        self._with: set[tuple[Player, str]] = set()
        self._told: set[tuple[Player, str]] = set()

    def add(self, player: Player, loss: StepLoss) -> None:
        """Take in the loss of a step. Losses that are detached as a whole say nothing."""
        if not isinstance(loss, Mapping) or not any(isinstance(t, Tensor) and t.requires_grad for t in loss.values()):
            return
        for name, term in loss.items():
            key = (player, str(name))
            if isinstance(term, Tensor) and term.requires_grad:
                self._with.add(key)
            elif isinstance(term, Tensor):
                self._without[key] = self._without.get(key, 0) + 1

    def find_fault(self, step: int) -> WiringFault | None:
        """Return the fault of terms that have had no gradient in any of several steps, once."""
        blind = [
            key
            for key, n in self._without.items()
            if n >= MIN_STEPS and key not in self._with and key not in self._told
        ]
        if not blind:
            return None
        player = blind[0][0]
        names = [name for of, name in blind if of == player]
        self._told |= {(player, name) for name in names}
        return WiringFault("term-without-gradient", player, step, {"terms": ", ".join(map(repr, names))})
