"""The ground truth of a run, as scores: distance, missing modes, what D misses, how far a fork with a smooth D gets.

Energy distance, gradient penalty and fork look like those of `ganbench.builtin`. They are written again on purpose:
ground truth shares no code with diagnoses, since a fault in a shared function would hide itself.
"""

from __future__ import annotations

import itertools
from collections import deque

import torch
from torch import Tensor

import ganbench

from .c2st import auc, c2st_auc
from .modes import ModeAssignment, assign_modes, to_coordinates
from .pictures import is_known, is_picture
from .rescue import reach, teach

PROBE_FRACTIONS = (0.1, 0.25, 0.5, 0.75, 1.0)  # of the budget at which everything is measured
MAX_COMPARED_SAMPLES = 1000  # real and generated each, behind an energy distance
MAX_PAIRED_SAMPLES = 500  # behind a mean distance of pairs
N_SAMPLES = 1500  # behind what is measured of D
FORK_AUC, FORK_MISSING = 0.9, 0.1  # AUC of D and share of missing modes from which a fork is tried
PICTURES_FORK_AUC = 0.95  # the same of pictures, whose forks are dear
FORK_SHARE, LONG_FORK_SHARE = 0.1, 0.5  # of the budget that a fork is trained; the long one starts at the middle
FORK_D_STEPS = 2  # a smooth D may learn fast
QUALITY_MAX_MODES = 100  # beyond so many modes quality does not count
MIN_MODE_SAMPLES = 8  # real samples of a mode; if no mode has so many, one generated sample reaches it
REACHED_SHARE = 0.1  # of a mode's share of the real samples, else
SAME_DISTANCE = 0.25  # of the usual one between neighbours among real pictures: two generated ones are the same


def energy_distance(some: Tensor, others: Tensor) -> float:
    """Return the energy distance (Székely and Rizzo 2013), unbiased, of the first 1,000 samples of each.

    It is infinite if one is not finite.
    """
    x, y = (part[:MAX_COMPARED_SAMPLES].flatten(1).double() for part in (some, others))
    if not (torch.isfinite(x).all() and torch.isfinite(y).all()):
        return float("inf")
    within = sum(torch.cdist(part, part).sum() / (len(part) * (len(part) - 1)) for part in (x, y))
    return float(2 * torch.cdist(x, y).mean() - within)


class SmoothD(ganbench.Regularizer):
    """D's squared gradient at real and generated samples, scaled to the data (R1 and R2, Mescheder et al. 2018)."""

    def __init__(self, weight: float) -> None:
        self.weight = weight

    def penalty(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> Tensor:
        """Return weight / 2 * E |grad D|^2, at both."""
        squares = [ganbench.input_gradient(d, batch).flatten(1).square().sum(1).mean() for batch in (real, fake)]
        return self.weight / 2 * (squares[0] + squares[1])


def smooth_d_fork(game: ganbench.Game, steps: int) -> ganbench.Game:
    """Fork the game with a D that is kept smooth, and train it `steps` further."""
    smooth = SmoothD(float(game.view.data_std) ** 2)
    return game.fork(steps, d_steps=FORK_D_STEPS, more_regularizers={"smooth": smooth})


class GroundTruth(ganbench.Metric):
    """What is true of a run: modes missing, what D misses, whether a smooth D would free G.

    - `missing`: share of modes (of a mixture, digits, stacked digits, classes of pictures) that G does not reach; `good`:
      share of samples that are credible ones of their mode; `spread`: their variance within a mode, over that of real
      ones; of pictures `same`: share of them that G makes again and again.
    - `distance`: energy distance to held-out data, of pictures in the features of a classifier trained apart.
      `rescued`: the same of a fork with a smooth D, after a tenth of the budget more, from states up to the middle of the
      budget; `rescued_end`: after half of the budget, once, from its middle or from the first state after it;
      `..._missing` likewise. Measured if D is strong and G behind. Of pictures, a copy of G is trained against a fresh
      smooth D in place of the fork, which would be dear; by another optimizer, so that `reach` says beside it how far
      G's own could take it.
    - `d_auc`: AUC of D, held-out against generated; `d_auc_in_training`: the same against the G that trains, where samples
      are of its running average; `strong_auc`: that of a classifier trained apart; `gap`: how much
      higher D's AUC is on training data; `copied`: distance of generated samples to training data, over that of
      held-out ones (1: as far, 0: copies).
    - `moved`: how far samples of the same noise have moved since the last evaluation, over the distance of two real
      ones; `circled`: share of their path over the last three moves that led nowhere (0: straight on, 1: back again).
    """

    better = {
        **dict.fromkeys(("missing", "same", "distance", "rescued", "rescued_end", "rescued_missing"), "lower"),
        **dict.fromkeys(("rescued_end_missing", "gap", "moved", "circled", "strong_auc"), "lower"),
        **dict.fromkeys(("good", "spread", "d_auc", "d_auc_in_training", "copied", "reach"), "higher"),
    }

    expected_failures = {
        "better-is-true": "of a thousand modes a few samples show no spread, and the others tell",
        "broken-samples-never-look-good": "of a thousand modes a few samples show no spread, and the others tell",
    }

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Return why the truth about the trial's data is not known; None if it is."""
        if trial.data.kind == "points":
            return None if trial.data.modes else f"{trial.dataset} does not state its modes"
        known = trial.data.shape in ((1, 8, 8), (3, 8, 8)) or is_known(trial.components.dataset, trial.data)
        return None if known else f"the modes of {trial.dataset} are not known"

    def __init__(self) -> None:
        self._observed: deque[Tensor] = deque(maxlen=4)
        self._long_fork_done = False

    def score(self, samples: ganbench.Samples) -> dict[str, float]:
        """Return what the samples alone show."""
        real, fake = (assign_modes(x, samples.modes) for x in (samples.real, samples.fake))
        truth = {
            "missing": missing(real, fake),
            "good": float(fake.good.double().mean()),
            "spread": spread(real, fake),
            "distance": energy_distance(to_coordinates(samples.real), to_coordinates(samples.fake)),
        }
        return truth | ({"same": same(samples.real, samples.fake)} if is_picture(samples.spec.shape) else {})

    def score_game(self, samples: ganbench.Samples, game: ganbench.Game) -> dict[str, float]:
        """Return everything at the probed fractions of the budget, and the cheap part in between."""
        done = game.steps_done / game.steps
        truth = self.score(samples) | self._motion(samples)
        if any(game.steps_done == max(1, round(fraction * game.steps)) for fraction in PROBE_FRACTIONS):
            truth |= _measure_discriminator(game)
            if is_picture(samples.spec.shape):
                truth["reach"] = reach(game)
            d_auc = truth.get("d_auc_in_training", truth["d_auc"])
            if truth["missing"] >= FORK_MISSING and self._is_worth_a_fork(game, d_auc):
                truth |= self._measure_fork(game, samples, done)
        return truth

    @staticmethod
    def _is_worth_a_fork(game: ganbench.Game, d_auc: float) -> bool:
        """Pictures are dear: their runs are forked once, in the middle or later."""
        if is_picture(game.view.data.shape):
            return d_auc >= PICTURES_FORK_AUC and game.steps_done >= LONG_FORK_SHARE * game.steps
        return d_auc >= FORK_AUC

    def _measure_fork(self, game: ganbench.Game, samples: ganbench.Samples, done: float) -> dict[str, float]:
        """How far a fork with a smooth D gets, after a while and, once, after half of the budget."""
        late = done >= LONG_FORK_SHARE - 1e-3
        if late and self._long_fork_done:
            return {}
        if is_picture(game.view.data.shape):
            self._long_fork_done = True
            taught = teach(game, round(LONG_FORK_SHARE * game.steps), len(samples.fake))
            return _distances(taught, samples, "rescued_end")
        soon = smooth_d_fork(game, round(FORK_SHARE * game.steps))
        truth = {} if done > LONG_FORK_SHARE + 1e-3 else _outcome(soon, samples, "rescued")
        if late:
            self._long_fork_done = True
            rest = round(LONG_FORK_SHARE * game.steps) - round(FORK_SHARE * game.steps)
            truth |= _outcome(soon.fork(rest), samples, "rescued_end")
        return truth

    def _motion(self, samples: ganbench.Samples) -> dict[str, float]:
        self._observed.append(samples.fake.flatten(1))
        observed = list(self._observed)
        moves = [(after - before).norm(dim=1) for before, after in itertools.pairwise(observed)]
        if not moves:
            return {}
        real = samples.real.flatten(1)
        between_real = torch.pdist(real[:MAX_PAIRED_SAMPLES]).mean()
        path = torch.stack(moves).sum(dim=0).clamp_min(1e-9)
        circled = 1 - ((observed[-1] - observed[0]).norm(dim=1) / path).mean()
        return {"moved": float(moves[-1].mean() / between_real), "circled": float(circled)}


def missing(real: ModeAssignment, fake: ModeAssignment) -> float:
    """Return the share of modes that are not reached, of those that as many real samples would reach."""
    n = len(fake.mode)
    of_any_quality = fake.mode.bincount(minlength=fake.n_modes).double()
    # Stacked digits are counted as on stacked MNIST (Metz et al. 2017), whatever the quality.
    counts = fake.counts if real.n_modes <= QUALITY_MAX_MODES else of_any_quality
    due = real.mode.bincount(minlength=real.n_modes).double() * n / len(real.mode)
    enough = due >= MIN_MODE_SAMPLES
    if enough.any():
        return float((counts < REACHED_SHARE * due)[enough].double().mean())
    expected = real.n_modes * (1 - (1 - 1 / real.n_modes) ** n)
    return max(0.0, 1 - float((counts > 0).sum()) / expected)


def spread(real: ModeAssignment, fake: ModeAssignment) -> float:
    """Return the variance within modes over that of real samples, the median of modes.

    It is 0 if no mode has enough generated samples, 1 if none has enough real ones to compare with.
    """
    of_real = real.spread()
    if of_real.isnan().all():
        return 1.0
    return float((fake.spread() / of_real).nanmedian().nan_to_num(0.0))


def _measure_discriminator(game: ganbench.Game) -> dict[str, float]:
    with game.view.at(game.steps_done) as view, torch.no_grad():
        n = view.round_to_pack(N_SAMPLES)
        held_out, seen, fake = view.held_out(n), view.real(n), view.evaluated(n)
        logits = [view.logits(batch).nan_to_num().cpu() for batch in (held_out, seen, fake)]
        d_auc = auc(logits[0], logits[2])
        truth = {
            "d_auc": d_auc,
            "gap": auc(logits[1], logits[2]) - d_auc,
            "strong_auc": c2st_auc(*(to_coordinates(part.x.cpu()) for part in (held_out, fake))),
            "copied": _copied(seen.x.cpu(), held_out.x.cpu(), fake.x.cpu()),
        }
        if view.fixed_of_average(1) is not None:
            in_training = view.logits(view.fake(n)).nan_to_num().cpu()
            truth["d_auc_in_training"] = auc(logits[0], in_training)
        return truth


def same(real: Tensor, fake: Tensor) -> float:
    """Return the share of generated pictures that have a twin among the others: far nearer than real neighbours are."""
    near_real, near_fake = (_to_nearest(part.flatten(1).nan_to_num()[:MAX_COMPARED_SAMPLES]) for part in (real, fake))
    return float((near_fake < SAME_DISTANCE * near_real.median()).double().mean())


def _to_nearest(x: Tensor) -> Tensor:
    return torch.cdist(x, x).fill_diagonal_(torch.inf).min(dim=1).values


def _copied(seen: Tensor, held_out: Tensor, fake: Tensor) -> float:
    to_generated, to_real = (
        torch.cdist(part[:MAX_PAIRED_SAMPLES].flatten(1), seen.flatten(1)).min(dim=1).values.mean()
        for part in (fake, held_out)
    )
    return float((to_generated / to_real).clamp(max=10))


def _outcome(game: ganbench.Game, samples: ganbench.Samples, name: str) -> dict[str, float]:
    with game.view.at(game.steps_done) as view:
        return _distances(view.evaluated(len(samples.fake)).x.cpu(), samples, name)


def _distances(fake: Tensor, samples: ganbench.Samples, name: str) -> dict[str, float]:
    real = assign_modes(samples.real, samples.modes)
    return {
        name: energy_distance(to_coordinates(samples.real), to_coordinates(fake)),
        f"{name}_missing": missing(real, assign_modes(fake, samples.modes)),
    }
