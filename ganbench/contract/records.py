"""The records that travel from a suite to a report: frozen, plain data; torch is not imported."""

from __future__ import annotations

import json
import math
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from .failures import Status

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor

    from .components import Features

Direction = Literal["higher", "lower"]
Horizon = Literal["now", "end"]
Player = Literal["generator", "discriminator"]
PlayerOrBoth = Literal["generator", "discriminator", "both"]
CaptureName = Literal["auto", "off"]
PrecisionName = Literal["float32", "tf32", "bf16", "float16"]
ReferencePart = Literal["held-out", "training"]
Severity = Literal["warning", "failure"]


@dataclass(frozen=True)
class Component:
    """A named thing that a plugin offers.

    Attributes:
        name: What a suite calls it.
        build: What makes it from keyword-only options: a callable, or `"module:name"` of one, so that naming a
            component costs no import.
        listed: Whether `ganbench list` shows it without `--all`; False for what only tests or demonstrates.
        on_request: Whether a report is written only where it is named; others are written unless a suite names some.
    """

    name: str
    build: Callable[..., Any] | str
    listed: bool = True
    on_request: bool = False


@dataclass(frozen=True)
class Part:
    """Marks an option that is itself a component: `inner: Annotated[Callable[..., Any], Part("discriminator")]`.

    A suite gives a name, or a table with a name and options. `build` gets a callable that builds the component from
    whatever a component of that kind is built from: `inner(data)`.

    Attributes:
        kind: The kind of component that the option names.
    """

    kind: str


@dataclass(frozen=True)
class ComponentRef:
    """A component as a suite asks for it: its name and the options that differ from the defaults."""

    name: str
    options: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Ramp:
    """A weight that goes from one value to another in equal steps, and stays there.

    Attributes:
        start: The weight at first.
        end: The weight from then on.
        steps: How many steps that takes.
        share: How large a share of the budget it takes, in place of `steps`.
    """

    start: float = 0.0
    end: float = 1.0
    steps: int | None = None
    share: float | None = None


ADAPTIVE = "adaptive"
Weight = float | str | Ramp  # of a part of an objective; the only text is ADAPTIVE


@dataclass(frozen=True)
class TermRef(ComponentRef):
    """A term as a suite asks for it: a component, and its weight in the objective."""

    weight: Weight = 1.0


# --- what is trained ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class DataSpec:
    """What a data set's samples look like: enough to build networks for it.

    Attributes:
        kind: What a sample is: `"points"`, `"images"`, or a name of the data set's own, as `"tabular"` or `"waveforms"`,
            for which a suite may give methods settings; `"unknown"` where nothing is known.
        shape: Shape of one sample: (dimensions,) for points, (channels, height, width) for images.
        value_range: Lowest and highest value; None if unbounded.
        classes: Number of classes; 0 if the data has no labels.
        modes: Number of modes that are exactly known; 0 if none are.
        condition: Shape of what one sample is generated from beside noise and label: a smaller picture, a spectrogram, an
            embedding; None if there is no such thing.
    """

    kind: str
    shape: tuple[int, ...]
    value_range: tuple[float, float] | None = None
    classes: int = 0
    modes: int = 0
    condition: tuple[int, ...] | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """Samples, and what belongs to each of them.

    `batch[rows]` is a part of it, `rows` a slice or a tensor of indices.

    Attributes:
        x: Samples of shape (N, *shape).
        labels: Classes of shape (N,), int64; None if the data has none.
        condition: What each sample is generated from beside noise and label, (N, *spec.condition); None if there is no
            such thing. Real and generated samples of an update have the same.
        z: The noise that samples were generated from, (N, latent_dim) or (N, *latent_dim); None for real samples.
    """

    x: Tensor
    labels: Tensor | None = None
    condition: Tensor | None = None
    z: Tensor | None = None

    def __len__(self) -> int:
        return len(self.x)

    def __getitem__(self, rows: slice | Tensor) -> Batch:
        return self._map(lambda part: part[rows])

    def to(self, device: torch.device | str) -> Batch:
        """Return the batch on a device."""
        return self._map(lambda part: part.to(device))

    def with_x(self, x: Tensor) -> Batch:
        """Return other samples, as many, with the labels, conditions and noise of these."""
        return Batch(x, self.labels, self.condition, self.z)

    def _map(self, change: Callable[[Tensor], Tensor]) -> Batch:
        parts = (self.labels, self.condition, self.z)
        return Batch(change(self.x), *(None if part is None else change(part) for part in parts))


@dataclass(frozen=True)
class Modes:
    """The exact modes of a data set.

    Attributes:
        centres: Means of shape (K, dimensions).
        sigma: Standard deviation of each mode.
    """

    centres: Tensor
    sigma: float


@dataclass(frozen=True)
class StopWhen:
    """The target that ends a trial early: a score on the good side of a bound.

    Attributes:
        metric: Name of the score, as in scores.csv.
        at_least: The bound, where higher is better.
        at_most: The bound, where lower is better.
    """

    metric: str
    at_least: float | None = None
    at_most: float | None = None


@dataclass(frozen=True)
class Training:
    """How a GAN is trained. One step is `d_steps` updates of D, then `g_steps` updates of G, unless `update` says otherwise.

    Attributes:
        steps: The budget, in steps.
        batch_size: Samples in a batch.
        optimizer_g: Optimizer of G.
        optimizer_d: Optimizer of D.
        d_steps: Updates of D in a step.
        g_steps: Updates of G in a step.
        d_warmup: Updates of D alone before the first step.
        lr_decay: How the learning rates fall over the budget.
        ema: Decay of the exponential moving average of G's weights that is evaluated; 0 for none.
        stop_when: A target that ends the trial early.
        stop_on: Diagnoses that end the trial early when they are sure of a failure.
        observations: How often the run is observed, spread evenly over the steps.
        precision: What the networks compute in while they train; probes and metrics are in float32.
        accumulate: Parts of a batch that go through the networks one after the other, their gradients added.
        clip: The largest norm of a player's gradient; larger ones are scaled down to it. 0 for no limit.
        channels_last: Whether pictures and weights of convolutions lie in memory channels last.
        capture: Whether steps on a CUDA device are recorded as graphs and launched, where that gives the same bits.
        update: How both players' weights change in a step.
        adversarial_weight: Weight of the adversarial loss in G's objective; a ramp begins at `adversarial_from`.
        adversarial_from: The step from which G hears D; before, its terms are its whole objective.
        d_from: The step from which D is trained.
    """

    steps: int
    batch_size: int
    optimizer_g: ComponentRef
    optimizer_d: ComponentRef
    d_steps: int = 1
    g_steps: int = 1
    d_warmup: int = 0
    lr_decay: Literal["constant", "linear", "cosine"] = "constant"
    ema: float = 0.0
    stop_when: StopWhen | None = None
    stop_on: tuple[str, ...] = ()
    observations: int = 60
    precision: PrecisionName = "float32"
    accumulate: int = 1
    clip: float = 0.0
    channels_last: bool = False
    capture: CaptureName = "auto"
    update: ComponentRef = field(default_factory=lambda: ComponentRef("alternating"))
    adversarial_weight: Weight = 1.0
    adversarial_from: int = 0
    d_from: int = 0


@dataclass(frozen=True)
class Evaluation:
    """When and by which metrics a trial is scored.

    Attributes:
        metrics: The metrics.
        at: Fractions of the budget after which to score.
        samples: Generated samples to score, and at most as many held-out real ones.
        expensive_at: Fractions of the budget after which the expensive metrics are scored.
        keep_best: The score at whose best G's weights are kept beside those at the end; empty for none.
    """

    metrics: tuple[ComponentRef, ...]
    at: tuple[float, ...] = (0.25, 0.5, 0.75, 1.0)
    samples: int = 2500
    expensive_at: tuple[float, ...] = (1.0,)
    keep_best: str = ""


@dataclass(frozen=True)
class Checkpoints:
    """Where and how often a trial in training is saved, to go on from after a kill; no part of what it is.

    Attributes:
        folder: Where its checkpoints go.
        steps: Steps between two; None for no such interval.
        minutes: Minutes between two; None for no such interval. Without either, about half a minute.
    """

    folder: str
    steps: int | None = None
    minutes: float | None = None


@dataclass(frozen=True)
class Trial:
    """One data set, one method, one seed: everything needed to run it, as data."""

    id: str
    suite: str
    dataset: str  # as the suite labels it
    method: str
    seed: int
    data: DataSpec
    components: Components
    training: Training
    evaluation: Evaluation
    diagnoses: tuple[ComponentRef, ...]
    device: str = "cpu"
    timeout: float | None = None  # seconds
    plugin_files: tuple[str, ...] = ()  # local plugin files that a worker must load
    checkpoints: Checkpoints | None = None  # where it is saved while it trains


@dataclass(frozen=True)
class Components:
    """The parts of a trial, by kind."""

    dataset: ComponentRef
    generator: ComponentRef
    discriminator: ComponentRef
    loss: ComponentRef
    regularizers: tuple[ComponentRef, ...] = ()
    augmentation: ComponentRef | None = None
    terms: tuple[TermRef, ...] = ()


# --- what comes of it --------------------------------------------------------------------------------


REAL_SAMPLES = "real samples"  # that are not finite, of a data set's loader


@dataclass(frozen=True)
class NonFinite:
    """Where a run's numbers first stopped being finite.

    Attributes:
        step: The step, counted from 1.
        player: The player.
        layer: Name of the module or parameter inside the player; empty where only a loss shows it.
        what: `"output"`, `"gradient"`, `"weight"`, `"loss"`, or `REAL_SAMPLES` that the player was given.
    """

    step: int
    player: Player
    layer: str
    what: str


@dataclass(frozen=True)
class WiringFault:
    """A way in which the program is not what its author thinks, as its first steps show it.

    Attributes:
        fault: Which one: a key of `FAULTS` in `builtin/diagnoses/wiring.py`.
        player: The player that it is of; empty for the data and for what concerns both.
        step: The step at which it was certain, counted from 1; 0 before training.
        facts: What was seen, in words and numbers, by name.
    """

    fault: str
    player: str
    step: int
    facts: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class History:
    """What was observed of one run.

    Attributes:
        columns: Signals and probes by name, arrays of one length; NaN where a quantity was not measured.
            `columns["step"]` counts the steps done at each observation.
        steps: The budget.
        nonfinite: Where the numbers stopped being finite; None if they did not.
        wiring: What is wrong with the program itself, as far as its steps have shown it.
    """

    columns: Mapping[str, np.ndarray[Any, Any]]
    steps: int
    nonfinite: NonFinite | None = None
    wiring: tuple[WiringFault, ...] = ()


@dataclass(frozen=True)
class Samples:
    """What a metric is given.

    Attributes:
        fake: Generated samples of shape (N, *shape), float32 on the CPU.
        real: Real samples to compare with, of shape (M, *shape), float32 on the CPU; held out unless the metric asks for
            training samples.
        spec: What the samples look like.
        modes: The exact modes of the data set; None if they are not known.
        training: Training samples of shape (L, *shape), for a metric that needs them; None otherwise.
        embedder: What `embed` calls where features are shared between metrics; None otherwise.
        keeper: What `derive` calls where what was computed is kept; None otherwise.
        condition: The held-out conditions that `fake` was generated under, (N, *spec.condition); None without any.
        z: The noise that it was generated from; None where that is not known.
        paired: The held-out samples that those conditions belong to, in the same order as `fake`, (N, *shape); None without
            conditions.
    """

    fake: Tensor
    real: Tensor
    spec: DataSpec
    modes: Modes | None = None
    training: Tensor | None = None
    embedder: Callable[[str, Features, str], Tensor] | None = field(default=None, repr=False)
    keeper: Callable[[str, str, Callable[[], tuple[Tensor, ...]]], tuple[Tensor, ...]] | None = field(
        default=None, repr=False
    )
    condition: Tensor | None = None
    z: Tensor | None = None
    paired: Tensor | None = None

    def embed(
        self, part: Literal["fake", "real", "training", "paired"], features: Features | None, tap: str = ""
    ) -> Tensor:
        """Return feature vectors of a part, of shape (N, dim), float32; flattened samples without `features`.

        Metrics with the same features share them. They are on the device that scores are computed on. Raises CannotScore
        where only statistics of the part are known.
        """
        samples: Tensor = getattr(self, part)
        if features is None:
            return samples.flatten(1)
        return features(samples, tap) if self.embedder is None else self.embedder(part, features, tap)

    def derive(
        self, part: Literal["fake", "real", "training"], name: str, compute: Callable[[], tuple[Tensor, ...]]
    ) -> tuple[Tensor, ...]:
        """Return `compute()`, computed once for all metrics with the same features.

        Args:
            part: `"real"` or `"training"` for what depends on the reference, or on training samples, alone, and is kept for
                other runs; `"fake"` for what depends on the generated samples too.
            name: States everything that the tensors depend on beside the samples and the features, as `"radii 5"`.
            compute: Computes the tensors.
        """
        return compute() if self.keeper is None else self.keeper(part, name, compute)


@dataclass(frozen=True)
class Estimate:
    """A score with what is known of its error.

    Attributes:
        value: The score.
        low: Lower end of its 95 % confidence interval; NaN where there is no valid one.
        high: Upper end.
        biased: Whether its expectation depends on the number of samples, so that only scores of equal counts compare.
        space: What it was computed in, where that is not the whole feature vector: a tap or a projection.
    """

    value: float
    low: float = math.nan
    high: float = math.nan
    biased: bool = False
    space: str = ""

    def __float__(self) -> float:
        return float(self.value)


@dataclass(frozen=True)
class Score:
    """A score of a trial at a step.

    Attributes:
        step: Steps done.
        metric: Name of the score: of the metric, or `<metric>.<name>`.
        value: The score.
        better: `"higher"` or `"lower"`.
        floor: The same metric of real samples against real ones, same counts.
        n_real: Real samples.
        n_fake: Generated samples.
        seconds: What computing the metric took.
        low: Lower end of the 95 % confidence interval; NaN where there is no valid one.
        high: Upper end.
        biased: Whether the expectation depends on the number of samples.
        features: The features that samples were compared in, and their part where it is not all; empty for none.
        reference_rank: Effective rank of the real features.
        reference_log_distance: Mean negative logarithm of the distances to the nearest neighbour among them.
    """

    step: int
    metric: str
    value: float
    better: Direction
    floor: float
    n_real: int
    n_fake: int
    seconds: float
    low: float = math.nan
    high: float = math.nan
    biased: bool = False
    features: str = ""
    reference_rank: float = math.nan
    reference_log_distance: float = math.nan


@dataclass(frozen=True)
class Evidence:
    """A signal's value and its threshold, at the step where it was read. The value is None where it is not finite."""

    value: float | None
    threshold: float | None
    step: int


@dataclass(frozen=True)
class Remedy:
    """What to change against a failure.

    Attributes:
        settings: What a method's table in a suite may hold, `points` and `images` included: what it names is replaced
            whole. Empty where no setting helps.
        advice: What settings cannot say, in a sentence; empty where they say everything.
    """

    settings: Mapping[str, Any] = field(default_factory=dict)
    advice: str = ""

    @classmethod
    def parse(cls, text: str) -> Remedy:
        """Return the remedy that a text states: TOML settings with commas between, or else advice.

        Example:
            >>> Remedy.parse('d_steps = 1, regularizers = ["r1"]').settings
            {'d_steps': 1, 'regularizers': ['r1']}
        """
        try:
            document = tomllib.loads(f"remedy = {{ {text.strip()} }}")
        except (tomllib.TOMLDecodeError, RecursionError):
            return cls(advice=text)
        settings = document.pop("remedy")
        return cls(advice=text) if document else cls(settings)  # a text that closes the table and goes on is no table

    def __str__(self) -> str:
        """The settings as TOML with commas between, then the advice."""
        settings = ", ".join(f"{name} = {_toml(value)}" for name, value in self.settings.items())
        return ": ".join(part for part in (settings, self.advice) if part)

    def __bool__(self) -> bool:
        return bool(self.settings or self.advice)


def _toml(value: Any) -> str:
    """A value as TOML writes it on one line."""
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{name} = {_toml(item)}" for name, item in value.items()) + " }"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(_toml(item) for item in value) + "]"
    return json.dumps(value)


@dataclass(frozen=True)
class Finding:
    """What a diagnosis says: what, now or at the end, since when, how sure, from what, and what to change.

    Attributes:
        diagnosis: The failure, usually under the name of the diagnosis.
        horizon: `"now"`, the state at the last observation, or `"end"`, a forecast for the end of the budget.
        severity: `"failure"`, or `"warning"` where the signs are not enough for one.
        confidence: 0 to 1.
        onset_step: The step since which it has been so.
        summary: What was seen, in a sentence.
        evidence: Signals with their values and thresholds.
        remedy: What to change; a text is parsed by `Remedy.parse`.
        cause: The other failure that this one follows from, where it does.
        track_record: How the remedy has fared where it was tried.
    """

    diagnosis: str
    horizon: Horizon
    severity: Severity
    confidence: float  # 0 to 1
    onset_step: int
    summary: str
    evidence: Mapping[str, Evidence]
    remedy: Remedy
    cause: str = ""
    track_record: str = ""

    def __post_init__(self) -> None:
        if isinstance(self.remedy, str):  # as findings were written before remedies were records
            object.__setattr__(self, "remedy", Remedy.parse(self.remedy))


@dataclass(frozen=True)
class BestWeights:
    """The weights of G, as it is evaluated, at the best score of a metric, where a suite asks for them.

    Attributes:
        metric: The score, as in scores.csv.
        step: Steps done.
        value: The score's value.
        weights: Weights and buffers by name.
    """

    metric: str
    step: int
    value: float
    weights: Mapping[str, np.ndarray[Any, Any]]


@dataclass(frozen=True)
class Artifacts:
    """The arrays of a finished trial."""

    history: History
    samples: np.ndarray[Any, Any] | None = None  # generated, of shape (N, *shape)
    reals: np.ndarray[Any, Any] | None = None  # held out, to be shown beside them
    weights: Mapping[str, np.ndarray[Any, Any]] = field(default_factory=dict)
    snapshots: Mapping[int, np.ndarray[Any, Any]] = field(default_factory=dict)  # earlier samples by step
    nearest: np.ndarray[Any, Any] | None = None  # the training samples nearest to the first generated ones
    best: BestWeights | None = None


@dataclass(frozen=True)
class TrialResult:
    """The result of a trial, however it ended."""

    trial: Trial
    status: Status
    reason: str = ""
    steps: int = 0  # done
    train_seconds: float = 0.0
    seconds: float = 0.0
    device: str = ""
    threads: int = 0
    origins: Mapping[str, str] = field(default_factory=dict)  # by "loss hinge": "ganbench 0.1.0"
    scores: tuple[Score, ...] = ()
    findings: tuple[Finding, ...] = ()
    verdicts: tuple[
        str, ...
    ] = ()  # failures found, else "no-failure-found", "undertrained" or "inconclusive"; none without diagnoses
    output: str = ""  # the end of what the trial printed, if its executor keeps it
    left_out: Mapping[str, str] = field(default_factory=dict)  # metrics and diagnoses that could not serve, and why
    artifacts: Artifacts | None = None
    parameters_g: int = 0  # weights of G that are trained; 0 if it is not known
    parameters_d: int = 0
    captured: str = ""  # whether its steps were launched as graphs: "yes", or "no: " and why; empty if it was not tried
    stored: bool = False  # whether its executor has stored it in the results folder already

    def __post_init__(self) -> None:
        object.__setattr__(self, "status", Status(self.status))  # an executor may give it as text

    @property
    def failed(self) -> bool:
        """Whether the trial is lost, or in a state that a finding calls a failure."""
        return self.status.lost or any(f.severity == "failure" and f.horizon == "now" for f in self.findings)
