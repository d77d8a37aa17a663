"""What the losses teach, by the gradients that came back to D's logits: on real samples, on generated ones, in G's step."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import torch
from torch import Tensor

from ...contract.records import Player
from .events import DiscriminatorEvent, Record
from .origins import Calls, Kind
from .stand_ins import are_stand_ins

SIGN_SHARE = 0.95  # of the samples of a batch whose gradients have to have one sign
STEP_SHARE = 0.9  # of the updates that have to show the same
SAME_TARGET = 0.02  # between gradients at equal logits, over their size: the same target
PUSHED_HARD = 0.8  # of D's gradient
MIN_ALIKE = 4  # updates of each player whose signs are compared
FEW_MATCHES = 16  # samples with logits between those of the others, from which gradients are compared
NEAR_LOGIT = 2.0  # median absolute logit up to which a target of G's own can be told
CLEAR_MISFIT, SMALL_MISFIT = 0.5, 0.2  # of gradients that have nothing in common, and that are one but for noise
PROPORTIONAL = 0.25  # of their variation that gradients in proportion may differ by
FLAT_SLOPE = 0.01  # of a gradient over logits, below which the loss is linear
SAME_LOGIT = 1e-3  # of spread, below which a line over the logits says nothing
APART = 0.5  # between the targets of the two kinds of sample, at least
STRAIGHT = 0.1  # of a gradient's spread that a line over the logits may leave unexplained
UNSATURATED = 0.9  # absolute logit below which every loss in use has a gradient
LARGE_LOGIT = 20.0  # at which a sigmoid has no gradient left, and differences of targets vanish beside the logits

Found = tuple[str, str, dict[str, str]]


@dataclass
class Taught:
    """Logits and gradients of one update, on one kind of sample; gradients as of a sum over the batch."""

    logits: list[Tensor] = field(default_factory=list)
    gradients: list[Tensor] = field(default_factory=list)

    def add(self, logits: Tensor, gradient: Tensor) -> None:
        """Add what came back to an output of D."""
        self.logits.append(logits.cpu())
        self.gradients.append(gradient.cpu())

    @property
    def pairs(self) -> tuple[Tensor, Tensor]:
        """Logits and gradients, each one vector."""
        if not self.logits:
            return torch.empty(0), torch.empty(0)
        return torch.cat(self.logits), torch.cat(self.gradients)


@dataclass
class DUpdate:
    """What one update of D was taught.

    Attributes:
        real, fake: On samples that are not G's, and on G's.
        others: Calls on samples that are not G's from which a gradient came.
        mixed: Whether there was a call with both, or with a pair.
    """

    real: Taught = field(default_factory=Taught)
    fake: Taught = field(default_factory=Taught)
    others: list[DiscriminatorEvent] = field(default_factory=list)
    mixed: bool = False


@dataclass
class LossFacts:
    """What is known of the losses.

    Attributes:
        d_updates: Of D, in order.
        g_updates: What G was taught on its samples, in each of its updates.
        fake_calls: Calls of D on G's samples outside of G's step, and whether a gradient other than zero came back.
        real_calls: The same on samples that are not G's.
        g_calls: Calls of D in which a gradient could reach G, and whether one other than zero did.
        blind_calls: Calls of D on G's samples, after its own update and before G's, from which nothing can reach G.
        n_d_updates, n_g_updates: Updates of each player.
        undetached: Updates of G before which D's loss has sent a gradient through G; and of them, those in which it
            was still there.
        interleaved: Whether updates cannot be told apart by the order of backward passes and steps.
        complete: Whether each call of D is known to be on G's samples or not.
        as_made: Whether D is given what G returns, so that G's samples are recognized.
        unexplained: Whether a gradient may reach G on a way that was not found.
        made: What samples that G makes are recognized by.
    """

    d_updates: list[DUpdate] = field(default_factory=list)
    g_updates: list[Taught] = field(default_factory=list)
    fake_calls: list[tuple[DiscriminatorEvent, bool]] = field(default_factory=list)
    real_calls: list[tuple[DiscriminatorEvent, bool]] = field(default_factory=list)
    g_calls: list[tuple[DiscriminatorEvent, bool]] = field(default_factory=list)
    blind_calls: int = 0
    n_d_updates: int = 0
    n_g_updates: int = 0
    undetached: tuple[int, int] = (0, 0)
    interleaved: bool = False
    complete: bool = True
    as_made: bool = True
    unexplained: bool = False
    made: list[Tensor] = field(default_factory=list)

    @property
    def g_learns_from_d(self) -> bool:
        """Whether a gradient other than zero reaches G through D."""
        return any(nonzero for _, nonzero in self.g_calls)

    @property
    def d_is_saturated(self) -> bool:
        """Whether D's own gradients may have vanished on all samples."""
        return not _unsaturated([*self.real_calls, *self.fake_calls])

    def loss_slope(self, player: Player) -> float:
        """Return the largest gradient of a player's loss over a logit, of a sample; NaN where logits are saturated."""
        calls = self.g_calls if player == "generator" else [*self.real_calls, *self.fake_calls]
        if not calls or not _unsaturated(calls):
            return math.nan
        gradients = [gradient for call, _ in calls for gradient in call.gradients]
        return max((float(gradient.values.abs().max()) for gradient in gradients if len(gradient.values)), default=0.0)

    @property
    def d_sees_real(self) -> bool:
        """Whether D is called on samples that are not G's."""
        return bool(self.real_calls) or not self.complete

    @classmethod
    def read(cls, record: Record, calls: Calls, about_fake: Sequence[int] | None = None) -> LossFacts:
        """Read them from what was recorded; waits for the device.

        Args:
            record: What was recorded.
            calls: Where the samples of each call of D come from.
            about_fake: Which of D's outputs are about G's samples, where it judges two batches at once, each by itself.
        """
        facts = cls()
        owners, facts.interleaved = _owners(record)
        if about_fake is not None:
            record, calls = _split_pairs(record, calls, about_fake, owners)
        kinds: dict[int, str] = {id(call): kind for call, kind in calls.of_d}
        facts.complete = not any(kind in ("pair", "mixed") for kind in kinds.values())
        facts.as_made = calls.given_as_made and bool(calls.given_to_d)
        facts.unexplained = any(call.from_graph and not call.trains_g for call in record.discriminator_calls)
        facts.made = [row for call in calls.given_to_d for row in call.outputs[0][0]]
        facts._read_calls(record, kinds, owners)
        facts._read_updates(record, kinds, owners)
        facts._read_undetached(record, owners)
        return facts

    def _read_calls(self, record: Record, kinds: dict[int, str], owners: dict[int, Any]) -> None:
        for call in record.discriminator_calls:
            in_d = [g for g in call.gradients if owners.get(g.task) != "generator" or not call.trains_g]
            in_g = [g for g in call.gradients if call.trains_g and owners.get(g.task) != "discriminator"]
            for kind, part in _parts(kinds[id(call)]):
                of_part = (call, any(_is_nonzero(g, part) for g in in_d))
                if kind == "other":
                    self.real_calls.append(of_part)
                elif kind == "fake" and (not call.trains_g or len(in_g) < len(call.gradients)):
                    self.fake_calls.append(of_part)
            if call.trains_g:
                self.g_calls.append((call, any(bool(g.any_nonzero) for g in in_g)))

    def _read_updates(self, record: Record, kinds: dict[int, str], owners: dict[int, Any]) -> None:
        """Sort what came back to D's logits by the update that it led to, as what is gone down."""
        ascending = {update.order for update in record.updates if update.maximizes}
        of_d: dict[int, DUpdate] = {}
        of_g: dict[int, Taught] = {}
        for call in record.discriminator_calls:
            counted = False
            for gradient in call.gradients:
                if not call.is_logit[gradient.output]:
                    continue
                owner = owners.get(gradient.task)
                update = _next_update(record, gradient.order, owner) if record.updates else call.step
                descended = -gradient.values if update in ascending else gradient.values
                for kind, part in _parts(kinds[id(call)]):
                    logits, values = (_cut(x, part) for x in (call.logits[gradient.output], descended))
                    if owner == "generator" and call.trains_g and kind == "fake":
                        of_g.setdefault(update, Taught()).add(logits, values)
                    elif owner == "discriminator":
                        taught = of_d.setdefault(update, DUpdate())
                        if kind == "fake":
                            taught.fake.add(logits, values)
                        elif kind == "other":
                            taught.real.add(logits, values)
                            if not counted and _is_nonzero(gradient, part):
                                taught.others.append(call)
                                counted = True
                        else:
                            taught.mixed = True
        self.d_updates = [of_d[i] for i in sorted(of_d)]
        self.g_updates = [of_g[i] for i in sorted(of_g)]
        steps = [(update.order, update.players) for update in record.updates]
        last_of_d = -1
        for order, players in steps:
            if players == {"discriminator"}:
                last_of_d = order
                self.n_d_updates += 1
            elif players == {"generator"}:
                self.n_g_updates += 1
                blind = [
                    call
                    for call in record.discriminator_calls
                    if 0 <= last_of_d < call.order < order
                    and kinds[id(call)] == "fake"
                    and not (call.trains_g or call.gradients)
                ]
                self.blind_calls += bool(blind)

    def _read_undetached(self, record: Record, owners: dict[int, Any]) -> None:
        sent = kept = 0
        since = -1
        for update in record.updates:
            if update.players != {"generator"}:
                continue
            arrived = [a for a in record.gradients_at_g if since < a.order < update.order]
            since = update.order
            of_d = [a for a in arrived if owners.get(a.task) == "discriminator"]
            of_g = [a for a in arrived if owners.get(a.task) == "generator"]
            if of_d and of_g:
                sent += 1
                kept += bool(of_g[0].accumulated) and of_g[0].order > of_d[-1].order
        self.undetached = sent, kept


def find_loss_faults(facts: LossFacts, min_updates: int, *, higher_is_real: bool = False) -> Iterator[Found]:
    """Yield what is wrong with the losses.

    Args:
        facts: What is known of them.
        min_updates: Updates of a player behind a fault.
        higher_is_real: Whether a higher logit means more real; else either may.
    """
    if facts.complete and len(facts.d_updates) >= min_updates:
        yield from _ignored(facts)
        if not facts.interleaved:
            yield from _wrong_targets(facts, higher_is_real)
    if facts.n_g_updates >= min_updates and facts.complete:
        yield from _no_gradient_to_g(facts, min_updates)
    if facts.complete and facts.n_d_updates >= min_updates and _is_never_backpropagated(facts, min_updates):
        yield "no-gradient", "discriminator", {"updates": str(facts.n_d_updates)}
    sent, kept = facts.undetached
    if not facts.interleaved and sent >= min_updates:
        if kept >= STEP_SHARE * sent:
            yield "not-detached", "generator", {}
        elif sent >= STEP_SHARE * facts.n_g_updates and kept == 0:
            yield "detached-late", "generator", {}


def _is_never_backpropagated(facts: LossFacts, min_updates: int) -> bool:
    """Whether no gradient comes back to any call of D but those of G's own step, from which D is updated then."""
    own = [call for call, _ in (*facts.real_calls, *facts.fake_calls)]
    with_graph = [call for call in own if call.with_graph]
    return len(with_graph) >= min_updates and not any(call.gradients for call in own) and facts.g_learns_from_d


def _ignored(facts: LossFacts) -> Iterator[Found]:
    """D's loss does not depend on generated samples, or not on real ones."""
    fakes, reals = ([nonzero for _, nonzero in calls] for calls in (facts.fake_calls, facts.real_calls))
    # More than one call on samples that are not known to be G's: one of them may be of changed or earlier samples.
    alone = all(len(update.others) <= 1 and not update.mixed for update in facts.d_updates)
    joined = [call for call, _ in facts.fake_calls]  # those that hold both, too
    most = max((call.n for call, _ in facts.g_calls), default=0)
    alone &= all(call.n <= most for call, _ in facts.real_calls if call not in joined)
    if any(reals) and not any(fakes) and facts.as_made and _unsaturated(facts.fake_calls):
        shown = {"shown": "yes" if fakes else ""}
        if alone:
            yield "ignores-fake", "discriminator", shown
        elif _is_shown_real_for_fake(facts, most):
            yield "ignores-fake", "discriminator", shown | {"instead": "real samples"}
    if any(fakes) and not any(reals) and _unsaturated(facts.real_calls):
        yield "ignores-real", "discriminator", {"shown": "yes" if reals else ""}


def _is_shown_real_for_fake(facts: LossFacts, batch: int) -> bool:
    """Whether real samples stand where G's should: in a call of their own, or in the other half of one batch."""
    updates = []
    for update in facts.d_updates:
        parts: list[Tensor] = []
        for call in update.others:
            fitting = [a.rows for a in call.arguments if any(len(a.rows[0]) == len(row) for row in facts.made[:1])]
            if update.mixed or len(fitting) != 1:
                return False
            rows = torch.stack(fitting[0])
            parts += rows.split(1) if call.n == 2 * batch else [rows]
        updates.append(parts)
    return are_stand_ins(updates, facts.made)


def _unsaturated(calls: list[tuple[DiscriminatorEvent, bool]]) -> bool:
    """Whether logits are where a loss that depends on them would have a gradient; also if there are no calls."""
    graded = [call for call, _ in calls if call.gradients]
    for call in graded:
        logits = [x for x, is_logit in zip(call.logits, call.is_logit, strict=True) if is_logit and len(x)]
        if not logits:
            continue
        values = torch.cat(logits)
        ends = (values == 0) | (values == 1)  # probabilities that have reached them
        if not bool((values.abs() < UNSATURATED).any()) or bool(ends.all()):
            return False
    return True


def _wrong_targets(facts: LossFacts, higher_is_real: bool) -> Iterator[Found]:
    """D is taught the same of both kinds of sample, or one for the other; or G is taught what D is of G's samples.

    Gradients are compared at equal logits, over all updates: where the logits are decides nothing then.
    """
    updates = [update for update in facts.d_updates if not update.mixed]
    real, fake = (_pooled([getattr(update, kind) for update in updates]) for kind in ("real", "fake"))
    of_g = _pooled(facts.g_updates)
    if _is_same_target(real, fake):
        towards_real = len(of_g[0]) == 0 or float(of_g[1].mean()) * float(fake[1].mean()) > 0
        yield "same-target", "discriminator", {"target": "real" if towards_real else "generated"}
    elif higher_is_real and _is_rewarded_for_fake(updates, real, fake):
        yield "d-rewarded-for-fake", "discriminator", {}
    elif _is_opposed(real, fake, of_g) or _is_pushed_alike(updates, facts.g_updates):
        yield "g-rewarded-for-fake", "generator", {}


def _pooled(taught: list[Taught]) -> tuple[Tensor, Tensor]:
    """Logits and gradients of several updates, by ascending logits."""
    pairs = [t.pairs for t in taught]
    if not pairs:
        return torch.empty(0), torch.empty(0)
    logits, gradients = (torch.cat(parts) for parts in zip(*pairs, strict=True))
    order = logits.argsort()
    return logits[order], gradients[order]


def _interpolated(pool: tuple[Tensor, Tensor], at: Tensor) -> Tensor:
    """The gradients of a pool at other logits, within its range."""
    logits, gradients = pool
    right = torch.searchsorted(logits, at).clamp(1, len(logits) - 1)
    left = right - 1
    share = ((at - logits[left]) / (logits[right] - logits[left]).clamp_min(1e-12)).clamp(0, 1)
    return gradients[left] + share * (gradients[right] - gradients[left])


def _inside(logits: Tensor, *pools: tuple[Tensor, Tensor]) -> Tensor:
    """Which logits lie within the range of every pool."""
    inside = torch.ones(len(logits), dtype=torch.bool)
    for others, _ in pools:
        inside &= (logits >= others[0]) & (logits <= others[-1]) if len(others) > 1 else inside & False
    return inside


def _is_same_target(real: tuple[Tensor, Tensor], fake: tuple[Tensor, Tensor]) -> bool:
    """Whether gradients at equal logits are the same on both kinds of sample, or even stronger the wrong way."""
    inside = _inside(fake[0], real)
    if int(inside.sum()) < FEW_MATCHES or float(fake[0].abs().median()) > LARGE_LOGIT:
        return False
    at_fake, expected = fake[1][inside], _interpolated(real, fake[0][inside])
    size = float(torch.cat([at_fake, expected]).abs().mean())
    if not size > 0:
        return False
    if float((at_fake - expected).abs().median()) < SAME_TARGET * size and _share(at_fake != 0) > 0.5:
        return True
    pushed_up = min(_share(real[1][real[1] != 0] < 0), _share(fake[1][fake[1] != 0] < 0)) >= SIGN_SHARE
    return pushed_up and float((expected - at_fake).mean()) > -SAME_TARGET * size


def _is_opposed(real: tuple[Tensor, Tensor], fake: tuple[Tensor, Tensor], of_g: tuple[Tensor, Tensor]) -> bool:
    """Whether G's gradient is that of D's loss on G's samples, or the opposite of that on real ones.

    A healthy G's is the opposite, or that on real samples. Least squares may have a target of its own for G, and then
    its gradient is not in proportion to any of D's, unless all logits are nearly the same.
    """
    inside = _inside(of_g[0], real, fake)
    logits, gradients = of_g[0][inside], of_g[1][inside]
    if int(inside.sum()) < FEW_MATCHES or float(logits.abs().median()) > NEAR_LOGIT:
        return False
    at_real, at_fake = (_interpolated(pool, logits) for pool in (real, fake))
    healthy = min(_misfit(gradients, at_real), _misfit(gradients, -at_fake))
    if healthy < CLEAR_MISFIT:
        return False
    return any(
        _misfit(gradients, opposed) < SMALL_MISFIT and _is_in_proportion(gradients, opposed, logits)
        for opposed in (at_fake, -at_real)
    )


def _is_pushed_alike(d_updates: list[DUpdate], g_updates: list[Taught]) -> bool:
    """Whether G pushes its samples where D pushes them, and D pushes real ones the other way, in nearly every update.

    It needs no logits that both kinds of samples have, which a D that learns fast soon parts. That signs are such may be
    chance under least squares with a target of G's own: its gradient has to be in proportion to D's as well.
    """
    signs = [(_sign(update.real), _sign(update.fake)) for update in d_updates]
    signs = [pair for pair in signs if pair != (None, None)]
    of_g = [sign for taught in g_updates if (sign := _sign(taught)) is not None]
    if min(len(signs), len(of_g)) < MIN_ALIKE or sum(None not in pair for pair in signs) < MIN_ALIKE // 2:
        return False
    towards = 1 if sum(of_g) > 0 else -1
    alike = [real in (None, -towards) and fake in (None, towards) for real, fake in signs]
    if min(_share_of(alike, True), _share_of(of_g, towards)) < STEP_SHARE:
        return False
    logits, gradients = _pooled(g_updates)
    for kind, factor in (("fake", 1), ("real", -1)):
        pool = _pooled([getattr(update, kind) for update in d_updates])
        taught = pool[1] != 0  # not where D has learned enough, as under the hinge loss
        pool = pool[0][taught], pool[1][taught]
        inside = _inside(logits, pool) & (logits.abs() <= NEAR_LOGIT)
        if int(inside.sum()) >= FEW_MATCHES:
            at, opposed = logits[inside], factor * _interpolated(pool, logits[inside])
            if _misfit(gradients[inside], opposed) < SMALL_MISFIT and _is_in_proportion(gradients[inside], opposed, at):
                return True
    return False


def _is_rewarded_for_fake(updates: list[DUpdate], real: tuple[Tensor, Tensor], fake: tuple[Tensor, Tensor]) -> bool:
    """Whether D lowers the logits of real samples and raises those of generated ones.

    Where its gradients are straight lines over the logits, as under least squares, they cross zero at the targets, and a
    healthy D's target of real samples is the higher one, wherever its logits are. Else the signs of its gradients show it,
    in nearly every update.
    """
    if len(updates) < MIN_ALIKE or min(len(pool[0]) for pool in (real, fake)) < FEW_MATCHES:
        return False
    of_real, of_fake = _target(real), _target(fake)
    if of_real is not None and of_fake is not None:
        return of_real < of_fake - APART
    signs = [(_sign(update.real), _sign(update.fake)) for update in updates]
    signs = [pair for pair in signs if pair != (None, None)]
    if (
        sum(None not in pair for pair in signs) < MIN_ALIKE
        or min(float(pool[0].std()) for pool in (real, fake)) < SAME_LOGIT
    ):
        return False
    exchanged = [on_real in (None, 1) and on_fake in (None, -1) for on_real, on_fake in signs]
    return _share_of(exchanged, True) >= STEP_SHARE


def _target(pool: tuple[Tensor, Tensor]) -> float | None:
    """The logit at which a gradient that is a straight line over the logits is zero; None if it is none, or level."""
    logits, gradients = (values[pool[1] != 0].double() for values in pool)
    if len(logits) < FEW_MATCHES:
        return None
    away = logits - logits.mean()
    slope = float((away * gradients).sum() / away.square().sum().clamp_min(1e-30))
    rest = gradients - gradients.mean() - slope * away
    if slope <= FLAT_SLOPE or float(rest.std()) > STRAIGHT * float(gradients.std()):
        return None
    return float(logits.mean() - gradients.mean() / slope)


def _sign(taught: Taught) -> int | None:
    """The sign of nearly all gradients of an update that are not zero; 0 where they differ, None if all are zero."""
    _, gradients = taught.pairs
    gradients = gradients[gradients != 0]
    if not len(gradients):
        return None
    positive = _share(gradients > 0)
    return 1 if positive >= SIGN_SHARE else -1 if positive <= 1 - SIGN_SHARE else 0


def _share_of(values: Sequence[Any], value: Any) -> float:
    return sum(other == value for other in values) / len(values)


def _misfit(gradients: Tensor, others: Tensor) -> float:
    """The share of gradients that a positive multiple of others does not explain: 0 for proportional ones, at most 1."""
    weight = float((gradients * others).sum() / others.square().sum().clamp_min(1e-30))
    if not weight > 0:
        return 1.0
    return float((gradients - weight * others).norm() / gradients.norm().clamp_min(1e-30))


def _is_in_proportion(gradients: Tensor, others: Tensor, logits: Tensor) -> bool:
    """Whether two gradients vary with the logits alike, or neither varies, or both are as large where it cannot be told."""
    varied = max(_variation(gradients), _variation(others))
    if _misfit(gradients, others) <= PROPORTIONAL * varied:
        return True
    spread = max(float(logits.std()), 1e-12)
    if max(float(gradients.std()), float(others.std())) <= FLAT_SLOPE * spread:
        return True
    return varied < PROPORTIONAL and float(gradients.abs().mean()) >= PUSHED_HARD * float(others.abs().mean())


def _variation(values: Tensor) -> float:
    return float(values.std() / values.abs().mean().clamp_min(1e-30))


def _share(flags: Tensor) -> float:
    return float(flags.float().mean()) if len(flags) else 0.0


def _no_gradient_to_g(facts: LossFacts, min_updates: int) -> Iterator[Found]:
    """G learns, and nothing of D's verdict reaches it."""
    if facts.g_learns_from_d or facts.unexplained:
        return
    if facts.g_calls:
        if _unsaturated(facts.g_calls) and len(facts.g_calls) >= min_updates:
            yield "zero-weight", "generator", {}
    elif facts.blind_calls >= max(min_updates, STEP_SHARE * (facts.n_g_updates - 1)):
        yield "blind-term", "generator", {}
    elif facts.real_calls:
        yield "no-adversarial-term", "generator", {}


# --- two batches at once ------------------------------------------------------------------------------


def _split_pairs(
    record: Record, calls: Calls, about_fake: Sequence[int], owners: dict[int, Any]
) -> tuple[Record, Calls]:
    """Make two calls of each that was given a pair: one on G's samples, one on the others."""
    of_d: list[tuple[DiscriminatorEvent, Kind]] = []
    for call, kind in calls.of_d:
        if kind != "pair":
            of_d.append((call, kind))
            continue
        of_d.append((_about(call, [i in about_fake for i in range(len(call.logits))]), "fake"))
        real = _about(call, [i not in about_fake for i in range(len(call.logits))])
        # In G's step, D's features of the real batch are what G's are compared with.
        own = [gradient for gradient in real.gradients if owners.get(gradient.task) != "generator"]
        if own or not call.trains_g:
            of_d.append((replace(real, gradients=own, trains_g=False, from_graph=False), "other"))
    split = replace(record, discriminator_calls=[call for call, _ in of_d])
    return split, replace(calls, of_d=of_d)


def _about(call: DiscriminatorEvent, kept: Sequence[bool]) -> DiscriminatorEvent:
    """Return a call with what some of D's outputs say."""
    return replace(
        call,
        logits=[logits if keep else logits[:0] for logits, keep in zip(call.logits, kept, strict=True)],
        is_logit=[is_logit and keep for is_logit, keep in zip(call.is_logit, kept, strict=True)],
        gradients=[gradient for gradient in call.gradients if kept[gradient.output]],
    )


# --- batches of both ----------------------------------------------------------------------------------


def _parts(kind: str) -> list[tuple[str, int]]:
    """Return the kinds of samples in a call, each with its half: 0 for all of it, 1 for the first, 2 for the second."""
    if kind in ("other-fake", "fake-other"):
        first, second = kind.split("-")
        return [(first, 1), (second, 2)]
    return [(kind, 0)]


def _cut(values: Tensor, part: int) -> Tensor:
    """Return the values of a half, without those next to the middle, whose half is not known."""
    n = len(values)
    return values if part == 0 else values[: n * 15 // 32] if part == 1 else values[n - n * 15 // 32 :]


def _is_nonzero(gradient: Any, part: int) -> bool:
    return bool(gradient.any_nonzero) if part == 0 else bool((_cut(gradient.values, part) != 0).any())


# --- whose backward pass it was ----------------------------------------------------------------------


def _owners(record: Record) -> tuple[dict[int, Any], bool]:
    """Return the player that each backward pass was for: the one whose optimizer stepped next.

    Without any step of an optimizer, those that could reach G were for G. The flag says that a player's optimizer
    stepped without a backward pass of its own, so that the order says nothing.
    """
    passes: dict[int, int] = {}
    arrivals = [(g.task, g.order) for call in record.discriminator_calls for g in call.gradients]
    for task, order in (*arrivals, *((g.task, g.order) for g in record.gradients_at_g)):
        passes[task] = min(order, passes.get(task, order))
    to_g = {g.task for call in record.discriminator_calls if call.trains_g for g in call.gradients}
    by_direction = {task: "generator" if task in to_g else "discriminator" for task in passes}
    if not record.updates:
        return by_direction, False
    owners: dict[int, Any] = {}
    waiting = sorted(passes, key=lambda task: passes[task])
    interleaved, before = False, None
    for update in record.updates:
        mine = [task for task in waiting if passes[task] < update.order]
        waiting = waiting[len(mine) :]
        player = next(iter(update.players)) if len(update.players) == 1 else "both"
        owners |= dict.fromkeys(mine, player)
        interleaved |= not mine and before is not None and player != before
        before = player
    # An update rule that differentiates both players first: what reaches G leads to steps of D alone.
    reaching = {owners[task] for task in to_g if task in owners}
    interleaved |= reaching == {"discriminator"} and "generator" in owners.values()
    return (by_direction, True) if interleaved else (owners, False)


def _next_update(record: Record, order: int, player: Any) -> int:
    """Return which update of a player followed."""
    return next((u.order for u in record.updates if u.order > order and player in u.players), order)
