"""Probes: measurements that cost more than signals, a few times a run, each beside its floor (real against real)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ..contract.records import Batch
from ..contract.view import View
from .missing_regions import scan_regions
from .probe_features import MAX_VALUES, Embedding, average_pixels
from .signals import auc

MAX_PROBE_SAMPLES = 512  # held-out samples of each kind, at most
MIN_PROBE_PICTURES, MAX_PROBE_PICTURES = 128, 256  # of large pictures, which are dear to make: half of the usual share
MIN_PROBE_SAMPLES = 8  # of each kind: with fewer, a probe says nothing
FAKES_PER_REAL = 2  # generated samples for each real one, where coverage is the question
N_BINS = 32
MAX_REGION_REALS, MAX_REGION_FAKES = 2048, 1024  # of large samples, where regions are searched: no D looks at them
MAX_CHUNK_VALUES = 2**21  # of samples that are looked at together, so that large ones do not fill the memory
MIN_CHUNK_SAMPLES = 8
BALL_SHARE = 0.03  # of the real samples, inside a real sample's ball: about as wide as a mode, whatever the scale
FEATURES, SCALES, RIDGE = (
    256,
    (0.25, 1.0),
    1e-2,
)  # of the fresh critic: random features, their length scales, and the ridge penalty


def why_not_probed(held_out_size: int) -> str:
    """Return why there are too few held-out samples for the probes; empty if there are enough."""
    needed = (2 + FAKES_PER_REAL) * MIN_PROBE_SAMPLES  # the floors take real samples in place of generated ones
    if held_out_size >= needed:
        return ""
    return f"the data has {held_out_size} held-out samples, and they need at least {needed}"


def count_probe_samples(affordable: int, values: int, are_pictures: bool) -> tuple[int, int, int]:
    """Return how many real samples of a kind a probe takes, how many generated ones, and how many more to search regions.

    Args:
        affordable: How many of a kind it may take.
        values: In a sample.
        are_pictures: Whether samples are.
    """
    n = min(MAX_PROBE_SAMPLES, affordable)
    if not are_pictures or values <= MAX_VALUES:
        return n, FAKES_PER_REAL * n, 0
    n = min(n, MAX_PROBE_PICTURES, max(MIN_PROBE_PICTURES, affordable // 2))
    n_made = FAKES_PER_REAL * n
    n_searched = max(min(MAX_REGION_FAKES, 2 * n_made) - n_made, 0) if affordable >= MIN_PROBE_PICTURES else 0
    return n, n_made, n_searched


@dataclass(frozen=True, eq=False)
class ProbeSamples:
    """Samples as probes compare them.

    Attributes:
        features: What they are compared in, (n, d), float32.
        logits: D's, without a graph: one a sample, or one a pack of samples.
        layout: What regions of large pictures are searched in, (n, d), float32; else nothing, (n, 0).
    """

    features: Tensor
    logits: Tensor
    layout: Tensor

    def __len__(self) -> int:
        return len(self.features)

    def split(self, n: int) -> tuple[ProbeSamples, ProbeSamples]:
        """Return the first `n`, whole packs, and the rest."""
        judged = n * len(self.logits) // len(self.features)
        return (
            ProbeSamples(self.features[:n], self.logits[:judged], self.layout[:n]),
            ProbeSamples(self.features[n:], self.logits[judged:], self.layout[n:]),
        )


class ProbeBatch:
    """The samples that the probes of one observation share: held-out real ones, and generated ones as evaluated.

    With `floor`, other held-out samples take the place of the generated ones: the best that G could do. Training samples
    would not serve: if they are few, or only a part of the data, a G as bad as they are would count as perfect.

    Large samples are looked at in chunks, of which the features are kept alone.

    Args:
        view: The run.
        embed: What samples are compared in.
        floor: Whether real samples take the place of generated ones.
        earlier: `layout_of_fakes` of the last probes, to search for regions that are missed all the time.
    """

    def __init__(self, view: View, embed: Embedding, floor: bool, earlier: Sequence[Tensor] = ()) -> None:
        self._view, self._embed, self._floor, self._earlier = view, embed, floor, earlier
        parts = 2 + FAKES_PER_REAL if floor else 2
        shape = view.data.shape
        most, _, self._n_searched = count_probe_samples(view.affordable, math.prod(shape), len(shape) == 3)
        n = self.n = view.round_to_pack(min(most, max(view.held_out_size // parts, 1)))
        # drawn at once, so that no sample is its own floor
        held_out = self._look(view.held_out_chunks(parts * n, self._chunk), of_kinds=True)
        self.real, rest = held_out.split(n)
        self.more_real, made = rest.split(n)
        fakes = map(view.evaluated, self._sizes(FAKES_PER_REAL * n))
        self.all_fake = made if floor else self._look(fakes, of_kinds=True)
        self.fake, rest = self.all_fake.split(n)
        self.more_fake, _ = rest.split(n)

    @cached_property
    def seen(self) -> ProbeSamples:
        """Training samples; nearly all of a small training set."""
        chunks = map(self._view.real, self._sizes(self.n))
        return self._look(chunks)

    @cached_property
    def distances(self) -> Tensor:
        """Distances of real samples to generated ones, of shape (n, FAKES_PER_REAL * n)."""
        return torch.cdist(self.real.features, self.all_fake.features)

    @cached_property
    def radius(self) -> Tensor:
        """The radius of each real sample's ball."""
        real = self.real.features
        k = max(1, round(BALL_SHARE * len(real)))
        return torch.cdist(real, real).topk(k + 1, dim=1, largest=False).values[:, -1]

    @cached_property
    def missing_region(self) -> tuple[Tensor, Tensor]:
        """What `scan_regions` finds among these pictures and generated ones of the last probes.

        NaN of points and tiny pictures: there coverage sees what is missing, and a mode that has shrunk is no region.
        """
        if not self._are_large_pictures:
            unknown = self.real.features.new_full((), math.nan)
            return unknown, unknown
        real = torch.cat([self.real.layout, self.more_real.layout, self._more_layouts[0]])
        return scan_regions(real, torch.cat([*self._earlier, self.layout_of_fakes]))

    @property
    def layout_of_fakes(self) -> Tensor:
        """Generated pictures where regions are searched: more of them, where few can be passed through D."""
        more = [self._more_layouts[1]] if self._are_large_pictures else []
        return torch.cat([self.all_fake.layout, *more])

    @cached_property
    def _more_layouts(self) -> tuple[Tensor, Tensor]:
        """Real and generated pictures beyond those that D looks at; of one draw, with `floor`."""
        n_real = max(min(MAX_REGION_REALS, self._view.held_out_size // 2) - 2 * self.n, 0)
        n_fake = min(self._n_searched, FAKES_PER_REAL * self.n)
        n_drawn = n_real + (n_fake if self._floor else 0)
        drawn = self._lay_out(self._view.held_out_chunks(n_drawn, self._chunk) if n_drawn else ())
        if self._floor:
            return drawn[:n_real], drawn[n_real:]
        return drawn, self._lay_out(map(self._view.evaluated, self._sizes(n_fake)))

    @property
    def _chunk(self) -> int:
        values = math.prod(self._view.data.shape)
        chunk = max(MIN_CHUNK_SAMPLES, MAX_CHUNK_VALUES // max(values, 1))
        return self._view.round_to_pack(min(chunk, self.n) if self._view.is_sparing else chunk)

    def _sizes(self, n: int) -> list[int]:
        return [min(self._chunk, n - done) for done in range(0, n, self._chunk)]

    @property
    def _are_large_pictures(self) -> bool:
        shape = self._view.data.shape
        return len(shape) == 3 and math.prod(shape) > MAX_VALUES

    def _layout_of(self, x: Tensor) -> Tensor:
        """Where things lie in pictures tells classes apart that differ by their shape, better than features do."""
        return average_pixels(x) if self._are_large_pictures else x.flatten(1)[:, :0]

    @torch.no_grad()
    def _lay_out(self, chunks: Iterable[Batch]) -> Tensor:
        return torch.cat([self.real.layout[:0], *(self._layout_of(chunk.x) for chunk in chunks)])

    @torch.no_grad()
    def _look(self, chunks: Iterable[Batch], *, of_kinds: bool = False) -> ProbeSamples:
        """Look at samples; `of_kinds`, at `n` of a kind after the other, of which probes read the logits of every second."""
        looked, done = [], 0
        for chunk in chunks:
            is_read = not (of_kinds and self._view.is_sparing) or self._is_read(done, done + len(chunk.x))
            logits = self._view.logits(chunk) if is_read else chunk.x.new_full((len(chunk.x),), math.nan)
            looked.append((self._embed(chunk.x), logits, self._layout_of(chunk.x)))
            done += len(chunk.x)
        features, logits, layouts = (torch.cat(parts) for parts in zip(*looked, strict=True))
        return ProbeSamples(features, logits, layouts)

    def _is_read(self, start: int, end: int) -> bool:
        """Whether any of the samples from `start` to `end` are `more_real` or `more_fake`, which alone D is compared on."""
        return any(i // self.n % 2 for i in (start, end - 1)) or end - start > self.n


def fresh_critic_auc(batch: ProbeBatch) -> Tensor:
    """Return the AUC of a fresh critic, real against generated: 1/2 if it cannot tell them apart, 1 if it always can.

    A classifier two-sample test (Lopez-Paz and Oquab 2017): the critic is fitted on one half of the samples and tested on
    the other. It is a ridge regression on random features (Rahimi and Recht 2007), in closed form, without training.
    """
    real, fake, more_real, more_fake = (
        part.features for part in (batch.real, batch.fake, batch.more_real, batch.more_fake)
    )
    centre, spread = real.mean(0), real.std(0).clamp_min(1e-3 * real.std())
    fitted_on, tested_on = (
        ((torch.cat(parts) - centre) / spread).clamp(-10, 10) for parts in ((real, fake), (more_real, more_fake))
    )
    features = _random_features(fitted_on.shape[1], fitted_on.device)
    x = features(fitted_on)
    is_real = torch.cat([torch.ones(len(real), device=x.device), -torch.ones(len(fake), device=x.device)])
    ridge = RIDGE * torch.eye(x.shape[1], device=x.device)
    weights = torch.linalg.solve_ex(x.T @ x + ridge, x.T @ is_real).result  # `solve` would wait for the device
    logits = features(tested_on) @ weights
    return auc(logits[: len(more_real)], logits[len(more_real) :])


def known_critic_auc(batch: ProbeBatch) -> Tensor:
    """Return the AUC of D itself on the same samples."""
    return auc(batch.more_real.logits, batch.more_fake.logits)


def coverage(batch: ProbeBatch) -> Tensor:
    """Return the share of real samples with a generated one in their ball (Naeem et al. 2020, with wide balls).

    With balls as wide as a mode and more generated samples than real ones, it asks whether a region is reached at all,
    not whether it is reached well.
    """
    return (batch.distances.min(dim=1).values <= batch.radius).float().mean()


def precision(batch: ProbeBatch) -> Tensor:
    """Return the share of generated samples inside a real one's ball (Kynkäänniemi et al. 2019, with wide balls)."""
    return (batch.distances <= batch.radius[:, None]).any(dim=0).float().mean()


def empty_bins(batch: ProbeBatch) -> Tensor:
    """Return the share of bins with significantly fewer generated than real samples (Richardson and Weiss 2018).

    Bins are the neighbourhoods of a few real samples; a bin counts if its two proportions differ by more than three
    standard errors and by more than half of the real one.
    """
    centres = batch.real.features[:N_BINS]
    rest, fake = batch.more_real.features, batch.all_fake.features
    shares = []
    for part in (rest, fake):
        nearest = torch.cdist(part, centres).argmin(dim=1)
        shares.append(
            torch.zeros(N_BINS, device=part.device).index_add_(0, nearest, torch.ones_like(nearest) / len(part))
        )
    real, made = shares
    both = (real * len(rest) + made * len(fake)) / (len(rest) + len(fake))
    error = (both * (1 - both) * (1 / len(rest) + 1 / len(fake))).sqrt()
    return ((real - made > 3 * error) & (made < real / 2)).float().mean()


def energy_distance(batch: ProbeBatch) -> Tensor:
    """Return the energy distance to held-out data (Székely and Rizzo 2013), over the mean distance of two real samples."""
    real, fake = batch.real.features, batch.fake.features
    of_real, of_fake = (torch.cdist(part, part).sum() / (len(part) * (len(part) - 1)) for part in (real, fake))
    return (2 * torch.cdist(real, fake).mean() - of_real - of_fake) / of_real


def spread(batch: ProbeBatch) -> Tensor:
    """Return the mean distance between two generated samples over that between two real ones."""
    real, fake = (torch.pdist(part.features[: MAX_PROBE_SAMPLES // 2]).mean() for part in (batch.real, batch.fake))
    return fake / real


def nearest_training(batch: ProbeBatch) -> Tensor:
    """Return how near generated samples are to training data, relative to held-out data: 1 if as new, 0 if copied.

    It is the ratio of median nearest-neighbour distances to a sample of the training data.
    """
    seen = batch.seen.features
    made, new = (torch.cdist(part.features, seen).min(dim=1).values.median() for part in (batch.fake, batch.real))
    return made / new.clamp_min(1e-12)


def memory_gap(batch: ProbeBatch) -> Tensor:
    """Return D's AUC on training data minus that on held-out data, against the same generated samples."""
    fake = batch.more_fake.logits
    return auc(batch.seen.logits, fake) - auc(batch.more_real.logits, fake)


def missing_region(batch: ProbeBatch) -> Tensor:
    """Return the share of the data that generated samples lack in the region that they most clearly miss."""
    return batch.missing_region[1]


def missing_region_deviation(batch: ProbeBatch) -> Tensor:
    """Return how clearly they miss it, in standard errors; chance alone gives up to 3, the worst of many regions."""
    return batch.missing_region[0]


PROBES: dict[str, Callable[[ProbeBatch], Tensor]] = {
    "fresh_critic_auc": fresh_critic_auc,
    "known_critic_auc": known_critic_auc,
    "coverage": coverage,
    "precision": precision,
    "empty_bins": empty_bins,
    "energy_distance": energy_distance,
    "spread": spread,
    "nearest_training": nearest_training,
    "memory_gap": memory_gap,
    "missing_region": missing_region,
    "missing_region_deviation": missing_region_deviation,
}
REGION_PROBES = frozenset({"missing_region", "missing_region_deviation"})
HELD_OUT_PROBES = frozenset({"nearest_training", "memory_gap"})  # that mean nothing where the run trains on all data


def _random_features(dimensions: int, device: torch.device) -> Callable[[Tensor], Tensor]:
    """Features of standardized samples: cosines in random directions, the samples, and their squares.

    It draws from torch's global generator, whose state the view restores.
    """
    each = FEATURES // len(SCALES)
    lengths = torch.cat([torch.full((each,), scale, device=device) for scale in SCALES]) * dimensions**0.5
    directions = torch.randn(dimensions, FEATURES, device=device) / lengths
    phases = 2 * torch.pi * torch.rand(FEATURES, device=device)

    def compute(x: Tensor) -> Tensor:
        waves = torch.cos(x @ directions + phases) * (2 / FEATURES) ** 0.5
        plain = x / dimensions**0.5
        return torch.cat([waves, plain, plain * x / 3, torch.ones(len(x), 1, device=device)], dim=1)

    return compute
