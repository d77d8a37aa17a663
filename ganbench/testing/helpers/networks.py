"""Checks that generators and discriminators share."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.func import functional_call

from ...contract.records import DataSpec
from ...training.noise import sample_noise
from ..candidate import Candidate, samples_of
from ..check import ContractError

BATCH_SIZES = (1, 2, 64)

Inputs = tuple[Tensor, Tensor | None]


def inputs_for(candidate: Candidate, network: Any, spec: DataSpec, n: int, seed: int = 0) -> Inputs:
    """Return `n` noise vectors for a generator or samples for a discriminator, and labels if the data has classes."""
    batch = samples_of(spec, n, seed)
    if candidate.entry.kind == "discriminator":
        return batch.x, batch.labels
    return sample_noise(network, n, torch.Generator().manual_seed(seed)), batch.labels


def round_up_to_pack(network: Any, n: int) -> int:
    """Return `n`, rounded up to a multiple of the network's `pack`."""
    pack = int(getattr(network, "pack", 1))
    return -(-n // pack) * pack


def check_training_mode(candidate: Candidate) -> None:
    """Raise ContractError if a new network is in evaluation mode and behaves otherwise in it: nothing turns that off."""
    network = candidate.build(candidate.specs()[0])
    normalization, dropout = nn.modules.batchnorm._BatchNorm, nn.modules.dropout._DropoutNd
    layers = {type(part).__name__ for part in network.modules() if isinstance(part, normalization | dropout)}
    if layers and not network.training:
        raise ContractError(
            f"is in evaluation mode when it is built: its {', '.join(sorted(layers))} would never be in use",
            cause="eval() is called in __init__",
            fix="leave the mode to the training loop",
        )


def check_output(output: Any, shape: tuple[int, ...], device: str = "cpu") -> None:
    """Raise ContractError unless `output` is a finite float32 tensor of `shape` on `device`."""
    if not isinstance(output, Tensor):
        raise ContractError(
            f"returns {type(output).__name__}, not a tensor",
            cause="forward returns several values, or none",
            fix="return one tensor from forward",
        )
    if tuple(output.shape) != shape:
        raise ContractError(
            f"returns shape {tuple(output.shape)} where {shape} is expected",
            cause="a missing reshape or squeeze; (N, 1) would broadcast against (N,) to (N, N)",
            fix="return one row for each sample, in the shape that the data spec states; logits are (N,)",
        )
    if output.dtype != torch.float32:
        raise ContractError(
            f"returns {output.dtype} where torch.float32 is expected".replace("torch.", ""),
            cause="a constant or a buffer of another type",
            fix="create constants as float32, or cast the output",
        )
    if output.device.type != device:
        raise ContractError(
            f"returns a tensor on {output.device} for input on {device}",
            cause="a tensor made in forward without `device=x.device`, or a constant that is no buffer",
            fix="register constants as buffers and create tensors on the input's device",
        )
    if not torch.isfinite(output).all():
        raise ContractError(
            "returns values that are not finite",
            cause="a division by zero or a logarithm of zero, often for a batch of one sample",
            fix="add an epsilon, and handle statistics of a single sample",
        )


def check_sizes(candidate: Candidate, shape_of: Callable[[Any, DataSpec, int], tuple[int, ...]]) -> None:
    """Check shape, dtype, device and finiteness of the output for every batch size, in both modes."""
    for spec in candidate.specs():
        network = candidate.build(spec)
        for training in (True, False):
            network.train(training)
            for size in BATCH_SIZES:
                n = round_up_to_pack(network, size)
                if training and n == 1 and _has_batch_statistics(network):
                    continue  # batch normalization is undefined for one sample
                with torch.no_grad():
                    check_output(network(*inputs_for(candidate, network, spec, n)), shape_of(network, spec, n))


def _has_batch_statistics(network: nn.Module) -> bool:
    return any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules())


def check_gradients(candidate: Candidate) -> None:
    """Check that every trainable weight gets a finite gradient."""
    spec = candidate.specs()[0]
    network = candidate.build(spec)
    output = network(*inputs_for(candidate, network, spec, round_up_to_pack(network, 64)))
    (output * torch.linspace(0.5, 1.5, output.numel()).view_as(output)).sum().backward()
    for name, weight in network.named_parameters():
        if not weight.requires_grad:
            continue
        if weight.grad is None:
            raise ContractError(
                f"no gradient reaches {name!r}",
                cause="the weight is not used in forward, or only under detach() or no_grad()",
                fix="use it, remove it, or freeze it with requires_grad_(False)",
            )
        if not torch.isfinite(weight.grad).all():
            raise ContractError(
                f"the gradient of {name!r} is not finite",
                cause="a square root or norm at zero, or an overflow",
                fix="add an epsilon inside the root",
            )


def check_frozen(candidate: Candidate) -> None:
    """Check that frozen weights get no gradient, and that the input still does."""
    spec = candidate.specs()[0]
    network = candidate.build(spec)
    for weight in network.parameters():
        weight.requires_grad_(False)
    x, labels = inputs_for(candidate, network, spec, round_up_to_pack(network, 4))
    output = network(x.requires_grad_(True), labels)
    if output.requires_grad:
        output.sum().backward()
    unfrozen = [name for name, weight in network.named_parameters() if weight.grad is not None or weight.requires_grad]
    if unfrozen:
        raise ContractError(
            f"a gradient is computed for {unfrozen[0]!r} while the network is frozen",
            cause="forward turns requires_grad on",
            fix="leave requires_grad to the training loop, which freezes the player whose turn it is not",
        )
    if x.grad is None or not x.grad.any():
        raise ContractError(
            "no gradient reaches the input while the network is frozen",
            cause="a detach() or no_grad() in forward, or an operation without a gradient",
            fix="let the gradient through: G is trained through D's input",
        )


def check_state(candidate: Candidate) -> None:
    """Check that a copy into which its state_dict is loaded gives the same output."""
    spec = candidate.specs()[0]
    network, other = candidate.build(spec, seed=0), candidate.build(spec, seed=1)
    n = round_up_to_pack(network, 4)
    with torch.no_grad():
        for _ in range(2):
            network(
                *inputs_for(candidate, network, spec, n, seed=5)
            )  # so that buffers differ from their initial values
        state = load(save({name: t.contiguous() for name, t in network.state_dict().items()}))
        other.load_state_dict(state)
        given = inputs_for(candidate, network, spec, n)
        if not torch.equal(network.eval()(*given), other.eval()(*given)):
            raise ContractError(
                "its output differs after its state_dict is loaded into a new copy",
                cause="forward depends on something that is neither a parameter nor a buffer",
                fix="make it nn.Parameter, or register_buffer",
            )


def check_functional(candidate: Candidate) -> None:
    """Check that functional calls, copies and repeated calls give the same output in evaluation mode."""
    spec = candidate.specs()[0]
    network = candidate.build(spec).eval()
    given = inputs_for(candidate, network, spec, round_up_to_pack(network, 4))
    state = {name: t.detach() for name, t in [*network.named_parameters(), *network.named_buffers()]}
    with torch.no_grad():
        here = network(*given)
        ways = {
            "as a function of its weights (torch.func.functional_call)": functional_call(network, state, given),
            "as a deep copy": copy.deepcopy(network)(*given),
            "a second time": network(*given),
        }
    for how, there in ways.items():
        if not torch.equal(here, there):
            raise ContractError(
                f"its output differs when it is called {how}",
                cause="state kept outside parameters and buffers, or changed by forward in evaluation mode",
                fix="keep all state in parameters and buffers, and change buffers in training mode only",
            )


def describe(candidate: Candidate) -> Any:
    """Return the first outputs of a newly built network, in training mode and in evaluation mode."""
    spec = candidate.specs()[0]
    network = candidate.build(spec)
    given = inputs_for(candidate, network, spec, round_up_to_pack(network, 4))
    with torch.no_grad():
        return [network(*given).flatten().tolist()[:64], network.eval()(*given).flatten().tolist()[:64]]


def check_cuda(candidate: Candidate) -> None:
    """Check that the network works on a CUDA device."""
    spec = candidate.specs()[0]
    network = candidate.build(spec).to("cuda")
    x, labels = inputs_for(candidate, network, spec, round_up_to_pack(network, 4))
    output = network(x.cuda(), None if labels is None else labels.cuda())
    check_output(output, tuple(output.shape), "cuda")
