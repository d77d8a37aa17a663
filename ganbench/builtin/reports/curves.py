"""Draw training: scores and signals of all methods over steps, the seeds of one method, and the evidence of findings."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .charts import MAX_MAGNITUDE, MAX_POINTS, Array, ChartSpec, Drawing, GuideLine, Line, draw_chart, over_seeds, thin
from .failures import FindingGroup

DASHES = 4  # patterns for seeds, in turn; the page's style sheet has them
UNIT = (-0.03, 1.03)


@dataclass(frozen=True)
class Signal:
    """A column of the history, as a chart that compares methods shows it."""

    column: str
    title: str
    is_share: bool = False  # from 0 to 1
    reference: float | None = None
    reference_name: str = ""


SIGNALS = (
    Signal("auc_d", "AUC of D on held-out data", True, 0.5, "0.5: chance"),
    Signal("fresh_critic_auc", "AUC of a fresh critic", True, 0.5, "0.5: chance"),
    Signal("coverage", "Coverage: share of the real data that G reaches", True),
    Signal("energy_distance", "Energy distance to held-out data"),
    Signal("d_real", "D(x): probability of real for real samples", True, 0.5, "0.5: equilibrium"),
    Signal("d_fake", "D(G(z)): probability of real for generated ones", True, 0.5, "0.5: equilibrium"),
    Signal("loss_d", "Loss of D"),
    Signal("loss_g", "Loss of G"),
    Signal("value", "Value V(D, G)", False, -math.log(4), "−log 4: equilibrium"),
    Signal("input_gradient", "Gradient that reaches G's samples"),
    Signal("motion_speed", "Motion of samples of fixed noise"),
    Signal("memory_gap", "D's AUC on training data beyond held-out data"),
)

# What the charts of one method show: several columns each, a colour a column, dashes a seed.
SEED_CHARTS: tuple[tuple[ChartSpec, tuple[tuple[str, str], ...]], ...] = (
    (
        ChartSpec(
            "Probabilities that D assigns", limits=UNIT, across=[GuideLine(0.5, "reference", "0.5: equilibrium")]
        ),
        (("d_real", "D(x), real"), ("d_fake", "D(G(z)), generated")),
    ),
    (
        ChartSpec("Value V(D, G)", across=[GuideLine(-math.log(4), "reference", "−log 4: equilibrium")]),
        (("value", "V(D, G)"),),
    ),
    (ChartSpec("Losses"), (("loss_d", "of D"), ("loss_g", "of G"))),
    (
        ChartSpec(
            "Real against generated samples", limits=UNIT, across=[GuideLine(0.5, "reference", "AUC 0.5: chance")]
        ),
        (("auc_d", "AUC of D"), ("fresh_critic_auc", "AUC of a fresh critic"), ("coverage", "coverage")),
    ),
    (ChartSpec("Gradient that reaches G's samples", scale="log"), (("input_gradient", "input gradient"),)),
)


@dataclass(frozen=True)
class SeedCurves:
    """The history of one seed, with columns of one length, and whether its trial diverged."""

    history: Mapping[str, Array]
    diverged: bool = False
    seed: str = ""

    @property
    def last_step(self) -> float:
        """The last step that was observed; 0 without a history."""
        steps = np.asarray(self.history.get("step", ()), dtype=float)
        return float(np.nanmax(steps, initial=0))


@dataclass(frozen=True)
class MethodCurves:
    """The seeds of one method on one data set, and how its lines look."""

    method: str
    index: int  # decides colour, dashes and marks
    seeds: Sequence[SeedCurves]


def method_look(index: int) -> str:
    """Return the CSS classes of a method: one of eight colours, and dashes that change where colours repeat."""
    return f"m{index} c{index % 8} k{index // 8 % DASHES}"


def draw_signals(methods: Sequence[MethodCurves], points: int = MAX_POINTS) -> list[Drawing]:
    """Draw each signal over steps: for each method the median over seeds, and a band from the lowest to the highest.

    Args:
        methods: The methods.
        points: At most so many points of a line.
    """
    last_step = max((seed.last_step for method in methods for seed in method.seeds), default=0.0)
    drawings = []
    for signal in SIGNALS:
        spec = ChartSpec(signal.title, limits=UNIT if signal.is_share else None)
        if signal.reference is not None:
            spec.across.append(GuideLine(signal.reference, "reference", signal.reference_name))
        lines = [
            _band(
                method,
                [(*read_points(seed.history, signal.column), seed.diverged) for seed in method.seeds],
                points,
            )
            for method in methods
        ]
        drawings.append(draw_chart(spec, lines, last_step))
    return [drawing for drawing in drawings if drawing is not None]


def draw_scores(
    title: str,
    note: str,
    floor: float | None,
    methods: Sequence[tuple[MethodCurves, Sequence[tuple[Array, Array]]]],
    last_step: float,
) -> Drawing | None:
    """Draw the scores of a metric over steps, all methods in one chart.

    Args:
        title: The metric.
        note: Which direction is better.
        floor: What real samples score; None if it is not known.
        methods: Each method with the steps and the scores of its seeds.
        last_step: Where training ends.
    """
    spec = ChartSpec(title, note, across=[GuideLine(floor, "reference", "real data")] if floor is not None else [])
    lines = []
    for method, seeds in methods:
        ended = (
            [of_seed.diverged for of_seed in method.seeds] if len(method.seeds) == len(seeds) else [False] * len(seeds)
        )
        lines.append(_band(method, [(*_finite(*points), lost) for points, lost in zip(seeds, ended, strict=True)]))
    return draw_chart(spec, lines, last_step)


def draw_seeds(seeds: Sequence[SeedCurves], groups: Iterable[FindingGroup], points: int = MAX_POINTS) -> list[Drawing]:
    """Draw the usual charts of one method, a line for each seed, with the steps at which findings begin."""
    onsets = {
        (finding.onset, group.is_failure): f"{group.diagnosis} begins, seed {finding.seed}"
        for group in groups
        for finding in group.findings
        if finding.onset is not None
    }
    down = [GuideLine(at, "failure" if bad else "warning", name) for (at, bad), name in sorted(onsets.items())]
    last_step = max((seed.last_step for seed in seeds), default=0.0)
    drawings = []
    for spec, columns in SEED_CHARTS:
        lines = [
            _seed_line(
                seed, column, name if len(seeds) == 1 else f"{name}, seed {seed.seed}", colour, number, spec, points
            )
            for colour, (column, name) in enumerate(columns)
            for number, seed in enumerate(seeds)
        ]
        shown = ChartSpec(spec.title, spec.note, spec.limits, spec.scale, spec.across, down)
        drawing = draw_chart(shown, lines, last_step)
        if drawing is not None:
            looks = {line.look.split()[0]: line for line in lines if len(line.x)}
            keys = tuple((name, f"c{colour}") for colour, (_, name) in enumerate(columns) if f"c{colour}" in looks)
            drawings.append(Drawing(drawing.title, drawing.note, drawing.svg, keys))
    return drawings


def draw_evidence(
    group: FindingGroup, seeds: Sequence[SeedCurves], points: int = MAX_POINTS, limit: int = 3
) -> list[Drawing]:
    """Draw the signals of a group's evidence that the history holds, with their thresholds and where findings begin.

    Args:
        group: The findings of one diagnosis.
        seeds: The method's seeds.
        points: At most so many points of a line.
        limit: At most so many signals.
    """
    affected = {finding.seed for finding in group.findings}
    concerned = [seed for seed in seeds if seed.seed in affected] or list(seeds)
    last_step = max((seed.last_step for seed in seeds), default=0.0)
    drawings: list[Drawing] = []
    for signal in dict.fromkeys(reading.signal for finding in group.findings for reading in finding.readings):
        if len(drawings) == limit:
            break
        thresholds = [
            reading.threshold
            for finding in group.findings
            for reading in finding.readings
            if reading.signal == signal and reading.threshold is not None
        ]
        floors = _mean_of(seeds, f"{signal}_floor")
        spec = ChartSpec(
            signal,
            across=[GuideLine(thresholds[0], "threshold", "threshold")] if thresholds else [],
            down=[
                GuideLine(finding.onset, "failure" if group.is_failure else "warning", f"begins, seed {finding.seed}")
                for finding in group.findings
                if finding.onset is not None
            ],
        )
        if floors is not None:
            spec.across.append(GuideLine(floors, "reference", "real data"))
        lines = [
            _seed_line(seed, signal, f"seed {seed.seed}", 0, number, spec, points)
            for number, seed in enumerate(concerned)
        ]
        if (drawing := draw_chart(spec, lines, last_step)) is not None:
            drawings.append(drawing)
    return drawings


def read_points(history: Mapping[str, Array], column: str, positive: bool = False) -> tuple[Array, Array]:
    """Return the steps and values of a column that can be drawn: finite ones, within `MAX_MAGNITUDE`.

    Args:
        history: Arrays by column, one of them `step`.
        column: The column.
        positive: Whether to leave out values that a logarithmic axis has no place for.
    """
    if column not in history or "step" not in history:
        return np.empty(0), np.empty(0)
    steps, values = _finite(np.asarray(history["step"], dtype=float), np.asarray(history[column], dtype=float))
    if positive:
        kept = values > 0
        steps, values = steps[kept], np.maximum(values[kept], 1 / MAX_MAGNITUDE)
    return steps, values


def _finite(steps: Array, values: Array) -> tuple[Array, Array]:
    kept = np.isfinite(values) & np.isfinite(steps)
    return steps[kept], np.clip(values[kept], -MAX_MAGNITUDE, MAX_MAGNITUDE)


def _band(method: MethodCurves, seeds: Sequence[tuple[Array, Array, bool]], points: int = MAX_POINTS) -> Line:
    """Return a method's line: medians over seeds, from the lowest to the highest, and where seeds diverged."""
    x, middle, low, high = over_seeds([(steps, values) for steps, values, _ in seeds], points)
    ends = tuple((float(steps[-1]), float(values[-1])) for steps, values, diverged in seeds if diverged and len(steps))
    return Line(method.method, method_look(method.index), x, middle, low, high, ends, method.index)


def _seed_line(
    seed: SeedCurves, column: str, name: str, colour: int, number: int, spec: ChartSpec, points: int
) -> Line:
    steps, values = thin(*read_points(seed.history, column, positive=spec.scale == "log"), points)
    ends = ((float(steps[-1]), float(values[-1])),) if seed.diverged and len(steps) else ()
    return Line(name, f"c{colour} k{number % DASHES}", steps, values, ends=ends, shape=colour)


def _mean_of(seeds: Sequence[SeedCurves], column: str) -> float | None:
    values: list[Any] = [value for seed in seeds for value in read_points(seed.history, column)[1]]
    return float(np.mean(values)) if values else None
