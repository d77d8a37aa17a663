"""A run whose numbers break ends as `diverged`, with the step and the layer at which they did."""

from __future__ import annotations

import pytest

BREAKS_AT = '''
import math

class Breaking(nn.Module):
    """G whose second layer turns to NaN at its N-th training pass."""
    latent_dim = 4
    def __init__(self, data, *, at: int = 74):
        super().__init__()
        self.first, self.second = nn.Linear(4, 8), nn.Linear(8, 2)
        self.register_buffer("passes", torch.zeros(()))
        self.at = at
    def forward(self, z, labels=None):
        self.passes += 1
        h = self.first(z)
        return self.second(h * math.nan if self.passes >= self.at else h)

@ganbench.hookimpl
def ganbench_generators():
    yield ganbench.Component("breaking", Breaking)
'''


def test_the_exact_step_and_layer_of_a_nan_are_found_between_two_observations(make_trial, run_here, plugin_file):
    # Two training passes a step, the second of which is G's own: pass 74 is in step 37, observed at 40.
    result = run_here(make_trial({"generator": "breaking"}, files=plugin_file(BREAKS_AT), diagnoses="all"))
    assert result.status == "diverged"
    assert result.reason == "not finite since step 37: output of layer 'second' of the generator"
    assert result.steps == 36
    where = result.artifacts.history.nonfinite
    assert (where.step, where.player, where.layer, where.what) == (37, "generator", "second", "output")
    (finding,) = [f for f in result.findings if f.diagnosis == "divergence"]
    assert (finding.severity, finding.confidence, finding.onset_step) == ("failure", 1.0, 37)
    assert "second" in finding.summary


@pytest.mark.parametrize("player", ["generator", "discriminator"])
def test_exploding_weights_are_a_result_and_not_an_error(make_trial, run_here, player):
    optimizer = {f"optimizer_{player[0]}": {"name": "sgd", "lr": 1e30}}
    result = run_here(make_trial({"loss": "wasserstein", **optimizer}))
    assert result.status == "diverged"
    where = result.artifacts.history.nonfinite
    assert where.step <= 5
    # The player whose optimizer explodes breaks first; D may meet what an exploding G has made of its samples.
    assert where.player == player or (player == "generator" and where.what == "output")


def test_a_loss_that_is_nan_from_a_step_on_is_named(make_trial, run_here, plugin_file):
    files = plugin_file('''
class Late:
    """Hinge that turns to NaN at the 25th step of D."""
    def __init__(self):
        self.calls = 0
    def discriminator(self, d, real, fake):
        self.calls += 1
        loss = torch.relu(1 - d(real)).mean() + torch.relu(1 + d(fake)).mean()
        return loss * float("nan") if self.calls >= 25 else loss
    def generator(self, d, real, fake):
        return -d(fake).mean()

@ganbench.hookimpl
def ganbench_losses():
    yield ganbench.Component("late", Late)
''')
    result = run_here(make_trial({"loss": "late"}, files=files))
    assert result.status == "diverged"
    assert result.reason == "not finite since step 25: loss of the discriminator"
