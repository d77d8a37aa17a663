"""CLIP's and DINOv2's features: their files are asked for before anything is trained, and used if they are the right ones."""

from __future__ import annotations

import hashlib

import pytest
import torch

from ganbench.builtin.features import dinov2
from ganbench.builtin.features.clip import ClipRn50, ClipVitL14At336
from ganbench.builtin.features.dinov2 import CODE, DinoV2Giant, DinoV2Large, DinoV2Small

HUBCONF = """
import torch

def dinov2_vits14():
    network = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(8), torch.nn.Flatten(), torch.nn.Linear(192, 384))
    network.load_state_dict(torch.load(f"{torch.hub.get_dir()}/checkpoints/dinov2_vits14_pretrain.pth", weights_only=True))
    return network
"""


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """An empty folder in place of torch's hub."""
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path))
    (tmp_path / "checkpoints").mkdir()
    return tmp_path


@pytest.fixture
def local_copy(hub):
    """A folder of torch's hub with code and weights that take the place of DINOv2's."""
    (hub / CODE).mkdir()
    (hub / CODE / "hubconf.py").write_text(HUBCONF)
    weights = hub / "checkpoints" / "dinov2_vits14_pretrain.pth"
    with torch.random.fork_rng():
        torch.manual_seed(0)
        linear = torch.nn.Linear(192, 384)
    torch.save({"2.weight": linear.weight.data, "2.bias": linear.bias.data}, weights)
    return hashlib.sha256(weights.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("features", "words"),
    [
        (ClipRn50, "clip-rn50: its weights are not at"),
        (ClipVitL14At336, "clip-vit-l-14-336px: its weights are not at"),
        (DinoV2Small, "dinov2-vit-s-14: there is no"),
        (DinoV2Large, "dinov2-vit-l-14: there is no"),
        (DinoV2Giant, "dinov2-vit-g-14: there is no"),
    ],
)
def test_missing_files_are_one_line_with_where_to_get_them(hub, features, words):
    with pytest.raises(FileNotFoundError, match=words) as error:
        features().prepare()
    assert "\n" not in str(error.value) and str(hub) in str(error.value) and "download = true" in str(error.value)


def test_another_file_is_not_taken_for_clip(tmp_path):
    file = tmp_path / "other.pt"
    file.write_bytes(b"other")
    with pytest.raises(ValueError, match=r"clip-rn50: .* is not the published file: its SHA-256 begins with"):
        ClipRn50(weights=str(file)).prepare()
    with pytest.raises(ValueError, match=r"clip-rn50: .*other\.pt does not hold its weights") as error:
        ClipRn50(weights=str(file), sha256=hashlib.sha256(b"other").hexdigest())(torch.zeros(1, 3, 8, 8))
    assert "\n" not in str(error.value)


def test_dinov2_runs_from_a_local_copy_alone(local_copy):
    features = DinoV2Small(sha256=local_copy)
    assert features.checksum == local_copy
    x = 2 * torch.rand(3, 3, 20, 20, generator=torch.Generator().manual_seed(0)) - 1
    before = torch.get_rng_state()
    rows = features(x)
    assert rows.shape == (3, features.dim) and rows.dtype == torch.float32 and not rows.requires_grad
    assert torch.equal(rows, features(x)) and torch.equal(torch.get_rng_state(), before)


def test_weights_that_are_not_dinov2s_are_refused_before_its_code_is_run(local_copy, hub):
    (hub / CODE / "hubconf.py").write_text("raise RuntimeError('this code was run')")
    with pytest.raises(ValueError, match=r"dinov2-vit-s-14: .*dinov2_vits14_pretrain\.pth is not the published file"):
        DinoV2Small()(torch.zeros(1, 3, 8, 8))


def test_a_copy_that_does_not_load_is_one_line(local_copy, hub):
    (hub / CODE / "hubconf.py").write_text("raise RuntimeError('first line\\nsecond line')")
    with pytest.raises(ValueError, match=r"dinov2-vit-s-14: the copy of .* does not load: first line second line"):
        DinoV2Small(sha256=local_copy)(torch.zeros(1, 3, 8, 8))


def test_every_published_checksum_is_whole():
    networks = dinov2.DinoV2.__subclasses__()
    assert len({network.published for network in networks}) == len(networks) == 4
    assert all(len(network.published) == 64 and int(network.published, 16) for network in networks)
