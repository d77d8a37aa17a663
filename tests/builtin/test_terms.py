"""Terms are their formulas, their weights follow the suite, and what they need and do not get is said in one line."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

import ganbench
from ganbench.builtin.sound_terms import MelDistance, MultiResolutionSTFT, magnitudes, mel_filters
from ganbench.builtin.terms import L1, L2, AuxiliaryClasses, FeatureMatching, MutualInformation
from ganbench.contract.errors import RequestError
from ganbench.contract.records import Batch, Ramp, TermRef
from ganbench.registry.registry import load_registry
from ganbench.results.tables import settings_of
from ganbench.training.discriminator import BoundDiscriminator
from ganbench.training.objective import add_parts, weight_at
from ganbench.trial import LiveTrial

REAL = Batch(torch.tensor([[1.0], [3.0]]), torch.tensor([0, 1]))
FAKE = Batch(
    torch.tensor([[2.0], [0.0]]), torch.tensor([0, 1]), None, torch.tensor([[0.5, 2.0, -1.0], [1.5, -1.0, 0.0]])
)


def giving(**others):
    """D whose features are x and 2 x, and whatever else is given."""
    run = lambda b: {"logits": b.x[:, 0], "features": [b.x, [2 * b.x]], **{n: f(b) for n, f in others.items()}}  # noqa: E731
    return BoundDiscriminator(run)


def live(trial):
    registry = load_registry(trial.plugin_files)
    return LiveTrial.build(trial, registry.build("dataset", trial.components.dataset), registry, torch.device("cpu"))


def test_distances_are_means_over_all_values():
    assert float(L1()(None, REAL, FAKE)) == (1 + 3) / 2
    assert float(L2()(None, REAL, FAKE)) == (1 + 9) / 2


def test_features_are_matched_sample_by_sample_or_in_the_mean():
    assert float(FeatureMatching()(giving(), REAL, FAKE)) == pytest.approx((2 + 4) / 2)
    assert float(FeatureMatching(match="mean")(giving(), REAL, FAKE)) == pytest.approx((1**2 + 2**2) / 2)


def test_classes_are_those_of_both_for_d_and_have_no_gradient_through_real_ones():
    d = giving(classes=lambda b: torch.cat([b.x, -b.x], dim=1))
    of_real = (math.log(1 + math.exp(-2)) + math.log(1 + math.exp(6))) / 2  # logits 1, -1 of class 0; 3, -3 of class 1
    of_fake = (math.log(1 + math.exp(-4)) + math.log(2)) / 2
    assert float(AuxiliaryClasses()(d, REAL, FAKE)) == pytest.approx(of_real + of_fake)
    assert float(AuxiliaryClasses(of_fakes=False)(d, REAL, FAKE)) == pytest.approx(of_real)


def test_codes_are_read_off_the_noise():
    d = giving(codes=lambda b: torch.cat([b.x, 0 * b.x, b.x], dim=1))
    # categories by the larger of the first two values: 1, 0; the logits are (2, 0), (0, 0). The code is -1, 0; 2, 0 is read.
    wanted = (math.log(1 + math.exp(2)) + math.log(2)) / 2 + (3**2 + 0) / 2 / 2
    assert float(MutualInformation(categories=2, continuous=1)(d, REAL, FAKE)) == pytest.approx(wanted)


def test_the_spectrum_is_the_formula():
    sound = torch.randn(1, 64, generator=torch.Generator().manual_seed(0))
    size, hop = 16, 4
    padded = torch.nn.functional.pad(sound[:, None], (8, 8), mode="reflect")[0, 0]
    n = torch.arange(size)
    window = 0.5 - 0.5 * torch.cos(2 * math.pi * n / size)
    k = torch.arange(9)[:, None]
    wave = torch.exp(-2j * math.pi * k * n / size)
    frames = torch.stack([padded[i : i + size] for i in range(0, 65, hop)])
    wanted = (wave @ (window * frames).T.to(torch.complex64)).abs()
    assert torch.allclose(magnitudes(sound, size, hop)[0], wanted, atol=1e-4)


def test_the_distance_of_spectra_is_convergence_and_log_magnitude():
    real, fake = torch.randn(2, 3, 1, 256, generator=torch.Generator().manual_seed(0))
    parts = []
    for size in (32, 64):
        a, b = (magnitudes(x[:, 0], size, size // 4) for x in (real, fake))
        ratios = [(x - y).norm() / x.norm() for x, y in zip(a, b, strict=True)]
        parts.append(torch.stack(ratios).mean() + (a.log() - b.log()).abs().mean())
    term = MultiResolutionSTFT(sizes=[32, 64])
    assert float(term(None, Batch(real), Batch(fake))) == pytest.approx(float(sum(parts) / 2), rel=1e-5)
    assert float(term(None, Batch(real), Batch(real))) == 0


def test_mel_filters_are_triangles_of_equal_area_at_their_corners():
    rate, size = 8000.0, 4096
    filters = mel_filters(rate, size, 4, 0.0, 4000.0)
    hertz = torch.linspace(0, rate / 2, size // 2 + 1)
    # Slaney's scale: 1000 Hz are 15 mel, 4000 Hz 15 + 27 ln 4 / ln 6.4
    corners = torch.linspace(0, 15 + 27 * math.log(4) / math.log(6.4), 6)
    in_hertz = [m * 200 / 3 if m < 15 else 1000 * 6.4 ** ((m - 15) / 27) for m in corners.tolist()]
    for band, (low, centre, high) in zip(filters, zip(in_hertz, in_hertz[1:], in_hertz[2:], strict=False), strict=True):
        assert abs(float(hertz[band.argmax()]) - centre) < 2
        inside, edge = (hertz > low) & (hertz < high), 1e-2  # Hz, for roundings at a corner
        assert not (band > 0)[~inside].any() and (band > 0)[(hertz > low + edge) & (hertz < high - edge)].all()
        assert float(band.sum() * (hertz[1] - hertz[0])) == pytest.approx(1, rel=1e-3)


def test_gradients_of_sounds_reach_the_samples_even_of_silence():
    for term in (MultiResolutionSTFT(sizes=[64]), MelDistance(size=64, hop=16, bands=8)):
        fake = torch.zeros(2, 1, 256, requires_grad=True)
        value = term(None, Batch(torch.randn(2, 1, 256)), Batch(fake))
        (gradient,) = torch.autograd.grad(value, fake)
        assert gradient.isfinite().all()
        noise = torch.randn(2, 1, 256, requires_grad=True)
        term(None, Batch(torch.randn(2, 1, 256)), Batch(noise)).backward()
        assert noise.grad.abs().sum() > 0


def test_the_perceptual_distance_has_a_gradient_and_is_zero_for_the_target():
    pytest.importorskip("efficientnet_lite_pytorch")
    term = load_registry().build("term", TermRef("perceptual"))
    real = Batch(torch.rand(2, 1, 32, 32) * 2 - 1)
    x = (torch.rand(2, 1, 32, 32) * 2 - 1).requires_grad_()
    value = term(None, real, Batch(x))
    value.backward()
    assert float(value.detach()) > 0 and (x.grad.flatten(1).abs().sum(1) > 0).all()
    assert float(term(None, real, real)) == pytest.approx(0, abs=1e-6)


# --- weights -----------------------------------------------------------------------------------------


def test_ramps_go_in_equal_steps_and_stay():
    ramp = Ramp(1.0, 3.0, steps=10)
    assert [weight_at(ramp, step, 100) for step in (0, 5, 10, 50)] == [1.0, 2.0, 3.0, 3.0]
    assert weight_at(Ramp(0.0, 1.0, share=0.5), 25, 100) == 0.5
    assert weight_at(2.5, 7, 100) == 2.5 and weight_at("adaptive", 7, 100) is None


def test_an_adaptive_part_has_the_ratio_of_gradients_at_the_last_layer():
    w = nn.Parameter(torch.tensor([1.0, 1.0]))
    parts = {
        "l1": ((w * torch.tensor([3.0, 4.0])).sum(), 2.0),
        "adversarial": ((w * torch.tensor([0.0, 0.5])).sum(), None),
    }
    total, weights = add_parts(parts, w)
    assert float(weights["adversarial"]) == pytest.approx(0.8 * 10 / (0.5 + 1e-4))
    assert float(total.detach()) == pytest.approx(14 + float(weights["adversarial"]) * 0.5)
    parts["adversarial"] = ((w * 0.0).sum(), None)
    assert float(add_parts(parts, w)[1]["adversarial"]) == pytest.approx(0.8 * 1e4)


def test_g_hears_d_from_a_step_on_and_d_is_trained_before(make_trial):
    method = {"terms": [{"name": "l2", "weight": 3}]}
    gan = live(make_trial(method, adversarial_from=4, d_from=2, adversarial_weight={"to": 0.5, "steps": 2})).gan
    weights = []
    for step in range(7):
        d, g = ([w.clone() for w in players] for players in (gan.d_weights, gan.g_weights))
        gan.step()
        d_moved, g_moved = (
            any(not torch.equal(a, b) for a, b in zip(before, now, strict=True))
            for before, now in ((d, gan.d_weights), (g, gan.g_weights))
        )
        assert d_moved == (step >= 2) and g_moved
        weights.append(gan.signals().get("weight.adversarial"))
    assert weights == [None, None, None, None, 0.0, 0.25, 0.5]
    assert gan.signals()["weight.l2"] == 3.0 and float(gan.signals()["term.l2"]) > 0


def test_a_trial_with_terms_trains_is_resumed_and_its_wiring_is_found_sound(make_trial, run_here):
    method = {"terms": ["l1"], "regularizers": ["r1"]}
    trial = make_trial(
        method, steps=30, adversarial_from=6, d_from=3, adversarial_weight="adaptive", accumulate=2, observations=5
    )
    result = run_here(trial)
    assert result.status == "done", result.reason
    history = result.artifacts.history
    assert history.wiring == () and history.columns["weight.adversarial"][-1] > 0
    gan = live(trial).gan
    for _ in range(8):
        gan.step()
    twin = gan._copy(gan.settings, gan.regularizers, 1.0, 1.0)
    gan.step()
    twin.step()
    assert all(torch.equal(weight, twin.weights()[name]) for name, weight in gan.weights().items())


def test_the_weights_are_part_of_what_a_trial_is(make_trial):
    plain = make_trial()
    trial = make_trial({"terms": [{"name": "l1", "weight": {"from": 2, "share": 0.5}}]})
    assert trial.components.terms == (TermRef("l1", {}, Ramp(2.0, 1.0, None, 0.5)),) and trial.id != plain.id
    assert make_trial({"terms": ["l1"]}).id != make_trial({"terms": [{"name": "l1", "weight": 2}]}).id
    assert make_trial({"terms": []}, adversarial_weight=1, adversarial_from=0).id == plain.id


# --- bad input ---------------------------------------------------------------------------------------

NO_LAST_LAYER = '''
class Bare(nn.Module):
    """Names no last layer."""
    latent_dim = 2
    def __init__(self, data):
        super().__init__()
        self.net = nn.Linear(2, 2)
    def forward(self, z, labels=None):
        return self.net(z)

@ganbench.hookimpl
def ganbench_generators():
    yield ganbench.Component("bare", Bare)
'''


@pytest.mark.parametrize(
    ("method", "training", "line"),
    [
        ({}, {"adversarial_from": 5}, "adversarial_from = 5 leaves G nothing to minimize until then; give it terms"),
        ({"terms": ["l1"]}, {"d_from": 5}, "d_from = 5 is after adversarial_from = 0"),
        ({"terms": [{"name": "l1", "weight": "adaptive"}]}, {"adversarial_weight": "adaptive"}, "is adaptive, and one"),
        ({"terms": [{"name": "l1", "weight": -1}]}, {}, r"terms: l1: weight = -1: expected float >= 0"),
        ({"terms": [{"name": "l1", "weight": "adaptve"}]}, {}, r"terms: l1: weight = \"adaptve\": invalid enum value"),
        ({"terms": [{"name": "l1", "weight": {"from": 1}}]}, {}, "give one of 'steps' and 'share'"),
        ({"terms": ["perceptul"]}, {}, "no term is called 'perceptul'; did you mean 'perceptual'"),
        ({"terms": ["l1", "l1"]}, {}, "terms: 'l1' is listed twice"),
    ],
)
def test_a_wrong_objective_is_one_line_before_anything_runs(method, training, line, make_trial):
    with pytest.raises(RequestError, match=line):
        make_trial(method, **training)


def test_what_is_needed_and_not_given_is_named_with_the_term(make_trial, run_here, plugin_file):
    features = run_here(make_trial({"terms": ["feature-matching"]}))
    assert (features.status, features.steps) == ("error", 0)
    assert "term 'feature-matching': it needs a discriminator that gives 'features'" in features.reason
    classes = run_here(make_trial({"terms": ["auxiliary-classes"]}))
    assert classes.reason == "term 'auxiliary-classes': it classifies samples, and the data has no classes"
    bare = {"generator": "bare", "terms": [{"name": "l1", "weight": "adaptive"}]}
    layer = run_here(make_trial(bare, files=plugin_file(NO_LAST_LAYER)))
    assert (layer.status, layer.steps) == ("error", 0)
    assert (
        "the adaptive weight of term 'l1' needs the last layer of G, and the generator Bare names none" in layer.reason
    )


def test_the_public_api_has_what_a_term_needs():
    assert issubclass(L1, ganbench.Term) and ganbench.Ramp(0.0, 1.0, 5) == Ramp(0.0, 1.0, 5)


def test_a_trials_settings_tell_terms_weights_and_augmentation(make_trial):
    method = {"terms": ["l1", {"name": "feature-matching", "weight": 2, "match": "mean"}], "augmentation": "ada"}
    settings = settings_of(make_trial(method, adversarial_weight={"steps": 5}, update="optimistic"))
    assert settings["terms"] == "l1 (weight 1.0), feature-matching (weight 2.0)"
    assert settings["terms.feature-matching.match"] == "mean" and settings["augmentation"] == "ada"
    assert settings["update"] == "optimistic" and '"steps":5' in settings["adversarial_weight"]
    assert "terms" not in settings_of(make_trial())
