"""An option may name another component: checked like any reference, handed over as a callable, and on record."""

from __future__ import annotations

import pytest

from ganbench import RequestError
from ganbench.contract.records import ComponentRef
from ganbench.registry.registry import load_registry

WRAPPER = '''
from typing import Annotated, Any, Callable

class Doubled(nn.Module):
    """Twice the logits of another discriminator."""
    def __init__(self, data, *, of: Annotated[Callable[..., Any], ganbench.Part("discriminator")] = "mlp"):
        super().__init__()
        self.inner = of(data)
    def forward(self, x, labels=None):
        return 2 * self.inner(x, labels)

@ganbench.hookimpl
def ganbench_discriminators():
    yield ganbench.Component("doubled", Doubled)
'''


@pytest.fixture
def files(plugin_file):
    return plugin_file(WRAPPER)


def doubled(of: object) -> ComponentRef:
    return ComponentRef("doubled", {"of": of})


def test_it_is_given_by_name_or_as_a_table_and_becomes_plain_data(files):
    registry = load_registry(files)
    assert registry.check("discriminator", doubled("mlp"), "here").options == {"of": {"name": "mlp"}}
    nested = doubled({"name": "doubled", "of": {"name": "mlp", "width": 16}})
    assert registry.check("discriminator", nested, "here").options == nested.options


@pytest.mark.parametrize(
    ("of", "words"),
    [
        ("mlpp", r"here: discriminator 'doubled' of .*: of: no discriminator is called 'mlpp'; did you mean 'mlp'\?"),
        ({"name": "mlp", "widht": 3}, r"of: discriminator 'mlp' of ganbench .*: unknown key 'widht'; .*'width'"),
        ({"width": 3}, r"of: a component is a name or a table with one"),
        (3, r"of = 3: expected"),
    ],
)
def test_a_wrong_one_is_named_with_its_place(files, of, words):
    with pytest.raises(RequestError, match=words):
        load_registry(files).check("discriminator", doubled(of), "here")


def test_it_trains_is_recorded_and_its_own_limits_count(files, make_trial, run_here):
    trial = make_trial(
        {"discriminator": {"name": "doubled", "of": {"name": "mlp", "width": 16}}}, files=files, steps=20
    )
    result = run_here(trial)
    assert result.status == "done", result.reason
    assert result.origins["discriminator mlp"].startswith("ganbench ")
    assert result.artifacts.weights["discriminator.inner.net.0.weight"].shape[0] == 16
    skipped = run_here(make_trial({"discriminator": {"name": "doubled", "of": "conv"}}, files=files, steps=20))
    assert skipped.status == "skipped" and "discriminator 'doubled'" in skipped.reason
