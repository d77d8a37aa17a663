"""Train the classifiers by which the failure zoo knows what became of a run on pictures, and write their weights.

    python scripts/train_picture_classifiers.py [NAME]...

MNIST and CIFAR-10 are read from the folder in GANBENCH_DATA. Beside its ten classes each knows one more: pictures that
show none, made by corrupting real ones as generators do. The shipped weights came from this command.
"""

from __future__ import annotations

import math
import sys
import time

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional

from ganbench.contract.records import ComponentRef
from ganbench.registry.registry import load_registry
from ganbench.zoo.ground_truth.pictures import CLASSES, KNOWN, WEIGHTS, PictureClassifier

SEED = 0
BATCH_SIZE = 100
STEPS = {"shapes": 1000, "mnist": 2500, "cifar-10": 2500}
CORRUPTED_SHARE = 0.4  # of a batch, beside the real ones
NOISE = 0.1  # at most, in every picture
ROUGHNESS = {"shapes": 0.3}  # of patches in what counts as real: generated shapes have some, and are shapes


def train(
    x: Tensor, labels: Tensor, shape: tuple[int, int, int], steps: int, roughness: float, flips: bool
) -> PictureClassifier:
    """Return a classifier trained on pictures (N, *shape) in [-1, 1]; the same on one thread at every call."""
    stream = torch.Generator().manual_seed(SEED)
    with torch.device("meta"):  # torch's own initial weights would come from the global random state
        classifier = PictureClassifier(shape)
    classifier.to_empty(device="cpu")
    for layer in classifier.modules():
        if isinstance(layer, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(layer.weight, nonlinearity="relu", generator=stream)
            nn.init.zeros_(layer.bias)
    optimizer = torch.optim.AdamW(classifier.parameters(), weight_decay=1e-2)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=3e-3, total_steps=steps)
    for _ in range(steps):
        rows = torch.randint(len(x), (BATCH_SIZE,), generator=stream)
        real = _shift(x[rows], stream)
        if flips:
            real = torch.where(torch.rand(len(real), 1, 1, 1, generator=stream) < 0.5, real.flip(3), real)
        others = x[torch.randint(len(x), (round(CORRUPTED_SHARE * BATCH_SIZE),), generator=stream)]
        bad = corrupt(others, stream)
        target = torch.cat([labels[rows], torch.full((len(bad),), CLASSES)])
        noise = NOISE * torch.rand(len(target), 1, 1, 1, generator=stream)
        shown = torch.cat([_roughen(real, roughness, stream) if roughness else real, bad])
        shown = (shown + noise * torch.randn(shown.shape, generator=stream)).clamp(-1, 1)
        loss = functional.cross_entropy(classifier(shown), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return classifier.eval().requires_grad_(False)


def _roughen(x: Tensor, roughness: float, stream: torch.Generator) -> Tensor:
    """Add fine noise and noise in patches, each of up to so much."""
    fine, coarse = (roughness * torch.rand(len(x), 1, 1, 1, generator=stream) for _ in range(2))
    patches = torch.randn(len(x), x.shape[1], 9, 9, generator=stream)
    patches = functional.interpolate(patches, size=x.shape[2:], mode="bilinear")
    return (x + fine * torch.randn(x.shape, generator=stream) + coarse * patches).clamp(-1, 1)


def _shift(x: Tensor, stream: torch.Generator) -> Tensor:
    """Shift a batch by up to two pixels."""
    right, down = (int(v) for v in torch.randint(-2, 3, (2,), generator=stream))
    padded = functional.pad(x, (2, 2, 2, 2), mode="replicate")
    return padded[:, :, 2 + down : 2 + down + x.shape[2], 2 + right : 2 + right + x.shape[3]]


def corrupt(x: Tensor, stream: torch.Generator) -> Tensor:
    """Spoil pictures, a fifth each: two at once, blurred to blobs, noise, tiles in another order, smooth noise."""
    n, channels, side, _ = x.shape
    kind = torch.randint(5, (n,), generator=stream)
    twice = (x + x.roll(1, 0)) / 2
    blurred = functional.interpolate(functional.adaptive_avg_pool2d(x, 4), size=(side, side), mode="bilinear")
    noisy = x + torch.randn(x.shape, generator=stream)
    tile = side // 4
    tiles = x.reshape(n, channels, 4, tile, 4, tile).permute(0, 1, 2, 4, 3, 5)  # (n, channels, 4, 4, tile, tile)
    order = torch.randperm(16, generator=stream)
    mixed = (
        tiles.flatten(2, 3)[:, :, order].unflatten(2, (4, 4)).permute(0, 1, 2, 4, 3, 5).reshape(n, channels, side, side)
    )
    smooth = functional.interpolate(
        torch.randn(n, channels, 7, 7, generator=stream), size=(side, side), mode="bilinear"
    )
    level = x.mean(dim=(1, 2, 3), keepdim=True)
    options = torch.stack([twice, blurred, noisy, mixed, level + smooth])
    return options[kind, torch.arange(n)].clamp(-1, 1)


def main() -> None:
    """Train those named on the command line, or all; write the weights and print how good each is."""
    torch.set_num_threads(1)
    registry = load_registry()
    for shape, known in KNOWN.items():
        if sys.argv[1:] and known.name not in sys.argv[1:]:
            continue
        data = registry.build("dataset", ComponentRef(known.name, {}))
        (x, labels), (held_x, held_labels) = ((_floats(b.x), b.labels) for b in (data.training(), data.held_out()))
        began = time.perf_counter()
        classifier = train(
            x, labels, shape, STEPS[known.name], ROUGHNESS.get(known.name, 0.0), flips=known.name == "cifar-10"
        )
        weights = {key: tensor.half() for key, tensor in classifier.state_dict().items()}
        WEIGHTS.mkdir(exist_ok=True)
        save_file(weights, WEIGHTS / f"{known.name}.safetensors")
        stream = torch.Generator().manual_seed(1)
        logits, spoilt = classifier(held_x[:2000]), classifier(corrupt(held_x[:2000], stream))
        right = (logits[:, :CLASSES].argmax(1) == held_labels[:2000]).double().mean()
        sys.stdout.write(
            f"{known.name}: accuracy {right:.3f}; credible {float((logits.argmax(1) < CLASSES).double().mean()):.3f} of "
            f"real and {float((spoilt.argmax(1) < CLASSES).double().mean()):.3f} of corrupted pictures; "
            f"{math.ceil(time.perf_counter() - began)} s\n"
        )


def _floats(x: Tensor) -> Tensor:
    return x.float() / 127.5 - 1 if x.dtype == torch.uint8 else x


if __name__ == "__main__":
    main()
