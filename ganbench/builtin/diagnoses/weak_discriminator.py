"""D too weak."""

from __future__ import annotations

from .calibrated import Calibrated


class WeakDiscriminator(Calibrated):
    """D lets pass what any fresh critic would catch: the generator is told that bad samples are good."""

    name = "weak-discriminator"
    probes = ("fresh_critic_auc", "known_critic_auc", "memory_gap", "coverage", "precision", "energy_distance")
    shown = {"fresh_critic_auc": "fresh_critic_auc_floor", "known_critic_auc": "fresh_critic_auc"}
    words = (
        "A fresh critic tells generated samples from real ones far better than the discriminator does "
        "(AUC {unseen} more): it lets bad samples pass."
    )
    remedy = (
        'loss = "non-saturating", d_steps = 1, g_steps = 1, '
        'optimizer = { name = "adam", lr = 2e-3, betas = [0.0, 0.9] }, '
        'points = { discriminator = "mlp", regularizers = [{ name = "r1", weight = 0.05 }] }, '
        'images = { discriminator = { name = "mlp", width = 192 }, regularizers = [{ name = "r1", weight = 0.5 }] }'
    )
