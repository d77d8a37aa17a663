"""How numbers read in a report: three significant digits, no exponent where one can do without.

The sentences that several reports share: what the numbers are, what needs attention, what ran where.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import ganbench

from .failures import MethodFailures
from .numbers import count, seconds
from .rankings import in_order, rows

HOW_TO_READ = (
    "Each number is the interquartile mean (IQM) of a method's final scores over its training seeds, with a 95 % "
    "bootstrap interval. The floor is what real samples score against other real samples at the same counts: "
    "nothing is better than its floor but by chance. Failures are counted beside the scores; a trial that was lost "
    "has no score, so a mean speaks for the surviving seeds only, while its rank counts the lost ones as worst."
)

DEFINITIONS = (
    (
        "Floor",
        "The same metric computed with real samples of the training data in the place of generated ones, with the same counts. "
        "A score far beyond its floor in the good direction is suspicious: samples tighter than the data, or "
        "copies of it.",
    ),
    (
        "IQM and interval",
        "The interquartile mean is the mean of the middle half of the seeds. Its interval is a 95 % bootstrap over "
        "seeds: it says how much another set of seeds could change the number. One seed has no interval.",
    ),
    (
        "Best over training",
        "The mean, over seeds, of the best score a trial reached at any of its evaluations. Far better than the final "
        "score: the method was good once and lost it.",
    ),
    (
        "Failures",
        "Trials that were lost (diverged, error, timeout) or that a diagnosis calls failed in the state they ended in, "
        "with a 95 % Wilson interval of the rate.",
    ),
    (
        "P(top beats)",
        "The probability that a seed of the top-ranked method scores better than a seed of this one, ties half. "
        "0.5 means that they cannot be told apart, 1 that every seed of the top was better.",
    ),
    (
        "Verdict",
        "best: every other method is worse; worse: behind the top, and a two-sided test over seeds says so at 5 %; "
        "tied: there are seeds enough to tell, and they do not; inconclusive: with so few seeds no test could tell. "
        "With 3 against 3 seeds no two-sided Mann–Whitney p can go below 0.10, with 5 against 5 it can reach 0.008: "
        "where the verdict is open, more seeds are the answer.",
    ),
    (
        "Findings",
        "A finding about now describes the state at its step; a forecast speaks about the end of training and is "
        "less certain the earlier it is made. Confidence is the diagnosis's own.",
    ),
)


def counts(comparison: ganbench.Comparison) -> str:
    """One line: how many trials, and how they ended."""
    trials = rows(comparison.trials)
    statuses = Counter(str(trial["status"]) for trial in trials)
    parts = [count(len(trials), "trial"), *(f"{n} {status}" for status, n in statuses.most_common())]
    spent = sum(float(trial["seconds"] or 0) for trial in trials)
    parts.append(f"{seconds(spent)} of computing")
    return " · ".join(parts)


def unreadable(comparison: ganbench.Comparison) -> list[str]:
    """Stored trials that could not be read, where the comparison knows of any: they are in none of the numbers."""
    return [str(line) for line in comparison.damaged]


def scope(comparison: ganbench.Comparison) -> str:
    """One line: how many methods on how many data sets with how many seeds."""
    trials = rows(comparison.trials)
    kinds = (("method", "method"), ("data set", "dataset"), ("seed", "seed"))
    named = [count(len(in_order(trial[column] for trial in trials)), noun) for noun, column in kinds]
    return f"{named[0]} on {named[1]} with {named[2]}"


def failure_line(trouble: MethodFailures) -> str:
    """One line on a method's trouble: its endings counted, then its diagnoses."""
    endings = Counter(ending.status for ending in trouble.endings)
    return ", ".join(
        [
            *(f"{n} {status}" for status, n in endings.items()),
            *in_order(complaint.diagnosis for complaint in trouble.complaints),
        ]
    )


def environment_lines(environment: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What ran where, one (name, text) for each fact; nested facts are named `outer.inner`."""
    lines: list[tuple[str, str]] = []
    for key, value in environment.items():
        if isinstance(value, Mapping):
            lines += [(f"{key}.{inner}", text) for inner, text in environment_lines(value)]
        elif isinstance(value, list | tuple):
            lines.append((str(key), ", ".join(map(str, value))))
        else:
            lines.append((str(key), str(value)))
    return lines
