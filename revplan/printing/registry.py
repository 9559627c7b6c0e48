"""The number registry: every figure of a report by its id, held against itself before anything is printed.

A report is not printed if one id shows two values, if a figure lacks its period or its basis, if parts do not
add up to their total as displayed, or if a share of a whole exceeds 100 %. A report whose exhibits all register
every figure (the board pack does) is not printed either if a number of a sentence, a fact or a table has no id;
notes below an exhibit are free to quote what they like. The others register the figures that their exhibits share.
"""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Any

from revplan.ground.errors import Fault, ReportError, shown
from revplan.ground.formats import MINUS, MISSING, show
from revplan.ground.tables import NUMERIC

DAY = re.compile(r"\d{1,2} [A-Z][a-z]{2} \d{4}")
QUARTERS = ("Q1", "Q2", "Q3", "Q4")

Described = dict[str, Any]
"""An exhibit or a figure as `raw` writes it."""


def registry(exhibits: Sequence[Described]) -> dict[str, Described]:
    """Every figure of `exhibits` by its id; empty where a report registers none.

    Raises
    ------
    ReportError
        With every disagreement: which figure, and where.
    """
    if not any(exhibit["figures"] for exhibit in exhibits):
        return {}
    whole = all(exhibit.get("complete", True) for exhibit in exhibits)
    faults = [fault for exhibit in exhibits for fault in _faults(exhibit, whole=whole)]
    faults += [*_disagreements(exhibits), *_quarters_missing_the_year(exhibits)]
    if faults:
        raise ReportError(faults)
    return {figure["id"]: figure for exhibit in exhibits for figure in exhibit["figures"]}


def displayed(text: str) -> float:
    """A number as it is displayed, read back: 1,234 is 1234, 18.5% is 18.5; nothing is 0."""
    if text == MISSING:
        return 0.0
    return float(text.replace(",", "").replace(MINUS, "-").replace("∞", "inf").rstrip("%"))


def _place(exhibit: Described) -> str:
    return f"{exhibit['kind']} {shown(exhibit['message'])!r}"


def _faults(exhibit: Described, *, whole: bool) -> Iterator[Fault]:
    place = _place(exhibit)
    if whole and not exhibit["registered"]:
        yield Fault(place, "states a number that is no figure; make the sentence with `say`")
    yield from (Fault(place, problem) for problem in (_unregistered(exhibit) if whole else ()))
    for figure in exhibit["figures"]:
        yield from (Fault(f"{place}, {figure['id']}", problem) for problem in _problems(figure, exhibit["definitions"]))
    yield from (Fault(place, problem) for problem in _totals(exhibit))


def _unregistered(exhibit: Described) -> Iterator[str]:
    if exhibit.get("lined"):
        return  # its sentences say what they quote, and are looked at as its message is
    if exhibit["kind"] == "text":
        texts = {figure["text"] for figure in exhibit["figures"]}
        for label, value in exhibit["shown"]:
            if re.search(r"\d", value) and value not in texts and not DAY.fullmatch(value):
                yield f"{label}: {value!r} is no figure"
        return
    registered = {(figure["row"], figure["column"]) for figure in exhibit["figures"]}
    for at, column in enumerate(exhibit["columns"]):
        lacking = [
            n for n, row in enumerate(exhibit["rows"]) if row[at] is not None and (n, column["name"]) not in registered
        ]
        if column["kind"] in NUMERIC and lacking:
            yield f"column {column['name']!r} holds numbers that are no figures"


def _problems(figure: Described, definitions: Described) -> Iterator[str]:
    if not figure["period"]:
        yield "says no period"
    if not figure["basis"]:
        yield "says no basis"
    whole = definitions[figure["measure"]]["at_most_one"]
    if whole and figure["value"] is not None and figure["value"] > 1 + 1e-9:
        yield f"is a share of a whole and comes to {show(figure['value'], 'share')}"


def _totals(exhibit: Described) -> Iterator[str]:
    """Columns of which the parts, as displayed, do not add up to the total as displayed."""
    if exhibit["totals"] != 1 or not exhibit["shown"]:
        return
    additive = {
        figure["column"] for figure in exhibit["figures"] if exhibit["definitions"][figure["measure"]]["additive"]
    }
    for at, column in enumerate(exhibit["columns"]):
        if column["name"] in additive:
            parts = sum(displayed(row[at]) for row in exhibit["shown"][:-1])
            total = displayed(exhibit["shown"][-1][at])
            if not math.isclose(parts, total, abs_tol=1e-6):
                yield f"column {column['name']!r}: the parts add up to {parts:,.10g}, the total says {total:,.10g}"


def _disagreements(exhibits: Sequence[Described]) -> Iterator[Fault]:
    """Ids that stand for two values."""
    stands: dict[str, tuple[Described, Described]] = {}
    for exhibit in exhibits:
        for figure in exhibit["figures"]:
            other, at = stands.setdefault(figure["id"], (figure, exhibit))
            if not _same(figure, other):
                said = f"is {figure['text']} ({figure['value']}) here and {other['text']} ({other['value']}) in {_place(at)}"
                yield Fault(f"{_place(exhibit)}, {figure['id']}", said)


def _same(figure: Described, other: Described) -> bool:
    """Whether a reader of a table sees the same value."""
    if figure["value"] is None or other["value"] is None:
        return figure["value"] is other["value"]
    if _rounded(figure) == _rounded(other):  # 47% and 47.0% are one
        return True
    return math.isclose(figure["value"], other["value"], rel_tol=1e-9, abs_tol=1e-9)


def _quarters_missing_the_year(exhibits: Sequence[Described]) -> Iterator[Fault]:
    """Additive figures whose four quarters, as displayed, do not add up to the year."""
    by_period: dict[tuple[str, str, str], dict[str, Described]] = defaultdict(dict)
    for exhibit in exhibits:
        for figure in exhibit["figures"]:
            if exhibit["definitions"][figure["measure"]]["additive"]:
                by_period[figure["measure"], str(figure["of"]), figure["basis"]][figure["period"]] = figure
    for periods in by_period.values():
        for year, whole in periods.items():
            parts = [periods.get(f"{year}-{quarter}") for quarter in QUARTERS]
            if all(parts):
                # Small amounts are shown with more decimals the smaller they are: the sum is told like the year.
                added = displayed(show(sum(_rounded(part) for part in parts if part), whole["kind"]))
                if not math.isclose(added, _rounded(whole), abs_tol=1e-6):
                    yield Fault(whole["id"], f"is {_rounded(whole):,.10g}, but its quarters add up to {added:,.10g}")


def _rounded(figure: Described) -> float:
    return displayed(show(figure["value"], figure["kind"]))
