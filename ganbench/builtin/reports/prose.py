"""Sentences that several reports share: what the numbers mean, what needs attention, and where the run was made."""

from __future__ import annotations

import glob
import json
import shlex
from collections import Counter
from collections.abc import Mapping
from typing import Any

import ganbench

from .failures import MethodFailures
from .numbers import format_count, format_duration, format_number, format_seed
from .rankings import DatasetTables, distinct, to_records

DIRECTIONS = {"higher": "↑ higher is better", "lower": "↓ lower is better"}

LOST = ", ".join(status for status in ganbench.Status if status.lost)

HOW_TO_READ = (
    "Each number is the interquartile mean (IQM) of a method's final scores over its training seeds, with a 95 % "
    "interval. The floor is what real samples score against other real samples at the same counts: "
    "a score can be better than its floor only by chance. Failures are counted beside the scores; a trial that was "
    "lost has no score, so means are over the surviving seeds only, while ranks and tests count the lost ones as worst."
)

DEFINITIONS = (
    (
        "Floor",
        "The same metric with real samples of the training data in place of generated ones, at the same counts. "
        "A score far better than its floor is suspicious: the samples lie more tightly than the data, or are copies "
        "of it.",
    ),
    (
        "IQM and interval",
        "The interquartile mean is the mean of the middle half of the seeds; of three seeds, of all. Its 95 % interval "
        "says how much another set of seeds could change the number. Where all seeds have one value, or there is one "
        "seed, no spread was seen and there is no interval.",
    ),
    (
        "Best over training and trend",
        "Best: the mean, over seeds, of the best score that a trial reached at any of its evaluations. If it is far "
        "better than the final score, the method was good at some point and then degraded. Trend: the mean change from "
        "the evaluation before the last to the last; if it is large, training had not ended.",
    ),
    (
        "Failures",
        f"Trials that were lost ({LOST}) or that a diagnosis calls failed in the state they ended in, with a 95 % "
        "Wilson interval of the rate.",
    ),
    (
        "Rank",
        "By the IQM with lost seeds counted as the worst value there is. So a method may rank below another whose "
        "number is worse: it lost seeds, as the count of failures beside it says.",
    ),
    (
        "Difference",
        "What a method's score is more than that of the top-ranked one (or of the baseline), over the seeds that both "
        "have, with a 95 % interval.",
    ),
    (
        "P(top beats)",
        "The probability that a seed of the top-ranked method scores better than a seed of this one, ties counting "
        "half. 0.5 means that the two cannot be distinguished, 1 that every seed of the top was better.",
    ),
    (
        "Verdict",
        "worse: behind the top by a permutation test at 5 %, corrected for the number of pairs and for the choice of "
        "the top; best: every other method is worse; equivalent: the interval of the difference lies within a margin, "
        "a share of the methods' distance from the floor, and no seed was lost; inconclusive: neither can be said with "
        "these seeds, and beside it how many would decide if differences stay as they are.",
    ),
    (
        "Overall score",
        "A final score counts as 1 at its floor or beyond, as 0 at the worst (a score of 0 where higher is better, else "
        "the method that is the worst by this metric), and linearly between; averaged over metrics and data sets, with "
        "a 95 % interval over seeds. Lost trials are counted beside it, not in it.",
    ),
    (
        "Curves",
        "A line is the median over the seeds that have a value at that step; a band reaches from the lowest to the "
        "highest seed. Where there are more steps than can be drawn, several become one point whose band keeps their "
        "extremes.",
    ),
    (
        "Findings",
        "A finding about now describes the state at its step; a forecast is about the end of training and is "
        "less certain the earlier it is made. Confidence is the diagnosis's own.",
    ),
)


def summarize_trials(comparison: ganbench.Comparison) -> str:
    """Return a line: how many trials, how they ended, and how long they took."""
    trials = to_records(comparison.trials)
    statuses = Counter(str(trial["status"]) for trial in trials)
    missing = len(getattr(comparison, "missing", ())) + len(comparison.damaged)
    total = f"{len(trials):,} of {len(trials) + missing:,} trials" if missing else format_count(len(trials), "trial")
    parts = [total, *(f"{n} {status}" for status, n in statuses.most_common())]
    seconds = sum(float(trial["seconds"] or 0) for trial in trials)
    parts.append(f"{format_duration(seconds)} of computing")
    return " · ".join(parts)


def summarize_scope(comparison: ganbench.Comparison) -> str:
    """Return a line: how many methods on how many data sets with how many seeds."""
    trials = to_records(comparison.trials)
    columns = (("method", "method"), ("data set", "dataset"), ("seed", "seed"))
    counts = [format_count(len(distinct(trial[column] for trial in trials)), noun) for noun, column in columns]
    return f"{counts[0]} on {counts[1]} with {counts[2]}"


def summarize_ranking(table: DatasetTables) -> str:
    """Return a sentence: which method ranks first on a data set, and how many comparisons are decided."""
    rows = [row for metric in table.metrics for row in metric.rows if row.verdict]
    if not rows:
        return "No trial on this data set was scored."
    metrics = format_count(len(table.metrics), "metric")
    rank = format_number(table.mean_rank(table.methods[0]))
    words = Counter(row.verdict for row in rows)
    verdicts = ", ".join(f"{n} {word}" for word, n in words.most_common())
    open_rows = words["inconclusive"]
    decided = "every comparison is decided" if not open_rows else f"{len(rows) - open_rows} of {len(rows)} are decided"
    return f"{table.methods[0]} has the best mean rank, {rank} over {metrics}; of the verdicts {decided} ({verdicts})."


def summarize_environment(environment: Mapping[str, Any]) -> str:
    """Return a line: the versions and the machine that a run was made with."""
    names = {"ganbench": "ganbench", "torch": "torch", "numpy": "numpy", "python": "Python"}
    parts = [f"{text} {environment[name]}" for name, text in names.items() if environment.get(name)]
    parts += [str(environment[name]) for name in ("device", "platform") if environment.get(name)]
    return " · ".join(parts)


def versions_of(trial: Mapping[str, Any]) -> str:
    """Return what made a trial, as far as it is known: `ganbench 0.1.0, commit 0123456789`."""
    parts = [str(trial["versions"])] if trial.get("versions") else []
    parts += [f"commit {str(trial['commit'])[:10]}"] if trial.get("commit") else []
    return ", ".join(parts)


def command_of(trial: Mapping[str, Any]) -> str:
    """Return the command that runs one trial again."""
    parts = ["ganbench", "run", str(trial["suite"])]
    for key, value in (
        ("dataset", trial["dataset"]),
        ("method", trial["method"]),
        ("seed", format_seed(trial["seed"])),
    ):
        parts += ["--only", f"{key}={glob.escape(str(value))}"]
    return shlex.join(parts)


def list_damaged(comparison: ganbench.Comparison) -> list[str]:
    """Return a line for each stored trial that could not be read, and so is in none of the numbers."""
    return [str(line) for line in comparison.damaged]


def list_left_out(comparison: ganbench.Comparison) -> list[str]:
    """Return a line for each metric or diagnosis that could not serve, with the data sets and the reason.

    Methods whose steps could not be captured on a GPU are in it, too.
    """
    datasets: dict[tuple[str, str], list[str]] = {}
    for trial in to_records(comparison.trials):
        reasons = json.loads(str(trial["left_out"])) if trial.get("left_out") else {}
        if (captured := str(trial.get("captured") or "")).startswith("no: "):
            reasons[f"capture of the steps of {trial['method']}"] = captured.removeprefix("no: ")
        for name, reason in reasons.items():
            on = datasets.setdefault((name, reason), [])
            if trial["dataset"] not in on:
                on.append(str(trial["dataset"]))
    return [f"{name} on {', '.join(on)}: {reason}" for (name, reason), on in datasets.items()]


def failure_line(failures: MethodFailures) -> str:
    """Return a line on what went wrong with a method: how many trials ended how, then the diagnoses."""
    statuses = Counter(record.status for record in failures.records)
    endings = [f"{n} {status}" for status, n in statuses.items()]
    return ", ".join([*endings, *distinct(group.diagnosis for group in failures.groups)])


def environment_lines(environment: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return a (name, text) for each fact of the environment; nested facts are named `outer.inner`."""
    lines: list[tuple[str, str]] = []
    for key, value in environment.items():
        if isinstance(value, Mapping):
            lines += [(f"{key}.{inner}", text) for inner, text in environment_lines(value)]
        elif isinstance(value, list | tuple):
            lines.append((str(key), ", ".join(map(str, value))))
        else:
            lines.append((str(key), str(value)))
    return lines
