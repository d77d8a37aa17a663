"""Would G improve under a smooth D? Forks of the run, trained for a little while under three kinds of rules."""

from __future__ import annotations

import torch

import ganbench

from ..regularizers import R1, R2

MIN_AUC, MIN_DISTANCE = 0.95, 0.3  # an alarm: D is hardly ever wrong, and G this far from the data
MIN_AGE = 0.08  # of the budget: a young D may well be ahead
FORK_SHARE = 0.05  # of the budget that each fork is trained
MAX_FORKS = 3  # in a run
N_SAMPLES = 512  # behind each number


class SmoothDFork:
    """Forks a run that gives an alarm: unchanged, with a smooth D, and with a slow one."""

    def __init__(self, done: int = 0) -> None:
        self.done = done  # forks so far

    def measure(self, view: ganbench.View) -> dict[str, float]:
        """Return the energy distance that each fork reaches, and the present one; nothing without an alarm."""
        game = view.game
        if game is None or self.done >= MAX_FORKS or view.step < MIN_AGE * view.steps or not self._alarm(view):
            return {}
        self.done += 1
        steps = max(1, round(FORK_SHARE * view.steps))
        weight = float(view.data_std) ** 2
        smooth = {"r1": R1(weight=weight), "r2": R2(weight=weight)}
        try:
            forks = {
                "unchanged": game.fork(steps),
                "smooth_d": game.fork(steps, more_regularizers=smooth),
                "slow_d": game.fork(steps, lr_d=0.1, d_steps=1),
            }
        except (TypeError, RuntimeError):  # a component that cannot be copied: the run continues without
            return {}
        distances = {"now": _distance(view)}
        for name, fork in forks.items():
            with fork.view.at(fork.steps_done) as there:
                distances[name] = _distance(there)
        return distances

    def _alarm(self, view: ganbench.View) -> bool:
        n = view.round_to_pack(N_SAMPLES)
        real, fake = view.held_out(n), view.evaluated(n)
        with torch.no_grad():
            higher = view.logits(real)[:, None] > view.logits(fake)[None, :]
        return float(higher.float().mean()) >= MIN_AUC and _distance(view) >= MIN_DISTANCE


def _distance(view: ganbench.View) -> float:
    """The energy distance of generated to held-out samples, over the mean distance of two held-out ones."""
    real, fake = view.held_out(N_SAMPLES).x.flatten(1), view.evaluated(N_SAMPLES).x.flatten(1)
    between_real = torch.pdist(real).mean()
    return float((2 * torch.cdist(real, fake).mean() - between_real - torch.pdist(fake).mean()) / between_real)
