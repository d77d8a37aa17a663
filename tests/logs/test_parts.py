"""A loss that is logged in parts is put together, and D's loss from before D starts is left out."""

from __future__ import annotations

import numpy as np
import pytest

from ganbench.logs.parts import choose_parts, loss_part
from ganbench.logs.read import read_logs

STEPS = range(0, 600, 10)
NOISE = np.random.default_rng(0).normal(size=60)
HALF = 0.65 + 0.05 * NOISE


def read_one(path):
    (log,) = read_logs(path).logs
    return log


@pytest.mark.parametrize(
    "names",
    [
        ("D_loss_real", "D_loss_fake"),
        ("errD_real", "errD_fake"),
        ("d_real_loss", "d_fake_loss"),
        ("losses/l_d_real", "losses/l_d_fake"),
        ("discriminator_loss/real", "discriminator_loss/generated"),
        ("D_loss_real", "D_loss_fake", "D_loss_wrong"),
        ("loss_real", "loss_fake"),
        ("loss_disc_f", "loss_disc_s"),
        ("loss_D_1", "loss_D_2", "loss_D_3"),
        ("loss_D_A", "loss_D_B"),
        ("mpd_loss", "msd_loss"),
    ],
)
def test_parts_of_a_loss_are_added_up(write_csv, names):
    log = read_one(write_csv(step=STEPS, **dict.fromkeys(names, HALF), G_loss=0.9 + HALF))
    assert log.recognised == ("loss_g", "loss_d") and not log.unrecognised
    assert log.series["loss_d"].values == pytest.approx(len(names) * HALF)
    assert f"loss_d was put together from {len(names)} parts: {' + '.join(names)}" in log.notes


def test_penalties_class_terms_and_single_parts_are_no_parts_of_a_sum(write_csv):
    for raw in ("D_loss_gp", "d_loss_cls", "loss_d_r1", "val_d_loss_real", "g_loss_fake", "loss_1", "real", "D_real"):
        assert loss_part(raw) is None
    assert choose_parts(["D_loss_real"], "d") == choose_parts(["D_loss_1"], "d") == []
    assert choose_parts(["D_loss_real", "D_loss_fake", "D_loss_1", "D_loss_2"], "d") == ["D_loss_real", "D_loss_fake"]
    log = read_one(write_csv(step=STEPS, D_loss_real=HALF, G_loss=HALF))
    assert log.recognised == ("loss_g",) and log.unrecognised == ("D_loss_real",)


def test_a_whole_loss_is_read_rather_than_its_parts(write_csv):
    log = read_one(write_csv(step=STEPS, D_loss=HALF, D_loss_real=HALF, D_loss_fake=HALF))
    assert log.recognised == ("loss_d",) and set(log.series["loss_d"].values) == set(HALF)


def test_parts_at_different_steps_are_added_where_all_were_logged(write_csv):
    every_other = [v if i % 2 else None for i, v in enumerate(HALF)]
    log = read_one(write_csv(step=STEPS, errD_real=HALF, errD_fake=every_other))
    assert list(log.series["loss_d"].steps) == list(STEPS)[1::2]
    even = [None if i % 2 else v for i, v in enumerate(HALF)]
    log = read_one(write_csv(step=STEPS, errD_real=even, errD_fake=every_other, errG=HALF))
    assert log.recognised == ("loss_g",) and "not added up" in " ".join(log.notes)


def test_d_real_and_d_fake_beside_g_gan_are_losses(write_csv):
    log = read_one(write_csv(step=STEPS, G_GAN=HALF, G_L1=HALF, D_real=HALF, D_fake=HALF))
    assert log.recognised == ("loss_g", "loss_d") and log.series["loss_d"].values == pytest.approx(2 * HALF)


def test_zero_parts_from_the_start_mean_that_d_has_won(diagnose, write_csv):
    zero = ["0.000"] * 60
    finding = diagnose(write_csv(itr=STEPS, G_loss=HALF, D_loss_real=zero, D_loss_fake=zero)).finding
    assert (finding["diagnosis"], finding["onset_step"]) == ("overpowering-discriminator", 0)
    assert "D has won" in finding["summary"] and finding["confidence"] <= 0.5
    late = [*HALF[:30], *[0.0004] * 30]
    finding = diagnose(write_csv(itr=STEPS, G_loss=HALF, D_loss_real=late, D_loss_fake=late)).finding
    assert (finding["diagnosis"], finding["onset_step"]) == ("overpowering-discriminator", 300)


def test_a_critic_near_zero_and_a_d_that_is_small_for_a_while_have_not_won(diagnose, write_csv):
    for loss in (1e-4 * NOISE, np.where(NOISE > 0, 0.2, 0.0), np.where(np.arange(60) < 40, 0.0005, HALF)):
        assert set(diagnose(write_csv(itr=STEPS, G_loss=HALF, D_loss=loss)).findings) == {"inconclusive"}
    falling = [300 / (1 + i) + 8 if i % 6 == 0 else None for i in range(60)]
    assert diagnose(write_csv(itr=STEPS, G_loss=HALF, D_loss=0 * HALF, fid=falling)).findings == {}


def test_a_late_start_is_told_from_zeros_and_from_weights(write_csv, diagnose):
    late = np.where(np.arange(60) < 30, 0.0, HALF)
    result = diagnose(write_csv(step=STEPS, disc_loss=late, g_loss=HALF))
    assert set(result.findings) == {"inconclusive"}
    assert "D starts at step 300: disc_loss before that is left out" in result.err
    asleep = diagnose(write_csv(step=STEPS, disc_loss=0 * HALF, g_loss=HALF, disc_factor=0 * HALF))
    assert set(asleep.findings) == {"inconclusive"} and "D has not started up to step 590" in asleep.err
    alone = diagnose(write_csv(step=STEPS, disc_loss=0 * HALF, disc_factor=0 * HALF))
    assert alone.code == 2 and alone.err.count("\n") == 1 and "D has not started" in alone.err
