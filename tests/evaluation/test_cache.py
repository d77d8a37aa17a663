"""Features of real samples are kept on disk: found again, never wrong, never half written."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys

import pytest
import torch

import ganbench
from ganbench import trial
from ganbench.contract.adapt import adapt
from ganbench.evaluation import cache
from ganbench.evaluation.cache import CachedSampleSet

CPU = torch.device("cpu")


class Counting(ganbench.Features):
    dim, preprocessing, checksum = 3, "times a factor", "abc"
    calls = 0

    def __init__(self, factor=2.0):
        self.factor = factor

    def __call__(self, samples, tap=""):
        type(self).calls += 1
        return self.factor * samples


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("GANBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(Counting, "calls", 0)
    return tmp_path / "cache"


def embed(factor=2.0, seed=0, **changes):
    features = Counting(factor)
    for name, value in changes.items():
        setattr(features, name, value)
    samples = torch.randn(20, 3, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(CachedSampleSet(samples, CPU).embed(features), factor * samples)
    return Counting.calls


def test_the_same_samples_in_the_same_features_are_computed_once():
    assert embed() == 1 and embed() == 1


@pytest.mark.parametrize(
    "change", [{"factor": 3.0}, {"seed": 1}, {"checksum": "def"}, {"preprocessing": "times another"}]
)
def test_whatever_decides_features_decides_the_file(change):
    assert embed() == 1 and embed(**change) == 2


def test_features_that_subclass_nothing_are_told_apart():
    class Duck:
        dim, preprocessing = 3, "none"

        def __call__(self, samples, tap=""):
            return samples

    class Negative(Duck):
        def __call__(self, samples, tap=""):
            return -samples

    samples = torch.randn(20, 3, generator=torch.Generator().manual_seed(0))
    rows = [CachedSampleSet(samples, CPU).embed(adapt("features", duck())) for duck in (Duck, Negative)]
    assert torch.equal(rows[0], samples) and torch.equal(rows[1], -samples)


def test_features_whose_code_changes_are_computed_again(monkeypatch, tmp_path):
    source = tmp_path / "code.py"
    monkeypatch.setattr(sys.modules[__name__], "__file__", str(source))
    for count, code in enumerate(["one", "two"], start=1):
        source.write_text(code)
        cache._code_digest.cache_clear()
        assert embed() == count
    cache._code_digest.cache_clear()


def test_a_damaged_file_is_computed_again_with_a_warning(folder):
    embed()
    (file,) = folder.iterdir()
    file.write_bytes(file.read_bytes()[:40])
    with pytest.warns(UserWarning, match="is damaged, and is computed again"):
        assert embed() == 2
    assert embed() == 2


def test_no_byte_that_changed_on_the_disk_becomes_a_feature(folder):
    """Wherever it is: in the sizes, in what the file says of itself, or in the numbers."""
    embed()
    (file,) = folder.iterdir()
    whole = file.read_bytes()
    for at in range(0, len(whole), 23):
        file.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
        with pytest.warns(UserWarning, match="is damaged, and is computed again"):
            embed()
        assert file.read_bytes() == whole
    file.write_bytes(whole[: -len(whole) // 4] + bytes(len(whole) // 4 + 1))
    with pytest.warns(UserWarning, match="is damaged, and is computed again"):
        embed()


def test_a_file_of_other_samples_is_not_taken_for_these(folder):
    embed()
    (file,) = folder.iterdir()
    embed(seed=1)
    (other,) = (path for path in folder.iterdir() if path != file)
    other.replace(file)
    with pytest.warns(UserWarning, match="it is not as it was written"):
        embed()


@pytest.mark.parametrize("kind", [torch.float64, torch.bfloat16, torch.int64, torch.bool])
def test_whatever_is_computed_comes_back_as_it_was(kind, recwarn):
    whole = (torch.arange(6).reshape(2, 3).to(kind), torch.tensor(1).to(kind), torch.empty(0, 3).to(kind))
    samples = CachedSampleSet(torch.zeros(2, 3), CPU)
    for _ in range(2):
        found = samples.keep(Counting(), "all", lambda: whole)
        assert all(torch.equal(a, b) and a.dtype == b.dtype for a, b in zip(found, whole, strict=True))
    assert not recwarn.list


def test_a_folder_that_cannot_be_written_costs_a_warning_alone(folder):
    folder.write_text("a file in its place")
    with pytest.warns(UserWarning, match="features are not kept in"):
        assert embed() == 1


def test_a_disk_that_fills_leaves_nothing_half_written(folder, monkeypatch):
    import safetensors.torch

    def fill(tensors, path, *_):
        path.write_bytes(b"half")
        raise safetensors.SafetensorError(
            f'Error while serializing: I/O error: No space left on device (os error 28) at path "{path}"'
        )

    monkeypatch.setattr(safetensors.torch, "save_file", fill)
    with pytest.warns(UserWarning, match="No space left on device; free space there") as warned:
        assert embed() == 1
        assert embed(seed=1) == 2
    assert len({str(one.message) for one in warned}) == 1, "said once: Python shows one text once"
    assert list(folder.iterdir()) == []


def test_the_cache_can_be_turned_off(folder, monkeypatch):
    monkeypatch.setenv("GANBENCH_CACHE", "")
    assert embed() == 1 and embed() == 2 and not folder.exists()


def test_the_files_longest_unused_make_room(folder, monkeypatch):
    embed(seed=1)
    (first,) = folder.iterdir()
    os.utime(first, (1, 1))
    monkeypatch.setattr(cache, "MAX_BYTES", first.stat().st_size + 10)
    embed(seed=2)
    assert len(list(folder.iterdir())) == 1 and not first.exists()


WRITER = """
import torch, ganbench
from ganbench.evaluation.cache import CachedSampleSet

class Twice(ganbench.Features):
    dim, preprocessing = 400, "times two"
    def __call__(self, samples, tap=""):
        return 2 * samples

for seed in range(4):
    samples = torch.randn(500, 400, generator=torch.Generator().manual_seed(seed))
    assert torch.equal(CachedSampleSet(samples, torch.device("cpu")).embed(Twice()), 2 * samples)
"""


def test_two_processes_that_write_the_same_files_do_not_disturb_each_other(folder):
    writers = [subprocess.Popen([sys.executable, "-W", "error", "-c", WRITER]) for _ in range(2)]
    assert [writer.wait(timeout=120) for writer in writers] == [0, 0]
    assert len(list(folder.iterdir())) == 4


def test_what_is_wrong_with_the_cache_is_a_note_of_the_trial_wherever_that_runs(folder, make_trial, monkeypatch):
    monkeypatch.setattr(trial, "_told", set())
    one = make_trial(datasets={"digits": {"dataset": "digits"}}, metrics=("frechet-digits",), diagnoses=(), steps=2)
    notes: list[str] = []

    def emit(event):
        if isinstance(event, ganbench.TrialNote):
            notes.append(event.text)

    first = ganbench.run_trial(one, emit)
    assert first.scores and not notes
    for file in folder.iterdir():
        file.write_bytes(file.read_bytes()[:-8] + bytes(8))
    second = ganbench.run_trial(one, emit)
    assert [score.value for score in second.scores] == [score.value for score in first.scores]
    assert len(notes) == len(list(folder.iterdir())) and all("is damaged, and is computed again" in n for n in notes)
    ganbench.run_trial(one, emit)
    assert len(notes) == len(list(folder.iterdir()))


# --- what metrics keep -----------------------------------------------------------------------------------


def count_calls(monkeypatch, where, name):
    calls = []
    module = importlib.import_module(f"ganbench.builtin.metrics.{where}")
    real = getattr(module, name)
    monkeypatch.setattr(module, name, lambda *args, **kwargs: calls.append(name) or real(*args, **kwargs))
    return calls


def digits(seed, n=80):
    return torch.rand(n, 1, 8, 8, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def floors(samples, reference, floor):
    metrics = ["prdc-digits", "frechet-digits"]
    return {score.metric: score.floor for score in ganbench.evaluate(samples, reference, metrics, floor=floor)}


def test_a_floor_is_computed_once_for_all_evaluations_against_the_same_reference(monkeypatch):
    passes, gaussians = (
        count_calls(monkeypatch, *of) for of in (("pairs", "compare_between"), ("frechet", "deviations"))
    )
    first = floors(digits(1), digits(2), digits(3))
    assert (len(passes), len(gaussians)) == (2, 2)  # of samples and of the floor
    assert floors(digits(4), digits(2), digits(3)) == first
    assert (len(passes), len(gaussians)) == (3, 3)  # of samples alone


def test_a_floor_of_another_reference_is_computed_again():
    first = floors(digits(1), digits(2), digits(3))
    other = floors(digits(1), digits(5) * 0.5, digits(3))
    assert all(other[name] != value for name, value in first.items() if name != "prdc-digits.recall")
    cleared = floors(digits(1), digits(2), digits(3))
    assert cleared == first


def test_how_near_training_samples_are_to_each_other_is_computed_once(monkeypatch):
    calls = count_calls(monkeypatch, "novelty", "nearest_in")
    wanted = ["authenticity-digits", "data-copying-digits"]
    first = ganbench.evaluate(digits(1), "digits", wanted)
    assert {score.metric for score in first} == set(wanted)
    n = len(calls)
    ganbench.evaluate(digits(2), "digits", wanted)
    assert len(calls) - n == n - 2  # without that of training samples among themselves, and of the floor
