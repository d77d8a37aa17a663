"""Modes missing."""

from __future__ import annotations

from .calibrated import Calibrated


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
    words = "The generator does not reach {uncovered} of the real data: modes are missing."
    remedy = (
        'loss = "relativistic", g_steps = 1, optimizer = { name = "adam", lr = 2e-3, betas = [0.0, 0.9] }, '
        'points = { generator = "mlp", discriminator = "mlp", '
        'regularizers = [{ name = "r1", weight = 0.05 }, { name = "r2", weight = 0.05 }] }, '
        'images = { generator = "mlp", discriminator = { name = "mlp", width = 192 }, '
        'regularizers = [{ name = "r1", weight = 0.5 }, { name = "r2", weight = 0.5 }] }'
    )
