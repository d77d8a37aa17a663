"""D too strong.

D too weak.

Modes missing.

Players that go round in circles.

A D that knows its data by heart.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import ganbench

from .calibrated import Calibrated

if TYPE_CHECKING:
    from .smooth_d import SmoothDFork


class OverpoweringDiscriminator(Calibrated):
    """D is hardly ever wrong and the generator's learning has stopped. A strong D alone is no failure."""

    name = "overpowering-discriminator"
    probes = ("coverage", "precision", "energy_distance", "fresh_critic_auc", "known_critic_auc")
    shown = {"auc_d": "", "input_gradient": "", "coverage": "coverage_floor"}
    words = (
        "The discriminator has become too strong (AUC {auc_d}): the generator gets no nearer to the data "
        "and has nothing to learn from."
    )
    remedy = (
        'loss = "relativistic", d_steps = 1, d_warmup = 0, '
        'optimizer = { name = "adam", lr = 2e-3, betas = [0.0, 0.9] }, '
        'points = { regularizers = [{ name = "r1", weight = 0.05 }, { name = "r2", weight = 0.05 }] }, '
        'images = { regularizers = [{ name = "r1", weight = 0.5 }, { name = "r2", weight = 0.5 }] }'
    )

    def __init__(self) -> None:
        self._counterfactual: SmoothDFork | None = None

    def probe(self, view: ganbench.View) -> dict[str, float]:
        """What would become of the run under a D that is held back: measured on an alarm only."""
        from .smooth_d import SmoothDFork

        self._counterfactual = self._counterfactual or SmoothDFork()
        return self._counterfactual.measure(view)


class WeakDiscriminator(Calibrated):
    """D lets pass what any fresh critic would catch: the generator is told that bad samples are good."""

    name = "weak-discriminator"
    probes = ("fresh_critic_auc", "known_critic_auc", "memory_gap", "coverage", "precision", "energy_distance")
    shown = {"fresh_critic_auc": "fresh_critic_auc_floor", "known_critic_auc": "fresh_critic_auc"}
    words = (
        "A fresh critic tells generated samples from real ones far better than the discriminator does "
        "(AUC {critic_gap} more): it lets bad samples pass."
    )
    remedy = (
        'loss = "non-saturating", d_steps = 1, g_steps = 1, '
        'optimizer = { name = "adam", lr = 2e-3, betas = [0.0, 0.9] }, '
        'points = { discriminator = "mlp", regularizers = [{ name = "r1", weight = 0.05 }] }, '
        'images = { discriminator = { name = "mlp", width = 192 }, regularizers = [{ name = "r1", weight = 0.5 }] }'
    )


class ModeCollapse(Calibrated):
    """Regions of the real data that the generator does not reach: modes are missing, or shrunk to points."""

    name = "mode-collapse"
    follows = ("overpowering-discriminator", "weak-discriminator", "oscillation")
    probes = (
        "coverage",
        "precision",
        "empty_bins",
        "energy_distance",
        "spread",
        "fresh_critic_auc",
        "known_critic_auc",
    )
    shown = {"coverage": "coverage_floor"}
    words = "The generator does not reach {coverage_deficit} of the real data: modes are missing."
    remedy = (
        'loss = "relativistic", g_steps = 1, optimizer = { name = "adam", lr = 2e-3, betas = [0.0, 0.9] }, '
        'points = { generator = "mlp", discriminator = "mlp", '
        'regularizers = [{ name = "r1", weight = 0.05 }, { name = "r2", weight = 0.05 }] }, '
        'images = { generator = "mlp", discriminator = { name = "mlp", width = 192 }, '
        'regularizers = [{ name = "r1", weight = 0.5 }, { name = "r2", weight = 0.5 }] }'
    )


class Oscillation(Calibrated):
    """Generated samples go back and forth, or round, without getting nearer to the data."""

    name = "oscillation"
    probes = ("coverage", "precision", "energy_distance", "spread", "empty_bins")
    shown = {"motion_progress": "", "coverage": "coverage_floor"}
    words = (
        "Generated samples keep moving without getting nearer to the data ({path_inefficiency} of their way leads nowhere): "
        "the players go round in circles."
    )
    remedy = (
        'loss = "relativistic", d_steps = 1, g_steps = 1, optimizer = { name = "adam", lr = 2e-3, betas = [0.0, 0.9] }, '
        'points = { regularizers = [{ name = "r1", weight = 0.05 }, { name = "r2", weight = 0.05 }] }, '
        'images = { regularizers = [{ name = "r1", weight = 0.5 }, { name = "r2", weight = 0.5 }] }'
    )


class Memorization(Calibrated):
    """D knows its training data by heart: it takes held-out data for generated, and G learns to copy."""

    name = "memorization"
    probes = ("memory_gap", "nearest_training", "coverage")
    shown = {"nearest_training": "nearest_training_floor"}
    words = "The discriminator knows its training data by heart: its AUC is {memory_gap} higher there than on held-out data."
    remedy = (
        'regularizers = [{ name = "r1", weight = 5.0 }, { name = "r2", weight = 5.0 }], '
        'points = { discriminator = { name = "mlp", width = 64 } }, '
        'images = { discriminator = { name = "mlp", width = 64 } }'
    )
