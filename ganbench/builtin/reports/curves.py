"""Training curves as small SVG drawings: all seeds of one method on one data set, laid over each other.

The drawings hold no text from outside, take their text's colour from the page, and use mid-tones for lines, so that
they read on light and on dark ground.
"""

from __future__ import annotations

import io
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

BLUE, ORANGE, GREEN, PURPLE, GREY = "#4c8bd0", "#dc8a3c", "#43a27c", "#a277cf", "#8b919b"
FAILURE, WARNING = "#d4574c", "#cf9a2a"
DASHES: tuple[tuple[float, ...], ...] = ((), (5, 2), (2, 2), (6, 1.5, 1.5, 1.5))  # one per seed, in turn

MOST_POINTS = 200  # of one curve
FARTHEST = 1e30  # a value beyond it is drawn there: axes overflow long before floats do
WIDE_RANGE = 1e3  # beyond it a linear axis shows one spike and nothing else

STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "ganbench",
    "font.size": 7.5,
    "path.simplify_threshold": 0.3,
    "axes.linewidth": 0.6,
    "axes.edgecolor": GREY,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "axes.unicode_minus": True,
}

Values = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Curve:
    """A column of the history, and how it is called and coloured."""

    column: str
    name: str
    colour: str


@dataclass(frozen=True)
class Chart:
    """What one drawing shows. `level` is a value worth a line of its own."""

    title: str
    curves: tuple[Curve, ...]
    scale: Literal["share", "free", "log"]
    level: float | None = None
    level_name: str = ""


@dataclass(frozen=True)
class Drawing:
    """A finished chart: its SVG, and the curves in it."""

    chart: Chart
    curves: tuple[Curve, ...]
    svg: str
    scale_name: str


@dataclass(frozen=True)
class Run:
    """One seed: its history (columns of one length), and whether its numbers broke."""

    history: Mapping[str, Values]
    broke: bool = False


@dataclass(frozen=True)
class Onset:
    """A step at which a finding begins."""

    step: int
    severe: bool


CHARTS = (
    Chart(
        "What D says",
        (Curve("d_real", "D(x), real", BLUE), Curve("d_fake", "D(G(z)), generated", ORANGE)),
        "share",
        0.5,
        "0.5: equilibrium",
    ),
    Chart("Value V(D, G)", (Curve("value", "V(D, G)", PURPLE),), "free", -math.log(4), "−log 4: equilibrium"),
    Chart("Losses", (Curve("loss_d", "of D", BLUE), Curve("loss_g", "of G", ORANGE)), "free"),
    Chart(
        "Can they be told apart",
        (
            Curve("auc_d", "AUC of D", BLUE),
            Curve("fresh_critic_auc", "AUC of a fresh critic", PURPLE),
            Curve("coverage", "coverage", GREEN),
        ),
        "share",
        0.5,
        "0.5: chance",
    ),
    Chart("Gradient that reaches G's samples", (Curve("input_gradient", "input gradient", GREEN),), "log"),
)


def draw(runs: Sequence[Run], onsets: Iterable[Onset], name: str) -> list[Drawing]:
    """A drawing for each chart that has anything to show; the first run is drawn solid, the next dashed, and so on.

    `name` keeps the ids inside the drawings apart from those of other drawings on the same page.
    """
    marks = sorted(set(onsets), key=lambda onset: (onset.step, onset.severe))
    with matplotlib.rc_context(STYLE):
        drawings = [_draw(chart, runs, marks, f"{name}-{index}-") for index, chart in enumerate(CHARTS)]
    return [drawing for drawing in drawings if drawing is not None]


def _draw(chart: Chart, runs: Sequence[Run], onsets: Sequence[Onset], prefix: str) -> Drawing | None:
    lines = {curve: [_points(run.history, curve.column, chart.scale) for run in runs] for curve in chart.curves}
    lines = {curve: points for curve, points in lines.items() if any(steps.size for steps, _ in points)}
    if not lines:
        return None
    figure = Figure(figsize=(3.5, 1.9))
    axes = figure.add_axes((0.12, 0.13, 0.86, 0.83))
    for curve, points in lines.items():
        for index, (steps, values) in enumerate(points):
            _line(axes, curve, index, steps, values, runs[index].broke)
    scale_name = _shape(axes, chart, [values for points in lines.values() for _, values in points])
    axes.set_xlim(0, max(_last_step(run.history) for run in runs) or 1)
    for onset in onsets:
        axes.axvline(onset.step, color=FAILURE if onset.severe else WARNING, linewidth=1, alpha=0.8, zorder=1)
    return Drawing(chart, tuple(lines), _svg(figure, prefix), scale_name)


def _points(history: Mapping[str, Values], column: str, scale: str) -> tuple[Values, Values]:
    """The steps and values to draw: finite ones only, positive ones for a logarithm, thinned out."""
    if column not in history or "step" not in history:
        return np.empty(0), np.empty(0)
    steps = np.asarray(history["step"], dtype=float)
    values = np.asarray(history[column], dtype=float)
    kept = np.isfinite(values) & np.isfinite(steps)
    if scale == "log":
        kept &= values > 0
        values = np.maximum(values, 1 / FARTHEST)
    values = np.clip(values, -FARTHEST, FARTHEST)
    return thin(steps[kept], values[kept])


def thin(steps: Values, values: Values) -> tuple[Values, Values]:
    """At most `MOST_POINTS` of the points: the lowest and the highest of each stretch, so that no spike is lost."""
    if len(values) <= MOST_POINTS:
        return steps, values
    kept = [
        stretch[pick]
        for stretch in np.array_split(np.arange(len(values)), MOST_POINTS // 2)
        for pick in sorted({int(values[stretch].argmin()), int(values[stretch].argmax())})
    ]
    return steps[kept], values[kept]


def _line(axes: Any, curve: Curve, seed: int, steps: Values, values: Values, broke: bool) -> None:
    dashes = DASHES[seed % len(DASHES)]
    axes.plot(
        steps,
        values,
        color=curve.colour,
        linewidth=1.1,
        linestyle=(0, dashes) if dashes else "-",
        marker="o" if len(steps) <= 12 else "",  # probes are few: show where they were
        markersize=2.2,
        alpha=0.9,
    )
    if broke and steps.size:
        axes.plot(steps[-1:], values[-1:], color=FAILURE, marker="x", markersize=5, markeredgewidth=1.4, zorder=4)


def _shape(axes: Any, chart: Chart, values: Sequence[Values]) -> str:
    """Scale, limits, grid and level line; returns the name of a scale that is not linear."""
    name = ""
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    if chart.scale == "share":
        axes.set_ylim(-0.03, 1.03)
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
    elif chart.scale == "log":
        axes.set_yscale("log")
        axes.set_ylim(*_decades(values))
        name = "log scale"
    elif max(np.abs(part).max(initial=0) for part in values) > WIDE_RANGE:
        axes.set_yscale("symlog", linthresh=1)
        axes.yaxis.get_major_locator().set_params(numticks=5)
        name = "log scale beyond ±1"
    if name:
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    if chart.level is not None:
        axes.axhline(chart.level, color=GREY, linewidth=1, linestyle=(0, (1, 2)), zorder=1)
    axes.grid(True, color=GREY, alpha=0.18, linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=2, pad=2)
    return name


def _decades(values: Sequence[Values]) -> tuple[float, float]:
    """The whole decades that hold all values, at least one, so that a logarithmic axis has labels."""
    low = math.floor(math.log10(min(part.min(initial=math.inf) for part in values)))
    high = math.ceil(math.log10(max(part.max(initial=0) for part in values)))
    return 10.0**low, 10.0 ** max(high, low + 1)


def _last_step(history: Mapping[str, Values]) -> float:
    steps = np.asarray(history.get("step", ()), dtype=float)
    return float(np.nanmax(steps, initial=0))


def _svg(figure: Any, prefix: str) -> str:
    """The figure as an `<svg>` element to stand in a page: no clashing ids, no addresses, the page's font."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    for pattern, instead in (
        (r"(?s)<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", ""),
        (r' (?:xmlns|xmlns:xlink|version|width|height)="[^"]*"(?=[^>]*viewBox)', ""),
        (r' xmlns(?::xlink)?="[^"]*"', ""),
        (r' id="[A-Za-z.]+_?\d+(?:_\d+)?"(?=>)', ""),  # of groups; nothing refers to those
        (r"xlink:href", "href"),
        (r'( id="|url\(#|href="#)', rf"\g<1>{prefix}"),
        (r"font-family: [^;]*;|; fill: #[0-9a-f]{6}(?=\" x)", ""),  # of texts
        (r"\s*\n\s*", " "),
    ):
        text = re.sub(pattern, instead, text)
    # Two decimals are plenty for a place; only in attributes, since a label's 0.0001 must stay.
    return re.sub(r'"[^"]*"', lambda quoted: re.sub(r"(\d\.\d\d)\d+", r"\1", quoted[0]), text)
