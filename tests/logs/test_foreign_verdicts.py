"""What a log's scalars can carry is said, as surely as they carry it; what they cannot is not."""

from __future__ import annotations

import json
import math
import tomllib

import numpy as np
import pytest

from ganbench.logs.history import to_history
from ganbench.logs.log import Log, Series
from ganbench.logs.rules import apply_rules
from ganbench.registry.registry import as_ref, load_registry

N = 200
STEPS = np.arange(0, 10 * N, 10)
NOISE = np.random.default_rng(0).normal(size=N)
FLAT = np.ones(N)
SCORED = np.arange(0, 10 * N, 200)  # ten evaluations
FALLING = 300 * 0.5 ** np.arange(10) + 8
TURNED = np.array([200, 90, 40, 20, 12, 11, 15, 25, 40, 60.0])


def log(unit: str = "step", **columns: object) -> Log:
    """Columns of N values each, or of ten where something was evaluated."""
    arrays = {name: np.broadcast_to(np.asarray(v, float), np.shape(v) or (N,)) for name, v in columns.items()}
    series = {name: Series(name, STEPS if len(v) == N else SCORED, v) for name, v in arrays.items()}
    return Log("run", (), unit, N, series, tuple(series), (), ())


def one(**columns: object):
    (finding,) = apply_rules(log(**columns))
    return finding


LOSSES = {"loss_d": 1.2 + 0.1 * NOISE, "loss_g": 0.9 + 0.1 * NOISE}


def test_losses_alone_are_never_healthy_and_it_is_said_what_is_missing():
    finding = one(**LOSSES)
    assert (finding.diagnosis, finding.severity) == ("inconclusive", "warning") and finding.confidence <= 0.3
    assert "auc_d" in finding.summary and "fid" in finding.summary
    assert set(finding.evidence) == {"loss_d", "loss_g"} and finding.evidence["loss_d"].step == STEPS[-1]


def test_a_run_whose_score_is_near_its_best_has_no_findings():
    assert apply_rules(log(**LOSSES, fid=FALLING)) == ()
    assert apply_rules(log(**LOSSES, inception_score=np.linspace(1, 8, 10))) == ()


@pytest.mark.parametrize("name", ["loss_d", "loss_g", "score_real", "grad_norm_g"])
@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
def test_numbers_that_break_for_good_are_a_divergence_since_then(name, broken):
    values = np.where(STEPS >= 1500, broken, 0.7)
    finding = one(**{**LOSSES, name: values})
    assert (finding.diagnosis, finding.severity, finding.onset_step) == ("divergence", "failure", 1500)
    assert finding.confidence > 0.9 and finding.evidence[name].value is None
    where = to_history(log(**{**LOSSES, name: values})).breakdown
    assert (where is None) if "loss" not in name else (where.step == 1500 and where.what == "loss")


def test_nan_that_passes_or_that_means_not_logged_is_no_divergence():
    passed = np.where((STEPS > 500) & (STEPS < 900), math.nan, 0.7)
    every_tenth = np.where(np.arange(N) % 10 == 3, 0.7, math.nan)
    for values in (passed, every_tenth, FLAT * math.nan):
        columns = {**LOSSES, "loss_g": values}
        assert {f.diagnosis for f in apply_rules(log(**columns))} == {"inconclusive"}
        assert to_history(log(**columns)).breakdown is None


def test_a_log_that_ends_in_its_first_nan_is_a_divergence_less_sure():
    last = one(**{**LOSSES, "loss_d": np.where(STEPS[-1] == STEPS, math.nan, 0.7)})
    assert last.diagnosis == "divergence" and last.confidence < 0.9


def test_losses_that_were_never_anything_but_nan_are_a_divergence():
    finding = one(loss_d=math.nan * FLAT, loss_g=math.nan * FLAT)
    assert (finding.diagnosis, finding.onset_step) == ("divergence", 0)


def test_losses_that_explode_and_stay_there_are_a_divergence_and_a_spike_is_none():
    exploded = np.where(STEPS > 1000, 5e4, 1.0) * (1 + 0.1 * NOISE)
    finding = one(loss_d=exploded, loss_g=0.9)
    assert (finding.diagnosis, finding.severity) == ("divergence", "failure") and 1000 < finding.onset_step <= 1030
    spike = np.where(STEPS == 1000, 5e4, 1.0)
    assert one(loss_d=spike, loss_g=0.9).diagnosis == "inconclusive"


def test_a_score_that_was_better_is_a_failure_that_names_the_snapshot_to_keep():
    finding = one(**LOSSES, fid=TURNED, unit="kimg")
    assert (finding.diagnosis, finding.severity, finding.onset_step) == ("inconclusive", "failure", 1400)
    assert "fid was best at kimg 1000 (11) and is now 5.5 times worse" in finding.summary
    assert "keep the snapshot of kimg 1000" in finding.summary and finding.remedy == ""
    assert finding.evidence["fid"].value == 60 and finding.evidence["fid"].threshold == pytest.approx(16.5)
    higher = one(inception_score=100 / TURNED)
    assert (higher.severity, higher.onset_step) == ("failure", 1400)


def test_a_score_that_is_worse_only_at_its_last_value_is_a_warning():
    finding = one(fid=np.r_[FALLING[:9], 30])
    assert (finding.severity, finding.onset_step) == ("warning", 1800) and finding.confidence < 0.5


def test_signs_on_training_reals_that_rise_as_the_score_turns_are_memorization():
    rising = np.linspace(0.2, 0.9, N)
    finding = one(fid=TURNED, sign_real=rising, sign_fake=-rising)
    assert (finding.diagnosis, finding.severity) == ("memorization", "failure")
    assert finding.evidence["sign_real"].threshold == 0.6
    assert one(fid=TURNED, sign_real=0.4 + 0 * rising).diagnosis == "inconclusive"
    assert one(fid=TURNED, sign_real=0.7 + 0 * rising).diagnosis == "inconclusive"  # high, but as ever
    assert one(sign_real=rising).severity == "warning"
    assert apply_rules(log(fid=FALLING, sign_real=rising)) == ()


WON = {"loss_d": 0.7 * np.exp(-STEPS / 100), "loss_g": 1 + STEPS / 300}
SATURATED = {"d_real": np.where(STEPS > 800, 0.99, 0.7), "d_fake": np.where(STEPS > 800, 0.01, 0.4)}


def test_a_d_that_wins_is_a_warning_from_losses_alone_and_surer_from_its_outputs():
    losses, outputs = one(**WON), one(**WON, **SATURATED)
    for finding in (losses, outputs):
        assert (finding.diagnosis, finding.severity) == ("overpowering-discriminator", "warning")
        assert finding.confidence <= 0.5 and "no failure" in finding.summary
    assert losses.confidence < outputs.confidence and set(losses.evidence) == {"loss_d", "loss_g"}
    assert outputs.onset_step == 810 and set(outputs.evidence) == {"d_real", "d_fake"}


def test_a_d_that_wins_is_a_failure_where_the_score_stands_still_and_nothing_where_it_falls():
    finding = one(**SATURATED, fid=250 + NOISE[:10])
    assert (finding.diagnosis, finding.severity) == ("overpowering-discriminator", "failure")
    assert set(finding.evidence) == {"d_real", "d_fake", "fid"} and finding.confidence > 0.7
    assert one(**WON, fid=250 + NOISE[:10]).severity == "warning"
    assert apply_rules(log(**SATURATED, fid=FALLING)) == ()


@pytest.mark.parametrize(
    "columns",
    [
        {"sign_real": 0.99, "sign_fake": -0.99},
        {"auc_d": 0.999},
        {"accuracy_d": 100.0},
    ],
)
def test_signs_aucs_and_accuracies_show_a_d_that_wins_too(columns):
    assert one(**columns).diagnosis == "overpowering-discriminator"


def test_a_d_that_has_only_just_won_or_whose_loss_may_be_negative_is_none_that_wins():
    late = {"d_real": np.where(STEPS > 1800, 0.99, 0.7), "d_fake": np.where(STEPS > 1800, 0.01, 0.4)}
    assert one(**late).diagnosis == "inconclusive"
    assert one(loss_d=-0.5 - STEPS / 1000, loss_g=1 + STEPS / 300).diagnosis == "inconclusive"  # Wasserstein


@pytest.mark.parametrize(
    "columns, severity",
    [
        ({"d_real": 0.51 * FLAT, "d_fake": 0.49 * FLAT}, "failure"),
        ({"sign_real": 0.02 * FLAT, "sign_fake": -0.02 * FLAT}, "failure"),
        ({"auc_d": 0.52 * FLAT}, "failure"),
        ({"loss_d": 2 * math.log(2) * FLAT, "loss_g": math.log(2) * FLAT}, "warning"),
    ],
)
def test_a_d_at_chance_is_weak_only_where_the_score_stands_still_at_a_bad_level(columns, severity):
    finding = one(**columns, fid=250 + NOISE[:10])
    assert (finding.diagnosis, finding.severity) == ("weak-discriminator", severity) and finding.confidence <= 0.6
    assert one(**columns).diagnosis == "inconclusive"  # alone it may as well be the equilibrium
    assert apply_rules(log(**columns, fid=FALLING)) == ()


SWINGING = 1 + 0.8 * np.sin(STEPS / 30) + 0.1 * NOISE


def test_losses_that_swing_with_a_period_are_a_faint_warning_and_noise_is_none():
    finding = one(loss_d=1.2, loss_g=SWINGING)
    assert (finding.diagnosis, finding.severity, finding.confidence) == ("oscillation", "warning", 0.3)
    assert "period of about 19" in finding.summary or "period of about 18" in finding.summary
    for noise in (1 + 0.8 * NOISE, 1 + 0.05 * np.sin(STEPS / 30), np.cumsum(NOISE), 1 + NOISE**2):
        assert one(loss_d=1.2, loss_g=noise).diagnosis == "inconclusive"


def test_a_score_that_goes_up_and_down_makes_it_surer_and_one_that_does_not_silences_it():
    swinging = np.array([100, 40, 64, 35, 60, 30, 55, 28, 50, 27.0])
    alone, both = one(fid=swinging), one(fid=swinging, loss_g=SWINGING)
    assert alone.diagnosis == both.diagnosis == "oscillation" and 0.3 < alone.confidence < both.confidence
    assert apply_rules(log(fid=FALLING, loss_g=SWINGING)) == ()


def test_remedies_are_settings_as_a_suite_writes_them():
    remedies = {
        one(**columns).remedy
        for columns in (
            WON,
            {"loss_d": 1.2, "loss_g": SWINGING},
            {"loss_d": np.where(STEPS > 900, math.nan, 1.0), "loss_g": 1.0},
            {"auc_d": 0.5 * FLAT, "fid": 250 + NOISE[:10]},
        )
    }
    assert len(remedies) == 4
    for remedy in remedies:
        settings = tomllib.loads(f"method = {{ {remedy} }}")["method"]
        assert set(settings) <= {"regularizers", "d_steps"}
        for regularizer in settings.get("regularizers", []):
            load_registry().check("regularizer", as_ref(regularizer, "remedy"), "remedy")


def test_keys_are_those_of_findings_csv_empty_where_a_log_does_not_know(diagnose, write_csv):
    from ganbench.results.comparison import FINDINGS

    row = diagnose(write_csv(step=STEPS, **LOSSES)).finding
    assert set(row) == set(FINDINGS)
    assert (row["trial"], row["suite"], row["dataset"], row["method"], row["seed"]) == ("log", "", "", "", None)


def test_the_text_says_what_was_read_and_what_was_found(diagnose, write_csv):
    path = write_csv(step=STEPS, errD=WON["loss_d"], errG=WON["loss_g"], lr=FLAT)
    said = diagnose(path, as_json=False)
    assert (
        said.err == "ganbench: log: 200 rows up to step 1990; read errD as loss_d, errG as loss_g; not recognised: lr\n"
    )
    assert said.out.startswith("log: warning: overpowering-discriminator since step ")
    assert said.out.endswith('  remedy: regularizers = ["r1"], d_steps = 1\n1 findings in 1 trials\n')


def test_a_diagnosis_that_fails_on_a_log_costs_no_other(diagnose, write_csv, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ganbench_plugins.py").write_text('''
import ganbench

class Fragile:
    """Takes for granted what a log lacks."""
    def diagnose(self, history):
        yield history.columns["weight_norm"]

class Demanding:
    """Has no defaults."""
    def __init__(self, *, threshold: float): ...

@ganbench.hookimpl
def ganbench_diagnoses():
    yield ganbench.Component("fragile", Fragile)
    yield ganbench.Component("demanding", Demanding)
''')
    said = diagnose(write_csv(step=STEPS, **LOSSES))
    assert said.code == 0 and "inconclusive" in said.findings
    assert "left out: diagnosis 'fragile': KeyError" in said.err and "diagnosis 'demanding'" in said.err


def test_scores_that_no_metric_gives_count_as_not_logged(diagnose, write_csv):
    fid = [0, 0, 120, 80, 60, 45, 40, 35, 33, 30]
    said = diagnose(write_csv(step=range(0, 1000, 100), fid=fid))
    assert json.loads(said.out) == []
    assert "fid" in said.err
