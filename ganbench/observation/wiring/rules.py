"""What is wrong with a program, from what a watch has recorded; every rule needs evidence from several steps.

A rule that cannot be certain finds nothing: a healthy loop that is accused costs more than a faulty one that is not.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ...contract.records import Player, WiringFault
from .events import Record
from .losses import LossFacts, find_loss_faults
from .origins import trace_calls
from .weights import hidden_weights

if TYPE_CHECKING:
    from .watch import WiringWatch

MIN_UPDATES = 4  # of a player, or steps, behind a fault
QUESTION_STEPS = 10  # before which it is not asked whether something late is meant to be
LATE_START_SHARE = 0.25  # of the budget, by which an average has been updated
DECAYED_SHARE = 0.9  # of the budget, before which no learning rate has decayed to nothing on purpose
RESOLUTIONS = 10.0  # of weights, that a gradient times the learning rate is above where it has to change some
TINY_SLOPE = 1e-6  # of a loss over logits near 0, where every loss in use has one of about 1
TINY_LR = 1e-10  # that no float32 weight of usual size is changed by
UNREACHABLE = 0.25  # of the width of G's range: real values beyond it cannot be made
UNREACHABLE_SHARE = 0.01  # of the real values
RANGES = {"tanh": (-1.0, 1.0), "sigmoid": (0.0, 1.0)}
MIN_IMAGE_VALUES = 16  # of a sample, from which a range of [0, 1] is one of pixels
CLIPPED_NORM, CLIPPED_SPREAD = 1e-2, 1e-2  # of gradients, and its relative spread, that clipping leaves
MIN_SCALE = 256.0  # of a loss, from which a small norm cannot be anything else
# What needs all the steps that are watched: what may come late, and questions, which are not worth a doubt.
LATE = {
    *(
        "frozen",
        "zero-learning-rate",
        "never-updated",
        "late-start",
        "in-no-optimizer",
        "average-unchanged",
        "one-sample",
    ),
    *("frozen-part", "zero-weight", "zero-loss", "no-adversarial-term", "detached-late", "half-of-range"),
    *("neither-updated", "one-sample-for-all", "probabilities", "unused-part"),
}
ANSWERED_LATER = {"late-start", "zero-loss"}  # questions that the rest of a run answers
LATE_TERM = {"late-start", "zero-weight", "no-adversarial-term"}  # what a late start that is on purpose looks like
FOLLOW_FROM = {  # what is not worth a word beside its cause
    "no-adversarial-term": [("no-gradient", "generator"), ("never-updated", "generator")],
    "zero-weight": [("late-start", "discriminator"), ("zero-loss", "discriminator"), ("zero-loss", "generator")],
    "blocked-gradient": [("ignores-samples", "discriminator"), ("one-sample-for-all", "generator")],
    "blocked-by-d": [("ignores-samples", "discriminator"), ("blocked-gradient", "discriminator")],
    "in-no-optimizer": [("below-resolution", "generator"), ("below-resolution", "discriminator")],
}
OTHER: dict[Player, Player] = {"generator": "discriminator", "discriminator": "generator"}
PLAYERS: tuple[Player, ...] = ("discriminator", "generator")


def find_faults(watch: WiringWatch, last: int) -> list[WiringFault]:
    """Return what is wrong, by what was seen so far; waits for the device.

    Args:
        watch: The watch, after a step.
        last: The last step that is watched, from which questions are asked that are too early before.
    """
    record, step = watch.record, watch.record.steps
    if not record.generator_calls or not record.discriminator_calls:  # whatever is trained, it is something else
        return _nothing_done(watch) if step == last and step >= QUESTION_STEPS else []
    calls = trace_calls(record)
    facts = LossFacts.read(record, calls, watch.about_fake)
    changed = {name: sample.has_changed() for name, sample in watch.samples.items() if not sample.empty}
    asks = step == last and step >= QUESTION_STEPS
    found = [
        *_nonfinite_data(calls),
        *find_loss_faults(facts, MIN_UPDATES, higher_is_real=watch.contract),
        *_unchanged(watch, facts, changed),
        *_frozen_parts(watch, changed),
        *_misplaced(watch),
        *_modes(watch, calls),
        *_ranges(calls),
        *_latents(calls),
        *_one_for_all(watch, calls, changed),
        *_probabilities(watch, calls),
        *_average(watch, changed),
        *_scaling(watch),
    ]
    names = {(fault, player) for fault, player, _ in found}
    return [
        WiringFault(fault, player, step, seen)
        for fault, player, seen in found
        if (asks or fault not in LATE)
        and fault not in watch.expected
        and not any(better in names for better in FOLLOW_FROM.get(fault, ()))
    ]


def _nothing_done(watch: WiringWatch) -> list[WiringFault]:
    """What is wrong with steps in which a network is not even called, where the contract says that both are trained."""
    record = watch.record
    changed = any(not sample.empty and sample.has_changed() for sample in watch.samples.values())
    if not watch.contract or record.updates or changed:
        return []
    return [WiringFault("neither-updated", "", record.steps, {"steps": str(record.steps)})]


def find_data_faults(record: Record) -> list[WiringFault]:
    """Return what is wrong with the data, which one step can show."""
    return [
        WiringFault(fault, player, record.steps, seen) for fault, player, seen in _nonfinite_data(trace_calls(record))
    ]


def find_late_faults(watch: WiringWatch, step: int, budget: int) -> list[WiringFault]:
    """Return what is wrong later in a run: what has still not begun, or has come to an end.

    Args:
        watch: The watch, when it is over.
        step: Steps done.
        budget: Steps planned.
    """
    faults = []
    late = step >= LATE_START_SHARE * budget and step > QUESTION_STEPS
    samples = watch.samples
    if late and "average" in samples and samples["generator"].has_changed() and not samples["average"].has_changed():
        faults.append(WiringFault("average-never-updated", "generator", step))
    if step < DECAYED_SHARE * budget:  # a schedule may end at zero
        for player, lr in watch.learning_rates().items():
            if 0 < lr < TINY_LR:
                faults.append(WiringFault("below-resolution", player, step, {"lr": f"{lr:.3g}"}))
    if late and watch.asks_who_is_trained:
        rates = watch.learning_rates()
        untrained = [p for p in PLAYERS if rates.get(p, 0.0) > 0 and p in samples and not samples[p].has_changed()]
        if step >= budget or len(untrained) == 2:  # one of them alone may still begin
            sizes = {fault.player: fault.facts for fault in watch.faults if fault.fault == "zero-loss"}
            faults += [WiringFault("never-trained", player, step, sizes.get(player, {})) for player in untrained]
    return faults


Found = tuple[str, str, dict[str, str]]


# --- data --------------------------------------------------------------------------------------------


def _nonfinite_data(calls: Any) -> Iterator[Found]:
    """D is given real samples that are not finite, while G's are."""
    for call, kind in calls.of_d:
        if kind != "other" or all(bool(argument.finite) for argument in call.arguments):
            continue
        before = [g for g in calls.of_g if g.order < call.order]
        if all(bool(g.finite) for g in before):
            yield "nonfinite-data", "", {"where": f"what the discriminator is given in step {call.step}"}
            return


# --- who learns --------------------------------------------------------------------------------------


def _unchanged(watch: WiringWatch, facts: LossFacts, changed: dict[str, bool]) -> Iterator[Found]:
    """A player stays the same, bit for bit, while the other one learns, or though its optimizer steps."""
    if watch.record.steps <= MIN_UPDATES:
        return
    for player in PLAYERS:
        updates = [update for update in watch.record.updates if player in update.players and update.step > 1]
        rates = [update.lr for update in updates]
        warming_up = bool(rates) and rates[-1] > rates[0]
        if len(rates) >= MIN_UPDATES and 0 < max(rates) < TINY_LR and not warming_up:
            yield "below-resolution", player, {"lr": f"{rates[-1]:.3g}"}
        elif not changed.get(player, True):
            yield from _why_unchanged(watch, facts, player, updates, changed.get(OTHER[player], False))


def _why_unchanged(
    watch: WiringWatch, facts: LossFacts, player: Player, updates: list[Any], other_learns: bool
) -> Iterator[Found]:
    network = watch.discriminator if player == "discriminator" else watch.generator
    if not any(weight.requires_grad for weight in network.parameters()):
        if other_learns:
            yield "frozen", player, {}
    elif len(updates) >= MIN_UPDATES:
        norms = [float(update.gradient_norm[player]) for update in updates if player in update.gradient_norm]
        largest = max(update.lr for update in updates)
        if largest == 0:
            yield "zero-learning-rate", player, {}
        elif not norms:
            yield "no-gradient", player, {"updates": str(len(updates))}
        elif max(norms) > 0 and _is_below_resolution(watch, player, largest):
            yield "below-resolution", player, {"lr": f"{largest:.3g}"}
        elif not any(bool(update.any_nonzero.get(player, False)) for update in updates):
            yield from _why_zero(watch, facts, player)
        elif 0 < facts.loss_slope(player) < TINY_SLOPE:
            yield "zero-loss", player, {"size": f"at most {facts.loss_slope(player):.1g}"}
        elif updates[-1].lr <= updates[0].lr and _should_change(network, largest * max(norms)):
            yield from _without_effect(watch, player)
    elif not updates and not other_learns:
        if watch.contract and not watch.record.updates and player == "discriminator":
            yield "neither-updated", "", {"steps": str(watch.record.steps)}
    elif not updates:
        strangers = [optimizer for optimizer in watch.live_optimizers() if not _holds_any(watch, optimizer)]
        trained = facts.g_learns_from_d and (player == "generator" or facts.d_sees_real)
        yield (
            "never-updated" if trained else "late-start",
            player,
            {"strangers": str(len(strangers))} if strangers else {},
        )


def _why_zero(watch: WiringWatch, facts: LossFacts, player: Player) -> Iterator[Found]:
    """Where the gradient becomes exactly 0 on its way from a player's loss to its weights."""
    slope = facts.loss_slope(player)
    if slope < TINY_SLOPE:  # or NaN: the logits are where any loss may have none, or are not known
        if slope >= 0:
            yield "zero-loss", player, {"size": "exactly 0" if slope == 0 else f"at most {slope:.1g}"}
        return
    if player == "discriminator":
        yield "blocked-gradient", player, {}
        return
    passed_on = [flag for call, _ in facts.g_calls for flag in call.passed_on]
    arrived = [flag for call in watch.record.generator_calls for flag in call.gradients]
    if len(passed_on) < MIN_UPDATES or len(arrived) < MIN_UPDATES:
        return
    if not any(map(bool, passed_on)):
        yield "blocked-by-d", player, {}
    elif not any(map(bool, arrived)):
        yield "blocked-on-the-way", player, {}
    else:
        yield "blocked-gradient", player, {}


def _should_change(network: nn.Module, step_norm: float) -> bool:
    """Whether steps of such a norm are far above the resolution of a network's weights."""
    weights = [weight.detach() for weight in network.parameters() if weight.requires_grad]
    size = float(torch.stack([norm.float() for norm in torch._foreach_norm(weights)]).norm())
    finest = max(torch.finfo(weight.dtype).eps for weight in weights)
    return step_norm > RESOLUTIONS * finest * size


def _without_effect(watch: WiringWatch, player: Player) -> Iterator[Found]:
    """An optimizer steps on a gradient and its weights stay as they are: by its step, or since something puts them back."""
    watch.suspect(player)
    effects = watch.effects[player]
    if len(effects) >= MIN_UPDATES and not any(effects):
        yield "step-without-effect", player, {}
    elif len(effects) >= MIN_UPDATES and all(effects):
        yield "weights-put-back", player, {}


def _is_below_resolution(watch: WiringWatch, player: Player, lr: float) -> bool:
    """Whether steps as long as the learning rate are lost in the rounding of a low-precision weight."""
    network = watch.discriminator if player == "discriminator" else watch.generator
    weights = [weight.detach() for weight in network.parameters() if weight.requires_grad]
    precise = [weight for weight in weights if weight.dtype in (torch.float32, torch.float64)]
    if precise or not weights:
        return False
    return all(lr < torch.finfo(w.dtype).eps / 4 * float(w.abs().mean()) for w in weights if float(w.abs().max()) > 0)


def _holds_any(watch: WiringWatch, optimizer: Any) -> bool:
    held = {id(weight) for group in optimizer.param_groups for weight in group["params"]}
    networks = (watch.generator, watch.discriminator)
    return any(id(weight) in held for network in networks for weight in network.parameters())


def _frozen_parts(watch: WiringWatch, changed: dict[str, bool]) -> Iterator[Found]:
    """Some weights of a player that learns require no gradient, or never get one."""
    for player in PLAYERS:
        network = watch.discriminator if player == "discriminator" else watch.generator
        kept = {id(weight) for part in network.modules() if _is_kept(part) for weight in part.parameters()}
        frozen = [name for name, w in network.named_parameters() if not w.requires_grad and id(w) not in kept]
        if frozen and changed.get(player):
            yield "frozen-part", player, {"weights": _shown(frozen)}
        trained = [(name, id(w)) for name, w in network.named_parameters() if w.requires_grad]
        unused = [name for name, weight in trained if weight not in watch.graded]
        if watch.contract and 0 < len(unused) < len(trained) and changed.get(player):
            yield "unused-part", player, {"weights": _shown(unused)}


def _is_kept(part: nn.Module) -> bool:
    """Whether a part of a network is kept as it is on purpose, as features that were learned elsewhere: frozen as a whole."""
    weights = list(part.parameters())
    return not part.training and bool(weights) and not any(weight.requires_grad for weight in weights)


def _misplaced(watch: WiringWatch) -> Iterator[Found]:
    """Weights that receive a gradient and are in no optimizer, or in the other player's."""
    if watch.record.steps <= MIN_UPDATES:
        return
    held = [{id(w) for group in o.param_groups for w in group["params"]} for o in watch.live_optimizers()]
    names: dict[Player, dict[int, str]] = {
        "discriminator": _own_weights(watch.discriminator, watch.generator),
        "generator": _own_weights(watch.generator, watch.discriminator),
    }
    own = {
        player: [h for h in held if h & set(names[player]) and not h & set(names[OTHER[player]])] for player in PLAYERS
    }
    for player in PLAYERS:
        mixed = [h for h in held if h & set(names[player]) and h & set(names[OTHER[player]])]
        # An optimizer of both beside one of each is a third loss's; one for both and no other is a game in one loss.
        if mixed and own[OTHER[player]] and not own[player]:
            taken = [name for i, name in names[OTHER[player]].items() if any(i in h for h in mixed)]
            yield "in-other-optimizer", OTHER[player], {"weights": _shown(taken)}
        if any(h & set(names[player]) for h in held):
            network = watch.discriminator if player == "discriminator" else watch.generator
            left_out = [
                names[player][id(w)]
                for w in (*network.parameters(), *hidden_weights(network).values())
                if id(w) in names[player] and id(w) in watch.graded and not any(id(w) in h for h in held)
            ]
            if left_out:
                yield "in-no-optimizer", player, {"weights": _shown(left_out)}


def _own_weights(network: nn.Module, other: nn.Module) -> dict[int, str]:
    shared = {id(weight) for weight in other.parameters()}
    named = {**dict(network.named_parameters()), **hidden_weights(network)}
    return {id(weight): name for name, weight in named.items() if id(weight) not in shared}


def _shown(names: list[str]) -> str:
    return ", ".join(repr(name) for name in names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _average(watch: WiringWatch, changed: dict[str, bool]) -> Iterator[Found]:
    """The running average stays the same, bit for bit, while G learns."""
    if changed.get("average") is False and changed.get("generator"):
        yield "average-unchanged", "generator", {}


# --- how they are called -----------------------------------------------------------------------------


def _modes(watch: WiringWatch, calls: Any) -> Iterator[Found]:
    """A network is trained in evaluation mode, or its BatchNorm sees one sample at a time."""
    trained = {
        "discriminator": [call for call, kind in calls.of_d if call.with_graph and not call.trains_g],
        "generator": [call for call in calls.of_g if call.trained],
    }
    for player, of_player in trained.items():
        if len(of_player) < MIN_UPDATES:
            continue
        network = watch.discriminator if player == "discriminator" else watch.generator
        if (layers := mode_layers(network)) and all(call.evaluation_mode for call in of_player):
            yield "evaluation-mode", player, {"layers": layers}
        normalized = [part for part in network.modules() if isinstance(part, nn.modules.batchnorm._BatchNorm)]
        if normalized and any(part.training for part in normalized) and all(call.n == 1 for call in of_player):
            yield "one-sample", player, {}


def mode_layers(network: nn.Module) -> str:
    """Return the kinds of layers of a network that behave otherwise in evaluation mode; empty if there are none."""
    return ", ".join(sorted({type(part).__name__ for part in network.modules() if _depends_on_mode(part)}))


def _depends_on_mode(part: nn.Module) -> bool:
    if isinstance(part, nn.modules.batchnorm._BatchNorm):
        return part.track_running_stats
    return isinstance(part, nn.modules.dropout._DropoutNd) and part.p > 0


def _ranges(calls: Any) -> Iterator[Found]:
    """Real samples lie where G's last activation cannot reach, or fill half of its range."""
    ends = {call.activation for call in calls.of_g if call.trained}
    if len(ends) != 1 or not (ends & set(RANGES)):
        return
    activation = ends.pop()
    low, high = RANGES[activation]
    sizes = {math.prod(shape) for call in calls.of_g for _, shape in call.outputs[:1]}
    others = [call for call, kind in calls.of_d if kind == "other"]
    fitting = [[a for a in call.arguments if math.prod(a.shape) in sizes and bool(a.finite)] for call in others]
    real = [arguments[0] for arguments in fitting if len(arguments) == 1]
    if len(real) < MIN_UPDATES or not calls.given_as_made:
        return
    lowest, highest = min(float(a.lowest) for a in real), max(float(a.highest) for a in real)
    outside = sum(float(a.outside.get(activation, math.nan)) for a in real) / len(real)
    shown = {"activation": activation, "low": f"{low:g}", "high": f"{high:g}"}
    shown |= {"lowest": f"{lowest:.3g}", "highest": f"{highest:.3g}"}
    excess = max(highest - high, low - lowest) / (high - low)
    if excess >= UNREACHABLE and outside >= UNREACHABLE_SHARE:
        yield "out-of-range", "generator", shown
    elif activation == "tanh" and max(sizes) >= MIN_IMAGE_VALUES and lowest >= 0 and 0.9 < highest <= 1:
        yield "half-of-range", "generator", shown


def _latents(calls: Any) -> Iterator[Found]:
    """G is given the same latents at every step, or makes the same of different ones."""
    given = [call for call in calls.of_g if call.trained or call in calls.given_to_d]
    steps = {call.step for call in given}
    latents = [call.latents[0] for call in given if call.latents and _is_flat(call.latents[0].shape)]
    if len(steps) > MIN_UPDATES and len(latents) == len(given) and calls.real_varies:
        first = latents[0]
        if all(_same(latent, first) for latent in latents[1:]) and float(first.rows[0].std()) > 0:
            yield "same-latents", "generator", {"steps": str(len(steps))}
    pairs = [
        (a, b)
        for a, b in itertools.pairwise(given)
        if a.step == b.step and a.latents and b.latents and not _same(a.latents[0], b.latents[0])
    ]
    if len(pairs) >= MIN_UPDATES and all(_same_rows(a.outputs[0][0], b.outputs[0][0]) for a, b in pairs):
        varied = any(float((a.outputs[0][0][0] - a.outputs[0][0][1]).abs().max()) > 0 for a, _ in pairs if a.n > 1)
        if varied:
            yield "ignores-latents", "generator", {}


def _one_for_all(watch: WiringWatch, calls: Any, changed: dict[str, bool]) -> Iterator[Found]:
    """D has one logit for all samples, or G one sample for all latents, in each batch, bit for bit.

    Networks whose last layer begins at zero do that too until they are trained.
    """
    of_d = [c for c, kind in calls.of_d if kind == "other" and c.step > 1 and c.n > 1 and _vary(c.arguments)]
    logits = [[x for x, is_logit in zip(c.logits, c.is_logit, strict=True) if is_logit and len(x) > 1] for c in of_d]
    judged = [
        (c.step, of_call) for c, of_call in zip(of_d, logits, strict=True) if of_call and c.activation != "sigmoid"
    ]
    if (
        _is_trained(watch, "discriminator", changed)
        and len({step for step, _ in judged}) >= MIN_UPDATES
        and all(bool((x == x[0]).all()) for _, of_call in judged for x in of_call)
    ):
        yield "ignores-samples", "discriminator", {}
    made = [c for c in calls.of_g if c.step > 1 and c.n > 1 and _vary(c.latents)]
    enough = len(made) >= 2 * MIN_UPDATES and _is_trained(watch, "generator", changed)
    if enough and all(_equal(*c.outputs[0][0]) for c in made):
        yield "one-sample-for-all", "generator", {}


def _is_trained(watch: WiringWatch, player: Player, changed: dict[str, bool]) -> bool:
    """Whether a player changes, or its optimizer steps."""
    steps = sum(player in update.players for update in watch.record.updates)
    return changed.get(player, True) or steps >= MIN_UPDATES


def _vary(arguments: Any) -> bool:
    """Whether any of a network's arguments differs from sample to sample."""
    return any(not _equal(*argument.rows) for argument in arguments)


def _equal(a: Tensor, b: Tensor) -> bool:
    return bool(torch.equal(a, b))


def _probabilities(watch: WiringWatch, calls: Any) -> Iterator[Found]:
    """D ends in a sigmoid, where the contract says that it returns logits."""
    trained = [call for call, _ in calls.of_d if call.with_graph]
    if watch.contract and len(trained) >= MIN_UPDATES and all(call.activation == "sigmoid" for call in trained):
        yield "probabilities", "discriminator", {}


def _is_flat(shape: tuple[int, ...]) -> bool:
    """Whether a sample is one vector: an image that G is given may be the same for good reasons."""
    return math.prod(shape) == max(shape, default=1)


def _same(a: Any, b: Any) -> bool:
    return bool(a.shape == b.shape) and _same_rows(a.rows, b.rows)


def _same_rows(a: Any, b: Any) -> bool:
    return all(x.shape == y.shape and torch.equal(x, y.to(x.device)) for x, y in zip(a, b, strict=True))


# --- mixed precision ---------------------------------------------------------------------------------


def _scaling(watch: WiringWatch) -> Iterator[Found]:
    """An optimizer steps on gradients that are still scaled, or that were clipped while they were."""
    for player in PLAYERS:
        updates = [u for u in watch.record.updates if player in u.players and u.scaled is not None]
        if len(updates) < MIN_UPDATES:
            continue
        if all(update.scaled for update in updates):
            yield "not-unscaled", player, {"scale": f"{_number(updates[-1].scale):g}"}
            continue
        norms = [
            (float(u.gradient_norm[player]), _number(u.scale))
            for u in updates
            if player in u.gradient_norm and not u.scaled
        ]
        clipped = [norm * scale for norm, scale in norms]
        if len(norms) < MIN_UPDATES or not min(clipped) > 0 or min(scale for _, scale in norms) < MIN_SCALE:
            continue
        if max(norm for norm, _ in norms) < CLIPPED_NORM and max(clipped) / min(clipped) - 1 < CLIPPED_SPREAD:
            yield "clipped-while-scaled", player, {"norm": f"{clipped[-1]:.3g}", "scale": f"{norms[-1][1]:g}"}


def _number(scale: Tensor | float | None) -> float:
    return math.nan if scale is None else float(scale)
