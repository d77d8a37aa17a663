"""Inception's features are torch-fidelity's, from a file of weights that is the right one and is never unpickled."""

from __future__ import annotations

import pickle

import pytest
import torch
from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

from ganbench.builtin.features.inception import LAYERS, InceptionV3
from ganbench.builtin.features.pictures import to_bytes
from ganbench.builtin.features.weights import sha256_of


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A file of random weights in the shape of the published ones, and the SHA-256 that it has."""
    path = tmp_path_factory.mktemp("weights") / "inception.pth"
    with pytest.MonkeyPatch.context() as patch, torch.random.fork_rng():
        torch.manual_seed(0)
        module = "torch_fidelity.feature_extractor_inceptionv3"
        patch.setattr(f"{module}.load_state_dict_from_url", lambda *a, **k: {})
        patch.setattr(FeatureExtractorInceptionV3, "load_state_dict", lambda self, state: None)
        state = FeatureExtractorInceptionV3("inception-v3-compat", ["2048"]).state_dict()
    torch.save(state, path)
    return path, sha256_of(path)


@pytest.fixture(scope="module")
def features(weights):
    path, sha256 = weights
    return InceptionV3(weights=str(path), sha256=sha256)


def pictures(n: int = 2, channels: int = 3) -> torch.Tensor:
    bytes_ = torch.randint(256, (n, channels, 32, 32), generator=torch.Generator().manual_seed(0))
    return bytes_.float() / 127.5 - 1


def test_every_layer_equals_torch_fidelitys_bit_for_bit(weights, features):
    theirs = FeatureExtractorInceptionV3(
        "inception-v3-compat", list(LAYERS.values()), feature_extractor_weights_path=str(weights[0])
    )
    x = pictures()
    expected = dict(zip(LAYERS, theirs(to_bytes(x)), strict=True))
    assert features.checksum == weights[1]
    assert torch.equal(features(x), expected[""]) and expected[""].shape == (2, features.dim)
    for tap, dim in features.taps.items():
        assert torch.equal(features(x, tap), expected[tap]) and expected[tap].shape == (2, dim)
    grey = pictures(channels=1)
    assert torch.equal(features(grey), theirs(to_bytes(grey).expand(-1, 3, -1, -1))[0])


def test_using_them_draws_nothing_and_keeps_no_gradient(weights):
    fresh = InceptionV3(weights=str(weights[0]), sha256=weights[1])
    torch.manual_seed(5)
    before = torch.get_rng_state()
    x = pictures(1)
    x[0, 0, 0, 0] = torch.nan
    assert not (rows := fresh(x, "64")).requires_grad and rows.isnan().all()
    assert torch.equal(torch.get_rng_state(), before)


def one_line(error: pytest.ExceptionInfo[BaseException]) -> str:
    assert "\n" not in str(error.value)
    return str(error.value)


def test_another_file_is_refused_before_it_is_read(weights):
    with pytest.raises(ValueError, match="is not the published file: its SHA-256 begins with") as error:
        InceptionV3(weights=str(weights[0])).prepare()
    assert str(weights[0]) in one_line(error)


def test_a_missing_file_is_said_with_where_to_get_it(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"its weights are not at .*gone\.pth; fetch https://github") as error:
        InceptionV3(weights=str(tmp_path / "gone.pth")).prepare()
    assert "download = true" in one_line(error)
    monkeypatch.setattr("torch.hub.get_dir", lambda: str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"checkpoints/weights-inception-2015-12-05-6726825d\.pth"):
        InceptionV3().prepare()


class Harm:
    """Writes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (self.path, "w")


def test_code_in_a_pickle_is_not_run(tmp_path):
    done, file = tmp_path / "harm-done", tmp_path / "evil.pth"
    for save in (lambda value: torch.save(value, file), lambda value: file.write_bytes(pickle.dumps(value))):
        save({"fc.weight": Harm(str(done))})
        features = InceptionV3(weights=str(file), sha256=sha256_of(file))
        features.prepare()
        with pytest.raises(ValueError, match=r"evil\.pth does not hold its weights") as error:
            features(pictures(1))
        one_line(error)
        assert not done.exists()


def test_weights_of_another_network_are_refused(tmp_path):
    file = tmp_path / "other.pth"
    torch.save({"fc.weight": torch.zeros(3, 3)}, file)
    with pytest.raises(ValueError, match=r"inception-v3: .*other\.pth does not hold its weights") as error:
        InceptionV3(weights=str(file), sha256=sha256_of(file))(pictures(1))
    one_line(error)
