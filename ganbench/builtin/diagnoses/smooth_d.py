"""Would G get on if D were held back? The run's state cloned and played on for a little while, in three ways."""

from __future__ import annotations

import torch

import ganbench

from ..regularizers import R1, R2

STRONG, BEHIND = 0.95, 0.3  # an alarm: D is hardly ever wrong, and so far is G from the data
FIRST_PROBE = 0.08  # of the budget: a younger D may well be ahead
FORK_SHARE = 0.05  # of the budget that each way is followed
MAX_FORK_STEPS = 3  # times a run
SEEN = 512  # samples behind each number


class SmoothDFork:
    """Follows a run that gives alarm on unchanged, with a smooth D, and with a slow one."""

    def __init__(self) -> None:
        self._done = 0

    def measure(self, view: ganbench.View) -> dict[str, float]:
        """The energy distance that each way leads to, and the present one; nothing where there is no alarm."""
        game = view.game
        if (
            game is None
            or self._done >= MAX_FORK_STEPS
            or view.step < FIRST_PROBE * view.steps
            or not self._alarm(view)
        ):
            return {}
        self._done += 1
        steps = max(1, round(FORK_SHARE * view.steps))
        weight = float(view.data_std) ** 2
        smooth = {"r1": R1(weight=weight), "r2": R2(weight=weight)}
        try:
            ways = {
                "unchanged": game.fork(steps),
                "smooth_d": game.fork(steps, more_regularizers=smooth),
                "slow_d": game.fork(steps, lr_d=0.1, d_steps=1),
            }
        except (TypeError, RuntimeError):  # a part of somebody's that cannot be copied: the run goes on without it
            return {}
        distances = {"now": _distance(view)}
        for name, way in ways.items():
            with way.view.at(way.steps_done) as there:
                distances[name] = _distance(there)
        return distances

    def _alarm(self, view: ganbench.View) -> bool:
        n = view.round_to_pack(SEEN)
        real, fake = view.held_out(n), view.evaluated(n)
        with torch.no_grad():
            higher = view.logits(real)[:, None] > view.logits(fake)[None, :]
        return float(higher.float().mean()) >= STRONG and _distance(view) >= BEHIND


def _distance(view: ganbench.View) -> float:
    """Energy distance of generated to held-out samples, over the mean distance of two held-out ones."""
    real, fake = view.held_out(SEEN).x.flatten(1), view.evaluated(SEEN).x.flatten(1)
    apart = torch.pdist(real).mean()
    return float((2 * torch.cdist(real, fake).mean() - apart - torch.pdist(fake).mean()) / apart)
