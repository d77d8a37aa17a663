"""Write the comparison as one HTML file that needs nothing else: no server, no network, and no script to be read.

The page holds tables, drawings and pictures as they are to be read. A small script of its own adds what only a script
can: sorting, choosing methods, reading values off a chart, other axes, larger pictures. A content security policy
forbids any other script, and every request.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
from markupsafe import Markup

import ganbench

from . import curves, prose
from .charts import Array, Drawing
from .csv_tables import TABLES, to_csv
from .failures import FindingGroup, MethodFailures, collect_failures
from .numbers import format_number, format_seed, format_times, parse_float
from .pictures import EmbeddedPicture, embed_picture, encode
from .rankings import (
    DatasetTables,
    MetricRow,
    MetricTable,
    distinct,
    main_metric,
    order_methods,
    overall_scores,
    tables_by_dataset,
    to_records,
)
from .setups import describe_setup

FOLDER = Path(__file__).parent
MAX_LINEAR_RATIO = 30.0  # of the largest to the smallest value on an axis; beyond it, the axis is logarithmic

# What a page holds at most, so that a browser opens it at once: 5 MB for 100 trials, 20 MB for any number of them.
FEW_TRIALS = 100
PICTURES_BYTES = (1_700_000, 6_000_000)  # of all pictures, before base64 adds a third: few trials, many
POINTS_BYTES = (1_800_000, 4_000_000)  # of all points of curves
MAX_PICTURE_BYTES = 60_000
POINTS = (16, 120)  # of a line, at least and at most
POINT_BYTES = 14
MAX_DATASETS = 60
MAX_DRAWN_PAIRS = 360  # of data set and method, in charts and with pictures
MAX_DRAWN_METHODS = 24  # in one chart
MAX_DRAWN_SEEDS = 10  # of a method
MAX_FRAMES = 8  # of a trial: samples at earlier evaluations
MAX_TRIALS_WITH_FRAMES = 40  # where there are more, the first seed alone has frames
MAX_ROWS = 1500  # of a kind of table, over all data sets
MAX_FAILURES = 150  # pairs of data set and method whose failures are told in full
MAX_EVIDENCE_CHARTS = 60
MAX_PLAIN_CSV_BYTES = 200_000  # a larger table is compressed
MAX_CSV_BYTES = 3_000_000  # a table that is larger even so is beside the page only
MAX_CSV_ROWS = 100_000  # likewise, without trying how small it gets


class HtmlReport(ganbench.Report):
    """One self-contained web page: what was compared, ranking, curves, samples, what went wrong."""

    def write(self, comparison: ganbench.Comparison, folder: Path) -> list[Path]:
        """Write `index.html`."""
        page = _templates().get_template("page.html.jinja").render(**_PageMaker(comparison).context())
        return [ganbench.write_atomically(folder / "index.html", page)]


def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,  # names and reasons come from outside
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["raw"] = Markup  # for our own drawings, styles and script only
    environment.filters["number"] = format_number
    environment.filters["axes"] = lambda tables: {table.metric: axis_for(table) for table in tables}
    environment.globals.update(place_interval=place_interval, look=curves.method_look)
    return environment


# --- interval marks ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class IntervalAxis:
    """The axis that the intervals of a metric share."""

    start: float
    end: float
    log: bool

    def place(self, value: float) -> float:
        """Return a value's place in percent of the axis, 3 to 97, so that a dot at an end is not cut."""
        value = min(self.end, max(self.start, value))
        start, end, at = (
            (math.log(self.start), math.log(self.end), math.log(value)) if self.log else (self.start, self.end, value)
        )
        return round(3 + 94 * (at - start) / (end - start), 1) if end > start else 50.0


@dataclass(frozen=True)
class IntervalMark:
    """Places in percent of an axis: the interval, the IQM as a dot, and the floor if it is finite."""

    left: float
    width: float
    dot: float
    floor: float | None


def axis_for(table: MetricTable) -> IntervalAxis | None:
    """Return an axis that holds a metric's values and floors; None if nothing was measured.

    Intervals of few seeds may be far longer than what lies between the methods: the axis goes on for them, but not so far
    that methods can no longer be told apart, and they end where it ends.
    """
    values = [
        value for row in table.rows for value in (row.iqm, row.floor) if value is not None and math.isfinite(value)
    ]
    if not values or all(row.iqm is None for row in table.rows):
        return None
    ends = [value for row in table.rows for value in (row.low, row.high) if value is not None and math.isfinite(value)]
    start, end = min(values), max(values)
    if start > 0 and end / start > MAX_LINEAR_RATIO:
        low, high = start / 3, end * 3
        return IntervalAxis(max(low, min([start, *ends])), min(high, max([end, *ends])), log=True)
    reach = (end - start) or math.inf
    return IntervalAxis(max(start - reach, min([start, *ends])), min(end + reach, max([end, *ends])), log=False)


def place_interval(axis: IntervalAxis | None, row: MetricRow) -> IntervalMark | None:
    """Return where a row's interval lies on its metric's axis; None if its IQM is not finite."""
    if axis is None or row.iqm is None or not math.isfinite(row.iqm):
        return None
    dot = axis.place(row.iqm)
    ends = [axis.place(value) for value in (row.low, row.high) if value is not None and math.isfinite(value)]
    left, right = min([dot, *ends]), max([dot, *ends])
    floor = axis.place(row.floor) if row.floor is not None and math.isfinite(row.floor) else None
    return IntervalMark(left, round(right - left, 1), dot, floor)


# --- the page ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SeedCaption:
    """One trial on a card: its picture, and the caption below it."""

    trial: str
    seed: str
    status: ganbench.Status
    verdicts: tuple[str, ...]
    times: str  # how many times its floor its distance is
    picture: EmbeddedPicture | None
    frames: tuple[tuple[int, EmbeddedPicture], ...]  # earlier samples by step
    steps: int
    nearest: EmbeddedPicture | None


@dataclass(frozen=True)
class Card:
    """One method on one data set: its samples, and the curves of its seeds."""

    anchor: str
    dataset: str
    method: str
    index: int  # of the method
    failures: int | None  # number of what went wrong, to link to
    is_failure: bool
    seeds: tuple[SeedCaption, ...]
    drawings: tuple[Drawing, ...]


@dataclass(frozen=True)
class DatasetSection:
    """All of one data set."""

    anchor: str
    table: DatasetTables
    methods: tuple[str, ...]  # with rows in tables
    answer: str
    scores: tuple[Drawing, ...]
    signals: tuple[Drawing, ...]
    cards: tuple[Card, ...]
    seeds: tuple[str, ...]
    steps: tuple[int, ...]  # at which there are earlier samples
    has_nearest: bool
    notes: tuple[str, ...]


@dataclass(frozen=True)
class FailureSection:
    """What went wrong with one method on one data set, and drawings of the evidence by the number of its group."""

    failures: MethodFailures
    card: str | None  # an anchor
    drawings: Mapping[int, Sequence[Drawing]]


@dataclass(frozen=True)
class TrialRow:
    """A row of the table of trials."""

    dataset: str
    method: str
    index: int
    seed: str
    status: ganbench.Status
    verdicts: str
    times: str  # how many times its floor its distance is
    score: float | None
    steps: int
    seconds: float
    device: str
    reason: str
    versions: str
    command: str
    card: str | None


@dataclass(frozen=True)
class Download:
    """A table as a file to be saved: a data URI, or None where it is too large for the page."""

    name: str
    uri: str | None
    rows: int


class _PageMaker:
    """Gathers what the template shows; reads each history and each picture once, and only those that are shown."""

    def __init__(self, comparison: ganbench.Comparison) -> None:
        self.comparison = comparison
        self.tables = tables_by_dataset(comparison)
        self.failures = collect_failures(comparison)
        self.records = to_records(comparison.trials)
        self.trials: dict[tuple[str, str], list[dict[str, Any]]] = {}
        for trial in self.records:
            self.trials.setdefault((str(trial["dataset"]), str(trial["method"])), []).append(trial)
        self.overall = overall_scores(comparison)
        names = distinct(trial["method"] for trial in self.records)
        self.methods = order_methods(self.tables, names, self.overall)
        self.index = {method: number for number, method in enumerate(self.methods)}
        self.shown = self.tables[:MAX_DATASETS]
        per_dataset = min(MAX_DRAWN_METHODS, MAX_DRAWN_PAIRS // max(1, len(self.shown)))
        self.drawn = {table.dataset: table.methods[:per_dataset] for table in self.shown}
        pairs = [(dataset, method) for dataset, methods in self.drawn.items() for method in methods]
        self.anchors = {pair: f"card-{number}" for number, pair in enumerate(pairs)}
        drawn = {pair: self.trials.get(pair, [])[:MAX_DRAWN_SEEDS] for pair in pairs}
        drawn_trials = sum(map(len, drawn.values()))
        framed = 1 if drawn_trials > MAX_TRIALS_WITH_FRAMES else MAX_DRAWN_SEEDS
        self.frames = {
            str(trial["trial"]): _thin_frames(comparison.snapshots(trial["trial"]))
            for trials in drawn.values()
            for trial in trials[:framed]
        }
        many = len(self.records) > FEW_TRIALS
        pictures = drawn_trials + sum(len(frames) + 1 for frames in self.frames.values())
        self.picture_bytes = min(MAX_PICTURE_BYTES, PICTURES_BYTES[many] // max(1, pictures))
        lines = len(pairs) * 3 * len(curves.SIGNALS) + drawn_trials * 8  # a band has two edges
        fitting = POINTS_BYTES[many] // (POINT_BYTES * max(1, lines))
        self.points = min(POINTS[1], max(POINTS[0], fitting))
        self.failure_numbers = {(of.dataset, of.method): number for number, of in enumerate(self.failures)}
        self.seed_curves: dict[tuple[str, str], list[curves.SeedCurves]] = {}
        self.scores = _scores_by_trial(comparison) if pairs else {}

    def context(self) -> dict[str, Any]:
        comparison = self.comparison
        sections = [self._section(number, table) for number, table in enumerate(self.shown)]
        script = (FOLDER / "page.js").read_text(encoding="utf-8")
        digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
        rows_per_dataset = max(10, MAX_ROWS // max(1, len(self.shown)))
        return {
            "suite": comparison.suite,
            "summary": comparison.summary,
            "style": (FOLDER / "page.css").read_text(encoding="utf-8"),
            "script": script,
            "policy": f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; "
            "base-uri 'none'; form-action 'none'",
            "counts": prose.summarize_trials(comparison),
            "scope": prose.summarize_scope(comparison),
            "made_with": prose.summarize_environment(comparison.environment),
            "command": str(comparison.environment.get("command", "")),
            "how_to_read": prose.HOW_TO_READ,
            "definitions": prose.DEFINITIONS,
            "environment": prose.environment_lines(comparison.environment),
            "setup": describe_setup(comparison, self.methods[:rows_per_dataset]),
            "methods": self.methods,
            "index": self.index,
            "sections": sections,
            "glance": self._glance(),
            "overall": self.overall,
            "hidden_datasets": [table.dataset for table in self.tables[MAX_DATASETS:]],
            "attention": [
                (of_method, prose.failure_line(of_method)) for of_method in self.failures if of_method.is_failure
            ],
            "warned": sum(not of_method.is_failure for of_method in self.failures),
            "failures": self._evidence(),
            "more_failures": self.failures[MAX_FAILURES:],
            "failure_numbers": self.failure_numbers,
            "damaged": prose.list_damaged(comparison),
            "missing": [str(trial) for trial in getattr(comparison, "missing", ())],
            "left_out": prose.list_left_out(comparison),
            "anchors": self.anchors,
            "trials": self._trial_rows()[:MAX_ROWS],
            "trial_count": len(self.records),
            "downloads": _downloads(comparison),
        }

    # --- ranking ---

    def _glance(self) -> list[dict[str, Any]]:
        """For the ranking on the first screen: of each data set its main metric."""
        columns = []
        for number, table in enumerate(self.shown[:12]):
            name = main_metric(self.tables, table.dataset)
            metric = next((metric for metric in table.metrics if metric.metric == name), None)
            columns.append(
                {"anchor": f"dataset-{number}", "table": table, "metric": metric, "axis": metric and axis_for(metric)}
            )
        return columns

    def _section(self, number: int, table: DatasetTables) -> DatasetSection:
        drawn = self.drawn[table.dataset]
        of_methods = [
            curves.MethodCurves(method, self.index[method], self._curves(table.dataset, method)) for method in drawn
        ]
        rows = max(10, MAX_ROWS // max(1, len(self.shown)))
        notes = []
        if len(table.methods) > len(drawn):
            notes.append(
                f"Curves and samples are those of the first {len(drawn)} of {len(table.methods):,} methods by mean rank."
            )
        if len(table.methods) > rows:
            notes.append(f"Tables show the first {rows} of them; comparison.csv has all.")
        cards = tuple(self._card(table.dataset, method) for method in drawn)
        return DatasetSection(
            anchor=f"dataset-{number}",
            table=table,
            methods=table.methods[:rows],
            answer=prose.summarize_ranking(table),
            scores=tuple(self._score_charts(table, of_methods)),
            signals=tuple(curves.draw_signals(of_methods, self.points)),
            cards=cards,
            seeds=tuple(distinct(seed.seed for card in cards for seed in card.seeds)),
            steps=tuple(sorted({step for card in cards for seed in card.seeds for step, _ in seed.frames})),
            has_nearest=any(seed.nearest is not None for card in cards for seed in card.seeds),
            notes=tuple(notes),
        )

    # --- curves ---

    def _curves(self, dataset: str, method: str) -> list[curves.SeedCurves]:
        pair = (dataset, method)
        if pair not in self.seed_curves:
            self.seed_curves[pair] = [
                curves.SeedCurves(
                    self.comparison.history(trial["trial"]),
                    trial["status"] == ganbench.Status.DIVERGED,
                    format_seed(trial["seed"]),
                )
                for trial in self.trials.get(pair, [])[:MAX_DRAWN_SEEDS]
            ]
        return self.seed_curves[pair]

    def _score_charts(self, table: DatasetTables, methods: Sequence[curves.MethodCurves]) -> Iterable[Drawing]:
        for metric in table.metrics:
            floors = [row.floor for row in metric.rows if row.floor is not None and math.isfinite(row.floor)]
            of_methods = [
                (
                    method,
                    [
                        points
                        for trial in self.trials.get((table.dataset, method.method), [])
                        if (points := self.scores.get((str(trial["trial"]), metric.metric))) is not None
                    ],
                )
                for method in methods
            ]
            last_step = max((seed.last_step for method in methods for seed in method.seeds), default=0.0)
            drawing = curves.draw_scores(
                metric.metric,
                prose.DIRECTIONS.get(metric.better, ""),
                float(np.mean(floors)) if floors else None,
                of_methods,
                last_step,
            )
            if drawing is not None:
                yield drawing

    # --- cards ---

    def _card(self, dataset: str, method: str) -> Card:
        pair = (dataset, method)
        number = self.failure_numbers.get(pair)
        failures = None if number is None else self.failures[number]
        return Card(
            anchor=self.anchors[pair],
            dataset=dataset,
            method=method,
            index=self.index[method],
            failures=number if number is not None and number < MAX_FAILURES else None,
            is_failure=failures is not None and failures.is_failure,
            seeds=tuple(self._seed_caption(trial) for trial in self.trials.get(pair, [])[:MAX_DRAWN_SEEDS]),
            drawings=tuple(curves.draw_seeds(self._curves(*pair), failures.groups if failures else (), self.points)),
        )

    def _seed_caption(self, trial: Mapping[str, Any]) -> SeedCaption:
        frames = self.frames.get(str(trial["trial"]))
        embedded = {step: embed_picture(file, self.picture_bytes) for step, file in (frames or {}).items()}
        nearest = self.comparison.nearest(trial["trial"]) if frames is not None else None
        return SeedCaption(
            str(trial["trial"]),
            format_seed(trial["seed"]),
            ganbench.Status(trial["status"]),
            tuple(verdict for verdict in str(trial["verdicts"] or "").split(";") if verdict),
            format_times(parse_float(trial.get("times_floor"))),
            embed_picture(self.comparison.picture(trial["trial"]), self.picture_bytes),
            tuple((step, picture) for step, picture in embedded.items() if picture is not None),
            int(parse_float(trial["steps"]) or 0),
            embed_picture(nearest, self.picture_bytes),
        )

    # --- what went wrong ---

    def _evidence(self) -> list[FailureSection]:
        left = MAX_EVIDENCE_CHARTS
        collected = []
        for of_method in self.failures[:MAX_FAILURES]:
            pair = (of_method.dataset, of_method.method)
            drawings: dict[int, Sequence[Drawing]] = {}
            for number, group in enumerate(of_method.groups if pair in self.anchors else ()):
                drawings[number] = self._draw_evidence(group, pair, min(left, 3))
                left -= len(drawings[number])
            collected.append(FailureSection(of_method, self.anchors.get(pair), drawings))
        return collected

    def _draw_evidence(self, group: FindingGroup, pair: tuple[str, str], limit: int) -> list[Drawing]:
        return curves.draw_evidence(group, self._curves(*pair), self.points, limit) if limit > 0 else []

    # --- trials ---

    def _trial_rows(self) -> list[TrialRow]:
        main = {table.dataset: main_metric(self.tables, table.dataset) for table in self.tables}
        return [
            TrialRow(
                dataset=str(trial["dataset"]),
                method=str(trial["method"]),
                index=self.index[str(trial["method"])],
                seed=format_seed(trial["seed"]),
                status=ganbench.Status(trial["status"]),
                verdicts=str(trial["verdicts"] or "").replace(";", ", "),
                times=format_times(parse_float(trial.get("times_floor"))),
                score=self._last_score(str(trial["trial"]), main.get(str(trial["dataset"]))),
                steps=int(parse_float(trial["steps"]) or 0),
                seconds=parse_float(trial["seconds"]) or 0.0,
                device=str(trial["device"] or ""),
                reason=str(trial["reason"] or ""),
                versions=prose.versions_of(trial),
                command=prose.command_of(trial),
                card=self.anchors.get((str(trial["dataset"]), str(trial["method"]))),
            )
            for trial in self.records
        ]

    def _last_score(self, trial: str, metric: str | None) -> float | None:
        points = self.scores.get((trial, str(metric)))
        return None if points is None or not len(points[1]) else float(points[1][-1])


def _thin_frames(files: Mapping[int, Path]) -> dict[int, Path]:
    """Return at most `MAX_FRAMES` of the pictures, evenly over their steps."""
    steps = sorted(files)
    kept = sorted({round(place) for place in np.linspace(0, len(steps) - 1, min(MAX_FRAMES, len(steps)))})
    return {steps[number]: files[steps[number]] for number in kept}


def _scores_by_trial(comparison: ganbench.Comparison) -> dict[tuple[str, str], tuple[Array, Array]]:
    """Return the steps and values of each metric of each trial."""
    frame = comparison.scores
    if frame.empty:
        return {}
    steps, values = (frame[name].to_numpy(dtype=float, na_value=math.nan) for name in ("step", "value"))
    rows_of: dict[Any, Any] = frame.groupby(["trial", "metric"], sort=False).indices
    return {(str(key[0]), str(key[1])): (steps[rows], values[rows]) for key, rows in rows_of.items()}


def _downloads(comparison: ganbench.Comparison) -> list[Download]:
    """Return every table as CSV, compressed where it is long."""
    downloads = []
    for name in dict.fromkeys([*TABLES, "pairwise", "aggregate"]):
        frame = getattr(comparison, name, None)
        if frame is None:
            continue
        if len(frame) > MAX_CSV_ROWS:
            downloads.append(Download(f"{name}.csv", None, len(frame)))
            continue
        content = to_csv(frame).encode("utf-8", "backslashreplace")
        file, media_type = f"{name}.csv", "text/csv;charset=utf-8"
        if len(content) > MAX_PLAIN_CSV_BYTES:
            content, file, media_type = gzip.compress(content, mtime=0), f"{file}.gz", "application/gzip"
        uri = encode(media_type, content) if len(content) <= MAX_CSV_BYTES else None
        downloads.append(Download(file, uri, len(frame)))
    return downloads
