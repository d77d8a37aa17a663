"""Whatever is wrong, with the loop or with us, the training goes on and one line says what it was."""

from __future__ import annotations

import copy
import pickle
import warnings

import pytest
import torch
from torch import nn

import ganbench
from ganbench.registry.registry import Registry


def follow(monitor, gan, steps=40, **how):
    for _ in range(steps):
        losses = gan.step(**how)
        monitor.step(*losses)


@pytest.mark.parametrize(
    "change, said",
    [
        ({"budget": 0}, "budget is 0"),
        ({"budget": -5}, "budget is -5"),
        ({"budget": 2.5}, "budget is 2.5"),
        ({"budget": torch.tensor([[5], [5]])}, r"budget is tensor\(\[\[5\], \[5\]\]\)"),
        ({"generator": "g"}, "generator is a str"),
        ({"discriminator": lambda x: x}, "discriminator is a function"),
        ({"average": 0.99}, "average is a float"),
        ({"discriminator": "generator"}, "the same module"),
        ({"average": "generator"}, "the copy that is averaged"),
        ({"diagnoses": ["mode-colapse"]}, "did you mean 'mode-collapse'"),
        ({"diagnoses": "mode-collapse"}, r"diagnoses is 'mode-collapse'; give a list of names, \['mode-collapse'\]"),
        ({"diagnoses": "mode-colapse"}, "give a list of names; did you mean 'mode-collapse'"),
        ({"diagnoses": 3}, "diagnoses is of type int; give a list of names; valid: divergence, .*mode-collapse"),
        ({"diagnoses": ["divergence", 3]}, "diagnoses holds something of type int; give a list of names; valid: dive"),
        ({"logits": 3}, "logits is of type int; hand over a function"),
        ({"on_finding": "print"}, "on_finding is of type str; hand over a function"),
        ({"scaler": 1024.0}, "scaler is of type float; hand over the loop's GradScaler"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused_in_one_line(gan, change, said):
    given = {"generator": gan.g, "discriminator": gan.d, "real": gan.real, "budget": 10} | change
    if "generator" not in change:
        given |= {name: gan.g for name, value in change.items() if value == "generator"}
    with pytest.raises((ValueError, ganbench.RequestError), match=said) as refusal:
        ganbench.Monitor(given.pop("generator"), given.pop("discriminator"), **given)
    assert "\n" not in str(refusal.value)


BAD = {
    "nothing is called": (lambda gan: None, {"steps_only": True}, "the generator has not been called"),
    "g is never called": (lambda gan: {"g": copy.deepcopy(gan.g)}, {}, "the generator has not been called"),
    "d is never called": (lambda gan: {"d": copy.deepcopy(gan.d)}, {}, "the discriminator has not been called"),
    "no logits": (
        lambda gan: gan.d.register_forward_hook(lambda m, a, o: o.expand(-1, 5)) and {},
        {},
        r"returns \(16, 5\) for 16",
    ),
    "another range": (lambda gan: {"fake": lambda x: 10 * x + 3}, {}, "is not given what the generator makes"),
    "another shape": (
        lambda gan: {"fake": lambda x: torch.cat([x, x], 1), "d": gan.wide, "real": gan.twice},
        {},
        r"\(4,\)",
    ),
    "too few real ones": (lambda gan: setattr(gan, "batch", 2), {}, "real samples were found"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_loop_that_cannot_be_read_mutes_the_monitor_with_one_warning(name, gan, heard):
    prepare, kind, said = BAD[name]
    gan.wide, gan.twice = nn.Sequential(nn.Linear(4, 1)), lambda x: torch.cat([x, x], 1)
    how = prepare(gan) or {}
    monitor = ganbench.Monitor(gan.g, how.get("d", gan.d) if name == "another shape" else gan.d, budget=40)
    for _ in range(45):
        if not kind:
            gan.step(**how)
        monitor.step()
    assert monitor.muted is not None and monitor.findings == () and not monitor.should_stop
    (line,) = heard()
    with pytest.raises(AssertionError, match=said):
        raise AssertionError(line)
    assert not gan.g._forward_hooks and not gan.d._forward_pre_hooks


class Faulty:
    """A diagnosis that finds something twice and then breaks."""

    def __init__(self, error):
        self.error, self.asked = error, 0

    def diagnose(self, history):
        self.asked += 1
        if self.asked > 2:
            raise self.error
        yield ganbench.Finding("faulty", "now", "warning", 0.7, 1, "Something.", {}, "nothing")


def test_an_error_of_ours_keeps_the_findings_and_costs_the_training_nothing(gan, heard):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=40, diagnoses=[])
    monitor._diagnoses["faulty"] = Faulty(KeyError("gone"))
    follow(monitor, gan)
    assert [finding.diagnosis for finding in monitor.findings] == ["faulty"]
    assert "KeyError" in monitor.muted and len(heard()) == 1
    assert len(monitor.history().columns["step"]) == 3


def test_an_error_in_a_hook_is_no_error_of_the_loop(gan, heard, monkeypatch):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=40)
    monkeypatch.setattr(monitor._watch, "_linked", lambda leaves: 1 / 0)
    follow(monitor, gan)
    assert monitor.muted is not None and len(heard()) == 1


def test_an_error_that_cannot_be_shown_is_no_error_of_the_loop(gan, heard):
    class Unshown(Exception):
        def __str__(self):
            raise RuntimeError("nothing to say")

    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=40, diagnoses=[])
    monitor._diagnoses["faulty"] = Faulty(Unshown())
    follow(monitor, gan)
    assert "Unshown" in monitor.muted and len(heard()) == 1


def test_a_wish_to_stop_is_not_held_up(gan):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=40, diagnoses=[])
    monitor._diagnoses["faulty"] = Faulty(KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        follow(monitor, gan)
    follow(monitor, gan)
    assert monitor.muted is None and not gan.g._forward_hooks


def test_a_callback_that_raises_mutes_itself_alone(gan, heard):
    def on_finding(finding):
        raise OSError("no network")

    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=40, on_finding=on_finding, diagnoses=[])
    monitor._diagnoses["a"] = Faulty(ValueError())
    monitor._diagnoses["a"].asked = -100
    follow(monitor, gan)
    assert monitor.muted is None and len(monitor.history().columns["step"]) == 4
    (line,) = heard()
    assert "on_finding raised OSError: no network" in line


def test_where_warnings_are_errors_the_training_still_goes_on(gan, caplog):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        monitor = ganbench.Monitor(gan.g, gan.d, real=iter([]), budget=40, diagnoses=[])
        monitor._diagnoses["faulty"] = Faulty(RuntimeError("broken"))
        follow(monitor, gan)
    assert monitor.muted == "RuntimeError: broken"
    assert len(caplog.messages) == 2


@pytest.mark.parametrize("empty", [{0}, {0, 1, 2}, {9}, {3, 8, 9, 10}])
def test_an_empty_batch_is_passed_over(empty, gan, heard):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=40)
    for i in range(40):
        gan.batch = 0 if i in empty else 32
        gan.step()
        monitor.step()
    assert monitor.muted is None and heard() == []
    assert list(monitor.history().columns["step"]) == [10, 20, 30, 40]


def test_a_loop_whose_batches_are_all_empty_is_said_to_show_no_sample(gan, heard):
    gan.batch = 0
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=40)
    follow(monitor, gan)
    assert "not been called on any sample" in monitor.muted and len(heard()) == 1


class Unreadable:
    """A data set that says in two lines why it cannot be read."""

    def __len__(self):
        return 100

    def __getitem__(self, i):
        raise OSError("no such file:\n  a.png")


def test_every_note_is_one_line(gan, heard):
    monitor = ganbench.Monitor(gan.g, gan.d, real=Unreadable(), budget=40)
    follow(monitor, gan)
    (note,) = monitor.notes
    assert "reading it raised OSError: no such file: a.png; real samples are those" in note
    assert "\n" not in note and len(heard()) == 1 and monitor.muted is None


def test_what_is_true_again_at_a_later_look_is_said_once(gan, heard):
    """A discriminator that ends in a sigmoid at every other look."""
    looks = []
    gan.d.register_forward_hook(lambda module, args, out: out if len(looks) % 2 else out.sigmoid())
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=100, diagnoses=[])
    read = monitor._view._notice
    monitor._view._notice = lambda: (looks.append(monitor._view._logits.probabilities), read())[0]
    follow(monitor, gan, 100)
    assert len(monitor.history().columns["step"]) == 10 and {True, False} == set(looks)
    assert len(monitor.notes) == len(heard()) == 1


def test_a_budget_may_be_exceeded_or_never_reached(gan):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=20)
    follow(monitor, gan, 60)
    assert list(monitor.history().columns["step"]) == [10, 20] and monitor.muted is None
    with ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=1000) as monitor:
        follow(monitor, gan, 49)
    assert monitor.muted is None and not gan.g._forward_hooks
    follow(monitor, gan, 60)
    assert list(monitor.history().columns["step"]) == []


@pytest.mark.parametrize("budget", [1, 2, 7])
def test_a_short_budget_is_observed_at_its_end(gan, budget):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=budget)
    follow(monitor, gan, budget)
    assert monitor.history().columns["step"][-1] == budget and monitor.muted is None


def test_before_the_first_observation_there_is_an_empty_history(gan):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=20)
    (step,) = monitor.history().columns.values()
    assert step.dtype.kind == "i" and len(step) == len(monitor.history().columns["step"]) == 0
    assert monitor.findings == () and monitor.should_stop is False


@pytest.mark.parametrize("duplicate", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])  # noqa: S301
def test_a_copy_made_while_hooks_are_on_carries_none_that_does_anything(gan, duplicate):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=20)
    gan.step()
    assert gan.g._forward_hooks, "the first step is watched"
    other = duplicate(gan.g)
    seen = len(monitor._watch.window.made)
    other(torch.randn(3, 4))
    assert len(monitor._watch.window.made) == seen
    assert list(other.state_dict()) == list(gan.g.state_dict())


def test_a_step_of_g_leaves_no_graph_behind(gan):
    """The monitor holds nothing of G's graph: memory for it is the loop's own."""
    import gc
    import weakref

    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=20)

    class Held(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.big = Big()
            alive.append(weakref.ref(ctx.big))
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            return gradient

    class Big:
        pass

    alive: list = []
    gan.g.register_forward_hook(lambda module, args, output: Held.apply(output))
    gan.step()
    gc.collect()
    assert monitor._watch.window.made and [ref() for ref in alive] == [None]


def test_a_monitor_without_diagnoses_observes_to_the_end(gan, heard):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=20, diagnoses=[])
    follow(monitor, gan, 20)
    assert monitor.muted is None and list(monitor.history().columns["step"]) == [10, 20] and heard() == []


@pytest.fixture
def broken_diagnosis(monkeypatch):
    """`mode-collapse` is one that cannot be made."""
    build = Registry.build

    def built(self, kind, ref, *given):
        if ref.name == "mode-collapse":
            raise RuntimeError("no license\nfound")
        return build(self, kind, ref, *given)

    monkeypatch.setattr(Registry, "build", built)


def test_a_diagnosis_that_cannot_be_made_is_left_out_where_nobody_asked_for_it(gan, heard, broken_diagnosis):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=20)
    follow(monitor, gan, 20)
    said = "left out: diagnosis 'mode-collapse': RuntimeError: no license found"
    assert monitor.notes == (said,) and len(heard()) == 1
    assert monitor.muted is None and len(monitor._diagnoses) > 1


def test_a_diagnosis_that_cannot_be_made_is_refused_where_it_was_named(gan, broken_diagnosis):
    with pytest.raises(ganbench.RequestError, match="'mode-collapse' cannot be made: RuntimeError: no license found"):
        ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=20, diagnoses=["mode-collapse"])


def test_broken_samples_in_the_data_are_not_taken_for_a_broken_network(gan):
    spoilt = gan.real.clone()
    spoilt[::100] = float("nan")
    monitor = ganbench.Monitor(gan.g, gan.d, real=spoilt, budget=40)
    for _ in range(40):
        gan.step()
        monitor.step()
    assert "divergence" not in {f.diagnosis for f in monitor.findings}
    assert any("not finite" in note for note in monitor.notes)
