"""The many names of a quantity in logs, and ours.

Ours: `loss_d`, `loss_g`; D's mean output on reals and on generated samples as probabilities `d_real`, `d_fake`, or as
`score_real`, `score_fake` where they are none; the mean of its sign `sign_real`, `sign_fake`; `auc_d`, `accuracy_d`;
`grad_norm_d`, `grad_norm_g`; `fid`, `kid` and `inception_score`; `augment`, the strength of adaptive augmentation.
"""

from __future__ import annotations

import re
from functools import lru_cache

FUSED = {"netd": ("d",), "netg": ("g",), "dx": ("d", "x"), "dgz": ("d", "g", "z")} | {
    fused: ("loss", player)
    for player in "dg"
    for word in ("loss", "err")
    for fused in (f"{word}{player}", f"{player}{word}")
}
D = frozenset({"d", "disc", "discriminator", "discrim", "dis", "critic"})
G = frozenset({"g", "gen", "generator"})
LOSS = frozenset({"loss", "losses", "err", "error", "cost", "objective"})
NEUTRAL = frozenset(
    {"adv", "adversarial", "gan", "total", "train", "training", "mean", "avg", "average", "epoch", "running", "batch"}
    | {"step", "iter", "per", "scalar", "scalars", "log", "logs", "metric", "metrics", "model", "stats", "player"}
    | {"of", "net", "network", "full", "value", "current"}
)
JUDGED = frozenset({"score", "scores", "logit", "logits", "output", "out", "prob", "probability", "probs", "pred"})
NEVER_PROBABILITIES = frozenset({"logit", "logits", "scores"})
REAL, FAKE = frozenset({"real", "reals"}), frozenset({"fake", "fakes", "generated"})
QUALITY = {"fid": "fid", "frechet": "fid", "fd": "fid", "kid": "kid"}
COUNTS = frozenset({"k", "samples", "inception", "distance", "test", "eval", "val", "valid", "score", "clean"})
LOWER_IS_BETTER = ("fid", "kid")

KNOWN = (
    *("loss_d", "loss_g", "d_real", "d_fake", "score_real", "score_fake", "sign_real", "sign_fake", "auc_d"),
    *("accuracy_d", "grad_norm_d", "grad_norm_g", "fid", "kid", "inception_score", "augment"),
)


@lru_cache(maxsize=4096)
def our_name(raw: str) -> str | None:
    """What we call what a log calls `raw`; None where it is nothing that we know, or a part of it alone."""
    if raw in KNOWN:
        return raw
    words = _words(raw.rsplit(" - ", 1)[-1])  # Weights & Biases exports "run - name"
    name = _judgement(words) or _quality(words) or _of_a_player(words)
    return name or ("augment" if words[-2:] in (["progress", "augment"], ["ada", "p"]) else None)


def _words(raw: str) -> list[str]:
    """The lower-case words of a name: `Loss/D/loss`, `errD_real` and `lossG` alike."""
    words = [word.lower() for word in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", raw)]
    return [part for word in words for part in FUSED.get(word, (word,))]


def _of_a_player(words: list[str]) -> str | None:
    """A whole loss, accuracy or gradient norm of one player. One word too many, and it may be a part of it."""
    said = set(words) - NEUTRAL
    players = said & (D | G)
    player = "d" if players and players <= D else "g" if players and players <= G else None
    if player is None:
        return None
    what = said - players
    if what and what <= LOSS:
        return f"loss_{player}"
    if what == {"auc"} or (what and what <= {"acc", "accuracy"}):
        return ("auc_d" if what == {"auc"} else "accuracy_d") if player == "d" else None
    return f"grad_norm_{player}" if what in ({"grad", "norm"}, {"gradient", "norm"}, {"gradnorm"}) else None


def _judgement(words: list[str]) -> str | None:
    """D's output or its sign, on reals or on generated samples; never a loss on one of them."""
    said = [word for word in words if word not in NEUTRAL and not word.isdigit()]
    if said in (["d", "x"], ["d", "g", "z"]):
        return "d_real" if said == ["d", "x"] else "d_fake"
    kinds = set(said)
    side = "real" if kinds & REAL else "fake" if kinds & FAKE else None
    what = kinds - REAL - FAKE - D - LOSS
    if side is None or (kinds & REAL and kinds & FAKE):
        return None
    if what and what <= {"sign", "signs"}:
        return f"sign_{side}"
    if kinds & LOSS and not kinds & {"scores", "logits"}:  # StyleGAN files scores under "Loss/"
        return None
    if what and what <= JUDGED:
        return f"score_{side}" if what & NEVER_PROBABILITIES else f"d_{side}"
    return f"d_{side}" if not what and kinds & D else None


def _quality(words: list[str]) -> str | None:
    """A score of the generator's quality now; not the best so far, nor its spread."""
    said = [word for word in words if word not in NEUTRAL and not word.isdigit()]
    kinds = set(said) - COUNTS
    if len(kinds) == 1 and (name := QUALITY.get(next(iter(kinds)))):
        return name
    core = [word for word in words if word not in ("k", "mean", "full") and not word.isdigit()]
    inception = core[-1:] == ["is"] and not kinds - {"is"}
    return "inception_score" if inception or (not kinds and {"inception", "score"} <= set(said)) else None
