"""Forward hooks on the loop's networks that record their calls, and the gradients that come back to G's samples."""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_flatten
from torch.utils.hooks import RemovableHandle

from ..observation.hooks import Hook, TensorAddress
from ..observation.logits import list_tensors, locate_logits
from .calls import Call, collect_tensors, copy_leaf, count_rows, limit_rows
from .networks import hooked_module, unwrap

MAX_CALLS = 32  # of each network that are remembered, the newest
MAX_GRAPH_NODES = 512  # of an autograd graph that are visited on the way from D's input back to G
Origin = Literal["identical", "derived"]  # D was given G's samples as they are, or something computed from them


@dataclass(frozen=True, eq=False)
class GeneratorCall:
    """A call of the generator.

    Attributes:
        call: The call.
        outputs: The first rows of the tensors that it returned.
        weights_version: Differs between calls if the weights have changed in between.
    """

    call: Call
    outputs: tuple[Tensor, ...]
    weights_version: int


@dataclass(frozen=True, eq=False)
class DiscriminatorCall:
    """A call of the discriminator.

    Attributes:
        call: The call.
        generated: The call of G that its samples come from; None where they do not, or it is not known.
        origin: How the samples come from it.
        argument: Index of the samples among the leaves of the call.
        output: Which of the tensors that G returned they are.
        trains_g: Whether a gradient of the logits would reach G.
        requires_grad: Whether any argument requires a gradient, for G or for a penalty.
    """

    call: Call
    generated: GeneratorCall | None
    origin: Origin | None
    argument: int | None
    output: int
    trains_g: bool
    requires_grad: bool


@dataclass(frozen=True, eq=False)
class Gradient:
    """The gradient of a loss that came back to the samples of a call of D.

    Attributes:
        discriminator_call: The call.
        norm_sum: Sum of the norms of all samples' gradients, times the loss's scale.
        rows: The gradients of the samples that are recorded, flattened.
        loss_scale: What the loop multiplied the loss by.
    """

    discriminator_call: DiscriminatorCall
    norm_sum: Tensor
    rows: Tensor
    loss_scale: Tensor | float


@dataclass
class Captured:
    """The newest calls and gradients since the capture was started, in order.

    Attributes:
        generator_calls, discriminator_calls, gradients: They.
        pack: Samples that D judges together.
    """

    generator_calls: deque[GeneratorCall] = field(default_factory=lambda: deque(maxlen=MAX_CALLS))
    discriminator_calls: deque[DiscriminatorCall] = field(default_factory=lambda: deque(maxlen=MAX_CALLS))
    gradients: deque[Gradient] = field(default_factory=lambda: deque(maxlen=MAX_CALLS))
    pack: int = 1

    @property
    def both_called(self) -> bool:
        """Whether both networks have been called."""
        return bool(self.generator_calls and self.discriminator_calls)

    def trim_to_packs(self) -> Captured:
        """Return the same, with as many rows of each call of D as make whole packs."""
        if self.pack == 1:
            return self
        whole = {
            d: replace(d, call=d.call.slice_rows(_whole(d.call.n_kept, self.pack))) for d in self.discriminator_calls
        }
        gradients = [
            replace(g, discriminator_call=whole.get(g.discriminator_call, g.discriminator_call)) for g in self.gradients
        ]
        return Captured(self.generator_calls, deque(whole.values()), deque(gradients), self.pack)


class Capture:
    """Hooks on the two networks: while it is active, they fill `captured`; otherwise there are none.

    Args:
        generator, discriminator: The modules that the loop calls.
        loss_scale: Returns what the loop multiplies the loss by in a call of D.
        on_error: Called with an exception of a hook, which the loop never sees.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        loss_scale: Callable[[Call], Tensor | float],
        on_error: Callable[[Exception], None],
    ) -> None:
        self.captured = Captured()
        self._generator, self._discriminator = generator, discriminator
        self._networks = unwrap(generator), unwrap(discriminator)
        self._loss_scale, self._on_error = loss_scale, on_error
        self._handles: list[RemovableHandle] = []
        self._recent: deque[tuple[GeneratorCall, list[TensorAddress]]] = deque(maxlen=MAX_CALLS)
        self._metadata_key = f"ganbench.Monitor {id(self)}"
        self._hooked: list[weakref.ref[Tensor]] = []

    @property
    def active(self) -> bool:
        return bool(self._handles)

    def start(self) -> None:
        """Put hooks on both modules and forget what was captured before."""
        self.stop()
        self.clear()
        on_generator = Hook(self._record_generator_call, self._on_error)
        on_discriminator = Hook(self._record_discriminator_call, self._on_error)
        self._handles = [
            hooked_module(self._generator).register_forward_hook(on_generator, with_kwargs=True),
            hooked_module(self._discriminator).register_forward_pre_hook(on_discriminator, with_kwargs=True),
            hooked_module(self._discriminator).register_forward_hook(Hook(self._record_pack, self._on_error)),
        ]

    def stop(self) -> None:
        """Take the hooks off; what was captured stays until `clear`."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self._recent.clear()
        self._hooked = []

    def clear(self) -> None:
        """Forget what was captured."""
        self.captured = Captured()

    def _record_generator_call(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        tensors = collect_tensors(output)
        if module is not hooked_module(self._generator) or not tensors:  # a shallow copy shares its hooks
            return
        n = count_rows(next((tensor for tensor in tensors if tensor.ndim > 1), tensors[0]))
        if n == 0:  # an empty batch shows nothing
            return
        n_kept = limit_rows([tensor for tensor in tensors if count_rows(tensor) == n], n)
        generated = GeneratorCall(
            Call.record(self._networks[0], args, kwargs, n),
            tuple(copy_leaf(tensor, n_kept if count_rows(tensor) == n else None) for tensor in tensors),
            sum(weight._version for weight in self._networks[0].parameters()),
        )
        self.captured.generator_calls.append(generated)
        self._recent.append((generated, [TensorAddress(tensor) for tensor in tensors]))
        for tensor in tensors:
            node: Any = tensor.grad_fn
            if node is not None:  # marked and not held: holding a node holds all activations of G
                node.metadata[self._metadata_key] = generated

    def _record_discriminator_call(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        tensors = collect_tensors((args, kwargs))
        if module is not hooked_module(self._discriminator) or not tensors:
            return
        n = count_rows(
            next((tensor for tensor in tensors if tensor.ndim > 1 and tensor.is_floating_point()), tensors[0])
        )
        if n == 0:
            return
        call = Call.record(self._networks[1], args, kwargs, n)
        leaves = tree_flatten((args, kwargs))[0]
        generated, origin, argument, output = self._find_origin(leaves)
        trains_g = argument is not None and leaves[argument].grad_fn is not None and torch.is_grad_enabled()
        requires_grad = any(tensor.requires_grad for tensor in tensors)
        discriminator_call = DiscriminatorCall(call, generated, origin, argument, output, trains_g, requires_grad)
        self.captured.discriminator_calls.append(discriminator_call)
        if trains_g and argument is not None:
            self._record_gradient(leaves[argument], discriminator_call)

    def _record_pack(self, module: nn.Module, args: Any, output: Any) -> None:
        """Note how many samples D judges together; arguments are copied before it runs, since it may change them."""
        calls = self.captured.discriminator_calls
        if module is hooked_module(self._discriminator) and calls:
            self.captured.pack = locate_logits(list_tensors(output), calls[-1].call.n).pack

    def _find_origin(self, leaves: Iterable[Any]) -> tuple[GeneratorCall | None, Origin | None, int | None, int]:
        """Find G's samples among the arguments of D, the newest first: by memory, or by a graph that leads to G.

        Returns the call of G, how the samples come from it, the index of the argument, and that of G's output.
        """
        tensors = [(argument, leaf) for argument, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
        for generated, addresses in reversed(self._recent):
            for argument, leaf in tensors:
                for i, address in enumerate(addresses):
                    if address.matches(leaf):
                        return generated, "identical", argument, i
        for argument, leaf in tensors:
            if leaf.grad_fn is not None and (found := self._search_graph(leaf.grad_fn)):
                return found, "derived", argument, 0
        return None, None, None, 0

    def _record_gradient(self, samples: Tensor, discriminator_call: DiscriminatorCall) -> None:
        """Record the gradient that comes back to `samples`; each tensor gets one hook."""
        if any(ref() is samples for ref in self._hooked):
            return
        captured, call = self.captured, discriminator_call.call

        def record(gradient: Tensor) -> None:
            if captured is self.captured:
                flat = gradient.detach().flatten(1).float()
                rows = flat[: call.n_kept].clone()
                norm_sum = flat.norm(dim=1).sum()
                captured.gradients.append(Gradient(discriminator_call, norm_sum, rows, self._loss_scale(call)))

        self._hooked.append(weakref.ref(samples))
        self._handles.append(samples.register_hook(Hook(record, self._on_error)))

    def _search_graph(self, node: Any) -> GeneratorCall | None:
        """Return the call of G that an autograd graph comes from, if any."""
        visited, waiting = {node}, [node]
        while waiting and len(visited) < MAX_GRAPH_NODES:
            node = waiting.pop()
            generated: GeneratorCall | None = node.metadata.get(self._metadata_key)
            if generated is not None and generated in self.captured.generator_calls:
                return generated
            for following, _ in node.next_functions:
                if following is not None and following not in visited:
                    visited.add(following)
                    waiting.append(following)
        return None


def _whole(n: int, pack: int) -> slice:
    return slice(0, n - n % pack)
