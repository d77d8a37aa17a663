"""The tables of stored results as they are: a row for each trial, each score and each finding."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import msgspec
import pandas as pd

from ..contract.errors import printable
from ..contract.records import ComponentRef, Score, Training, Trial, TrialResult
from ..suite.expand import regularizer_names

TRIALS = [
    *("suite", "trial", "dataset", "method", "generator", "discriminator", "loss", "regularizers", "seed"),
    *(
        "status",
        "reason",
        "verdicts",
        "times_floor",
        "failed",
        "steps",
        "train_seconds",
        "seconds",
        "device",
        "threads",
        "left_out",
    ),
    *("images", "parameters_g", "parameters_d", "versions", "commit"),
]
SCORES = [
    *("suite", "trial", "dataset", "method", "seed", "step", "metric", "value", "better", "floor"),
    *("n_real", "n_fake", "seconds", "low", "high", "biased", "features", "reference_rank", "reference_log_distance"),
]
FINDINGS = [
    *("suite", "trial", "dataset", "method", "seed", "diagnosis", "horizon", "severity", "confidence"),
    *("onset_step", "summary", "evidence", "remedy", "cause", "track_record"),
]
LINE_ENDS = "\n"  # that texts may hold; what else would control a terminal is written as its escape
NOT_OF_A_METHOD = ("stop_on", "stop_when", "observations")  # fields of Training that do not say how a method trains


def trials_table(results: Sequence[TrialResult], commits: Mapping[str, str] | None = None) -> pd.DataFrame:
    """Return a table with a row for each trial, and a column more for each setting that differs between methods.

    There is a column more, too, that says whether steps were captured, where that was tried.

    Args:
        results: The results.
        commits: By trial id, the commit that was checked out where it ran.
    """
    rows = []
    settings = {r.trial.id: settings_of(r.trial) for r in results}
    differing = _differing_settings(results, settings)
    for r in results:
        parts = r.trial.components
        rows.append(
            {
                "suite": r.trial.suite,
                "trial": r.trial.id,
                "dataset": r.trial.dataset,
                "method": r.trial.method,
                "generator": parts.generator.name,
                "discriminator": parts.discriminator.name,
                "loss": parts.loss.name,
                "regularizers": regularizer_names(r.trial),
                "seed": r.trial.seed,
                "status": r.status.value,
                "reason": printable(r.reason, LINE_ENDS),
                "verdicts": ";".join(r.verdicts),
                "times_floor": times_floor(r),
                "failed": r.failed,
                "steps": r.steps,
                "train_seconds": r.train_seconds,
                "seconds": r.seconds,
                "device": r.device,
                "threads": r.threads,
                "left_out": _encode_left_out(r),
                "images": count_images(r),
                "parameters_g": r.parameters_g or None,
                "parameters_d": r.parameters_d or None,
                "versions": "; ".join(sorted(set(r.origins.values()))),
                "commit": (commits or {}).get(r.trial.id, ""),
                "captured": r.captured,
                **{name: settings[r.trial.id].get(name) for name in differing},
            }
        )
    tried = ["captured"] if any(r.captured for r in results) else []
    return pd.DataFrame(rows, columns=[*TRIALS, *tried, *differing])


def _encode_left_out(result: TrialResult) -> str:
    """What could not serve a trial and why, as JSON; empty for nothing."""
    reasons = {name: printable(why, LINE_ENDS) for name, why in result.left_out.items()}
    return msgspec.json.encode(reasons, order="sorted").decode() if reasons else ""


def times_floor(result: TrialResult) -> float | None:
    """Return how many times its floor the first distance is that the trial was scored by at its end; None without one."""
    last = max((score.step for score in result.scores), default=0)
    for score in result.scores:
        if score.step == last and score.better == "lower" and 0 < score.floor < math.inf:
            return score.value / score.floor
    return None


def count_images(result: TrialResult) -> int:
    """Return how many real samples a trial has shown to D, counting repetitions: images, where they are images."""
    training = result.trial.training
    warmup = training.d_warmup if result.steps else 0
    return (result.steps * training.d_steps + warmup) * training.batch_size


def settings_of(trial: Trial) -> dict[str, Any]:
    """Return the settings of a trial as flat names and plain values: `budget`, `optimizer_g.lr`, `generator.width`."""
    training, parts = trial.training, trial.components
    settings: dict[str, Any] = {}
    for field in fields(Training):
        value = getattr(training, field.name)
        if isinstance(value, ComponentRef):
            settings |= {field.name: value.name, **_options_of(field.name, value)}
        elif field.name not in NOT_OF_A_METHOD:
            shown = value if value is None else _plain(value)
            settings["budget" if field.name == "steps" else field.name] = shown
    for name in ("generator", "discriminator", "loss"):
        settings |= _options_of(name, getattr(parts, name))
    for ref in parts.regularizers:
        settings |= _options_of(ref.name, ref)
    if parts.augmentation is not None:
        settings |= {"augmentation": parts.augmentation.name, **_options_of("augmentation", parts.augmentation)}
    if parts.terms:
        settings["terms"] = ", ".join(f"{ref.name} (weight {_plain(ref.weight)})" for ref in parts.terms)
        for ref in parts.terms:
            settings |= _options_of(f"terms.{ref.name}", ref)
    return settings


def _options_of(prefix: str, ref: ComponentRef) -> dict[str, Any]:
    return {f"{prefix}.{key}": _plain(value) for key, value in sorted(ref.options.items())}


def _plain(value: Any) -> Any:
    """A value as one cell of a table: JSON where it is not a number or a text."""
    return value if isinstance(value, str | int | float) else msgspec.json.encode(value, order="sorted").decode()


def _differing_settings(results: Sequence[TrialResult], settings: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """The settings that differ between methods on some data set, in the order of their appearance; a low precision too."""
    names = dict.fromkeys(name for of_trial in settings.values() for name in of_trial)
    seen: dict[tuple[str, str], set[str]] = {}
    for r in results:
        for name in names:
            seen.setdefault((r.trial.dataset, name), set()).add(repr(settings[r.trial.id].get(name)))
    differing = {name for (_, name), values in seen.items() if len(values) > 1}
    lowered = {"precision"} if any(r.trial.training.precision != "float32" for r in results) else set()
    return [name for name in names if name in differing | lowered]


def scores_table(results: Sequence[TrialResult]) -> pd.DataFrame:
    """Return a table with a row for each metric of a trial at a step."""
    names = [field.name for field in fields(Score) if field.name in SCORES]
    rows = [
        {**identity, **{name: getattr(score, name) for name in names}}
        for r in results
        for identity in [_identity_columns(r)]
        for score in r.scores
    ]
    return pd.DataFrame(rows, columns=SCORES)


def findings_table(results: Sequence[TrialResult]) -> pd.DataFrame:
    """Return a table with a row for each finding: its evidence as JSON, its remedy as text."""
    rows = [
        {
            **_identity_columns(r),
            **{name: getattr(finding, name) for name in FINDINGS if hasattr(finding, name)},
            **{name: printable(getattr(finding, name), LINE_ENDS) for name in ("diagnosis", "summary", "cause")},
            "track_record": printable(finding.track_record, LINE_ENDS),
            "remedy": printable(str(finding.remedy), LINE_ENDS),
            "evidence": msgspec.json.encode(finding.evidence, order="sorted").decode(),
        }
        for r in results
        for finding in r.findings
    ]
    return pd.DataFrame(rows, columns=FINDINGS)


def _identity_columns(result: TrialResult) -> dict[str, object]:
    trial = result.trial
    return {
        "suite": trial.suite,
        "trial": trial.id,
        "dataset": trial.dataset,
        "method": trial.method,
        "seed": trial.seed,
    }
