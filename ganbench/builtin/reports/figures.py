"""Write figures for papers: ranking and curves of each data set, as SVG and PDF.

Colours are those of the page. Any two stay apart for readers who see all colours, no red or no green (as simulated by
Machado et al. 2009, https://doi.org/10.1109/TVCG.2009.113); marks differ too, for print without colour. Fonts are embedded in the PDF as TrueType, and outlines in the SVG.
"""

from __future__ import annotations

import io
import math
import re
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ganbench

from .charts import MAX_LINEAR_RATIO, Array, over_seeds
from .numbers import parse_float
from .rankings import DatasetTables, MetricTable, distinct, order_methods, overall_scores, tables_by_dataset, to_records

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLOURS = ("#1576f6", "#873614", "#31a67d", "#841a81", "#a06605", "#3699cf", "#3338c3", "#676d71")
MARKERS = "osD^vPX*"
DASHES = ("-", "--", ":", "-.")
WIDTH = 6.75  # inches: the text width of most conferences
COLUMNS = 3
MAX_METHODS = 24  # in one figure; more cannot be told apart
MAX_NAME_CHARS = 32
OWN_FILES = re.compile(r"(ranking|curves)-\d+-[\w.-]*\.(svg|pdf)")

STYLE = {
    "pdf.fonttype": 42,  # TrueType, embedded: what publishers ask for
    "svg.fonttype": "path",
    "svg.hashsalt": "ganbench",
    "font.family": "DejaVu Sans",  # comes with matplotlib, so that figures are the same everywhere
    "font.size": 7,
    "axes.titlesize": 7.5,
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#d9d9d9",
    "grid.linewidth": 0.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.2,
    "lines.markersize": 3.2,
    "legend.frameon": False,
}


@dataclass(frozen=True)
class _Look:
    """How a method is drawn."""

    colour: str
    marker: str
    dashes: str

    @classmethod
    def of(cls, number: int) -> _Look:
        return cls(COLOURS[number % len(COLOURS)], MARKERS[number % len(MARKERS)], DASHES[number // len(COLOURS) % 4])


class FiguresReport(ganbench.Report):
    """Figures for papers: of each data set the ranking and the curves, as SVG and PDF."""

    def write(self, comparison: ganbench.Comparison, folder: Path) -> list[Path]:
        """Write `figures/ranking-N-DATASET` and `figures/curves-N-DATASET`, each as `.pdf` and `.svg`."""
        files: list[Path] = []
        with _style():
            for name, figure in _draw_all(comparison):
                files += [
                    ganbench.write_atomically(folder / "figures" / f"{name}.{form}", _to_bytes(figure, form))
                    for form in ("pdf", "svg")
                ]
        for file in (folder / "figures").iterdir():  # of an earlier run with other data sets
            if file not in files and OWN_FILES.fullmatch(file.name):
                file.unlink()
        return files


def _draw_all(comparison: ganbench.Comparison) -> Iterator[tuple[str, Figure]]:
    tables = tables_by_dataset(comparison)
    scores = to_records(comparison.scores)
    names = distinct(method for table in tables for method in table.methods)
    ordered = order_methods(tables, names, overall_scores(comparison))
    looks = {method: _Look.of(number) for number, method in enumerate(ordered)}  # the same in all figures
    for number, table in enumerate(tables, 1):
        slug = re.sub(r"[^A-Za-z0-9.]+", "-", table.dataset).strip("-.")[:60] or "data"
        methods = table.methods[:MAX_METHODS]
        yield f"ranking-{number}-{slug}", _draw_ranking(table, methods, looks)
        of_dataset = [score for score in scores if str(score["dataset"]) == table.dataset]
        curves = _draw_curves(table, methods, looks, of_dataset)
        if curves is not None:
            yield f"curves-{number}-{slug}", curves
    if not tables:
        yield "ranking-0-empty", _draw_note("No trial has ended yet.")


def _draw_ranking(table: DatasetTables, methods: Sequence[str], looks: Mapping[str, _Look]) -> Figure:
    """Draw the final IQM of each method with its interval, a panel a metric, and failure rates in the last panel."""
    figure, panels = _make_panels(len(table.metrics) + 1, 0.55 + 0.17 * len(methods))
    places = {method: -place for place, method in enumerate(methods)}
    for panel, metric in zip(panels, table.metrics, strict=False):
        _draw_intervals(panel, metric, places, looks)
    _draw_failures(panels[-1], table, places, looks)
    for number, panel in enumerate(panels):
        panel.set_ylim(-len(methods) + 0.4, 0.6)
        panel.set_yticks(list(places.values()))
        names = [shorten(method) for method in places] if number % COLUMNS == 0 else []
        panel.set_yticklabels(names or ["" for _ in places])
        panel.grid(False, axis="y")
    return figure


def _draw_intervals(panel: Axes, metric: MetricTable, places: Mapping[str, int], looks: Mapping[str, _Look]) -> None:
    from matplotlib.ticker import NullFormatter

    rows = [row for row in metric.rows if row.method in places and row.iqm is not None and math.isfinite(row.iqm)]
    for row in rows:
        _draw_interval(panel, places[row.method], row.iqm or 0.0, row.low, row.high, looks[row.method])
    floors = [row.floor for row in rows if row.floor is not None and math.isfinite(row.floor)]
    if floors:
        panel.axvline(sum(floors) / len(floors), color="#555555", linewidth=0.9, linestyle=(0, (1, 2)))
    values = [value for row in rows for value in (row.iqm, row.low, row.high) if value is not None] + floors
    if values and min(values) > 0 and max(values) / min(values) > MAX_LINEAR_RATIO:
        panel.set_xscale("log")
        panel.xaxis.set_minor_formatter(NullFormatter())
    panel.set_title(f"{shorten(metric.metric)}{_arrow(metric)}", loc="left")


def _draw_interval(panel: Axes, place: int, value: float, low: float | None, high: float | None, look: _Look) -> None:
    if low is not None and high is not None:
        panel.plot([low, high], [place, place], color=look.colour, linewidth=2, alpha=0.55)
    panel.plot([value], [place], color=look.colour, marker=look.marker, linestyle="")


def _draw_failures(panel: Axes, table: DatasetTables, places: Mapping[str, int], looks: Mapping[str, _Look]) -> None:
    for method, place in places.items():
        rate = table.failures[method]
        share = rate.failed / rate.trials if rate.trials else 0.0
        _draw_interval(panel, place, share, rate.low, rate.high, looks[method])
    panel.set_xlim(-0.03, 1.03)
    panel.set_title("failed trials, share ↓", loc="left")


def _draw_curves(
    table: DatasetTables, methods: Sequence[str], looks: Mapping[str, _Look], scores: Sequence[Mapping[str, Any]]
) -> Figure | None:
    """Draw each metric over steps: the median over seeds, and a band from the lowest to the highest."""
    from matplotlib.ticker import NullFormatter

    points: dict[tuple[str, str], dict[str, list[tuple[float, float]]]] = {}
    for score in scores:
        step, value = parse_float(score["step"]), parse_float(score["value"])
        if step is not None and value is not None and math.isfinite(value):
            of_trial = points.setdefault((str(score["metric"]), str(score["method"])), {})
            of_trial.setdefault(str(score["trial"]), []).append((step, value))
    metrics = [metric for metric in table.metrics if any((metric.metric, method) in points for method in methods)]
    if not metrics:
        return None
    legend_rows = -(-len(methods) // 4)
    figure, panels = _make_panels(len(metrics), 1.6, below=0.18 * legend_rows)
    for panel, metric in zip(panels, metrics, strict=True):
        every: list[float] = []
        for method in methods:
            look = looks[method]
            seeds = [_to_arrays(trial) for trial in points.get((metric.metric, method), {}).values()]
            x, middle, low, high = over_seeds(seeds)
            panel.plot(x, middle, label=shorten(method), color=look.colour, linestyle=look.dashes, marker=look.marker)
            panel.fill_between(x, low, high, color=look.colour, alpha=0.15, linewidth=0)
            every += [*low, *high]
        floors = [row.floor for row in metric.rows if row.floor is not None and math.isfinite(row.floor)]
        if floors:
            panel.axhline(sum(floors) / len(floors), color="#555555", linewidth=0.9, linestyle=(0, (1, 2)))
            every += floors
        if min(every) > 0 and max(every) / min(every) > MAX_LINEAR_RATIO:
            panel.set_yscale("log")
            panel.yaxis.set_minor_formatter(NullFormatter())
        panel.set_title(f"{shorten(metric.metric)}{_arrow(metric)}", loc="left")
        panel.set_xlabel("step")
        panel.set_xlim(left=0)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=4)
    return figure


def _to_arrays(points: Sequence[tuple[float, float]]) -> tuple[Array, Array]:
    import numpy as np

    steps, values = zip(*sorted(points), strict=True)
    return np.array(steps), np.array(values)


def _make_panels(count: int, height: float, below: float = 0.0) -> tuple[Figure, list[Axes]]:
    """Return a figure with `count` panels in rows of `COLUMNS`, each row `height` inches high."""
    from matplotlib.figure import Figure

    columns = min(COLUMNS, count)
    rows = -(-count // columns)
    figure = Figure(figsize=(WIDTH, rows * (height + 0.25) + below + 0.1), layout="constrained")
    panels = list(figure.subplots(rows, columns, squeeze=False).flat)
    for panel in panels[count:]:
        panel.remove()
    return figure, panels[:count]


def _draw_note(text: str) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(WIDTH / 2, 0.6))
    figure.text(0.5, 0.5, text, ha="center", va="center")
    return figure


def shorten(name: str) -> str:
    """Return a name for a figure: one line, no mathematics, no control characters, not too long."""
    text = " ".join("".join(c if c.isprintable() else " " for c in name).split())
    text = text if len(text) <= MAX_NAME_CHARS else f"{text[: MAX_NAME_CHARS - 1]}…"
    return text.replace("$", r"\$")


def _arrow(metric: MetricTable) -> str:
    return {"higher": " ↑", "lower": " ↓"}.get(metric.better, "")


@contextmanager
def _style() -> Iterator[None]:
    import matplotlib

    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        # A name in a script that the font lacks is drawn as boxes; the tables have it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def _to_bytes(figure: Figure, form: str) -> bytes:
    """Return a figure as the bytes of a file that hold neither time nor version."""
    buffer = io.BytesIO()
    without = {"pdf": {"CreationDate": None, "Producer": None, "Creator": None}, "svg": {"Date": None, "Creator": None}}
    figure.savefig(buffer, format=form, metadata=without[form])
    return buffer.getvalue()
