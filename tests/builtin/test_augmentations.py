"""DiffAugment and ADA let gradients through, change what D sees in training alone, and ADA's p follows its target."""

from __future__ import annotations

import pytest
import torch

from ganbench.builtin.augmentations import ADA, DiffAugment, _sample_affine
from ganbench.contract.records import Batch, DataSpec
from ganbench.registry.registry import load_registry
from ganbench.trial import LiveTrial

COLOUR = DataSpec("images", (3, 16, 16), value_range=(-1.0, 1.0))
GREY = DataSpec("images", (1, 16, 16), value_range=(0.0, 1.0))
DIGITS = {"datasets": ["digits"], "metrics": ["energy-distance"]}


def stream(seed=0):
    return torch.Generator().manual_seed(seed)


def live(trial):
    registry = load_registry(trial.plugin_files)
    return LiveTrial.build(trial, registry.build("dataset", trial.components.dataset), registry, torch.device("cpu"))


@pytest.mark.parametrize("data", [COLOUR, GREY], ids=["colour", "grey"])
@pytest.mark.parametrize(("build", "options"), [(DiffAugment, {}), (ADA, {"p": 1.0})], ids=["diffaugment", "ada"])
def test_gradients_flow_to_every_image(build, options, data):
    x = torch.rand(8, *data.shape).requires_grad_()
    made = build(data, **options)(Batch(x), stream()).x
    assert made.shape == x.shape and not torch.allclose(made, x)
    (gradient,) = torch.autograd.grad(made.square().sum(), x)
    assert (gradient.flatten(1).abs().sum(1) > 0).all()


def test_colours_keep_what_they_do_not_change():
    x = torch.rand(64, 3, 8, 8) * 2 - 1
    made = DiffAugment(COLOUR, translation=0, cutout=0)(Batch(x), stream()).x
    shift = made.mean((1, 2, 3)) - x.mean((1, 2, 3))  # saturation and contrast keep the mean
    assert shift.abs().max() <= 0.5 + 1e-5 and shift.std() > 0.2
    ratio = (made.mean(1) - made.mean((1, 2, 3))[:, None, None]) / (x.mean(1) - x.mean((1, 2, 3))[:, None, None])
    of_each = ratio.flatten(1).median(dim=1).values  # the contrast, which saturation does not change
    assert of_each.min() >= 0.5 - 1e-3 and of_each.max() <= 1.5 + 1e-3


def test_translation_moves_whole_pictures_and_fills_with_the_middle():
    x = torch.arange(1.0, 65.0).view(1, 1, 8, 8).expand(50, 1, 8, 8) / 64
    made = DiffAugment(GREY, colour=False, cutout=0)(Batch(x), stream()).x
    seen = set()
    for image in made[:, 0]:
        shifts = [
            (down, right)
            for down in (-1, 0, 1)
            for right in (-1, 0, 1)
            if torch.allclose(image, _moved(x[0, 0], down, right), atol=1e-6)
        ]
        assert len(shifts) == 1
        seen.add(shifts[0])
    assert len(seen) == 9


def _moved(image, down, right):
    padded = torch.nn.functional.pad(image[None, None], (1, 1, 1, 1), value=0.5)[0, 0]  # the middle of [0, 1]
    return padded[1 + down : 9 + down, 1 + right : 9 + right]


def test_cutout_sets_at_most_a_quarter_to_the_middle():
    made = DiffAugment(COLOUR, colour=False, translation=0)(Batch(torch.ones(200, 3, 16, 16)), stream()).x
    share = (made == 0).float().mean((1, 2, 3))
    assert share.max() == 0.25 and share.min() >= 0.25 / 4 and set(made.unique().tolist()) == {0.0, 1.0}


def test_ada_changes_nothing_at_p_0():
    x = torch.rand(8, 3, 16, 16)
    assert torch.allclose(ADA(COLOUR)(Batch(x), stream()).x, x, atol=1e-5)


def test_hardly_a_picture_stays_as_it_is_at_p_a_half():
    x = torch.rand(1, 3, 16, 16).expand(400, 3, 16, 16)
    made = ADA(COLOUR, p=0.5)(Batch(x), stream()).x
    unchanged = (made - x).abs().flatten(1).amax(1) < 1e-4
    # Nothing is done: flips and turns that were drawn may be none, too, but scaling, moves and colours never are.
    assert unchanged.float().mean() < 0.03


def test_sampling_at_the_identity_and_at_a_turn_is_exact():
    x = torch.rand(2, 3, 7, 7)
    identity = torch.eye(3).expand(2, 3, 3)
    assert torch.allclose(_sample_affine(x, identity), x)
    turn = torch.tensor([[0.0, 1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, 1.0]]).expand(2, 3, 3)
    assert any(torch.allclose(_sample_affine(x, turn), torch.rot90(x, k, (2, 3)), atol=1e-5) for k in (1, 3))


def test_p_is_raised_and_lowered_by_the_images_between_over_the_speed():
    ada = ADA(COLOUR, every=4, speed=1000, p=0.5)
    for _ in range(4):
        ada.adapt(torch.ones(10))
    assert float(ada.p) == pytest.approx(0.5 + 40 / 1000)
    for _ in range(4):
        ada.adapt(torch.tensor([1.0, -1.0] * 5))  # its mean, 0, is below the target of .6
    assert float(ada.p) == pytest.approx(0.5)
    for _ in range(3):
        ada.adapt(torch.ones(10))
    assert float(ada.p) == pytest.approx(0.5)


FEW = '''
class FewDigits(ganbench.Dataset):
    """Forty random pictures, which D soon knows."""

    spec = ganbench.DataSpec("images", (1, 8, 8), value_range=(-1.0, 1.0))

    def training(self):
        return ganbench.Batch(torch.rand(40, 1, 8, 8, generator=torch.Generator().manual_seed(0)) * 2 - 1)

    def held_out(self):
        return ganbench.Batch(torch.rand(200, 1, 8, 8, generator=torch.Generator().manual_seed(1)) * 2 - 1)

@ganbench.hookimpl
def ganbench_datasets():
    yield ganbench.Component("forty-pictures", FewDigits)
'''


def test_p_follows_its_target_on_a_run_that_overfits(make_trial, plugin_file):
    """D tells every picture it has learnt from; with feedback it does so about as often as the target asks."""
    strong = {"discriminator": {"name": "mlp", "width": 64}}
    data = {"datasets": ["forty-pictures"], "metrics": ["energy-distance"], "files": plugin_file(FEW)}

    def mean_sign(method):
        gan = live(make_trial(strong | method, **data, d_steps=3, optimizer={"name": "adam", "lr": 2e-3})).gan
        signs = []
        for step in range(150):
            gan.step()
            if step >= 75 and step % 3 == 0:
                with torch.no_grad():
                    signs.append(float(gan.logits(gan.real_batch()).sign().mean()))
        return sum(signs) / len(signs), gan.augmentation

    plain, _ = mean_sign({})
    adapted, ada = mean_sign({"augmentation": {"name": "ada", "speed": 3000.0}})
    assert plain > 0.95
    assert 0.45 < adapted < 0.75 and 0.1 < float(ada.p) < 0.5


def test_observers_and_metrics_see_samples_as_they_are(make_trial):
    run = live(make_trial({"augmentation": "diffaugment"}, **DIGITS))
    with run.view.at(0) as view:
        real = view.real(16)
        assert torch.equal(view.logits(real), run.gan.discriminator(real.x, real.labels))
    assert not torch.equal(run.gan.logits(real), run.gan.discriminator(real.x, real.labels))


def test_what_it_remembers_is_resumed_and_forked(make_trial):
    method = {"augmentation": {"name": "ada", "speed": 500.0, "p": 0.3}}
    gan = live(make_trial(method, **DIGITS)).gan
    for _ in range(6):
        gan.step()
    state, twin = gan.state_dict(), gan._copy(gan.settings, {}, 1.0, 1.0)
    for _ in range(6):
        gan.step()
        twin.step()
    wanted, p = gan.weights(), gan.augmentation.p.clone()
    assert abs(float(p) - 0.3) > 0.01
    gan.load_state_dict(state)
    for _ in range(6):
        gan.step()
    for name, weight in wanted.items():
        assert torch.equal(weight, gan.weights()[name]) and torch.equal(weight, twin.weights()[name])
    assert torch.equal(p, gan.augmentation.p) and torch.equal(p, twin.augmentation.p)


def test_p_is_in_the_history_and_the_wiring_is_found_sound(make_trial, run_here):
    trial = make_trial({"augmentation": {"name": "ada", "speed": 1000.0, "target": -0.99}}, **DIGITS, observations=6)
    result = run_here(trial)
    assert result.status == "done", result.reason
    history = result.artifacts.history
    assert history.columns["augmentation.p"][-1] > 0 and history.wiring == ()


@pytest.mark.parametrize("name", ["ada", "diffaugment"])
def test_points_are_refused_in_one_line_before_anything_runs(name, make_trial, run_here):
    result = run_here(make_trial({"augmentation": name}))
    assert (result.status, result.steps) == ("skipped", 0)
    assert result.reason == f"augmentation '{name}': it augments images, and the data is points"
