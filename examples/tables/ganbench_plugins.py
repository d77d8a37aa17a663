"""Tables with categories and missing values: a pandas table as a data set, CTGAN's networks and loss, and a metric by column.

The recipe is that of Xu et al. 2019, https://arxiv.org/abs/1907.00503. A numeric column is one value in (-1, 1) and which
of its modes the value is in; a missing value is a mode of its own, and a category of its own.
"""

from __future__ import annotations

import functools
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import ganbench

MODES = 3  # of a numeric column
PACK = 10  # rows that D judges together
MISSING = "(missing)"


@ganbench.hookimpl
def ganbench_datasets() -> Iterator[ganbench.Component]:
    yield ganbench.Component("table", Table)


@ganbench.hookimpl
def ganbench_generators() -> Iterator[ganbench.Component]:
    yield ganbench.Component("ctgan", Generator)


@ganbench.hookimpl
def ganbench_discriminators() -> Iterator[ganbench.Component]:
    yield ganbench.Component("ctgan", Discriminator)


@ganbench.hookimpl
def ganbench_losses() -> Iterator[ganbench.Component]:
    yield ganbench.Component("ctgan", CTGANLoss)


@ganbench.hookimpl
def ganbench_metrics() -> Iterator[ganbench.Component]:
    yield ganbench.Component("columns", Columns)


# --- from a table to numbers and back -----------------------------------------------------------------


@dataclass(frozen=True)
class Column:
    """A column, and where it is in a row of numbers.

    Attributes:
        name: Its name.
        start: Index of its first number.
        values: Its categories, or, of a numeric column, `""` for each mode; `MISSING` last where values are missing.
        means, widths: Of the modes of a numeric column; empty for one of categories.
    """

    name: str
    start: int
    values: tuple[str, ...]
    means: np.ndarray = field(default_factory=lambda: np.empty(0))
    widths: np.ndarray = field(default_factory=lambda: np.empty(0))

    @property
    def numeric(self) -> bool:
        return len(self.means) > 0

    @property
    def one_hot(self) -> slice:
        """Where its modes or categories are."""
        start = self.start + self.numeric
        return slice(start, start + len(self.values))


@functools.cache
def read_table(table: str) -> tuple[Any, Any]:
    """Return the training rows and the held-out rows, a fifth, as pandas data frames.

    Raises ValueError if a category is among the held-out rows alone: no generator can make it.
    """
    import pandas

    frame = {"orders": _orders, "wine": _wine}[table]() if table in ("orders", "wine") else pandas.read_csv(table)
    order = np.random.default_rng(0).permutation(len(frame))
    rows = frame.iloc[order[len(frame) // 5 :]], frame.iloc[order[: len(frame) // 5]]
    for name in frame.columns:
        if not pandas.api.types.is_numeric_dtype(frame[name]):
            unknown = sorted(set(rows[1][name].dropna()) - set(rows[0][name].dropna()))
            if unknown:
                raise ValueError(f"table {table!r}: column {name!r} holds {unknown[0]!r} in no training row")
    return rows


def _orders() -> Any:
    """5,000 orders that are made here: prices depend on products, weights on both, and some values are missing."""
    import pandas

    random = np.random.default_rng(0)
    n = 5000
    product = random.choice(3, n, p=[0.6, 0.3, 0.1])
    town = np.where(random.random(n) < 0.5, product, random.choice(4, n))
    price = np.exp(np.array([2.0, 3.0, 4.0])[product] + 0.2 * random.standard_normal(n))
    weight = np.array([1.0, 4.0, 2.0])[product] + 0.3 * random.standard_normal(n)
    frame = pandas.DataFrame({"price": price, "weight": weight})
    frame["product"] = np.array(["book", "lamp", "clock"], dtype=object)[product]
    frame["town"] = np.array(["Aachen", "Bremen", "Celle", "Dresden"], dtype=object)[town]
    frame.loc[random.random(n) < 0.15, "weight"] = np.nan
    frame.loc[random.random(n) < 0.1, "town"] = None
    return frame


def _wine() -> Any:
    """scikit-learn's wines: five measurements, the cultivar, and two columns with missing values that are made here."""
    from sklearn.datasets import load_wine

    wine = load_wine(as_frame=True).frame
    frame = wine[["alcohol", "malic_acid", "magnesium", "color_intensity", "proline"]].copy()
    frame["cultivar"] = wine["target"].map({0: "Barolo", 1: "Grignolino", 2: "Barbera"}).astype(object)
    frame["colour"] = np.where(wine["hue"] < 0.8, "pale", np.where(wine["hue"] < 1.05, "medium", "deep")).astype(object)
    random = np.random.default_rng(1)
    frame.loc[random.random(len(frame)) < 0.15, "malic_acid"] = np.nan
    frame.loc[random.random(len(frame)) < 0.1, "colour"] = None
    return frame


@functools.cache
def columns_of(table: str) -> tuple[Column, ...]:
    """Return how the columns of a table are made into numbers, from its training rows."""
    import pandas
    from sklearn.mixture import GaussianMixture

    columns, start = [], 0
    for name, values in read_table(table)[0].items():
        missing = (MISSING,) if values.isna().any() else ()
        if pandas.api.types.is_numeric_dtype(values):
            known = values.dropna().to_numpy(float)[:, None]
            mixture = GaussianMixture(MODES, random_state=0).fit(known)
            widths = 4 * np.sqrt(mixture.covariances_.ravel())
            column = Column(str(name), start, ("",) * MODES + missing, mixture.means_.ravel(), widths)
        else:
            column = Column(str(name), start, (*sorted(values.dropna().unique()), *missing))
        columns.append(column)
        start = column.one_hot.stop
    return tuple(columns)


def encode(table: str, frame: Any) -> Tensor:
    """Return rows of numbers, (N, width)."""
    parts = []
    for column in columns_of(table):
        values = frame[column.name]
        gone = values.isna().to_numpy()
        if column.numeric:
            known = np.nan_to_num(values.to_numpy(float))[:, None]
            nearest = np.abs((known - column.means) / column.widths).argmin(1)
            scaled = ((known[:, 0] - column.means[nearest]) / column.widths[nearest]).clip(-0.99, 0.99)
            parts.append(torch.from_numpy(np.where(gone, 0.0, scaled)).float()[:, None])
            index = np.where(gone, len(column.values) - 1, nearest)
        else:
            index = values.where(~gone, MISSING).map({value: i for i, value in enumerate(column.values)}).to_numpy(int)
        parts.append(F.one_hot(torch.tensor(index), len(column.values)).float())
    return torch.cat(parts, 1)


def decode(table: str, rows: Tensor) -> dict[str, np.ndarray]:
    """Return the values of each column: numbers with NaN, or categories with `MISSING`."""
    decoded = {}
    for column in columns_of(table):
        index = rows[:, column.one_hot].argmax(1).numpy()
        if column.numeric:
            gone = index >= len(column.means)
            mode = np.where(gone, 0, index)
            value = rows[:, column.start].numpy() * column.widths[mode] + column.means[mode]
            decoded[column.name] = np.where(gone, np.nan, value)
        else:
            decoded[column.name] = np.array(column.values, dtype=object)[index]
    return decoded


def told(table: str, x: Tensor) -> Tensor:
    """Return the part of rows that a condition is about: the categories, (N, conditions)."""
    return torch.cat([x[:, column.one_hot] for column in columns_of(table) if not column.numeric], 1)


class Table(ganbench.Dataset):
    """Rows of a table, each with one of its categories as the condition.

    Training rows are drawn so that rare categories are met as often as the logarithm of their number says (training by
    sampling); held-out rows are the table's own, each under one of its categories at random.

    Args:
        table: `"orders"`, `"wine"` (of 178 rows), or the path of a CSV file, which pandas reads.
        size: Rows to train on.
    """

    def __init__(self, *, table: str = "orders", size: int = 4000) -> None:
        self.table, self.size = table, size
        columns = columns_of(table)
        conditions = sum(len(column.values) for column in columns if not column.numeric)
        if not conditions:
            raise ValueError(f"table {table!r} has no column of categories to condition on")
        self.spec = ganbench.DataSpec("tabular", (columns[-1].one_hot.stop,), condition=(conditions,))

    def training(self) -> ganbench.Batch:
        """(size, width), and conditions."""
        return self._draw(self.size)

    def held_out(self) -> ganbench.Batch:
        """Each held-out row once, (N, width), and conditions."""
        rows = encode(self.table, read_table(self.table)[1])
        random = torch.Generator().manual_seed(1)
        widths = [len(column.values) for column in columns_of(self.table) if not column.numeric]
        chosen = F.one_hot(torch.randint(len(widths), (len(rows),), generator=random), len(widths))
        return ganbench.Batch(
            rows, condition=told(self.table, rows) * chosen.repeat_interleave(torch.tensor(widths), 1)
        )

    def _draw(self, n: int) -> ganbench.Batch:
        rows = encode(self.table, read_table(self.table)[0])
        categories = told(self.table, rows)
        widths = [len(column.values) for column in columns_of(self.table) if not column.numeric]
        random = torch.Generator().manual_seed(0)
        x, condition = [], []
        for _ in range(n):
            chosen = int(torch.randint(len(widths), (1,), generator=random))
            start, width = sum(widths[:chosen]), widths[chosen]
            weights = categories[:, start : start + width].sum(0).add(1).log()
            value = start + int(torch.multinomial(weights, 1, generator=random))
            fitting = categories[:, value].nonzero().flatten()
            x.append(rows[fitting[torch.randint(len(fitting), (1,), generator=random)]])
            condition.append(F.one_hot(torch.tensor([value]), categories.shape[1]))
        return ganbench.Batch(torch.cat(x), condition=torch.cat(condition).float())


# --- networks, loss, metric ---------------------------------------------------------------------------


class _DataOfTable:
    """What networks are checked on: the data of the default table, which is read when it is asked for."""

    def __get__(self, component: object, kind: type | None = None) -> tuple[ganbench.DataSpec]:
        return (Table().spec,)


def _skip_unless_table(trial: ganbench.Trial) -> str | None:
    return None if trial.data.kind == "tabular" else f"it takes rows of a table, not {trial.data.kind}"


class Generator(nn.Module):
    """Residual layers; tanh for numbers, gumbel-softmax for modes and categories."""

    check_data = _DataOfTable()
    skip = staticmethod(_skip_unless_table)
    expected_failures = dict.fromkeys(
        ("keeps-no-hidden-state", "state-survives-saving"), "gumbel-softmax draws noise at each call, as in the paper"
    )

    def __init__(
        self, data: ganbench.DataSpec, *, table: str = "orders", latent_dim: int = 32, width: int = 128
    ) -> None:
        super().__init__()
        assert data.condition is not None
        self.latent_dim, self.columns = latent_dim, columns_of(table)
        sizes = [latent_dim + data.condition[0] + i * width for i in range(3)]
        self.layers = nn.ModuleList(
            nn.Sequential(nn.Linear(size, width), nn.BatchNorm1d(width), nn.ReLU()) for size in sizes[:2]
        )
        self.last = nn.Linear(sizes[2], data.shape[0])

    def forward(self, z: Tensor, labels: Tensor | None = None, *, condition: Tensor) -> Tensor:
        """(N, latent_dim) and (N, conditions) -> (N, width)."""
        x = torch.cat([z, condition], 1)
        for layer in self.layers:
            x = torch.cat([layer(x), x], 1)
        x, parts = self.last(x), []
        for column in self.columns:
            parts += [x[:, column.start : column.start + 1].tanh()] if column.numeric else []
            parts.append(F.gumbel_softmax(x[:, column.one_hot], 0.2))
        return torch.cat(parts, 1)


class Discriminator(nn.Module):
    """One logit for PACK rows and their conditions."""

    pack = PACK
    check_data = _DataOfTable()
    skip = staticmethod(_skip_unless_table)

    def __init__(self, data: ganbench.DataSpec, *, width: int = 128) -> None:
        super().__init__()
        assert data.condition is not None
        self.net = nn.Sequential(
            *(nn.Linear(PACK * (data.shape[0] + data.condition[0]), width), nn.LeakyReLU(0.2), nn.Dropout(0.2)),
            *(nn.Linear(width, width), nn.LeakyReLU(0.2), nn.Dropout(0.2), nn.Linear(width, 1)),
        )

    def forward(self, x: Tensor, labels: Tensor | None = None, *, condition: Tensor) -> Tensor:
        """(N, width) and (N, conditions) -> logits (N / PACK,)."""
        logits: Tensor = self.net(torch.cat([x, condition], 1).reshape(len(x) // PACK, -1))
        return logits.squeeze(1)


class CTGANLoss(ganbench.Loss):
    """Wasserstein loss, and for G the cross-entropy of the category that a row was to have."""

    def __init__(self, *, table: str = "orders") -> None:
        self.table = table

    def discriminator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> Tensor:
        """E D(G) - E D(x)."""
        return d(fake).mean() - d(real).mean()

    def generator(self, d: ganbench.DiscriminatorFn, real: ganbench.Batch, fake: ganbench.Batch) -> Tensor:
        """-E D(G) - E log of the probability of the category."""
        if fake.condition is None:
            return -d(fake).mean()
        right = (told(self.table, fake.x) * fake.condition).sum(1)
        return -d(fake).mean() - right.clamp_min(1e-4).log().mean()


class Columns(ganbench.Metric):
    """How near the columns of generated rows come to those of real ones.

    - `numeric`: Wasserstein distance of a numeric column over its standard deviation, the mean over columns.
    - `categories`: total variation distance between the shares of its categories, the mean over columns.
    - `missing`: absolute difference of the share of missing values, the mean over numeric columns.
    - `obeyed`: the share of rows that have the category that was asked for.
    """

    better = {"numeric": "lower", "categories": "lower", "missing": "lower", "obeyed": "higher"}
    skip = staticmethod(_skip_unless_table)

    def __init__(self, *, table: str = "orders") -> None:
        self.table = table

    def score(self, samples: ganbench.Samples) -> dict[str, float]:
        """Score `samples.fake` against `samples.real`."""
        from scipy.stats import wasserstein_distance

        fake, real = decode(self.table, samples.fake), decode(self.table, samples.real)
        numeric, categories, missing = [], [], []
        for column in columns_of(self.table):
            a, b = fake[column.name], real[column.name]
            if column.numeric:
                missing.append(abs(np.isnan(a).mean() - np.isnan(b).mean()))
                a, b = a[~np.isnan(a)], b[~np.isnan(b)]
                numeric.append(wasserstein_distance(a, b) / b.std() if len(a) else float("inf"))
            else:
                categories.append(sum(abs((a == v).mean() - (b == v).mean()) for v in column.values) / 2)
        scores = {"numeric": numeric, "categories": categories, "missing": missing}
        means = {name: float(np.mean(values)) for name, values in scores.items() if values}
        if samples.condition is None:
            return means
        rows = told(self.table, samples.fake)
        return means | {"obeyed": float((rows * samples.condition).sum(1).gt(0.5).float().mean())}
