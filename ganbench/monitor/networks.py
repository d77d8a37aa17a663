"""The loop's networks: found inside their wrappers, and run as functions of detached weights and copied buffers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from ..contract.records import NonFinite, Player
from .calls import Call, DetachedNetwork, collect_tensors

PARALLEL_WRAPPERS = (nn.DataParallel, nn.parallel.DistributedDataParallel)
MIN_CHUNK_SAMPLES = 16  # samples in a forward pass, where the loop's own batches are smaller
EVAL_CHUNK_FACTOR = 4  # times as many in evaluation mode, where samples do not depend on each other


class Networks:
    """G, D, and the running average of G where there is one.

    `generate` and `discriminator_outputs` are valid inside `with networks.snapshot()`.

    Attributes:
        generator: G, without wrappers.
        discriminator: D, without wrappers.
        evaluated: What samples are evaluated with: the running average of G, or else G.
        all: Each of them once.
    """

    def __init__(self, generator: nn.Module, discriminator: nn.Module, average: nn.Module | None) -> None:
        self.generator, self.discriminator = unwrap(generator), unwrap(discriminator)
        self.evaluated = self.generator if average is None else unwrap(average)
        self.all = [self.generator, self.discriminator, *([] if average is None else [self.evaluated])]
        self._detached: dict[nn.Module, DetachedNetwork] = {}

    @property
    def has_average(self) -> bool:
        """Whether samples are evaluated with a running average of G."""
        return self.evaluated is not self.generator

    @contextmanager
    def snapshot(self) -> Iterator[None]:
        """Use the weights as they are now, and copies of the buffers, until the block ends."""
        self._detached = {network: DetachedNetwork(network) for network in self.all}
        try:
            yield
        finally:
            self._detached = {}

    @torch.no_grad()
    def generate(
        self, call: Call, replacements: Mapping[int, Tensor], n: int, output: int, *, evaluated: bool = False
    ) -> Tensor:
        """Return `n` samples of G.

        Args:
            call: The call of G to repeat.
            replacements: New arguments by their index in the call.
            n: Samples to make.
            output: Which of the tensors that G returns holds the samples.
            evaluated: Run the running average of G, or else G, in evaluation mode; by default G as the loop runs it.
        """
        network, training = (self.evaluated, False) if evaluated else (self.generator, None)
        detached, samples = self._detached[network], []
        for chunk, size in _chunks(replacements, n, EVAL_CHUNK_FACTOR * call.n if evaluated else call.n):
            arguments: dict[int, Any] = dict(chunk)
            if not call.batched:  # a generator whose argument is the number of samples
                arguments |= {i: size for i, leaf in enumerate(call.leaves) if type(leaf) is int and leaf == call.n}
            samples.append(collect_tensors(call.repeat(detached, arguments, training))[output])
        return torch.cat(samples)

    def discriminator_outputs(
        self, call: Call, replacements: Mapping[int, Tensor], n: int, pack: int = 1
    ) -> Iterator[tuple[Any, int]]:
        """Yield what D returns for `n` samples, chunk by chunk, each with the number of its samples.

        Args:
            call: The call of D to repeat.
            replacements: New arguments by their index in the call.
            n: Samples in them.
            pack: Samples that are judged together: the first ones are repeated where some are missing in the last pack.
        """
        detached = self._detached[self.discriminator]
        if missing := -n % pack:
            again = torch.arange(missing) % n
            replacements = {i: torch.cat([x, x[again.to(x.device)]]) for i, x in replacements.items()}
        for chunk, size in _chunks(replacements, n + missing, call.n, pack):
            yield call.repeat(detached, chunk), size

    def weight_norms(self) -> tuple[Tensor, Tensor]:
        """Return the norms of D's and of G's weights."""
        return _weight_norm(self.discriminator), _weight_norm(self.generator)

    def locate_nonfinite(self, step: int) -> NonFinite:
        """Return the first weight that is not finite, D's before G's; D's output if all weights are finite."""
        players: tuple[tuple[Player, nn.Module], ...] = (
            ("discriminator", self.discriminator),
            ("generator", self.generator),
        )
        for player, network in players:
            for name, weight in network.named_parameters():
                if not bool(weight.detach().isfinite().all()):
                    return NonFinite(step, player, name, "weight")
        return NonFinite(step, "discriminator", "", "output")


# --- wrappers ----------------------------------------------------------------------------------------


def hooked_module(module: nn.Module) -> nn.Module:
    """Return the module whose hooks see the network's own inputs and outputs.

    That is inside of Fabric's wrapper, which converts inputs, and outside of a compiled one.
    """
    while (inside := _inside_fabric(module)) is not None:
        module = inside
    return module


def unwrap(module: nn.Module) -> nn.Module:
    """Return the network inside all wrappers: calling it neither synchronizes processes nor compiles anything."""
    while True:
        inside = _inside_fabric(module) or _inside_compiled(module) or _inside_parallel(module)
        if inside is None:
            return module
        module = inside


def compiled_calls(*modules: nn.Module) -> Iterator[tuple[nn.Module, object]]:
    """Yield the submodules on which `module.compile()` was called, each with its compiled call."""
    for module in modules:
        for part in module.modules():
            if (compiled := getattr(part, "_compiled_call_impl", None)) is not None:
                yield part, compiled


def _inside_fabric(module: nn.Module) -> nn.Module | None:
    children = dict(module.named_children())
    return (
        children["_forward_module"] if "_forward_module" in children and hasattr(module, "_original_module") else None
    )


def _inside_compiled(module: nn.Module) -> nn.Module | None:
    return dict(module.named_children()).get("_orig_mod")


def _inside_parallel(module: nn.Module) -> nn.Module | None:
    return module.module if isinstance(module, PARALLEL_WRAPPERS) else None


# --- running them ------------------------------------------------------------------------------------


def _chunks(
    replacements: Mapping[int, Tensor], n: int, batch: int, pack: int = 1
) -> Iterator[tuple[dict[int, Tensor], int]]:
    """Split arguments into equal chunks of about the loop's batch, which batch statistics and memory are used to."""
    count = math.ceil(n / max(batch, MIN_CHUNK_SAMPLES))
    packs = n // pack
    sizes = [(packs // count + (k < packs % count)) * pack for k in range(count)]
    split = {i: column.split(sizes) for i, column in replacements.items()}
    for k, size in enumerate(sizes):
        if size:
            yield {i: parts[k] for i, parts in split.items()}, size


def _weight_norm(network: nn.Module) -> Tensor:
    weights = [weight.detach() for weight in network.parameters()]
    return torch.stack(torch._foreach_norm(weights)).float().norm() if weights else torch.zeros(())
