"""`ganbench evaluate`."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from ..contract.errors import RequestError
from ..registry.plugins import redirect_prints

if TYPE_CHECKING:
    from ..contract.records import Score


@click.command("evaluate")
@click.argument("samples", metavar="SAMPLES")
@click.argument("reference", metavar="REFERENCE")
@click.option("--metric", "metrics", multiple=True, metavar="NAME", help="A metric, as in a suite; repeatable.")
@click.option("--features", metavar="NAME", help="Features of metrics that name none, as lite0-64. [lite0]")
@click.option("--floor", metavar="SAMPLES", help="Real samples apart from the reference, scored as the floor.")
@click.option("--json", "as_json", is_flag=True, help="A list of scores, keys as in scores.csv.")
def command(
    samples: str, reference: str, metrics: tuple[str, ...], features: str | None, floor: str | None, as_json: bool
) -> int:
    """Score samples that were not made here, with the numbers and columns of a run.

    SAMPLES and REFERENCE are a folder of pictures, an .npz of pictures or points, or a data set by name (its held-out
    part; NAME:training for the other). REFERENCE may be an .npz with mu and sigma of features.

    Exit code 2: something that is given is wrong, or no metric can serve.
    """
    from ..evaluation.evaluate import evaluate

    with redirect_prints():
        scores = evaluate(samples, reference, metrics or None, features, floor)
    for note in scores.notes:
        click.echo(f"ganbench: {note}", err=True)
    for name, why in scores.left_out.items():
        click.echo(f"ganbench: {name} is left out: {why}", err=True)
    if not scores:
        raise RequestError("no metric can score these samples; ganbench list metrics shows what there is")
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(list(scores)), indent=2).decode())
        return 0
    for line in _table(scores):
        click.echo(line)
    return 0


def _table(scores: Sequence[Score]) -> Iterator[str]:
    """Lines of at most 80 columns: two for each score where its features do not fit beside it."""
    n_fake, n_real = max(score.n_fake for score in scores), max(score.n_real for score in scores)
    yield f"{n_fake:,} samples against {_count(n_real)}"
    width = max(len(score.metric) for score in scores)
    for score in scores:
        better = "↑" if score.better == "higher" else "↓"
        floor = "" if math.isnan(score.floor) else f"  floor {score.floor:.4g}"
        yield f"{score.metric:<{width}} {better} {score.value:>10.4g}  {_error(score)}{floor}"
    if features := dict.fromkeys(score.features for score in scores if score.features):
        yield f"features: {', '.join(features)}"


def _count(n_real: int) -> str:
    return f"{n_real:,} real ones" if n_real else "statistics of real ones"


def _error(score: Score) -> str:
    if math.isfinite(score.low):
        return f"[{score.low:.4g}, {score.high:.4g}]"
    return "biased in N" if score.biased else ""
