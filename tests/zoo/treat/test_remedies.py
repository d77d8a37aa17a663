"""Remedies become the trials that try them; controls are drawn by trial and never equal the recommendation."""

from __future__ import annotations

from dataclasses import replace

import pytest
from small_suites import SMALL_CONV

from ganbench import RequestError
from ganbench.contract.records import ComponentRef, Finding, Remedy, Score, TrialResult
from ganbench.zoo.treat.cases import Case, TrialOutcome, outcome_of
from ganbench.zoo.treat.controls import arms_of_failed, assign, load_controls
from ganbench.zoo.treat.remedies import recommended, treated


def finding(diagnosis="ill", confidence=0.9, remedy="d_steps = 2", severity="failure", cause=""):
    return Finding(diagnosis, "now", severity, confidence, 1, "said", {}, remedy, cause)


def arms(trial, registry, *findings):
    result = TrialResult(trial, "done", findings=findings, verdicts=("ill",))
    return {t.arm: t for t in arms_of_failed(Case(result, TrialOutcome(("ill",), "verdicts")), registry)}


def test_a_remedy_replaces_what_it_names_and_keeps_the_rest(make_trial, registry):
    trial = make_trial({"regularizers": ["dragan"]}, ema=0.5)
    remedy = (
        'd_steps = 2, regularizers = [{ name = "r1", weight = 3 }, "r2"], optimizer_d = { name = "adam", lr = 1e-5 }'
    )
    made = treated(trial, Remedy.parse(remedy), registry)
    assert [(r.name, dict(r.options)) for r in made.components.regularizers] == [("r1", {"weight": 3.0}), ("r2", {})]
    defaults = {"betas": [0.5, 0.999], "eps": 1e-8, "weight_decay": 0.0}
    assert made.training == replace(
        trial.training, d_steps=2, optimizer_d=ComponentRef("adam", {"lr": 1e-5, **defaults})
    )
    assert replace(made.components, regularizers=()) == replace(trial.components, regularizers=())
    assert (made.seed, made.evaluation, made.data) == (trial.seed, trial.evaluation, trial.data)
    assert made.method == f"method + {Remedy.parse(remedy)}" and made.id != trial.id


def test_a_remedy_may_differ_by_kind_of_data(make_trial, registry):
    remedy = 'batch_size = 8, points = { loss = "hinge" }, images = { loss = "relativistic", batch_size = 16 }'
    on_points = treated(make_trial(), Remedy.parse(remedy), registry)
    on_images = treated(make_trial(SMALL_CONV, datasets=["digits"]), Remedy.parse(remedy), registry)
    assert (on_points.components.loss.name, on_points.training.batch_size) == ("hinge", 8)
    assert (on_images.components.loss.name, on_images.training.batch_size) == ("relativistic", 16)


@pytest.mark.parametrize(
    "remedy, line",
    [
        ("", "remedy has no settings"),
        ("lower the learning rate", "remedy has no settings"),
        ('regularizers = ["r1"]; or d_steps = 1', "remedy has no settings"),
        ("d_steps = 2 }\nmore = { x = 1", "remedy has no settings"),
        ("d_stepz = 2", r"\[remedy\]: unknown key 'd_stepz'; did you mean 'd_steps'"),
        ("points = { emma = 0.9 }", r"\[remedy.points\]: unknown key 'emma'; did you mean 'ema'"),
        ('loss = "hindge"', "no loss is called 'hindge'; did you mean 'hinge'"),
        ('regularizers = [{ name = "r1", wait = 1.0 }]', "unknown key 'wait'; did you mean 'weight'"),
        ('regularizers = ["r1", "r1"]', "'r1' is listed twice"),
        ('loss = "non-saturating", batch_size = 32', "remedy changes nothing"),
        ('generator = "conv"', "remedy does not serve: generator 'conv'"),
    ],
)
def test_a_remedy_that_cannot_be_tried_says_why_and_is_not_tried(make_trial, registry, remedy, line):
    trial = make_trial()
    with pytest.raises(RequestError, match=line):
        treated(trial, Remedy.parse(remedy), registry)
    first = arms(trial, registry, finding(remedy=remedy))["recommended"]
    assert first.trial is None and first.note and first.remedy == Remedy.parse(remedy)


def test_the_most_confident_failure_recommends_unless_it_names_a_cause():
    sure, unsure, warning = finding("a", 0.9), finding("b", 0.6), finding("c", 1.0, severity="warning")
    assert recommended([warning, unsure, sure]) == [sure, unsure]
    assert recommended([warning]) == []
    caused = replace(sure, cause="b")
    assert recommended([caused, unsure]) == [unsure]
    assert recommended([caused]) == [caused]
    assert {f.diagnosis for f in recommended([caused, replace(unsure, cause="a")])} <= {"a", "b"}  # a circle ends


def test_if_the_first_remedy_changes_nothing_the_next_is_tried(make_trial, registry):
    idle, other = finding("a", 0.9, remedy='loss = "non-saturating"'), finding("b", 0.6, remedy='loss = "hinge"')
    first = arms(make_trial(), registry, idle, other)["recommended"]
    assert first.diagnosis == "b" and first.trial and first.trial.components.loss.name == "hinge"


def test_a_failed_trial_without_a_finding_still_gets_a_control(make_trial, registry):
    tried = arms(make_trial(), registry)
    assert tried["recommended"].trial is None and tried["recommended"].note == "no finding"
    assert tried["random"].trial and {t.diagnosis for t in tried.values()} == {"no finding"}


@pytest.mark.parametrize("remedy", load_controls(), ids=str)
def test_every_control_trains_on_points_and_serves_images(make_trial, run_here, registry, remedy):
    settings = {"loss": "minimax", "optimizer": "rmsprop"}  # which no control advises
    small = {"generator": {"name": "mlp", "width": 8}, "discriminator": {"name": "mlp", "width": 8}}
    made = treated(make_trial({**settings, **small}, steps=2, diagnoses=[]), remedy, registry)
    assert run_here(made).status == "done"
    treated(make_trial({**settings, **SMALL_CONV}, datasets=["digits"]), remedy, registry)


def test_the_random_remedy_is_the_same_every_time_and_never_the_recommended_one(make_trial, registry):
    trials = [make_trial(seed=seed) for seed in range(40)]
    picks = [assign(trial, load_controls(), registry)[0] for trial in trials]
    assert picks == [assign(trial, load_controls(), registry)[0] for trial in trials]
    assert len(set(map(str, picks))) > len(load_controls()) / 2
    for trial, pick in zip(trials, picks, strict=True):
        assert arms(trial, registry, finding(remedy=pick))["random"].remedy != pick


def truth(step, **values):
    base = {"missing": 0.0, "spread": 1.0, "d_auc": 0.6, "strong_auc": 0.6, "gap": 0.0, "distance": 0.1}
    base |= {"moved": 0.0, "circled": 0.0}
    return tuple(
        Score(step, f"ground-truth.{name}", value, "lower", 0.0, 9, 9, 0.0) for name, value in (base | values).items()
    )


def test_the_outcome_is_the_ground_truth_or_else_the_verdicts(make_trial):
    trial = make_trial(metrics=["ground-truth"])
    ill = {"findings": (finding(),), "verdicts": ("ill",)}
    well = TrialResult(trial, "done", steps=60, scores=truth(60), **ill)
    assert outcome_of(well) == TrialOutcome((), "ground truth")
    assert outcome_of(replace(well, scores=truth(60, missing=0.5))) == TrialOutcome(("mode-collapse",), "ground truth")
    assert outcome_of(replace(well, status="stopped", steps=30, scores=truth(30, missing=0.5))).failed
    assert outcome_of(replace(well, scores=truth(30))) == TrialOutcome(("ill",), "verdicts")  # not measured at the end
    assert outcome_of(replace(well, trial=make_trial())) == TrialOutcome(("ill",), "verdicts")
    assert outcome_of(replace(well, status="diverged")) == TrialOutcome(("divergence",), "ground truth")
    assert outcome_of(TrialResult(make_trial(), "done", verdicts=("healthy",))) == TrialOutcome((), "verdicts")
    assert outcome_of(TrialResult(make_trial(), "done")) is None  # nothing tells
    for status in ("error", "timeout", "skipped"):
        assert outcome_of(replace(well, status=status)) is None
