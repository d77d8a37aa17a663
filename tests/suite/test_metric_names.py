"""A metric on features is named by both."""

from __future__ import annotations

import pytest
from small_suites import suite_table, trials_of

from ganbench import ComponentRef, RequestError
from ganbench.registry.registry import load_registry
from ganbench.suite.metric_names import features_label, metric_label, resolve_metric

PLUGIN = """
from collections.abc import Callable
from typing import Annotated
import ganbench

class Plain(ganbench.Features):
    dim, preprocessing = 2, "none"

class Sized(ganbench.Features):
    dim, preprocessing = 2, "resized"
    def __init__(self, *, size: int = 64): ...

class Gap(ganbench.Metric):
    better = "lower"
    def __init__(self, *, features: Annotated[Callable[..., ganbench.Features], ganbench.Part("features")] = "sized", k: int = 1):
        self.features = features()

class Pinned(Gap):
    implied_features = "plain"
    def __init__(self, *, features: Annotated[Callable[..., ganbench.Features], ganbench.Part("features")] = "plain"):
        super().__init__(features=features)

@ganbench.hookimpl
def ganbench_features():
    yield ganbench.Component("plain", Plain)
    yield ganbench.Component("sized", Sized)

@ganbench.hookimpl
def ganbench_metrics():
    yield ganbench.Component("gap", Gap)
    yield ganbench.Component("gap-pinned", Pinned)
"""


@pytest.fixture
def files(tmp_path):
    plugin = tmp_path / "ganbench_plugins.py"
    plugin.write_text(PLUGIN)
    return (str(plugin),)


@pytest.mark.parametrize(
    ("name", "options", "label", "features"),
    [
        ("gap", {}, "gap-sized-64", "sized-64"),
        ("gap-sized", {}, "gap-sized-64", "sized-64"),
        ("gap-sized-32", {}, "gap-sized-32", "sized-32"),
        ("gap-plain", {}, "gap-plain", "plain"),
        ("gap-plain", {"k": 3}, "gap-plain", "plain"),
        ("gap", {"features": "plain"}, "gap-plain", "plain"),
        ("gap", {"features": {"name": "sized", "size": 96}}, "gap-sized-96", "sized-96"),
        ("gap-pinned", {}, "gap-pinned", "plain"),
        ("energy-distance", {}, "energy-distance", ""),
    ],
)
def test_a_name_stands_for_a_metric_and_its_features(files, name, options, label, features):
    registry = load_registry(files)
    ref = registry.check("metric", resolve_metric(ComponentRef(name, options), registry), "here")
    assert (metric_label(ref, registry), features_label(ref, registry)) == (label, features)
    assert registry.build("metric", ref).better == "lower"


def test_metrics_that_name_features_alike_share_them(files):
    registry = load_registry(files)
    first, second, other = (
        registry.build("metric", resolve_metric(ComponentRef(name), registry)).features
        for name in ("gap-sized-32", "gap-sized-32", "gap-sized-64")
    )
    assert first is second and first is not other


@pytest.mark.parametrize("name", ["gap-none", "gap-sized-x", "gap-plain-64", "ga-sized"])
def test_a_name_of_no_metric_and_features_is_refused(files, name):
    with pytest.raises(RequestError, match=f"no metric is called '{name}'; did you mean"):
        trials_of(suite_table(metrics=[name]), files)


def test_one_metric_on_several_features_is_several_metrics(files):
    (trial,) = trials_of(
        suite_table(metrics=["gap-plain", "gap-sized", {"name": "gap", "features": "sized"}][:2]), files
    )
    assert [ref.name for ref in trial.evaluation.metrics] == ["gap", "gap"]
    with pytest.raises(RequestError, match="metrics: 'gap-sized-64' is listed twice"):
        trials_of(suite_table(metrics=["gap", "gap-sized-64"]), files)


def test_a_target_is_a_score_in_the_suites_own_words(files):
    target = {"steps": 20, "batch_size": 8, "stop_when": {"metric": "gap-sized-64", "at_most": 0.1}}
    trials_of(suite_table(metrics=["gap-sized"], training=target), files)
    wrong = target | {"stop_when": {"metric": "gap-plain", "at_most": 0.1}}
    with pytest.raises(
        RequestError, match="stop_when: 'gap-plain' is not among the suite's metrics; valid: gap-sized-64"
    ):
        trials_of(suite_table(metrics=["gap-sized"], training=wrong), files)
