"""What a signed plan commits to, by quarter, source and stage, and what the plan says now.

The page a signed folder opens with: what was signed, by whom, in plain words.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from revplan.ground.calendar import quarter_id
from revplan.ground.escaping import markdown
from revplan.ground.formats import MISSING, commitment, compact, largest_remainder, listed, plural, show
from revplan.ground.tables import conform
from revplan.record.signed import CONTENTS, NO_HASH, Signature
from revplan.workbook.signing import ceiling_words, chance_words, reaching_words, simulation_notes
from revplan.workbook.workbook import Workbook

KEYS = ["quarter", "source", "stage"]


def commitments_table(book: Workbook) -> pd.DataFrame:
    """Table commitments: committed entries from the plan date to the end of the year, and those at the confidence."""
    first = book.plan.first_month
    rows = book.funnel[(book.funnel["commit"] > 0) & (book.funnel["month"] <= book.plan.months[-1])]
    index = (pd.PeriodIndex(rows["month"], freq="M").asi8 - first.ordinal) // 3
    rows = rows.assign(quarter=index, source=rows["source"].astype(str), stage=rows["stage"].astype(str))
    sums = rows.groupby(KEYS)["commit"].sum().reset_index()
    order = {name: number for number, name in enumerate((*book.plan.sources, *book.plan.stage_ids))}
    sums = sums.sort_values(KEYS, key=lambda column: column.map(order) if column.name != "quarter" else column)
    ids = [quarter_id(number, first) for number in sums["quarter"]]
    scale = float("nan") if book.to_sign.scale is None else book.to_sign.scale
    quarters = pd.Series(ids, index=sums.index, dtype="str")
    return conform(sums.assign(quarter=quarters, signed=sums["commit"] * scale), "commitments")


MET = 0.005  # share of the goal that may be missing in expectation and the goal still count as met

FILES = {
    "inputs/": "the plan file and every file it names, as they were (the plan with the confidence it was signed at)",
    "results/plan.json, results/simulate.json": "all results, as `revplan plan` and `revplan simulate` gave them",
    "results/*.csv": "stages, quarters, budget and commitments (entries by quarter, source and stage)",
    "signature.json": "who signed what, when, and with which code",
    "requirements.lock": "the packages the code was tested with, where it ran from a checkout",
    CONTENTS: "every file with its SHA-256",
}


def signed_lines(signature: Signature, book: Workbook) -> tuple[str, ...]:
    """What is doubtful, goal, what was signed, the expected commit, and what a reader must know of it, one sentence each."""
    bridge, money, title = book.year.bridge, book.plan.currency, book.plan.titles[signature.stage]
    goal = f"{compact(bridge.new_arr, money)} new ARR in the year that begins {show(book.plan.first_month, 'month')}"
    if bridge.opening_arr is not None and bridge.closing_arr is not None:
        goal += f", from {compact(bridge.opening_arr, money)} to {compact(bridge.closing_arr, money)}"
    signed = reaching_words(signature.signed, title, signature.confidence)
    stands = "; the expected commit stands" if signature.signed is None else ""
    return (
        *(f"Look at this first: {line}" for line in book.doubts),
        f"Goal: {goal}.",
        f"Signed: {signed}{stands}.",
        f"{chance_words(signature.commit, title, signature.chance_of_goal)}; in expectation it {_brings(book)}.",
        f"{ceiling_words(book.to_sign)}.",
        *simulation_notes(book.simulation),
    )


def _brings(book: Workbook) -> str:
    """What the commit brings in expectation, of a goal that it may miss."""
    found, money = book.simulation, book.plan.currency
    mean, goal = found.outcome.mean.value, found.view.goal
    if mean >= (1 - MET) * goal:
        return "reaches the goal"
    return f"brings {compact(mean, money)} of the {compact(goal, money)}"


def summary(signature: Signature, book: Workbook) -> str:
    """The README of a signed folder, with zeros where its content hash goes."""
    queries = f"\nNot frozen, because a database gives it: {markdown(', '.join(signature.queries))}.\n"
    versions = signature.versions
    parts = [
        f"# Plan of record: {markdown(signature.plan)}",
        f"Signed by {markdown(listed(signature.by))} on {show(signature.on, 'date')}. "
        f"The plan was made on {show(signature.plan_date, 'date')}.",
        _listed(map(markdown, signed_lines(signature, book))),
        "## In every stage",
        _stages(signature, book),
        "## By quarter and source",
        _sources(signature, book),
        "## What lies here",
        _listed(f"`{name}`: {what}" for name, what in FILES.items()) + (queries if signature.queries else ""),
        f"Computed with revplan {versions.revplan} (code {versions.code[:12]}) on Python {versions.python}.",
        "## Whether it is unchanged",
        f"`sha256sum -c {CONTENTS}` checks every file but this page, and `revplan diff` checks all before it compares.\n"
        f"The content hash is the SHA-256 of `{CONTENTS}`; whoever has it from elsewhere can prove this folder:",
        f"    {NO_HASH}",
    ]
    return "\n\n".join(parts) + "\n"


def _listed(lines: Iterable[str]) -> str:
    return "\n".join(f"- {line}" for line in lines)


def _grid(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table, its first column to the left, the others to the right."""
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _stages(signature: Signature, book: Workbook) -> str:
    names, sure = book.plan.titles, show(signature.confidence, "share")
    scale = signature.scale
    rows = [
        (
            f"**{markdown(names[stage])}** (signed for)" if stage == signature.stage else markdown(names[stage]),
            show(commit, "commitment"),
            MISSING if scale is None else show(scale * commit, "commitment"),
        )
        for stage, commit in zip(book.stages["stage"], book.stages["commit"], strict=True)
    ]
    return _grid(["entries in the year", "expected commit", f"signed, {sure} sure"], rows)


def _sources(signature: Signature, book: Workbook) -> str:
    """Entries at the signed stage; of a source that enters later, where it enters."""
    value = "commit" if signature.scale is None else "signed"
    commitments = commitments_table(book)
    order = book.plan.stage_ids
    counted = {name: max(signature.stage, book.plan.entry_stage(name), key=order.index) for name in book.plan.sources}
    rows = commitments[commitments["stage"] == commitments["source"].map(counted)]
    wide = rows.pivot(index="source", columns="quarter", values=value).fillna(0.0)
    wide = wide.reindex([name for name in counted if name in wide.index])
    shown = _whole(wide, pd.Series(counted)[wide.index], book)
    heads = ["entries", *map(book.plan.period_label, wide.columns), "year"]
    names, inside = book.plan.titles, _in_year(wide, book)
    lines = [
        [
            f"{markdown(name)} ({markdown(plural(names[counted[name]]))})",
            *(f"{cell:,.0f}" for cell in row),
            f"{row[inside].sum():,.0f}",
        ]
        for name, row in zip(wide.index, shown, strict=True)
    ]
    return _grid(heads, lines) if lines else "Nothing is to be delivered: what exists already covers the goal."


def _in_year(wide: pd.DataFrame, book: Workbook) -> np.ndarray:
    """Which of the quarters lie in the fiscal year."""
    return np.array([label in set(book.quarters["quarter"]) for label in wide.columns], dtype=bool)


def _whole(wide: pd.DataFrame, counted: pd.Series, book: Workbook) -> np.ndarray:
    """Whole entries; those of the year add up to the year of their stage rounded up."""
    shown, inside = np.array(wide.map(commitment), dtype=float), _in_year(wide, book)
    for stage in counted.unique():
        block = np.ix_((counted == stage).to_numpy(), inside)
        cells = wide.to_numpy()[block]
        shown[block] = largest_remainder(cells.ravel(), commitment(cells.sum())).reshape(cells.shape)
    return shown
