"""The tables of a suite file: every key, its type, its bounds and its default."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from msgspec import Meta

from ..contract.records import StopWhen

# No suite comes near these; without them a slip of a few zeros takes all memory before anything is said.
MAX_SEEDS = 10_000
MAX_METHODS = 10_000
MAX_TRIALS = 200_000
MAX_OBSERVATIONS = 100_000
MAX_SAMPLES = 10_000_000

Positive = Annotated[int, Meta(ge=1)]
Count = Annotated[int, Meta(ge=0)]
Rate = Annotated[float, Meta(gt=0)]
Share = Annotated[float, Meta(gt=0, le=1)]
Decay = Annotated[float, Meta(ge=0, lt=1)]
Seed = Annotated[int, Meta(ge=0, lt=2**32)]

Ref = str | dict[str, Any]  # "name", or { name = "name", option = value, ... }
Weight = Annotated[float, Meta(ge=0)] | Literal["adaptive"] | dict[str, Any]  # a table is a ramp
Names = Literal["all"] | list[Ref]


@dataclass(frozen=True)
class TrainingTable:
    """How to train; a suite sets it for all, a data set or a method for itself."""

    steps: Positive | None = None
    batch_size: Positive | None = None
    optimizer: Ref | None = None  # of both players
    optimizer_g: Ref | None = None
    optimizer_d: Ref | None = None
    d_steps: Positive | None = None
    g_steps: Positive | None = None
    d_warmup: Count | None = None
    lr_decay: Literal["constant", "linear", "cosine"] | None = None
    ema: Decay | None = None
    stop_when: dict[str, Any] | None = None
    stop_on: list[str] | None = None
    observations: Annotated[int, Meta(ge=1, le=MAX_OBSERVATIONS)] | None = None
    timeout: Rate | None = None  # seconds
    precision: Literal["float32", "tf32", "bf16", "float16"] | None = None
    accumulate: Positive | None = None
    clip: Annotated[float, Meta(ge=0)] | None = None
    channels_last: bool | None = None
    capture: Literal["auto", "off"] | None = None
    update: Ref | None = None
    adversarial_weight: Weight | None = None
    adversarial_from: Count | None = None
    d_from: Count | None = None


@dataclass(frozen=True)
class NetworksTable(TrainingTable):
    """Networks, loss and training settings: what a method may set for a kind of data."""

    generator: Ref | None = None
    discriminator: Ref | None = None
    loss: Ref | None = None
    regularizers: list[Ref] | None = None
    augmentation: Ref | None = None
    terms: list[Ref] | None = None


@dataclass(frozen=True)
class MethodTable(NetworksTable):
    """A method: networks, loss, regularizers, training settings, and what differs on data of a kind."""

    points: dict[str, Any] = field(default_factory=dict)  # short for on.points
    images: dict[str, Any] = field(default_factory=dict)  # short for on.images
    on: dict[str, dict[str, Any]] = field(default_factory=dict)  # by kind of data


@dataclass(frozen=True)
class DatasetTable(TrainingTable):
    """A data set: the component (the table's own name unless said otherwise) and its training settings."""

    dataset: Ref | None = None
    methods: list[str] | None = None  # patterns of the methods that are tried on it; all unless given


@dataclass(frozen=True)
class GridTable:
    """Methods as the product of components."""

    generators: Annotated[list[Ref], Meta(min_length=1)]
    discriminators: Annotated[list[Ref], Meta(min_length=1)]
    losses: Annotated[list[Ref], Meta(min_length=1)]
    regularizers: Annotated[list[list[Ref]], Meta(min_length=1)] = field(default_factory=lambda: [[]])


@dataclass(frozen=True)
class EvaluationTable:
    """When to score, and with how many samples."""

    at: Annotated[list[Share], Meta(min_length=1)] = field(default_factory=lambda: [0.25, 0.5, 0.75, 1.0])
    samples: Annotated[int, Meta(ge=50, le=MAX_SAMPLES)] = 2500
    expensive_at: Annotated[list[Share], Meta(min_length=1)] = field(default_factory=lambda: [1.0])  # costly metrics
    keep_best: str = ""  # a score, at whose best G's weights are kept too


@dataclass(frozen=True)
class CheckpointsTable:
    """How often a trial in training is saved, to go on from after a kill; without either, about each half minute."""

    steps: Positive | None = None
    minutes: Rate | None = None


@dataclass(frozen=True)
class SuiteTable:
    """A whole suite file."""

    datasets: Annotated[list[str], Meta(min_length=1)] | dict[str, dict[str, Any]]
    metrics: list[Ref]
    name: Annotated[str, Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")] | None = None
    summary: str = ""
    seeds: (
        Annotated[int, Meta(ge=1, le=MAX_SEEDS)] | Annotated[list[Seed], Meta(min_length=1, max_length=MAX_SEEDS)]
    ) = 3
    methods: dict[str, dict[str, Any]] = field(default_factory=dict)
    grid: dict[str, Any] | None = None
    diagnoses: Names = "all"
    reports: Names = "all"
    executor: Ref | None = None
    training: dict[str, Any] = field(default_factory=dict)
    evaluation: dict[str, Any] = field(default_factory=dict)
    checkpoints: dict[str, Any] = field(default_factory=dict)
    max_minutes: Rate | None = None  # after which the run pauses


PLACES: dict[str, tuple[type, ...]] = {  # where each table's own keys belong
    "at the top of the file, above the first [table]": (SuiteTable,),
    "in [training] (or [datasets.NAME], [methods.NAME])": (TrainingTable,),
    "in [methods.NAME]": (NetworksTable, MethodTable),
    "in [datasets.NAME]": (DatasetTable,),
    "in [grid]": (GridTable,),
    "in [evaluation]": (EvaluationTable,),
    "in [checkpoints]": (CheckpointsTable,),
    "in the table stop_when = { ... }": (StopWhen,),
}


def places_of(key: str) -> list[str]:
    """Return where in a suite a key belongs, each place to follow "it belongs"; empty for one that is valid nowhere."""
    return [place for place, tables in PLACES.items() if any(key in table.__annotations__ for table in tables)]
