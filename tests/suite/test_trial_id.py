"""Ids depend on what decides a result, where it differs from a frozen table of defaults, and on nothing else."""

import dataclasses
from dataclasses import replace
from typing import get_type_hints

import msgspec
import pytest

from ganbench.contract.records import ComponentRef, Components, DataSpec, Evaluation, StopWhen, Training, Trial
from ganbench.suite import trial_id as ids
from ganbench.suite.trial_id import FROZEN_DEFAULTS, decides_result, trial_id

ADAM = ComponentRef("adam", {"lr": 2e-4, "betas": [0.5, 0.999], "eps": 1e-8, "weight_decay": 0.0})
TRIAL = Trial(
    id="",
    suite="basic",
    dataset="ring",
    method="hinge",
    seed=0,
    data=DataSpec("points", (2,), modes=8),
    components=Components(ComponentRef("ring"), ComponentRef("mlp"), ComponentRef("mlp"), ComponentRef("hinge")),
    training=Training(2000, 128, ADAM, ADAM),
    evaluation=Evaluation((ComponentRef("modes"),)),
    diagnoses=(ComponentRef("divergence"), ComponentRef("mode-collapse")),
)


def test_an_id_is_as_it_was_when_this_schema_began():
    assert trial_id(TRIAL) == "ring-hinge-0-493759a475"


@pytest.mark.parametrize(
    "same",
    [
        replace(TRIAL, diagnoses=()),
        replace(TRIAL, diagnoses=(*TRIAL.diagnoses, ComponentRef("of-a-plugin"))),
        replace(TRIAL, timeout=5.0),
        replace(TRIAL, plugin_files=("/elsewhere/ganbench_plugins.py",)),
        replace(TRIAL, suite="another"),
        replace(TRIAL, device="cpu:1"),
        replace(TRIAL, training=replace(TRIAL.training, ema=0.0)),
    ],
    ids=["no diagnoses", "one more diagnosis", "timeout", "plugin files", "suite", "device number", "a default given"],
)
def test_what_does_not_decide_the_result_leaves_the_id(same):
    assert trial_id(same) == trial_id(TRIAL)


@pytest.mark.parametrize(
    "other",
    [
        replace(TRIAL, seed=1),
        replace(TRIAL, method="r3"),
        replace(TRIAL, dataset="grid"),
        replace(TRIAL, device="cuda"),
        replace(TRIAL, data=replace(TRIAL.data, shape=(3,))),
        replace(TRIAL, training=replace(TRIAL.training, steps=2001)),
        replace(TRIAL, training=replace(TRIAL.training, d_steps=2)),
        replace(TRIAL, training=replace(TRIAL.training, stop_when=StopWhen("modes", at_least=8.0))),
        replace(TRIAL, components=replace(TRIAL.components, regularizers=(ComponentRef("r1"),))),
        replace(TRIAL, evaluation=replace(TRIAL.evaluation, samples=100)),
    ],
)
def test_what_decides_the_result_changes_the_id(other):
    assert trial_id(other) != trial_id(TRIAL)


def test_a_diagnosis_counts_where_it_may_stop_the_trial():
    stopping = replace(TRIAL, training=replace(TRIAL.training, stop_on=("divergence",)))
    options = (ComponentRef("divergence", {"limit": 1.0}), TRIAL.diagnoses[1])
    assert trial_id(replace(stopping, diagnoses=options)) != trial_id(stopping)
    assert trial_id(replace(stopping, diagnoses=stopping.diagnoses[:1])) == trial_id(stopping)
    assert decides_result(stopping, "diagnosis divergence") and not decides_result(stopping, "diagnosis mode-collapse")
    assert decides_result(stopping, "loss hinge")


def test_a_new_field_with_a_default_leaves_every_id():
    newer = dataclasses.make_dataclass(
        "Training", [("warmup", int, dataclasses.field(default=0))], bases=(Training,), frozen=True
    )
    fields = {field.name: getattr(TRIAL.training, field.name) for field in dataclasses.fields(Training)}
    assert trial_id(replace(TRIAL, training=newer(**fields))) == trial_id(TRIAL)
    assert trial_id(replace(TRIAL, training=newer(**fields, warmup=5))) != trial_id(TRIAL)


def test_a_changed_default_leaves_the_ids_of_trials_that_state_the_value(monkeypatch):
    today = trial_id(TRIAL)
    changed = dataclasses.make_dataclass("Training", [("ema", float, 0.9)], bases=(Training,), frozen=True)
    fields = {field.name: getattr(TRIAL.training, field.name) for field in dataclasses.fields(Training)}
    assert trial_id(replace(TRIAL, training=changed(**fields))) == today
    assert trial_id(replace(TRIAL, training=changed(**{**fields, "ema": 0.9}))) != today


def test_the_frozen_table_states_fields_that_there_are():
    hints = get_type_hints(Trial)
    for name, frozen in FROZEN_DEFAULTS.items():
        assert set(frozen) <= {field.name for field in dataclasses.fields(hints[name])}


def test_an_id_survives_being_stored():
    again = msgspec.json.decode(msgspec.json.encode(TRIAL), type=Trial)
    assert trial_id(again) == trial_id(TRIAL)
    assert ids.SCHEMA == 2
