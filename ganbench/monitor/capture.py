"""What was seen of a loop between two looks: calls, and gradients that came back, in order.

What the loop gives its generator, to draw more of it: latents of their prior, everything else as it was seen.

What the loop shows: the calls of its networks and the gradient that comes back, seen while armed.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._pytree import tree_flatten

from .calls import Call, copy_of, len_of, rows_kept, tensors_in
from .isolation import Hook
from .wrappers import innermost, seen_at

CALLS = 32  # of each network that a window remembers, the newest
Link = Literal["same", "through"]  # D was given G's samples as they are, or something made of them


@dataclass(frozen=True, eq=False)
class Made:
    """A call of the generator, the first rows of what it returned, and which state of its weights made it."""

    call: Call
    outputs: tuple[Tensor, ...]
    version: int


@dataclass(frozen=True, eq=False)
class Judged:
    """A call of the discriminator: on what `made` made, given in argument `slot`, where that is known."""

    call: Call
    made: Made | None
    link: Link | None
    slot: int | None
    output: int  # which of the tensors that G returned
    learns: bool  # a gradient of its logits would reach G
    tracked: bool  # a gradient was asked for: by G, or by a penalty


@dataclass(frozen=True, eq=False)
class Gradient:
    """What came back to `judged`'s samples: the sum of its norms over all of them, times the loss's scale."""

    judged: Judged
    total: Tensor
    rows: Tensor  # of the samples that are kept
    scale: Tensor | float


@dataclass
class Window:
    """Everything seen since the hooks were armed, in order."""

    made: deque[Made] = field(default_factory=lambda: deque(maxlen=CALLS))
    judged: deque[Judged] = field(default_factory=lambda: deque(maxlen=CALLS))
    gradients: deque[Gradient] = field(default_factory=lambda: deque(maxlen=CALLS))


NODES = 512  # of an autograd graph that are looked at on the way from D's input back to G


class Place:
    """Where a tensor lies, without holding its memory: a loop with large samples may need it."""

    def __init__(self, tensor: Tensor) -> None:
        self._storage = StorageWeakRef(tensor.untyped_storage())
        self._start, self._numel = tensor.data_ptr(), tensor.numel()

    def holds(self, tensor: Tensor) -> bool:
        """Whether `tensor` is what lay here. Memory that was given back may be another's by now."""
        same = tensor.data_ptr() == self._start and tensor.numel() == self._numel > 0
        return same and not self._storage.expired()


class Watch:
    """Hooks on the two networks. Armed, they fill `window`; not armed, they are not there."""

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        scale: Callable[[Call], Tensor | float],
        fail: Callable[[Exception], None],
    ) -> None:
        self.window = Window()
        self._generator, self._discriminator = generator, discriminator
        self._networks = innermost(generator), innermost(discriminator)
        self._scale, self._fail = scale, fail
        self._handles: list[Any] = []
        self._alive: deque[tuple[Made, list[Place]]] = deque(maxlen=CALLS)
        self._mark = f"ganbench.Monitor {id(self)}"
        self._hooked: list[weakref.ref[Tensor]] = []

    @property
    def armed(self) -> bool:
        return bool(self._handles)

    def arm(self) -> None:
        """Look from now on, into a new window."""
        self.disarm()
        self.window = Window()
        see_made, see_judged = Hook(self._see_made, self._fail), Hook(self._see_judged, self._fail)
        self._handles = [
            seen_at(self._generator).register_forward_hook(see_made, with_kwargs=True),
            seen_at(self._discriminator).register_forward_pre_hook(see_judged, with_kwargs=True),
        ]

    def disarm(self) -> None:
        """Take the hooks off; what was seen stays in the window until `forget`."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self._alive.clear()
        self._hooked = []

    def forget(self) -> None:
        """Begin an empty window."""
        self.window = Window()

    def _see_made(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        tensors = tensors_in(output)
        if module is not seen_at(self._generator) or not tensors:  # a shallow copy shares its hooks
            return
        n = len_of(next((tensor for tensor in tensors if tensor.ndim > 1), tensors[0]))
        if n == 0:  # an empty batch teaches nothing
            return
        kept = rows_kept([tensor for tensor in tensors if len_of(tensor) == n], n)
        made = Made(
            Call.of(self._networks[0], args, kwargs, n),
            tuple(copy_of(tensor, kept if len_of(tensor) == n else None) for tensor in tensors),
            sum(weight._version for weight in self._networks[0].parameters()),
        )
        self.window.made.append(made)
        self._alive.append((made, [Place(tensor) for tensor in tensors]))
        for tensor in tensors:
            node: Any = tensor.grad_fn
            if node is not None:  # marked and not held: to hold a node is to hold all that G computed
                node.metadata[self._mark] = made

    def _see_judged(self, module: nn.Module, args: Any, kwargs: Any) -> None:
        tensors = tensors_in((args, kwargs))
        if module is not seen_at(self._discriminator) or not tensors:
            return
        n = len_of(next((tensor for tensor in tensors if tensor.ndim > 1 and tensor.is_floating_point()), tensors[0]))
        if n == 0:
            return
        call = Call.of(self._networks[1], args, kwargs, n)
        leaves = tree_flatten((args, kwargs))[0]
        made, link, slot, output = self._linked(leaves)
        learns = slot is not None and leaves[slot].grad_fn is not None and torch.is_grad_enabled()
        tracked = any(tensor.requires_grad for tensor in tensors)
        judged = Judged(call, made, link, slot, output, learns, tracked)
        self.window.judged.append(judged)
        if learns and slot is not None:
            self._follow(leaves[slot], judged)

    def _linked(self, leaves: Iterable[Any]) -> tuple[Made | None, Link | None, int | None, int]:
        """Which of G's samples are among the arguments, the newest first: the same memory, or a graph that leads to G."""
        places = [(slot, leaf) for slot, leaf in enumerate(leaves) if isinstance(leaf, Tensor)]
        for made, outputs in reversed(self._alive):
            for slot, leaf in places:
                for i, output in enumerate(outputs):
                    if output.holds(leaf):
                        return made, "same", slot, i
        for slot, leaf in places:
            if leaf.grad_fn is not None and (found := self._led_to(leaf.grad_fn)):
                return found, "through", slot, 0
        return None, None, None, 0

    def _follow(self, samples: Tensor, judged: Judged) -> None:
        """Have the gradient shown that comes back to `samples`, once for each tensor."""
        if any(ref() is samples for ref in self._hooked):
            return
        window = self.window

        def see_gradient(gradient: Tensor) -> None:
            if window is self.window:
                flat = gradient.detach().flatten(1).float()
                rows = flat[: judged.call.kept].clone()
                window.gradients.append(Gradient(judged, flat.norm(dim=1).sum(), rows, self._scale(judged.call)))

        self._hooked.append(weakref.ref(samples))
        self._handles.append(samples.register_hook(Hook(see_gradient, self._fail)))

    def _led_to(self, node: Any) -> Made | None:
        """The call of G that an autograd graph comes from."""
        seen, waiting = {node}, [node]
        while waiting and len(seen) < NODES:
            node = waiting.pop()
            made: Made | None = node.metadata.get(self._mark)
            if made is not None and made in self.window.made:
                return made
            for following, _ in node.next_functions:
                if following is not None and following not in seen:
                    seen.add(following)
                    waiting.append(following)
        return None
