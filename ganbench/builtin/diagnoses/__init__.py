"""Built-in diagnoses."""

from collections.abc import Iterator

import ganbench


@ganbench.hookimpl
def ganbench_diagnoses() -> Iterator[ganbench.Component]:
    yield ganbench.Component(
        "overpowering-discriminator",
        "ganbench.builtin.diagnoses.overpowering_discriminator:OverpoweringDiscriminator",
    )
    yield ganbench.Component("weak-discriminator", "ganbench.builtin.diagnoses.weak_discriminator:WeakDiscriminator")
    yield ganbench.Component("mode-collapse", "ganbench.builtin.diagnoses.mode_collapse:ModeCollapse")
    yield ganbench.Component("divergence", "ganbench.builtin.diagnoses.divergence:Divergence")
    yield ganbench.Component("oscillation", "ganbench.builtin.diagnoses.oscillation:Oscillation")
    yield ganbench.Component("memorization", "ganbench.builtin.diagnoses.memorization:Memorization")
