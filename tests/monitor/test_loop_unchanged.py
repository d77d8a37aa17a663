"""Monitored loops end bit for bit as unmonitored ones: a loop of each kind, trained both ways."""

from __future__ import annotations

import copy
import itertools
import random
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import binary_cross_entropy, l1_loss, mse_loss, one_hot, softplus
from torch.utils.data import DataLoader, Dataset, TensorDataset, WeightedRandomSampler

import ganbench

STEPS, BATCH, LATENT, CLASSES = 30, 32, 4, 3


class NoMonitor:
    """Takes the place of a monitor and does nothing."""

    should_stop, muted, notes, findings = False, None, (), ()

    def step(self, *losses, **named):
        pass

    def close(self):
        pass


class Run:
    """Sets up the monitor of a scenario, and keeps everything that must not change."""

    def __init__(self, monitored: bool) -> None:
        self.monitored = monitored
        self.monitor = NoMonitor()
        self.kept: list = []

    def monitor_loop(self, generator, discriminator, **options):
        if self.monitored:
            self.monitor = ganbench.Monitor(generator, discriminator, budget=STEPS, **options)
        return self.monitor

    def keep(self, *things):
        """Keep networks, optimizers, scalers, random generators or numbers for the comparison."""
        self.kept += things

    def state(self):
        return [_state(thing) for thing in self.kept] + [
            torch.get_rng_state(),
            list(random.getstate()[1]),
            torch.as_tensor(np.random.get_state()[1].astype(np.int64)),
            torch.get_default_dtype(),
            torch.is_grad_enabled(),
        ]


def _state(thing):
    if isinstance(thing, nn.Module):
        return {
            "state": {name: tensor.clone() for name, tensor in thing.state_dict().items()},
            "gradients": {name: weight.grad for name, weight in thing.named_parameters()},
            "requires_grad": [weight.requires_grad for weight in thing.parameters()],
            "training": [part.training for part in thing.modules()],
            "hooks": [(len(part._forward_hooks), len(part._forward_pre_hooks)) for part in thing.modules()],
        }
    if isinstance(thing, torch.Generator):
        return thing.get_state()
    if isinstance(thing, np.random.Generator):
        return str(thing.bit_generator.state)
    return copy.deepcopy(thing.state_dict()) if hasattr(thing, "state_dict") else thing


def same(a, b) -> bool:
    if isinstance(a, torch.Tensor):
        return (
            a.shape == b.shape and a.dtype == b.dtype and torch.equal(a.view(torch.uint8), b.view(torch.uint8))
            if a.ndim
            else torch.equal(torch.nan_to_num(a), torch.nan_to_num(b))
        )
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list | tuple):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return bool(a == b)


def ring(n=512):
    angle = torch.randint(8, (n,)) * torch.pi / 4
    return torch.stack([angle.cos(), angle.sin()], 1) + 0.05 * torch.randn(n, 2)


def mlp(inputs, outputs, *last):
    return nn.Sequential(nn.Linear(inputs, 16), nn.LeakyReLU(0.2), nn.Linear(16, outputs), *last)


def adam(module, lr=1e-3):
    return torch.optim.Adam(module.parameters(), lr, betas=(0.0, 0.9))


def update(optimizer, loss):
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.detach()


def forever(loader):
    while True:
        yield from loader


def latents(n=BATCH):
    return torch.randn(n, LATENT)


def non_saturating(g, d, run, monitor, batches, step=lambda monitor, *losses: monitor.step(*losses)):
    """The usual loop."""
    optimizer_g, optimizer_d = adam(g), adam(d)
    for x in itertools.islice(batches, STEPS):
        fake = g(latents())
        loss_d = update(optimizer_d, softplus(-d(x)).mean() + softplus(d(fake.detach())).mean())
        loss_g = update(optimizer_g, softplus(-d(fake)).mean())
        step(monitor, loss_d, loss_g)
    run.keep(g, d, optimizer_g, optimizer_d)


def plain(run):
    g, d = mlp(LATENT, 2, nn.BatchNorm1d(2)), mlp(2, 1, nn.Dropout(0.1))
    generator = torch.Generator().manual_seed(3)
    loader = DataLoader(TensorDataset(ring()), BATCH, shuffle=True, drop_last=True, generator=generator)
    monitor = run.monitor_loop(g, d, real=loader)
    non_saturating(g, d, run, monitor, (x for (x,) in forever(loader)))
    run.keep(generator)


def empty_batches(run):
    g, d, real = mlp(LATENT, 2), mlp(2, 1), ring()
    monitor, optimizer_g, optimizer_d = run.monitor_loop(g, d, real=[real[:0], real]), adam(g), adam(d)
    for i in range(STEPS):
        n = 0 if i < 3 or i == 9 else BATCH
        fake = g(latents(n))
        loss_d = update(
            optimizer_d, softplus(-d(real[torch.randint(512, (n,))])).sum() + softplus(d(fake.detach())).sum()
        )
        loss_g = update(optimizer_g, softplus(-d(fake)).sum())
        monitor.step(loss_d, loss_g)
    run.keep(g, d, optimizer_g, optimizer_d)


class Noisy(Dataset):
    """Draws from random generators of its own and from the global ones."""

    def __init__(self):
        self.x, self.rng, self.generator = ring(), np.random.default_rng(0), torch.Generator().manual_seed(1)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        noise = self.rng.normal() + random.random() + np.random.rand() + torch.rand(1, generator=self.generator).item()
        return {"label": i % 3, "image": self.x[i] + 0.01 * noise + 0.01 * torch.randn(2)}


def data_set_with_random_augmentation(run):
    g, d, data = mlp(LATENT, 2), mlp(2, 1), Noisy()
    sampler = WeightedRandomSampler([1.0] * len(data), 10 * BATCH, generator=torch.Generator().manual_seed(5))
    loader = DataLoader(data, BATCH, sampler=sampler)
    monitor = run.monitor_loop(g, d, real=loader)
    non_saturating(g, d, run, monitor, (batch["image"] for batch in forever(loader)))
    run.keep(data.rng, data.generator, sampler.generator)


def finite_iterator(run):
    g, d, data = mlp(LATENT, 2), mlp(2, 1), ring(BATCH * STEPS).split(BATCH)
    batches = iter(data)
    monitor = run.monitor_loop(g, d, real=batches)
    non_saturating(g, d, run, monitor, batches)
    run.keep(len(list(batches)))


class ConditionalByEmbedding(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.net, self.embedding = mlp(inputs + 2, outputs), nn.Embedding(CLASSES, 2)

    def forward(self, x, labels):
        return self.net(torch.cat([x, self.embedding(labels)], 1))


def positional_labels(run):
    g, d = ConditionalByEmbedding(LATENT, 2), ConditionalByEmbedding(2, 1)
    loader = DataLoader(TensorDataset(ring(), torch.randint(CLASSES, (512,))), BATCH, shuffle=True, drop_last=True)
    monitor, optimizer_g, optimizer_d = run.monitor_loop(g, d, real=loader), adam(g), adam(d)
    for x, y in itertools.islice(forever(loader), STEPS):
        wanted = torch.randint(CLASSES, (BATCH,))
        fake = g(latents(), wanted)
        loss_d = update(optimizer_d, softplus(-d(x, y)).mean() + softplus(d(fake.detach(), wanted)).mean())
        loss_g = update(optimizer_g, softplus(-d(fake, wanted)).mean())
        monitor.step(loss_d=loss_d, loss_g=loss_g)
    run.keep(g, d, optimizer_g, optimizer_d)


class ConditionalByKeyword(nn.Module):
    def __init__(self, inputs, outputs):
        super().__init__()
        self.net = mlp(inputs + CLASSES, outputs)

    def forward(self, *, condition, x, scale=1.0):
        out = self.net(torch.cat([x, condition], 1)) * scale
        return {"features": out.expand(-1, 5), "logits": out} if out.shape[1] == 1 else out


def one_hot_labels_by_keyword(run):
    g, d = ConditionalByKeyword(LATENT, 2), ConditionalByKeyword(2, 1)
    loader = DataLoader(TensorDataset(ring(), torch.randint(CLASSES, (512,))), BATCH, shuffle=True, drop_last=True)
    monitor, optimizer_g, optimizer_d = run.monitor_loop(g, d, real=loader), adam(g), adam(d)
    for x, y in itertools.islice(forever(loader), STEPS):
        c, wanted = one_hot(y, CLASSES).float(), one_hot(torch.randint(CLASSES, (BATCH,)), CLASSES).float()
        fake = g(x=latents(), condition=wanted)
        logits = [d(x=real, condition=k, scale=2.0)["logits"] for real, k in ((x, c), (fake.detach(), wanted))]
        update(optimizer_d, softplus(-logits[0]).mean() + softplus(logits[1]).mean())
        update(optimizer_g, softplus(-d(x=fake, condition=wanted, scale=2.0)["logits"]).mean())
        monitor.step()
    run.keep(g, d, optimizer_g, optimizer_d)


def copies_during_training(run):
    g, d, real = mlp(LATENT, 2), mlp(2, 1), ring()
    average, copies = copy.deepcopy(g).eval(), []
    monitor = run.monitor_loop(g, d, real=real, average=average)

    def step(monitor, *losses):
        monitor.step(*losses)
        copies.append(copy.deepcopy(g))
        copies[-1](latents())
        for mean, new in zip(average.parameters(), g.parameters(), strict=True):
            mean.data.lerp_(new.data, 0.1)

    non_saturating(g, d, run, monitor, (real[torch.randint(512, (BATCH,))] for _ in itertools.count()), step)
    run.keep(average, *(c.state_dict() for c in copies))


class RepeatedBlock(nn.Module):
    """One block under two names, and a layer with the block's weights."""

    def __init__(self, outputs):
        super().__init__()
        self.first = nn.Sequential(nn.Linear(LATENT, LATENT), nn.BatchNorm1d(LATENT), nn.LeakyReLU(0.2))
        self.again = self.first
        self.tied = nn.Linear(LATENT, LATENT)
        self.tied.weight = self.first[0].weight
        self.last = nn.Linear(LATENT, outputs)

    def forward(self, z):
        return self.last(self.tied(self.again(self.first(z))))


def repeated_blocks(run):
    g, d, real = RepeatedBlock(2), nn.Sequential(nn.Linear(2, LATENT), RepeatedBlock(1)), ring()
    monitor = run.monitor_loop(g, d, real=real)
    non_saturating(g, d, run, monitor, (real[torch.randint(512, (BATCH,))] for _ in itertools.count()))


def wgan_gp(run):
    """Three steps of D for each of G."""
    g, d, real = mlp(LATENT, 2), mlp(2, 1), ring()
    monitor, optimizer_g, optimizer_d = run.monitor_loop(g, d, real=real), adam(g), adam(d)
    for _ in range(STEPS):
        for _ in range(3):
            x, fake = real[torch.randint(512, (BATCH,))], g(latents()).detach()
            between = x.lerp(fake, torch.rand(BATCH, 1)).requires_grad_()
            (slope,) = torch.autograd.grad(d(between).sum(), between, create_graph=True)
            update(optimizer_d, d(fake).mean() - d(x).mean() + 10 * (slope.norm(dim=1) - 1).square().mean())
        update(optimizer_g, -d(g(latents())).mean())
        monitor.step()
    run.keep(g, d, optimizer_g, optimizer_d)


def g_trained_in_every_third_step(run):
    g, d, real = mlp(LATENT, 2), mlp(2, 1), ring()
    monitor, optimizer_g, optimizer_d = run.monitor_loop(g, d, real=real), adam(g), adam(d)
    for i in range(STEPS):
        fake = g(latents())
        update(optimizer_d, softplus(-d(real[torch.randint(512, (BATCH,))])).mean() + softplus(d(fake.detach())).mean())
        if i % 3 == 0:
            update(optimizer_g, softplus(-d(g(latents()))).mean())
        monitor.step()
    run.keep(g, d, optimizer_g, optimizer_d)


def half_precision_with_a_scaler(run):
    g, d, real = mlp(LATENT, 2), mlp(2, 1), ring()
    scaler = torch.amp.GradScaler("cpu")
    monitor, optimizer_g, optimizer_d = run.monitor_loop(g, d, real=real, scaler=scaler), adam(g), adam(d)
    for _ in range(STEPS):
        for optimizer, sign in ((optimizer_d, 1), (optimizer_g, -1)):
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.float16):
                fake = g(latents()) if sign < 0 else g(latents()).detach()
                loss = softplus(sign * d(fake).float()).mean()
                if sign > 0:
                    loss = loss + softplus(-d(real[torch.randint(512, (BATCH,))]).float()).mean()
            scaler.scale(loss).backward()
            scaler.step(optimizer)
        scaler.update()
        monitor.step()
    run.keep(g, d, optimizer_g, optimizer_d, scaler)


def step_inside_autocast(run):
    g, d, real = mlp(LATENT, 2), mlp(2, 1), ring()
    monitor = run.monitor_loop(g, d, real=real)
    with torch.autocast("cpu", torch.bfloat16):
        non_saturating(g, d, run, monitor, (real[torch.randint(512, (BATCH,))] for _ in itertools.count()))


class PatchDiscriminator(nn.Module):
    """Two scales, with spectral normalization of the old and the new kind."""

    def __init__(self):
        super().__init__()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            self.old = nn.utils.spectral_norm(nn.Conv2d(1, 4, 3, 2, 1))
        self.new = nn.utils.parametrizations.spectral_norm(nn.Conv2d(4, 1, 3, 1, 1))
        self.small = nn.Conv2d(4, 1, 4)

    def forward(self, x):
        h = nn.functional.leaky_relu(self.old(x), 0.2)
        return [self.new(h), self.small(h)], h


def patch_discriminator(run):
    g = nn.Sequential(nn.Linear(LATENT, 64), nn.Tanh(), nn.Unflatten(1, (1, 8, 8)))
    d, real = PatchDiscriminator(), torch.rand(256, 1, 8, 8) * 2 - 1
    loader = DataLoader(TensorDataset(real, torch.arange(256)), BATCH, shuffle=True)
    monitor, optimizer_g, optimizer_d = run.monitor_loop(g, d, real=loader), adam(g), adam(d)
    for x, _ in itertools.islice(forever(loader), STEPS):
        fake = g(torch.rand(BATCH, LATENT) * 2 - 1)
        update(
            optimizer_d,
            sum(mse_loss(a, a * 0 + 1) + b.square().mean() for a, b in zip(d(x)[0], d(fake.detach())[0], strict=True)),
        )
        update(optimizer_g, sum(mse_loss(a, a * 0 + 1) for a in d(fake)[0]))
        monitor.step()
    run.keep(g, d, optimizer_g, optimizer_d)


def accumulated_gradients(run):
    g, d, real = mlp(LATENT, 2), mlp(2, 1), ring()
    monitor, optimizer_g, optimizer_d = run.monitor_loop(g, d, real=real), adam(g), adam(d)
    for _ in range(STEPS):
        for optimizer in (optimizer_d, optimizer_g):
            optimizer.zero_grad()
            for x in real[torch.randint(512, (BATCH,))].chunk(4):
                fake = g(latents(len(x)))
                if optimizer is optimizer_d:
                    d_on_both = d(torch.cat([x, fake.detach()])).squeeze(1).chunk(2)
                    loss = softplus(-d_on_both[0]).mean() + softplus(d_on_both[1]).mean()
                else:
                    loss = softplus(-d(fake)).mean()
                (loss / 4).backward()
            optimizer.step()
        monitor.step()
    run.keep(g, d, optimizer_g, optimizer_d)


def compiled(run):
    g, d, real = mlp(LATENT, 2), mlp(2, 1), ring()
    fast_g, fast_d = (torch.compile(module, backend="eager") for module in (g, d))
    monitor = run.monitor_loop(fast_g, fast_d, real=real)
    non_saturating(fast_g, fast_d, run, monitor, (real[torch.randint(512, (BATCH,))] for _ in itertools.count()))


def distributed(run):
    store = torch.distributed.HashStore()
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    try:
        parallel = nn.parallel.DistributedDataParallel
        g, d, real = parallel(mlp(LATENT, 2)), parallel(mlp(2, 1)), ring()
        monitor = run.monitor_loop(g, d, real=real)
        non_saturating(g, d, run, monitor, (real[torch.randint(512, (BATCH,))] for _ in itertools.count()))
    finally:
        torch.distributed.destroy_process_group()


def fabric(run):
    from lightning_fabric import Fabric

    lightning = Fabric(accelerator="cpu", devices=1, precision="bf16-mixed")
    g, d = mlp(LATENT, 2), mlp(2, 1)
    loader = lightning.setup_dataloaders(DataLoader(TensorDataset(ring()), BATCH, shuffle=True, drop_last=True))
    (g, optimizer_g), (d, optimizer_d) = (lightning.setup(module, adam(module)) for module in (g, d))
    monitor = run.monitor_loop(g, d, real=loader)
    for (x,) in itertools.islice(forever(loader), STEPS):
        fake = g(latents())
        optimizer_d.zero_grad()
        lightning.backward(softplus(-d(x)).mean() + softplus(d(fake.detach())).mean())
        optimizer_d.step()
        optimizer_g.zero_grad()
        lightning.backward(softplus(-d(fake)).mean())
        optimizer_g.step()
        monitor.step()
    run.keep(g, d, optimizer_g, optimizer_d)


def step_in_evaluation_mode(run):
    """G is in evaluation mode during `step()`; in double precision, under inference mode."""
    torch.set_default_dtype(torch.float64)
    try:
        g, d, real = mlp(LATENT, 2, nn.BatchNorm1d(2)), mlp(2, 1), ring()
        monitor = run.monitor_loop(g, d, real=real)

        def step(monitor, *losses):
            g.eval()
            with torch.inference_mode():
                run.keep(g(latents(3)))
                monitor.step(*losses)
            run.keep([part.training for part in g.modules()])
            g.train()

        non_saturating(g, d, run, monitor, (real[torch.randint(512, (BATCH,))] for _ in itertools.count()), step)
        run.keep(torch.get_default_dtype())
    finally:
        torch.set_default_dtype(torch.float32)


class Translator(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = mlp(2, 2, nn.Dropout(0.2))

    def forward(self, batch):
        return self.net(batch["source"]), batch["source"].mean()


def paired_translation(run):
    """G has no latents, nested arguments and two outputs; D has two inputs."""
    g, d, real = Translator(), nn.Bilinear(2, 2, 1), ring()
    monitor, optimizer_g, optimizer_d = run.monitor_loop(g, d, real=real), adam(g), adam(d)
    for _ in range(STEPS):
        x = real[torch.randint(512, (BATCH,))]
        y = x.flip(1)
        fake, _ = g({"source": x})
        update(optimizer_d, softplus(-d(x, y)).mean() + softplus(d(x, fake.detach())).mean())
        update(optimizer_g, softplus(-d(x, fake)).mean() + 10 * l1_loss(fake, y))
        monitor.step()
    run.keep(g, d, optimizer_g, optimizer_d)


def shared_weights(run):
    g, d, real = mlp(LATENT, 2), mlp(2, 1), ring()
    d.add_module("shared", nn.Identity())
    d.shared.register_parameter("weight", g[0].weight)
    monitor = run.monitor_loop(g, d, real=real)
    non_saturating(g, d, run, monitor, (real[torch.randint(512, (BATCH,))] for _ in itertools.count()))


def probabilities(run):
    g, d, real = mlp(LATENT, 2), mlp(2, 1, nn.Sigmoid()), ring()
    monitor, optimizer_g, optimizer_d = run.monitor_loop(g, d, real=real), adam(g), adam(d)
    one, zero = torch.ones(BATCH, 1), torch.zeros(BATCH, 1)
    for _ in range(STEPS):  # G first
        fake = g(latents())
        update(optimizer_g, binary_cross_entropy(d(fake), one))
        x = real[torch.randint(512, (BATCH,))]
        update(optimizer_d, binary_cross_entropy(d(x), one) + binary_cross_entropy(d(fake.detach()), zero))
        monitor.step()
    run.keep(g, d, optimizer_g, optimizer_d)


def nan_weights(run):
    g, d, real = mlp(LATENT, 2), mlp(2, 1), ring()
    monitor, optimizer_g, optimizer_d = run.monitor_loop(g, d, real=real), adam(g), adam(d)
    for i in range(STEPS):
        fake = g(latents())
        factor = float("nan") if i == 15 else 1.0
        update(
            optimizer_d,
            factor * softplus(-d(real[torch.randint(512, (BATCH,))])).mean() + softplus(d(fake.detach())).mean(),
        )
        update(optimizer_g, softplus(-d(fake)).mean())
        monitor.step()
    run.keep(g, d, optimizer_g, optimizer_d)


SCENARIOS = [
    plain,
    data_set_with_random_augmentation,
    finite_iterator,
    empty_batches,
    positional_labels,
    one_hot_labels_by_keyword,
    copies_during_training,
    repeated_blocks,
    wgan_gp,
    g_trained_in_every_third_step,
    half_precision_with_a_scaler,
    step_inside_autocast,
    patch_discriminator,
    accumulated_gradients,
    compiled,
    distributed,
    fabric,
    step_in_evaluation_mode,
    paired_translation,
    shared_weights,
    probabilities,
    nan_weights,
]


def train(scenario, monitored: bool) -> Run:
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)
    run = Run(monitored)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        scenario(run)
    return run


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_a_monitored_loop_ends_bit_for_bit_as_an_unmonitored_one(scenario):
    monitored, unmonitored = train(scenario, monitored=True), train(scenario, monitored=False)
    assert monitored.monitor.muted is None
    assert same(monitored.state(), unmonitored.state())
    steps = monitored.monitor.history().columns["step"]
    assert list(steps) == ([10, 20] if scenario is nan_weights else [10, 20, 30])
