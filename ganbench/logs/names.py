"""Canonical names of signals, and how to recognise them under the many names that programs log them by.

Canonical names: `loss_d`, `loss_g`; D's mean output on real and on generated samples as probabilities `d_real`,
`d_fake`, or as `score_real`, `score_fake` if it is not a probability; the mean of its sign `sign_real`, `sign_fake`;
`auc_d`, `accuracy_d`; `grad_norm_d`, `grad_norm_g`; `fid`, `kid` and `inception_score`; `augment`, the strength of
adaptive augmentation.

A player's loss may be logged in parts, which `parts.py` puts together.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import zip_longest

CANONICAL_NAMES = (
    *("loss_d", "loss_g", "d_real", "d_fake", "score_real", "score_fake", "sign_real", "sign_fake", "auc_d"),
    *("accuracy_d", "grad_norm_d", "grad_norm_g", "fid", "kid", "inception_score", "augment"),
)
LOWER_IS_BETTER = ("fid", "kid")

D_WORDS = frozenset({"d", "disc", "discriminator", "discrim", "dis", "critic"})
G_WORDS = frozenset({"g", "gen", "generator"})
LOSS_WORDS = frozenset({"loss", "losses", "err", "error", "cost", "objective"})
REAL_WORDS = frozenset({"real", "reals"})
FAKE_WORDS = frozenset({"fake", "fakes", "generated"})
OUTPUT_WORDS = frozenset(
    {"score", "scores", "logit", "logits", "output", "out", "prob", "probability", "probs", "pred"}
)
LOGIT_WORDS = frozenset({"logit", "logits", "scores"})  # outputs that are never probabilities
QUALITY_WORDS = {"fid": "fid", "frechet": "fid", "fd": "fid", "kid": "kid"}
QUALITY_MODIFIERS = frozenset(
    {"k", "samples", "inception", "distance", "test", "eval", "val", "valid", "score", "clean"}
)
IGNORED_WORDS = frozenset(
    {"adv", "adversarial", "gan", "total", "train", "training", "mean", "avg", "average", "epoch", "running", "batch"}
    | {"step", "iter", "per", "scalar", "scalars", "log", "logs", "metric", "metrics", "model", "stats", "player"}
    | {"of", "net", "network", "full", "value", "current"}
)
UNIT = re.compile(
    r"\s*[\[(](?:nats?|bits?|its?|iters?|iterations?|steps?|epochs?|batch(?:es)?|%|-|a\.?u\.?|mean|avg)[\])]\s*$",
    re.IGNORECASE,
)
COMPOUNDS = {"netd": ("d",), "netg": ("g",), "dx": ("d", "x"), "dgz": ("d", "g", "z")} | {
    compound: ("loss", player)
    for player in "dg"
    for word in ("loss", "err")
    for compound in (f"{word}{player}", f"{player}{word}")
}


@lru_cache(maxsize=4096)
def canonical_name(raw: str) -> str | None:
    """Return the canonical name of a logged quantity, None if it is unknown or only a part of a known one.

    Example:
        >>> canonical_name("Loss/D/loss"), canonical_name("errG"), canonical_name("D_real_loss")
        ('loss_d', 'loss_g', None)
    """
    if raw in CANONICAL_NAMES:
        return raw
    words = split_words(bare_name(raw))
    name = _match_output(words) or _match_quality(words) or _match_player_signal(words) or _match_adversarial(words)
    return name or ("augment" if words[-2:] in (["progress", "augment"], ["ada", "p"]) else None)


def bare_name(raw: str) -> str:
    """Return a name without its unit, `loss_d [nats]`, and without the run that Weights & Biases puts before it."""
    return UNIT.sub("", raw.rsplit(" - ", 1)[-1])


def split_words(raw: str) -> list[str]:
    """Split a name into lower-case words: `Loss/D/loss`, `errD_real` and `lossG` alike. In `l_d_real`, `l` is "loss"."""
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", raw)]
    words = [part for word in words for part in COMPOUNDS.get(word, (word,))]
    return ["loss" if word == "l" and after in ("d", "g") else word for word, after in zip_longest(words, words[1:])]


def _match_player_signal(words: list[str]) -> str | None:
    """Match a player's whole loss, accuracy, AUC or gradient norm; a further word may mean a part of it: no match."""
    meaningful = set(words) - IGNORED_WORDS
    players = meaningful & (D_WORDS | G_WORDS)
    player = "d" if players and players <= D_WORDS else "g" if players and players <= G_WORDS else None
    if player is None:
        return None
    quantity = meaningful - players
    if quantity and quantity <= LOSS_WORDS:
        return f"loss_{player}"
    if quantity == {"auc"} or (quantity and quantity <= {"acc", "accuracy"}):
        return ("auc_d" if quantity == {"auc"} else "accuracy_d") if player == "d" else None
    return f"grad_norm_{player}" if quantity in ({"grad", "norm"}, {"gradient", "norm"}, {"gradnorm"}) else None


def _match_adversarial(words: list[str]) -> str | None:
    """Match the adversarial part of G's loss, named so beside other parts: `G_GAN`. It is what D's loss answers to."""
    return "loss_g" if len(words) == 2 and set(words) in ({"g", "gan"}, {"g", "adv"}) else None


def _match_output(words: list[str]) -> str | None:
    """Match D's output, or its sign, on real or on generated samples; never a loss on one of them."""
    meaningful = [word for word in words if word not in IGNORED_WORDS and not word.isdigit()]
    if meaningful in (["d", "x"], ["d", "g", "z"]):
        return "d_real" if meaningful == ["d", "x"] else "d_fake"
    kinds = set(meaningful)
    side = "real" if kinds & REAL_WORDS else "fake" if kinds & FAKE_WORDS else None
    quantity = kinds - REAL_WORDS - FAKE_WORDS - D_WORDS - LOSS_WORDS
    if side is None or (kinds & REAL_WORDS and kinds & FAKE_WORDS):
        return None
    if quantity and quantity <= {"sign", "signs"}:
        return f"sign_{side}"
    if kinds & LOSS_WORDS and not kinds & {"scores", "logits"}:  # StyleGAN files scores under "Loss/"
        return None
    if quantity and quantity <= OUTPUT_WORDS:
        return f"score_{side}" if quantity & LOGIT_WORDS else f"d_{side}"
    return f"d_{side}" if not quantity and kinds & D_WORDS else None


def _match_quality(words: list[str]) -> str | None:
    """Match a quality score of the current generator; not a running best, nor a standard deviation."""
    meaningful = [word for word in words if word not in IGNORED_WORDS and not word.isdigit()]
    kinds = set(meaningful) - QUALITY_MODIFIERS
    if len(kinds) == 1 and (name := QUALITY_WORDS.get(next(iter(kinds)))):
        return name
    core = [word for word in words if word not in ("k", "mean", "full") and not word.isdigit()]
    is_score = core[-1:] == ["is"] and not kinds - {"is"}
    return "inception_score" if is_score or (not kinds and {"inception", "score"} <= set(meaningful)) else None
