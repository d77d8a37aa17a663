"""Expands a suite into trials. Pure: nothing is built, nothing is read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from difflib import get_close_matches
from fnmatch import fnmatchcase
from typing import Any

from ..contract.errors import RequestError, did_you_mean
from ..contract.records import ADAPTIVE, ComponentRef, Components, DataSpec, Evaluation, TermRef, Training, Trial
from ..registry.registry import AnyRef, Registry
from .metric_names import metric_label, resolve_metric
from .parse import SHORT_FORMS, DatasetEntry, MethodEntry, Suite
from .schema import MAX_TRIALS
from .trial_id import trial_id

TIMEOUT = 900.0  # seconds a trial may take unless the suite says otherwise
_ADAM = ComponentRef("adam", {"lr": 2e-4, "betas": [0.5, 0.999], "eps": 1e-8, "weight_decay": 0.0})
DEFAULTS: dict[str, Any] = {"steps": 2000, "batch_size": 128, "optimizer_g": _ADAM, "optimizer_d": _ADAM}
UNKNOWN = DataSpec("unknown", ())  # of a data set whose own code fails: its trials end in an error that says so
NETWORKS = ("generator", "discriminator", "loss")
KIND_OF_SETTING = {
    **{name: name for name in NETWORKS},
    "augmentation": "augmentation",
    "optimizer_g": "optimizer",
    "optimizer_d": "optimizer",
    "update": "update",
}


def expand(
    suite: Suite,
    registry: Registry,
    specs: Mapping[str, DataSpec],
    device: str = "cpu",
    plugin_files: Sequence[str] = (),
) -> list[Trial]:
    """Return every trial of a suite: data sets × methods × seeds, in the suite's order.

    Args:
        suite: What to compare.
        registry: The components.
        specs: What each data set looks like, by its label in the suite; one without a spec is left out.
        device: Where to train.
        plugin_files: Local plugin files that workers must load.

    Raises:
        RequestError: A component, an option or a required part is wrong or missing, or there are too many trials.
    """
    metrics = _metrics(suite, registry)
    evaluation = Evaluation(metrics, suite.at, suite.samples, suite.expensive_at, suite.keep_best)
    _check_keep_best(evaluation, registry, f"{suite.source}: [evaluation]")
    diagnoses = _diagnoses(suite, registry)
    _check_kinds(suite, specs)
    methods_on = {label: _methods_on(suite.datasets[label], suite) for label in specs}
    _check_size(sum(map(len, methods_on.values())), suite)
    trials = []
    for label, spec in specs.items():
        dataset = suite.datasets[label]
        for method in methods_on[label]:
            entry = suite.methods[method]
            settings = {**DEFAULTS, **suite.training, **dataset.settings, **_settings_for(spec, entry)}
            timeout = settings.pop("timeout", TIMEOUT)
            where = f"{suite.source}: method {method!r}"
            components = _components(settings, dataset.ref, registry, where)
            training = _training(settings, registry, where)
            _check_stops(training, metrics, diagnoses, registry, where)
            _check_batches(training, device, where)
            _check_objective(training, components, where)
            for seed in suite.seeds:
                trials.append(
                    _with_id(
                        Trial(
                            id="",
                            suite=suite.name,
                            dataset=label,
                            method=method,
                            seed=seed,
                            data=spec,
                            components=components,
                            training=training,
                            evaluation=evaluation,
                            diagnoses=diagnoses,
                            device=device,
                            timeout=timeout,
                            plugin_files=tuple(plugin_files),
                        )
                    )
                )
    return trials


def with_overrides(trial: Trial, method: str, entry: MethodEntry, registry: Registry, where: str) -> Trial:
    """Return a trial under the label `method`, with the settings of `entry` in place of its own.

    Raises RequestError, its line beginning with `where`, for an unknown component, option or target.
    """
    parts, training = trial.components, trial.training
    settings = {name: getattr(parts, name) for name in (*NETWORKS, "regularizers", "augmentation", "terms")}
    settings |= {f.name: getattr(training, f.name) for f in fields(training)}
    settings |= _settings_for(trial.data, entry)
    timeout = settings.pop("timeout", trial.timeout)
    components = _components(settings, parts.dataset, registry, where)
    training = _training(settings, registry, where)
    _check_stops(training, trial.evaluation.metrics, trial.diagnoses, registry, where)
    _check_batches(training, trial.device, where)
    _check_objective(training, components, where)
    return _with_id(replace(trial, method=method, components=components, training=training, timeout=timeout))


def select_trials(trials: Iterable[Trial], only: Sequence[str]) -> list[Trial]:
    """Return the trials that match every KEY=GLOB; globs of the same key are alternatives.

    Raises RequestError for an unknown key, and if nothing matches.
    """
    keys = []
    for condition in only:
        key, sign, _ = condition.partition("=")
        if key not in _KEYS or not sign:
            raise RequestError(f"--only {condition}: give KEY=GLOB; {did_you_mean(key, _KEYS)}")
        keys.append(key)
    trials = list(trials)
    chosen = [t for t in trials if all(is_selected(only, key, _KEYS[key](t)) for key in keys)]
    if not chosen:
        values = {key: sorted({_KEYS[key](t) for t in trials}) for key in keys}
        raise RequestError(f"--only {' '.join(only)}: no trial matches; there are {values}")
    return chosen


def is_selected(only: Sequence[str], key: str, value: str) -> bool:
    """Return whether conditions KEY=GLOB select something with this value of `key`."""
    globs = [glob for name, _, glob in (condition.partition("=") for condition in only) if name == key]
    return not globs or any(fnmatchcase(value, glob) for glob in globs)


def regularizer_names(trial: Trial) -> str:
    """Return the names of a trial's regularizers as one cell of a table."""
    return ";".join(ref.name for ref in trial.components.regularizers)


_KEYS: dict[str, Callable[[Trial], str]] = {
    "dataset": lambda t: t.dataset,
    "method": lambda t: t.method,
    "seed": lambda t: str(t.seed),
    "generator": lambda t: t.components.generator.name,
    "discriminator": lambda t: t.components.discriminator.name,
    "loss": lambda t: t.components.loss.name,
    "regularizers": regularizer_names,
    "trial": lambda t: t.id,
}


def _settings_for(spec: DataSpec, entry: MethodEntry) -> dict[str, Any]:
    """The settings of a method for data of a kind."""
    if spec.kind != UNKNOWN.kind:
        return {**entry.settings, **entry.on.get(spec.kind, {})}
    every = dict(entry.settings)  # nothing is trained: so that no part is missing, whatever the kind would have been
    for kind in sorted(entry.on, key=lambda kind: ("images", "points").index(kind) if kind in SHORT_FORMS else -1):
        every |= entry.on[kind]
    return every


def _methods_on(dataset: DatasetEntry, suite: Suite) -> list[str]:
    """Return the methods that are tried on a data set."""
    return [method for method in suite.methods if any(fnmatchcase(method, pattern) for pattern in dataset.methods)]


def _check_size(pairs: int, suite: Suite) -> None:
    """Raise RequestError if there are more trials than memory should be asked for."""
    if (n := pairs * len(suite.seeds)) > MAX_TRIALS:
        raise RequestError(
            f"{suite.source}: {n} trials ({pairs} methods on data sets, {len(suite.seeds)} seeds each), and a suite has at "
            f"most {MAX_TRIALS}; give fewer seeds or methods, or several suites"
        )


def _check_kinds(suite: Suite, specs: Mapping[str, DataSpec]) -> None:
    """Raise RequestError for settings of a kind of data that is nearly the name of one that the suite has."""
    kinds = {spec.kind for spec in specs.values()}
    for method, entry in suite.methods.items():
        for kind in entry.on.keys() - kinds - set(SHORT_FORMS):
            if near := get_close_matches(kind, sorted(kinds), n=1, cutoff=0.75):
                raise RequestError(
                    f"{suite.source}: [methods.{method}.on.{kind}]: no data set of this suite is of that kind; "
                    f"did you mean {near[0]!r}?"
                )


def _components(settings: dict[str, Any], dataset: ComponentRef, registry: Registry, where: str) -> Components:
    """Take the components out of `settings` and check them."""
    for part in NETWORKS:
        if part not in settings:
            raise RequestError(f"{where}: {part!r} is missing")
    regularizers = settings.pop("regularizers", ())
    augmentation = settings.pop("augmentation", None)
    terms: tuple[TermRef, ...] = settings.pop("terms", ())
    _refuse_duplicates(terms, f"{where}: terms")
    _refuse_duplicates(regularizers, f"{where}: regularizers")

    def checked(kind: str, ref: AnyRef) -> AnyRef:
        return ref if registry.is_unavailable(kind, ref.name) else registry.check(kind, ref, where)

    return Components(
        dataset=checked("dataset", dataset),
        generator=checked("generator", settings.pop("generator")),
        discriminator=checked("discriminator", settings.pop("discriminator")),
        loss=checked("loss", settings.pop("loss")),
        regularizers=tuple(checked("regularizer", ref) for ref in regularizers),
        terms=tuple(checked("term", ref) for ref in terms),
        augmentation=None if augmentation is None else checked("augmentation", augmentation),
    )


def _training(settings: dict[str, Any], registry: Registry, where: str) -> Training:
    """The training settings, with every option of the optimizers, so that a stored trial states them."""
    optimizers = {
        key: registry.check_with_defaults("optimizer", settings[key], f"{where}: {key}")
        for key in ("optimizer_g", "optimizer_d")
    }
    training = Training(**{**settings, **optimizers})
    if registry.is_unavailable("update", training.update.name):
        return training
    return replace(training, update=registry.check("update", training.update, f"{where}: update"))


def _metrics(suite: Suite, registry: Registry) -> tuple[ComponentRef, ...]:
    where = f"{suite.source}: metrics"
    refs = tuple(registry.check("metric", resolve_metric(ref, registry), where) for ref in suite.metrics)
    _refuse_repeated([metric_label(ref, registry) for ref in refs], where)
    return refs


def _diagnoses(suite: Suite, registry: Registry) -> tuple[ComponentRef, ...]:
    refs = suite.diagnoses
    if refs is None:
        refs = tuple(ComponentRef(entry.name) for entry in registry.entries("diagnosis"))
    _refuse_duplicates(refs, f"{suite.source}: diagnoses")
    return tuple(registry.check("diagnosis", ref, f"{suite.source}: diagnoses") for ref in refs)


def _refuse_duplicates(refs: Sequence[ComponentRef], where: str) -> None:
    _refuse_repeated([ref.name for ref in refs], where)


def _refuse_repeated(names: Sequence[str], where: str) -> None:
    """Raise RequestError for a name that is listed twice: results are stored by name."""
    for name in names:
        if names.count(name) > 1:
            raise RequestError(f"{where}: {name!r} is listed twice")


def _check_stops(
    training: Training,
    metrics: Sequence[ComponentRef],
    diagnoses: Sequence[ComponentRef],
    registry: Registry,
    where: str,
) -> None:
    """Raise RequestError for a stop condition on something that is not measured."""
    diagnosed = [ref.name for ref in diagnoses]
    for name in training.stop_on:
        if name not in diagnosed:
            raise RequestError(
                f"{where}: stop_on: {name!r} is not among the suite's diagnoses; {did_you_mean(name, diagnosed)}"
            )
    scored = [metric_label(ref, registry) for ref in metrics]
    if training.stop_when and (name := training.stop_when.metric.partition(".")[0]) not in scored:
        raise RequestError(
            f"{where}: stop_when: {name!r} is not among the suite's metrics; {did_you_mean(name, scored)}"
        )


def _check_keep_best(evaluation: Evaluation, registry: Registry, where: str) -> None:
    """Raise RequestError if the best weights are asked for by a score that is not measured."""
    scored = [metric_label(ref, registry) for ref in evaluation.metrics]
    if evaluation.keep_best and (name := evaluation.keep_best.partition(".")[0]) not in scored:
        raise RequestError(
            f"{where}: keep_best: {name!r} is not among the suite's metrics; {did_you_mean(name, scored)}"
        )


def _check_batches(training: Training, device: str, where: str) -> None:
    """Raise RequestError for a precision that the device does not have, and for parts of a batch that are not equal."""
    if training.precision == "float16" and not device.startswith("cuda"):
        raise RequestError(
            f"{where}: precision = 'float16' needs a CUDA device, and the device is {device}; give 'bf16'"
        )
    if training.batch_size % training.accumulate:
        raise RequestError(
            f"{where}: accumulate = {training.accumulate} does not divide batch_size = {training.batch_size}"
        )


def _check_objective(training: Training, components: Components, where: str) -> None:
    """Raise RequestError for an objective of G that is empty, for a time or always, or whose weights depend on none."""
    terms, heard_from = components.terms, training.adversarial_from
    if not terms and heard_from:
        raise RequestError(
            f"{where}: adversarial_from = {heard_from} leaves G nothing to minimize until then; give it terms"
        )
    if training.d_from > heard_from:
        raise RequestError(
            f"{where}: d_from = {training.d_from} is after adversarial_from = {heard_from}: G would hear a D that is not "
            "trained; begin D by then"
        )
    weights = [training.adversarial_weight, *(ref.weight for ref in terms)]
    if all(weight == 0 for weight in weights):
        raise RequestError(
            f"{where}: every weight of G's objective is 0, and G learns nothing; give one a number above 0"
        )
    if ADAPTIVE in weights and all(weight == ADAPTIVE for weight in weights):
        raise RequestError(
            f"{where}: every weight of G's objective is adaptive, and one is relative to those that are not; give one a number"
        )


def _with_id(trial: Trial) -> Trial:
    return replace(trial, id=trial_id(trial))
