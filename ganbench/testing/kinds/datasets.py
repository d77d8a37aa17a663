"""Checks of data sets."""

from __future__ import annotations

import functools
import hashlib
from typing import Any

import numpy as np
import torch
from scipy.stats import chi2
from torch import Tensor

from ...contract.adapt import provides
from ...contract.components import Dataset
from ...contract.records import Batch, DataSpec
from ...observation.wiring.data import describe_nonfinite
from ...training.data import DeviceDataset, check_condition
from ...training.loader import BatchStream
from ..candidate import Candidate
from ..check import ContractError, NotApplicable, behaviour, check

MAX_SAMPLES = 2000  # of each part, whose values are checked
MAX_SHARED = 1e-3  # share of held-out samples in the training part: real data sets have a few duplicates
NEAR_A_MODE = 0.98889  # share of a Gaussian in the plane within three standard deviations
PARTS = ("training", "held_out")
LOADED_SAMPLES, LOADED_BATCHES = 16, 3  # in a batch that is asked of a loader, and how many are looked at


@check("dataset", basic=True)
def states_its_spec(candidate: Candidate) -> None:
    """`spec` is a DataSpec of a kind, shape and range that networks can be built for."""
    dataset: Dataset = candidate.build()
    spec: object = dataset.spec
    if not isinstance(spec, DataSpec):
        raise ContractError(
            f"spec is {spec!r}",
            cause="it is not a DataSpec, or set only when samples are loaded",
            fix="set `spec = ganbench.DataSpec(...)` on the class or in __init__",
        )
    dimensions = {"points": 1, "images": 3}.get(spec.kind, len(spec.shape))  # of a kind of its own, any
    is_named = isinstance(spec.kind, str) and spec.kind not in ("", "unknown")
    if not is_named or len(spec.shape) != dimensions or min(spec.shape, default=0) < 1:
        raise ContractError(
            f"its spec states kind {spec.kind!r} and shape {spec.shape}",
            cause="the shape of a batch, or channels last",
            fix='state ("points", (dimensions,)), ("images", (channels, height, width)), or a kind of your own, without '
            "the batch",
        )
    if spec.condition is not None and min(spec.condition, default=1) < 1:
        raise ContractError(
            f"its spec states a condition of shape {spec.condition}",
            cause="a dimension without extent",
            fix="state the shape of one condition, without the batch, or None",
        )
    if spec.value_range is not None and not spec.value_range[0] < spec.value_range[1]:
        raise ContractError(
            f"its spec states the value range {spec.value_range}",
            cause="the bounds are swapped or equal",
            fix="state (low, high), or None if values are unbounded",
        )


@check("dataset", basic=True)
def samples_are_as_the_spec_says(candidate: Candidate) -> None:
    """Both parts are finite float32 samples, or uint8, of the stated shape and range, with labels in range."""
    dataset: Dataset = candidate.build()
    spec: DataSpec = dataset.spec
    for part in PARTS:
        batch = getattr(dataset, part)()
        _check_batch(part, batch, spec)
        given = {"samples": batch.x} if batch.condition is None else {"samples": batch.x, "conditions": batch.condition}
        for name, values in given.items():
            if not (where := describe_nonfinite(values)):
                continue
            raise ContractError(
                f"its {part} {name} have values that are not finite: {where}",
                cause="missing values that were read as NaN, or a division by a standard deviation of zero",
                fix="remove or fill in such rows, and scale by constants that the spec's value_range states",
            )
        x = take_evenly(batch, spec)
        low, high = spec.value_range or (-torch.inf, torch.inf)
        if x.min() < low or x.max() > high:
            raise ContractError(
                f"its {part} samples range from {float(x.min()):.4g} to {float(x.max()):.4g}, outside of {spec.value_range}",
                cause="samples are not scaled, or the spec states another range",
                fix="scale them to the stated value_range",
            )
        if float(x.std()) == 0:
            raise ContractError(
                f"its {part} samples are constant", cause="no data was read", fix="check the values that are read"
            )


def _check_batch(part: str, batch: Any, spec: DataSpec) -> None:
    if not isinstance(batch, Batch):
        raise ContractError(
            f"{part}() returns {type(batch).__name__}",
            cause="a tensor, a tuple or a loader is returned",
            fix="return ganbench.Batch(x, labels) with all samples of the part",
        )
    if batch.x.dtype not in (torch.float32, torch.uint8) or batch.x.device.type != "cpu":
        raise ContractError(
            f"its {part} samples are {batch.x.dtype} on {batch.x.device}",
            cause="numpy's float64 was kept, or samples were moved to a device",
            fix="return float32, or uint8 with a value_range, on the CPU",
        )
    if len(batch.x) == 0 or tuple(batch.x.shape[1:]) != spec.shape:
        raise ContractError(
            f"its {part} samples have shape {tuple(batch.x.shape)}, and the spec says (N, {', '.join(map(str, spec.shape))})",
            cause="a missing channel axis, or channels last",
            fix="return (N, *spec.shape)",
        )
    _check_labels(part, batch, spec)
    try:
        check_condition(batch, spec)
    except ValueError as error:
        raise ContractError(
            f"its {part} part: {error}",
            cause="batches and spec.condition do not agree",
            fix="return Batch(x, labels, condition) with conditions (N, *spec.condition), or state none",
        ) from error


def _check_labels(part: str, batch: Batch, spec: DataSpec) -> None:
    labels = batch.labels
    if (labels is None) != (spec.classes == 0):
        raise ContractError(
            f"its spec states {spec.classes} classes, and its {part} samples come {'without' if labels is None else 'with'} labels",
            cause="labels and spec.classes do not agree",
            fix="state both labels and spec.classes, or neither",
        )
    if labels is None:
        return
    if labels.shape != (len(batch.x),) or labels.dtype != torch.int64:
        raise ContractError(
            f"its {part} labels are {tuple(labels.shape)} of {labels.dtype}",
            cause="one-hot labels, or another integer type",
            fix="return int64 class numbers of shape (N,)",
        )
    if labels.min() < 0 or labels.max() >= spec.classes:
        raise ContractError(
            f"its {part} labels range from {int(labels.min())} to {int(labels.max())} for {spec.classes} classes",
            cause="labels that start at 1, or a class that the spec does not count",
            fix="number classes from 0 to spec.classes - 1",
        )


@check("dataset")
def held_out_samples_are_not_trained_on(candidate: Candidate) -> None:
    """No held-out sample is in the training part (at most 0.1 %: real data sets have a few duplicates)."""
    dataset: Dataset = candidate.build()
    training, held_out = _row_hashes(dataset.training().x), _row_hashes(dataset.held_out().x)
    shared = float(np.isin(held_out, training).mean())
    if shared > MAX_SHARED:
        raise ContractError(
            f"{shared:.1%} of its held-out samples are in the training part as well",
            cause="both parts are drawn from the same samples, or the data has few distinct values",
            fix="split first, and draw each part from its own side; if the data has few distinct values, declare this check "
            "in expected_failures",
        )


def _row_hashes(x: Tensor) -> Any:
    """Return a hash of each sample."""
    flat = np.ascontiguousarray(x.flatten(1).numpy())
    rows = flat.view(np.dtype((np.void, flat.dtype.itemsize * flat.shape[1]))).ravel()
    return np.array([hash(row.tobytes()) for row in rows])


@check("dataset")
def both_parts_are_alike(candidate: Candidate) -> None:
    """Mean and standard deviation of the two parts are close: otherwise a metric's floor is meaningless."""
    dataset: Dataset = candidate.build()
    real, held_out = (take_evenly(getattr(dataset, part)(), dataset.spec) for part in PARTS)
    scale = float(real.std())
    gaps = abs(float(real.mean() - held_out.mean())) / scale, abs(float(held_out.std()) / scale - 1)
    if max(gaps) > 0.25:
        raise ContractError(
            f"its parts differ: means by {gaps[0]:.2f} standard deviations, standard deviations by {gaps[1]:.0%}",
            cause="the parts are scaled differently, or sorted before they are split",
            fix="shuffle with a fixed seed before splitting, and scale both by the same constants",
        )


@check("dataset")
def gives_the_same_samples_again(candidate: Candidate) -> None:
    """It gives the same samples at every call, and when built again under another random seed."""
    dataset, other = candidate.build(seed=1), candidate.build(seed=2)
    torch.manual_seed(3)
    for part in PARTS:
        one, again, elsewhere = getattr(dataset, part)(), getattr(dataset, part)(), getattr(other, part)()
        if not (_same_values(one.x, again.x) and _same_values(one.x, elsewhere.x)):
            raise ContractError(
                f"its {part} samples differ at the next call or in another object",
                cause="samples drawn from a global random stream, or files read in an undefined order",
                fix="draw from torch.Generator().manual_seed(fixed number), and sort files by name",
            )


def _same_values(a: Tensor, b: Tensor) -> bool:
    """Whether two parts hold the same values; NaN is itself."""
    return a.shape == b.shape and a.dtype == b.dtype and bool(torch.equal(a.nan_to_num(), b.nan_to_num()))


@check("dataset")
def its_loader_gives_batches(candidate: Candidate) -> None:
    """If it offers `training_loader`, that yields batches of the spec without end, the same ones for the same seed."""
    dataset: Dataset = candidate.build()
    if not provides(dataset, "training_loader"):
        raise NotApplicable("it offers no training_loader(batch_size, seed): its training part fits into memory")

    def draw(seed: int) -> list[Batch]:
        make = functools.partial(dataset.training_loader, LOADED_SAMPLES, seed)
        stream = BatchStream(candidate.entry.name, make, dataset.spec, LOADED_SAMPLES, torch.device("cpu"))
        return [stream.draw() for _ in range(LOADED_BATCHES)]

    try:
        first, again = draw(1), draw(1)
    except ValueError as error:
        raise ContractError(
            str(error),
            cause="a loader that is made once and used up, or that does not ask for the batch size",
            fix="return a new iterable of ganbench.Batch with `batch_size` samples at every call",
        ) from error
    if not all(_same_values(one.x, other.x) for one, other in zip(first, again, strict=True)):
        raise ContractError(
            "its training_loader gives other batches for the same seed",
            cause="an order drawn from a global random stream",
            fix="draw the order from torch.Generator().manual_seed(seed)",
        )


@check("dataset")
def modes_are_where_it_claims(candidate: Candidate) -> None:
    """If it states modes, there are as many as the spec says, each has samples, and most samples are near one.

    Near means the radius that contains 98.9 % of a Gaussian: three sigma in the plane, more in more dimensions.
    """
    dataset: Dataset = candidate.build()
    modes, spec = dataset.modes, dataset.spec
    if modes is None:
        if spec.modes:
            raise ContractError(
                f"its spec states {spec.modes} modes, and it does not say where they are",
                cause="the attribute `modes` is missing",
                fix="set self.modes = ganbench.Modes(centres, sigma), or remove modes from the spec",
            )
        raise NotApplicable("it states no modes")
    if len(modes.centres) != spec.modes or modes.centres.shape[1:] != spec.shape:
        raise ContractError(
            f"its centres have shape {tuple(modes.centres.shape)}, and its spec states {spec.modes} modes",
            cause="spec.modes and modes.centres do not agree",
            fix="state centres of shape (spec.modes, dimensions)",
        )
    x = take_evenly(dataset.training(), spec, 50 * spec.modes)
    distance, nearest = torch.cdist(x.double(), modes.centres.double()).min(dim=1)
    radius = modes.sigma * float(chi2.ppf(NEAR_A_MODE, x.shape[1])) ** 0.5
    near = float((distance <= radius).double().mean())
    empty = int((nearest.bincount(minlength=spec.modes) == 0).sum())
    if near < 0.9 or empty:
        raise ContractError(
            f"{near:.0%} of its samples are within {radius:.3g} of a mode, and {empty} modes have none",
            cause="centres or sigma have another scale than the samples",
            fix="scale the modes like the samples",
        )


def take_evenly(batch: Batch, spec: DataSpec, n: int = MAX_SAMPLES) -> Tensor:
    """Return up to `n` samples, spread evenly over the part, as floats."""
    rows = torch.linspace(0, len(batch.x) - 1, min(n, len(batch.x))).long()
    return DeviceDataset(batch[rows], spec, torch.device("cpu")).take(torch.arange(len(rows))).x


@behaviour("dataset")
def behaves(candidate: Candidate) -> Any:
    """Return its spec and hashes of its samples."""
    dataset: Dataset = candidate.build()
    digests = [hashlib.sha256(take_evenly(getattr(dataset, part)(), dataset.spec).numpy().tobytes()) for part in PARTS]
    return [repr(dataset.spec), *(digest.hexdigest() for digest in digests)]
