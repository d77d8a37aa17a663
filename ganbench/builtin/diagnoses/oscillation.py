"""Players that go round in circles."""

from __future__ import annotations

from .calibrated import Calibrated


class Oscillation(Calibrated):
    """Generated samples go back and forth, or round, without getting nearer to the data."""

    name = "oscillation"
    probes = ("coverage", "precision", "energy_distance", "spread", "empty_bins")
    shown = {"motion_progress": "", "coverage": "coverage_floor"}
    words = (
        "Generated samples keep moving without getting nearer to the data ({circling} of their way leads nowhere): "
        "the players go round in circles."
    )
    remedy = (
        'loss = "relativistic", d_steps = 1, g_steps = 1, optimizer = { name = "adam", lr = 2e-3, betas = [0.0, 0.9] }, '
        'points = { regularizers = [{ name = "r1", weight = 0.05 }, { name = "r2", weight = 0.05 }] }, '
        'images = { regularizers = [{ name = "r1", weight = 0.5 }, { name = "r2", weight = 0.5 }] }'
    )
