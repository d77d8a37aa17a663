"""Draw line charts as SVG elements for a page: axes, bands, lines, marks.

A drawing holds no text from outside but names, which are escaped, and takes its colours from the page, so that it is
readable on light and on dark backgrounds. The page's script reads the values back from the drawing: coordinates have
two decimals, axes are given as `data-` attributes.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from markupsafe import escape

Array = np.ndarray[Any, Any]
Scale = Literal["linear", "log", "symlog"]  # "symlog": sign(v) · log10(1 + |v|)

WIDTH, HEIGHT = 440, 236
LEFT, TOP, PLOT_WIDTH, PLOT_HEIGHT = 56, 10, 372, 196  # of what the axes enclose

MAX_POINTS = 120  # of one line
MAX_MAGNITUDE = 1e30  # larger values are drawn there: axes overflow long before floats do
MAX_LINEAR_RATIO = 30.0  # of the largest to the smallest value; beyond it, an axis of positive values is logarithmic
MAX_LINEAR_MAGNITUDE = 1e3  # beyond it, a linear axis would show one spike and nothing else
MAX_MARKED_POINTS = 12  # a line of so few points, such as a probe's, is drawn with a mark at each
SHAPES = 4  # marks differ by method as well as colours do: circle, square, triangle, diamond


@dataclass(frozen=True)
class Line:
    """A line of a chart, with the band around it.

    Attributes:
        name: What it is called in the read-out of values.
        look: Its CSS classes, which decide its colour and dashes.
        x: Steps, increasing.
        y: Values, finite.
        low: Lower ends of the band; None without one.
        high: Upper ends of the band.
        ends: Points at which a seed diverged, as (x, y).
        shape: Number of the shape of its marks.
    """

    name: str
    look: str
    x: Array
    y: Array
    low: Array | None = None
    high: Array | None = None
    ends: tuple[tuple[float, float], ...] = ()
    shape: int = 0


@dataclass(frozen=True)
class GuideLine:
    """A straight line across a chart: a reference value, or a step at which something begins."""

    at: float
    look: str
    name: str = ""


@dataclass(frozen=True)
class Drawing:
    """A drawn chart.

    Attributes:
        title: What is drawn.
        note: What a reader has to know of it: the direction of a metric, a scale that is not linear.
        svg: The drawing.
        keys: Names and CSS classes for a legend; empty where the page has one for all charts.
    """

    title: str
    note: str
    svg: str
    keys: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Axis:
    """A vertical axis."""

    low: float
    high: float
    scale: Scale

    def place(self, value: float | Array) -> Any:
        """Return the coordinates of values, from the top of the drawing."""
        low, high = _transform(self.low, self.scale), _transform(self.high, self.scale)
        return TOP + PLOT_HEIGHT * (1 - (_transform(value, self.scale) - low) / (high - low))


@dataclass
class ChartSpec:
    """What a chart shows beside its lines.

    Attributes:
        title: What is drawn.
        note: What a reader has to know of it.
        limits: Ends of the vertical axis; None for those of the values.
        scale: Its scale; None for one that shows the values.
        across: Reference values.
        down: Steps to be marked.
    """

    title: str
    note: str = ""
    limits: tuple[float, float] | None = None
    scale: Scale | None = None
    across: list[GuideLine] = field(default_factory=list)
    down: list[GuideLine] = field(default_factory=list)


def draw_chart(spec: ChartSpec, lines: Sequence[Line], last_step: float) -> Drawing | None:
    """Draw a chart; None if there is nothing to draw.

    Args:
        spec: What it shows beside its lines.
        lines: The lines; those without points are left out.
        last_step: Where the horizontal axis ends.
    """
    lines = [line for line in lines if len(line.x)]
    if not lines:
        return None
    values = np.concatenate([part for line in lines for part in (line.y, line.low, line.high) if part is not None])
    references = [rule.at for rule in spec.across if math.isfinite(rule.at)]
    axis = choose_axis(values, references, spec.limits, spec.scale)
    end = max(last_step, *(float(line.x[-1]) for line in lines), 1.0)
    parts = [*_draw_frame(axis, end)]
    parts += [_draw_across(rule, axis) for rule in spec.across if math.isfinite(rule.at)]
    parts += [_draw_down(rule, end) for rule in spec.down if 0 <= rule.at <= end]
    parts += [_draw_line(line, axis, end) for line in lines]
    parts += [_name_rule(rule, axis) for rule in spec.across if rule.name and math.isfinite(rule.at)]
    scale_name = {"log": "log scale", "symlog": "log scale beyond ±1"}.get(axis.scale, "")
    box = f"{LEFT},{TOP},{PLOT_WIDTH},{PLOT_HEIGHT}"
    can_be_log = axis.scale != "symlog" and spec.limits is None and min([*values, *references]) > 0
    label = escape(f"{spec.title}: {', '.join(dict.fromkeys(line.name for line in lines))}, from step 0 to {end:,.0f}")
    svg = (
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}" data-box="{box}" data-end="{end:g}" '
        f'data-low="{axis.low!r}" data-high="{axis.high!r}" data-scale="{axis.scale}"'
        f"{' data-switch' if can_be_log else ''}{' data-fixed' if spec.limits else ''}>{''.join(parts)}</svg>"
    )
    return Drawing(spec.title, " · ".join(filter(None, (spec.note, scale_name))), svg)


def choose_axis(
    values: Array,
    references: Sequence[float] = (),
    limits: tuple[float, float] | None = None,
    scale: Scale | None = None,
) -> Axis:
    """Return an axis that shows all values and references: logarithmic where a linear one would hide most of them."""
    if limits is not None:
        return Axis(*limits, "linear")
    all_values = [*values, *references]
    low, high = float(min(all_values)), float(max(all_values))
    if scale is None:
        if low > 0:
            scale = "log" if high / low > MAX_LINEAR_RATIO else "linear"
        else:
            scale = "symlog" if max(abs(low), abs(high)) > MAX_LINEAR_MAGNITUDE else "linear"
    ends = np.array([low, high])
    low_place, high_place = (float(end) for end in _transform(ends, scale))
    margin = 0.05 * (high_place - low_place) or (0.15 if scale != "linear" else 0.05 * abs(low_place) or 0.5)
    return Axis(_invert(low_place - margin, scale), _invert(high_place + margin, scale), scale)


def find_ticks(low: float, high: float, scale: Scale = "linear", count: int = 5) -> list[float]:
    """Return about `count` round numbers between the ends of an axis."""
    if scale == "linear":
        return _linear_ticks(low, high, count)
    if scale == "symlog":
        positive = [0.0, *_decades(1, high, 3)] if high > 0 else [0.0]
        return sorted({-tick for tick in _decades(1, -low, 3)} | set(positive)) if low < 0 else positive
    decades = _decades(low, high, count)
    if len(decades) >= 2:
        return decades
    if math.log10(high / low) < 0.5:
        return _linear_ticks(low, high, count)
    start = math.floor(math.log10(low))
    ticks = [m * 10.0**e for e in range(start, start + 3) for m in (1, 2, 5)]
    return [tick for tick in ticks if low <= tick <= high]


def _linear_ticks(low: float, high: float, count: int) -> list[float]:
    raw = (high - low) / count
    size = 10.0 ** math.floor(math.log10(raw))
    step = next(m * size for m in (1, 2, 2.5, 5, 10) if m * size >= raw * 0.999)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(n * step, 12 - math.floor(math.log10(step))) for n in range(first, last + 1)]


def _decades(low: float, high: float, count: int) -> list[float]:
    """Return at most about `count` powers of ten from `low` to `high`."""
    if high < low or high <= 0:
        return []
    first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
    stride = max(1, math.ceil((last - first) / count))
    return [10.0**exponent for exponent in range(first, last + 1, stride)]


def thin(x: Array, y: Array, points: int = MAX_POINTS) -> tuple[Array, Array]:
    """Return at most `points` of the points: the lowest and highest of each bin, so that no spike is lost."""
    if len(y) <= points:
        return x, y
    kept = [
        indices[pick]
        for indices in np.array_split(np.arange(len(y)), points // 2)
        for pick in sorted({int(y[indices].argmin()), int(y[indices].argmax())})
    ]
    return x[kept], y[kept]


def over_seeds(seeds: Sequence[tuple[Array, Array]], points: int = MAX_POINTS) -> tuple[Array, Array, Array, Array]:
    """Return steps, medians, lowest and highest values over seeds.

    Where there are more than `points` steps they are put together into bins: the median of each, and its extremes,
    so that no spike is lost.

    Args:
        seeds: For each seed its steps and its values, finite.
        points: At most so many steps.
    """
    x = np.concatenate([steps for steps, _ in seeds]) if seeds else np.empty(0)
    y = np.concatenate([values for _, values in seeds]) if seeds else np.empty(0)
    steps, which = np.unique(x, return_inverse=True)
    if len(steps) > points:
        bins = np.arange(len(steps)) * points // len(steps)
        which, steps = bins[which], np.array([steps[bins == number].max() for number in range(points)])
    order = np.argsort(which, kind="stable")
    groups = np.split(y[order], np.flatnonzero(np.diff(which[order])) + 1) if len(order) else []
    middle = np.array([np.median(group) for group in groups])
    return steps, middle, np.array([group.min() for group in groups]), np.array([group.max() for group in groups])


# --- drawing -----------------------------------------------------------------------------------------


def _transform(value: Any, scale: Scale) -> Any:
    if scale == "log":
        return np.log10(value)
    return np.sign(value) * np.log10(1 + np.abs(value)) if scale == "symlog" else value


def _invert(place: float, scale: Scale) -> float:
    if scale == "log":
        return 10.0**place
    return math.copysign(10 ** abs(place) - 1, place) if scale == "symlog" else place


def _place_step(step: float | Array, end: float) -> Any:
    return LEFT + PLOT_WIDTH * step / end


def _draw_frame(axis: Axis, end: float) -> Iterable[str]:
    bottom, right = TOP + PLOT_HEIGHT, LEFT + PLOT_WIDTH
    yield '<g class="grid">'
    for tick in find_ticks(axis.low, axis.high, axis.scale):
        y = float(axis.place(tick))
        yield f'<path d="M{LEFT} {y:.2f}H{right}"/><text x="{LEFT - 6}" y="{y + 4:.2f}" text-anchor="end">{format_tick(tick)}</text>'
    yield "</g>"
    yield f'<path class="axis" d="M{LEFT} {TOP}V{bottom}H{right}"/>'
    ticks = [tick for tick in find_ticks(0, end) if tick == round(tick)]
    for tick in ticks:
        x = float(_place_step(tick, end))
        anchor = "end" if x > right - 16 else "middle"
        yield f'<text x="{x:.2f}" y="{bottom + 17}" text-anchor="{anchor}">{format_tick(tick)}</text>'
    yield f'<text x="{LEFT - 12}" y="{bottom + 17}" text-anchor="end">step</text>'


def format_tick(value: float) -> str:
    """Format a label of an axis: `0.001`, `2,500`, `1e+06`."""
    if value != 0 and not 1e-4 <= abs(value) < 1e6:
        return f"{value:.3g}".replace("-", "−").replace("+", "")
    return f"{value:,.10g}".replace("-", "−")


def _draw_across(rule: GuideLine, axis: Axis) -> str:
    y = float(np.clip(axis.place(rule.at), TOP, TOP + PLOT_HEIGHT))
    return f'<path class="across {rule.look}" data-at="{float(rule.at)!r}" d="M{LEFT} {y:.2f}H{LEFT + PLOT_WIDTH}"/>'


def _name_rule(rule: GuideLine, axis: Axis) -> str:
    y = float(np.clip(axis.place(rule.at), TOP, TOP + PLOT_HEIGHT))
    above = y - 5 if y > TOP + 16 else y + 14
    return f'<text class="rule-name" data-at="{float(rule.at)!r}" x="{LEFT + 5}" y="{above:.2f}">{escape(rule.name)}</text>'


def _draw_down(rule: GuideLine, end: float) -> str:
    x = float(_place_step(rule.at, end))
    title = f"<title>{escape(rule.name)}</title>" if rule.name else ""
    return f'<path class="down {rule.look}" d="M{x:.2f} {TOP}V{TOP + PLOT_HEIGHT}">{title}</path>'


def _draw_line(line: Line, axis: Axis, end: float) -> str:
    x, y = _place_step(line.x, end), axis.place(line.y)
    parts = []
    if line.low is not None and line.high is not None and len(line.x) > 1 and (line.high > line.low).any():
        edge = [*zip(x, axis.place(line.high), strict=True), *zip(x[::-1], axis.place(line.low)[::-1], strict=True)]
        parts.append(f'<path class="band" d="{_path(edge)}Z"/>')
    parts.append(f'<path class="line" d="{_path(zip(x, y, strict=True))}"/>')
    if len(x) <= MAX_MARKED_POINTS:
        marks = "".join(_mark(at, height, line.shape) for at, height in zip(x, y, strict=True))
        parts.append(f'<path class="dots" data-shape="{line.shape % SHAPES}" d="{marks}"/>')
    for at, value in line.ends:
        left, height = float(_place_step(at, end)), float(axis.place(value))
        parts.append(
            f'<path class="ended" d="M{left - 4:.2f} {height - 4:.2f}l8 8m0 -8l-8 8"><title>diverged</title></path>'
        )
    return f'<g class="series {line.look}" data-name="{escape(line.name)}">{"".join(parts)}</g>'


def _path(points: Iterable[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x:.2f} {y:.2f}" for x, y in points)


def _mark(x: float, y: float, shape: int) -> str:
    outline = (
        "m-3.2 0a3.2 3.2 0 1 0 6.4 0a3.2 3.2 0 1 0 -6.4 0",
        "m-2.9 -2.9h5.8v5.8h-5.8z",
        "m0 -3.8l3.7 6.6h-7.4z",
        "m0 -4l4 4l-4 4l-4 -4z",
    )[shape % SHAPES]
    return f"M{x:.2f} {y:.2f}{outline}"
