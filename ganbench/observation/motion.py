"""How the samples of fixed latents move from observation to observation: learning, standing still, going in circles."""

from __future__ import annotations

import itertools
import math
from collections import deque

from torch import Tensor

from .view import RunView

FOLLOWED = 64  # fixed latents
WINDOW = 10  # observations that the path is looked at over


class Motion:
    """Follows the samples that G makes of the same latents."""

    def __init__(self) -> None:
        self._positions: deque[Tensor] = deque(maxlen=WINDOW + 1)

    def measure(self, view: RunView) -> dict[str, Tensor | float]:
        """The move since the last observation; NaN as long as there is nothing to compare with.

        `motion_speed` is its mean length over the distance of two real samples (root mean square), `motion_turn` its mean cosine with the
        move before (-1: back and forth), `motion_progress` the mean distance covered over the last observations,
        divided by the length of the path (0: in circles, 1: straight on).
        """
        self._positions.append(view.fixed(FOLLOWED).flatten(1))
        row: dict[str, Tensor | float] = dict.fromkeys(("motion_speed", "motion_turn", "motion_progress"), math.nan)
        positions = list(self._positions)
        moves = [after - before for before, after in itertools.pairwise(positions)]
        if moves:
            apart = view.data_std * (2 * positions[-1].shape[1]) ** 0.5
            row["motion_speed"] = moves[-1].norm(dim=1).mean() / apart
        if len(moves) > 1:
            now, before = moves[-1], moves[-2]
            lengths = (now.norm(dim=1) * before.norm(dim=1)).clamp_min(1e-12)
            row["motion_turn"] = ((now * before).sum(dim=1) / lengths).mean()
            path = sum(move.norm(dim=1) for move in moves)
            assert isinstance(path, Tensor)
            row["motion_progress"] = ((positions[-1] - positions[0]).norm(dim=1) / path.clamp_min(1e-12)).mean()
        return row
