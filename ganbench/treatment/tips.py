"""Folk remedies, one of them drawn for a trial: what a recommendation has to do better than."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Sequence
from functools import cache
from importlib.resources import files

from ..catalog import Catalog
from ..errors import RequestError
from ..records import Trial
from .remedies import settings_of, treated


@cache
def tips() -> tuple[str, ...]:
    """The remedies of tips.toml, which says where each comes from."""
    text = files(__package__).joinpath("tips.toml").read_text(encoding="utf-8")
    return tuple(tip["remedy"] for tip in tomllib.loads(text)["tips"])


def drawn(
    trial: Trial, remedies: Sequence[str], catalog: Catalog, other_than: Trial | None = None
) -> tuple[str, Trial] | None:
    """One of `remedies`, drawn by the trial's id, the same one every time; and the trial that tries it.

    One that does not serve the trial, changes nothing of it or makes it the trial `other_than` is drawn again. None
    where no other is left.
    """
    avoided = settings_of(other_than) if other_than else None
    shuffled = random.Random(trial.id).sample(remedies, len(remedies))
    for remedy in dict.fromkeys(shuffled):
        try:
            made = treated(trial, remedy, catalog)
        except RequestError:
            continue
        if settings_of(made) != avoided:
            return remedy, made
    return None
