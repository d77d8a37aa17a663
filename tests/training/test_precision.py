"""Precision, accumulation, clipping and the layout of memory: what they change, and what they leave as it is."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest
import torch
from torch import nn

import ganbench
from ganbench.contract.errors import RequestError
from ganbench.registry.registry import load_registry
from ganbench.suite.trial_id import trial_id
from ganbench.training.precision import Precision
from ganbench.training.seeding import deterministic
from ganbench.trial import LiveTrial

CPU = torch.device("cpu")
CONV = {"generator": {"name": "conv", "width": 8}, "discriminator": {"name": "conv", "width": 8}}
SGD = {"optimizer": {"name": "sgd", "lr": 0.05}}


def live(trial: ganbench.Trial) -> LiveTrial:
    registry = load_registry(trial.plugin_files)
    return LiveTrial.build(trial, registry.build("dataset", trial.components.dataset), registry, CPU)


def weights_after(trial: ganbench.Trial, steps: int) -> dict[str, torch.Tensor]:
    gan = live(trial).gan
    for _ in range(steps):
        gan.step()
    return gan.weights()


def largest_difference(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> float:
    assert a.keys() == b.keys()
    return max((a[name] - b[name]).abs().max().item() for name in a)


@pytest.mark.parametrize("loss", ["hinge", "wasserstein", "non-saturating"])
def test_parts_of_a_batch_add_up_to_the_whole_for_losses_that_are_means(make_trial, loss):
    method = {"loss": loss, "regularizers": ["r1"]}
    whole, parts, half = (make_trial(method, **SGD, batch_size=n, accumulate=k) for n, k in ((32, 1), (32, 4), (16, 1)))
    expected = weights_after(whole, 10)
    assert largest_difference(expected, weights_after(parts, 10)) < 1e-5
    assert largest_difference(expected, weights_after(half, 10)) > 1e-3  # a smaller batch is something else


def test_the_loss_of_parts_is_that_of_the_whole(make_trial):
    first, second = (live(make_trial(**SGD, accumulate=k)).gan.step() for k in (1, 8))
    torch.testing.assert_close(first, second)


def test_a_gradient_is_clipped_to_its_norm_and_a_small_one_is_left(make_trial):
    for clip, clipped in ((0.01, True), (1e6, False)):
        gan, free = (live(make_trial(**SGD, clip=c)).gan for c in (clip, 0.0))
        before = {name: weight.clone() for name, weight in gan.discriminator.named_parameters()}
        gan.train_discriminator(), free.train_discriminator()
        moves = [weight - before[name] for name, weight in gan.discriminator.named_parameters()]
        free_moves = [weight - before[name] for name, weight in free.discriminator.named_parameters()]
        norm = torch.cat([move.flatten() for move in moves]).norm().item()
        free_norm = torch.cat([move.flatten() for move in free_moves]).norm().item()
        assert norm == pytest.approx(0.05 * 0.01 if clipped else free_norm, rel=1e-3)
        cosine = sum((a * b).sum() for a, b in zip(moves, free_moves, strict=True)) / (norm * free_norm)
        assert cosine.item() == pytest.approx(1.0, abs=1e-3)


def test_both_players_are_clipped(make_trial):
    gan = live(make_trial(**SGD, clip=0.01)).gan
    gan.step()
    for network in (gan.generator, gan.discriminator):
        norm = torch.cat([weight.grad.flatten() for weight in network.parameters()]).norm()
        assert norm <= 0.01 * 1.001


def types_seen(network: nn.Module) -> set[torch.dtype]:
    """The types of what the layers of a network return from now on."""
    seen: set[torch.dtype] = set()
    for module in network.modules():
        if isinstance(module, nn.Linear | nn.Conv2d):
            module.register_forward_hook(lambda _module, _inputs, output: seen.add(output.dtype))
    return seen


@pytest.mark.parametrize("data", ["ring", "digits"])
def test_bf16_is_what_networks_compute_in_while_they_train_and_nothing_else(make_trial, data):
    more = {"datasets": ["digits"], "metrics": ["energy-distance"], "method": CONV} if data == "digits" else {}
    run = live(make_trial(more.pop("method", None), precision="bf16", **more))
    seen_g, seen_d = types_seen(run.gan.generator), types_seen(run.gan.discriminator)
    losses = run.gan.step()
    assert seen_g == seen_d == {torch.bfloat16}
    assert {loss.dtype for loss in losses} == {torch.float32}
    assert {weight.dtype for weight in run.gan.weights().values() if weight.is_floating_point()} == {torch.float32}
    real = run.gan.real_batch()
    assert run.gan.logits(real).dtype == torch.float32  # as losses and penalties see them
    seen_g.clear(), seen_d.clear()
    run.observer.observe(1, *losses, probe=True)
    run.evaluator.score(1, run.generate, run.gan)
    assert seen_g <= {torch.float32} and seen_d == {torch.float32}


def test_a_gradient_penalty_trains_in_bf16(make_trial):
    lowered, whole = (
        weights_after(make_trial({"regularizers": ["r1", "dragan"]}, precision=p, **SGD), 5)
        for p in ("bf16", "float32")
    )
    assert all(weight.isfinite().all() for weight in lowered.values())
    assert 0 < largest_difference(lowered, whole) < 0.05


def test_pictures_lie_channels_last_and_train_to_the_same_weights(make_trial):
    method = {**CONV, "regularizers": ["r1"]}
    trial = make_trial(method, datasets=["digits"], metrics=["energy-distance"], **SGD)
    last = replace(trial, training=replace(trial.training, channels_last=True))
    gan = live(last).gan
    kernels = [w for w in itertools.chain(gan.generator.parameters(), gan.discriminator.parameters()) if w.ndim == 4]
    assert kernels and all(kernel.is_contiguous(memory_format=torch.channels_last) for kernel in kernels)
    assert gan.real_batch().x.is_contiguous(memory_format=torch.channels_last)
    assert largest_difference(weights_after(trial, 3), weights_after(last, 3)) < 1e-4


def test_tf32_changes_nothing_on_a_cpu_and_no_setting_outlives_a_trial(make_trial, run_here):
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    plain, lowered = (weights_after(make_trial(precision=p), 3) for p in ("float32", "tf32"))
    assert largest_difference(plain, lowered) == 0
    assert run_here(make_trial(precision="tf32", steps=20)).status == "done"
    assert (torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32) == before


def test_tf32_is_allowed_in_steps_alone():
    precision = Precision("tf32", torch.device("cuda"))
    with deterministic(CPU):
        assert not torch.backends.cudnn.allow_tf32
        with precision.products():
            assert torch.backends.cudnn.allow_tf32 and torch.get_float32_matmul_precision() == "high"
        assert not torch.backends.cudnn.allow_tf32 and torch.get_float32_matmul_precision() == "highest"


def test_a_scaled_update_is_that_of_unscaled_gradients_and_one_that_is_not_finite_is_left_out():
    """The scaler of float16, on a CPU, where torch has it too."""
    precision = Precision("float32", CPU)
    precision.scalers = {"d": torch.amp.GradScaler("cpu", init_scale=2.0**10)}
    weight = nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    precision.backward("d", (weight * torch.tensor([0.25, 0.5])).sum())
    assert weight.grad.tolist() == [256.0, 512.0]
    precision.update("d", optimizer, [weight], clip=0.0)
    assert weight.tolist() == [0.75, 0.5]
    optimizer.zero_grad()
    precision.backward("d", (weight * torch.inf).sum())
    precision.update("d", optimizer, [weight], clip=0.0)
    assert weight.tolist() == [0.75, 0.5] and precision.scalers["d"].get_scale() == 2.0**9


def test_float16_needs_a_gpu(make_trial):
    with pytest.raises(RequestError, match=r"precision = 'float16' needs a CUDA device, and .* cpu; give 'bf16'"):
        make_trial(precision="float16")


def test_a_batch_is_divided_into_equal_parts(make_trial):
    with pytest.raises(RequestError, match="accumulate = 3 does not divide batch_size = 32"):
        make_trial(accumulate=3)


def test_ids_state_them_where_they_are_not_the_default(make_trial):
    plain = make_trial()
    defaults = {"precision": "float32", "accumulate": 1, "clip": 0.0, "channels_last": False}
    assert make_trial(**defaults).id == plain.id
    changes = [{"precision": "bf16"}, {"accumulate": 2}, {"clip": 1.0}, {"channels_last": True}]
    ids = {trial_id(make_trial(**change)) for change in changes}
    assert len(ids) == 4 and plain.id not in ids


def test_a_healthy_run_with_all_of_them_is_wired_rightly(make_trial, run_here):
    result = run_here(make_trial(precision="bf16", accumulate=4, clip=1.0, channels_last=True))
    assert result.status == "done", result.reason
    assert "wiring" not in result.verdicts


@pytest.mark.parametrize("precision", ["float32", "bf16"])
def test_reports_state_a_low_precision_even_where_methods_do_not_differ(make_trial, precision):
    from ganbench.results.tables import trials_table

    table = trials_table([ganbench.TrialResult(make_trial(precision=precision), ganbench.Status.DONE)])
    assert list(table.get("precision", [])) == (["bf16"] if precision == "bf16" else [])
