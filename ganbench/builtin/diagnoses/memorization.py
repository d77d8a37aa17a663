"""A D that knows its data by heart."""

from __future__ import annotations

from .calibrated import Calibrated


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
