"""The program is not what its author thinks: what its first steps have shown, in words."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

import ganbench

NAME = "wiring"
CERTAIN, LIKELY, ASKED = 0.99, 0.95, 0.5  # confidence in a fault that is certain, that has to be, and that may be meant
PLAYERS = {"discriminator": "D", "generator": "G"}


@dataclass(frozen=True)
class Text:
    """How a fault is told.

    Attributes:
        summary: What was seen and what it means; `{player}` and `{other}` are D or G, other names are facts.
        advice: What to do.
        confidence: In a failure; a warning if it is `ASKED`.
    """

    summary: str
    advice: str
    confidence: float = LIKELY


FAULTS = {
    "nonfinite-data": Text(
        "The data holds values that are not finite ({where}): one batch of them makes every weight NaN.",
        "remove or fill in the rows that hold NaN or infinity before training; the networks and the loss are not at fault",
        CERTAIN,
    ),
    "never-updated": Text(
        "{player} does not change while {other} learns: its weights are the same, bit for bit, and no optimizer that holds "
        "them has taken a step.",
        "build the optimizer from {player}'s own parameters, after the last change of its modules, and call its step() "
        "after backward(); in an update rule call train_discriminator() and train_generator(), or both parts of each",
    ),
    "neither-updated": Text(
        "Neither player has been updated in {steps} steps: no optimizer has taken a step, and all weights are the same, bit "
        "for bit.",
        "look at the update rule: each step has to call train_discriminator() and train_generator(), or, where it "
        "differentiates first, update_discriminator() and update_generator() after that",
    ),
    "never-trained": Text(
        "{player} has never been trained: its weights are what they were after the first step, bit for bit.",
        "look for the step of {player}'s optimizer, in the loop or the update rule, and for what makes {player}'s gradient 0: a "
        "weight of 0 in its loss, or an operation without a slope",
    ),
    "step-without-effect": Text(
        "{player}'s optimizer steps on gradients that are not zero, and changes nothing: {player}'s weights are the same after "
        "it, bit for bit.",
        "look at the optimizer's step(): it has to use the gradients that are there, and to change each weight in place, as "
        "with weight.add_(...)",
    ),
    "weights-put-back": Text(
        "{player} does not change: its optimizer changes its weights, and by the next step they are as before, bit for bit.",
        "look for what puts them back after the optimizer's step: the update rule, a regularizer's after_step, a copy of "
        "weights or a load_state_dict",
    ),
    "blocked-gradient": Text(
        "{player} passes no gradient on to its weights: what comes back to its output is not zero, and what reaches its weights "
        "is exactly 0 in each step.",
        "look in {player} for a product with 0, for round(), sign() or argmax(), and for a last ReLU or clamp() that is the "
        "same for all samples",
    ),
    "blocked-by-d": Text(
        "D passes no gradient on to generated samples: what comes back to D(G(z)) is not zero, and what reaches the samples is "
        "exactly 0 in each step, so that G does not learn.",
        "look in D, and in what samples go through before it, for round(), sign(), argmax() or a product with 0",
    ),
    "blocked-on-the-way": Text(
        "No gradient gets from D's samples back to G's: it is exactly 0 in each step, so that G does not learn.",
        "look at what samples go through between G and D: an augmentation with round(), or one that replaces them",
    ),
    "ignores-samples": Text(
        "D has one and the same logit for all samples of a batch, bit for bit: it tells none from another.",
        "look at what D does with its samples: a product with 0, a mean over the batch, a softmax over one logit, or a last "
        "ReLU, clamp() or sign() that is the same everywhere",
    ),
    "one-sample-for-all": Text(
        "G makes one and the same sample of all z of a batch, bit for bit: it does not depend on z.",
        "look at how z is used in G: a product with 0, a mean over the batch, an expand() of one sample, or a last activation "
        "that is the same everywhere",
    ),
    "d-rewarded-for-fake": Text(
        "D is rewarded for calling generated samples real, and real ones generated: its updates raise the logits of generated "
        "samples and lower those of real ones, and a higher logit means more real.",
        "change the sign, or exchange the targets, of D's loss, which has to fall as d(real) rises and d(fake) falls; an "
        "optimizer has to go down the gradient",
    ),
    "no-gradient": Text(
        "{player}'s optimizer steps, and no gradient of {player}'s own loss has reached {player}'s weights in {updates} "
        "steps: {player}'s loss is not backpropagated.",
        "call backward() on {player}'s loss between zero_grad() and step(), and look for a detach() or no_grad() on the way",
    ),
    "below-resolution": Text(
        "{player} does not learn: with a learning rate of {lr}, its updates are below the resolution of its weights.",
        "look at {player}'s learning rate and its scheduler: one that is stepped per batch instead of per epoch, or a wrong "
        "exponent",
        CERTAIN,
    ),
    "ignores-fake": Text(
        "D's loss does not depend on generated samples: no gradient comes back to D(G(z)), and one does to D(x).",
        "look at the generated term of D's loss: swapped arguments of the loss function, a detach() or no_grad() on D's "
        "output, or a term that is not added",
    ),
    "ignores-real": Text(
        "D's loss does not depend on real samples: no gradient comes back to D(x), and one does to D(G(z)).",
        "look at the real term of D's loss: swapped arguments of the loss function, a detach() or no_grad() on D's output, "
        "or a term that is not added",
    ),
    "same-target": Text(
        "D is rewarded for calling real and generated samples {target} alike: at equal logits its loss has the same gradient "
        "on both, so that it learns no difference.",
        "give the two terms of D's loss different targets: real for real samples, generated for generated ones",
    ),
    "g-rewarded-for-fake": Text(
        "G is rewarded for samples that D calls generated: G's loss and D's push D(G(z)) the same way.",
        "change the sign, or the target, of G's loss: it has to fall as D takes generated samples for real ones",
    ),
    "blind-term": Text(
        "A term of G's loss has no gradient to G: D is called on generated samples in G's step under no_grad or detached, and "
        "nothing that D says reaches G.",
        "call D on the generated samples with gradients, without no_grad() and without detach(), where G's loss is computed",
    ),
    "term-without-gradient": Text(
        "A term of {player}'s loss has no gradient to {player}: {terms}.",
        "compute it without no_grad(), detach() and item()",
        CERTAIN,
    ),
    "in-other-optimizer": Text(
        "Weights of {player} are in the optimizer of {other} ({weights}): they are changed by {other}'s loss as well.",
        "give each optimizer the parameters of one network",
    ),
    "out-of-range": Text(
        "Real and generated samples have different ranges: G ends in {activation} and reaches {low} to {high}, real samples "
        "lie between {lowest} and {highest}.",
        "scale real samples to {low} to {high}, or take the {activation} off G",
    ),
    "evaluation-mode": Text(
        "{player} is trained in evaluation mode, in which its {layers} are switched off or frozen.",
        "call {player}.train() before training, and again after each evaluation",
    ),
    "not-detached": Text(
        "G is not detached while D learns: the gradient of D's loss reaches G and is still there when G's optimizer steps, so "
        "that G helps D.",
        "give D's loss the detached samples, D(fake.detach()), or call zero_grad() on G's optimizer before G's backward()",
    ),
    "not-unscaled": Text(
        "{player}'s optimizer steps on gradients that are still multiplied by the scaler's scale ({scale}).",
        "call scaler.step(optimizer) in place of optimizer.step()",
        CERTAIN,
    ),
    "clipped-while-scaled": Text(
        "{player}'s gradients are clipped (to a norm of {norm}) while they are multiplied by the scaler's scale ({scale}): what "
        "is left of them is {scale} times too small.",
        "call scaler.unscale_(optimizer) before the gradients are clipped",
    ),
    "same-latents": Text(
        "G is given the same z at every step ({steps} of them): it learns to make one batch.",
        "draw z anew in each step: move its torch.randn, or a torch.manual_seed, out of or into the loop",
    ),
    "ignores-latents": Text(
        "G makes the same samples of different z: they do not depend on it.",
        "look at how z is used in G: a z of its own that is drawn once, or a product with zero",
    ),
    "frozen": Text(
        "None of {player}'s weights requires a gradient: {player} stays as it is while {other} learns. Is this on purpose?",
        "if not, call {player}.requires_grad_(True) before its optimizer is built",
        ASKED,
    ),
    "frozen-part": Text(
        "Weights of {player} require no gradient and stay as they are: {weights}. Is this on purpose?",
        "if not, call requires_grad_(True) on them before the optimizer is built",
        ASKED,
    ),
    "zero-learning-rate": Text(
        "{player}'s learning rate is 0: {player} stays as it is. Is this on purpose?",
        "if not, look at {player}'s optimizer and its scheduler",
        ASKED,
    ),
    "late-start": Text(
        "{player} has not been trained yet, while {other} learns. Is a late start of {player} on purpose?",
        "if not, look for the step of {player}'s optimizer and for a weight of 0 in its loss",
        ASKED,
    ),
    "zero-loss": Text(
        "The gradient of {player}'s loss over D's logits is {size} in each step, and {player} stays as it is. Is a late start of {player} on "
        "purpose?",
        "if not, look in {player}'s loss for a weight of 0 and for an operation without a slope: clamp(), sign() or round()",
        ASKED,
    ),
    "unused-part": Text(
        "Weights of {player} never get a gradient: {weights}. Are they unused on purpose?",
        "if not, look for a detach() or no_grad() after them; if so, freeze them with requires_grad_(False)",
        ASKED,
    ),
    "probabilities": Text(
        "D ends in a sigmoid: it returns probabilities where losses take logits. Is this on purpose?",
        "if not, return what comes before the sigmoid",
        ASKED,
    ),
    "zero-weight": Text(
        "D's verdict reaches G with a gradient of exactly 0, while G learns from something else. Is a late start of the "
        "adversarial term on purpose?",
        "if not, look for a weight of 0 in G's loss, or for a term that is not added",
        ASKED,
    ),
    "no-adversarial-term": Text(
        "G's loss does not involve D so far, while both learn. Is a late start of the adversarial term on purpose?",
        "if not, call D on the generated samples where G's loss is computed",
        ASKED,
    ),
    "in-no-optimizer": Text(
        "Weights of {player} receive a gradient and are in no optimizer: {weights}. Are they to stay as they are on purpose?",
        "if not, give the optimizer all of {player}.parameters(), after the last module was added, and keep modules in an "
        "nn.ModuleList, since those in a plain list are no part of {player}; if so, freeze them with requires_grad_(False)",
        ASKED,
    ),
    "half-of-range": Text(
        "Real samples lie between {lowest} and {highest}, and G's {activation} reaches {low} to {high}. Were they to be scaled "
        "alike?",
        "scale real samples to {low} to {high}, or end G in a sigmoid",
        ASKED,
    ),
    "one-sample": Text(
        "{player}'s BatchNorm sees one sample at a time and removes its mean and contrast. Is this on purpose?",
        "if not, take larger batches, or InstanceNorm or GroupNorm in place of BatchNorm",
        ASKED,
    ),
    "average-unchanged": Text(
        "The running average of G has not changed while G learns. Does it start late on purpose?",
        "if not, update it after each step of G's optimizer",
        ASKED,
    ),
    "average-never-updated": Text(
        "The running average of G has never been updated: it is still what it was at the start, while G has learned.",
        "update it after each step of G's optimizer",
    ),
    "detached-late": Text(
        "D's loss sends its gradient through G in each step, and it is thrown away before G's own step: it costs time, and "
        "nothing else. Is this on purpose?",
        "if not, give D's loss the detached samples, D(fake.detach())",
        ASKED,
    ),
}
ANSWERED_BY = {  # questions that time has answered
    "average-unchanged": "average-never-updated",
    "late-start": "never-trained",
    "zero-loss": "never-trained",
}


class Wiring(ganbench.Diagnosis):
    """Bugs that no number of a healthy-looking run shows: who is not trained, by what, and on what."""

    @staticmethod
    def failing_history() -> ganbench.History:
        """Return the history of a run whose D is never updated."""
        columns = {"step": np.array([20, 40]), "loss_d": np.array([1.4, 1.4]), "loss_g": np.array([0.7, 0.7])}
        return ganbench.History(columns, 40, wiring=(ganbench.WiringFault("never-updated", "discriminator", 20),))

    def diagnose(self, history: ganbench.History) -> Iterator[ganbench.Finding]:
        """Yield a failure for each fault that has to be one, and a warning for each that may be on purpose."""
        known = {(fault.fault, fault.player) for fault in history.wiring}
        for fault in history.wiring:
            text = FAULTS.get(fault.fault)
            if (
                text is None or (ANSWERED_BY.get(fault.fault), fault.player) in known
            ):  # of a newer version, or settled since
                continue
            facts = {"player": PLAYERS.get(fault.player, ""), "other": _other(fault.player), **fault.facts}
            summary = text.summary.format_map(_Facts(facts))
            if instead := fault.facts.get("instead"):
                summary += f" In their place it is given {instead}."
            if fault.fault == "never-trained" and (size := fault.facts.get("size")):
                summary += f" The gradient of its loss over D's logits was {size} from the start."
            if strangers := fault.facts.get("strangers"):
                summary += f" {strangers} of the optimizers that step hold weights of neither network."
            yield ganbench.Finding(
                diagnosis=NAME,
                horizon="now",
                severity="warning" if text.confidence == ASKED else "failure",
                confidence=text.confidence,
                onset_step=fault.step,
                summary=summary,
                evidence={},
                remedy=ganbench.Remedy(advice=text.advice.format_map(_Facts(facts))),
            )


class _Facts(dict[str, str]):
    """Facts by name; one that is missing is "?"."""

    def __missing__(self, key: str) -> str:
        return "?"


def _other(player: str) -> str:
    return {"discriminator": "G", "generator": "D"}.get(player, "")
