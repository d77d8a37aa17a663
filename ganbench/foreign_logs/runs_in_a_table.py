"""The runs that share one table, told apart by columns such as `run`, `trial` or `seed`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from .gathering import Gathering
from .log import Log, NothingToRead, printable

PLACES = ("suite", "dataset", "method", "seed")  # what a finding says of its run beside the run's name
TELLING = ("trial", "run", "experiment", *PLACES)
MOST = 200  # runs; more values than this tell no runs apart

Key = tuple[tuple[str, str], ...]  # what tells a run from others, and the cell that does
Rows = Sequence[Sequence[str]]


class Runs:
    """Deals out rows to a `Gathering` for each run."""

    def __init__(self, path: Path, name: str) -> None:
        self._path = path
        self._name = name
        self._gatherings: dict[Key, Gathering] = {}
        self._left_out = 0  # rows of runs beyond the most there can be

    def deal(self, header: Sequence[str], rows: Rows) -> Iterator[tuple[Gathering, Rows]]:
        """The rows of each run, in their order."""
        names = {raw.lower(): column for column, raw in reversed(list(enumerate(header)))}
        telling = [(told, names[told]) for told in TELLING if told in names]
        dealt: dict[Key, list[Sequence[str]]] = {} if telling else {(): list(rows)}
        for row in rows if telling else ():
            key = tuple((told, row[at].strip() if at < len(row) else "") for told, at in telling)
            dealt.setdefault(key, []).append(row)
        for key, mine in dealt.items():
            if key not in self._gatherings and len(self._gatherings) == MOST:
                self._left_out += len(mine)
            elif mine:
                yield self._gatherings.setdefault(key, Gathering(self._name_of(key), self._path)), mine

    def finish(self) -> list[Log]:
        """The logs of all runs that have one. Raises NothingToRead where none has."""
        logs, reasons = [], []
        for key, gathering in self._gatherings.items():
            if self._left_out:
                gathering.notes.append(f"the table holds more than {MOST} runs: {self._left_out} rows were left out")
            gathering.place = _place(key)
            try:
                logs.append(gathering.finish())
            except NothingToRead as reason:
                reasons.append(reason)
        if not logs:
            raise reasons[0] if reasons else NothingToRead("it holds no rows")
        return logs

    def _name_of(self, key: Key) -> str:
        told = dict(key)
        own = next((told[what] for what in ("trial", "run", "experiment") if told.get(what)), None)
        others = [told[what] for what in PLACES if told.get(what)]
        return own or "-".join([self._name, *others])


def _place(key: Key) -> dict[str, object]:
    told = {what: printable(text) for what, text in key if what in PLACES}
    seed = told.pop("seed", "")
    return {**told, **({"seed": int(seed)} if seed.isascii() and seed.isdigit() and len(seed) < 16 else {})}
