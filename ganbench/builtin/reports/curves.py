"""Draw training curves as small SVGs: all seeds of one method on one data set in one chart.

The drawings hold no text from outside, take the colour of their text from the page, and use mid-tones for lines, so that
they are readable on light and on dark backgrounds.
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

Array = np.ndarray[Any, Any]
Scale = Literal["unit", "linear", "log"]  # "unit": from 0 to 1

BLUE, ORANGE, GREEN, PURPLE, GREY = "#4c8bd0", "#dc8a3c", "#43a27c", "#a277cf", "#8b919b"
FAILURE, WARNING = "#d4574c", "#cf9a2a"
DASHES: tuple[tuple[float, ...], ...] = ((), (5, 2), (2, 2), (6, 1.5, 1.5, 1.5))  # one for each seed, in turn

MAX_POINTS = 200  # of one curve
MAX_MAGNITUDE = 1e30  # larger values are drawn there: axes overflow long before floats do
MAX_LINEAR_MAGNITUDE = 1e3  # beyond it, a linear axis would show one spike and nothing else
MAX_MARKED_POINTS = 12  # a curve of so few points, such as a probe's, is drawn with a mark at each

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


@dataclass(frozen=True)
class Curve:
    """A column of the history, with its name in the legend and its colour."""

    column: str
    name: str
    colour: str


@dataclass(frozen=True)
class Chart:
    """What one drawing shows: curves, and a reference value that gets a line of its own."""

    title: str
    curves: tuple[Curve, ...]
    scale: Scale
    reference: float | None = None
    reference_name: str = ""


@dataclass(frozen=True)
class Drawing:
    """A drawn chart: its SVG, the curves that are in it, and the name of its scale if that is not linear."""

    chart: Chart
    curves: tuple[Curve, ...]
    svg: str
    scale_name: str


@dataclass(frozen=True)
class SeedCurves:
    """The history of one seed, with columns of one length, and whether its trial diverged."""

    history: Mapping[str, Array]
    diverged: bool = False


@dataclass(frozen=True)
class Onset:
    """A step at which a finding begins."""

    step: int
    is_failure: bool


CHARTS = (
    Chart(
        "Probabilities that D assigns",
        (Curve("d_real", "D(x), real", BLUE), Curve("d_fake", "D(G(z)), generated", ORANGE)),
        "unit",
        0.5,
        "0.5: equilibrium",
    ),
    Chart("Value V(D, G)", (Curve("value", "V(D, G)", PURPLE),), "linear", -math.log(4), "−log 4: equilibrium"),
    Chart("Losses", (Curve("loss_d", "of D", BLUE), Curve("loss_g", "of G", ORANGE)), "linear"),
    Chart(
        "Real against generated samples",
        (
            Curve("auc_d", "AUC of D", BLUE),
            Curve("fresh_critic_auc", "AUC of a fresh critic", PURPLE),
            Curve("coverage", "coverage", GREEN),
        ),
        "unit",
        0.5,
        "AUC 0.5: chance",
    ),
    Chart("Gradient that reaches G's samples", (Curve("input_gradient", "input gradient", GREEN),), "log"),
)


def draw_charts(seeds: Sequence[SeedCurves], onsets: Iterable[Onset], name: str) -> list[Drawing]:
    """Draw each chart that has something to show.

    Args:
        seeds: The seeds; the first is drawn solid, the others by `DASHES`.
        onsets: Where findings begin, to be marked.
        name: A prefix that makes the ids inside the drawings unique on their page.
    """
    marks = sorted(set(onsets), key=lambda onset: (onset.step, onset.is_failure))
    with matplotlib.rc_context(STYLE):
        drawings = [_draw_chart(chart, seeds, marks, f"{name}-{index}-") for index, chart in enumerate(CHARTS)]
    return [drawing for drawing in drawings if drawing is not None]


def downsample(steps: Array, values: Array) -> tuple[Array, Array]:
    """Return at most `MAX_POINTS` of the points: the lowest and highest of each bin, so that no spike is lost."""
    if len(values) <= MAX_POINTS:
        return steps, values
    kept = [
        indices[pick]
        for indices in np.array_split(np.arange(len(values)), MAX_POINTS // 2)
        for pick in sorted({int(values[indices].argmin()), int(values[indices].argmax())})
    ]
    return steps[kept], values[kept]


def _draw_chart(chart: Chart, seeds: Sequence[SeedCurves], onsets: Sequence[Onset], prefix: str) -> Drawing | None:
    points = {curve: [_points(seed.history, curve.column, chart.scale) for seed in seeds] for curve in chart.curves}
    points = {curve: of_seeds for curve, of_seeds in points.items() if any(steps.size for steps, _ in of_seeds)}
    if not points:
        return None
    figure = Figure(figsize=(3.5, 1.9))
    axes = figure.add_axes((0.12, 0.13, 0.86, 0.83))
    for curve, of_seeds in points.items():
        for index, (steps, values) in enumerate(of_seeds):
            _draw_line(axes, curve, DASHES[index % len(DASHES)], steps, values, seeds[index].diverged)
    scale_name = _set_up_axes(axes, chart, [values for of_seeds in points.values() for _, values in of_seeds])
    axes.set_xlim(0, max(_last_step(seed.history) for seed in seeds) or 1)
    for onset in onsets:
        axes.axvline(onset.step, color=FAILURE if onset.is_failure else WARNING, linewidth=1, alpha=0.8, zorder=1)
    return Drawing(chart, tuple(points), _to_svg(figure, prefix), scale_name)


def _points(history: Mapping[str, Array], column: str, scale: Scale) -> tuple[Array, Array]:
    """Return the steps and values to draw: finite ones, positive ones on a log scale, downsampled."""
    if column not in history or "step" not in history:
        return np.empty(0), np.empty(0)
    steps = np.asarray(history["step"], dtype=float)
    values = np.asarray(history[column], dtype=float)
    kept = np.isfinite(values) & np.isfinite(steps)
    if scale == "log":
        kept &= values > 0
        values = np.maximum(values, 1 / MAX_MAGNITUDE)
    values = np.clip(values, -MAX_MAGNITUDE, MAX_MAGNITUDE)
    return downsample(steps[kept], values[kept])


def _draw_line(axes: Any, curve: Curve, dashes: tuple[float, ...], steps: Array, values: Array, diverged: bool) -> None:
    axes.plot(
        steps,
        values,
        color=curve.colour,
        linewidth=1.1,
        linestyle=(0, dashes) if dashes else "-",
        marker="o" if len(steps) <= MAX_MARKED_POINTS else "",
        markersize=2.2,
        alpha=0.9,
    )
    if diverged and steps.size:
        axes.plot(steps[-1:], values[-1:], color=FAILURE, marker="x", markersize=5, markeredgewidth=1.4, zorder=4)


def _set_up_axes(axes: Any, chart: Chart, values: Sequence[Array]) -> str:
    """Set scales, limits, grid and reference line; return the name of the scale if it is not linear."""
    name = ""
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    if chart.scale == "unit":
        axes.set_ylim(-0.03, 1.03)
        axes.set_yticks([0, 0.25, 0.5, 0.75, 1])
    elif chart.scale == "log":
        axes.set_yscale("log")
        axes.set_ylim(*_decades(values))
        name = "log scale"
    elif max(np.abs(part).max(initial=0) for part in values) > MAX_LINEAR_MAGNITUDE:
        axes.set_yscale("symlog", linthresh=1)
        axes.yaxis.get_major_locator().set_params(numticks=5)
        name = "log scale beyond ±1"
    if name:
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axes.yaxis.set_minor_formatter(NullFormatter())
    if chart.reference is not None:
        axes.axhline(chart.reference, color=GREY, linewidth=1, linestyle=(0, (1, 2)), zorder=1)
    axes.grid(True, color=GREY, alpha=0.18, linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(length=2, pad=2)
    return name


def _decades(values: Sequence[Array]) -> tuple[float, float]:
    """Return the whole decades that hold all values, at least one, so that a log axis has labels."""
    low = math.floor(math.log10(min(part.min(initial=math.inf) for part in values)))
    high = math.ceil(math.log10(max(part.max(initial=0) for part in values)))
    return 10.0**low, 10.0 ** max(high, low + 1)


def _last_step(history: Mapping[str, Array]) -> float:
    steps = np.asarray(history.get("step", ()), dtype=float)
    return float(np.nanmax(steps, initial=0))


def _to_svg(figure: Any, prefix: str) -> str:
    """Return the figure as an `<svg>` element for a page: unique ids, no addresses, the page's font."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None, "Creator": None})
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    for pattern, replacement in (
        (r"(?s)<metadata>.*?</metadata>|<style.*?</style>|<!--.*?-->", ""),
        (r' (?:xmlns|xmlns:xlink|version|width|height)="[^"]*"(?=[^>]*viewBox)', ""),
        (r' xmlns(?::xlink)?="[^"]*"', ""),
        (r' id="[A-Za-z.]+_?\d+(?:_\d+)?"(?=>)', ""),  # of groups; nothing refers to those
        (r"xlink:href", "href"),
        (r'( id="|url\(#|href="#)', rf"\g<1>{prefix}"),
        (r"font-family: [^;]*;|; fill: #[0-9a-f]{6}(?=\" x)", ""),  # of texts
        (r"\s*\n\s*", " "),
    ):
        text = re.sub(pattern, replacement, text)
    # Two decimals are enough for coordinates, which are in attributes; a label's 0.0001 must stay.
    return re.sub(r'"[^"]*"', lambda quoted: re.sub(r"(\d\.\d\d)\d+", r"\1", quoted[0]), text)
