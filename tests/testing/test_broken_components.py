"""Each broken component fails the check meant for it and no other; a sound one passes them all."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganbench.testing.candidate import select_candidates
from ganbench.testing.run_checks import run_checks

BROKEN = Path(__file__).parent / "broken"

REFUSALS = [
    ("generator", "WrongLatentDim", "latent-dim-is-true", "takes noise of length 6 as well as of latent_dim = 5"),
    ("generator", "LatentDimIsText", "latent-dim-is-true", "latent_dim is '4'"),
    ("generator", "WrongShape", "makes-samples-of-the-data-spec", "returns shape (1, 1, 2) where (1, 2) is expected"),
    ("generator", "Float64", "makes-samples-of-the-data-spec", "returns float64 where float32 is expected"),
    ("generator", "OtherDevice", "makes-samples-of-the-data-spec", "returns a tensor on meta for input on cpu"),
    ("generator", "NotFinite", "makes-samples-of-the-data-spec", "values that are not finite"),
    ("generator", "Unbounded", "stays-in-the-value-range", "for data in [-1, 1]"),
    ("generator", "IgnoresNoise", "latents-matter", "the same sample from different noise"),
    ("generator", "UnusedWeight", "gradients-reach-every-weight", "no gradient reaches 'unused.weight'"),
    ("generator", "Unfreezes", "can-be-frozen", "a gradient is computed for 'net.weight'"),
    ("generator", "StateOutsideTheModule", "state-survives-saving", "neither a parameter nor a buffer"),
    ("generator", "CountsCalls", "keeps-no-hidden-state", "its output differs"),
    ("generator", "Seeds", "leaves-global-state-alone", "seeds torch's global random stream"),
    ("generator", "UsesNumpysStream", "leaves-global-state-alone", "changes the state of numpy's"),
    ("generator", "ChangesDirectory", "leaves-global-state-alone", "changes the working directory"),
    ("generator", "Positional", "options-are-declared", "takes 'width' as a positional parameter"),
    ("generator", "Unannotated", "options-are-declared", "option 'width' has no annotation"),
    ("generator", "DefaultOfAnotherType", "options-are-declared", "the default of option 'width', '3'"),
    ("generator", "OptionFails", "builds-from-every-option", "with deep = True raises AttributeError"),
    ("generator", "NoDocstring", "describes-itself", "has no summary"),
    ("generator", "SkipsAll", "builds-from-defaults", "skips every data set"),
    ("discriminator", "Row", "gives-one-logit-a-sample", "returns shape (1, 2) where (2, 2) is expected"),
    ("discriminator", "HeadsAsSamples", "gives-one-logit-a-sample", "returns 4 heads for 4 samples and 16 for 16"),
    ("discriminator", "WithoutLogits", "gives-one-logit-a-sample", "a mapping of 'features', without 'logits'"),
    ("discriminator", "Multiplies", "gives-one-logit-a-sample", "combine is 'mean' or 'sum', not 'product'"),
    ("discriminator", "Probability", "gives-logits-not-probabilities", "they look like probabilities"),
    ("discriminator", "WrongPack", "gives-one-logit-a-sample", "returns shape (2,) where (1,) is expected"),
    ("discriminator", "ReturnsATuple", "gives-one-logit-a-sample", "as head 2 of 2 depends on none of its weights"),
    ("discriminator", "IgnoresInput", "input-matters", "gives every sample the same logit"),
    ("discriminator", "Detached", "can-be-frozen", "no gradient reaches the input"),
    ("discriminator", "FirstOrder", "gradient-penalties-reach-its-weights", "reaches no weight"),
    ("discriminator", "KeepsHiddenState", "keeps-no-hidden-state", "its output differs"),
    ("discriminator", "Evaluating", "is-built-in-training-mode", "its Dropout would never be in use"),
    ("loss", "BlindTerm", "d-teaches-g", "no gradient of the generator's loss passes through D"),
    ("loss", "Vector", "gives-scalars", "the generator's loss is shape (1,)"),
    ("loss", "PythonFloat", "gives-scalars", "where a float32 scalar is expected"),
    ("loss", "Sums", "is-a-mean-over-the-batch", "for the same samples repeated"),
    ("loss", "FirstSampleOnly", "trains-g-towards-real", "some generated samples give G no gradient"),
    ("loss", "PartIsMissing", "builds-from-defaults", "no loss is called 'hinged'; did you mean 'hinge'?"),
    ("loss", "Overflows", "is-finite-at-extreme-logits", "the discriminator's loss or its gradient is not finite"),
    ("loss", "WrongSignForG", "trains-g-towards-real", "trains G away from the real samples"),
    ("loss", "SwapsRealAndFake", "trains-d-to-separate", "in the wrong direction on real samples"),
    ("loss", "Detached", "gradients-reach-the-player-alone", "no gradient of the generator's loss reaches"),
    ("loss", "IgnoresReal", "trains-d-to-separate", "some real samples give D no gradient"),
    ("loss", "CallsBackward", "gradients-reach-the-player-alone", "leaves a gradient in the other player"),
    ("loss", "DropsLabels", "labels-travel-with-their-samples", "without their labels"),
    ("loss", "InPlace", "leaves-its-batches-alone", "changes the samples"),
    ("loss", "NoProbabilities", "probabilities-are-probabilities", "leaves [0, 1]"),
    ("loss", "SeedsInUse", "leaves-global-state-alone", "seeds torch's global random stream"),
    ("loss", "SeedsAtRandom", "leaves-global-state-alone", "seeds torch's global random stream"),
    ("loss", "SetsAnomalyMode", "leaves-global-state-alone", "changes torch's anomaly mode"),
    ("loss", "SetsMatmulPrecision", "leaves-global-state-alone", "changes torch's matmul precision"),
    ("loss", "FailsForANumber", "builds-from-every-option", "with scale = 1.0 raises AttributeError"),
    ("loss", "FailsForAChoice", "builds-from-every-option", "with order = 2 raises KeyError"),
    ("loss", "CountsCalls", "does-the-same-twice", "behaves differently built a second time"),
    ("loss", "NeedsUnsaid", "gives-scalars", "raises KeyError: 'classes'"),
    ("regularizer", "NotOfWeights", "its-gradient-reaches-its-player", "does not reach the weights of D"),
    ("regularizer", "NotOfG", "its-gradient-reaches-its-player", "does not reach the generated samples"),
    ("regularizer", "Negative", "gives-a-scalar-that-is-not-negative", "its penalty is -"),
    ("regularizer", "PerSample", "gives-a-scalar-that-is-not-negative", "its penalty is shape (1,)"),
    ("regularizer", "Shifted", "is-zero-where-its-theory-says", "penalty is 1 for a flat D"),
    ("regularizer", "FirstOrder", "its-gradient-reaches-its-player", "does not reach the weights of D"),
    ("regularizer", "DropsLabels", "labels-travel-with-their-samples", "without their labels"),
    ("regularizer", "InPlace", "leaves-its-batches-alone", "changes the samples"),
    ("regularizer", "UnknownPlayer", "has-a-penalty-or-after-step", "player = 'referee'"),
    ("regularizer", "FractionalInterval", "has-a-penalty-or-after-step", "every = 0.5"),
    ("regularizer", "MisspeltPenalty", "has-a-penalty-or-after-step", "after_step(module), but 'penalize'"),
    ("regularizer", "ReplacesWeights", "changes-weights-in-place", "replaces weight 'net.1.weight'"),
    ("regularizer", "ChangesCopies", "changes-weights-in-place", "changes no weight"),
    ("term", "PerSample", "gives-a-finite-scalar", "where a finite float32 scalar is expected"),
    ("term", "Detached", "its-gradient-reaches-its-player", "no gradient reaches it"),
    ("term", "UnknownPlayer", "gives-a-finite-scalar", "player = 'referee'"),
    ("term", "NotOfD", "its-gradient-reaches-its-player", "objective of discriminator"),
    ("augmentation", "ReturnsATensor", "keeps-shape-and-labels", "returns Tensor"),
    ("augmentation", "DropsLabels", "keeps-shape-and-labels", "without their labels"),
    ("augmentation", "InPlace", "keeps-shape-and-labels", "changes the samples"),
    ("augmentation", "Rounds", "lets-gradients-through", "no gradient reaches"),
    ("augmentation", "OnceDifferentiable", "lets-gradients-through", "cannot be differentiated again"),
    ("augmentation", "UsesTheGlobalStream", "draws-from-its-stream-alone", "global stream"),
    ("update", "ForgetsG", "changes-both-players", "is as before, or not finite"),
    ("update", "ReturnsNothing", "returns-both-losses", "a step returns None"),
    ("update", "CountsNothing", "changes-both-players", "counts 0 updates of D in 3 steps"),
    ("update", "HidesItsState", "resumes-its-state", "goes on otherwise"),
    ("optimizer", "Ascends", "descends", "half the sum of squares"),
    ("optimizer", "Forgets", "resumes", "goes on otherwise from its state_dict"),
    ("optimizer", "TakesTheFirst", "is-a-torch-optimizer", "holds 1 weights, and was given 2"),
    ("optimizer", "no_optimizer", "is-a-torch-optimizer", "builds list"),
    (
        "dataset",
        "MissingValue",
        "samples-are-as-the-spec-says",
        "1 of 5000 samples is not finite, the first at index 3333",
    ),
    ("dataset", "NoSpec", "states-its-spec", "spec is None"),
    (
        "dataset",
        "ChannelsLast",
        "samples-are-as-the-spec-says",
        "shape (1000, 8, 8, 1), and the spec says (N, 1, 8, 8)",
    ),
    ("dataset", "BatchInSpec", "states-its-spec", "shape (1000, 1, 8, 8)"),
    ("dataset", "Float64", "samples-are-as-the-spec-says", "torch.float64"),
    ("dataset", "OutOfRange", "samples-are-as-the-spec-says", "outside of (-1.0, 0.5)"),
    ("dataset", "LabelsFromOne", "samples-are-as-the-spec-says", "from 1 to 3 for 3 classes"),
    ("dataset", "ClassesNotStated", "samples-are-as-the-spec-says", "its spec states 0 classes"),
    ("dataset", "SharesHeldOut", "held-out-samples-are-not-trained-on", "100.0% of its held-out samples"),
    ("dataset", "PartsDiffer", "both-parts-are-alike", "its parts differ"),
    ("dataset", "RandomAtEveryCall", "gives-the-same-samples-again", "differ at the next call"),
    ("dataset", "ModesElsewhere", "modes-are-where-it-claims", "of its samples are within"),
    ("dataset", "ModesUncounted", "modes-are-where-it-claims", "its spec states 3 modes"),
    ("dataset", "CountsInstances", "does-the-same-twice", "behaves differently built a second time"),
    ("dataset", "DependsOnItsProcess", "runs-in-a-spawned-process", "behaves differently"),
]


def failures(kind: str, name: str) -> dict[str, str]:
    (candidate,) = [
        s for s in select_candidates([str(BROKEN / f"{kind}s.py".replace("losss", "losses"))]) if s.entry.name == name
    ]
    return {outcome.check: outcome.message for outcome in run_checks(candidate) if outcome.status == "failed"}


@pytest.mark.parametrize(("kind", "name", "check", "words"), REFUSALS, ids=[f"{k}-{n}" for k, n, _, _ in REFUSALS])
def test_a_broken_component_fails_the_check_meant_for_it_alone(kind, name, check, words):
    failed = failures(kind, name)
    assert failed.keys() == {check}
    assert words in failed[check]
    if "raises" not in words:
        assert "likely cause:" in failed[check] and "fix:" in failed[check]


@pytest.mark.parametrize(
    "kind",
    ["generator", "discriminator", "loss", "regularizer", "term", "augmentation", "update", "optimizer", "dataset"],
)
def test_a_sound_component_passes_every_check(kind):
    assert failures(kind, "Sound") == {}


def test_a_discriminator_with_a_map_heads_and_features_passes_every_check():
    assert failures("discriminator", "Everything") == {}


@pytest.mark.parametrize(("kind", "name"), [("regularizer", "Rewards"), ("loss", "OfClasses")])
def test_a_component_that_declares_what_it_needs_is_tried_with_that(kind, name):
    assert failures(kind, name) == {}


def test_a_loss_may_draw_from_the_stream_that_the_training_loop_seeds():
    assert failures("loss", "DrawsInUse") == {}
