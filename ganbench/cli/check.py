"""`ganbench check`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..testing.run_checks import CheckOutcome

MARKS = {"passed": "✓", "failed": "✗", "expected": "~", "skipped": "-", "blocked": "·"}


@click.command("check")
@click.argument("wanted", metavar="[NAME|PATH]...", nargs=-1)
@click.option("--verbose", "-v", is_flag=True, help="Every check, not only those that failed.")
@click.option("--json", "as_json", is_flag=True, help="A list of outcomes, for scripts.")
def command(wanted: tuple[str, ...], verbose: bool, as_json: bool) -> int:
    """Check that components keep their contract.

    NAME is a component ("hinge", "loss/hinge") or a distribution, PATH a plugin file. Without any: every component
    that did not come with ganbench. "ganbench check ganbench" checks those that did. Checking runs their code.

    Root causes come first: a check that needs one that has failed is not run.
    """
    from ..testing.candidate import select_candidates
    from ..testing.run_checks import run_checks

    candidates = select_candidates(wanted)
    outcomes = []
    for candidate in candidates:
        mine = list(run_checks(candidate))
        outcomes += mine
        if not as_json:
            _show(candidate.id, str(candidate.entry.origin), mine, verbose)
    if as_json:
        import msgspec

        click.echo(msgspec.json.format(msgspec.json.encode(outcomes), indent=2))
    elif not candidates:
        click.echo("no plugin is installed; built-ins are checked by: ganbench check ganbench")
    else:
        click.echo(f"{len(candidates)} components, {_counts(outcomes)}")
    return 1 if any(outcome.status == "failed" for outcome in outcomes) else 0


def _show(component: str, origin: str, outcomes: list[CheckOutcome], verbose: bool) -> None:
    failed = any(outcome.status == "failed" for outcome in outcomes)
    click.secho(f"{component}  [{origin}]  {_counts(outcomes)}", fg="red" if failed else "green")
    for outcome in outcomes:
        if verbose or outcome.status in ("failed", "expected"):
            message = f": {outcome.message}" if outcome.message else ""
            click.echo(f"  {MARKS[outcome.status]} {outcome.check}{message}".replace("\n", "\n  "))
    if not verbose:
        blocked = Counter(outcome.message for outcome in outcomes if outcome.status == "blocked")
        for reason, count in blocked.items():
            click.echo(f"  {MARKS['blocked']} {count} more {'check' if count == 1 else 'checks'} {reason}")


def _counts(outcomes: Iterable[CheckOutcome]) -> str:
    counts = Counter(outcome.status for outcome in outcomes)
    words: dict[Any, str] = {
        "passed": "passed",
        "failed": "failed",
        "expected": "failed as declared",
        "skipped": "not applicable",
        "blocked": "not run",
    }
    return ", ".join(f"{counts[status]} {words[status]}" for status in words if counts[status])
