"""Rules give the findings that a log's scalars support, and no more."""

from __future__ import annotations

import json
import math
import tomllib

import numpy as np
import pytest

from ganbench.contract.records import Remedy
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


def make_log(unit: str = "step", **columns: object) -> Log:
    """Return a log of columns of N values each, or ten for an evaluated score. A loss given as a number varies a bit."""
    arrays = {name: np.broadcast_to(np.asarray(v, float), np.shape(v) or (N,)) for name, v in columns.items()}
    arrays |= {
        name: v * (1 + 1e-3 * NOISE) for name, v in arrays.items() if "loss" in name and not np.shape(columns[name])
    }
    series = {name: Series(name, STEPS if len(v) == N else SCORED, v) for name, v in arrays.items()}
    return Log("run", (), unit, N, series, tuple(series), (), ())


def only_finding(**columns: object):
    (finding,) = apply_rules(make_log(**columns))
    return finding


LOSSES = {"loss_d": 1.2 + 0.1 * NOISE, "loss_g": 0.9 + 0.1 * NOISE}


def test_losses_alone_are_inconclusive_and_missing_signals_are_named():
    finding = only_finding(**LOSSES)
    assert (finding.diagnosis, finding.severity) == ("inconclusive", "warning") and finding.confidence <= 0.3
    assert "auc_d" in finding.summary and "fid" in finding.summary
    assert set(finding.evidence) == {"loss_d", "loss_g"} and finding.evidence["loss_d"].step == STEPS[-1]


def test_a_score_near_its_best_gives_no_findings():
    assert apply_rules(make_log(**LOSSES, fid=FALLING)) == ()
    assert apply_rules(make_log(**LOSSES, inception_score=np.linspace(1, 8, 10))) == ()


@pytest.mark.parametrize("name", ["loss_d", "loss_g", "score_real", "grad_norm_g"])
@pytest.mark.parametrize("nonfinite", [math.nan, math.inf, -math.inf])
def test_values_that_stay_nonfinite_are_divergence(name, nonfinite):
    values = np.where(STEPS >= 1500, nonfinite, 0.7)
    finding = only_finding(**{**LOSSES, name: values})
    assert (finding.diagnosis, finding.severity, finding.onset_step) == ("divergence", "failure", 1500)
    assert finding.confidence > 0.9 and finding.evidence[name].value is None
    found = to_history(make_log(**{**LOSSES, name: values})).nonfinite
    assert (found is None) if "loss" not in name else (found.step == 1500 and found.what == "loss")


def test_transient_nan_and_nan_for_missing_values_are_no_divergence():
    passed = np.where((STEPS > 500) & (STEPS < 900), math.nan, 0.7 + 0.1 * NOISE)
    every_tenth = np.where(np.arange(N) % 10 == 3, 0.7 + 0.1 * NOISE, math.nan)
    for values in (passed, every_tenth, FLAT * math.nan):
        columns = {**LOSSES, "loss_g": values}
        assert {f.diagnosis for f in apply_rules(make_log(**columns))} == {"inconclusive"}
        assert to_history(make_log(**columns)).nonfinite is None


def test_a_single_final_nan_lowers_the_confidence_of_divergence():
    last = only_finding(**{**LOSSES, "loss_d": np.where(STEPS[-1] == STEPS, math.nan, 0.7)})
    assert last.diagnosis == "divergence" and last.confidence < 0.9


def test_losses_that_are_nan_throughout_are_divergence():
    finding = only_finding(loss_d=math.nan * FLAT, loss_g=math.nan * FLAT)
    assert (finding.diagnosis, finding.onset_step) == ("divergence", 0)


def test_losses_that_stay_exploded_are_divergence_but_a_spike_is_not():
    exploded = np.where(STEPS > 1000, 5e4, 1.0) * (1 + 0.1 * NOISE)
    finding = only_finding(loss_d=exploded, loss_g=0.9)
    assert (finding.diagnosis, finding.severity) == ("divergence", "failure") and 1000 < finding.onset_step <= 1030
    spike = np.where(STEPS == 1000, 5e4, 1.0)
    assert only_finding(loss_d=spike, loss_g=0.9).diagnosis == "inconclusive"


def test_a_score_that_got_worse_is_a_failure_and_names_the_best_snapshot():
    finding = only_finding(**LOSSES, fid=TURNED, unit="kimg")
    assert (finding.diagnosis, finding.severity, finding.onset_step) == ("quality-regression", "failure", 1400)
    assert "fid was best at kimg 1000 (11) and is now 5.5 times worse" in finding.summary
    assert "keep the snapshot of kimg 1000" in finding.summary and not finding.remedy
    assert finding.evidence["fid"].value == 60 and finding.evidence["fid"].threshold == pytest.approx(16.5)
    higher = only_finding(inception_score=100 / TURNED)
    assert (higher.severity, higher.onset_step) == ("failure", 1400)


def test_a_score_that_is_worse_only_at_its_last_value_is_a_warning():
    finding = only_finding(fid=np.r_[FALLING[:9], 30])
    assert (finding.severity, finding.onset_step) == ("warning", 1800) and finding.confidence < 0.5


def test_rising_signs_on_training_reals_with_a_worse_score_are_memorization():
    rising = np.linspace(0.2, 0.9, N)
    finding = only_finding(fid=TURNED, sign_real=rising, sign_fake=-rising)
    assert (finding.diagnosis, finding.severity) == ("memorization", "failure")
    assert finding.evidence["sign_real"].threshold == 0.6
    assert only_finding(fid=TURNED, sign_real=0.4 + 0 * rising).diagnosis == "quality-regression"
    assert only_finding(fid=TURNED, sign_real=0.7 + 0 * rising).diagnosis == "quality-regression"  # high, but constant
    assert only_finding(sign_real=rising).severity == "warning"
    assert apply_rules(make_log(fid=FALLING, sign_real=rising)) == ()


WON = {"loss_d": 0.7 * np.exp(-STEPS / 100), "loss_g": 1 + STEPS / 300}
SATURATED = {"d_real": np.where(STEPS > 800, 0.99, 0.7), "d_fake": np.where(STEPS > 800, 0.01, 0.4)}


def test_a_winning_d_is_a_warning_with_more_confidence_from_outputs_than_losses():
    losses, outputs = only_finding(**WON), only_finding(**WON, **SATURATED)
    for finding in (losses, outputs):
        assert (finding.diagnosis, finding.severity) == ("overpowering-discriminator", "warning")
        assert finding.confidence <= 0.5 and "no failure" in finding.summary
    assert losses.confidence < outputs.confidence and set(losses.evidence) == {"loss_d", "loss_g"}
    assert outputs.onset_step == 810 and set(outputs.evidence) == {"d_real", "d_fake"}


def test_a_winning_d_is_a_failure_if_the_score_is_stuck_and_fine_if_it_improves():
    finding = only_finding(**SATURATED, fid=250 + NOISE[:10])
    assert (finding.diagnosis, finding.severity) == ("overpowering-discriminator", "failure")
    assert set(finding.evidence) == {"d_real", "d_fake", "fid"} and finding.confidence > 0.7
    assert only_finding(**WON, fid=250 + NOISE[:10]).severity == "warning"
    assert apply_rules(make_log(**SATURATED, fid=FALLING)) == ()


@pytest.mark.parametrize(
    "columns",
    [
        {"sign_real": 0.99, "sign_fake": -0.99},
        {"auc_d": 0.999},
        {"accuracy_d": 100.0},
    ],
)
def test_signs_auc_and_accuracy_show_a_winning_d(columns):
    assert only_finding(**columns).diagnosis == "overpowering-discriminator"


def test_a_recent_win_or_a_negative_loss_is_no_winning_d():
    late = {"d_real": np.where(STEPS > 1800, 0.99, 0.7), "d_fake": np.where(STEPS > 1800, 0.01, 0.4)}
    assert only_finding(**late).diagnosis == "inconclusive"
    assert only_finding(loss_d=-0.5 - STEPS / 1000, loss_g=1 + STEPS / 300).diagnosis == "inconclusive"  # Wasserstein


@pytest.mark.parametrize(
    "columns, severity",
    [
        ({"d_real": 0.51 * FLAT, "d_fake": 0.49 * FLAT}, "failure"),
        ({"sign_real": 0.02 * FLAT, "sign_fake": -0.02 * FLAT}, "failure"),
        ({"auc_d": 0.52 * FLAT}, "failure"),
        ({"loss_d": 2 * math.log(2), "loss_g": math.log(2)}, "warning"),
    ],
)
def test_a_d_at_chance_is_weak_only_if_the_score_is_stuck_at_a_bad_level(columns, severity):
    finding = only_finding(**columns, fid=250 + NOISE[:10])
    assert (finding.diagnosis, finding.severity) == ("weak-discriminator", severity) and finding.confidence <= 0.6
    assert only_finding(**columns).diagnosis == "inconclusive"  # without a score it may be the equilibrium
    assert apply_rules(make_log(**columns, fid=FALLING)) == ()


SWINGING = 1 + 0.8 * np.sin(STEPS / 30) + 0.1 * NOISE


def test_periodic_losses_are_a_low_confidence_warning_and_noise_is_none():
    finding = only_finding(loss_d=1.2, loss_g=SWINGING)
    assert (finding.diagnosis, finding.severity, finding.confidence) == ("oscillation", "warning", 0.3)
    assert "period of about 19" in finding.summary or "period of about 18" in finding.summary
    for noise in (1 + 0.8 * NOISE, 1 + 0.05 * np.sin(STEPS / 30), np.cumsum(NOISE), 1 + NOISE**2):
        assert only_finding(loss_d=1.2, loss_g=noise).diagnosis == "inconclusive"


def test_an_oscillating_score_raises_confidence_and_a_steady_one_clears_the_losses():
    swinging = np.array([100, 40, 64, 35, 60, 30, 55, 28, 50, 27.0])
    alone, both = only_finding(fid=swinging), only_finding(fid=swinging, loss_g=SWINGING)
    assert alone.diagnosis == both.diagnosis == "oscillation" and 0.3 < alone.confidence < both.confidence
    assert apply_rules(make_log(fid=FALLING, loss_g=SWINGING)) == ()


def test_remedies_are_settings_that_a_suite_accepts():
    remedies = [
        only_finding(**columns).remedy
        for columns in (
            WON,
            {"loss_d": 1.2, "loss_g": SWINGING},
            {"loss_d": np.where(STEPS > 900, math.nan, 1.0), "loss_g": 1.0},
            {"auc_d": 0.5 * FLAT, "fid": 250 + NOISE[:10]},
        )
    ]
    assert len(remedies) == len({str(remedy) for remedy in remedies}) == 4
    for remedy in remedies:
        settings = Remedy(remedy.settings)
        assert tomllib.loads(f"method = {{ {settings} }}")["method"] == remedy.settings
        assert remedy.advice  # for those who have no suite
        assert set(remedy.settings) <= {"regularizers", "d_steps"}
        for regularizer in remedy.settings.get("regularizers", []):
            load_registry().check("regularizer", as_ref(regularizer, "remedy"), "remedy")


def test_json_has_the_keys_of_findings_csv(diagnose, write_csv):
    from ganbench.results.tables import FINDINGS

    row = diagnose(write_csv(step=STEPS, **LOSSES)).finding
    assert set(row) == set(FINDINGS)
    assert (row["trial"], row["suite"], row["dataset"], row["method"], row["seed"]) == ("log", "", "", "", None)


def test_text_output_lists_columns_read_and_findings(diagnose, write_csv):
    path = write_csv(step=STEPS, errD=WON["loss_d"], errG=WON["loss_g"], lr=FLAT)
    result = diagnose(path, as_json=False)
    assert (
        result.err
        == "ganbench: log: 200 rows up to step 1990; read errD as loss_d, errG as loss_g; not recognised: lr\n"
    )
    assert result.out.startswith("log: warning: overpowering-discriminator since step ")
    assert result.out.endswith("or a lower learning rate for D\n1 finding in 1 trial\n")
    assert '  remedy: regularizers = ["r1"], d_steps = 1: a gradient penalty' in result.out


def test_a_diagnosis_that_raises_does_not_affect_others(diagnose, write_csv, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ganbench_plugins.py").write_text('''
import ganbench

class Fragile:
    """Needs a column that the log lacks."""
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
    result = diagnose(write_csv(step=STEPS, **LOSSES))
    assert result.code == 0 and "inconclusive" in result.findings
    assert "left out: diagnosis 'fragile': KeyError" in result.err and "diagnosis 'demanding'" in result.err


def test_impossible_scores_count_as_not_logged(diagnose, write_csv):
    fid = [0, 0, 120, 80, 60, 45, 40, 35, 33, 30]
    result = diagnose(write_csv(step=range(0, 1000, 100), fid=fid))
    assert json.loads(result.out) == []
    assert "fid" in result.err


FROZEN = {"loss_d": 13.8155 * FLAT, "loss_g": -0.0 * FLAT}


def test_losses_that_keep_their_first_value_mean_that_nothing_has_moved():
    finding = only_finding(**FROZEN)
    assert (finding.diagnosis, finding.severity, finding.onset_step) == ("wiring", "failure", 0)
    assert finding.summary.startswith("Nothing has moved since step 0: ") and "-log(1e-06)" in finding.summary
    assert set(finding.evidence) == {"loss_d", "loss_g"} and finding.remedy.advice and not finding.remedy.settings
    stopped = {name: np.where(STEPS < 900, v + NOISE, v) for name, v in FROZEN.items()}
    assert (only_finding(**stopped).diagnosis, only_finding(**stopped).onset_step) == ("wiring", 900)
    at_chance = only_finding(loss_d=1.3863 * FLAT, loss_g=0.6931 * FLAT, d_real=0.5 * FLAT, d_fake=0.5 * FLAT)
    assert (at_chance.diagnosis, at_chance.severity) == ("wiring", "failure")
    assert "whose output is the same for every sample" in at_chance.summary


@pytest.mark.parametrize("d, g, hint", [(0.0, 100.0, "cut off"), (0.0, 27.6310, "-log(1e-12)")])
def test_losses_that_stand_still_with_d_at_zero_mean_that_d_has_won(d, g, hint):
    finding = only_finding(loss_d=d * FLAT, loss_g=g * FLAT)
    assert (finding.diagnosis, finding.severity) == ("overpowering-discriminator", "failure")
    assert "Nothing has moved since step 0" in finding.summary and hint in finding.summary


def test_one_loss_that_keeps_its_first_value_is_a_warning():
    for columns in ({"loss_d": 2.0 * FLAT, "loss_g": 0.9}, {"loss_d": 1.2, "loss_g": 0.7 * FLAT}):
        finding = only_finding(**columns)
        assert (finding.diagnosis, finding.severity, finding.onset_step) == ("wiring", "warning", 0)
    only = only_finding(loss_g=0.7 * FLAT)
    assert (only.diagnosis, only.severity) == ("wiring", "warning") and only.summary.startswith("Nothing has moved")
    beside = only_finding(**FROZEN, d_real=0.6 + 0.01 * NOISE)
    assert (beside.diagnosis, beside.severity) == ("wiring", "warning") and "while d_real moves on" in beside.summary


def test_losses_that_move_little_or_repeat_for_a_while_do_not_stand_still():
    rounded = {"loss_d": np.round(1.386 + 0.001 * NOISE, 3), "loss_g": np.round(0.693 + 0.001 * NOISE, 3)}
    paused = {name: np.where((STEPS > 500) & (STEPS < 1400), v[50], v) for name, v in rounded.items()}
    short = {name: np.where(STEPS > 1500, v[150], v) for name, v in rounded.items()}
    for columns in (rounded, paused, short):
        assert only_finding(**columns).diagnosis == "inconclusive"
    assert apply_rules(make_log(**FROZEN, fid=FALLING)) == ()  # the samples change: it is the logger


def test_a_score_that_never_changes_is_a_warning_of_wiring():
    finding = only_finding(**LOSSES, fid=312.4 + 0 * FALLING)
    assert (finding.diagnosis, finding.severity) == ("wiring", "warning") and "same at all 10" in finding.summary
    assert apply_rules(make_log(**LOSSES, fid=FALLING)) == ()


def test_a_score_that_turns_nan_for_good_broke_at_that_step():
    broken = np.r_[FALLING[:6], [math.nan] * 4]
    finding = only_finding(**LOSSES, fid=broken)
    assert (finding.diagnosis, finding.severity, finding.onset_step) == ("divergence", "failure", 1200)
    assert "the score broke there" in finding.summary and "at step 1000" in finding.summary
    assert finding.evidence["fid"].value is None and "snapshot of step 1000" in finding.remedy.advice
    infinite = only_finding(inception_score=np.r_[np.linspace(1, 5, 6), [math.inf] * 4])
    assert (infinite.diagnosis, infinite.onset_step) == ("divergence", 1200)
    with_losses = only_finding(**{**LOSSES, "loss_g": np.where(STEPS >= 1500, math.nan, 0.7)}, fid=broken)
    assert (with_losses.diagnosis, with_losses.onset_step) == ("divergence", 1500)


def test_a_score_that_is_nan_in_between_is_not_broken():
    between = np.where(np.arange(10) % 2 == 0, FALLING, math.nan)
    assert apply_rules(make_log(**LOSSES, fid=between)) == ()  # the last is NaN too: it was not measured there
    stopped = only_finding(**LOSSES, fid=np.where(np.arange(10) == 1, math.nan, np.r_[FALLING[:6], [math.nan] * 4]))
    assert (stopped.severity, stopped.onset_step) == ("warning", 1200) and "no longer measured" in stopped.summary
    last = only_finding(**LOSSES, fid=np.r_[FALLING[:9], math.nan])
    assert last.severity == "warning" and last.confidence < 0.5


def test_a_signal_that_is_nan_throughout_is_said(diagnose, write_csv):
    finding = only_finding(**LOSSES, score_fake=math.nan * FLAT, score_real=0.5 + NOISE)
    assert finding.diagnosis == "inconclusive" and "score_fake is never finite" in finding.summary
    assert "No failure is visible in loss_d, loss_g, score_real," in finding.summary
    columns = {"step": SCORED, "loss_d": FALLING, "loss_g": FALLING, "fid": FALLING}
    result = diagnose(write_csv(**columns, **{"D(x)": ["nan"] * 10}))
    assert result.findings == {} and "D(x) is NaN throughout, in all of its 10 values" in result.err
    clean = diagnose(write_csv(**columns, **{"D(x)": 0.5 + FALLING / 1000}))
    assert clean.findings == {} and clean.err.count("\n") == 2 and "NaN" not in clean.err


def test_nan_that_come_and_go_are_said_and_are_divergence_only_where_they_last(diagnose, write_csv):
    spells = np.isin(np.arange(N), [50, 51, 90, 91, 92, 130])
    values = np.where(spells, math.nan, 0.7 + 0.1 * NOISE)
    finding = only_finding(**{**LOSSES, "loss_g": values})
    assert finding.diagnosis == "inconclusive"
    assert "loss_g was not finite 6 times between step 500 and step 1300, and was again since" in finding.summary
    assert (
        "not finite in 6 of its 200 values" in diagnose(write_csv(step=STEPS, loss_d=FLAT + NOISE, loss_g=values)).err
    )
    longer = only_finding(**{**LOSSES, "loss_g": np.where(spells | (np.arange(N) >= 194), math.nan, 0.7 + 0.1 * NOISE)})
    assert (longer.diagnosis, longer.severity, longer.onset_step) == ("divergence", "warning", 1940)
    for_good = only_finding(**{**LOSSES, "loss_g": np.where(spells | (np.arange(N) >= 150), math.nan, 0.7)})
    assert (for_good.diagnosis, for_good.severity, for_good.onset_step) == ("divergence", "failure", 1500)
    every_other = np.where(np.arange(N) % 2 == 0, 0.7 + 0.1 * NOISE, math.nan)
    assert "finite" not in only_finding(**{**LOSSES, "loss_g": every_other}).summary  # NaN stands for "not logged"


@pytest.mark.parametrize("name", ["auc_d", "accuracy_d", "sign_real"])
def test_a_rate_that_turns_nan_for_good_broke_at_that_step(name):
    values = 0.7 + 0.01 * NOISE
    finding = only_finding(**{**LOSSES, name: np.where(STEPS >= 1500, math.nan, values)})
    assert (finding.diagnosis, finding.severity, finding.onset_step) == ("divergence", "failure", 1500)
    assert f"{name} broke there" in finding.summary and "D's raw outputs" in finding.remedy.advice
    assert only_finding(**{**LOSSES, name: values}).diagnosis == "inconclusive"


def test_a_signal_that_falls_silent_before_the_log_ends_is_noted(diagnose, write_csv):
    fid = [*FALLING[:6], *[None] * 4]
    result = diagnose(write_csv(step=SCORED, loss_d=FALLING, loss_g=FALLING, fid=fid))
    assert result.findings == {}
    assert (
        "fid has no value after step 1000, though the log goes on to 1800: it was no longer logged, or is NaN"
        in result.err
    )
    both = diagnose(write_csv(step=SCORED, loss_d=fid, loss_g=fid))
    assert both.err.count("has no value after step 1000") == 2
    sparse = [v if i in (0, 3, 6) else None for i, v in enumerate(FALLING)]
    assert "no value after" not in diagnose(write_csv(step=SCORED, loss_d=FALLING, fid=sparse)).err


def test_losses_near_zero_that_are_logged_with_few_digits_are_no_failure():
    critic = np.round(-0.002 + 0.0005 * NOISE, 2)
    finding = only_finding(loss_d=critic, loss_g=np.abs(critic))
    assert (finding.diagnosis, finding.severity) == ("wiring", "warning") and "More digits" in finding.summary
    assert only_finding(loss_d=critic, loss_g=0.5 + NOISE).diagnosis == "inconclusive"  # rounded from below 0: a critic
