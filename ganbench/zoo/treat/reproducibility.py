"""Whether a trial that was made again is the same to the last bit."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...contract.records import TrialResult
from ...results.store import Store
from ...results.trial_files import UnreadableTrial, read_history

# What of an environment decides the last bits.
DECISIVE = ("ganbench", "python", "torch", "numpy", "platform", "processor", "cores")


def difference(then: Store, before: TrialResult, now: Store, after: TrialResult) -> str:
    """Where the histories of two results part; empty where they agree. Raises UnreadableTrial.

    Columns that only one of them has, as where a diagnosis measures more by now, are not compared.
    """
    if (before.status, before.steps) != (after.status, after.steps):
        return f"{before.status} after {before.steps} steps then, {after.status} after {after.steps} now"
    old, new = (read_history(s.folder_of(r.trial.id)).columns for s, r in ((then, before), (now, after)))
    rows, rows_now = len(old["step"]), len(new["step"])
    if rows != rows_now:
        return f"{rows} observations then, {rows_now} now"
    parted = {}
    for name in old.keys() & new.keys():
        apart = ~np.equal(old[name], new[name]) & ~(np.isnan(old[name]) & np.isnan(new[name]))
        if apart.any():
            parted[name] = int(old["step"][apart.argmax()])
    if not parted:
        return ""
    first = min(parted, key=lambda name: (parted[name], name))
    more = f", and {len(parted) - 1} more of its columns" if len(parted) > 1 else ""
    return f"its history differs: {first!r} from step {parted[first]} on{more}"


def has_history(store: Store, result: TrialResult) -> bool:
    """Whether there is a history to compare with."""
    try:
        read_history(store.folder_of(result.trial.id))
    except UnreadableTrial:
        return False
    return True


def changes(then: Mapping[str, object], now: Mapping[str, object]) -> str:
    """What has changed between two environments, as the end of a line."""
    changed = [f"{key} {then.get(key)} then, {now.get(key)} now" for key in DECISIVE if then.get(key) != now.get(key)]
    return "; ".join(changed) or "the environments are alike: was it another number of threads?"
