"""From findings to the remedies that they recommend, and from a remedy to the trial that tries it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from ...contract.errors import RequestError
from ...contract.records import Finding, Remedy, Trial
from ...registry.registry import Registry
from ...suite.expand import with_overrides
from ...suite.parse import MethodEntry, parse_method

NO_SETTINGS, NO_CHANGE = "remedy has no settings", "remedy changes nothing"


def recommended(findings: Sequence[Finding]) -> list[Finding]:
    """Return the findings of failures by confidence; in place of one that names a cause, the finding of the cause."""
    failures = sorted((f for f in findings if f.severity == "failure"), key=lambda f: -f.confidence)
    return list({finding.diagnosis: finding for finding in (_cause(f, findings) for f in failures)}.values())


def _cause(finding: Finding, findings: Sequence[Finding]) -> Finding:
    """The finding at the root of a chain of causes; the finding itself if it names no cause."""
    followed = {finding.diagnosis}
    while finding.cause not in followed and (causes := [f for f in findings if f.diagnosis == finding.cause]):
        finding = max(causes, key=lambda cause: cause.confidence)
        followed.add(finding.diagnosis)
    return finding


def treated(trial: Trial, remedy: Remedy, registry: Registry) -> Trial:
    """Return the trial with the settings of a remedy in place of its own, as the method "<its method> + <remedy>".

    What a remedy names is replaced whole: a component with its options, the list of regularizers, an optimizer with its
    defaults.

    Raises:
        RequestError: The remedy has no settings, names what does not exist, changes nothing, or cannot serve the trial.
    """
    entry = parse_method(_settings(remedy), "[remedy]")
    made = with_overrides(trial, f"{trial.method} + {remedy}", entry, registry, "[remedy]")
    if settings_of(made) == settings_of(trial):
        raise RequestError(NO_CHANGE)
    if why := registry.why_skipped(made):
        raise RequestError(f"remedy does not serve: {why}")
    return made


def unchanged(trial: Trial, registry: Registry) -> Trial:
    """Return the trial as it is, under a name of its own."""
    return with_overrides(trial, f"{trial.method} + unchanged", MethodEntry({}), registry, trial.id)


def settings_of(trial: Trial) -> bytes:
    """Return what a remedy may change as bytes, equal for equal settings."""
    return msgspec.json.encode((trial.components, trial.training), order="deterministic")


def _settings(remedy: Remedy) -> Mapping[str, Any]:
    if not remedy.settings:
        raise RequestError(NO_SETTINGS)
    return remedy.settings
