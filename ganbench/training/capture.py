"""Training steps recorded once as graphs of operations on the device, and then launched, where that changes nothing.

A step of a small GAN is bound by hundreds of launches from Python. Recorded, as CUDA graphs (`cuda_graphs.py`), it is one
launch, or a few: penalties with their double backward passes and optimizers included.

What is launched does none of Python's part of a step. So a step is recorded only if nothing but the schedule makes that
part different from step to step, and launched only while it has been seen to do what the step itself does:

- *The same decisions.* A graph serves the steps of equal `GAN.decisions`: those with a lazy penalty have another one than
  those without.
- *No memory in Python.* A component that counts, collects or rebinds anything keeps its trial from being captured, and so
  does one that reads a number from the device (`observe_step`).
- *The same bits.* From one state, a step and a launch must lead to the same weights, averages, gradients, losses, batches
  and random streams, bit for bit, in `AGREEING_STEPS` different steps.

Otherwise the trial goes on as if nothing had been tried, and `StepCapture.why_not` says why. What cannot be seen from
outside is a memory in a library written in C, or one that first matters later than `AGREEING_STEPS` steps.
"""

from __future__ import annotations

import gc
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor

from .game import GAN
from .host_reads import HostReads
from .moment import Moment
from .optimizers import allow_recording, is_recordable
from .python_state import PythonState, TooMuch
from .seeding import rng_state

AGREEING_STEPS = 3  # of each graph, that are done both ways
MAX_GRAPHS = 16  # of one trial: each holds memory
MAX_SEEN = 64  # decisions that are remembered
MIN_STEPS_LEFT = 50  # fewer are not worth the trouble
DIFFERENT = "its steps differ from each other by the schedule"
TOO_SHORT = "the run is too short"
WARM_UP_STEPS = 2  # where they are to be recorded, so that libraries have their buffers


class Recorder(Protocol):
    """Records operations on a device, to launch them again."""

    def aside(self) -> AbstractContextManager[None]:
        """Return a context in which operations go where they can be recorded, after all before it, and before all after."""
        ...

    def begin(self, generators: Sequence[torch.Generator]) -> None:
        """Begin to record.

        Args:
            generators: Random number generators that may be drawn from, beside the device's own.
        """
        ...

    def end(self) -> Callable[[], None]:
        """Stop recording; return what launches the operations again, on the same tensors."""
        ...

    def cancel(self) -> None:
        """Stop recording, if it is being done, after an error."""
        ...


class NotCapturable(Exception):
    """A step cannot be captured; the message says why."""


class StepCapture:
    """Takes the steps of a game, by launching recorded ones where they are known to be the same.

    Args:
        gan: The game.
        recorder: Records steps.

    Attributes:
        why_not: Why steps are not captured, or no longer; empty while they are, or may be yet.
        launched: Steps that were launched.
        graphs: Recorded steps, by their decisions.
    """

    def __init__(self, gan: GAN, recorder: Recorder) -> None:
        self.why_not = why_not_on_principle(gan)
        self.launched = 0
        self.graphs: dict[Hashable, RecordedStep] = {}
        self._gan, self._recorder = gan, recorder
        self._seen: OrderedDict[Hashable, int] = OrderedDict()  # how often, since the last invalidation
        self._without_like = 0  # steps of decisions that had not been seen
        self._d_updates = gan.settings.d_steps  # in a step, at most
        self._last: RecordedStep | None = None  # whose tensors the game's attributes are
        self._valid_for = self._situation

    @property
    def summary(self) -> str:
        """What a result says: `"yes"`, or `"no: "` and why."""
        if self.launched and not self.why_not:
            return "yes"
        return f"no: {self.why_not or (DIFFERENT if self._without_like >= MIN_STEPS_LEFT else TOO_SHORT)}"

    def step(self) -> tuple[Tensor, Tensor]:
        """Take the next step; return both losses, as `GAN.step` does."""
        if self.why_not:
            return self._gan.step()
        if self._valid_for != self._situation:
            self._forget()
        decisions = self._gan.decisions(self._d_updates)
        recorded = self.graphs.get(decisions)
        if recorded is None:
            return self._prepare(decisions)
        if recorded.agreed < AGREEING_STEPS:
            return self._compare(recorded)
        return self._launch(recorded)

    # --- before a step can be launched ---------------------------------------------------------------

    def _prepare(self, decisions: Hashable) -> tuple[Tensor, Tensor]:
        """Take a step of decisions without a graph: plainly at first, then observed, then recorded."""
        times = self._seen.pop(decisions, 0)
        self._seen[decisions] = times + 1
        if len(self._seen) > MAX_SEEN:
            self._seen.popitem(last=False)
        gan = self._gan
        worth_it = gan.settings.steps - gan.steps_done >= MIN_STEPS_LEFT and len(self.graphs) < MAX_GRAPHS
        if times == 0 or not worth_it:
            self._without_like += times == 0
            return self._step_eagerly()
        if times == 1:
            return self._observe()
        return self._record(decisions)

    def _step_eagerly(self) -> tuple[Tensor, Tensor]:
        self._last = None
        before = self._gan.d_updates
        losses = self._gan.step()
        updates = self._gan.d_updates - before
        if updates > self._d_updates:  # and they are decided about one by one
            self._d_updates = updates
            self._forget()
        return losses

    def _observe(self) -> tuple[Tensor, Tensor]:
        """Take a step, and give up if Python has a part in it that a launch would leave out."""
        self._last = None
        losses, why = observe_step(self._gan)
        if why:
            self._give_up(why)
        return losses

    def _record(self, decisions: Hashable) -> tuple[Tensor, Tensor]:
        """Take a step, record it from the same state, and launch it to compare."""
        try:
            state = PythonState(self._gan.components, self._gan.device)
            recorded = RecordedStep(self._gan, self._recorder, state)
        except TooMuch as error:
            self._give_up(str(error))
            return self._step_eagerly()
        losses = self._compare(recorded, record=True)
        if not self.why_not:
            self.graphs[decisions] = recorded
        return losses

    def _compare(self, recorded: RecordedStep, record: bool = False) -> tuple[Tensor, Tensor]:
        """Take a step and launch it from the same state; keep the step's own outcome if the two differ at all.

        Args:
            recorded: What is launched.
            record: Whether to record it first.
        """
        gan, self._last = self._gan, None
        try:
            start = recorded.moment()
        except RuntimeError as error:  # there is no memory for a second state
            self._give_up(_explain("it could not be tried", error))
            return gan.step()
        try:
            losses = gan.step()
            outcome = recorded.moment(losses)
        except Exception as error:  # of the step itself, or of memory: then it succeeds without copies
            start.restore()
            del start
            self._give_up(_explain("it could not be tried", error))
            return gan.step()
        try:
            if record:
                start.restore()
                recorded.record(start)
            start.restore()
            launched = recorded.launch(self._gan)
            if difference := outcome.first_difference(launched):
                raise NotCapturable(f"a captured step gives other bits: {difference}")
        except Exception as error:
            outcome.restore()
            what = "it could not be captured"
            self._give_up(str(error) if isinstance(error, NotCapturable) else _explain(what, error))
            return losses
        recorded.agreed += 1
        self._last = recorded
        return losses

    # --- launching -----------------------------------------------------------------------------------

    def _launch(self, recorded: RecordedStep) -> tuple[Tensor, Tensor]:
        losses = recorded.launch(self._gan, anew=recorded is not self._last)
        self._last = recorded
        self.launched += 1
        return losses

    @property
    def _situation(self) -> tuple[Any, ...]:
        """What graphs are of no use without: loading a state moves averages of optimizers to other tensors."""
        return id(self._gan.settings), self._gan.times_loaded

    def _forget(self) -> None:
        """Begin anew: the game is not the one that was recorded."""
        self._valid_for = self._situation
        self.graphs.clear()
        self._seen.clear()
        self._last = None

    def _give_up(self, why: str) -> None:
        self.why_not = why
        self.graphs.clear()
        self._last = None


class RecordedStep:
    """The operations of a step between what is done apart from them, in order.

    Attributes:
        agreed: How many steps have been seen in which a launch did what the step does.
    """

    def __init__(self, gan: GAN, recorder: Recorder, state: PythonState) -> None:
        self.agreed = 0
        self._gan, self._recorder = gan, recorder
        self._tensors, self._generators = state.tensors, state.generators
        self._recordable = recordable_updates(gan)
        self._parts: list[Callable[[], None]] = []
        self._losses: tuple[Tensor, Tensor]
        self._attributes: dict[str, Any] = {}  # of the game, that a step sets
        self._gradients: list[tuple[Tensor, Tensor | None]] = []
        self._d_updates = 0
        self._operations = HostReads(gan.device)

    def moment(self, losses: Sequence[Tensor] = ()) -> Moment:
        """Return the game as it is now."""
        return Moment(self._gan, self._tensors, self._generators, [*self._recordable.values()], losses)

    def record(self, start: Moment) -> None:
        """Record the next step of the game; what is left of the game then is of no use.

        Raises NotCapturable, or whatever the device says, where that is not possible.
        """
        gan = self._gan
        with self._recorder.aside():
            for _ in range(WARM_UP_STEPS):
                gan.step()
                start.restore()
            before = dict(vars(gan))
            gan._real = _OfAnEarlierStep()  # type: ignore[assignment]
            gan.recorder = self
            gc.collect()  # now, rather than while operations are recorded
            try:
                with self._capturable(), self._operations:
                    self._begin()
                    self._losses = gan.step()
                    self._end()
            except BaseException:
                self._recorder.cancel()  # here: a device that records cannot be waited for
                raise
            finally:
                gan.recorder = None
        counted = {"steps_done", "d_updates"}
        self._attributes = {n: v for n, v in vars(gan).items() if n not in counted and v is not before.get(n)}
        self._gradients = self._gradients_now()
        self._d_updates = gan.d_updates - before["d_updates"]

    def apart(self, what: str, change: Callable[[], None]) -> None:
        """Do something in a step: as part of what is recorded where that is possible, else in between."""
        if what in self._recordable:
            change()
            return
        self._end()
        gradients = self._gradients_now()

        def change_now() -> None:
            _set_gradients(gradients)  # those of this place in a step, which may have several updates
            change()

        self._parts.append(change_now)
        self._begin()

    def launch(self, gan: GAN, anew: bool = True) -> tuple[Tensor, Tensor]:
        """Do the step again; return its losses.

        Args:
            gan: The game.
            anew: Whether the game's attributes are of another step than this one.
        """
        for part in self._parts:
            part()
        gan.d_updates += self._d_updates
        gan.steps_done += 1
        if anew:
            vars(gan).update(self._attributes)
            _set_gradients(self._gradients)
        loss_d, loss_g = self._losses  # which the next launch overwrites
        return loss_d.clone(), loss_g.clone()

    def _gradients_now(self) -> list[tuple[Tensor, Tensor | None]]:
        return [(weight, weight.grad) for weight in (*self._gan.d_weights, *self._gan.g_weights)]

    def _begin(self) -> None:
        self._operations.count = 0
        self._recorder.begin([*self._gan.generators, *self._generators])

    def _end(self) -> None:
        launch = self._recorder.end()
        if self._operations.count:
            self._parts.append(launch)

    def _capturable(self) -> AbstractContextManager[None]:
        return allow_recording([*self._recordable.values()])


def _set_gradients(gradients: Sequence[tuple[Tensor, Tensor | None]]) -> None:
    for weight, gradient in gradients:
        weight.grad = gradient


def why_not_on_principle(gan: GAN) -> str:
    """Return why no step of a game can be captured, as far as its settings say; empty if they do not."""
    settings = gan.settings
    if settings.precision == "float16":
        return "float16 decides on the host whether an update is left out"
    if gan.has_stream:
        return "batches come from the data set's loader, on the host"
    return "" if settings.steps >= MIN_STEPS_LEFT else TOO_SHORT


def recordable_updates(gan: GAN) -> dict[str, torch.optim.Optimizer]:
    """Return the optimizers whose steps are part of a graph, by what a game calls them; a rate that changes is of none."""
    optimizers = {"update of d": gan.optimizer_d, "update of g": gan.optimizer_g}
    constant = gan.settings.lr_decay == "constant"
    return {what: one for what, one in optimizers.items() if constant and is_recordable(one)}


def observe_step(gan: GAN) -> tuple[tuple[Tensor, Tensor], str]:
    """Take a step of a game; return its losses, and why a launch would not do what it does, empty if nothing is seen."""
    try:
        before = PythonState(gan.components, gan.device)
    except TooMuch as error:
        return gan.step(), str(error)
    if gan.settings.lr_decay != "constant":
        gan.set_decayed_rates()  # as the step does at its beginning
    drawn, options = _host_streams(gan), _options_of(gan)
    seen, operations = _SeenGame(gan), HostReads(gan.device)
    gan.recorder = _Apart(gan, operations)
    try:
        with operations:
            losses = gan.step(seen)
    finally:
        gan.recorder = None
    if operations.found:
        return losses, operations.found
    if _host_streams(gan) != drawn:
        return losses, "a component draws random numbers on the host"
    if seen.read:
        return losses, f"the update rule reads {seen.read}, which differs from step to step"
    if _options_of(gan) != options:
        return losses, "a component changes an optimizer's options"
    try:
        after = PythonState(gan.components, gan.device)
    except TooMuch as error:
        return losses, str(error)
    changed = before.first_change(after)
    return losses, f"{changed} changes in Python" if changed else ""


def _host_streams(gan: GAN) -> list[Any]:
    """The states of the global random number generators of the host, as values that can be compared."""
    states = rng_state(torch.device("cpu"))
    if gan.device.type == "cpu":
        states = states[:2]  # torch's own is that of the device
    return [repr(state) if not isinstance(state, Tensor) else state.tolist() for state in states]


def _options_of(gan: GAN) -> list[dict[str, Any]]:
    groups = [*gan.optimizer_d.param_groups, *gan.optimizer_g.param_groups]
    return [{name: value for name, value in group.items() if name != "params"} for group in groups]


def _explain(what: str, error: Exception) -> str:
    message = " ".join(str(error).split())[:200]
    return f"{what}: {type(error).__name__}: {message}" if message else f"{what}: {type(error).__name__}"


class _Apart:
    """Leaves out of sight what is done apart from a graph."""

    def __init__(self, gan: GAN, operations: HostReads) -> None:
        self._recordable, self._operations = recordable_updates(gan), operations

    def apart(self, what: str, change: Callable[[], None]) -> None:
        with nullcontext() if what in self._recordable else self._operations.paused():
            change()


class _SeenGame:
    """A game as an update rule is given it, that notes what of its progress is read."""

    def __init__(self, gan: GAN) -> None:
        object.__setattr__(self, "_gan", gan)
        object.__setattr__(self, "read", "")

    def __getattr__(self, name: str) -> Any:
        if name in ("steps_done", "d_updates"):
            object.__setattr__(self, "read", name)
        return getattr(self._gan, name)

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._gan, name, value)


class _OfAnEarlierStep:
    """Stands for a batch that an earlier step has left: a launch would go on using the one of the step recorded."""

    def __getattr__(self, name: str) -> Any:
        raise NotCapturable("the update rule uses a batch of an earlier step")
