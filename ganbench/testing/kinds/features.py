"""Checks of feature extractors, on random samples of the first data that they do not skip."""

from __future__ import annotations

import hashlib
import math
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ...contract.components import Features
from ...training.data import samples_of
from ..candidate import Candidate
from ..check import BASIC, ContractError, NotApplicable, behaviour, check

N_SAMPLES = 6
TOLERANCE = 1e-4  # relative to the norm of a row: sums of float32 in another order
IMAGE_RANGE = (-1.0, 1.0)


def prepare(candidate: Candidate) -> Features:
    """Build the features and find their weights. Raise NotApplicable if these are not here."""
    features: Features = candidate.build()
    try:
        features.prepare()
    except FileNotFoundError as error:
        raise NotApplicable(f"its files are not here: {error}") from error
    return features


def tried_samples(candidate: Candidate) -> list[Tensor]:
    """Return random samples (N, *shape) of each data that is not skipped; images span [-1, 1]."""
    specs = [replace(s, value_range=IMAGE_RANGE) if s.kind == "images" else s for s in candidate.specs()]
    return [samples_of(spec, N_SAMPLES).x for spec in specs]


def embed(features: Features, samples: Tensor, tap: str = "") -> Tensor:
    """Return features of copies of samples, so that a component that changes them fails its own check alone."""
    with torch.no_grad():
        return features(samples.clone(), tap)


@check("features", basic=True)
def states_its_preprocessing(candidate: Candidate) -> None:
    """`preprocessing` says in one line what is done to a sample first; `checksum` is hexadecimal or empty."""
    features = prepare(candidate)
    text: object = features.preprocessing
    if not isinstance(text, str) or not text.strip() or not text.isprintable():
        raise ContractError(
            f"preprocessing is {text!r}",
            cause="it is not stated, or takes several lines",
            fix='state it in one line: resizing, range, grey to colour; "none" where nothing is done',
        )
    checksum: object = features.checksum
    if not isinstance(checksum, str) or set(checksum) - set("0123456789abcdef"):
        raise ContractError(
            f"checksum is {checksum!r}",
            cause="a name or a version in place of a digest of the weights",
            fix="give hashlib.sha256(content of the weights).hexdigest(), or leave it empty if there are none",
        )


@check("features", basic=True)
def gives_a_row_a_sample(candidate: Candidate) -> None:
    """It returns (N, dim) in float32 on the samples' device, finite for samples that are, for 1 and for several."""
    features = prepare(candidate)
    for samples in tried_samples(candidate):
        for x in (samples, samples[:1]):
            _check_rows(embed(features, x), x, features.dim, "dim")


def _check_rows(rows: Any, x: Tensor, dim: Any, name: str) -> None:
    if isinstance(dim, bool) or not isinstance(dim, int) or dim < 0:
        raise ContractError(
            f"{name} is {dim!r}",
            cause="it is computed from samples, or no whole number",
            fix="give the length of a feature vector; 0 where it depends on the samples",
        )
    got = f"{tuple(rows.shape)} of {rows.dtype}" if isinstance(rows, Tensor) else type(rows).__name__
    if not isinstance(rows, Tensor) or rows.ndim != 2 or len(rows) != len(x) or (dim and rows.shape[1] != dim):
        raise ContractError(
            f"returns {got.replace('torch.', '')} for samples {tuple(x.shape)}, and {name} is {dim}",
            cause="maps that are not averaged, an axis of length 1 that is lost, or another layer",
            fix="return a tensor (N, dim), also for one sample",
        )
    if rows.dtype != torch.float32 or rows.device != x.device:
        raise ContractError(
            f"returns {str(rows.dtype).removeprefix('torch.')} on {rows.device} for samples on {x.device}",
            cause="a network in another precision, or a library that returns to the CPU",
            fix="return rows.float().to(samples.device)",
        )
    if not rows.isfinite().all():
        raise ContractError(
            f"returns features that are not finite for finite samples {tuple(x.shape)}",
            cause="a division by a spread of zero, or another value range",
            fix="expect samples as the contract says: images in [-1, 1]",
        )


@check("features")
def taps_are_as_stated(candidate: Candidate) -> None:
    """Each of its `taps` returns (N, dimension) as stated."""
    features = prepare(candidate)
    if not features.taps:
        raise NotApplicable("it states no taps")
    for samples in tried_samples(candidate):
        for tap, dim in features.taps.items():
            _check_rows(embed(features, samples, tap), samples, dim, f"taps[{tap!r}]")


@check("features")
def samples_matter(candidate: Candidate) -> None:
    """Different samples have different features."""
    features = prepare(candidate)
    for samples in tried_samples(candidate):
        rows = embed(features, samples)
        if torch.equal(rows, rows[:1].expand_as(rows)):
            raise ContractError(
                f"gives {len(samples)} random samples {tuple(samples.shape[1:])} the same features",
                cause="the samples are not used, or clipped to one value: images span [-1, 1]",
                fix="compute features of the samples that are given",
            )


@check("features", needs=(BASIC, "samples-matter"))
def gives_the_same_features_again(candidate: Candidate) -> None:
    """The same samples have the same features, to the last bit, at every call."""
    features = prepare(candidate)
    for samples in tried_samples(candidate):
        first = embed(features, samples)
        embed(features, samples.flip(0)[:2])
        if not torch.equal(first, embed(features, samples)):
            raise ContractError(
                f"gives samples {tuple(samples.shape)} other features at the next call",
                cause="dropout or batch statistics of a network in training mode, random crops, or state kept on self",
                fix="put the network into evaluation mode, and draw nothing",
            )


@check("features", needs=(BASIC, "gives-the-same-features-again"))
def rows_do_not_depend_on_the_batch(candidate: Candidate) -> None:
    """A sample has the same features alone and in a batch, up to rounding."""
    features = prepare(candidate)
    for samples in tried_samples(candidate):
        together = embed(features, samples)
        alone = torch.cat([embed(features, x[None]) for x in samples])
        gap = float(((alone - together).norm(dim=1) / together.norm(dim=1).clamp_min(1e-12)).max())
        if not gap <= TOLERANCE:
            raise ContractError(
                f"gives a sample {tuple(samples.shape[1:])} features that differ by {gap:.2g} of their norm alone and in a "
                f"batch of {len(samples)}",
                cause="statistics of the batch: normalization in training mode, or a mean over samples",
                fix="compute each row from its sample and fixed weights alone",
            )


@check("features", needs=(BASIC, "rows-do-not-depend-on-the-batch"))
def a_broken_sample_breaks_its_row_alone(candidate: Candidate) -> None:
    """A sample with a NaN or an infinity has features that are NaN, and no other sample has."""
    features = prepare(candidate)
    for samples in tried_samples(candidate):
        good = embed(features, samples)
        for bad in (math.nan, math.inf):
            broken = samples.clone()
            broken[2].view(-1)[0] = bad
            rows = embed(features, broken)
            others = torch.arange(len(samples)) != 2
            if not rows[2].isnan().all():
                raise ContractError(
                    f"gives a sample with a {bad} features that are not all NaN",
                    cause="clipping or rounding to bytes makes an ordinary picture of it",
                    fix="rows.masked_fill(~samples.isfinite().flatten(1).all(dim=1)[:, None], math.nan)",
                )
            if not torch.allclose(rows[others], good[others], rtol=TOLERANCE, atol=TOLERANCE * float(good.abs().max())):
                raise ContractError(
                    f"gives other samples other features if one of the batch has a {bad}",
                    cause="a sum or a norm over the batch",
                    fix="compute each row from its sample alone",
                )


@check("features")
def computes_no_gradient(candidate: Candidate) -> None:
    """What it returns needs no gradient: features of thousands of samples are kept."""
    features = prepare(candidate)
    for samples in tried_samples(candidate):
        if features(samples.clone()).requires_grad:
            raise ContractError(
                "returns features that require a gradient",
                cause="weights that are not frozen, so that each batch keeps its graph",
                fix="call the network under torch.no_grad(), or freeze it with requires_grad_(False)",
            )


@check("features")
def leaves_its_samples_alone(candidate: Candidate) -> None:
    """It does not change the samples, which other metrics score too."""
    features = prepare(candidate)
    for samples in tried_samples(candidate):
        given = samples.clone()
        with torch.no_grad():
            features(given)
        if not torch.equal(given, samples):
            raise ContractError(
                f"changes the samples {tuple(samples.shape)} that it is given",
                cause="an in-place operation, such as add_, clamp_ or mul_",
                fix="compute into a new tensor",
            )


@check("features")
def draws_nothing(candidate: Candidate) -> None:
    """Building and using it leaves torch's random stream as it was: a score must not change what is trained next."""
    samples = tried_samples(candidate)[0]
    features: Features = candidate.build()
    before = torch.get_rng_state()
    try:
        features.prepare()
    except FileNotFoundError as error:
        raise NotApplicable(f"its files are not here: {error}") from error
    embed(features, samples)
    if not torch.equal(torch.get_rng_state(), before):
        raise ContractError(
            "draws from torch's global random stream",
            cause="initial weights of a network, which are overwritten, or a projection drawn at random",
            fix="build networks under torch.device('meta') or torch.random.fork_rng(), and use a torch.Generator of your own",
        )


@behaviour("features")
def behaves(candidate: Candidate) -> Any:
    """Return what it states of itself, and a digest of its features."""
    features = prepare(candidate)
    rows = embed(features, tried_samples(candidate)[0])
    digest = hashlib.sha256(rows.contiguous().numpy().tobytes()).hexdigest()
    return [features.dim, dict(features.taps), features.preprocessing, features.checksum, digest]
