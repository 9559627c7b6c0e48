"""Actuals: the table of ARR movements and spend that the plan names, and whether it is whole.

A sheet that finance keeps is more than rows: it has totals, signs, gaps, rows pasted twice. What has one
meaning is understood and told; what has two, or would count money twice, is a fault.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from revplan.crm.cells import first_faults
from revplan.crm.mapping import in_spelling_of
from revplan.crm.plan_tables import EXPORT_AGAIN, Asked, FoundTable, declared, read_sheet
from revplan.crm.writings import months_in
from revplan.ground.calendar import month_of, months_from
from revplan.ground.errors import DataError, Fault, shown
from revplan.ground.files import told_of
from revplan.ground.formats import counted, listed, show
from revplan.ground.tablefile import ActualsFile
from revplan.ground.tables import columns, conform
from revplan.plan.model import Plan

MONTH = re.compile(r"[12][0-9]{3}-(?:0[1-9]|1[0-2])")
A_MONTH = re.compile(rf"\A{MONTH.pattern}\Z")  # and nothing else
TABLE = "actuals"
KEYS = ("segment", "source")
MONEY = tuple(each.name for each in columns(TABLE) if each.kind == "money")
ASKED = (
    Asked("month", "text", ("period",)),
    *(Asked(key, "text") for key in KEYS),
    *(Asked(name, "money") for name in MONEY),
)
LOSSES = ("contraction", "churn")  # which may be written with a minus sign, as what is taken off
OUTLAYS = (*LOSSES, "spend")
TOTAL = re.compile(
    r"\b(?:(?:sub|grand|general)[ -]?)?(?:totals?|totale|totali|totaux|totaal|toplam)\b|\bsous-total\b"
    r"|\b(?:sum|summe|summen|zwischensumme|gesamt\w*|insgesamt|endsumme|teilergebnis|ergebnis)\b"
    r"|\b(?:somme|ensemble|suma|somma|soma|summa|celkem|razem|ogółem|yhteensä|итого|всего)\b|合計|总计|總計|小計|합계|총계",
    re.IGNORECASE,
)
QUARTER = re.compile(r"\b[QT]([1-4])\b", re.IGNORECASE)
MOST_STRANGE = 500  # rows of names the plan lacks: more are no totals, but another company's
FAR_MONTHS = 36  # from the plan's year: a month further off is a slip of the pen
OLD_MONTHS = 6  # between the last month and the plan date: more is an old export
# what begins the lines of the reader that are told
UNDERSTOOD = ("set aside", "numbers read", "rows converted", "amounts with", "days that are not")
SPARSE = 0.9  # share of the months times cells with a row from which a missing row is worth a line


@dataclass(frozen=True, eq=False)
class Actuals:
    """The actuals, and what a reader must know of how it was read."""

    name: str
    """The file's name."""
    table: pd.DataFrame
    """Table actuals. [plan currency]"""
    currencies: Mapping[str, str]
    """Sign or code of a currency found -> where it stands first."""
    read: tuple[str, ...]
    """What was understood, and how."""
    doubts: tuple[str, ...]
    """What may be wrong with it."""


def read_actuals(plan: Plan, folder: Path) -> Actuals | None:
    """The file that `plan` names as actuals; None where it names none.

    A cell left empty counts as 0. Rows that total others are set aside once they agree with them; losses
    all written with a minus sign are understood.

    Raises
    ------
    DataError
        With every fault: the file cannot be read, a column is missing, a value is no month or no amount, a total
        disagrees, rows repeat, a month lacks, signs are mixed.
    """
    if plan.actuals is None:
        return None
    with told_of(DataError, shown(Path(plan.actuals.path).name), EXPORT_AGAIN):
        sheet = read_sheet(plan.actuals, folder, ASKED, "actuals", keep_totals=True, home=plan.currency)
        return _read(sheet, plan.actuals, plan)


def _names(plan: Plan) -> dict[str, Collection[str]]:
    """The plan's names of what a row is about."""
    return {"segment": plan.segments, "source": plan.sources}


def _read(sheet: FoundTable, where: ActualsFile, plan: Plan) -> Actuals:
    rows = _rows(sheet, where, plan)
    if sheet.found.faults:
        raise DataError((*sheet.found.faults, *_bad_months(sheet, rows, _worded_total(rows, plan))))
    totals, faults = _totals(sheet, rows, plan)
    kept = rows[~totals]
    faults += _bad_months(sheet, rows, totals)
    kept = kept[kept["month"].str.contains(A_MONTH)]
    kept, read, wrong_signs = _one_sign(sheet, kept, where)
    faults += (*wrong_signs, *_repeats(sheet, kept), *_months_off(sheet, kept, plan))
    if faults:
        raise DataError(faults)
    if count := int(totals.sum()):
        one, several = (
            "row totals others: it agrees with them and is",
            "rows total others: they agree with them and are",
        )
        read = (f"{sheet.name}: {counted(count, one, several)} set aside.", *read)
    months = pd.PeriodIndex(kept["month"], freq="M")
    table = conform(kept.drop(columns="line").fillna(dict.fromkeys(MONEY, 0.0)).assign(month=months), TABLE)
    understood = [f"{line}." for line in sheet.found.lines if line.what.startswith(UNDERSTOOD)]
    doubts = (*_lacking(sheet.name, table), *_other_months(sheet.name, table, plan), *_below_zero(sheet, kept))
    return Actuals(sheet.name, table, sheet.signs, (*understood, *read), doubts)


def _rows(sheet: FoundTable, where: ActualsFile, plan: Plan) -> pd.DataFrame:
    """The rows as read, names in the plan's spelling and months as 2026-04 where the cell names one; amounts with gaps."""
    cells = sheet.table["month"]
    months, sound = months_in(cells.tolist(), declared(where.date_format, sheet.headers["month"]))
    written = np.where(sound, months.astype("datetime64[M]").astype(str), cells.to_numpy(dtype=object))
    labels = {key: in_spelling_of(names, sheet.table[key]) for key, names in _names(plan).items()}
    return sheet.table.assign(month=written, **labels)


def _bad_months(sheet: FoundTable, rows: pd.DataFrame, totals: np.ndarray) -> tuple[Fault, ...]:
    cells = rows["month"].to_numpy()
    return first_faults(
        np.flatnonzero(~totals & ~rows["month"].str.contains(A_MONTH).to_numpy(dtype=bool)).tolist(),
        lambda row: Fault(sheet.place(row, "month"), f"got {shown(cells[row])!r}; write it like 2026-04"),
        "values that are no month",
    )


# --- rows that total others -----------------------------------------------------------------------------------


def _totals(sheet: FoundTable, rows: pd.DataFrame, plan: Plan) -> tuple[np.ndarray, tuple[Fault, ...]]:
    """Which rows total others, and faults of those that disagree with what they total."""
    worded = _worded_total(rows, plan)
    if worded.all():
        return np.zeros(len(rows), dtype=bool), ()
    strange = worded | ~_named(rows, plan)
    if strange.sum() > MOST_STRANGE:
        strange = worded
    totals, wrong = worded.copy(), []
    for row in np.flatnonzero(strange).tolist():
        parts = _what_it_totals(rows, strange, row, plan)
        agrees = any(_is_sum(rows, row, part) for part in parts if worded[row] or part.sum() > 1)
        agrees |= bool(worded[row]) and _is_block(rows, row, ~strange)
        totals[row] |= agrees
        if worded[row] and not agrees:
            wrong.append((row, parts[0]))

    def fault(found: tuple[int, np.ndarray]) -> Fault:
        row, part = found
        return Fault(sheet.row(row), _disagrees(rows, row, part))

    return totals, first_faults(wrong, fault, "rows that read as totals and disagree with the rows they total")


def _named(rows: pd.DataFrame, plan: Plan) -> np.ndarray:
    """Rows of a month, a segment and a source of the plan; a plan with one of them takes any name."""
    named = rows["month"].str.contains(A_MONTH).to_numpy(dtype=bool)
    for key, names in _names(plan).items():
        named = named & (rows[key].isin(list(names)).to_numpy() | (len(names) == 1))
    return named


def _worded_total(rows: pd.DataFrame, plan: Plan) -> np.ndarray:
    """Rows that say they are a total, where the plan has no such name; and rows that say nothing but amounts."""
    said = rows["month"].str.contains(TOTAL).to_numpy(dtype=bool)
    for key, names in _names(plan).items():
        said = said | (~rows[key].isin(list(names)).to_numpy() & rows[key].str.contains(TOTAL).to_numpy(dtype=bool))
    return said | rows[["month", *KEYS]].eq("").all(axis=1).to_numpy(dtype=bool)


def _what_it_totals(rows: pd.DataFrame, strange: np.ndarray, row: int, plan: Plan) -> list[np.ndarray]:
    """The rows that the labels of `row` may stand for."""
    plain = ~strange
    label = str(rows["month"][row])
    named = plain.copy()
    for key, names in _names(plan).items():
        if rows[key][row] in names and not (len(names) == 1 and TOTAL.search(rows[key][row])):
            named = named & rows[key].eq(rows[key][row]).to_numpy(dtype=bool)
    month, year = MONTH.search(label), re.search(r"[12][0-9]{3}", label)
    if month:
        named = named & rows["month"].eq(month[0]).to_numpy(dtype=bool)
    quarters = [named & rows["month"].isin(months).to_numpy() for months in _quarters(label, rows, plan)]
    of_year = named & rows["month"].str.startswith(year[0] if year else "").to_numpy(dtype=bool)
    return [*quarters, of_year, named]


def _quarters(label: str, rows: pd.DataFrame, plan: Plan) -> Iterator[list[str]]:
    """The months a label such as Q1 2026 may mean: of the calendar, and of the plan's year."""
    found = QUARTER.search(label)
    if found is None:
        return
    number, written = int(found[1]) - 1, re.search(r"[12][0-9]{3}", label)
    years = {int(cell[:4]) for cell in rows["month"] if MONTH.fullmatch(cell)}
    for year in sorted({int(written[0])} if written else years):
        fiscal = pd.Period(year=year, month=plan.first_month.month, freq="M")
        for first in dict.fromkeys((pd.Period(year=year, month=1, freq="M"), fiscal, fiscal - 12)):
            yield [str(month) for month in months_from(first + 3 * number, 3)]


def _is_sum(rows: pd.DataFrame, row: int, part: np.ndarray) -> bool:
    """Whether the amounts of `row` are those of `part` together, each rounded to whole units; empty cells total nothing."""
    sums = rows.loc[part, list(MONEY)].sum().to_numpy(dtype=float)
    return bool(part.any()) and _is_one_of(rows, row, sums[None, :], part.sum(keepdims=True))


def _is_one_of(rows: pd.DataFrame, row: int, sums: np.ndarray, counts: np.ndarray) -> bool:
    """Whether the stated amounts of `row`, which are not all zero, are one of some `sums` of so many rows each."""
    own = rows.loc[row, list(MONEY)].to_numpy(dtype=float)
    stated = ~np.isnan(own)
    slack = 0.5 * (counts[:, None] + 1) + 1e-9 * np.abs(sums)
    return bool(np.abs(own[stated]).sum() > 0 and (np.abs(sums - own) <= slack)[:, stated].all(axis=1).any())


def _is_block(rows: pd.DataFrame, row: int, plain: np.ndarray) -> bool:
    """Whether the amounts of `row` are those of the plain rows right above it, or right below, however many."""
    at = np.flatnonzero(plain)
    money = np.nan_to_num(rows[list(MONEY)].to_numpy(dtype=float))
    return any(
        _is_one_of(rows, row, np.cumsum(money[beside], axis=0), np.arange(1, len(beside) + 1))
        for beside in (at[at < row][::-1], at[at > row])
    )


def _disagrees(rows: pd.DataFrame, row: int, part: np.ndarray) -> str:
    label = ", ".join(shown(rows[key][row]) for key in ("month", *KEYS) if rows[key][row]) or "no name"
    own, sums = rows.loc[row, list(MONEY)].fillna(0.0), rows.loc[part, list(MONEY)].sum()
    worst = str((own - sums).abs().idxmax())
    return (
        f"reads as a total ({label}), and its {worst} is {own[worst]:,.0f} where the rows it totals give {sums[worst]:,.0f}; "
        "correct what is missing or doubled, or take the total out"
    )


# --- signs, repeats, gaps -------------------------------------------------------------------------------------


def _one_sign(
    sheet: FoundTable, rows: pd.DataFrame, where: ActualsFile
) -> tuple[pd.DataFrame, tuple[str, ...], tuple[Fault, ...]]:
    """`rows` with losses and spend above zero, what was turned round, and faults where both signs stand."""
    turned, faults = [], []
    for column in OUTLAYS:
        below, over = rows.index[rows[column] < 0], rows.index[rows[column] > 0]
        if where.losses is not None and column in LOSSES:
            turned += [column] if where.losses == "minus" else []
        elif len(below) and not len(over):
            turned.append(column)
        elif len(below) and column in LOSSES:
            few, sign = (below, "below") if len(below) <= len(over) else (over, "above")
            lines = listed([str(rows["line"][row]) for row in few[:3]]) + (", and more" if len(few) > 3 else "")
            paste = f"actuals: {{path: {where.path}, losses: {'minus' if sign == 'above' else 'plus'}}}"
            message = (
                f"{counted(len(over), 'amount is', 'amounts are')} above zero and {len(below):,} below (those {sign} on "
                f"{sheet.text.unit} {lines}); write what was lost with one sign, all plus or all minus; or, if the others "
                f"are corrections: {paste}"
            )
            faults.append(Fault(sheet.place(few[0], column), message))
    rows = rows.assign(**{column: -rows[column] for column in turned})
    if not turned:
        return rows, (), tuple(faults)
    are = "is" if len(turned) == 1 else "are"
    said = f"{sheet.name}: {listed(turned)} {are} written with a minus sign and taken as what it says: an amount that went out."
    return rows, (said,), tuple(faults)


def _below_zero(sheet: FoundTable, rows: pd.DataFrame) -> Iterator[str]:
    for column in ("new", "expansion", "spend"):
        below = rows[rows[column] < 0]
        if len(below):
            first, amount = f"{sheet.text.unit} {below['line'].iloc[0]}", f"{below[column].sum():,.0f}"
            yield f"{sheet.name}: {column} has {counted(len(below), 'amount')} below zero, the first in {first}, {amount} in all: taken off; is that right?"


def _repeats(sheet: FoundTable, rows: pd.DataFrame) -> tuple[Fault, ...]:
    """Rows of one month, segment and source that state the same amount twice; rows that complete each other are one."""
    keys = ["month", *KEYS]
    stated = rows[list(MONEY)].fillna(0.0).ne(0.0).groupby([rows[key] for key in keys]).sum()
    twice = stated.index[(stated > 1).any(axis=1)]
    again = rows[pd.MultiIndex.from_frame(rows[keys]).isin(twice)]
    groups = [group for _, group in again.groupby(keys, sort=False)]

    def fault(group: pd.DataFrame) -> Fault:
        month, *names = (shown(group[key].iloc[0]) for key in keys)
        lines = listed([str(line) for line in group["line"]])
        same = bool(group[list(MONEY)].fillna(0.0).nunique().le(1).all())
        cure = "keep the right one, or add them up in one row"
        what = "the same amounts: take the copies out" if same else f"different amounts: {cure}"
        times = f"{len(group)} times ({sheet.text.unit}s {lines})"
        return Fault(sheet.row(group.index[1]), f"{month}, {' x '.join(names)} stands there {times}, with {what}")

    return first_faults(groups, fault, "repeated rows; is the file pasted twice?")


def _months_off(sheet: FoundTable, rows: pd.DataFrame, plan: Plan) -> Iterator[Fault]:
    """Faults of months without a row between others, and of months far from the plan's year."""
    months = pd.PeriodIndex(rows["month"].unique(), freq="M").sort_values()
    far = [month for month in months if not -FAR_MONTHS <= (month - plan.first_month).n < 12 + FAR_MONTHS]
    for month in far[:3]:
        yield Fault(
            sheet.place(rows.index[rows["month"].eq(str(month))][0], "month"),
            f"{month} lies years from the plan's year, which begins {plan.first_month}; is it a slip?",
        )
    near = months[~months.isin(far)]
    if len(near) and (gaps := pd.period_range(near[0], near[-1], freq="M").difference(near)).size:
        some = listed([str(month) for month in gaps[:6]]) + (f" and {len(gaps) - 6} more" if len(gaps) > 6 else "")
        segment, source = rows["segment"].iloc[0], rows["source"].iloc[0]
        yield Fault(
            f"{sheet.name}, {shown(sheet.headers['month'])}",
            f"goes from {near[0]} to {near[-1]} and has no row of {some}; add what came, "
            f"or a row of zeros if nothing did: {gaps[0]},{shown(segment)},{shown(source)},0,0,0,0,0",
        )


def _other_months(name: str, table: pd.DataFrame, plan: Plan) -> Iterator[str]:
    """Months that lack at the start of the plan's year or up to the plan date, and months after the year."""
    months, said = table["month"], partial(show, kind="month")
    inside = months[months.isin(plan.months)]
    if len(inside) and inside.min() > plan.first_month and months.min() >= plan.first_month:
        yield f"{name} begins with {said(inside.min())} and the year with {said(plan.first_month)}: what came before is not in it."
    if len(months) and (behind := (month_of(plan.plan_date) - months.max()).n) > OLD_MONTHS:
        yield f"{name} ends with {said(months.max())}, {behind} months before the plan date: is it the latest?"
    if (after := months[months > plan.months[-1]]).size:
        last = said(plan.months[-1])
        yield f"{name} goes on to {said(after.max())}, and the plan's year ends with {last}: what lies after it is in no sum; is it of this plan?"


def _lacking(name: str, table: pd.DataFrame) -> Iterator[str]:
    """Segments, sources and cells that lack in single months of a file that else has them all."""
    months = table["month"].unique()
    for keys in (["segment"], ["source"], ["segment", "source"]):
        there = table.drop_duplicates(["month", *keys]).groupby(keys).size()
        if len(months) < 3 or there.sum() < SPARSE * len(there) * len(months) or (there == len(months)).all():
            continue
        gaps = []
        for names in there.index[there < len(months)]:
            parts = names if isinstance(names, tuple) else (names,)
            rows = table[np.logical_and.reduce([table[key] == part for key, part in zip(keys, parts, strict=True)])]
            lost = [str(month) for month in months if month not in set(rows["month"])]
            gaps.append(f"{' x '.join(map(shown, parts))} in {listed(lost[:3])}")
        more = f", and {len(gaps) - 3} more" if len(gaps) > 3 else ""
        yield f"{name} has no row of {'; '.join(gaps[:3])}{more}, and one of every other month: counted as 0; is it forgotten?"
        return
