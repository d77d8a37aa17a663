"""Arguments that cannot be right are refused, in one line, when the monitor is created."""

from __future__ import annotations

import pytest
import torch

import ganbench
from ganbench.registry.registry import Registry


@pytest.mark.parametrize(
    "change, message",
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
        ({"diagnoses": "mode-collapse"}, r"diagnoses is 'mode-collapse'; pass a list of names, \['mode-collapse'\]"),
        ({"diagnoses": "mode-colapse"}, "pass a list of names; did you mean 'mode-collapse'"),
        ({"diagnoses": 3}, "diagnoses is of type int; pass a list of names; valid: divergence, .*mode-collapse"),
        ({"diagnoses": ["divergence", 3]}, "diagnoses contains a value of type int; pass a list of names; valid: dive"),
        ({"logits": 3}, "logits is of type int; pass a function"),
        ({"on_finding": "print"}, "on_finding is of type str; pass a function"),
        ({"scaler": 1024.0}, "scaler is of type float; pass the loop's GradScaler"),
    ],
)
def test_an_invalid_argument_is_refused_in_one_line(gan, change, message):
    arguments = {"generator": gan.g, "discriminator": gan.d, "real": gan.real, "budget": 10} | change
    if "generator" not in change:
        arguments |= {name: gan.g for name, value in change.items() if value == "generator"}
    with pytest.raises((ValueError, ganbench.RequestError), match=message) as refusal:
        ganbench.Monitor(arguments.pop("generator"), arguments.pop("discriminator"), **arguments)
    assert "\n" not in str(refusal.value)


@pytest.fixture
def broken_diagnosis(monkeypatch):
    """Make building `mode-collapse` fail."""
    build = Registry.build

    def build_or_fail(self, kind, ref, *arguments):
        if ref.name == "mode-collapse":
            raise RuntimeError("no license\nfound")
        return build(self, kind, ref, *arguments)

    monkeypatch.setattr(Registry, "build", build_or_fail)


def test_a_diagnosis_that_cannot_be_built_is_left_out_by_default(gan, issued_warnings, broken_diagnosis):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=20)
    gan.train(monitor, 20)
    note = "left out: diagnosis 'mode-collapse': RuntimeError: no license found"
    assert monitor.notes == (note,) and len(issued_warnings()) == 1
    assert monitor.muted is None and len(monitor._diagnoses) > 1


def test_a_diagnosis_that_cannot_be_built_is_refused_if_it_is_named(gan, broken_diagnosis):
    with pytest.raises(ganbench.RequestError, match="'mode-collapse' cannot be built: RuntimeError: no license found"):
        ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=20, diagnoses=["mode-collapse"])
