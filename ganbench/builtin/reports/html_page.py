"""Write the comparison as one HTML file that needs nothing else: no server, no network, no JavaScript."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup
from PIL import Image

import ganbench

from . import curves, prose
from .failures import MethodFailures, collect_failures
from .numbers import format_number, format_seed
from .rankings import DatasetTables, MetricRow, MetricTable, tables_by_dataset, to_records

MAX_PICTURES_BYTES = 4_500_000  # of all pictures of a page, before base64 adds a third
MAX_PICTURE_BYTES = 200_000
PICTURE_SIDES = (560, 440, 340, 260, 200)  # pixels, tried in turn until a picture is small enough
MAX_OPEN_CARDS = 4  # a page with no more cards shows their curves at once
MAX_LINEAR_RATIO = 30.0  # of the largest to the smallest value on an axis; beyond it, the axis is logarithmic


class HtmlReport(ganbench.Report):
    """One self-contained web page: comparison, what went wrong, samples and curves."""

    def write(self, comparison: ganbench.Comparison, folder: Path) -> list[Path]:
        """Write `index.html`."""
        page = _templates().get_template("page.html.jinja").render(**_context(comparison))
        return [ganbench.write_atomically(folder / "index.html", page)]


def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,  # names and reasons come from outside
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["svg"] = Markup  # for our own drawings only
    environment.filters["number"] = format_number
    environment.globals.update(axis_for=axis_for, place_interval=place_interval)
    return environment


def _context(comparison: ganbench.Comparison) -> dict[str, Any]:
    tables, failures = tables_by_dataset(comparison), collect_failures(comparison)
    cards = _cards(comparison, tables, failures)
    return {
        "suite": comparison.suite,
        "summary": comparison.summary,
        "counts": prose.summarize_trials(comparison),
        "scope": prose.summarize_scope(comparison),
        "how_to_read": prose.HOW_TO_READ,
        "definitions": prose.DEFINITIONS,
        "environment": prose.environment_lines(comparison.environment),
        "tables": tables,
        "attention": [(of_method, prose.failure_line(of_method)) for of_method in failures if of_method.is_failure],
        "warned": sum(not of_method.is_failure for of_method in failures),
        "failures": failures,
        "damaged": prose.list_damaged(comparison),
        "left_out": prose.list_left_out(comparison),
        "cards": cards,
        "anchors": {(card.dataset, card.method): card.anchor for card in cards},
        "colours": {"failure": curves.FAILURE, "warning": curves.WARNING, "reference": curves.GREY},
    }


# --- interval marks ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Axis:
    """The axis that the intervals of a metric share."""

    start: float
    end: float
    log: bool

    def place(self, value: float) -> float:
        """Return a value's place in percent of the axis, 3 to 97, so that a dot at an end is not cut."""
        start, end, at = (
            (math.log(self.start), math.log(self.end), math.log(value)) if self.log else (self.start, self.end, value)
        )
        share = (at - start) / (end - start) if end > start else 0.5
        return round(3 + 94 * min(1.0, max(0.0, share)), 1)


@dataclass(frozen=True)
class IntervalMark:
    """Places in percent of an axis: the interval, the IQM as a dot, and the floor if it is finite."""

    left: float
    width: float
    dot: float
    floor: float | None


def axis_for(table: MetricTable) -> Axis | None:
    """Return an axis that holds a metric's values, intervals and floors; None if nothing was measured."""
    values = [
        value
        for row in table.rows
        for value in (row.iqm, row.low, row.high, row.floor)
        if value is not None and math.isfinite(value)
    ]
    if not values or all(row.iqm is None for row in table.rows):
        return None
    start, end = min(values), max(values)
    return Axis(start, end, start > 0 and end / start > MAX_LINEAR_RATIO)


def place_interval(axis: Axis | None, row: MetricRow) -> IntervalMark | None:
    """Return where a row's interval lies on its metric's axis; None if its IQM is not finite."""
    if axis is None or row.iqm is None or not math.isfinite(row.iqm):
        return None
    dot = axis.place(row.iqm)
    ends = [axis.place(value) for value in (row.low, row.high) if value is not None and math.isfinite(value)]
    left, right = min([dot, *ends]), max([dot, *ends])
    floor = axis.place(row.floor) if row.floor is not None and math.isfinite(row.floor) else None
    return IntervalMark(left, round(right - left, 1), dot, floor)


# --- cards -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SeedCaption:
    """One trial on a card: its picture, and the caption below it."""

    seed: str
    status: ganbench.Status
    verdicts: tuple[str, ...]
    picture: str | None  # a data URI
    dashes: str  # of its lines in the curves, as SVG's stroke-dasharray


@dataclass(frozen=True)
class Card:
    """One method on one data set: its samples and its curves."""

    anchor: str
    dataset: str
    method: str
    failures: MethodFailures | None
    seeds: tuple[SeedCaption, ...]
    drawings: tuple[curves.Drawing, ...]
    onsets: tuple[str, ...]
    open: bool


def _cards(
    comparison: ganbench.Comparison, tables: Iterable[DatasetTables], failures: Iterable[MethodFailures]
) -> list[Card]:
    trials: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for trial in to_records(comparison.trials):
        trials.setdefault((str(trial["dataset"]), str(trial["method"])), []).append(trial)
    failures_of = {(of_method.dataset, of_method.method): of_method for of_method in failures}
    picture_bytes = min(MAX_PICTURE_BYTES, MAX_PICTURES_BYTES // max(1, len(comparison.trials)))
    pairs = [(table.dataset, method) for table in tables for method in table.methods]
    is_open = len(pairs) <= MAX_OPEN_CARDS
    return [
        _card(comparison, trials.get(pair, []), pair, failures_of.get(pair), picture_bytes, index, is_open)
        for index, pair in enumerate(pairs)
    ]


def _card(
    comparison: ganbench.Comparison,
    trials: list[dict[str, Any]],
    pair: tuple[str, str],
    failures: MethodFailures | None,
    picture_bytes: int,
    index: int,
    is_open: bool,
) -> Card:
    seeds = [
        curves.SeedCurves(comparison.history(trial["trial"]), trial["status"] == ganbench.Status.DIVERGED)
        for trial in trials
    ]
    return Card(
        anchor=f"card-{index}",
        dataset=pair[0],
        method=pair[1],
        failures=failures,
        seeds=tuple(
            _seed_caption(trial, data_uri(comparison.picture(trial["trial"]), picture_bytes), place)
            for place, trial in enumerate(trials)
        ),
        drawings=tuple(curves.draw_charts(seeds, _onsets(failures), f"d{index}")) if seeds else (),
        onsets=tuple(_describe_onsets(failures)),
        open=is_open,
    )


def _seed_caption(trial: dict[str, Any], picture: str | None, place: int) -> SeedCaption:
    verdicts = tuple(verdict for verdict in str(trial["verdicts"] or "").split(";") if verdict)
    dashes = " ".join(f"{length:g}" for length in curves.DASHES[place % len(curves.DASHES)])
    return SeedCaption(format_seed(trial["seed"]), ganbench.Status(trial["status"]), verdicts, picture, dashes)


def _onsets(failures: MethodFailures | None) -> list[curves.Onset]:
    return [
        curves.Onset(finding.onset, group.is_failure)
        for group in (failures.groups if failures else ())
        for finding in group.findings
        if finding.onset is not None
    ]


def _describe_onsets(failures: MethodFailures | None) -> list[str]:
    """Return for each group of findings where it begins: `mode-collapse (failure): step 400 (seed 0)`."""
    texts = []
    for group in failures.groups if failures else ():
        steps = [f"{finding.onset:,} (seed {finding.seed})" for finding in group.findings if finding.onset is not None]
        if steps:
            forecast = ", a forecast" if group.is_forecast else ""
            texts.append(f"{group.diagnosis} ({group.severity}{forecast}): step {', '.join(steps)}")
    return texts


# --- pictures ----------------------------------------------------------------------------------------


def data_uri(path: Path | None, max_bytes: int) -> str | None:
    """Return a picture as a data URI, or None if there is none or it is damaged.

    Args:
        path: The picture's file.
        max_bytes: About how large it may be; a larger one is scaled down to a JPEG.
    """
    if path is None or not path.is_file():
        return None
    content = path.read_bytes()
    try:
        with Image.open(io.BytesIO(content)) as picture:
            if picture.format == "PNG" and len(content) <= max_bytes:
                picture.verify()
                return _encode("image/png", content)
            return _encode("image/jpeg", _compress(_on_white(picture), max_bytes))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


def _on_white(picture: Image.Image) -> Image.Image:
    """Return the picture on white, since JPEG has no transparency."""
    rgba = picture.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", rgba.size, "white"), rgba).convert("RGB")


def _compress(picture: Image.Image, max_bytes: int) -> bytes:
    content = b""
    for side in PICTURE_SIDES:
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
        buffer = io.BytesIO()
        picture.save(buffer, "JPEG", quality=85, optimize=True)
        content = buffer.getvalue()
        if len(content) <= max_bytes:
            break
    return content


def _encode(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"
