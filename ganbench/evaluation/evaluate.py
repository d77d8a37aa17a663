"""Scores of samples that were not made here: `ganbench.evaluate`."""

from __future__ import annotations

import functools
import hashlib
import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..contract.adapt import adapt
from ..contract.components import Features, Metric
from ..contract.errors import CannotScore, RequestError, did_you_mean
from ..contract.records import (
    Batch,
    ComponentRef,
    Components,
    DataSpec,
    Evaluation,
    Modes,
    Score,
    Training,
    Trial,
)
from ..registry.plugins import local_files
from ..registry.registry import Registry, load_registry
from ..suite.metric_names import FEATURES, features_label, metric_label, resolve_features, resolve_metric
from ..training.data import DeviceDataset
from .cache import CachedSampleSet
from .embedding import SampleSet, Tensors
from .evaluator import MAX_TRAINING_SAMPLES, Comparands, MetricEntry, Scorer
from .sample_files import SampleFile, StatisticsFile, read_samples, samples_from_array

ON_PICTURES = ("frechet", "kernel-distance", "prdc")
ON_POINTS = ("energy-distance", "sliced-wasserstein", "mmd")
UNKNOWN_COUNT = 2**53  # of the samples behind statistics, which their file does not state


class Scores(list[Score]):
    """Scores, with what could not be scored.

    Attributes:
        left_out: Why metrics were left out, by what their scores would be called.
        notes: What else there is to know.
    """

    def __init__(self, scores: Sequence[Score], left_out: Mapping[str, str], notes: Sequence[str] = ()) -> None:
        super().__init__(scores)
        self.left_out, self.notes = dict(left_out), tuple(notes)


@dataclass(frozen=True)
class _Given:
    """Samples or statistics, the data set that they are of where it has a name, and the rest of its data."""

    samples: SampleFile | StatisticsFile
    name: str = ""
    modes: Modes | None = None
    training: Tensor | None = None


class StatisticsSet(SampleSet):
    """A reference of which only mean and covariance of features are known."""

    def __init__(self, statistics: StatisticsFile, device: torch.device) -> None:
        super().__init__(torch.empty(0, 1), device)
        self._statistics = statistics

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of the statistics."""
        both = (part.numpy().tobytes() for part in (self._statistics.mean, self._statistics.covariance))
        return hashlib.sha256(b"".join(both)).hexdigest()

    def embed(self, features: Features, tap: str = "") -> Tensor:
        """Raise CannotScore: there are no samples."""
        raise CannotScore("it compares samples, and the reference holds statistics alone")

    def derive(self, features: Features | None, name: str, compute: Callable[[], Tensors]) -> Tensors:
        """Return the statistics, or what is computed from them alone."""
        if name == "gaussian":
            mean, covariance = (part.to(self.device) for part in (self._statistics.mean, self._statistics.covariance))
            return mean, covariance, torch.tensor(UNKNOWN_COUNT)
        return super().derive(features, name, compute)


def evaluate(
    samples: Any,
    reference: Any,
    metrics: Sequence[str] | None = None,
    features: str | None = None,
    floor: Any = None,
) -> Scores:
    """Score samples from elsewhere: what `ganbench evaluate` does, with the numbers of a run.

    Args:
        samples: A folder of pictures, an .npz, the name of a data set, or an array or a tensor.
        reference: The same of real samples, or an .npz with `mu` and `sigma` of features. Of a data set its held-out part is
            taken, or the training part of `"NAME:training"`.
        metrics: Their names, as in a suite; Fréchet distance, kernel distance, precision, recall, density and coverage on
            pictures, and distances on points, unless given.
        features: The features of metrics that do not name theirs; `"lite0"` unless given.
        floor: Real samples apart from the reference, as many as there are to score, whose scores are the floor. Of a
            reference that is a data set the other part is taken.

    Returns:
        The scores, with the reasons of metrics that were left out as `.left_out`.

    Raises:
        RequestError: Something that is given is wrong.

    Example:
        >>> scores = ganbench.evaluate("samples.npz", "reals/", metrics=["frechet-lite0-64", "kernel-distance"])
        >>> {score.metric: score.value for score in scores}
    """
    registry = load_registry(local_files(Path.cwd()))
    fake, real = _read(samples, registry, "samples"), _read(reference, registry, "reference")
    apart = _read(floor, registry, "floor") if floor is not None else None
    if isinstance(fake.samples, StatisticsFile):
        raise RequestError("the samples are statistics; give samples, and statistics as the reference")
    spec = _common_spec(fake.samples.spec, real.samples)
    if apart is not None:
        _check_floor(apart.samples, fake.samples)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    refs, notes = _choose_metrics(metrics, features, spec, registry)
    trial = _trial_on(spec, real.name, refs)
    made = SampleSet(_to_float(fake.samples), device)
    if fake.name == real.name:  # the other part is what is scored
        real = replace(real, training=None)
    against = _comparands(real, apart, len(made), device)
    scorer = Scorer(spec, real.modes)
    scores: list[Score] = []
    left_out: dict[str, str] = {}
    drawn: dict[tuple[int, int], list[str]] = defaultdict(list)
    for ref in refs:
        label = metric_label(ref, registry)
        try:
            if why := registry.skip("metric", ref, trial):
                raise CannotScore(why)
            metric = adapt("metric", registry.build("metric", ref))
            if metric.features is not None:
                metric.features.prepare()
            own_made, own_against = _own_counts(metric, made, against)
            if len(own_made) < len(made) or len(own_against.real) < len(against.real):
                drawn[len(own_made), len(own_against.real)].append(label)
            entry = MetricEntry(metric, features_label(ref, registry))
            scores += scorer.score(0, label, entry, own_made, own_against, None)
        except CannotScore as error:
            left_out[label] = str(error)
        except (OSError, ValueError) as error:
            left_out[label] = " ".join(str(error).split())
        except Exception as error:  # of one metric, which costs no other
            left_out[label] = f"it failed: {type(error).__name__}: {' '.join(str(error).split())}"
    for (n_fake, n_real), labels in drawn.items():
        notes.append(
            f"{', '.join(labels)}: {n_fake:,} of {len(made):,} samples against {n_real:,} of {len(against.real):,}, drawn "
            "at random with a fixed seed"
        )
    return Scores(scores, left_out, notes)


def _read(given: Any, registry: Registry, what: str) -> _Given:
    if not isinstance(given, str | Path):
        return _Given(samples_from_array(given, what))
    if not str(given).strip():
        raise RequestError(f"{what}: nothing is given; give a folder of pictures, an .npz, or a data set by name")
    name, _, part = str(given).partition(":")
    known = {entry.name for entry in registry.entries("dataset")}
    if not Path(given).exists() and name in known:
        return _read_dataset(name, part or "held-out", registry)
    if not Path(given).exists() and Path(given).suffix != ".npz" and "/" not in str(given):
        raise RequestError(f"{what}: there is no file, folder or data set {str(given)!r}; {did_you_mean(name, known)}")
    return _Given(read_samples(Path(given)))


def _read_dataset(name: str, part: str, registry: Registry) -> _Given:
    if part not in ("held-out", "training"):
        raise RequestError(f"{name}:{part}: a data set has the parts 'held-out' and 'training'")
    try:
        dataset = registry.build("dataset", registry.check("dataset", ComponentRef(name), name))
        parts = {"held-out": dataset.held_out(), "training": dataset.training()}
    except (OSError, ValueError) as error:
        raise RequestError(f"data set {name!r}: {error}") from error
    wanted, other = parts[part], parts["training" if part == "held-out" else "held-out"]
    spec = dataset.spec
    return _Given(SampleFile(_as_float(wanted, spec), spec), name, dataset.modes, _as_float(other, spec))


def _as_float(batch: Batch, spec: DataSpec) -> Tensor:
    data = DeviceDataset(batch, spec, torch.device("cpu"))
    return data.take(torch.arange(len(data))).x


def _to_float(given: SampleFile) -> Tensor:
    return _as_float(Batch(given.samples), given.spec)


def _common_spec(spec: DataSpec, reference: SampleFile | StatisticsFile) -> DataSpec:
    if isinstance(reference, StatisticsFile):
        return spec
    other = reference.spec
    grey_and_colour = spec.kind == other.kind == "images" and spec.shape[1:] == other.shape[1:]
    if spec.shape != other.shape and not grey_and_colour:
        raise RequestError(
            f"the samples are {spec.kind} of shape {spec.shape}, and the reference {other.kind} of {other.shape}"
        )
    if spec.shape != other.shape:
        raise RequestError(
            f"the samples have {spec.shape[0]} channels, and the reference {other.shape[0]}; convert one of them"
        )
    return other if other.modes or other.classes else spec


def _check_floor(floor: SampleFile | StatisticsFile, samples: SampleFile) -> None:
    """Raise RequestError for a floor that cannot be scored as the samples are."""
    if isinstance(floor, StatisticsFile):
        raise RequestError("the floor is statistics; give real samples apart from the reference")
    if floor.spec.shape != samples.spec.shape:
        raise RequestError(
            f"the samples are {samples.spec.kind} of shape {samples.spec.shape}, and the floor {floor.spec.kind} of "
            f"{floor.spec.shape}"
        )
    if len(floor.samples) < len(samples.samples):
        raise RequestError(
            f"the floor has {len(floor.samples)} samples, and there are {len(samples.samples)} to score: a floor takes at "
            "least as many"
        )


def _choose_metrics(
    names: Sequence[str] | None, features: str | None, spec: DataSpec, registry: Registry
) -> tuple[tuple[ComponentRef, ...], list[str]]:
    notes = []
    if not names:
        names = ON_PICTURES if spec.kind == "images" else ON_POINTS
        if spec.kind == "images" and features is None:
            try:
                registry.build("features", ComponentRef("lite0")).prepare()
            except OSError as error:
                notes.append(f"{error}; without them pictures are compared pixel by pixel")
                names = ("energy-distance", "sliced-wasserstein")
    chosen = None
    if features is not None and (chosen := resolve_features(features, registry)) is None:
        known = {entry.name for entry in registry.entries("features")}
        raise RequestError(f"no features are called {features!r}; {did_you_mean(features, known)}")
    refs: dict[str, ComponentRef] = {}
    for name in names:
        ref = resolve_metric(ComponentRef(name), registry)
        if chosen is not None and FEATURES not in ref.options and _has_free_features(ref, registry):
            ref = replace(ref, options={**ref.options, FEATURES: chosen})
        ref = registry.check("metric", ref, "metric")
        refs[metric_label(ref, registry)] = ref
    return tuple(refs.values()), notes


def _has_free_features(ref: ComponentRef, registry: Registry) -> bool:
    entry = registry.find("metric", ref.name, "metric")
    return FEATURES in entry.options and not getattr(entry.build, "implied_features", "")


def _comparands(real: _Given, apart: _Given | None, n_fake: int, device: torch.device) -> Comparands:
    if isinstance(real.samples, StatisticsFile):
        return Comparands(StatisticsSet(real.samples, device), None, None, n_fake)
    reference = CachedSampleSet(_to_float(real.samples), device)
    floor = None
    if apart is not None and isinstance(apart.samples, SampleFile):
        floor = _to_float(apart.samples)
    elif real.training is not None:
        floor = real.training[torch.randperm(len(real.training), generator=torch.Generator().manual_seed(0))]
    floor_set = CachedSampleSet(floor[:n_fake], device) if floor is not None and len(floor) >= n_fake else None
    training = None if real.training is None else CachedSampleSet(real.training[:MAX_TRAINING_SAMPLES], device)
    return Comparands(reference, floor_set, training, n_fake)


def _own_counts(metric: Metric, made: SampleSet, against: Comparands) -> tuple[SampleSet, Comparands]:
    """The samples that a metric gets: as many as it states, or all. Raises CannotScore if there are too few."""
    statistics_alone = isinstance(against.real, StatisticsSet)
    if statistics_alone and metric.features is None:
        raise CannotScore("it compares samples, and the reference holds statistics alone")
    n_real = math.inf if statistics_alone else len(against.real)
    if metric.needs_training and against.training is None:
        raise CannotScore("it compares with training data; give the reference as a data set by name")
    needed = metric.n_samples or metric.min_samples
    for what, n in (("samples to score", len(made)), ("reference samples", n_real)):
        if n < needed:
            raise CannotScore(f"it needs at least {needed} {what}, and there are {n}")
    floor = against.real if metric.needs_training else against.floor
    training = against.training if metric.needs_training else None
    most = metric.n_samples or metric.max_samples or math.inf
    if len(made) <= most and (statistics_alone or n_real <= most):
        return made, replace(against, floor=floor, training=training)
    n = int(most)
    fake = SampleSet(_draw(made, n), made.device)
    real = against.real if statistics_alone else CachedSampleSet(_draw(against.real, n), made.device)
    apart = None
    if floor is not None and metric.n_samples is None:
        apart = CachedSampleSet(_draw(floor, len(fake)), made.device)
    return fake, Comparands(real, apart, training, len(fake))


def _draw(samples: SampleSet, n: int) -> Tensor:
    """Return `n` of the samples, at random with a fixed seed, since theirs may be sorted; all in their order if no more."""
    if len(samples) <= n:
        return samples.samples
    return samples.samples[torch.randperm(len(samples), generator=torch.Generator().manual_seed(0))[:n]]


def _trial_on(spec: DataSpec, dataset: str, metrics: tuple[ComponentRef, ...]) -> Trial:
    """A trial on these samples, for metrics to say whether they can serve it."""
    nothing = ComponentRef("none")
    return Trial(
        id="",
        suite="",
        dataset=dataset or "samples",
        method="",
        seed=0,
        data=spec,
        components=Components(ComponentRef(dataset or "samples"), nothing, nothing, nothing),
        training=Training(1, 1, nothing, nothing),
        evaluation=Evaluation(metrics),
        diagnoses=(),
    )
