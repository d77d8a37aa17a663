"""The comparison as one HTML file that needs nothing else: no server, no network, no JavaScript."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

import ganbench

from . import curves, numbers, prose
from .failures import MethodFailures, collect_failures, is_whole
from .files import write_atomically
from .intervals import axis_for, scale_interval
from .pictures import data_uri
from .rankings import FAILED_STATUSES, DatasetTable, dataset_tables, rows

PICTURE_BYTES = 4_500_000  # of all pictures of a page together, before base64 adds a third
MOST_PICTURE_BYTES = 200_000  # of one
OPEN_CARDS = 4  # a page with no more methods than these shows its curves at once


class HtmlReport(ganbench.Report):
    """One self-contained web page: comparison, what went wrong, samples and curves."""

    def write(self, comparison: ganbench.Comparison, folder: Path) -> list[Path]:
        """Write `index.html`."""
        page = _templates().get_template("page.html.jinja").render(**_context(comparison))
        return [write_atomically(folder / "index.html", page)]


@dataclass(frozen=True)
class Seed:
    """One trial on a card: its caption and its picture."""

    seed: str
    status: str
    failed: bool
    verdicts: tuple[str, ...]
    picture: str | None  # a data URI
    dashes: str  # of its lines in the curves, as SVG writes it


@dataclass(frozen=True)
class Card:
    """One method on one data set: its samples and its curves."""

    anchor: str
    dataset: str
    method: str
    trouble: MethodFailures | None
    seeds: tuple[Seed, ...]
    drawings: tuple[curves.Drawing, ...]
    onsets: tuple[str, ...]
    open: bool


def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,  # names and reasons come from outside
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["svg"] = Markup  # for our own drawings alone
    environment.filters["number"] = numbers.number
    environment.globals.update(line_of=axis_for, whisker=scale_interval)
    return environment


def _context(comparison: ganbench.Comparison) -> dict[str, Any]:
    tables, found = dataset_tables(comparison), collect_failures(comparison)
    cards = _cards(comparison, tables, found)
    return {
        "suite": comparison.suite,
        "summary": comparison.summary,
        "counts": prose.counts(comparison),
        "scope": prose.scope(comparison),
        "how_to_read": prose.HOW_TO_READ,
        "definitions": prose.DEFINITIONS,
        "environment": prose.environment_lines(comparison.environment),
        "tables": tables,
        "attention": [(trouble, prose.failure_line(trouble)) for trouble in found if trouble.severe],
        "warned": sum(not trouble.severe for trouble in found),
        "troubles": found,
        "unreadable": prose.unreadable(comparison),
        "cards": cards,
        "anchors": {(card.dataset, card.method): card.anchor for card in cards},
        "colours": {"failure": curves.FAILURE, "warning": curves.WARNING, "level": curves.GREY},
    }


def _cards(
    comparison: ganbench.Comparison, tables: Iterable[DatasetTable], found: Iterable[MethodFailures]
) -> list[Card]:
    trials: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for trial in rows(comparison.trials):
        trials.setdefault((str(trial["dataset"]), str(trial["method"])), []).append(trial)
    in_trouble = {(trouble.dataset, trouble.method): trouble for trouble in found}
    share = min(MOST_PICTURE_BYTES, PICTURE_BYTES // max(1, len(comparison.trials)))
    pairs = [(table.dataset, method) for table in tables for method in table.methods]
    return [
        _card(
            comparison,
            trials.get(pair, []),
            pair,
            in_trouble.get(pair),
            share,
            index,
            len(pairs) <= OPEN_CARDS,
        )
        for index, pair in enumerate(pairs)
    ]


def _card(
    comparison: ganbench.Comparison,
    trials: list[dict[str, Any]],
    pair: tuple[str, str],
    trouble: MethodFailures | None,
    picture_bytes: int,
    index: int,
    is_open: bool,
) -> Card:
    runs = [curves.Run(comparison.history(trial["trial"]), trial["status"] == "diverged") for trial in trials]
    return Card(
        anchor=f"card-{index}",
        dataset=pair[0],
        method=pair[1],
        trouble=trouble,
        seeds=tuple(
            _seed(trial, data_uri(comparison.picture(trial["trial"]), picture_bytes), place)
            for place, trial in enumerate(trials)
        ),
        drawings=tuple(curves.draw(runs, _onsets(trouble), f"d{index}")) if runs else (),
        onsets=tuple(_onset_texts(trouble)),
        open=is_open,
    )


def _seed(trial: dict[str, Any], picture: str | None, place: int) -> Seed:
    verdicts = tuple(verdict for verdict in str(trial["verdicts"] or "").split(";") if verdict)
    dashes = " ".join(f"{length:g}" for length in curves.DASHES[place % len(curves.DASHES)])
    status = str(trial["status"])
    return Seed(is_whole(trial["seed"]), status, status in FAILED_STATUSES, verdicts, picture, dashes)


def _onsets(trouble: MethodFailures | None) -> list[curves.Onset]:
    return [
        curves.Onset(sighting.onset, complaint.severity == "failure")
        for complaint in (trouble.complaints if trouble else ())
        for sighting in complaint.sightings
        if sighting.onset is not None
    ]


def _onset_texts(trouble: MethodFailures | None) -> list[str]:
    """For each complaint, where its lines stand: `mode-collapse (failure): step 400 (seed 0)`."""
    texts = []
    for complaint in trouble.complaints if trouble else ():
        places = [f"{seen.onset:,} (seed {seen.seed})" for seen in complaint.sightings if seen.onset is not None]
        if places:
            forecast = ", a forecast" if complaint.horizon == "end" else ""
            texts.append(f"{complaint.diagnosis} ({complaint.severity}{forecast}): step {', '.join(places)}")
    return texts
