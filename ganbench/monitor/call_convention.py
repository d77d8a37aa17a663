"""How a loop calls its networks, inferred from captured calls: which argument is a sample, a latent, a condition."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .calls import Call
from .capture import Captured, DiscriminatorCall, GeneratorCall

MAX_COMPARED_ROWS = 512  # of each of two sets of samples, spread evenly
MAX_RANGE_GAP = 0.5  # of many samples: between means, in standard deviations; between log standard deviations


class SampleMismatch(ValueError):
    """D is given something other than what G generates."""


@dataclass(frozen=True)
class CallConvention:
    """A call of each network to repeat with other samples, and where those go.

    Attributes:
        generator_call: A call of G.
        output: Which of the tensors that G returns holds the samples.
        discriminator_call: A call of D.
        argument: Index of the samples among the leaves of D's call.
        shape: Shape of one sample as D is given it.
        partners: Indices of those of D's arguments that are samples as well, and that what D says of the first does not
            depend on: D(y, ŷ) compares two batches at once.
    """

    generator_call: Call
    output: int
    discriminator_call: Call
    argument: int
    shape: tuple[int, ...]
    partners: tuple[int, ...] = ()

    @property
    def conditions(self) -> tuple[int, ...]:
        """Indices of D's arguments that have a row for each sample and are not samples."""
        samples = (self.argument, *self.partners)
        return tuple(i for i in self.discriminator_call.batched if i not in samples)

    @property
    def possible_partners(self) -> tuple[int, ...]:
        """Indices of D's arguments that look like samples, beside the one that is."""
        leaves = self.discriminator_call.leaves
        given = leaves[self.argument]
        return tuple(i for i in self.conditions if leaves[i].shape == given.shape and leaves[i].is_floating_point())


@dataclass(frozen=True)
class Inferred:
    """What captured calls show.

    Attributes:
        convention: How the networks are called.
        generator_rows: For each call of G its arguments with a row for each sample, then D's conditions for them.
        real_rows: For each call of D on real samples the samples, then their conditions; empty if real and generated
            samples cannot be told apart.
    """

    convention: CallConvention
    generator_rows: list[list[Tensor]]
    real_rows: list[list[Tensor]]


@dataclass(frozen=True)
class MatchedCalls:
    """A call of D, or a part of one, and the call of G whose samples it was given.

    Attributes:
        generated: The call of G.
        output: Which of the tensors that G returned holds the samples.
        call: The call of D.
        argument: Index of the samples among its leaves.
        trains_g: Whether a gradient of the logits would reach G.
    """

    generated: GeneratorCall
    output: int
    call: Call
    argument: int
    trains_g: bool


def infer(captured: Captured, find_partners: Callable[[CallConvention], tuple[int, ...]] | None = None) -> Inferred:
    """Infer how the networks are called. Both have been.

    Args:
        captured: Their calls.
        find_partners: Returns which of D's arguments are partners of the sample; asked where some look like samples.

    Raises:
        SampleMismatch: Their samples do not fit together.
    """
    matches, unmatched = match_calls(captured)
    if not matches:
        matches, unmatched = match_derived(captured, unmatched)
    convention = _infer_convention(captured, matches)
    if find_partners is not None and convention.possible_partners:
        convention = replace(convention, partners=find_partners(convention))
    once = {match.generated: match for match in reversed(matches)}.values()  # D is given the same samples repeatedly
    generator_rows = [
        [match.generated.call.leaves[i] for i in match.generated.call.batched]
        + [match.call.leaves[i] for i in convention.conditions]
        for match in once
        if match.generated.call.spec == convention.generator_call.spec
        and match.call.spec == convention.discriminator_call.spec
        and match.generated.call.n == match.call.n
    ]
    if not matches and not convention.conditions:
        generator_rows = [[g.call.leaves[i] for i in g.call.batched] for g in captured.generator_calls]
    distinguishable = any(not match.trains_g for match in matches)
    real_rows = _collect_real(convention, unmatched) if distinguishable else []
    if convention.partners:
        real_rows = [_partner_rows(convention, match.call) for match in matches if not match.trains_g]
    return Inferred(convention, [_truncate(columns) for columns in generator_rows], real_rows)


def is_similar(a: Tensor, b: Tensor) -> bool:
    """Return whether two sets of samples may have one range: mean and standard deviation of all values are close."""
    a, b = (x.detach()[:: max(1, len(x) // MAX_COMPARED_ROWS)].double() for x in (a, b))
    if not (bool(a.isfinite().all()) and bool(b.isfinite().all())):
        return True  # values that are not finite are reported elsewhere
    std_a, std_b = (max(float(values.std(correction=0)), 1e-12) for values in (a, b))
    allowed = MAX_RANGE_GAP * (1 + 4 / math.sqrt(min(len(a), len(b))))
    gap = abs(float(a.mean()) - float(b.mean())) / max(std_a, std_b)
    return gap < allowed and abs(math.log(std_a / std_b)) < allowed


# --- which calls of D were given what G generated ----------------------------------------------------


def match_calls(captured: Captured) -> tuple[list[MatchedCalls], list[tuple[Call, bool]]]:
    """Match the calls of D that were given G's samples as they are, by memory or by value.

    Returns the matches, and the calls that were given neither these nor something derived from them, each with whether
    an argument requires a gradient.
    """
    matches, unmatched = [], []
    for d in captured.discriminator_calls:
        if d.origin == "identical" and d.generated is not None and d.argument is not None:
            matches.append(MatchedCalls(d.generated, d.output, d.call, d.argument, d.trains_g))
        elif d.origin is None:
            for call in _split_batch(d, captured):
                match = _match_by_value(call, captured)
                if match is None:
                    unmatched.append((call, d.requires_grad))
                else:
                    matches.append(match)
    return matches, unmatched


def match_derived(
    captured: Captured, unmatched: list[tuple[Call, bool]]
) -> tuple[list[MatchedCalls], list[tuple[Call, bool]]]:
    """Match the calls of D that were given something computed from G's samples.

    The autograd graph shows it; where D was given the same values without a graph, they were detached.

    Args:
        captured: All calls.
        unmatched: As `match_calls` returns them.

    Returns:
        The matches, and the calls that are still unmatched.
    """
    derived = [
        MatchedCalls(d.generated, _output_of_size(d.generated, d.call, d.argument), d.call, d.argument, d.trains_g)
        for d in captured.discriminator_calls
        if d.origin == "derived" and d.generated is not None and d.argument is not None
    ]
    matches, left = list(derived), []
    for call, requires_grad in unmatched:
        same = next((match for match in derived if _is_same_call(call, match.call)), None)
        if same is None:
            left.append((call, requires_grad))
        else:
            matches.append(replace(same, call=call, trains_g=False))
    return matches, left


def _is_same_call(a: Call, b: Call) -> bool:
    """Return whether two calls of D were given the same batches."""
    return (
        a.spec == b.spec
        and a.batched == b.batched
        and all(a.leaves[i].shape == b.leaves[i].shape and torch.equal(a.leaves[i], b.leaves[i]) for i in a.batched)
    )


def _split_batch(d: DiscriminatorCall, captured: Captured) -> list[Call]:
    """Return the call, or its halves if D may have been given real and generated samples in one batch."""
    call = d.call
    half = call.n // 2
    if call.n != 2 * half or all(generated.call.n != half for generated in captured.generator_calls):
        return [call]
    halves = call.slice_rows(slice(0, half)), call.slice_rows(slice(half, None))
    return [part for part in halves if part.n_kept]


def _match_by_value(call: Call, captured: Captured) -> MatchedCalls | None:
    """Match a call of D with the call of G that returned samples of the same values."""
    for generated in reversed(captured.generator_calls):
        for argument in call.batched:
            for i, output in enumerate(generated.outputs):
                given = call.leaves[argument]
                rows = min(len(given), len(output)) if output.ndim and given.is_floating_point() else 0
                if not rows or given[0].numel() != output[0].numel():
                    continue
                a, b = given[:rows].flatten(1).float(), output[:rows].flatten(1).float()
                if a.shape == b.shape and torch.equal(a, b.to(a.device)):
                    return MatchedCalls(generated, i, call, argument, trains_g=False)
    return None


def _output_of_size(generated: GeneratorCall, call: Call, argument: int) -> int:
    """Return which of G's tensors has as many values for each sample as D was given; 0 if none has."""
    size = call.leaves[argument][0].numel()
    return next((i for i, o in enumerate(generated.outputs) if o.ndim and len(o) and o[0].numel() == size), 0)


# --- what follows from them --------------------------------------------------------------------------


def _infer_convention(captured: Captured, matches: list[MatchedCalls]) -> CallConvention:
    """Take the calls of the last step of G that was captured, or else any that fit together."""
    if matches:
        match = next((m for m in reversed(matches) if m.trains_g), matches[-1])
        _check_similar(match)
        return _convention(match.generated, match.output, match.call, match.argument)
    generated = captured.generator_calls[-1]
    for d in captured.discriminator_calls:
        for argument in d.call.batched:
            given = d.call.leaves[argument]
            for i, output in enumerate(generated.outputs):
                fits = given.ndim > 1 and output.ndim > 1 and given[0].numel() == output[0].numel()
                if fits and given.is_floating_point():
                    return _convention(generated, i, d.call, argument)
    shapes = {tuple(d.call.leaves[i].shape[1:]) for d in captured.discriminator_calls for i in d.call.batched}
    raise SampleMismatch(
        f"the generator returns samples of shape {[tuple(o.shape[1:]) for o in generated.outputs]} and the "
        f"discriminator is given {sorted(shapes)}: none of its arguments could be a generated sample"
    )


def _convention(generated: GeneratorCall, output: int, call: Call, argument: int) -> CallConvention:
    return CallConvention(generated.call, output, call, argument, tuple(call.leaves[argument].shape[1:]))


def _check_similar(match: MatchedCalls) -> None:
    """Raise SampleMismatch if D is given something other than G's output, such as another range of values."""
    generated, given = match.generated.outputs[match.output], match.call.leaves[match.argument]
    if generated[0].numel() != given[0].numel():
        raise SampleMismatch(
            f"the generator returns samples of shape {tuple(generated.shape[1:])} and the discriminator is given "
            f"{tuple(given.shape[1:])} computed from them; pass a generator module that includes that step"
        )
    if not is_similar(generated, given):
        raise SampleMismatch(
            "the discriminator is not given what the generator returns, but values with mean "
            f"{float(given.mean()):.3g} and standard deviation {float(given.std()):.3g} instead of "
            f"{float(generated.mean()):.3g} and {float(generated.std()):.3g}; pass a generator module that includes "
            "that step"
        )


def _collect_real(convention: CallConvention, unmatched: list[tuple[Call, bool]]) -> list[list[Tensor]]:
    """Collect samples that D was given and that are not G's; those that require a gradient may be interpolations."""
    fitting = [
        (call, requires_grad)
        for call, requires_grad in unmatched
        if call.spec == convention.discriminator_call.spec
        and tuple(call.leaves[convention.argument].shape[1:]) == convention.shape
    ]
    plain = [call for call, requires_grad in fitting if not requires_grad] or [call for call, _ in fitting]
    return [
        _truncate([call.leaves[convention.argument].float(), *(call.leaves[i] for i in convention.conditions)])
        for call in plain
    ]


def _partner_rows(convention: CallConvention, call: Call) -> list[Tensor]:
    """Return the real samples that D was given beside G's, and their conditions."""
    real = call.leaves[convention.partners[0]].float()
    return _truncate([real, *(call.leaves[i] for i in convention.conditions)])


def _truncate(columns: list[Tensor]) -> list[Tensor]:
    """Cut columns to the shortest: fewer rows are kept of those that take more memory."""
    n = min((len(column) for column in columns), default=0)
    return [column[:n] for column in columns]
