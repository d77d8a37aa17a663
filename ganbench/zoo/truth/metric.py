"""The ground truth of a run, as scores."""

from __future__ import annotations

import itertools
from collections import deque
from typing import Any

import torch
from torch import Tensor

import ganbench

from .distance import energy_distance
from .kinds import Sorted, sort
from .rescue import rescued
from .strong_critic import auc, strong_auc

PROBED = (0.1, 0.25, 0.5, 0.75, 1.0)  # fractions of the budget at which everything is measured
AHEAD = 0.1  # of the budget that a rescue takes
STRONG, BEHIND = 0.9, 0.1  # AUC of D and share of missing kinds from which a rescue is tried
MIDWAY = 0.5
MANY = 100  # kinds above which quality does not count
ENOUGH = 8  # real samples of a kind; where no kind has as many, one generated sample reaches it
REACHED = 0.1  # of its share of the real samples, else


class GroundTruth:
    """What is true of a run: modes missing, what D fails to see, whether a gentler D would set G free.

    - `missing`: share of kinds (modes, digits, stacked digits) that G does not reach; `good`: share of samples that
      are credible ones of their kind; `spread`: their variance within a kind, over that of real ones.
    - `distance`: energy distance to held-out data. `rescued`: the same after a tenth of the budget more with a gentler
      D, from states up to the middle of the budget; `rescued_end`: with half of the budget, once, from its middle or
      from the first state after it; `..._missing` likewise. Tried where D is strong and G behind.
    - `d_auc`: how well D tells held-out from generated, `strong_auc`: how well a classifier of its own does;
      `gap`: what D's AUC has on training data beyond held-out; `copied`: how much nearer generated samples are to
      training data than held-out ones are (1: not at all, 0: copies).
    - `moved`: how far the same latents' samples have moved since the last look, over the distance of two real ones;
      `circled`: what share of their path over the last three moves led nowhere (0: straight on, 1: back again).
    """

    better = {
        **dict.fromkeys(("missing", "distance", "rescued", "rescued_end", "rescued_missing"), "lower"),
        **dict.fromkeys(("rescued_end_missing", "gap", "moved", "circled", "strong_auc"), "lower"),
        **dict.fromkeys(("good", "spread", "d_auc", "copied"), "higher"),
    }

    expected_failures = {
        "better-is-true": "of a thousand kinds a few samples show no spread, and the others tell",
        "broken-samples-never-look-good": "of a thousand kinds a few samples show no spread, and the others tell",
    }

    @staticmethod
    def skip(trial: ganbench.Trial) -> str | None:
        """Why the truth about the trial's data is not known."""
        if trial.data.kind == "points":
            return None if trial.data.modes else f"{trial.dataset} does not state its modes"
        known = trial.data.shape in ((1, 8, 8), (3, 8, 8))
        return None if known else f"the kinds of {trial.dataset} are not known"

    def __init__(self) -> None:
        self._looks: deque[Tensor] = deque(maxlen=4)
        self._tried = False

    def score(self, samples: ganbench.Samples) -> dict[str, float]:
        """What the samples alone tell."""
        real, fake = (sort(x, samples.modes) for x in (samples.real, samples.fake))
        return {
            "missing": missing(real, fake),
            "good": float(fake.good.double().mean()),
            "spread": spread(real, fake),
            "distance": energy_distance(samples.real, samples.fake),
        }

    def score_game(self, samples: ganbench.Samples, game: Any) -> dict[str, float]:
        """Everything at the probed fractions of the budget, the cheap part in between."""
        done = game.steps_done / game.steps
        truth = self.score(samples) | self._motion(samples)
        if any(game.steps_done == max(1, round(fraction * game.steps)) for fraction in PROBED):
            truth |= _of_discriminator(game, samples)
            if truth["d_auc"] >= STRONG and truth["missing"] >= BEHIND:
                truth |= self._rescue(game, samples, done)
        return truth

    def _rescue(self, game: Any, samples: ganbench.Samples, done: float) -> dict[str, float]:
        """What comes of the run with a gentler D, after a while and, once, after half of its budget."""
        late = done >= MIDWAY - 1e-3
        if late and self._tried:
            return {}
        soon = rescued(game, round(AHEAD * game.steps))
        truth = {} if done > MIDWAY + 1e-3 else _outcome(soon, samples, "rescued")
        if late:
            self._tried = True
            rest = round(MIDWAY * game.steps) - round(AHEAD * game.steps)
            truth |= _outcome(soon.play_on(rest), samples, "rescued_end")
        return truth

    def _motion(self, samples: ganbench.Samples) -> dict[str, float]:
        self._looks.append(samples.fake.flatten(1))
        looks = list(self._looks)
        moves = [(after - before).norm(dim=1) for before, after in itertools.pairwise(looks)]
        if not moves:
            return {}
        real = samples.real.flatten(1)
        apart = torch.pdist(real[:500]).mean()
        path = torch.stack(moves).sum(dim=0).clamp_min(1e-9)
        circled = 1 - ((looks[-1] - looks[0]).norm(dim=1) / path).mean()
        return {"moved": float(moves[-1].mean() / apart), "circled": float(circled)}


def missing(real: Sorted, fake: Sorted) -> float:
    """The share of kinds that are not reached, of those that as many real samples would reach."""
    n = len(fake.kind)
    of_any_quality = fake.kind.bincount(minlength=fake.kinds).double()
    # Stacked digits are counted as on stacked MNIST (Metz et al. 2017), whatever the quality.
    counts = fake.counts if real.kinds <= MANY else of_any_quality
    due = real.kind.bincount(minlength=real.kinds).double() * n / len(real.kind)
    enough = due >= ENOUGH
    if enough.any():
        return float((counts < REACHED * due)[enough].double().mean())
    expected = real.kinds * (1 - (1 - 1 / real.kinds) ** n)
    return max(0.0, 1 - float((counts > 0).sum()) / expected)


def spread(real: Sorted, fake: Sorted) -> float:
    """Variance within kinds over that of real samples, the median of kinds.

    0 where no kind has enough generated samples, 1 where none has enough real ones to compare with.
    """
    of_real = real.spread()
    if of_real.isnan().all():
        return 1.0
    return float((fake.spread() / of_real).nanmedian().nan_to_num(0.0))


def _of_discriminator(game: Any, samples: ganbench.Samples) -> dict[str, float]:
    with game.view.at(game.steps_done) as view, torch.no_grad():
        n = view.whole_packs(1500)
        held_out, seen, fake = view.held_out(n), view.real(n), view.evaluated(n)
        logits = [view.judge(batch).nan_to_num().cpu() for batch in (held_out, seen, fake)]
        d_auc = auc(logits[0], logits[2])
        return {
            "d_auc": d_auc,
            "gap": auc(logits[1], logits[2]) - d_auc,
            "strong_auc": strong_auc(held_out.x.cpu(), fake.x.cpu()),
            "copied": _copied(seen.x.cpu(), held_out.x.cpu(), fake.x.cpu()),
        }


def _copied(seen: Tensor, held_out: Tensor, fake: Tensor) -> float:
    to_generated, to_real = (
        torch.cdist(part[:500].flatten(1), seen.flatten(1)).min(dim=1).values.mean() for part in (fake, held_out)
    )
    return float((to_generated / to_real).clamp(max=10))


def _outcome(game: Any, samples: ganbench.Samples, name: str) -> dict[str, float]:
    with game.view.at(game.steps_done) as view:
        fake = view.evaluated(len(samples.fake)).x.cpu()
    real = sort(samples.real, samples.modes)
    return {
        name: energy_distance(samples.real, fake),
        f"{name}_missing": missing(real, sort(fake, samples.modes)),
    }
