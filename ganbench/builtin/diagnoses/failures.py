"""The five failures that calibrated diagnoses look for, side by side: what each reads, says and recommends."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import ganbench
from ganbench import Failure

from .calibrated import MIN_AGE, Calibrated, latest
from .heads import find_strong_head

if TYPE_CHECKING:
    from .smooth_d import SmoothDFork


# What a region lacks, at which it is as likely as not a missing class, and how fast that changes: in standard errors, and
# as a share of the data. Generators that do well miss a few regions of up to a twentieth of it altogether.
CLEARLY_MISSED, STEEPNESS = 4.0, 0.4
LARGE_SHARE, SHARE_STEEPNESS = 0.05, 0.005
NEAR = -1.0  # log10 of the distance to the data within which the samples are good enough to ask which are missing


NEAR_ENOUGH = -1.25  # log10 of the distance to the data within which moving samples are no failure
STILL_GAINING = 0.37  # decades nearer to the data over two probes: whatever moves, moves there
DISCOUNT = 0.2  # of the probability where quality does not suffer
# Bugs of the program by which G cannot learn, whatever D is like.
G_DOES_NOT_LEARN = frozenset(
    {"never-updated", "no-gradient", "below-resolution", "zero-learning-rate", "frozen", "late-start"}
)


class OverpoweringDiscriminator(Calibrated):
    """D is hardly ever wrong and the generator's learning has stopped. A strong D alone is not a failure."""

    name = Failure.OVERPOWERING_DISCRIMINATOR
    probes = ("coverage", "precision", "energy_distance", "fresh_critic_auc", "known_critic_auc")
    also_shown = {"auc_d": "", "input_gradient": "", "coverage": "coverage_floor"}
    text = (
        "The discriminator has become too strong (AUC {auc_d}): the generator gets no nearer to the data "
        "and has nothing to learn from."
    )
    remedy = ganbench.Remedy(
        {
            "loss": "relativistic",
            "d_steps": 1,
            "d_warmup": 0,
            "optimizer": {"name": "adam", "lr": 0.002, "betas": [0.0, 0.9]},
            "points": {"regularizers": [{"name": "r1", "weight": 0.05}, {"name": "r2", "weight": 0.05}]},
            "images": {"regularizers": [{"name": "r1", "weight": 0.5}, {"name": "r2", "weight": 0.5}]},
        }
    )

    def __init__(self) -> None:
        self._fork: SmoothDFork | None = None

    def state_dict(self) -> dict[str, int]:
        """Return how often the run has been forked."""
        return {"forks": 0 if self._fork is None else self._fork.done}

    def load_state_dict(self, state: dict[str, int]) -> None:
        """Go on with so many forks done."""
        from .smooth_d import SmoothDFork

        self._fork = SmoothDFork(state["forks"])

    def probe(self, view: ganbench.View) -> dict[str, float]:
        """Return how far forks of the run get, one with a smooth D among them; measured on an alarm only."""
        from .smooth_d import SmoothDFork

        self._fork = self._fork or SmoothDFork()
        return self._fork.measure(view)

    def score(self, history: ganbench.History, horizon: ganbench.Horizon) -> float:
        """Return the probability of the failure; 0 where a bug keeps G from learning."""
        return 0.0 if _is_kept_from_learning(history) else super().score(history, horizon)

    def diagnose(self, history: ganbench.History) -> Iterator[ganbench.Finding]:
        """Yield findings that name the head which is too strong, where there are several; a warning if G still learns.

        A G that a bug keeps from learning would not learn from another D either: there is none then.
        """
        if _is_kept_from_learning(history):
            return
        findings = list(super().diagnose(history))
        head = find_strong_head(history.columns)
        if head is None:
            yield from findings
            return
        step = int(history.columns["step"][-1])
        for finding in findings:
            evidence = {**finding.evidence, **head.evidence(step)}
            yield replace(finding, summary=f"{finding.summary} {head}.", evidence=evidence)
        if not findings and step >= MIN_AGE * history.steps and history.nonfinite is None:
            yield ganbench.Finding(
                diagnosis=self.name,
                horizon="now",
                severity="warning",
                confidence=0.5,
                onset_step=step,
                summary=f"{head}: it may leave the generator nothing to learn from the others.",
                evidence=head.evidence(step),
                remedy=ganbench.Remedy(
                    advice=f"Give head {head.number} fewer parameters or a gradient penalty, or the others more to see."
                ),
            )


def _is_kept_from_learning(history: ganbench.History) -> bool:
    return any(fault.player == "generator" and fault.fault in G_DOES_NOT_LEARN for fault in history.wiring)


class WeakDiscriminator(Calibrated):
    """D misses what a fresh critic finds: the generator is taught that bad samples are good."""

    name = Failure.WEAK_DISCRIMINATOR
    heals = True
    probes = ("fresh_critic_auc", "known_critic_auc", "memory_gap", "coverage", "precision", "energy_distance")
    also_shown = {"fresh_critic_auc": "fresh_critic_auc_floor", "known_critic_auc": "fresh_critic_auc"}
    text = (
        "A fresh critic tells generated samples from real ones far better than the discriminator does "
        "(AUC {critic_gap} more): it misses bad samples."
    )
    remedy = ganbench.Remedy(
        {
            "loss": "non-saturating",
            "d_steps": 1,
            "g_steps": 1,
            "optimizer": {"name": "adam", "lr": 0.002, "betas": [0.0, 0.9]},
            "points": {"discriminator": "mlp", "regularizers": [{"name": "r1", "weight": 0.05}]},
            "images": {"discriminator": {"name": "mlp", "width": 192}, "regularizers": [{"name": "r1", "weight": 0.5}]},
        }
    )


class ModeCollapse(Calibrated):
    """Regions of the real data that the generator does not reach: modes are missing, or shrunk to points.

    One class of ten that is missing shows in no reading of the whole, but in a search for such a region.
    """

    name = Failure.MODE_COLLAPSE
    heals = True
    follows = (Failure.OVERPOWERING_DISCRIMINATOR, Failure.WEAK_DISCRIMINATOR, Failure.OSCILLATION)
    needs_noise = True
    probes = (
        "coverage",
        "precision",
        "empty_bins",
        "energy_distance",
        "spread",
        "fresh_critic_auc",
        "known_critic_auc",
        "missing_region",
        "missing_region_deviation",
    )
    also_shown = {"coverage": "coverage_floor", "missing_region_deviation": "missing_region_deviation_floor"}
    text = "The generator does not reach {coverage_deficit} of the real data: modes are missing."
    text_without_coverage = "The generator does not reach a part of the real data: modes are missing."
    text_of_region = (
        "Generated samples are missing from a region of the real data ({missed_region} standard errors too few; "
        "{share} of all samples should lie there and do not): a class or a mode is missing."
    )
    remedy = ganbench.Remedy(
        {
            "loss": "relativistic",
            "g_steps": 1,
            "optimizer": {"name": "adam", "lr": 0.002, "betas": [0.0, 0.9]},
            "points": {
                "generator": "mlp",
                "discriminator": "mlp",
                "regularizers": [{"name": "r1", "weight": 0.05}, {"name": "r2", "weight": 0.05}],
            },
            "images": {
                "generator": "mlp",
                "discriminator": {"name": "mlp", "width": 192},
                "regularizers": [{"name": "r1", "weight": 0.5}, {"name": "r2", "weight": 0.5}],
            },
        }
    )

    def probability_now(self, numbers: Mapping[str, float]) -> float:
        """Return the probability that modes are missing, on the whole or in one region."""
        on_the_whole, in_a_region = super().probability_now(numbers), _probability_of_region(numbers)
        return in_a_region if math.isnan(on_the_whole) else max(on_the_whole, in_a_region)

    def explain(self, history: ganbench.History, numbers: Mapping[str, float]) -> str:
        """Return which of the two it is, in a sentence."""
        # Few samples, or equal ones: even real samples cover nothing. Or other readings show it: too little inside modes.
        if not numbers["coverage_deficit"] >= 0.01:
            return self.text_without_coverage
        share = latest(history, "missing_region")
        if share is None or not _probability_of_region(numbers) > super().probability_now(numbers):
            return super().explain(history, numbers)
        return self.text_of_region.format(missed_region=f"{numbers['missed_region']:.1f}", share=f"{share:.1%}")


class Oscillation(Calibrated):
    """Generated samples move back and forth, or in circles, without getting nearer to the data.

    It is no failure where quality does not suffer: near the data, or while the distance still falls fast.
    """

    name = Failure.OSCILLATION
    probes = ("coverage", "precision", "energy_distance", "spread", "empty_bins")
    also_shown = {"motion_progress": "", "coverage": "coverage_floor"}
    text = (
        "Generated samples keep moving without getting nearer to the data ({path_inefficiency} of their path leads "
        "nowhere): the players move in circles."
    )
    remedy = ganbench.Remedy(
        {
            "loss": "relativistic",
            "d_steps": 1,
            "g_steps": 1,
            "optimizer": {"name": "adam", "lr": 0.002, "betas": [0.0, 0.9]},
            "points": {"regularizers": [{"name": "r1", "weight": 0.05}, {"name": "r2", "weight": 0.05}]},
            "images": {"regularizers": [{"name": "r1", "weight": 0.5}, {"name": "r2", "weight": 0.5}]},
        }
    )

    def probability_now(self, numbers: Mapping[str, float]) -> float:
        """Return the probability of the failure now; a fifth of it where quality does not suffer from the motion."""
        probability = super().probability_now(numbers)
        suffers = not (numbers["distance"] <= NEAR_ENOUGH or numbers["distance_gain_of_two"] >= STILL_GAINING)
        return probability if suffers else DISCOUNT * probability


class Memorization(Calibrated):
    """D has memorized its training data: it takes held-out data for generated, and G learns to copy."""

    name = Failure.MEMORIZATION
    probes = ("memory_gap", "nearest_training", "coverage")
    also_shown = {"nearest_training": "nearest_training_floor"}
    text = (
        "The discriminator has memorized its training data: its AUC is {memory_gap} higher there than on held-out data."
    )
    remedy = ganbench.Remedy(
        {
            "regularizers": [{"name": "r1", "weight": 5.0}, {"name": "r2", "weight": 5.0}],
            "points": {"discriminator": {"name": "mlp", "width": 64}},
            "images": {"discriminator": {"name": "mlp", "width": 64}},
        }
    )


def _probability_of_region(numbers: Mapping[str, float]) -> float:
    """The probability that a class is missing; 0 where that was not measured, or G is too far from the data to ask."""
    clearly, share = numbers["missed_region"], numbers["missed_share"]
    if math.isnan(clearly + share) or not numbers["distance"] <= NEAR:
        return 0.0
    return min(_logistic((clearly - CLEARLY_MISSED) / STEEPNESS), _logistic((share - LARGE_SHARE) / SHARE_STEEPNESS))


def _logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x))
