"""Whether a rerun trial is the same to the last bit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...contract.records import TrialResult
from ...results.store import Store
from ...results.trial_files import UnreadableTrial, read_history

# Facts of an environment that decide the last bits of a result.
DECIDING_FACTS = ("ganbench", "python", "torch", "numpy", "platform", "processor", "cores")


def difference(then: Store, before: TrialResult, now: Store, after: TrialResult) -> str:
    """Return where the histories of two results differ; empty if they agree. Raises UnreadableTrial.

    Columns that only one of them has, since a diagnosis measures more now, are not compared.
    """
    if (before.status, before.steps) != (after.status, after.steps):
        return f"{before.status} after {before.steps} steps then, {after.status} after {after.steps} now"
    old, new = (read_history(s.folder_of(r.trial.id)).columns for s, r in ((then, before), (now, after)))
    rows, rows_now = len(old["step"]), len(new["step"])
    if rows != rows_now:
        return f"{rows} observations then, {rows_now} now"
    differing = {}
    for name in old.keys() & new.keys():
        differs = ~np.equal(old[name], new[name]) & ~(np.isnan(old[name]) & np.isnan(new[name]))
        if differs.any():
            differing[name] = int(old["step"][differs.argmax()])
    if not differing:
        return ""
    first = min(differing, key=lambda name: (differing[name], name))
    more = f", and {len(differing) - 1} more of its columns" if len(differing) > 1 else ""
    return f"its history differs: {first!r} from step {differing[first]} on{more}"


def has_history(store: Store, result: TrialResult) -> bool:
    """Return whether there is a history to compare with."""
    try:
        read_history(store.folder_of(result.trial.id))
    except UnreadableTrial:
        return False
    return True


def changes(then: Mapping[str, object], now: Mapping[str, object]) -> str:
    """Return what has changed between two environments, as the end of a line."""
    changed = [
        f"{key} {then.get(key)} then, {now.get(key)} now" for key in DECIDING_FACTS if then.get(key) != now.get(key)
    ]
    return "; ".join(changed) or "the environments are the same: was the number of threads another?"
