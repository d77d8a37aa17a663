"""Draws the pictures of docs/failures.md: samples of G at a few steps, above the curves that explain them."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullFormatter
from PIL import Image

import ganbench

BLUE, ORANGE, GREEN, PURPLE, GREY = "#2f74c0", "#d9772b", "#2f9171", "#8a5cc2", "#6d737c"
REAL, GENERATED, FOUND = "#b4b9c2", "#d1495b", "#c23b2e"

WIDTH, HEIGHT, DPI = 8.0, 4.3, 120
PALETTE_COLOURS = 128  # a picture of a few colours is a small file
MAX_POINTS = 400  # in a panel
MAX_REACH, MARGIN = 12.0, 1.25  # factors: on the extent of the data for what is shown, and on that for the panel
GRID_SIDE = 6  # digits in a row, and rows
GREY_LEVELS = 5  # between the middle grey and white
MAX_MARKED_POINTS = 12  # of a curve whose points are marked
MAX_LINEAR_VALUE = 1e3  # beyond it a linear axis shows one spike and nothing else
STYLE = {"font.size": 8.5, "axes.titlesize": 9, "axes.linewidth": 0.6, "axes.edgecolor": GREY, "text.color": "#22262b"}

Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Frame:
    """Samples of G after `step` steps, and real samples to compare them with."""

    step: int
    samples: Array
    reals: Array


@dataclass(frozen=True)
class Chart:
    """Columns of the history on one pair of axes.

    Attributes:
        title: What is drawn above.
        curves: The label and the colour of each column.
        scale: Of the vertical axis: 0 to 1, linear, or logarithmic.
    """

    title: str
    curves: Mapping[str, tuple[str, str]]
    scale: Literal["share", "free", "log"]


LOSSES = Chart("losses", {"loss_d": ("of D", BLUE), "loss_g": ("of G", ORANGE)}, "free")
SEPARATION = Chart(
    "telling real from generated (AUC)", {"auc_d": ("D", BLUE), "fresh_critic_auc": ("a fresh critic", PURPLE)}, "share"
)
GRADIENT = Chart("gradient that reaches G's samples", {"input_gradient": ("per std of the data", GREEN)}, "log")
COVERAGE = Chart(
    "share of the real data reached",
    {"coverage": ("coverage", GREEN), "coverage_floor": ("real data's own", GREY)},
    "share",
)
MOTION = Chart("moves of fixed latents", {"motion_speed": ("per std of the data", PURPLE)}, "log")
LOGITS = Chart("largest logit of D", {"logit_max": ("absolute value", PURPLE)}, "log")
MEMORY = Chart(
    "AUC of D against generated", {"auc_d_train": ("training data", ORANGE), "auc_d": ("held-out data", BLUE)}, "share"
)

CHARTS = {
    "healthy": (LOSSES, SEPARATION, COVERAGE),
    "overpowering-discriminator": (LOSSES, SEPARATION, GRADIENT),
    "weak-discriminator": (LOSSES, SEPARATION, COVERAGE),
    "mode-collapse": (LOSSES, SEPARATION, COVERAGE),
    "oscillation": (LOSSES, MOTION, COVERAGE),
    "divergence": (LOSSES, LOGITS),
    "memorization": (LOSSES, MEMORY, COVERAGE),
}


def draw(
    frames: Sequence[Frame], history: ganbench.History, charts: Sequence[Chart], onset: int | None, path: Path
) -> None:
    """Draw `frames` above `charts` into the file `path`, with a line at `onset`, the step of a failure's beginning."""
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH, HEIGHT), dpi=DPI, facecolor="white", layout="constrained")
        above, below = figure.subfigures(2, 1, height_ratios=(1.12, 1))
        limits = _limits(frames)
        for place, (axes, frame) in enumerate(zip(above.subplots(1, len(frames)), frames, strict=True)):
            _frame(axes, frame, limits, named=place == 0)
        for place, (axes, chart) in enumerate(zip(below.subplots(1, len(charts)), charts, strict=True)):
            _chart(axes, chart, history, onset, named=place == 0)
        drawn = io.BytesIO()
        figure.savefig(drawn, format="png")
    image = Image.open(drawn).convert("RGB").quantize(PALETTE_COLOURS, dither=Image.Dither.NONE)
    image.save(path, optimize=True)


def _limits(frames: Sequence[Frame]) -> tuple[Array, Array]:
    """The lower left and upper right corner of a square around real and nearly all generated points of all frames."""
    reals = frames[0].reals.reshape(len(frames[0].reals), -1)[:, :2]
    made = np.concatenate([frame.samples.reshape(len(frame.samples), -1)[:, :2] for frame in frames])
    far = MAX_REACH * np.abs(reals).max()
    made = made[(np.abs(made) < far).all(axis=1)]  # false for what is not finite
    points = np.concatenate([reals, *([np.quantile(made, (0.05, 0.95), axis=0)] if len(made) else [])])
    low, high = points.min(axis=0), points.max(axis=0)
    side = MARGIN * (high - low).max()
    return (low + high - side) / 2, (low + high + side) / 2


def _frame(axes: Any, frame: Frame, limits: tuple[Array, Array], named: bool) -> None:
    axes.set(xticks=[], yticks=[])
    axes.set_title(f"step {frame.step}")
    if frame.samples.ndim == 4:
        axes.imshow(_grid(frame.samples), cmap="gray", vmin=-1, vmax=1, interpolation="nearest")
        return
    low, high = limits
    axes.set(xlim=(low[0], high[0]), ylim=(low[1], high[1]), aspect="equal")
    finite = frame.samples[np.isfinite(frame.samples).all(axis=1)]
    inside = finite[((finite >= low) & (finite <= high)).all(axis=1)]
    axes.scatter(*frame.reals[:MAX_POINTS].T, s=5, c=REAL, linewidths=0, label="real")
    axes.scatter(*inside[:MAX_POINTS].T, s=5, c=GENERATED, linewidths=0, alpha=0.7, label="generated")
    if not len(inside):
        where = "far outside" if len(finite) else "not a number"
        axes.text(0.5, 0.93, f"generated: {where}", transform=axes.transAxes, ha="center", va="center", color=FOUND)
    if named:
        axes.legend(loc="lower left", markerscale=2, handletextpad=0.1, borderpad=0.2, framealpha=0.9, fontsize=7.5)


def _grid(samples: Array) -> Array:
    """The first images in a grid, with a gap around each; in few greys, which leave the palette to the curves."""
    first = np.nan_to_num(samples[: GRID_SIDE * GRID_SIDE, 0], nan=-1.0)
    first = np.pad((first * GREY_LEVELS).round() / GREY_LEVELS, ((0, 0), (1, 1), (1, 1)), constant_values=np.nan)
    _, height, width = first.shape
    return (
        first.reshape(GRID_SIDE, GRID_SIDE, height, width)
        .transpose(0, 2, 1, 3)
        .reshape(GRID_SIDE * height, GRID_SIDE * width)
    )


def _chart(axes: Any, chart: Chart, history: ganbench.History, onset: int | None, named: bool) -> None:
    curves = list(chart.curves.items())  # the first one broader, to be seen where the next covers it
    seen = [
        _curve(axes, history, column, *look, chart.scale, width=1.3 if place else 1.9)
        for place, (column, look) in enumerate(curves)
    ]
    axes.set_title(chart.title)
    axes.set_xlabel("step")
    axes.set_xlim(0, max(history.columns["step"][-1], onset or 0) * 1.02)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    _scale(axes, chart.scale, max((float(np.abs(values).max()) for values in seen if len(values)), default=0.0))
    if onset is not None:
        axes.axvline(
            onset, color=FOUND, linewidth=1.2, linestyle=(0, (4, 2)), label=f"found from {onset}" if named else None
        )
    axes.grid(True, color=GREY, alpha=0.2, linewidth=0.5)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(fontsize=7.5, framealpha=0.85, borderpad=0.3, labelspacing=0.25, handlelength=1.3, loc="best")


def _curve(
    axes: Any, history: ganbench.History, column: str, name: str, colour: str, scale: str, width: float
) -> Array:
    """One column where it was measured; returns the values drawn."""
    values = np.asarray(history.columns.get(column, np.empty(0)), dtype=float)
    there = np.isfinite(values) & ((values > 0) | (scale != "log"))
    few = there.sum() <= MAX_MARKED_POINTS  # show where they were
    steps = history.columns["step"][: len(values)][there]
    axes.plot(steps, values[there], color=colour, linewidth=width, marker="o" if few else "", markersize=3, label=name)
    return values[there]


def _scale(axes: Any, scale: str, largest: float) -> None:
    if scale == "share":
        axes.set_ylim(-0.04, 1.04)
    elif scale == "log":
        axes.set_yscale("log")
        axes.set_ylim(*_decades(axes.get_ylim()))
        axes.yaxis.set_minor_formatter(NullFormatter())
    elif largest > MAX_LINEAR_VALUE:
        axes.set_yscale("symlog", linthresh=1)
        axes.yaxis.get_major_locator().set_params(numticks=6)


def _decades(shown: tuple[float, float]) -> tuple[float, float]:
    """The whole decades around it: the labels of an axis."""
    return 10.0 ** np.floor(np.log10(shown[0])), 10.0 ** np.ceil(np.log10(shown[1]))
