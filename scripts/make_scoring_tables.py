"""Writes the tables of docs/scoring.md from the committed scores: `python scripts/make_scoring_tables.py`."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "scoring.md"
REFERENCE = ROOT / "results" / "reference"
SCORES, ELSEWHERE, PICTURES = REFERENCE / "failures", REFERENCE / "elsewhere", REFERENCE / "failures-pictures"
END = "<!-- end -->"
RULES = ("heuristic", "literature")  # of thumb and of the literature
QUESTIONS = {"now": "State", "end": "Forecast"}


def zoo_tables() -> str:
    """Return the zoo's tables as Markdown, of the held-out part."""
    remedies = pd.read_csv(SCORES / "treat" / "summary.csv")
    return "\n\n".join([*_score_tables(SCORES / "score"), _remedies(remedies)])


def elsewhere_tables() -> str:
    """Return the tables of runs that are not in the zoo."""
    return "\n\n".join(_score_tables(ELSEWHERE / "score"))


def picture_tables() -> str:
    """Return the tables of runs on pictures."""
    return "\n\n".join(_score_tables(PICTURES / "score"))


SECTIONS = {
    "<!-- figures -->": zoo_tables,
    "<!-- pictures -->": picture_tables,
    "<!-- elsewhere -->": elsewhere_tables,
}


def fill(page: str) -> str:
    """Return the page with its tables rewritten."""
    for begin, tables in SECTIONS.items():
        before, rest = page.split(begin)
        page = f"{before}{begin}\n{tables()}\n{END}{rest.partition(END)[2]}"
    return page


def _score_tables(folder: Path) -> list[str]:
    score = pd.read_csv(folder / "score.csv")
    held_out = score[score["part"] == "held-out"]
    parts = [_aurocs(held_out[held_out["horizon"] == horizon], title) for horizon, title in QUESTIONS.items()]
    verdicts, stopping = (pd.read_csv(folder / f"{name}.csv") for name in ("verdicts", "stopping"))
    return [*parts, _findings(held_out), _verdicts(verdicts), _stopping(stopping)]


def _aurocs(score: pd.DataFrame, title: str) -> str:
    """A line for each failure: the AUROC with its interval at each fraction, and the best of the rules."""
    fractions = sorted(score["fraction"].unique())
    lines = [f"**{title}: AUROC on the held-out part**, 95 % interval; below it the best of the rules.", ""]
    lines += ["| failure | " + " | ".join(f"{f:.0%}" for f in fractions) + " | runs with it |"]
    lines += ["|---" * (len(fractions) + 2) + "|"]
    for diagnosis, rows in score.groupby("diagnosis", sort=False):
        mine = rows[rows["diagnoser"] == "ganbench"].set_index("fraction")
        best_rule = rows[rows["diagnoser"].str.startswith(RULES)].groupby("fraction")["auroc"].max()
        cells = [_cell(mine.loc[f], best_rule.get(f)) for f in fractions]
        n = mine.loc[fractions[-1]]
        lines.append(
            f"| `{diagnosis}` | {' | '.join(cells)} | {n.n_positive:.0f} of {n.n_positive + n.n_negative:.0f} |"
        )
    return "\n".join(lines)


def _cell(mine: pd.Series, rule: float) -> str:
    if pd.isna(mine["auroc"]):
        return "–"
    return f"**{mine['auroc']:.3f}** ({mine['auroc_low']:.2f}–{mine['auroc_high']:.2f})<br>{rule:.2f}"


def _findings(score: pd.DataFrame) -> str:
    rows = score[(score["diagnoser"] == "ganbench") & (score["horizon"] == "now") & (score["fraction"] == 1.0)]
    lines = ["**Findings of severity `failure`, held-out part**", ""]
    lines += [
        "| failure | precision | recall | false alarms per whole healthy run | latency |",
        "|---|---|---|---|---|",
    ]
    for row in rows.itertuples():
        cells = (_number(value) for value in (row.precision, row.recall, row.false_alarm_rate, row.latency))
        lines.append(f"| `{row.diagnosis}` | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _verdicts(table: pd.DataFrame) -> str:
    macro = table[table["verdict"] == "macro"].pivot(index="diagnoser", columns="part", values="f1")
    parts = [part for part in ("held-out", "development") if part in macro]
    lines = [
        "**Final verdicts: macro-F1**",
        "",
        f"| diagnoser | {' | '.join(parts)} |",
        "|---" * (len(parts) + 1) + "|",
    ]
    lines += [f"| {d} | {' | '.join(_number(r[part]) for part in parts)} |" for d, r in macro.iterrows()]
    return "\n".join(lines)


def _stopping(table: pd.DataFrame) -> str:
    parts = ["held-out", "all"] if "development" in set(table["part"]) else ["all"]
    lines = ["**Stopping at the first certain finding**", ""]
    lines += ["| diagnoser | part | compute of failed runs saved | healthy runs stopped |", "|---|---|---|---|"]
    for row in table[
        table["diagnoser"].isin(["ganbench", "always fail"]) | table["diagnoser"].str.startswith(RULES)
    ].itertuples():
        if row.part in parts:
            lines.append(
                f"| {row.diagnoser} | {row.part} | {row.saved:.0%} of {row.n_failed} "
                f"| {row.healthy_stopped:.1%} of {row.n_healthy} |"
            )
    return "\n".join(lines)


def _remedies(summary: pd.DataFrame) -> str:
    lines = ["**Remedies tried**: `ganbench treat results/failures`", ""]
    lines += ["| arm | failure | runs | cured (harmed, of healthy ones) | 95 % interval |", "|---|---|---|---|---|"]
    for row in summary.itertuples():
        lines.append(f"| {row.arm} | {row.diagnosis} | {row.n} | {row.rate:.0%} | {row.low:.0%}–{row.high:.0%} |")
    return "\n".join(lines)


def _number(value: float) -> str:
    return "–" if pd.isna(value) else f"{value:.2f}"


if __name__ == "__main__":
    PAGE.write_text(fill(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
