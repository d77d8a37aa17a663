"""The fake device refuses what CUDA refuses, counts what makes the host wait, and computes what the CPU computes."""

from __future__ import annotations

import copy

import pytest
import torch
from device.fake_cuda import fake_cuda
from torch import nn

MIXED = "Expected all tensors to be on the same device"


@pytest.mark.parametrize(
    "operation",
    [
        lambda here, there: here + there,
        lambda here, there: here @ there,
        lambda here, there: torch.cat([here, there]),
        lambda here, there: torch.stack([here.sum(), there.sum()]),
        lambda here, there: torch.cdist(here, there),
        lambda here, there: nn.functional.linear(here, there),
        lambda here, there: here[torch.zeros(3, dtype=torch.long, device="cuda")],
        lambda here, there: torch._foreach_add([here], [there]),
    ],
)
def test_tensors_of_two_devices_do_not_mix(operation):
    with fake_cuda(), pytest.raises(RuntimeError, match=MIXED):
        operation(torch.ones(3, 3), torch.ones(3, 3, device="cuda"))


def test_what_cuda_takes_from_the_cpu_is_taken():
    with fake_cuda():
        x = torch.ones(3, 3, device="cuda")
        assert (x + torch.tensor(1.0)).device.type == "cuda"
        assert x[torch.tensor([0, 2])].shape == (2, 3)
        assert x.copy_(torch.zeros(3, 3)).sum().item() == 0


@pytest.mark.parametrize(("stream", "device"), [("cpu", "cuda"), ("cuda", "cpu")])
def test_a_generator_draws_on_its_own_device_alone(stream, device):
    with fake_cuda(), pytest.raises(RuntimeError, match="device type for generator"):
        torch.randn(3, generator=torch.Generator(stream), device=device)


@pytest.mark.parametrize(
    "wait",
    [
        lambda x: x.sum().item(),
        lambda x: float(x.sum()),
        lambda x: bool((x > 0).all()),
        lambda x: x.tolist(),
        lambda x: x.cpu(),
        lambda x: x.to("cpu"),
        lambda x: x[x > 0],
        lambda x: torch.nonzero(x),
        lambda x: x.masked_select(x > 0),
        lambda x: x.unique(),
        lambda x: torch.tensor([1.0], device="cuda"),
        lambda x: torch.ones(3).to("cuda"),
        lambda x: torch.linalg.solve(torch.eye(3, device="cuda"), x),
        lambda x: torch.cuda.synchronize(),
    ],
)
def test_what_makes_the_host_wait_is_counted(wait):
    with fake_cuda() as gpu:
        x = torch.ones(3, device="cuda")
        x + 1, x.sum(), x.clone()
        assert gpu.syncs == []
        wait(x)
        assert len(gpu.syncs) == 1
        assert "test_fake_cuda.py" in gpu.syncs[0]


def test_numpy_is_refused():
    with fake_cuda(), pytest.raises(TypeError, match="numpy"):
        torch.ones(3, device="cuda").numpy()


def test_a_network_moves_copies_and_learns_as_on_the_cpu():
    def learn(device: str) -> list[torch.Tensor]:
        torch.manual_seed(0)
        network = nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(144, 1)).to(device)
        network = copy.deepcopy(network)
        optimizer = torch.optim.Adam(network.parameters(), fused=True)
        for _ in range(3):
            optimizer.zero_grad()
            x = torch.randn(5, 1, 8, 8, generator=torch.Generator(device).manual_seed(1), device=device)
            x.requires_grad_()
            (slope,) = torch.autograd.grad(network(x).sum(), x, create_graph=True)
            (network(x).mean() + slope.square().sum()).backward()
            optimizer.step()
        assert all(weight.device.type == device for weight in network.parameters())
        return [weight.detach().cpu() for weight in network.state_dict().values()]

    with fake_cuda():
        there = learn("cuda")
    assert all(torch.equal(a, b) for a, b in zip(learn("cpu"), there, strict=True))


def test_nothing_is_left_afterwards():
    generator, state = torch.Generator, torch.cuda.get_rng_state
    with fake_cuda():
        left = torch.ones(3, device="cuda")
    assert torch.Generator is generator and torch.cuda.get_rng_state is state
    assert type(torch.ones(3)) is torch.Tensor
    with pytest.raises(RuntimeError, match="outside"):
        left + 1
