"""Laws of what counts, for random dirty exports: every row is a record or set aside once, and plain Python counts the same."""

from __future__ import annotations

import csv
import io
from collections import Counter, defaultdict
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from revplan.crm.answer import check_crm

few = settings(deadline=None, max_examples=40)
Row = tuple[str, ...]

WIDE = """\
format: wide
files: {d: {path: d.csv, id: id}}
stages: {lead: d.created, won: {at: d.closed, field: d.stage, is: Won}}
lost: {at: d.closed, field: d.stage, is: Lost}
amount: d.amount
except: {d.deleted: "true"}
bad_values: set_aside
"""
HEADER = ("id", "created", "closed", "stage", "amount", "deleted")
PRESENT = [("won", "2024-01-01", "2024-01-05", "Won", "1", ""), ("lost", "2024-01-01", "2024-01-05", "Lost", "1", "")]

LOG = """\
format: history
path: d.csv
id: id
at: at
value: stage
stages: {new: New, offer: Offer, won: Won}
lost: Lost
"""
CHANGES = [("won", "2024-01-01", stage) for stage in ("New", "Offer", "Won")] + [
    ("lost", "2024-01-01", "Lost"),
    ("lost", "2024-01-01", "New"),
]

days = st.one_of(st.sampled_from(["", "soon", "2024-13-45"]), st.integers(1, 28).map(lambda n: f"2024-02-{n:02d}"))
row = st.tuples(
    days,
    days,
    st.sampled_from(["Won", "Lost", "Open", "won"]),
    st.sampled_from(["", "5", "1,200.50", "-3", "many"]),
    st.sampled_from(["", "", "1", "false"]),
)
change = st.tuples(
    st.sampled_from(["A", "B", "C", "D"]),
    st.one_of(st.just(""), st.integers(1, 9).map(lambda n: f"2024-02-{n:02d}")),
    st.sampled_from(["New", "Offer", "Won", "Lost", "Nurture"]),
)


def counted(crm: str, header: Row, rows: list[Row]) -> dict[str, Any]:
    """What `revplan check --json` says of these rows."""
    text = io.StringIO()
    csv.writer(text).writerows([header, *rows])
    with TemporaryDirectory() as folder:
        (Path(folder) / "crm.yaml").write_text(crm, encoding="utf-8")
        (Path(folder) / "d.csv").write_text(text.getvalue(), encoding="utf-8")
        return check_crm(Path(folder) / "crm.yaml")[0]


def figures(found: dict[str, Any]) -> dict[str, Any]:
    """The figures of an answer, which no order of rows may change; without an id a last row is told to lie below the table."""
    aside: Counter[str] = Counter()
    for each in found["set_aside"]:
        aside[each["why"].replace("rows below the table", "no id")] += each["count"]
    names = ("records", "entered", "open", "lost", "closed_without_day", "amount_won")
    return {**{name: found[name] for name in names}, "aside": aside}


def is_bad(text: str, good: str) -> bool:
    return text not in ("", good) and text in ("soon", "2024-13-45", "many")


def by_hand(rows: list[Row]) -> dict[str, Any]:
    """The counts of a wide table, row by row."""
    seen: set[Row] = set()
    found: Counter[str] = Counter()
    amount = 0.0
    for each in rows:
        name, created, closed, stage, worth, deleted = each
        bad = any(is_bad(cell, "") for cell in (created, closed, worth))
        won, lost = stage.casefold() == "won", stage == "Lost"
        if not name or deleted == "1" or each in seen:
            found["aside"] += 1
            continue
        seen.add(each)
        if bad or not (created or (won and closed)):
            found["aside"] += 1
            continue
        found["records"] += 1
        found["won"] += won and closed != ""
        found["lost"] += lost and closed != ""
        found["undated"] += (won or lost) and not closed
        found["open"] += not (won or lost)
        if won and closed and worth:
            amount += float(worth.replace(",", ""))
    return {**found, "amount": amount}


@few
@given(
    dirty=st.lists(row, max_size=14),
    again=st.lists(st.integers(0, 13), max_size=4),
    nameless=st.lists(row, max_size=2),
    seed=st.integers(0, 99),
)
def test_every_row_counts_once_and_as_plain_python_counts_it(
    dirty: list[Row], again: list[int], nameless: list[Row], seed: int
) -> None:
    rows = [*PRESENT, *((f"r{n}", *cells) for n, cells in enumerate(dirty)), *(("", *cells) for cells in nameless)]
    rows += [rows[2 + n] for n in again if n < len(dirty)]
    found = counted(WIDE, HEADER, rows)
    expected = Counter(by_hand(rows))
    assert (
        found["records"] + sum(each["count"] for each in found["set_aside"]) == len(rows) == found["files"][0]["rows"]
    )
    assert found["records"] == expected["records"]
    assert found["entered"] == {"lead": expected["records"], "won": expected["won"]}
    assert (found["lost"], found["open"], found["closed_without_day"]) == (
        expected["lost"],
        expected["open"],
        expected["undated"],
    )
    assert abs(found["amount_won"] - expected["amount"]) < 1e-6
    order, mixed = Random(seed).sample(range(len(HEADER)), len(HEADER)), Random(seed).sample(rows, len(rows))
    permuted = counted(WIDE, tuple(HEADER[n] for n in order), [tuple(each[n] for n in order) for each in mixed])
    assert figures(permuted) == figures(found)


def log_by_hand(rows: list[Row]) -> dict[str, int]:
    """The counts of a log, record by record: first entries, the last closing state, closed on no day."""
    stages = ("New", "Offer", "Won")
    records: dict[str, list[Row]] = defaultdict(list)
    for each in rows:
        records[each[0]].append(each)
    found: Counter[str] = Counter()
    for changes in records.values():
        moves = [(stages.index(stage), at) for _, at, stage in changes if at and stage in stages]
        if not moves:
            continue
        found["records"] += 1
        latest = max(at for _, at in moves)
        losses = [at for _, at, stage in changes if at and stage == "Lost" and at >= latest]
        undoing = max([*losses, *(at for number, at in moves if number < 2)], default="")
        wins = [at for number, at in moves if number == 2 and at >= undoing]
        kept = [(number if number < 2 or at in wins else 1, at) for number, at in moves]  # a win undone was an offer
        for number, stage in enumerate(stages):
            found[stage] += any(other >= number for other, _ in kept)
        lost = bool(losses) and not wins
        found["lost"] += lost
        closed = any(not at and stage in ("Won", "Lost") for _, at, stage in changes)
        found["undated"] += closed and not wins and not lost
        found["open"] += not (closed or wins or lost)
    return found


@few
@example(changes=[("A", "2024-02-01", "Won"), ("A", "2024-02-05", "Lost")], seed=1)
@given(changes=st.lists(change, max_size=24), seed=st.integers(0, 99))
def test_a_log_is_counted_as_plain_python_counts_it(changes: list[Row], seed: int) -> None:
    rows = [*CHANGES, *changes]
    found = counted(LOG, ("id", "at", "stage"), rows)
    expected = Counter(log_by_hand(rows))
    assert found["records"] == expected["records"]
    assert found["entered"] == {"new": expected["New"], "offer": expected["Offer"], "won": expected["Won"]}
    assert (found["lost"], found["open"], found["closed_without_day"]) == (
        expected["lost"],
        expected["open"],
        expected["undated"],
    )
    assert found["entered"]["won"] + found["lost"] + found["open"] + found["closed_without_day"] == found["records"]
    assert figures(counted(LOG, ("id", "at", "stage"), Random(seed).sample(rows, len(rows)))) == figures(found)
