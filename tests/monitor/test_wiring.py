"""A program with a bug is told so within twenty steps, by its cause; one that is meant so is asked; a healthy one is not."""

from __future__ import annotations

import copy
import gc
import math
import re
import weakref

import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits as cross_entropy
from torch.nn.functional import relu, softplus

import ganbench

LATENT, BATCH = 8, 64


def ring(n):
    angle = torch.randint(8, (n,)) * torch.pi / 4
    return torch.stack([angle.cos(), angle.sin()], 1) + 0.05 * torch.randn(n, 2)


def mlp(inputs, outputs, *last):
    return nn.Sequential(nn.Linear(inputs, 32), nn.LeakyReLU(0.2), nn.Linear(32, outputs), *last)


class Program:
    """The usual loop in twenty steps. A bug overrides what it gets wrong."""

    batch = BATCH
    lr_g = lr_d = 2e-4
    average = scaler = None

    def __init__(self):
        torch.manual_seed(0)
        self.real = self.data()
        self.g, self.d = self.networks()
        self.optimizer_g = torch.optim.Adam(self.weights_g(), self.lr_g, (0.5, 0.999))
        self.optimizer_d = torch.optim.Adam(self.weights_d(), self.lr_d, (0.5, 0.999))

    def data(self):
        return ring(512)

    def networks(self):
        return mlp(LATENT, 2), mlp(2, 1)

    def weights_g(self):
        return self.g.parameters()

    def weights_d(self):
        return self.d.parameters()

    def latents(self):
        return torch.randn(self.batch, LATENT)

    def detach(self, fake):
        return fake.detach()

    def loss_d(self, real, fake):
        return softplus(-real).mean() + softplus(fake).mean()

    def loss_g(self, fake):
        return softplus(-self.d(fake)).mean()

    def backward(self, loss, **options):
        loss.backward(**options)

    def update_d(self, loss):
        self.optimizer_d.zero_grad()
        self.backward(loss)
        self.optimizer_d.step()

    def update_g(self, loss):
        self.optimizer_g.zero_grad()
        self.backward(loss)
        self.optimizer_g.step()

    def after_step(self):
        pass

    def run(self, steps=20, **options):
        given = {
            "real": self.real,
            "average": self.average,
            "scaler": self.scaler,
            "quiet": True,
            "budget": 400,
        } | options
        monitor = ganbench.Monitor(self.g, self.d, **given)
        for _ in range(steps):
            x = self.real[torch.randint(len(self.real), (self.batch,))]
            fake = self.g(self.latents())
            loss_d = self.loss_d(self.d(x), self.d(self.detach(fake)))
            self.update_d(loss_d)
            loss_g = self.loss_g(fake)
            self.update_g(loss_g)
            self.after_step()
            monitor.step(loss_d, loss_g)
        assert monitor._watch.error is None
        return monitor


def wiring(monitor):
    return [finding for finding in monitor.findings if finding.diagnosis == "wiring"]


# --- bugs --------------------------------------------------------------------------------------------


class DNeverSteps(Program):
    cause = "D does not change while G learns.*no optimizer"

    def update_d(self, loss):
        self.optimizer_d.zero_grad()
        self.backward(loss)


class DNeverBackpropagated(Program):
    cause = "D's loss is not backpropagated"

    def update_d(self, loss):
        self.optimizer_d.zero_grad()
        self.optimizer_d.step()


class DStepsOnGsGradients(Program):
    cause = "D's loss is not backpropagated"

    def update_d(self, loss):
        self.optimizer_d.step()


class OptimizerOfACopy(Program):
    cause = "D does not change.*1 of the optimizers that step hold weights of neither"

    def weights_d(self):
        self.copied = copy.deepcopy(self.d)
        return self.copied.parameters()

    def run(self, **options):
        return super().run(optimizers=[self.optimizer_g, self.optimizer_d], **options)


class GDetached(Program):
    cause = "G's loss is not backpropagated"

    def loss_g(self, fake):
        return softplus(-self.d(fake.detach())).mean()


class SwappedArguments(Program):
    cause = "D's loss does not depend on generated samples"

    def loss_d(self, real, fake):
        return cross_entropy(torch.ones_like(real), real) + cross_entropy(torch.zeros_like(fake), fake)


class NoRealTerm(Program):
    cause = "D's loss does not depend on real samples"

    def loss_d(self, real, fake):
        return softplus(fake).mean()


class OnesForFakes(Program):
    cause = "D is rewarded for calling real and generated samples real alike"

    def loss_d(self, real, fake):
        return cross_entropy(real, torch.ones_like(real)) + cross_entropy(fake, torch.ones_like(fake))


class WrongSign(Program):
    cause = "G is rewarded for samples that D calls generated"

    def loss_g(self, fake):
        return -super().loss_g(fake)


class RealForFake(Program):
    cause = "D's loss does not depend on generated samples.*In their place it is given real samples"

    def detach(self, fake):
        return self.real[torch.randint(len(self.real), (self.batch,))]


class SwappedBatches(Program):
    """D learns to call real samples generated, and fast, so that both kinds soon have logits of their own."""

    cause = "G is rewarded for samples that D calls generated"
    lr_g = lr_d = 0.1

    def loss_d(self, real, fake):
        return super().loss_d(fake, real)


class SwappedMargins(SwappedBatches):
    """The same with the hinge loss, whose gradients end where D has learned enough."""

    lr_g = lr_d = 2e-2

    def loss_d(self, real, fake):
        return relu(1 + real).mean() + relu(1 - fake).mean()

    def loss_g(self, fake):
        return -self.d(fake).mean()


class TermWithoutGradient(Program):
    cause = "A term of G's loss has no gradient to G"

    def loss_g(self, fake):
        with torch.no_grad():
            adversarial = softplus(-self.d(fake)).mean()
        return fake.square().mean() + adversarial


class VanishingRate(Program):
    cause = "learning rate of 1e-110"
    lr_d = 1e-110


class SchedulerPerBatch(Program):
    cause = "D does not learn: with a learning rate of"

    def __init__(self):
        super().__init__()
        self.scheduler = torch.optim.lr_scheduler.ExponentialLR(self.optimizer_d, 1e-4)

    def after_step(self):
        self.scheduler.step()


class DInOptimizerOfG(Program):
    cause = "Weights of D are in the optimizer of G"

    def weights_g(self):
        return [*self.g.parameters(), *self.d.parameters()]


class Pictures(Program):
    """Pictures of 8 × 8 and a G that ends in tanh."""

    def data(self):
        return 2 * torch.rand(256, 1, 8, 8) - 1

    def networks(self):
        return mlp(LATENT, 64, nn.Tanh(), nn.Unflatten(1, (1, 8, 8))), nn.Sequential(nn.Flatten(), mlp(64, 1))


class Bytes(Pictures):
    cause = "different ranges: G ends in tanh and reaches -1 to 1"

    def data(self):
        return 255 * torch.rand(256, 1, 8, 8)


class Standardized(Pictures):
    cause = "different ranges"

    def data(self):
        return (torch.rand(256, 1, 8, 8) - 0.5) / 0.25


class EvaluationModeD(Program):
    cause = "D is trained in evaluation mode, in which its Dropout"

    def networks(self):
        return mlp(LATENT, 2), nn.Sequential(mlp(2, 8), nn.Dropout(0.2), nn.Linear(8, 1)).eval()


class EvaluationModeG(Program):
    cause = "G is trained in evaluation mode, in which its BatchNorm1d"

    def networks(self):
        return mlp(LATENT, 2, nn.BatchNorm1d(2)).eval(), mlp(2, 1)


class NotDetached(Program):
    cause = "G is not detached while D learns"

    def detach(self, fake):
        return fake

    def update_d(self, loss):
        self.optimizer_d.zero_grad()
        self.backward(loss, retain_graph=True)
        self.optimizer_d.step()

    def update_g(self, loss):
        self.backward(loss)
        self.optimizer_g.step()
        self.optimizer_g.zero_grad()


class Scaled(Program):
    def __init__(self):
        super().__init__()
        self.scaler = torch.amp.GradScaler("cpu", init_scale=1024.0)

    def update_d(self, loss):
        self.update(self.optimizer_d, loss)

    def update_g(self, loss):
        self.update(self.optimizer_g, loss)

    def update(self, optimizer, loss):
        optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        self.scaler.step(optimizer)
        self.scaler.update()


class NotUnscaled(Scaled):
    cause = r"gradients that are still multiplied by the scaler's scale \(1024\)"

    def update(self, optimizer, loss):
        optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        optimizer.step()


class ClippedWhileScaled(Scaled):
    cause = "gradients are clipped.*while they are multiplied by the scaler's scale"

    def update(self, optimizer, loss):
        optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        nn.utils.clip_grad_norm_(optimizer.param_groups[0]["params"], 1.0)
        self.scaler.step(optimizer)
        self.scaler.update()


class SameLatents(Program):
    cause = "the same z at every step"

    def latents(self):
        return torch.randn(self.batch, LATENT, generator=torch.Generator().manual_seed(0))


class DrawsLatentsOnce(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = mlp(LATENT, 2)
        self.register_buffer("z", torch.randn(BATCH, LATENT))

    def forward(self, z):
        return self.net(self.z)


class IgnoresLatents(Program):
    cause = "the same samples of different z"

    def networks(self):
        return DrawsLatentsOnce(), mlp(2, 1)

    def loss_g(self, fake):
        return super().loss_g(self.g(self.latents()))


class TimesZero(nn.Module):
    def forward(self, x):
        return 0 * x


class Rounds(nn.Module):
    def forward(self, x):
        return x.round()


class SameForAllLatents(Program):
    cause = "G makes one and the same sample of all z of a batch"

    def networks(self):
        return nn.Sequential(TimesZero(), mlp(LATENT, 2)), mlp(2, 1)


class BlindD(Program):
    cause = "D has one and the same logit for all samples"

    def networks(self):
        return mlp(LATENT, 2), nn.Sequential(TimesZero(), mlp(2, 1))


class RoundsGenerated(Program):
    cause = "G passes no gradient on to its weights"

    def networks(self):
        return mlp(LATENT, 2, Rounds()), mlp(2, 1)


class RoundsWhatDIsGiven(Program):
    cause = "D passes no gradient on to generated samples"

    def networks(self):
        return mlp(LATENT, 2), nn.Sequential(Rounds(), mlp(2, 1))


class Idle(torch.optim.SGD):
    """Steps into tensors of its own."""

    @torch.no_grad()
    def step(self, closure=None):
        for group in self.param_groups:
            for weight in group["params"]:
                weight = weight - group["lr"] * weight.grad


class StepsInCopies(Program):
    cause = "D's optimizer steps on gradients that are not zero, and changes nothing"

    def __init__(self):
        super().__init__()
        self.optimizer_d = Idle(self.d.parameters(), 0.1)


class PutsBack(Program):
    cause = "G does not change: its optimizer changes its weights, and by the next step they are as before"

    def update_g(self, loss):
        before = copy.deepcopy(self.g.state_dict())
        super().update_g(loss)
        self.g.load_state_dict(before)


class MissingValue(Program):
    cause = "values that are not finite .`real`: 1 of 512 samples is not finite, the first at index 300, value 1: nan"

    def data(self):
        real = ring(512)
        real[300, 1] = math.nan
        return real


BUGS = [
    *(
        DNeverSteps,
        DNeverBackpropagated,
        DStepsOnGsGradients,
        OptimizerOfACopy,
        GDetached,
        SwappedArguments,
        NoRealTerm,
    ),
    *(
        OnesForFakes,
        WrongSign,
        TermWithoutGradient,
        VanishingRate,
        SchedulerPerBatch,
        DInOptimizerOfG,
        Bytes,
        Standardized,
    ),
    *(EvaluationModeD, EvaluationModeG, NotDetached, NotUnscaled, ClippedWhileScaled, SameLatents, IgnoresLatents),
    *(MissingValue, RealForFake, SwappedBatches, SwappedMargins),
    *(SameForAllLatents, BlindD, RoundsGenerated, RoundsWhatDIsGiven, StepsInCopies, PutsBack),
]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_a_bug_is_named_by_its_cause_within_twenty_steps(bug):
    monitor = bug().run()
    found = wiring(monitor)
    assert found and {finding.severity for finding in found} == {"failure"}

    assert any(re.search(bug.cause, finding.summary) for finding in found), [f.summary for f in found]
    assert all(finding.onset_step <= 20 and finding.remedy.advice for finding in found)
    assert monitor.should_stop


# --- what may be meant -------------------------------------------------------------------------------


class FrozenD(Program):
    question = "None of D's weights requires a gradient"

    def networks(self):
        return mlp(LATENT, 2), mlp(2, 1).requires_grad_(False)

    def update_d(self, loss):
        pass


class FrozenPart(Program):
    question = "Weights of D require no gradient"

    def networks(self):
        d = mlp(2, 1)
        d[0].requires_grad_(False)
        return mlp(LATENT, 2), d


class PartLeftOut(Program):
    question = "in no optimizer: '2.weight', '2.bias'"

    def weights_g(self):
        return self.g[0].parameters()


class Listed(nn.Module):
    """A network that keeps its layers in a plain list."""

    def __init__(self, *layers):
        super().__init__()
        self.layers = list(layers[:-1])
        self.last = layers[-1]

    def forward(self, x):
        for layer in self.layers:
            x = layer(x)
        return self.last(x)


class PartInAList(Program):
    question = r"Weights of D receive a gradient and are in no optimizer: 'layers[0].weight', 'layers[0].bias'."

    def networks(self):
        return super().networks()[0], Listed(nn.Linear(2, 32), nn.ReLU(), nn.Linear(32, 1))


class LateD(Program):
    question = "late start of D on purpose"

    def loss_d(self, real, fake):
        return 0 * super().loss_d(real, fake)

    def loss_g(self, fake):
        return 0 * super().loss_g(fake) + fake.square().mean()


class LateG(Program):
    question = "The gradient of G's loss over D's logits is exactly 0"

    def loss_g(self, fake):
        return 0 * super().loss_g(fake)


class LossWithoutSize(Program):
    question = "The gradient of D's loss over D's logits is at most 6e-31"

    def loss_d(self, real, fake):
        return 1e-30 * super().loss_d(real, fake)


class LateAdversarialTerm(Program):
    question = "late start of the adversarial term on purpose"

    def loss_g(self, fake):
        return fake.square().mean()


class NoRate(Program):
    question = "D's learning rate is 0"
    lr_d = 0.0


class UnitRange(Pictures):
    question = "Were they to be scaled alike"

    def data(self):
        return torch.rand(256, 1, 8, 8)


class OneSample(Pictures):
    question = "BatchNorm sees one sample at a time"
    batch = 1

    def networks(self):
        d = nn.Sequential(nn.Conv2d(1, 4, 3, 2, 1), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(64, 1))
        return super().networks()[0], d


class LateAverage(Program):
    question = "running average of G has not changed"

    def __init__(self):
        super().__init__()
        self.average = copy.deepcopy(self.g)


class WastefulD(NotDetached):
    question = "thrown away before G's own step"
    update_g = Program.update_g


QUESTIONS = [
    *(
        FrozenD,
        FrozenPart,
        LateG,
        LossWithoutSize,
        PartLeftOut,
        PartInAList,
        LateD,
        LateAdversarialTerm,
        NoRate,
        UnitRange,
        OneSample,
        LateAverage,
        WastefulD,
    )
]


@pytest.mark.parametrize("program", QUESTIONS, ids=lambda program: program.__name__)
def test_what_may_be_meant_is_asked_and_not_accused(program):
    monitor = program().run()
    (finding,) = wiring(monitor)
    assert program.question in finding.summary and finding.summary.endswith("?")
    assert finding.severity == "warning" and not monitor.should_stop


@pytest.mark.parametrize("program, player", [(LateD, "D"), (LateG, "G")])
def test_a_player_that_is_never_trained_is_a_failure_at_the_end(program, player):
    monitor = program().run(60, budget=60)
    (finding,) = wiring(monitor)
    assert f"{player} has never been trained" in finding.summary and "was exactly 0" in finding.summary
    assert finding.severity == "failure" and finding.onset_step == 60


class BeginsLate(Program):
    """D's loss has a weight of 0 for thirty steps."""

    begins = 0

    def loss_d(self, real, fake):
        self.begins += 1
        return (self.begins > 30) * super().loss_d(real, fake)


def test_a_player_that_begins_late_is_asked_about_and_never_accused():
    monitor = BeginsLate().run(60, budget=60)
    (finding,) = wiring(monitor)
    assert finding.summary.endswith("purpose?") and finding.severity == "warning"


def test_two_players_that_are_not_trained_for_a_quarter_of_the_budget_are_failures():
    class Neither(LateD):
        def loss_g(self, fake):
            return 0 * super().loss_g(fake)

    found = wiring(Neither().run(60, budget=200))
    assert [finding.severity for finding in found] == ["failure"] * 2
    assert all(50 <= finding.onset_step <= 60 for finding in found)


def test_an_average_that_is_never_updated_is_a_failure_later():
    (finding,) = wiring(LateAverage().run(100, budget=200))
    assert finding.severity == "failure" and "has never been updated" in finding.summary
    assert 50 <= finding.onset_step <= 100


class LeftInEvaluationMode(Program):
    """Looks at samples in evaluation mode after thirty steps, and leaves G in it."""

    def networks(self):
        return mlp(LATENT, 2, nn.BatchNorm1d(2)), mlp(2, 1)

    def __init__(self):
        super().__init__()
        self.steps = 0

    def after_step(self):
        self.steps += 1
        if self.steps >= 30:
            self.g.eval()


def test_a_network_that_is_left_in_evaluation_mode_later_is_named():
    (finding,) = wiring(LeftInEvaluationMode().run(60, budget=200))
    assert "G is trained in evaluation mode, in which its BatchNorm1d" in finding.summary and finding.onset_step > 30


def test_samples_that_are_looked_at_in_evaluation_mode_are_none_of_it():
    class Looks(LeftInEvaluationMode):
        def after_step(self):
            self.g.eval()
            with torch.no_grad():
                self.g(self.latents())
            self.g.train()

    assert wiring(Looks().run(60, budget=200)) == []


# --- healthy loops -----------------------------------------------------------------------------------

LOSSES = {
    "hinge": (lambda r, f: relu(1 - r).mean() + relu(1 + f).mean(), lambda f: -f.mean()),
    "wasserstein": (lambda r, f: f.mean() - r.mean(), lambda f: -f.mean()),
    "lower is real": (lambda r, f: r.mean() - f.mean(), lambda f: f.mean()),
    "least squares": (lambda r, f: (r - 1).square().mean() + f.square().mean(), lambda f: (f - 1).square().mean()),
    "-1, 1, 0": (lambda r, f: (r - 1).square().mean() + (f + 1).square().mean(), lambda f: f.square().mean()),
    "relativistic": (lambda r, f: softplus(f - r).mean(), lambda f: softplus(-f).mean()),
}


@pytest.mark.parametrize("offset", [0.0, 3.0, -3.0, 30.0])
@pytest.mark.parametrize("name", LOSSES)
def test_no_loss_is_accused_wherever_its_logits_are(name, offset):
    class Healthy(Program):
        def networks(self):
            g, d = super().networks()
            with torch.no_grad():
                d[-1].bias += offset
            return g, d

        def loss_d(self, real, fake):
            return LOSSES[name][0](real, fake)

        def loss_g(self, fake):
            return LOSSES[name][1](self.d(fake))

    assert wiring(Healthy().run()) == []


POINTWISE = ["hinge", "wasserstein", "lower is real", "least squares"]  # gradients are a function of one logit


@pytest.mark.parametrize(
    "name, wrong",
    [*((name, "sign of G") for name in POINTWISE), *((name, "target of fakes") for name in [*POINTWISE, "-1, 1, 0"])],
)
def test_small_batches_and_any_loss_show_what_is_wrong(name, wrong):
    of_d, of_g = LOSSES[name]
    flat = torch.zeros(1)

    class Faulty(Program):
        batch = 8

        def loss_d(self, real, fake):
            if wrong == "sign of G":
                return of_d(real, fake)
            return of_d(real, flat) + of_d(fake, flat)  # what is said of real samples, of both

        def loss_g(self, fake):
            return -of_g(self.d(fake)) if wrong == "sign of G" else of_g(self.d(fake))

    (finding,) = wiring(Faulty().run())
    assert ("G is rewarded" if wrong == "sign of G" else "D is rewarded") in finding.summary


class Maximizing(Program):
    """A critic whose optimizer goes up, as Wasserstein's is often written."""

    def __init__(self):
        super().__init__()
        self.optimizer_d = torch.optim.Adam(self.d.parameters(), 2e-4, maximize=True)

    def loss_d(self, real, fake):
        return real.mean() - fake.mean()

    def loss_g(self, fake):
        return -self.d(fake).mean()


class OwnNoise(Program):
    """G draws its noise itself and takes none of what it is given."""

    def networks(self):
        class Drawing(nn.Module):
            def __init__(self):
                super().__init__()
                self.net = mlp(LATENT, 2)

            def forward(self, z):
                return self.net(torch.randn_like(z))

        return Drawing(), mlp(2, 1)


class LastLayersAtZero(Program):
    """Both last layers begin at zero, as in residual networks."""

    def networks(self):
        g, d = super().networks()
        for network in (g, d):
            nn.init.zeros_(network[-1].weight)
            nn.init.zeros_(network[-1].bias)
        return g, d


class UnusedPart(Program):
    """A network with a layer that this loop does not use."""

    def networks(self):
        g, d = super().networks()
        d.register_module("head", nn.Linear(2, 2))
        d.forward = d[:3].forward
        return g, d


@pytest.mark.parametrize("program", [Maximizing, OwnNoise, LastLayersAtZero, UnusedPart])
def test_what_looks_odd_and_is_sound_is_not_accused(program):
    assert wiring(program().run()) == []


def test_a_gradient_that_only_a_norm_rounds_to_zero_is_not_said_to_be_zero():
    class Saturated(Program):
        def loss_g(self, fake):
            return softplus(self.d(fake) - 60).mean()  # slopes of 1e-26, whose squares are 0

    assert all("exactly 0" not in finding.summary for finding in wiring(Saturated().run()))


class OneBatch(Program):
    """D is given real and generated samples in one batch."""

    def run(self, steps=20):
        monitor = ganbench.Monitor(self.g, self.d, real=self.real, budget=400, quiet=True)
        for _ in range(steps):
            fake = self.g(self.latents())
            logits = self.d(torch.cat([self.real[torch.randint(512, (self.batch,))], self.detach(fake)]))
            self.update_d(self.loss_d(*logits.chunk(2)))
            self.update_g(self.loss_g(fake))
            monitor.step()
        return monitor


class OneBatchSwapped(OneBatch):
    loss_d = SwappedArguments.loss_d


class OneBatchOfReal(OneBatch):
    detach = RealForFake.detach


class EarlierSamples(Program):
    """D is given samples of the last steps, which are nobody's bug."""

    def __init__(self):
        super().__init__()
        self.earlier = []

    def detach(self, fake):
        self.earlier = [*self.earlier, fake.detach().clone()][-3:]
        return self.earlier[0]


class Repeated(Program):
    """D is given real samples twice, of which one half is changed, beside those of G."""

    def loss_d(self, real, fake):
        again = self.d(self.real[torch.randint(len(self.real), (self.batch,))] + 0.1)
        return super().loss_d(real, fake) + softplus(-again).mean()


@pytest.mark.parametrize("program", [EarlierSamples, Repeated])
def test_samples_that_are_not_recognized_are_not_taken_for_real_ones(program):
    assert wiring(program().run()) == []


def test_batches_of_both_are_told_apart():
    assert wiring(OneBatch().run()) == []
    for program, bug in ((OneBatchSwapped, SwappedArguments), (OneBatchOfReal, RealForFake)):
        (finding,) = wiring(program().run())
        assert re.search(bug.cause, finding.summary)


def test_a_healthy_scaler_is_not_accused():
    assert wiring(Scaled().run()) == []


@pytest.mark.parametrize(
    "bug", [Program, *(bug for bug in BUGS if not issubclass(bug, Scaled))], ids=lambda bug: bug.__name__
)
def test_a_program_in_fabric_is_watched(bug):
    from lightning_fabric import Fabric

    class InFabric(bug):
        def __init__(self):
            super().__init__()
            self.fabric = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
            self.g, self.optimizer_g = self.fabric.setup(self.g, self.optimizer_g)
            self.d, self.optimizer_d = self.fabric.setup(self.d, self.optimizer_d)

        def backward(self, loss, **options):
            self.fabric.backward(loss, **options)

    found = wiring(InFabric().run())
    if bug is Program:
        assert found == []
    else:
        (finding,) = found
        assert finding.severity == "failure" and re.search(bug.cause, finding.summary)


# --- terms, and what is kept -------------------------------------------------------------------------


def test_a_named_term_without_a_gradient_is_named(gan):
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=40, quiet=True)
    optimizer = torch.optim.Adam(gan.g.parameters())
    for _ in range(10):
        gan.d(gan.real[:32])
        fake = gan.g(torch.randn(32, 4))
        terms = {"adversarial": softplus(-gan.d(fake)).mean(), "distance": fake.detach().square().mean()}
        optimizer.zero_grad()
        sum(terms.values()).backward()
        optimizer.step()
        monitor.step(loss_g=terms)
    (finding,) = [f for f in wiring(monitor) if "term" in f.summary]
    assert "'distance'" in finding.summary and "'adversarial'" not in finding.summary
    assert monitor.history().columns["loss_g"][-1] == pytest.approx(sum(terms.values()).item(), rel=1e-5)


def test_a_monitor_that_is_dropped_in_the_middle_of_its_watch_leaves_nothing_behind(gan):
    from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks

    gc.collect()  # monitors of other tests
    before = len(_global_optimizer_pre_hooks), len(_global_optimizer_post_hooks)
    monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=400)
    gan.train(monitor, 5)
    assert len(_global_optimizer_pre_hooks) == before[0] + 1
    networks = weakref.ref(gan.g), weakref.ref(gan.d)
    del monitor, gan.g, gan.d
    vars(gan).clear()
    gc.collect()
    assert (len(_global_optimizer_pre_hooks), len(_global_optimizer_post_hooks)) == before
    assert [network() for network in networks] == [None, None]


def test_the_watch_ends_and_leaves_nothing_behind(gan):
    from torch.optim.optimizer import _global_optimizer_post_hooks, _global_optimizer_pre_hooks

    gc.collect()  # monitors of other tests
    before = len(_global_optimizer_pre_hooks), len(_global_optimizer_post_hooks)
    for steps in (5, 30):  # closed in the middle, and at its end
        monitor = ganbench.Monitor(gan.g, gan.d, real=gan.real, budget=400)
        gan.train(monitor, steps)
        monitor.close()
        assert (len(_global_optimizer_pre_hooks), len(_global_optimizer_post_hooks)) == before
        weights = [*gan.g.parameters(), *gan.d.parameters()]
        assert not any(weight._backward_hooks or weight._post_accumulate_grad_hooks for weight in weights)
        assert monitor._watch.record.discriminator_calls == [] and not gan.g._forward_hooks
