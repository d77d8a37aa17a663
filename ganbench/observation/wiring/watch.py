"""Watches the first steps of a training loop: hooks on both networks, and on every optimizer that takes a step."""

from __future__ import annotations

import itertools
import math
import weakref
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import msgspec
import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook
from torch.utils._pytree import tree_flatten

from ...contract.records import Player, WiringFault
from ..hooks import Hook
from ..logits import list_tensors, locate_logits
from .events import Argument, DiscriminatorEvent, GeneratorEvent, GradientAtG, LogitGradient, Record, Rows, WeightUpdate
from .rules import ANSWERED_LATER, RANGES, find_data_faults, find_faults, find_late_faults
from .weights import WeightSample, hidden_weights

LAST_STEP = 20  # that is watched
FAULTS_AT = (5, 10, LAST_STEP)  # steps after which it is asked what is wrong
MAX_EVENTS = 400  # of a kind: a loop with hundreds of updates in a step is watched for as long as this lasts
MAX_OUTPUTS = 64  # of D
SAMPLED_VALUES = 128  # of each output of D
ROW_VALUES = 48  # by which a sample is recognized
MAX_GRAPH_NODES = 512  # that are visited on the way from D's input back to G
MAX_WATCHED_VALUES = 2**16  # of the weight of G whose gradient is watched
ACTIVATIONS = {"TanhBackward": "tanh", "SigmoidBackward": "sigmoid"}  # names of autograd nodes
SHAPE_NODES = ("View", "UnsafeView", "Squeeze", "Unsqueeze", "Reshape", "Clone", "Alias", "T", "Permute", "ToCopy")


class WiringWatch:
    """Watches a loop from `begin` to `end_step`, for its first steps, and says what is wrong with the program.

    Nothing waits for the device but `end_step` at the steps in `FAULTS_AT`.

    Args:
        generator, discriminator: The networks, without wrappers.
        steps: The budget.
        steps_before: Steps of the loop before the first that is watched.
        called: The modules that the loop calls, where they are others.
        average: The running average of G.
        scaler: The loop's GradScaler.
        optimizers: Optimizers that are known beforehand; others are found when they take a step.
        contract: Whether components keep the contract of a suite: a higher logit means more real, and a step updates both
            players. Of anybody's loop that is not known.
        expected: Faults that are none here, as the settings say that what they ask about is on purpose.

    Attributes:
        faults: What is wrong.
        done: Whether there is nothing more to watch.
        about_fake: Which of D's outputs are about G's samples, where D is given two batches at once and judges each by
            itself; None where that is not known.
        error: What the watch itself has failed on, after which it finds nothing; None if it works.
    """

    def __init__(
        self,
        generator: nn.Module,
        discriminator: nn.Module,
        *,
        steps: int,
        steps_before: int = 0,
        called: tuple[nn.Module, nn.Module] | None = None,
        average: nn.Module | None = None,
        scaler: Any = None,
        optimizers: Sequence[Any] = (),
        contract: bool = False,
        expected: Collection[str] = (),
    ) -> None:
        self.contract, self.expected = contract, expected
        self.generator, self.discriminator, self.average = generator, discriminator, average
        self.faults: tuple[WiringFault, ...] = ()
        self.done = False
        self.record = Record()
        self.samples: dict[str, WeightSample] = {}  # of each network, as its weights were after the first step
        self.optimizers: dict[int, weakref.ref[Any]] = {id(o): weakref.ref(o) for o in optimizers}
        self.stepped: set[int] = set()
        self.graded: set[int] = set()  # weights that had a gradient when their player was updated
        self.effects: dict[
            Player, list[bool]
        ] = {}  # whether each step of a suspected optimizer has changed its weights
        self._before_step: dict[Player, WeightSample] = {}
        self.about_fake: tuple[int, ...] | None = None
        self._called = called or (generator, discriminator)
        self._scaler = scaler
        self._last = min(LAST_STEP, steps)
        self._steps_before = steps_before
        self.error: Exception | None = None
        self._order = itertools.count()
        self._handles: list[Any] = []
        self._key = f"ganbench wiring {id(self)}"
        self._watched_gradient: Tensor | None = None
        self._hidden: dict[Player, list[nn.Parameter]] = {  # weights of modules that a network does not know as its own
            "generator": list(hidden_weights(generator).values()),
            "discriminator": list(hidden_weights(discriminator).values()),
        }

    # --- from outside --------------------------------------------------------------------------------

    def begin(self) -> None:
        """Put the hooks on, before a step of the loop."""
        if self.done or self._handles:
            return
        try:
            self._put_hooks()
        except Exception as error:  # of a module or a weight that takes no hooks
            self._note_error(error)

    def _put_hooks(self) -> None:
        hook = self._hook
        called_g, called_d = self._called
        self._handles = [
            called_g.register_forward_hook(hook(self._record_generator_call), with_kwargs=True),
            called_d.register_forward_hook(hook(self._record_discriminator_call), with_kwargs=True),
            register_optimizer_step_pre_hook(hook(self._record_update)),
            register_optimizer_step_post_hook(hook(self._record_step)),
        ]
        if (weight := _smallest_weight(self.generator)) is not None:
            self._handles += [
                weight.register_hook(hook(self._keep_gradient)),
                weight.register_post_accumulate_grad_hook(hook(self._record_accumulation)),
            ]
        for handle in self._handles:  # of a watch that nobody holds any more
            weakref.finalize(self, handle.remove)

    def pause(self) -> None:
        """Take the hooks off."""
        for handle in self._handles:
            handle.remove()
        self._handles = []
        self._watched_gradient = None

    @property
    def computes_next(self) -> bool:
        """Whether the end of the next step computes anything, rather than only takes hooks off."""
        return self.record.steps + 1 in (1, *FAULTS_AT, self._last)

    def end_step(self) -> bool:
        """Take the hooks off after a step; return whether it was found out that something is wrong."""
        self.pause()
        if self.done:
            return False
        before = len(self.faults)
        try:
            if self.error is None:
                self._end_step()
        except Exception as error:  # a program that breaks a rule's assumptions is not accused
            self._note_error(error)
        if self.error is not None or self.record.steps >= self._last:
            self.stop()
        return len(self.faults) > before

    def _end_step(self) -> None:
        self.record.steps += 1
        if self.record.steps == 1:
            self.samples = {name: WeightSample(weights) for name, weights in self._weights().items()}
            self.add_faults(self._of_loop(find_data_faults(self.record)))
        if self.record.steps in FAULTS_AT or self.record.steps == self._last:
            self.add_faults(self._of_loop(find_faults(self, self._last)))

    def _of_loop(self, faults: Iterable[WiringFault]) -> list[WiringFault]:
        """Return faults with the steps of the loop."""
        return [replace(fault, step=fault.step + self._steps_before) for fault in faults]

    def add_faults(self, faults: Iterable[WiringFault]) -> bool:
        """Add what is wrong, each fault of a player once; return whether any is new."""
        before = len(self.faults)
        for fault in faults:
            if all((fault.fault, fault.player) != (known.fault, known.player) for known in self.faults):
                self.faults += (fault,)
        return len(self.faults) > before

    def stop(self) -> None:
        """Stop watching for good, and forget what was recorded."""
        self.pause()
        self.done = True
        self.record = Record(self.record.steps)

    def state_dict(self) -> dict[str, Any]:
        """Return what was found, and whether there is more to watch."""
        samples = {name: sample.values for name, sample in self.samples.items()} if self.asks_who_is_trained else {}
        return {"done": self.done, "faults": msgspec.to_builtins(self.faults), "samples": samples}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on with what was found before; a watch that was left in the middle begins anew."""
        if state["done"]:
            self.faults = msgspec.convert(state["faults"], tuple[WiringFault, ...])
            weights = self._weights()
            self.samples = {
                name: WeightSample(weights[name], values) for name, values in state.get("samples", {}).items()
            }
            self.stop()

    @property
    def asks_who_is_trained(self) -> bool:
        """Whether it has asked something that the rest of the run answers: whether a player is ever trained."""
        return any(fault.fault in ANSWERED_LATER for fault in self.faults)

    def look_again(self, step: int, budget: int) -> None:
        """Add what only the rest of a run shows, after `step` of `budget` steps; the watch is over."""
        self.add_faults(find_late_faults(self, step, budget))

    def suspect(self, player: Player) -> None:
        """Look from now on whether the steps of a player's optimizer change its weights; waits for the device each time."""
        self.effects.setdefault(player, [])

    def learning_rates(self) -> dict[Player, float]:
        """Return the present learning rate of each player whose optimizer is known, the largest of its groups."""
        rates: dict[Player, float] = {}
        for optimizer in self.live_optimizers():
            for player in players_of(optimizer, self.generator, self.discriminator):
                rates[player] = max(rates.get(player, 0.0), largest_lr(optimizer))
        return rates

    def live_optimizers(self) -> list[Any]:
        """Return the optimizers that are known and still there."""
        return [optimizer for ref in self.optimizers.values() if (optimizer := ref()) is not None]

    def _weights(self) -> dict[str, list[nn.Parameter]]:
        """The weights of each network that are not shared with the other."""
        of_g, of_d = list(self.generator.parameters()), list(self.discriminator.parameters())
        shared = {id(weight) for weight in of_g} & {id(weight) for weight in of_d}
        weights = {
            "generator": [weight for weight in of_g if id(weight) not in shared],
            "discriminator": [weight for weight in of_d if id(weight) not in shared],
        }
        return weights if self.average is None else weights | {"average": list(self.average.parameters())}

    # --- hooks ---------------------------------------------------------------------------------------

    def _hook(self, record: Callable[..., None]) -> Hook:
        """A hook that does not keep the watch alive, nor by it the networks: torch has some for the whole process."""
        return Hook(_weakly(record), _weakly(self._note_error))

    def _note_error(self, error: Exception) -> None:
        """Note why the watch ends; its hooks stay until the step is over, since they may be running."""
        self.error = self.error or error

    @torch.no_grad()
    def _record_generator_call(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        calls = self.record.generator_calls
        tensors = _tensors(output)
        if module is not self._called[0] or not tensors or len(calls) >= MAX_EVENTS:
            return
        n = _rows(next((tensor for tensor in tensors if tensor.ndim > 1), tensors[0]))
        if n < 1:
            return
        for tensor in tensors:
            node: Any = tensor.grad_fn
            if node is not None:
                node.metadata[self._key] = True
        batched = [tensor for tensor in tensors if _rows(tensor) == n and tensor.is_floating_point() and tensor.numel()]
        if not batched:
            return
        gradients: list[Tensor] = []
        if batched[0].requires_grad:
            batched[0].register_hook(Hook(self._zero_recorder(gradients), self._note_error))
        calls.append(
            GeneratorEvent(
                order=next(self._order),
                step=self.record.steps + 1,
                latents=tuple(_arguments((args, kwargs), n, ())),
                outputs=tuple((_fingerprint(tensor), tuple(tensor.shape[1:])) for tensor in batched),
                n=n,
                trained=any(tensor.requires_grad for tensor in tensors),
                evaluation_mode=not self.generator.training,
                activation=_last_activation(batched[0].grad_fn),
                finite=_are_finite(torch.aminmax(batched[0])),
                gradients=gradients,
            )
        )

    def _record_discriminator_call(self, module: nn.Module, args: Any, kwargs: Any, output: Any) -> None:
        calls = self.record.discriminator_calls
        given = _tensors((args, kwargs))
        if module is not self._called[1] or not given or len(calls) >= MAX_EVENTS:
            return
        n = _rows(next((tensor for tensor in given if tensor.ndim > 1 and tensor.is_floating_point()), given[0]))
        if n < 1:
            return
        outputs = list_tensors(output)[:MAX_OUTPUTS]
        located = locate_logits(outputs, n).all
        records_graph = torch.is_grad_enabled()
        with torch.no_grad():
            call = DiscriminatorEvent(
                order=next(self._order),
                step=self.record.steps + 1,
                arguments=tuple(_arguments((args, kwargs), n, self._reached_ranges())),
                n=n,
                trains_g=any(tensor.requires_grad for tensor in outputs) and self._leads_to_g(given),
                from_graph=records_graph and any(tensor.grad_fn is not None for tensor in given),
                with_graph=any(tensor.requires_grad for tensor in outputs),
                evaluation_mode=not self.discriminator.training,
                logits=[_sampled(tensor) if tensor.requires_grad else torch.empty(0) for tensor in outputs],
                is_logit=[i in located for i in range(len(outputs))],
                activation=_last_activation(outputs[0].grad_fn) if outputs else "",
            )
        calls.append(call)
        if (
            call.trains_g
            and (samples := next((t for t in given if t.requires_grad and t.is_floating_point()), None)) is not None
        ):
            samples.register_hook(Hook(self._zero_recorder(call.passed_on), self._note_error))
        for i, tensor in enumerate(outputs):
            if tensor.requires_grad:
                tensor.register_hook(Hook(self._gradient_recorder(call, i), self._note_error))

    def _reached_ranges(self) -> set[str]:
        """Return the activations that end G, as far as is known: what lies outside of their ranges is counted."""
        return {call.activation for call in self.record.generator_calls if call.trained} or set(RANGES)

    def _gradient_recorder(self, call: DiscriminatorEvent, output: int) -> Callable[[Tensor], None]:
        def record(gradient: Tensor) -> None:
            # A gradient that is differentiated again is one of a penalty, not of a loss.
            if torch.is_grad_enabled() or not self._handles or len(call.gradients) >= MAX_EVENTS:
                return
            task = torch._C._current_graph_task_id()
            values, any_nonzero = _sampled(gradient) * call.n, (gradient != 0).any()
            call.gradients.append(LogitGradient(next(self._order), task, output, values, any_nonzero))

        return record

    def _zero_recorder(self, into: list[Tensor]) -> Callable[[Tensor], None]:
        def record(gradient: Tensor) -> None:
            if not torch.is_grad_enabled() and self._handles and len(into) < MAX_EVENTS:
                into.append((gradient.detach() != 0).any())

        return record

    def _keep_gradient(self, gradient: Tensor) -> None:
        self._watched_gradient = gradient.detach()

    def _record_accumulation(self, weight: Tensor) -> None:
        """Note whether the gradient of this backward pass was added to an earlier one."""
        gradient, self._watched_gradient = self._watched_gradient, None
        if gradient is None or weight.grad is None or len(self.record.gradients_at_g) >= MAX_EVENTS:
            return
        accumulated = torch.ne(weight.grad.detach(), gradient.to(weight.grad.dtype)).any()
        task = torch._C._current_graph_task_id()
        self.record.gradients_at_g.append(GradientAtG(next(self._order), task, accumulated))

    @torch.no_grad()
    def _record_update(self, optimizer: Any, *_: Any) -> None:
        players = players_of(optimizer, self.generator, self.discriminator)
        if not players or len(self.record.updates) >= MAX_EVENTS:
            return
        self.optimizers.setdefault(id(optimizer), weakref.ref(optimizer))
        held = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
        norms: dict[Player, Tensor] = {}
        nonzero: dict[Player, Tensor] = {}
        for player in players:
            network = self.generator if player == "generator" else self.discriminator
            weights = (*network.parameters(), *self._hidden[player])
            self.graded |= {id(w) for w in weights if w.requires_grad and w.grad is not None}
            gradients = [w.grad for w in network.parameters() if id(w) in held and w.grad is not None]
            gradients = [gradient for gradient in gradients if not gradient.is_sparse]
            if gradients:
                norms[player] = torch.stack([norm.float() for norm in torch._foreach_norm(gradients)]).norm()
                largest = torch._foreach_norm(gradients, math.inf)
                nonzero[player] = torch.stack([norm.float() for norm in largest]).max() != 0
            if player in self.effects:
                self._before_step[player] = WeightSample(self._weights()[player])
        scaled, scale = self._scaling_of(optimizer)
        self.record.updates.append(
            WeightUpdate(
                next(self._order),
                self.record.steps + 1,
                id(optimizer),
                frozenset(players),
                largest_lr(optimizer),
                norms,
                scaled,
                scale,
                any(group.get("maximize") for group in optimizer.param_groups),
                nonzero,
            )
        )

    def _record_step(self, optimizer: Any, *_: Any) -> None:
        self.stepped.add(id(optimizer))
        if self._before_step:
            for player in players_of(optimizer, self.generator, self.discriminator):
                if (before := self._before_step.pop(player, None)) is not None:
                    self.effects[player].append(before.has_changed())

    def _scaling_of(self, optimizer: Any) -> tuple[bool | None, Any]:
        """Return whether gradients are still scaled as the optimizer steps, and the scale; None without a scaler."""
        scaler = self._scaler
        if scaler is None or not getattr(scaler, "_enabled", False) or getattr(scaler, "_scale", None) is None:
            return None, None
        states: Mapping[int, Any] = getattr(scaler, "_per_optimizer_states", {})
        stage = getattr(states[id(optimizer)].get("stage"), "name", "") if id(optimizer) in states else "READY"
        unscales_itself = getattr(optimizer, "grad_scale", None) is not None
        return stage == "READY" and not unscales_itself, scaler._scale.clone()

    def _leads_to_g(self, tensors: Iterable[Tensor]) -> bool:
        """Return whether the autograd graph of any tensor comes from a call of G."""
        waiting = [tensor.grad_fn for tensor in tensors if tensor.grad_fn is not None]
        visited = set(waiting)
        while waiting and len(visited) < MAX_GRAPH_NODES:
            node: Any = waiting.pop()
            if self._key in node.metadata:
                return True
            for following, _ in node.next_functions:
                if following is not None and following not in visited:
                    visited.add(following)
                    waiting.append(following)
        return False


def players_of(optimizer: Any, generator: nn.Module, discriminator: nn.Module) -> list[Player]:
    """Return whose weights an optimizer holds; weights that both share are nobody's."""
    held = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
    of_g, of_d = ({id(weight) for weight in network.parameters()} for network in (generator, discriminator))
    players: list[Player] = []
    if held & (of_g - of_d):
        players.append("generator")
    if held & (of_d - of_g):
        players.append("discriminator")
    return players


def largest_lr(optimizer: Any) -> float:
    """Return the largest learning rate of an optimizer's groups; NaN where they have none."""
    rates = [float(group["lr"]) for group in optimizer.param_groups if "lr" in group]
    return max(rates) if rates else math.nan


def _smallest_weight(network: nn.Module) -> nn.Parameter | None:
    """The smallest weight that is trained, whose gradient is cheap to compare."""
    weights = [w for w in network.parameters() if not nn.parameter.is_lazy(w) and w.requires_grad and w.numel()]
    smallest = min(weights, key=lambda weight: weight.numel(), default=None)
    return smallest if smallest is not None and smallest.numel() <= MAX_WATCHED_VALUES else None


def _tensors(tree: Any) -> list[Tensor]:
    return [leaf for leaf in tree_flatten(tree)[0] if isinstance(leaf, Tensor)]


def _rows(tensor: Tensor) -> int:
    return tensor.shape[0] if tensor.ndim else -1


def _arguments(tree: Any, n: int, activations: Collection[str]) -> Iterable[Argument]:
    for leaf in _tensors(tree):
        if _rows(leaf) != n or not leaf.is_floating_point() or leaf.numel() == 0:
            continue
        x = leaf.detach()
        extremes = torch.aminmax(x)
        outside = {
            activation: torch.count_nonzero(x.clamp(low, high) != x) / x.numel()
            for activation, (low, high) in RANGES.items()
            if activation in activations
        }
        lowest, highest = (value.float() for value in extremes)
        yield Argument(n, tuple(x.shape[1:]), _fingerprint(x), _are_finite(extremes), lowest, highest, outside)


def _are_finite(extremes: Iterable[Tensor]) -> Tensor:
    """Return whether all values are finite, from the smallest and the largest, which are NaN where any value is."""
    return torch.stack([value.isfinite() for value in extremes]).all()


def _fingerprint(tensor: Tensor) -> Rows:
    first, middle = (
        tensor.detach()[i].flatten()[:: max(1, tensor[0].numel() // ROW_VALUES)][:ROW_VALUES].float().clone()
        for i in (0, len(tensor) // 2)
    )
    return first, middle


def _sampled(tensor: Tensor) -> Tensor:
    values = tensor.detach().flatten()
    return values[:: max(1, len(values) // SAMPLED_VALUES)].float().clone()


def _last_activation(node: Any) -> str:
    """Return the activation that ends a graph, before which only shapes change."""
    while node is not None:
        name = node.name()
        for start, activation in ACTIVATIONS.items():
            if name.startswith(start):
                return activation
        if not name.startswith(SHAPE_NODES) or not node.next_functions:
            return ""
        node = node.next_functions[0][0]
    return ""


def _weakly(method: Callable[..., None]) -> Callable[..., None]:
    """Return what calls a method of an object as long as that is there."""
    reference = weakref.WeakMethod(method)

    def call(*arguments: Any) -> None:
        if (known := reference()) is not None:
            known(*arguments)

    return call
