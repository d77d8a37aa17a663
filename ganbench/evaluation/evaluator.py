"""Generates samples of a run and scores them against real ones, beside the floor: real against real."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import msgspec
import torch
from torch import Tensor

from ..contract.adapt import adapt
from ..contract.components import Features, Metric
from ..contract.errors import CannotScore
from ..contract.records import Batch, DataSpec, Direction, Estimate, Modes, Samples, Score
from ..contract.state import load_state, state_of
from ..contract.view import Game
from ..training.data import DeviceDataset
from ..training.discriminator import condition_argument
from ..training.noise import sample_noise
from .embedding import SampleSet, Tensors
from .geometry import effective_rank, mean_log_density

SNAPSHOT_SAMPLES = 1000  # points of a snapshot at most; of images, `SNAPSHOT_IMAGES`
SNAPSHOT_IMAGES = 64
MAX_NEAREST = 8  # generated samples whose nearest training samples are looked for
CHUNK_SAMPLES = 1000  # samples generated at once
MAX_TRAINING_SAMPLES = 10_000  # that generated ones are searched for among


@torch.no_grad()
def generate(
    generator: Any, n: int, seed: int, labels: Tensor | None, device: torch.device, given: Batch | None = None
) -> Batch:
    """Generate `n` samples of the same noise at every call, of shape (n, *shape), float32 on the CPU.

    Args:
        generator: G in evaluation mode, on `device`.
        n: How many.
        seed: Seeds the noise and the labels.
        labels: Those of the training data, to draw from in the same proportions; None if it has none.
        device: Where G is.
        given: `n` samples whose labels and conditions are taken instead, in their order; None for data without.
    """
    random = torch.Generator().manual_seed(seed)  # on the CPU, so that the noise is the same for every device
    z = sample_noise(generator, n, random)
    condition = None
    if given is not None:
        labels, condition = given.labels, given.condition
    elif labels is not None:
        labels = labels[torch.randint(len(labels), (n,), generator=random).to(labels.device)]
    inputs, chunks = Batch(z, labels, condition).to(device), []
    for i in range(0, n, CHUNK_SAMPLES):
        part = inputs[i : i + CHUNK_SAMPLES]
        chunks.append(generator(part.x, part.labels, **condition_argument(generator, part.condition)).float().cpu())
    return Batch(torch.cat(chunks), labels, condition, z)


@dataclass(frozen=True)
class MetricEntry:
    """A metric of a run.

    Attributes:
        metric: The metric.
        features: What its features are called; empty without.
    """

    metric: Metric
    features: str = ""

    @property
    def expensive(self) -> bool:
        """Whether it is scored when the expensive ones are."""
        metric = self.metric
        return metric.expensive if metric.expensive is not None else bool(metric.features and metric.features.expensive)


@dataclass
class Comparands:
    """What generated samples of one count are compared with.

    Attributes:
        real: The reference.
        floor: Real samples that take the place of generated ones; None where there are too few.
        training: Training samples, for metrics that need them; None for others.
        n_fake: How many samples to generate.
        floors: What the floor scored, by label: real data does not change while G trains.
        geometry: Effective rank and mean log density of the reference, by features.
    """

    real: SampleSet
    floor: SampleSet | None
    training: SampleSet | None
    n_fake: int
    floors: dict[str, Mapping[str, float]] = field(default_factory=dict)
    geometry: dict[int, tuple[float, float]] = field(default_factory=dict)


class Scorer:
    """Scores sets of samples by one metric at a time.

    Args:
        data: What samples look like.
        modes: The exact modes of the data; None if they are not known.
    """

    def __init__(self, data: DataSpec, modes: Modes | None) -> None:
        self._data, self._modes = data, modes

    def score(
        self, step: int, label: str, entry: MetricEntry, fake: SampleSet, against: Comparands, game: Game | None
    ) -> list[Score]:
        """Return the scores of a metric, each beside its floor; raises CannotScore.

        Args:
            step: Steps done.
            label: What the scores are called.
            entry: The metric.
            fake: Generated samples.
            against: What they are compared with.
            game: The run that made them; None for samples from elsewhere.
        """
        metric = entry.metric
        began, clock = time.perf_counter(), _EmbeddingClock()
        samples = self._samples(metric, fake, against, clock)
        values = metric.score(samples) if game is None else metric.score_game(samples, game)
        seconds = time.perf_counter() - began - clock.spent + clock.fair
        if label not in against.floors:
            against.floors[label] = self._score_floor(metric, against)
        rank, log_density = self._reference_geometry(metric.features, against)
        return [
            Score(
                step=step,
                metric=label if key in ("", label) else f"{label}.{key}",
                value=float(value),
                better=_direction(metric.better, key),
                floor=float(against.floors[label].get(key, math.nan)),
                n_real=len(against.real),
                n_fake=len(fake),
                seconds=seconds,
                reference_rank=rank,
                reference_log_distance=log_density,
                **_error_columns(value, entry.features),
            )
            for key, value in values.items()
        ]

    def _score_floor(self, metric: Metric, against: Comparands) -> Mapping[str, float]:
        if against.floor is None:
            return {}
        values = metric.score(self._samples(metric, against.floor, against, _EmbeddingClock()))
        return {key: float(value) for key, value in values.items()}

    def _samples(self, metric: Metric, fake: SampleSet, against: Comparands, clock: _EmbeddingClock) -> Samples:
        parts = {"fake": fake, "real": against.real}
        if against.training is not None:
            parts["training"] = against.training
        of_fake = fake.batch
        paired = against.floor if of_fake is not None and of_fake.condition is not None else None
        if paired is not None:
            parts["paired"] = paired
        return Samples(
            fake.samples,
            against.real.samples,
            self._data,
            self._modes,
            None if against.training is None else against.training.samples,
            condition=None if of_fake is None else of_fake.condition,
            z=None if of_fake is None else of_fake.z,
            paired=None if paired is None else paired.samples,
            embedder=partial(clock.embed, parts),
            keeper=partial(_derive, parts, metric.features),
        )

    def _reference_geometry(self, features: Features | None, against: Comparands) -> tuple[float, float]:
        """Effective rank and mean log density of the reference in these features; NaN without features."""
        if features is None:
            return math.nan, math.nan
        if id(features) not in against.geometry:

            def compute() -> Tensors:
                real = against.real.embed(features)
                return (torch.tensor([effective_rank(real), mean_log_density(real)], dtype=torch.float64),)

            try:
                (pair,) = against.real.derive(features, "geometry", compute)
            except CannotScore:  # of a reference that is statistics alone
                pair = torch.full((2,), math.nan)
            against.geometry[id(features)] = float(pair[0]), float(pair[1])
        return against.geometry[id(features)]


class Evaluator:
    """Scores one run's samples, each score beside its floor.

    `n` generated samples are scored against as many held-out ones; fewer if the data has fewer, since the floor needs as
    many training samples as there are generated ones. A metric that states a number of its own, or that compares with
    training data, gets that.

    Where the data has conditions, samples are generated under held-out ones: those of one half of the held-out samples,
    which are the floor, and the other half is compared with.

    Attributes:
        scores: All scores so far.
        left_out: Why metrics were left out, by label.
        snapshots: By step, the first of the samples that were scored, always of the same noise.
    """

    def __init__(
        self,
        metrics: Mapping[str, MetricEntry],
        data: DataSpec,
        training: DeviceDataset,
        held_out: DeviceDataset,
        modes: Modes | None,
        n: int,
        seed: int,
        device: torch.device | None = None,
        make_set: Callable[..., SampleSet] = SampleSet,
    ) -> None:
        self._scorer, self._n, self._seed = Scorer(data, modes), n, seed
        self._data = data
        self._training, self._held_out = training, held_out
        self._device = device or torch.device("cpu")
        self._make_set = make_set
        self._comparands: dict[tuple[int, str, bool], Comparands] = {}
        self._floors: dict[tuple[int, str, bool], dict[str, Mapping[str, float]]] = {}
        self.scores: list[Score] = []
        self.left_out: dict[str, str] = {}
        self.snapshots: dict[int, Tensor] = {}
        self._entries: dict[str, MetricEntry] = {}
        for label, entry in metrics.items():
            metric = adapt("metric", entry.metric)
            if why := self._why_too_few(metric):
                self.left_out[label] = why
            else:
                self._entries[label] = MetricEntry(metric, entry.features)

    @property
    def n_fake(self) -> int:
        """How many samples a run's metrics are given, unless one states a number of its own."""
        return min(self._n, len(self._training) if self._data.condition is None else len(self._halves()[0]))

    def given(self, n: int) -> Batch | None:
        """Return held-out samples whose labels and conditions `n` samples are generated under; None for data without."""
        return None if self._data.condition is None else self._held_out.take(self._halves()[0][:n])

    def _halves(self) -> tuple[Tensor, Tensor]:
        """Rows of held-out samples: those whose conditions are generated under, and those that are compared with."""
        rows = torch.randperm(len(self._held_out), generator=torch.Generator().manual_seed(self._seed))
        return rows[: len(rows) // 2], rows[len(rows) // 2 :]

    @property
    def reals(self) -> Tensor:
        """Held-out samples that a run's metrics compare with."""
        return self._comparands_of(Metric()).real.samples

    def score(
        self, step: int, generate: Callable[[int], Batch], game: Game, *, cheap: bool = True, expensive: bool = True
    ) -> list[Score]:
        """Score what is generated after `step` steps of `game` by the metrics that are due, each once a step.

        Args:
            step: Steps done.
            generate: Returns so many samples, always of the same noise, and under the conditions of `given` where there are
                any.
            game: The run.
            cheap: Whether the metrics that are not expensive are due.
            expensive: Whether the expensive ones are.

        Returns:
            The new scores, which `scores` keeps too.
        """
        done = {(score.step, score.metric.partition(".")[0]) for score in self.scores}
        parts: dict[int, SampleSet] = {}
        new = []
        for label, entry in list(self._entries.items()):
            if (step, label) in done or not (expensive if entry.expensive else cheap):
                continue
            against = self._comparands_of(entry.metric)
            if against.n_fake not in parts:
                made = generate(against.n_fake)
                parts[against.n_fake] = SampleSet(made.x, self._device, made)
            try:
                new += self._scorer.score(step, label, entry, parts[against.n_fake], against, game)
            except CannotScore as error:
                self.left_out[label] = str(error)
                del self._entries[label]
        self.scores += new
        if self.n_fake in parts:  # of another number of samples, labels would differ
            samples = parts[self.n_fake].samples
            self.snapshots[step] = samples[: SNAPSHOT_IMAGES if samples.ndim == 4 else SNAPSHOT_SAMPLES].clone()
        return new

    def find_nearest(self, samples: Tensor) -> Tensor:
        """Return the training sample that is nearest to each of the first samples, by their values.

        Args:
            samples: Generated samples (N, *shape).
        """
        first = samples[:MAX_NEAREST].flatten(1).nan_to_num()
        nearest, distance = torch.zeros_like(samples[:MAX_NEAREST]), torch.full((len(first),), math.inf)
        for rows in torch.arange(min(len(self._training), MAX_TRAINING_SAMPLES)).split(CHUNK_SAMPLES):
            training = self._training.take(rows).x.cpu()
            found = torch.cdist(first, training.flatten(1)).min(dim=1)
            closer = found.values < distance
            nearest[closer], distance[closer] = training[found.indices[closer]], found.values[closer]
        return nearest

    def state_dict(self) -> dict[str, Any]:
        """Return the scores so far, and what the next ones depend on."""
        metrics = {label: state_of(entry.metric, parts=False) for label, entry in self._entries.items()}
        return {
            "scores": msgspec.to_builtins(self.scores),
            "left_out": dict(self.left_out),
            "floors": [[list(key), {k: dict(v) for k, v in floors.items()}] for key, floors in self._floors.items()],
            "metrics": metrics,
            "snapshots": {str(step): samples for step, samples in self.snapshots.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from another moment of the same run."""
        self.scores = msgspec.convert(state["scores"], list[Score])
        self.left_out = dict(state["left_out"])
        self.snapshots = {int(step): samples.cpu() for step, samples in state["snapshots"].items()}
        self._floors.update({tuple(key): dict(floors) for key, floors in state["floors"]})
        self._entries = {label: self._entries[label] for label in state["metrics"]}
        for label, metric in state["metrics"].items():
            load_state(self._entries[label].metric, metric)

    def _why_too_few(self, metric: Metric) -> str:
        """Why the data has too few samples for a metric; empty if it has enough."""
        n_held_out = len(self._held_out) if self._data.condition is None else len(self._halves()[1])
        n_fake = metric.n_samples or self.n_fake
        available = len(self._training) if metric.reference == "training" else n_held_out
        n_real = min(metric.n_samples or self._n, available)
        if n_fake > self.n_fake and self._data.condition is not None:
            return f"it needs {n_fake} held-out conditions, and the data has {len(self._halves()[0])} to generate under"
        if metric.n_samples and n_real < metric.n_samples:
            return f"it needs {metric.n_samples} {metric.reference} samples, and the data has {n_real}"
        if n_real < metric.min_samples:
            return f"it needs at least {metric.min_samples} {metric.reference} samples, and the data has {n_real}"
        if n_fake < metric.min_samples:
            return f"it needs at least {metric.min_samples} samples, and {n_fake} are generated"
        return ""

    def _comparands_of(self, metric: Metric) -> Comparands:
        n_fake = metric.n_samples or self.n_fake
        key = n_fake, metric.reference, metric.needs_training
        if key not in self._comparands:
            self._comparands[key] = self._choose(n_fake, metric)
            self._comparands[key].floors = self._floors.setdefault(key, {})
        return self._comparands[key]

    def _choose(self, n_fake: int, metric: Metric) -> Comparands:
        """Choose real samples at random, those of the floor apart from those of the reference."""
        if self._data.condition is not None:
            return self._choose_under_conditions(n_fake, metric)
        random = torch.Generator().manual_seed(self._seed)
        n_real = metric.n_samples or self._n
        held_out = torch.randperm(len(self._held_out), generator=random)
        training = torch.randperm(len(self._training), generator=random)
        if metric.reference == "training":
            real, floor = self._take(self._training, training[:n_real]), self._take(self._held_out, held_out[:n_fake])
            enough = len(held_out) >= n_fake
        else:
            real, floor = self._take(self._held_out, held_out[:n_real]), self._take(self._training, training[:n_fake])
            enough = len(training) >= n_fake
        if not metric.needs_training:
            return Comparands(real, floor if enough else None, None, n_fake)
        seen = self._take(self._training, training[:MAX_TRAINING_SAMPLES])
        return Comparands(real, self._take(self._held_out, held_out[:n_fake]), seen, n_fake)

    def _choose_under_conditions(self, n_fake: int, metric: Metric) -> Comparands:
        """Choose the floor of the conditions that are generated under."""
        under, others = self._halves()
        random = torch.Generator().manual_seed(self._seed)
        training = torch.randperm(len(self._training), generator=random)
        floor = self._take(self._held_out, under[:n_fake])
        n_real = metric.n_samples or self._n
        is_of_training = metric.reference == "training"
        real = self._take(*((self._training, training) if is_of_training else (self._held_out, others)), n=n_real)
        seen = self._take(self._training, training, n=MAX_TRAINING_SAMPLES) if metric.needs_training else None
        return Comparands(real, floor, seen, n_fake)

    def _take(self, data: DeviceDataset, rows: Tensor, n: int | None = None) -> SampleSet:
        batch = data.take(rows[:n])
        return self._make_set(batch.x, self._device, batch)


def _derive(
    parts: Mapping[str, SampleSet], features: Features | None, part: str, name: str, compute: Callable[[], Tensors]
) -> Tensors:
    if part != "fake":
        return parts[part].derive(features, name, compute)
    others = [
        parts[other].digest for other in ("real", "training") if other in parts
    ]  # those of a floor are kept on disk
    return parts["fake"].derive(features, f"{name}, against {' and '.join(others)}", compute)


class _EmbeddingClock:
    """Tells a metric's own time from that of features, which the first metric that asks computes for all.

    Attributes:
        spent: Seconds spent computing features.
        fair: Seconds that the features of generated samples took, whoever asked for them first.
    """

    def __init__(self) -> None:
        self.spent, self.fair = 0.0, 0.0

    def embed(self, parts: Mapping[str, SampleSet], name: str, features: Features, tap: str) -> Tensor:
        began = time.perf_counter()
        rows = parts[name].embed(features, tap)
        self.spent += time.perf_counter() - began
        if name == "fake":
            self.fair += parts[name].embedding_seconds(features, tap)
        return rows


def _error_columns(value: float | Estimate, features: str) -> dict[str, Any]:
    if not isinstance(value, Estimate):
        return {"features": features}
    where = f"{features} {value.space}".strip()
    return {"low": value.low, "high": value.high, "biased": value.biased, "features": where}


def _direction(better: Direction | Mapping[str, Direction], key: str) -> Direction:
    return better[key] if isinstance(better, Mapping) else better
