"""Signals are recognised by the names that programs log them under; similar names are not."""

from __future__ import annotations

import pytest

from ganbench.logs.names import CANONICAL_NAMES, canonical_name
from ganbench.logs.steps import step_unit

ALIASES = {
    "loss_d": [
        *(
            "D_loss",
            "d_loss",
            "dloss",
            "lossD",
            "Loss_D",
            "loss/D",
            "Loss/D",
            "errD",
            "Loss/D/loss",
            "netD_loss",
            "DLoss",
        ),
        *("discriminator_loss", "Discriminator/loss", "train/d_loss", "disc_loss", "critic_loss", "loss_discriminator"),
        *("sweep-3 - d_loss", "losses/d_total_loss", "adv_loss_d", "D loss", "d_loss_epoch", "loss_D_GAN"),
    ],
    "loss_g": ["G_loss", "g_loss", "lossG", "Loss_G", "errG", "Loss/G/loss", "generator_loss", "gen/loss", "gloss"],
    "d_real": ["D(x)", "D_x", "d_real", "D_real", "real_score", "D/real_prob", "disc_real_output"],
    "d_fake": ["D(G(z))", "D_G_z", "D_G_z1", "D_fake", "fake_score", "D/fake_prob"],
    "score_real": ["Loss/scores/real", "real_logits", "D_real_logit", "logits/real"],
    "score_fake": ["Loss/scores/fake", "fake_logits", "logits_fake"],
    "sign_real": ["Loss/signs/real", "sign_real"],
    "sign_fake": ["Loss/signs/fake"],
    "auc_d": ["auc_d", "D_auc"],
    "accuracy_d": ["D_acc", "d_accuracy", "discriminator/accuracy"],
    "grad_norm_d": ["grad_norm_d", "D/grad_norm", "gradient_norm/discriminator"],
    "grad_norm_g": ["G_grad_norm"],
    "fid": ["FID", "fid50k_full", "metrics/fid", "fid_5k", "val/FID", "frechet_inception_distance", "Metrics/fid50k"],
    "kid": ["kid50k_full", "KID"],
    "inception_score": ["IS", "is50k_mean", "inception_score", "Inception Score"],
    "augment": ["Progress/augment", "ada_p"],
}
UNKNOWN_NAMES = [
    *(
        "loss",
        "lr",
        "lr_d",
        "d_lr",
        "time",
        "timestamp",
        "D",
        "G",
        "loss_d_real",
        "D_real_loss",
        "errD_fake",
        "loss_D_A",
    ),
    *(
        "G_L1",
        "g_loss_l1",
        "d_loss_std",
        "r1_penalty",
        "Loss/r1_penalty",
        "Loss/D/reg",
        "D_gp",
        "val_d_loss",
        "best_fid",
    ),
    *(
        "fid_best",
        "is50k_std",
        "real",
        "fake",
        "is_training",
        "real_images",
        "fake_real_ratio",
        "grad_norm",
        "",
        "d",
        "ema",
    ),
    *("weights/d_conv1_grad_norm", "d_loss_g_loss_ratio", "precision", "Timing/sec_per_kimg", "Timing/maintenance_sec"),
]


@pytest.mark.parametrize("name, raw", [(name, raw) for name, names in ALIASES.items() for raw in names])
def test_common_names_are_recognised(name, raw):
    assert canonical_name(raw) == name


@pytest.mark.parametrize("raw", UNKNOWN_NAMES)
def test_similar_names_are_not_recognised(raw):
    assert canonical_name(raw) is None


def test_canonical_names_map_to_themselves():
    assert set(ALIASES) == set(CANONICAL_NAMES) and all(canonical_name(name) == name for name in CANONICAL_NAMES)


@pytest.mark.parametrize(
    "unit, raw",
    [
        *(("step", raw) for raw in ("step", "Step", "global_step", "_step", "trainer/global_step", "batches_done")),
        *(("iteration", raw) for raw in ("iter", "Iteration", "itr", "n_iter", "iters")),
        *(("kimg", raw) for raw in ("kimg", "Progress/kimg")),
        *(("epoch", raw) for raw in ("epoch", "Epoch", "ep")),
        *((None, raw) for raw in ("d_loss", "step_time", "time", "epoch_loss", "")),
        *(("image", "cur_nimg"), ("tick", "Progress/tick"), ("batch", "batch_idx")),
    ],
)
def test_step_counters_are_recognised(unit, raw):
    assert step_unit(raw) == unit
