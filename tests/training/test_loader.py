"""Batches from a loader: in order, without end, and refused in one line where they are not what the spec says."""

from __future__ import annotations

import pytest
import torch

from ganbench import Batch, DataSpec
from ganbench.registry.registry import load_registry
from ganbench.training.loader import BatchStream
from ganbench.trial import LiveTrial

SPEC = DataSpec("points", (2,))


def numbered(*sizes):
    """A loader of batches whose samples are counted through."""

    class Loader:
        def __iter__(self):
            start = 0
            for size in sizes:
                yield Batch(torch.arange(start, start + size).float()[:, None].expand(-1, 2))
                start += size

    return Loader


def stream(make, spec=SPEC, size=4):
    return BatchStream("mine", make, spec, size, torch.device("cpu"))


def firsts(drawn, n):
    return [int(drawn.draw().x[0, 0]) for _ in range(n)]


def test_it_begins_again_at_its_end_and_leaves_out_a_smaller_batch():
    assert firsts(stream(numbered(4, 4, 3)), 5) == [0, 4, 0, 4, 0]


def test_a_generator_which_can_be_gone_through_once_is_made_anew_at_its_end():
    make = numbered(4, 4, 3)
    drawn = stream(lambda: iter(make()))
    assert firsts(drawn, 3) == [0, 4, 0]
    other = stream(lambda: iter(make()))
    other.load_state_dict(drawn.state_dict())
    assert firsts(drawn, 2) == firsts(other, 2) == [4, 0]


def test_it_goes_to_another_place_by_drawing_again():
    ours, theirs = stream(numbered(4, 4, 4)), stream(numbered(4, 4, 4))
    firsts(ours, 5)
    state = ours.state_dict()
    firsts(ours, 2)
    theirs.load_state_dict(state)
    ours.load_state_dict(state)
    assert firsts(ours, 4) == firsts(theirs, 4) == [8, 0, 4, 8]


def test_a_loader_with_a_state_of_its_own_is_asked_for_it():
    class Stateful:
        made = 0

        def __init__(self):
            self.at, Stateful.made = 0, Stateful.made + 1

        def __iter__(self):
            while True:
                self.at += 1
                yield Batch(torch.full((4, 2), float(self.at)))

        def state_dict(self):
            return {"at": self.at}

        def load_state_dict(self, state):
            self.at = state["at"]

    ours = stream(Stateful)
    firsts(ours, 7)
    theirs = stream(Stateful)
    theirs.load_state_dict(ours.state_dict())
    assert firsts(theirs, 2) == firsts(ours, 2) == [8, 9]


def test_bytes_are_scaled_and_conditions_come_along():
    spec = DataSpec("images", (1, 1, 2), value_range=(-1.0, 1.0), classes=3, condition=(2,))
    batch = Batch(torch.tensor([[[[0, 255]]]], dtype=torch.uint8), torch.tensor([2]), torch.ones(1, 2))
    drawn = stream(lambda: [batch], spec, 1).draw()
    assert drawn.x.tolist() == [[[[-1.0, 1.0]]]] and drawn.labels.tolist() == [2]
    assert drawn.condition.tolist() == [[1.0, 1.0]]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (list, "ends without a batch of 4 samples"),
        (numbered(3), "ends without a batch of 4 samples"),
        (numbered(2, 2, 2), "yields batches of 2 samples before its end, and 4 are asked for"),
        (numbered(5), r"yields samples \(5, 2\), and \(4, 2\) is expected"),
        (lambda: [Batch(torch.zeros(4, 3))], r"yields samples \(4, 3\), and \(4, 2\) is expected"),
        (lambda: [torch.zeros(4, 2)], "yields Tensor, not ganbench.Batch"),
        (lambda: [Batch(torch.zeros(4, 2), torch.zeros(4).long())], "yields samples with labels, .* states 0 classes"),
        (lambda: [Batch(torch.zeros(4, 2).double())], "yields what its spec does not state: .*float64"),
        (lambda: [Batch(torch.zeros(4, 2), condition=torch.zeros(4, 1))], "its spec states none"),
        (lambda: None, "gives NoneType, which cannot be iterated"),
    ],
)
def test_what_is_no_batch_of_the_data_is_refused(make, said):
    with pytest.raises(
        ValueError, match=f"data set 'mine': its training_loader {said}" if "none" not in said else said
    ):
        stream(make).draw()


def test_a_fork_sees_the_batches_that_the_run_itself_will_see(make_trial, plugin_file):
    files = plugin_file('''
class Streamed(ganbench.Dataset):
    """Points from a loader."""
    spec = ganbench.DataSpec("points", (2,))

    def training(self):
        return ganbench.Batch(torch.randn(200, 2, generator=torch.Generator().manual_seed(0)))

    def held_out(self):
        return self.training()

    def training_loader(self, batch_size, seed):
        stream = torch.Generator().manual_seed(seed)
        return (ganbench.Batch(torch.randn(batch_size, 2, generator=stream)) for _ in range(100))

@ganbench.hookimpl
def ganbench_datasets():
    yield ganbench.Component("streamed", Streamed)
''')
    trial = make_trial(files=files, datasets=["streamed"], metrics=["energy-distance"], diagnoses=[], steps=20)
    registry = load_registry(files)
    dataset = registry.build("dataset", trial.components.dataset)
    gan = LiveTrial.build(trial, dataset, registry, torch.device("cpu")).gan
    for _ in range(6):
        gan.step()
    fork = gan.fork(4)
    for _ in range(4):
        gan.step()
    ours, theirs = gan.weights(), fork.weights()
    assert all(torch.equal(ours[name], theirs[name]) for name in ours)
