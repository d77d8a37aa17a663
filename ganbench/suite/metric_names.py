"""Names of metrics on features: `frechet-lite0-64` is the metric `frechet` on the features `lite0` of size 64."""

from __future__ import annotations

from ..contract.records import ComponentRef, Trial
from ..registry.registry import Registry, as_ref

FEATURES = "features"  # the option of a metric that names its features
SIZE = "size"  # the option of features that is part of their name: the side in pixels that pictures are resized to


def resolve_metric(ref: ComponentRef, registry: Registry) -> ComponentRef:
    """Return the metric that a name stands for: itself, or a metric and its features joined by a dash.

    A name that is neither is returned as it is; the registry says what is near it.
    """
    metrics = {entry.name for entry in registry.entries("metric")}
    if ref.name in metrics or FEATURES in ref.options:
        return ref
    for metric in sorted(metrics, key=len, reverse=True):
        if not ref.name.startswith(f"{metric}-") or FEATURES not in registry.find("metric", metric).options:
            continue
        if features := resolve_features(ref.name.removeprefix(f"{metric}-"), registry):
            return ComponentRef(metric, {**ref.options, FEATURES: features})
    return ref


def metric_label(ref: ComponentRef, registry: Registry) -> str:
    """Return what the scores of a metric are called: its name, and its features where the name does not imply them."""
    if registry.is_unavailable("metric", ref.name):
        return ref.name
    implied = getattr(registry.find("metric", ref.name).build, "implied_features", "")
    features = features_label(ref, registry)
    return ref.name if implied or not features else f"{ref.name}-{features}"


def features_label(ref: ComponentRef, registry: Registry) -> str:
    """Return what a metric's features are called, as `lite0-64`; empty if it has none."""
    entry = registry.find("metric", ref.name)
    option = entry.options.get(FEATURES)
    if option is None or not option.part:
        return getattr(entry.build, "implied_features", "")
    features = as_ref(ref.options.get(FEATURES, option.default), ref.name)
    if registry.is_unavailable(FEATURES, features.name):
        return features.name
    sizes = registry.find(FEATURES, features.name).options.get(SIZE)
    return features.name if sizes is None else f"{features.name}-{features.options.get(SIZE, sizes.default)}"


def why_left_out(trial: Trial, registry: Registry) -> dict[str, str]:
    """Return why metrics and diagnoses cannot serve a trial, by what their scores or findings are called."""
    named = [("metric", metric_label(ref, registry), ref) for ref in trial.evaluation.metrics]
    named += [("diagnosis", ref.name, ref) for ref in trial.diagnoses]
    return {name: why for kind, name, ref in named if (why := registry.skip(kind, ref, trial))}


def resolve_features(name: str, registry: Registry) -> str | dict[str, object] | None:
    """Return what an option `features` holds for a name such as `lite0-64`; None if no features are called so."""
    known = {entry.name for entry in registry.entries(FEATURES)}
    if name in known:
        return name
    stem, _, size = name.rpartition("-")
    if stem in known and size.isdigit() and SIZE in registry.find(FEATURES, stem).options:
        return {"name": stem, SIZE: int(size)}
    return None
