"""Steps that are recorded and launched: the same bits as those that are taken, or else they are taken."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from unittest import mock

import numpy as np
import pytest
import torch
from device.tape import Tape
from small_suites import SMALL_CONV

import ganbench
from ganbench.registry.registry import load_registry
from ganbench.results.store import Store
from ganbench.suite.trial_id import trial_id
from ganbench.training import capture
from ganbench.training.capture import AGREEING_STEPS, MIN_STEPS_LEFT, StepCapture, why_not_on_principle
from ganbench.training.cuda_graphs import CudaGraphs
from ganbench.training.game import GAN
from ganbench.training.optimizers import is_recordable
from ganbench.training.seeding import deterministic
from ganbench.trial import LiveTrial

CPU = torch.device("cpu")
TRIED = 2 + AGREEING_STEPS  # steps of one kind before the first launch: plainly, observed, and done both ways
SMALL_DIGITS = {"digits": {}}
CONV = {**SMALL_CONV, "loss": "hinge"}
SPECTRAL = {
    "generator": {"name": "conv", "width": 8, "normalization": "batch"},
    "discriminator": {"name": "conv", "width": 8, "normalization": "spectral"},
    "loss": "hinge",
}


def build(trial: ganbench.Trial) -> GAN:
    registry = load_registry(trial.plugin_files)
    torch.manual_seed(0)
    return LiveTrial.build(trial, registry.build("dataset", trial.components.dataset), registry, CPU).gan


def take(step: Callable[[], tuple[torch.Tensor, torch.Tensor]], steps: int) -> list[torch.Tensor]:
    return [loss for _ in range(steps) for loss in step()]


def compare(trial: ganbench.Trial, steps: int = 20, tape: Tape | None = None) -> StepCapture:
    """Take steps, and take them captured; both have to end as one. Return what captured them."""
    with deterministic(CPU, threads=1):
        plain = build(trial)
        plain.warm_up()
        expected = take(plain.step, steps)
    with deterministic(CPU, threads=1):
        gan = build(trial)
        gan.warm_up()
        captured = StepCapture(gan, tape or Tape())
        losses = take(captured.step, steps)
    for step, (loss, other) in enumerate(zip(losses, expected, strict=True)):
        assert torch.equal(loss, other), (captured.summary, step // 2)
    assert_same(gan.state_dict(), plain.state_dict())
    assert_same(gan.signals(), plain.signals())
    for network, other_network in ((gan.generator, plain.generator), (gan.discriminator, plain.discriminator)):
        for weight, other_weight in zip(network.parameters(), other_network.parameters(), strict=True):
            assert_same(weight.grad, other_weight.grad)  # which observers see
    return captured


def assert_same(a: object, b: object) -> None:
    assert type(a) is type(b)
    if isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_same(a[key], b[key])
    elif isinstance(a, list | tuple):
        assert len(a) == len(b)
        for one, other in zip(a, b, strict=True):
            assert_same(one, other)
    elif isinstance(a, torch.Tensor | np.ndarray):
        np.testing.assert_array_equal(a, b)
    elif not (isinstance(a, float) and math.isnan(a)):
        assert a == b


LAZY = {"regularizers": [{"name": "r1", "every": 4}]}
DECAYING = {"lr_decay": "cosine", "ema": 0.99, "d_steps": 2, "g_steps": 2, "d_warmup": 2}


@pytest.mark.parametrize(
    ("method", "training", "graphs"),
    [
        ({}, {}, 1),
        (LAZY, {}, 2),
        ({"regularizers": [{"name": "r1", "every": 3}]}, {"d_steps": 2}, 3),
        ({"regularizers": ["gradient-penalty"]}, {"ema": 0.999}, 1),
        ({"regularizers": ["weight-clipping"]}, {"optimizer": "rmsprop"}, 1),
        ({}, {"optimizer": {"name": "sgd", "momentum": 0.9}, "clip": 0.1}, 1),
        ({}, {"accumulate": 4, "precision": "bf16"}, 1),
        ({"loss": "wasserstein"}, DECAYING, 1),
        ({}, {"update": "simultaneous"}, 1),
        ({}, {"update": "extragradient"}, 1),
        ({"regularizers": [{"name": "path-length", "every": 2}]}, {"update": "optimistic"}, 2),
    ],
    ids=[
        *("plain", "lazy", "lazy-two", "penalty-average", "rmsprop", "sgd", "bf16", "decay", "simultaneous", "extra"),
        "optimistic",
    ],
)
def test_captured_steps_are_bit_identical_on_points(make_trial, method, training, graphs):
    captured = compare(make_trial(method, **{"steps": 100, **training}), 50)
    assert captured.summary == "yes" and len(captured.graphs) == graphs
    assert captured.launched == 50 - graphs * TRIED


@pytest.mark.parametrize(
    ("method", "training"),
    [
        (CONV, {}),
        ({**CONV, **LAZY}, {}),
        (SPECTRAL, {}),
        (SPECTRAL, {"ema": 0.9, "channels_last": True, "lr_decay": "linear"}),
    ],
    ids=["conv", "lazy", "spectral", "average"],
)
def test_captured_steps_are_bit_identical_on_pictures(make_trial, method, training):
    trial = make_trial(
        method, datasets=SMALL_DIGITS, metrics=["energy-distance"], batch_size=16, **{"steps": 100, **training}
    )
    captured = compare(trial, 24)
    assert captured.summary == "yes" and captured.launched >= 24 - 2 * TRIED


def test_a_step_without_what_differs_from_step_to_step_is_one_launch(make_trial):
    tape = Tape()
    captured = compare(make_trial({"regularizers": ["r1"]}, steps=100), 40, tape)
    assert tape.recordings == 1 and tape.launches == captured.launched + AGREEING_STEPS == 40 - TRIED + AGREEING_STEPS


def test_what_differs_from_step_to_step_is_done_between_launches(make_trial):
    tape = Tape()
    captured = compare(make_trial(ema=0.999, lr_decay="linear", steps=100), 20, tape)
    # The step of D's optimizer is between two graphs; that of G's and the average are after them.
    assert captured.launched == 20 - TRIED
    assert tape.launches == 2 * (captured.launched + AGREEING_STEPS)


def test_a_weight_that_grows_keeps_steps_from_being_captured_until_it_is_constant(make_trial):
    ramp = {"from": 0.5, "to": 2.0, "steps": 20}
    trial = make_trial(adversarial_weight=ramp, steps=100)
    captured = compare(trial, 20)
    assert captured.launched == 0 and not captured.why_not
    captured = compare(trial, 40)
    assert captured.launched == 20 - TRIED and len(captured.graphs) == 1


COMPONENTS = '''
import math, numpy, random
from itertools import count

TOTAL = 0

class Loss(ganbench.Loss):
    def discriminator(self, d, real, fake):
        return nn.functional.softplus(-d(real)).mean() + nn.functional.softplus(d(fake)).mean() * self.factor(real)
    def generator(self, d, real, fake):
        return nn.functional.softplus(-d(fake)).mean()
    def factor(self, real):
        return 1.0

class Counts(Loss):
    def __init__(self):
        self.parts = [{"calls": 0}]
    def factor(self, real):
        self.parts[0]["calls"] += 1
        return 1 + 0.01 * self.parts[0]["calls"]

class Keeps(Loss):
    def __init__(self):
        self.mean = torch.zeros(())
    def factor(self, real):
        self.mean = 0.9 * self.mean + 0.1 * real.x.mean().detach()
        return 1 + self.mean

class InPlace(Loss):
    def __init__(self):
        self.mean = torch.zeros(())
    def factor(self, real):
        return 1 + self.mean.mul_(0.9).add_(real.x.mean().detach()).clone()

class OfItsClass(Loss):
    calls = 0
    def factor(self, real):
        type(self).calls += 1
        return 1 + 0.01 * (type(self).calls % 2)

class Globally(Loss):
    def factor(self, real):
        global TOTAL
        TOTAL += 1
        return 1 + 0.01 * (TOTAL % 2)

def in_a_closure():
    calls = 0
    class Closed(Loss):
        def factor(self, real):
            nonlocal calls
            calls += 1
            return 1 + 0.01 * calls
    return Closed()

class Iterates(Loss):
    def __init__(self):
        self.steps = count()
    def factor(self, real):
        return 1 + 0.01 * next(self.steps)

class DrawsOnTheHost(Loss):
    def factor(self, real):
        return 1 + 0.01 * random.random() + 0.01 * numpy.random.rand()

class DrawsItself(Loss):
    def __init__(self):
        self.random = numpy.random.default_rng(0)
    def factor(self, real):
        return 1 + 0.01 * self.random.random()

class Reads(Loss):
    def factor(self, real):
        return 1 + 0.01 * real.x.mean().item()

class Masks(Loss):
    def factor(self, real):
        return real.x[real.x > 0].mean()

class InALibrary(Loss):
    """Remembers in a library's module, which is not looked into."""
    def factor(self, real):
        math.ganbench_test_calls = getattr(math, "ganbench_test_calls", 0) + 1
        return 1 + 0.01 * math.ganbench_test_calls

@ganbench.hookimpl
def ganbench_losses():
    for component in (Counts, Keeps, InPlace, OfItsClass, Globally, Iterates, DrawsOnTheHost, DrawsItself, Reads, Masks, InALibrary):
        yield ganbench.Component(component.__name__, component)
    yield ganbench.Component("Closed", in_a_closure)

class OwnSchedule(ganbench.Update):
    def step(self, game):
        for _ in range(1 + game.steps_done % 2):
            loss_d = game.train_discriminator()
        return loss_d, game.train_generator()

class OwnRate(ganbench.Update):
    def step(self, game):
        game.optimizer_g.param_groups[0]["weight_decay"] += 1e-4
        return game.train_discriminator(), game.train_generator()

class GeneratorFirst(ganbench.Update):
    def step(self, game):
        loss_g = game.train_generator()
        return game.train_discriminator(), loss_g

@ganbench.hookimpl
def ganbench_updates():
    for component in (OwnSchedule, OwnRate, GeneratorFirst):
        yield ganbench.Component(component.__name__, component)
'''


@pytest.mark.parametrize(
    ("loss", "why"),
    [
        ("Counts", "loss.parts[0]['calls'] changes in Python"),
        ("Keeps", "loss.mean changes in Python"),
        ("OfItsClass", "loss.calls changes in Python"),
        ("Globally", "ganbench_plugins"),
        ("Closed", "loss.factor.calls changes in Python"),
        ("Iterates", "loss.steps changes in Python"),
        ("DrawsOnTheHost", "a component draws random numbers on the host"),
        ("DrawsItself", "loss.random changes in Python"),
        ("Reads", "a step reads a number from the device (ganbench_plugins.py, line 77)"),
        (
            "Masks",
            "a step selects by a mask, whose number of entries the host has to know (ganbench_plugins.py, line 81)",
        ),
    ],
)
def test_a_component_that_a_launch_would_not_serve_keeps_its_trial_eager(make_trial, plugin_file, loss, why):
    captured = compare(make_trial({"loss": loss}, files=plugin_file(COMPONENTS), steps=100))
    assert why in captured.why_not and captured.summary == f"no: {captured.why_not}"
    assert captured.launched == 0 and captured._recorder.recordings == 0


def test_a_component_that_remembers_in_place_on_the_device_is_captured(make_trial, plugin_file):
    captured = compare(make_trial({"loss": "InPlace"}, files=plugin_file(COMPONENTS), steps=100))
    assert captured.summary == "yes" and captured.launched == 20 - TRIED


def test_a_memory_that_cannot_be_seen_shows_in_the_numbers(make_trial, plugin_file):
    gan = build(make_trial({"loss": "InALibrary"}, files=plugin_file(COMPONENTS), steps=100))
    captured = StepCapture(gan, Tape())
    take(captured.step, 20)
    assert captured.why_not.startswith("a captured step gives other bits: ") and captured.launched == 0


@pytest.mark.parametrize(
    ("update", "why"),
    [
        ("OwnSchedule", "the update rule reads steps_done, which differs from step to step"),
        ("OwnRate", "a component changes an optimizer's options"),
        ("GeneratorFirst", "the update rule uses a batch of an earlier step"),
        ("unrolled", "a step reads a number from the device (updates.py"),
    ],
)
def test_an_update_rule_that_a_launch_would_not_serve_keeps_its_trial_eager(make_trial, plugin_file, update, why):
    captured = compare(make_trial(update=update, files=plugin_file(COMPONENTS), steps=100))
    assert why in captured.why_not and captured.launched == 0


class StaleTape(Tape):
    """Launches nothing: what the recording has left is what there is."""

    def _launch(self, operations) -> None:
        self.launches += 1


class FailingTape(Tape):
    def __init__(self, where: str) -> None:
        super().__init__()
        self._where = where

    def begin(self, generators) -> None:
        super().begin(generators)
        if self._where == "begin":
            raise RuntimeError("CUDA error: operation not permitted\nwhen stream is capturing")

    def end(self):
        super().end()
        if self._where == "end":
            raise torch.OutOfMemoryError("CUDA out of memory")
        return self._raise

    def _raise(self) -> None:
        raise RuntimeError("CUDA error: an illegal memory access")


@pytest.mark.parametrize("training", [{}, DECAYING], ids=["one-graph", "several"])
@pytest.mark.parametrize(
    ("tape", "why"),
    [
        (StaleTape, "a captured step gives other bits: "),
        (
            lambda: FailingTape("begin"),
            "it could not be captured: RuntimeError: CUDA error: operation not permitted when",
        ),
        (lambda: FailingTape("end"), "it could not be captured: OutOfMemoryError: CUDA out of memory"),
        (lambda: FailingTape("launch"), "it could not be captured: RuntimeError: CUDA error: an illegal"),
    ],
    ids=["stale", "begin", "end", "launch"],
)
def test_a_device_that_fails_or_does_something_else_changes_nothing(make_trial, tape, why, training):
    captured = compare(make_trial(LAZY, **{"steps": 100, **training}), tape=tape())
    assert captured.why_not.startswith(why) and captured.launched == 0 and not captured.graphs
    assert all(not group["capturable"] for group in captured._gan.optimizer_d.param_groups)
    assert captured._gan.recorder is None


def test_a_graph_that_no_longer_agrees_is_not_used_any_more(make_trial):
    class Wearing(Tape):
        def _launch(self, operations) -> None:
            super()._launch(operations[: len(operations) // 2] if self.launches >= AGREEING_STEPS - 1 else operations)

    captured = compare(make_trial(steps=100), tape=Wearing())
    assert captured.why_not.startswith("a captured step gives other bits") and captured.launched == 0


def test_a_second_state_that_does_not_fit_into_memory_costs_the_capture_alone(make_trial, monkeypatch):
    def fail(*_: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(capture, "Moment", fail)
    assert compare(make_trial(steps=100)).why_not == "it could not be tried: OutOfMemoryError: CUDA out of memory"


def test_a_component_that_raises_raises_in_the_same_step(make_trial, plugin_file):
    code = COMPONENTS.replace("return 1.0", "return {}[0] if torch.rand(()) < 0.02 else 1.0").replace(
        "(Counts,", "(Loss, Counts,"
    )
    trial = make_trial({"loss": "Loss"}, files=plugin_file(code), steps=300)
    done = []
    for captured in (False, True):
        with deterministic(CPU, threads=1):
            gan = build(trial)
            step = StepCapture(gan, Tape()).step if captured else gan.step
            with pytest.raises(KeyError):
                take(step, 300)
            done.append(gan.steps_done)
    assert done[0] == done[1] > 10


def test_a_state_that_is_loaded_makes_graphs_invalid(make_trial):
    trial = make_trial(LAZY, steps=200)
    with deterministic(CPU, threads=1):
        gan, tape = build(trial), Tape()
        captured = StepCapture(gan, tape)
        take(captured.step, 20)
        state, recorded = gan.state_dict(), tape.recordings
        first = take(captured.step, 20)
        assert tape.recordings == recorded
        gan.load_state_dict(state)
        assert all(torch.equal(a, b) for a, b in zip(first, take(captured.step, 20), strict=True))
        assert tape.recordings > recorded and captured.summary == "yes"


def test_settings_that_change_make_graphs_invalid(make_trial):
    with deterministic(CPU, threads=1):
        gan, other = (build(make_trial(steps=200)) for _ in range(2))
        captured = StepCapture(gan, Tape())
        take(captured.step, 20), take(other.step, 20)
        for game in (gan, other):
            game.settings = replace(game.settings, clip=0.01)
        assert all(torch.equal(a, b) for a, b in zip(take(captured.step, 15), take(other.step, 15), strict=True))
        for game in (gan, other):
            game.optimizer_d.param_groups[0]["lr"] = 1e-5
        assert all(torch.equal(a, b) for a, b in zip(take(captured.step, 15), take(other.step, 15), strict=True))
        assert captured.summary == "yes"


def test_a_fork_of_a_captured_run_is_what_the_run_will_be(make_trial):
    with deterministic(CPU, threads=1):
        run = load_registry()
        trial = make_trial(LAZY, steps=200, ema=0.9)
        gan = LiveTrial.build(trial, run.build("dataset", trial.components.dataset), run, CPU).gan
        captured = StepCapture(gan, Tape())
        take(captured.step, 25)
        ahead = gan.fork(10).weights()
        take(captured.step, 10)
        assert captured.launched > 15
        assert all(torch.equal(weight, ahead[name]) for name, weight in gan.weights().items())


@pytest.mark.parametrize("training", [{"precision": "float16"}, {"steps": MIN_STEPS_LEFT - 1}])
def test_settings_that_rule_a_capture_out(make_trial, training):
    gan = build(make_trial(steps=200))
    assert why_not_on_principle(gan) == ""
    gan.settings = replace(gan.settings, **training)
    why = why_not_on_principle(gan)
    assert why == (
        "the run is too short" if "steps" in training else "float16 decides on the host whether an update is left out"
    )
    captured = StepCapture(gan, Tape())
    take(captured.step, 3)
    assert captured.summary == f"no: {why}"


def test_near_the_end_of_a_run_nothing_is_recorded_any_more(make_trial):
    gan, tape = build(make_trial(steps=MIN_STEPS_LEFT + 1)), Tape()
    captured = StepCapture(gan, tape)
    take(captured.step, MIN_STEPS_LEFT)
    assert tape.recordings == 0 and captured.summary == "no: the run is too short"


@pytest.mark.parametrize(
    ("name", "recordable"), [("adam", True), ("adamw", True), ("sgd", True), ("rmsprop", False), ("unfused", False)]
)
def test_optimizers_that_may_be_part_of_a_graph(name, recordable):
    weight = torch.nn.Parameter(torch.ones(3))
    if name == "unfused":
        optimizer = torch.optim.Adam([weight])
    else:
        optimizer = load_registry().build("optimizer", ganbench.ComponentRef(name), [weight])
    weight.sum().backward()
    optimizer.step()
    assert is_recordable(optimizer) == recordable
    optimizer.register_step_post_hook(lambda *_: None)
    assert not is_recordable(optimizer)


# --- whole trials ------------------------------------------------------------------------------------


@pytest.fixture
def on_tape(monkeypatch) -> list[StepCapture]:
    """Let trials capture their steps, as on a GPU; what does so, by trial."""
    made: list[StepCapture] = []

    def capture_on_tape(gan: GAN) -> StepCapture | None:
        if gan.settings.capture == "off":
            return None
        made.append(StepCapture(gan, Tape()))
        return made[-1]

    monkeypatch.setattr("ganbench.trial._capture", capture_on_tape)
    return made


def assert_same_results(some: ganbench.TrialResult, other: ganbench.TrialResult) -> None:
    assert (some.status, some.steps) == (other.status, other.steps)
    assert_same(dict(some.artifacts.history.columns), dict(other.artifacts.history.columns))
    assert_same(dict(some.artifacts.weights), dict(other.artifacts.weights))
    assert [(s.metric, s.value) for s in some.scores] == [(s.metric, s.value) for s in other.scores]


def test_a_whole_trial_has_the_same_history_weights_and_scores(make_trial, run_here, on_tape, tmp_path):
    trial = make_trial({**LAZY, "loss": "hinge"}, ema=0.99, steps=150, observations=5)
    off = replace(trial, training=replace(trial.training, capture="off"))
    captured, plain = run_here(trial), run_here(off)
    assert on_tape[0].launched > 80
    assert captured.captured == "yes" and plain.captured == ""
    assert_same_results(captured, plain)
    saved = replace(trial, checkpoints=ganbench.Checkpoints(str(tmp_path / "trial"), steps=70))
    run_here(saved)
    resumed = run_here(saved)  # from step 140
    assert_same_results(resumed, plain)
    assert resumed.captured == "no: the run is too short"


def test_a_captured_run_that_diverges_is_replayed_to_the_same_place(make_trial, run_here, on_tape):
    trial = make_trial({"loss": "wasserstein"}, optimizer={"name": "sgd", "lr": 3.0}, steps=300)
    off = replace(trial, training=replace(trial.training, capture="off"))
    captured, plain = run_here(trial), run_here(off)
    assert plain.status == "diverged" and plain.reason == captured.reason
    assert_same(dict(captured.artifacts.history.columns), dict(plain.artifacts.history.columns))


def test_a_result_says_why_steps_were_not_captured_wherever_it_is_read(
    make_trial, run_here, on_tape, tmp_path, say_here
):
    result = run_here(make_trial({"regularizers": ["lecam"]}, steps=100))
    why = "regularizer lecam.updates['0'] changes in Python"
    assert result.captured == f"no: {why}"
    store = Store(tmp_path / "results")
    with store.begin_run({"suite": "s", "trials": [result.trial.id]}, {}):
        store.write(result)
    read = ganbench.load(tmp_path / "results")
    assert list(read.trials["captured"]) == [f"no: {why}"]
    assert say_here("report", "results").code == 0
    page = (tmp_path / "results" / "report" / "report.md").read_text()
    assert "capture of the steps of method on ring: regularizer lecam.updates" in page


def test_without_a_gpu_nothing_says_anything_of_it(make_trial, run_here):
    result = run_here(make_trial(steps=20))
    assert result.captured == ""
    from ganbench.results.tables import trials_table

    assert "captured" not in trials_table([result]).columns
    assert "captured" in trials_table([replace(result, captured="yes")]).columns


def test_the_default_renames_no_trial_and_another_value_is_stated(make_trial):
    trial = make_trial()
    assert trial.training.capture == "auto"
    assert "capture" not in str(trial_id(trial))
    off = replace(trial, training=replace(trial.training, capture="off"))
    assert trial_id(trial) == trial.id != trial_id(off)
    with pytest.raises(ganbench.RequestError, match="capture"):
        make_trial(capture="on")


@pytest.fixture
def cuda_calls():
    """What is asked of torch.cuda, where there is no GPU: what it does is tested on one."""
    calls = mock.MagicMock()
    graphs = [mock.MagicMock() for _ in range(3)]
    for number, graph in enumerate(graphs):
        calls.attach_mock(graph, f"graph{number}")
    stubs = {"Stream": calls.stream, "CUDAGraph": mock.Mock(side_effect=graphs), "graph_pool_handle": lambda: (0, 1)}
    with mock.patch.multiple(torch.cuda, **stubs):
        yield calls, graphs


def test_graphs_of_a_gpu_are_made_as_torch_asks(cuda_calls):
    calls, made = cuda_calls
    graphs = CudaGraphs(torch.device("cuda"))
    generator = torch.Generator()
    graphs.begin([generator])
    assert graphs.end() is made[0].replay
    graphs.cancel()  # nothing is recorded
    assert [name for name, _, _ in calls.mock_calls] == [
        "stream",
        "graph0.register_generator_state",
        "graph0.capture_begin",
        "graph0.capture_end",
    ]
    assert made[0].register_generator_state.call_args == mock.call(generator)


def test_after_a_graph_that_cannot_be_ended_an_empty_one_makes_random_numbers_usable_again(cuda_calls):
    """torch leaves generators in the state of one that is being recorded, in which drawing raises."""
    calls, made = cuda_calls
    made[0].capture_end.side_effect = RuntimeError(
        "CUDA error: operation failed due to a previous error during capture"
    )
    graphs = CudaGraphs(torch.device("cuda"))
    generator = torch.Generator()
    graphs.begin([generator])
    graphs.cancel()
    names = [name for name, _, _ in calls.mock_calls]
    assert names[-3:] == ["graph1.register_generator_state", "graph1.capture_begin", "graph1.capture_end"]
    assert made[1].register_generator_state.call_args == mock.call(generator)
    graphs.cancel()
    assert len(calls.mock_calls) == len(names)
