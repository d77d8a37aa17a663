"""Checks of augmentations, on random samples of the data that they do not skip."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...contract.components import Augmentation
from ...contract.records import Batch
from ...contract.state import load_state, state_of
from ...training.data import samples_of
from ..candidate import Candidate
from ..check import BASIC, ContractError, behaviour, check

N = 6


def stream(seed: int = 0) -> torch.Generator:
    """Return the stream that an augmentation draws from."""
    return torch.Generator().manual_seed(seed)


def adapted(candidate: Candidate) -> Augmentation:
    """Return the augmentation of the first data, after D has told every training image for a while."""
    augmentation: Augmentation = candidate.build_for_data()
    for _ in range(8):
        augmentation.adapt(torch.ones(N))
    return augmentation


@check("augmentation", basic=True)
def keeps_shape_and_labels(candidate: Candidate) -> None:
    """It returns as many samples of the same shape, float32 and finite, with their labels; the given ones stay."""
    for spec in candidate.specs():
        batch = samples_of(spec, N)
        before = batch.x.clone()
        made = candidate.build(spec)(batch, stream())
        if not isinstance(made, Batch):
            raise ContractError(
                f"returns {type(made).__name__}, where a ganbench.Batch is expected",
                cause="it returns the samples alone",
                fix="return batch.with_x(x)",
            )
        if made.x.shape != batch.x.shape or made.x.dtype != torch.float32 or not made.x.isfinite().all():
            raise ContractError(
                f"makes samples {tuple(made.x.shape)} of {made.x.dtype} from {tuple(batch.x.shape)}, or not finite ones",
                cause="a crop, a dtype of random numbers, or a division by zero",
                fix="return float32 samples of the same shape",
            )
        if made.labels is not batch.labels:
            raise ContractError(
                "returns the samples without their labels", cause="a new Batch", fix="return batch.with_x(x)"
            )
        if not torch.equal(batch.x, before):
            raise ContractError(
                "changes the samples that it is given",
                cause="an in-place operation on batch.x",
                fix="compute into a new tensor",
            )


@check("augmentation")
def lets_gradients_through(candidate: Candidate) -> None:
    """The gradient reaches the samples through it, and can be differentiated again, as gradient penalties do."""
    for spec in candidate.specs():
        batch = samples_of(spec, N)
        x = batch.x.clone().requires_grad_()
        made: Tensor = candidate.build(spec)(batch.with_x(x), stream()).x
        scale = torch.ones((), requires_grad=True)
        gradient = None
        if made.requires_grad:
            value = (scale * made).tanh().sum()
            (gradient,) = torch.autograd.grad(value, x, create_graph=True, allow_unused=True)
        if gradient is None or not gradient.isfinite().all() or float(gradient.detach().abs().sum()) == 0:
            raise ContractError(
                "no gradient reaches the samples through it",
                cause="operations without a derivative: rounding, indices of pixels as numbers, no_grad()",
                fix="build the result from differentiable operations on batch.x",
            )
        try:
            gradient.square().sum().backward()
        except RuntimeError:
            scale.grad = None
        if scale.grad is None or not scale.grad.isfinite():
            raise ContractError(
                "its gradient cannot be differentiated again",
                cause="an operation with a first derivative only",
                fix="write it with lookups and products",
            )


@check("augmentation")
def draws_from_its_stream_alone(candidate: Candidate) -> None:
    """The same stream gives the same samples, and nothing is drawn from torch's global one."""
    augmentation = candidate.build_for_data()
    batch = samples_of(candidate.specs()[0], N)
    before = torch.get_rng_state()
    first = augmentation(batch, stream(1)).x
    if not torch.equal(before, torch.get_rng_state()):
        raise ContractError(
            "draws from torch's global stream",
            cause="torch.rand and the like without generator=stream",
            fix="pass generator=stream, device=stream.device to every random function",
        )
    if not torch.equal(first, augmentation(batch, stream(1)).x):
        raise ContractError(
            "makes other samples of the same ones and the same stream",
            cause="random numbers of another library, or something counted at each call",
            fix="draw from `stream`; change state in adapt(signs) alone",
        )


@check("augmentation", needs=(BASIC, "draws-from-its-stream-alone"))
def goes_on_from_its_state(candidate: Candidate) -> None:
    """After `adapt`, one that is built anew and given its state does the same."""
    augmentation, again = adapted(candidate), candidate.build_for_data()
    load_state(again, state_of(augmentation))
    batch = samples_of(candidate.specs()[0], N)
    if not torch.equal(augmentation(batch, stream()).x, again(batch, stream()).x):
        raise ContractError(
            "does otherwise once it is resumed",
            cause="adapt(signs) changes something that is neither a plain attribute nor in state_dict",
            fix="keep it in plain attributes, or offer state_dict and load_state_dict",
        )


@behaviour("augmentation")
def behaves(candidate: Candidate) -> Any:
    """Return what becomes of some samples, before and after it has adapted."""
    batch = samples_of(candidate.specs()[0], N)
    augmentations = candidate.build_for_data(), adapted(candidate)
    return [augmentation(batch, stream()).x.flatten().tolist() for augmentation in augmentations]
