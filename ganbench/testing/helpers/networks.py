"""Checks that generators and discriminators share."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor, nn
from torch.func import functional_call

from ...contract.outputs import read_outputs
from ...contract.records import Batch, DataSpec
from ...training.data import samples_of
from ...training.discriminator import combine_of, condition_argument
from ...training.noise import sample_noise
from ..candidate import Candidate
from ..check import ContractError

BATCH_SIZES = (1, 2, 64)


def inputs_for(candidate: Candidate, network: Any, spec: DataSpec, n: int, seed: int = 0) -> Batch:
    """Return noise for a generator or samples for a discriminator as `x`, with labels and conditions if the data has any."""
    batch = samples_of(spec, n, seed)
    if candidate.entry.kind == "discriminator":
        return batch
    return batch.with_x(sample_noise(network, n, torch.Generator().manual_seed(seed)))


def run(candidate: Candidate, network: Any, given: Batch, call: Callable[..., Any] | None = None) -> list[Tensor]:
    """Return what a network makes of its input: the samples of a generator, or each head of a discriminator.

    `call` takes what `network` takes, in its place. Raises ContractError for what is neither.
    """
    returned = (call or network)(given.x, given.labels, **condition_argument(network, given.condition))
    if candidate.entry.kind == "discriminator":
        try:
            return list(read_outputs(returned, combine_of(network)).heads)
        except (TypeError, ValueError) as error:
            raise ContractError(
                str(error),
                cause="forward returns features beside logits, or none, or `combine` is neither 'mean' nor 'sum'",
                fix='return logits, a map or a list of them, or {"logits": ..., "features": ...}',
            ) from error
    if not isinstance(returned, Tensor):
        raise ContractError(
            f"returns {type(returned).__name__}, not a tensor",
            cause="forward returns several values, or none",
            fix="return one tensor from forward",
        )
    return [returned]


def with_equal_conditions(given: Batch) -> Batch:
    """Return the batch with the label and the condition of its first sample for all."""
    first = given[torch.zeros(len(given), dtype=torch.int64)]
    return Batch(given.x, first.labels, first.condition, given.z)


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


def check_output(output: Tensor, shape: tuple[int, ...], device: str = "cpu") -> None:
    """Raise ContractError unless `output` is a finite float32 tensor of `shape` on `device`."""
    if tuple(output.shape) != shape:
        raise ContractError(
            f"returns shape {tuple(output.shape)} where {shape} is expected",
            cause="a missing reshape or squeeze, or rows and columns exchanged",
            fix="return one row for each sample, in the shape that the data spec states; logits are (N,), or maps (N, ...)",
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


def check_sizes(candidate: Candidate, shape_of: Callable[[Any, DataSpec, int, Tensor], tuple[int, ...]]) -> None:
    """Check shape, dtype, device and finiteness of every output, for every batch size, in both modes."""
    for spec in candidate.specs():
        network = candidate.build(spec)
        for training in (True, False):
            network.train(training)
            for size in BATCH_SIZES:
                n = round_up_to_pack(network, size)
                if training and n == 1 and _has_batch_statistics(network):
                    continue  # batch normalization is undefined for one sample
                with torch.no_grad():
                    for output in run(candidate, network, inputs_for(candidate, network, spec, n)):
                        check_output(output, shape_of(network, spec, n, output))


def _has_batch_statistics(network: nn.Module) -> bool:
    return any(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in network.modules())


def check_gradients(candidate: Candidate) -> None:
    """Check that every trainable weight gets a finite gradient."""
    spec = candidate.specs()[0]
    network = candidate.build(spec)
    outputs = run(candidate, network, inputs_for(candidate, network, spec, round_up_to_pack(network, 64)))
    total = torch.stack([_weighted_sum(output) for output in outputs]).sum()
    if not total.requires_grad:
        raise ContractError(
            "no gradient reaches any of its weights",
            cause="it is built frozen, computes under no_grad(), or keeps its layers in a plain list",
            fix="leave requires_grad as it is, return what forward computes, and keep layers in nn.ModuleList",
        )
    total.backward()
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


def _weighted_sum(output: Tensor) -> Tensor:
    return (output * torch.linspace(0.5, 1.5, output.numel()).view_as(output)).sum()


def check_frozen(candidate: Candidate) -> None:
    """Check that frozen weights get no gradient, and that the input still does."""
    spec = candidate.specs()[0]
    network = candidate.build(spec)
    for weight in network.parameters():
        weight.requires_grad_(False)
    given = inputs_for(candidate, network, spec, round_up_to_pack(network, 4))
    source = given.x if given.x.numel() or given.condition is None else given.condition  # of a G without noise
    source.requires_grad_(True)
    for output in run(candidate, network, given):
        if output.requires_grad:
            output.sum().backward(retain_graph=True)
    unfrozen = [name for name, weight in network.named_parameters() if weight.grad is not None or weight.requires_grad]
    if unfrozen:
        raise ContractError(
            f"a gradient is computed for {unfrozen[0]!r} while the network is frozen",
            cause="forward turns requires_grad on",
            fix="leave requires_grad to the training loop, which freezes the player whose turn it is not",
        )
    if source.grad is None or not source.grad.any():
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
            run(candidate, network, inputs_for(candidate, network, spec, n, seed=5))  # so that buffers are not initial
        state = load(save({name: t.contiguous() for name, t in network.state_dict().items()}))
        other.load_state_dict(state)
        given = inputs_for(candidate, network, spec, n)
        if not _all_equal(run(candidate, network.eval(), given), run(candidate, other.eval(), given)):
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

    def call_functional(*args: Any, **kwargs: Any) -> Any:
        return functional_call(network, state, args, kwargs)

    with torch.no_grad():
        here = run(candidate, network, given)
        ways = {
            "as a function of its weights (torch.func.functional_call)": run(
                candidate, network, given, call_functional
            ),
            "as a deep copy": run(candidate, copy.deepcopy(network), given),
            "a second time": run(candidate, network, given),
        }
    for how, there in ways.items():
        if not _all_equal(here, there):
            raise ContractError(
                f"its output differs when it is called {how}",
                cause="state kept outside parameters and buffers, or changed by forward in evaluation mode",
                fix="keep all state in parameters and buffers, and change buffers in training mode only",
            )


def _all_equal(some: list[Tensor], others: list[Tensor]) -> bool:
    return len(some) == len(others) and all(map(torch.equal, some, others))


def describe(candidate: Candidate) -> Any:
    """Return the first outputs of a newly built network, in training mode and in evaluation mode."""
    spec = candidate.specs()[0]
    network = candidate.build(spec)
    given = inputs_for(candidate, network, spec, round_up_to_pack(network, 4))
    with torch.no_grad():
        outputs = [*run(candidate, network, given), *run(candidate, network.eval(), given)]
        return [output.flatten().tolist()[:64] for output in outputs]


def check_cuda(candidate: Candidate) -> None:
    """Check that the network works on a CUDA device."""
    spec = candidate.specs()[0]
    network = candidate.build(spec).to("cuda")
    for output in run(
        candidate, network, inputs_for(candidate, network, spec, round_up_to_pack(network, 4)).to("cuda")
    ):
        check_output(output, tuple(output.shape), "cuda")
