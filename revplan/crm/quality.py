"""Data quality: what looks wrong in records that can be read, each finding counted, with an example. Nothing is changed here.

Every function looks at one kind of finding and answers with the lines of the report, or none.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from difflib import get_close_matches
from math import ceil
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from revplan.crm.cells import UNKNOWN, Findings, counted
from revplan.ground.calendar import days_of
from revplan.ground.cohorts import Cohort, recorded_window
from revplan.ground.errors import shown
from revplan.ground.formats import show

if TYPE_CHECKING:
    from revplan.crm.moments import Moments

FEW = 20  # records or deals: fewer say nothing about what is usual
MOST = 0.5
FAR_OFF = 100  # times the median amount
BUSIEST = 3  # times the busiest other day
LATE = 31  # days between the first entry and the first recorded outcome that are worth a line
TENTH = 10  # days: ages are told, and compared, in whole tens
ALIKE = 0.85  # how alike two names are that may mean the same
EXAMPLES = 3
DATE_LIKE = re.compile(  # what Excel makes of a category such as 5-20, and days themselves
    r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)-[0-9]{2}|[0-9]{1,2}-(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}(?: .*)?",
    re.IGNORECASE,
)
PERCENT = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?= ?%?$)")

Same = Mapping[str, str]  # label -> the label it should be


# --- labels -------------------------------------------------------------------------------------------------


def squeezed(label: str) -> str:
    """`label` without spaces and without differences of case."""
    return "".join(label.split()).casefold()


def label_variants(part: str, counts: Counter[str]) -> tuple[Same, Findings]:
    """Labels that differ only in case or spacing, each with the most common way of writing it."""
    spellings: dict[str, list[str]] = {}
    for label, _ in sorted(counts.items(), key=lambda each: (-each[1], each[0])):
        spellings.setdefault(squeezed(label), []).append(label)
    same = {rare: common for common, *rares in spellings.values() for rare in rares}
    what = "labels that differ from another only in case or spacing; merge_labels: true makes them one"
    return same, counted(part, what, sum(counts[rare] for rare in same), _renamed(same, counts))


def _renamed(same: Same, counts: Counter[str]) -> str:
    pairs = [f"{shown(rare)!r} {counts[rare]:,} like {shown(common)!r}" for rare, common in same.items()]
    return _listed(pairs)


def unexpected_labels(part: str, counts: Counter[str], expected: Sequence[str]) -> tuple[Same, Findings]:
    """Labels that are not among the `expected` names, with the name each may mean; only sure ones are to be merged."""
    by_key = {squeezed(name): name for name in expected}
    strange = [label for label, _ in counts.most_common() if label != UNKNOWN and label not in set(expected)]
    same = {label: by_key[squeezed(label)] for label in strange if squeezed(label) in by_key}
    pairs = []
    for label in strange:
        close = [squeezed(label)] if label in same else get_close_matches(squeezed(label), list(by_key), 1, ALIKE)
        perhaps = f", perhaps {shown(by_key[close[0]])!r}" if close else ""
        pairs.append(f"{shown(label)!r} {counts[label]:,}{perhaps}")
    unknown = counted(part, "not among the expected names", sum(counts[label] for label in strange), _listed(pairs))
    return same, unknown


def idle_names(part: str, counts: Counter[str], expected: Sequence[str], same: Same) -> Findings:
    """Expected names that no record has: a rep without a deal belongs into every average all the same."""
    met = {same.get(label, label) for label in counts}
    idle = sorted(set(expected) - met)
    what = "expected names without any record; keep them in the denominator"
    return counted(part, what, len(idle), _listed([shown(name) for name in idle], 6))


def dates_as_labels(part: str, counts: Counter[str]) -> Findings:
    """Labels that are dates: Excel makes May-20 of the category 5-20."""
    dates = [label for label in counts if DATE_LIKE.fullmatch(label)]
    example = _listed([f"{shown(label)!r} {counts[label]:,}" for label in dates])
    what = "labels that are dates; Excel may have changed them: export as CSV again"
    return counted(part, what, sum(counts[label] for label in dates), example)


def _listed(texts: Sequence[str], most: int = EXAMPLES) -> str:
    more = f" and {len(texts) - most} more" if len(texts) > most else ""
    return "; ".join(texts[:most]) + more


# --- numbers ------------------------------------------------------------------------------------------------


def impossible_probabilities(part: str, texts: Iterable[str]) -> Findings:
    """Chances of winning over 100 % or under 0."""
    matches = [(text, PERCENT.match(text.strip())) for text in texts]
    wrong = [text for text, match in matches if match and not 0 <= float(match[0]) <= 100]
    return counted(part, "probabilities over 100 or under 0", len(wrong), _listed([shown(each) for each in wrong]))


BELOW_ZERO = "won with an amount below 0"


def wins_without_amount(won: np.ndarray, amount: np.ndarray, records: pd.Index) -> Findings:
    """Won records that say nothing about their money; every average per win misses them."""
    rows = np.flatnonzero(won & np.isnan(amount))
    return counted("amount", "won without an amount", len(rows), _first(records, rows))


def wins_below_zero(won: np.ndarray, amount: np.ndarray, count: np.ndarray | None = None) -> Findings:
    """Won records whose amount is below 0, such as credits: sums of what is won fall by them. `count` is how many each stands for."""
    rows = won & (amount < 0)
    number = np.ones(len(rows), dtype=int) if count is None else count
    return counted("amount", BELOW_ZERO, number[rows].sum(), f"{show(amount[rows] @ number[rows], 'number')} in all")


def amounts_far_off(amount: np.ndarray, records: pd.Index) -> Findings:
    """Amounts over 100 times the median of those above zero."""
    usual = float(np.median(amount[amount > 0])) if (amount > 0).any() else np.inf
    rows = np.flatnonzero(amount > FAR_OFF * usual)
    example = f"record {shown(records[rows[0]])}: {amount[rows[0]]:,.0f}, median {usual:,.0f}" if len(rows) else ""
    return counted("amount", f"over {FAR_OFF} times the median", len(rows), example)


def _first(records: pd.Index, rows: np.ndarray) -> str:
    return f"record {shown(records[rows[0]])}" if len(rows) else ""


# --- days ---------------------------------------------------------------------------------------------------


def closed_before_created(raw: Moments, stages: Sequence[str], records: pd.Index) -> Findings:
    """Records won or lost on a day before the first stage was entered, as the CRM has them."""
    entered = raw.days[:, 0]
    found = Findings()
    for name, closed in ((stages[-1], raw.entered[:, -1]), ("lost", raw.lost)):
        day = days_of(closed)
        rows = np.flatnonzero(day < entered)
        example = f"{_first(records, rows)}: {day[rows[0]]}, {stages[0]} {entered[rows[0]]}" if len(rows) else ""
        found += counted(name, f"closed before created: a day before that of {stages[0]}", len(rows), example)
    return found


def zombies(moments: Moments, as_of: date) -> Findings:
    """Open records older than any that ever closed, the longest time rounded up to whole tens of days."""
    created = np.fmin.reduce(moments.days, axis=1)
    closed = np.fmin(moments.days[:, -1], days_of(moments.lost))
    days = (closed - created)[~np.isnat(closed)].astype(int)
    is_open = np.isnat(closed) & ~np.isnat(created)
    if len(days) < FEW or not is_open.any():
        return Findings()
    longest = int(days.max())
    limit = max(TENTH, TENTH * ceil(longest / TENTH))
    ages = (np.datetime64(as_of, "D") - created[is_open]).astype(int)
    what = f"zombies: open for more than {limit} days, when none ever closed after day {longest}"
    return counted("records", what, (ages > limit).sum(), f"of {is_open.sum():,} open")


def losses_on_the_last_day(lost: np.ndarray) -> Findings:
    """Many more losses on the last day than on any other: the day of the export, not of the losses."""
    ends = days_of(lost[~np.isnat(lost)]).astype(int)
    every = np.bincount(ends - ends.min(initial=0)) if len(ends) else np.zeros(0, dtype=int)
    days, counts = (np.flatnonzero(every) + ends.min(initial=0)).astype("datetime64[D]"), every[every > 0]
    usual = int(counts[:-1].max(initial=0))
    if len(days) < 2 or counts[-1] < max(FEW / 2, BUSIEST * usual):
        return Findings()
    what = "lost on the last day; the day of the export may pose as the day they ended"
    return counted("lost", what, counts[-1], f"{days[-1]}; on no other day more than {usual:,}")


def one_instant(raw: Moments, stages: Sequence[str]) -> Findings:
    """Days that look like those of an export or a migration, not of the records."""
    found = Findings()
    for number, stage in enumerate(stages):
        at = raw.entered[:, number][~np.isnat(raw.entered[:, number])]
        if len(at) < FEW:
            continue
        middle = np.partition(at.astype("int64"), len(at) // 2)[len(at) // 2]  # what most have, the middle one has
        same = int((at.astype("int64") == middle).sum())
        if same > MOST * len(at):
            moment = str(middle.astype(at.dtype)).replace("T", " ").removesuffix(".000000")
            what = f"entered at one and the same moment of {len(at):,}; a snapshot or a migration, not history"
            found += counted(stage, what, same, moment)
    dated = (~np.isnat(raw.entered)).sum(axis=1) >= 2
    equal = dated & (np.fmin.reduce(raw.entered, axis=1) == np.fmax.reduce(raw.entered, axis=1))
    if equal.sum() > MOST * dated.sum():  # where their days are, their times of day may be
        equal &= ((raw.entered != raw.days) & ~np.isnat(raw.entered)).any(axis=1)
    if equal.sum() >= FEW and equal.sum() > MOST * dated.sum():
        what = "all stages entered in the same second; their days were filled in at once"
        found += counted("records", what, equal.sum(), f"of {dated.sum():,} with several stages")
    return found


def late_outcomes(moments: Moments, stages: Sequence[str], as_of: date) -> Findings:
    """Stages whose entries were recorded only, or but for a few, from some day on, while the records before them go back further."""
    found = Findings()
    inside = [~np.isnat(days) for days in moments.days.T]
    ages = [(np.datetime64(as_of, "D") - days).astype(np.int32) for days in moments.days.T]
    for number, stage in enumerate(stages[1:]):
        converted = np.flatnonzero(inside[number] & inside[number + 1])
        if not len(converted):
            continue
        entries = np.bincount(ages[number][inside[number]]).astype(float)
        age, then = ages[number][converted], ages[number + 1][converted]
        cohort = Cohort(entries, age, age - then, len(entries) - 1)
        window = recorded_window(cohort)
        if len(entries) - 1 - window > LATE:
            start, first = as_of - timedelta(days=window), as_of - timedelta(days=len(entries) - 1)
            earlier = int((then > window).sum())
            what = (
                f"hardly recorded before {start} ({earlier:,} of {len(converted):,}); {stages[number]} before then only looks as "
                "if it seldom led here"
                if earlier
                else f"recorded only from {start} on; {stages[number]} before then only looks as if it never led here"
            )
            found += counted(stage, what, entries[window + 1 :].sum(), f"{stages[number]} from {first}")
    return found
