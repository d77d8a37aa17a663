"""Runs stored without training: the scores that a test says, of trials as a suite makes them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from small_suites import MLP, suite_table, trials_of

from ganbench.contract.records import Score, TrialResult
from ganbench.results.store import Store

LOST = None  # the score of a seed that diverged
METRIC = "modes.covered"


def results_of(
    values: Mapping[str, Sequence[float | None]],
    *,
    seeds: Iterable[int] | None = None,
    floor: float = 8.0,
    training: Mapping[str, Any] | None = None,
    **changes: Any,
) -> list[TrialResult]:
    """Results with the final scores given for each method's seeds; other keys replace fields of the trials."""
    n = max(len(scores) for scores in values.values())
    table = suite_table(
        seeds=list(seeds or range(n)),
        methods={name: {"loss": "hinge", **MLP, **(training or {})} for name in values},
    )
    trials = [replace(trial, **changes) for trial in trials_of(table)]
    of_method = {name: [trial for trial in trials if trial.method == name] for name in values}
    results = []
    for trial, score in (
        pair for name, scores in values.items() for pair in zip(of_method[name], scores, strict=False)
    ):
        if score is LOST:
            results.append(TrialResult(trial, "diverged", "not finite", steps=12, seconds=1.0))
            continue
        scores = tuple(Score(step, METRIC, score, "higher", floor, 100, 100, 0.1) for step in (30, 60))
        done = TrialResult(trial, "done", steps=60, train_seconds=1.0, seconds=1.5, device="cpu", scores=scores)
        results.append(replace(done, verdicts=("no-failure-found",), parameters_g=10, parameters_d=20))
    return results


def store_run(folder: Path, results: Sequence[TrialResult], suite: str = "test", **environment: Any) -> Store:
    """Store results as a run of `suite` in a folder."""
    store = Store(folder)
    facts = {"suite": suite, "summary": "Stored.", "trials": [result.trial.id for result in results]}
    with store.begin_run(facts, {"ganbench": "0", "command": "ganbench run", **environment}):
        for result in results:
            store.write(result)
    return store
