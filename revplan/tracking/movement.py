"""Pipeline movement between the ends of two days, exact to the cent.

start + created + increased - decreased + pulled in - pushed out - lost - won = end, for each deal and so for every sum
of deals. Two states of a deal are compared, whatever lay between them: amounts are counted in whole cents; a deal's
amount changes first, and it comes or leaves with the amount it has at the end. A lost deal whose amount was taken out
is lost at the amount it had. A deal counts in the segment, source and owner it has at the end.

Of a window of expected close dates a deal is part while it is open and its date lies inside; pulled in and pushed out
are moves of that date. A deal of the window that is won, or lost, is won or lost of it, on whatever day; another one
is pulled in and won where it is won inside the window. A new deal is of the window if its date lay inside when it was
created, which only a log tells, or does at the end.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from revplan.crm.files import LONG, SHORT
from revplan.crm.mapping import EVERY, file_of
from revplan.crm.records import Export, read_export
from revplan.crm.today import last_day
from revplan.ground.calendar import MONTHS_PER_QUARTER, day_written, months_label
from revplan.ground.errors import DataError, Fault, shown
from revplan.ground.formats import counted, listed, money, show
from revplan.ground.tables import conform, from_rows
from revplan.tracking.periods import DayRun
from revplan.tracking.service import share_of

# --- deals as they stood at the end of a day ------------------------------------------------------


PARTS = ["segment", "source", "owner"]
DAY = np.timedelta64(1, "D")


def deals_on(export: Export, day: date, stage: str = "") -> pd.DataFrame:
    """Table deals: every deal known at the end of `day`, with its state, amount and expected close date.

    Parameters
    ----------
    stage
        From which on a record is a deal; the first stage if empty.
    """
    stages = export.source.crm.stage_ids()
    later = stages[stages.index(stage) :] if stage else stages
    if not (export.raw.events.at < np.datetime64(day) + DAY).any():
        return _no_deals()
    history = export.on(day)
    entries = history.stage_history[history.stage_history["stage"].isin(later)]
    won_on = entries[entries["stage"] == stages[-1]].set_index("record")["entered_on"]
    found = history.records[history.records["record"].isin(entries["record"])].astype({"record": "str"})
    place = export.raw.records.get_indexer(pd.Index(found["record"], dtype=object))
    won = found["record"].map({str(record): at for record, at in won_on.items()})
    undated = found["undated"] if "undated" in found else pd.Series("", index=found.index)
    details = export.details
    amount, amount_assumed = _values(export, "amount", day, place)
    close_on, close_assumed = _values(export, "close_on", day, place)
    table = pd.DataFrame(
        {
            "record": found["record"].to_numpy(),
            **{key: found[key].astype("str").to_numpy() if key in found else EVERY for key in PARTS},
            "state": np.select(
                [won.notna() | (undated == "won"), found["lost_on"].notna() | (undated == "lost")],
                ["won", "lost"],
                "open",
            ),
            "amount": cents(amount),
            "first_close_on": _first_close_on(export, place),
            "close_on": pd.to_datetime(pd.Series(won)).fillna(pd.Series(close_on, index=won.index)).to_numpy(),
            "closed_on": pd.to_datetime(pd.Series(won)).fillna(found["lost_on"]).to_numpy(),
            "currency": details.codes[place] if len(details.codes) else "",
            "assumed": amount_assumed | close_assumed,
        }
    )
    return conform(table.astype({"currency": "str", "state": "str"}), "deals")


def _no_deals() -> pd.DataFrame:
    text = {name: pd.Series(dtype="str") for name in ("record", *PARTS, "state", "currency")}
    days = {name: pd.Series(dtype="datetime64[us]") for name in ("first_close_on", "close_on", "closed_on")}
    return pd.DataFrame({**text, **days, "amount": pd.Series(dtype="int64"), "assumed": pd.Series(dtype="bool")}).pipe(
        conform, "deals"
    )


def _values(export: Export, name: str, day: date, place: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Amounts or expected close dates of some records at the end of a day; missing where the CRM file names no column."""
    if name not in export.details.columns:
        missing = np.nan if name == "amount" else np.datetime64("NaT", "us")
        return np.full(len(place), missing), np.zeros(len(place), dtype=bool)
    values, assumed = export.values_on(name, day)
    return values[place], assumed[place]


def _first_close_on(export: Export, place: np.ndarray) -> np.ndarray:
    """The expected close dates that some records began with, as far as a log tells; else those they have."""
    log, now = export.raw.changes.get("close_on"), export.details.columns.get("close_on")
    if now is None:
        return np.full(len(place), np.datetime64("NaT", "us"))
    return (now if log is None else log.first(now))[place]


def cents(amounts: np.ndarray) -> np.ndarray:
    """Amounts in whole cents, halves away from zero; nothing where there is none."""
    there = np.nan_to_num(amounts)
    return (np.sign(there) * np.floor(np.abs(there) * 100 + 0.5 + 1e-7)).astype(np.int64)


SIGNS = {"created": 1, "increased": 1, "decreased": -1, "pulled_in": 1, "pushed_out": -1, "lost": -1, "won": -1}
"""The terms between start and end, and how each counts."""
TERMS = ("start", *SIGNS, "end")
NAMED = 5  # deals named in a sentence


@dataclass(frozen=True)
class Window:
    """Expected close dates that count, both ends included; open ends where there is no limit."""

    name: str
    months: str
    """The months it holds, in words."""
    first: date | None = None
    last: date | None = None

    def holds(self, days: pd.Series) -> np.ndarray:
        """Which of `days` lie inside; a missing one does only where there is no limit."""
        if self.first is None or self.last is None:
            return np.ones(len(days), dtype=bool)
        return DayRun(self.first, self.last).holds(days)


ALL = Window("all", "all months")


def windows(day: date, first_month: int = 1) -> tuple[Window, ...]:
    """The quarter that `day` lies in, the one after it, and all.

    Parameters
    ----------
    first_month
        Of the fiscal year, 1 to 12.
    """
    month = pd.Period(day, freq="M")
    begin = month - (month.month - first_month) % MONTHS_PER_QUARTER
    named = (("this quarter", begin), ("next quarter", begin + MONTHS_PER_QUARTER))
    return (
        *(
            Window(
                name,
                months_label(start, MONTHS_PER_QUARTER),
                start.start_time.date(),
                (start + MONTHS_PER_QUARTER - 1).end_time.date(),
            )
            for name, start in named
        ),
        ALL,
    )


# --- what moved ----------------------------------------------------------------------------------


def deal_movements(before: pd.DataFrame, after: pd.DataFrame, window: Window = ALL) -> pd.DataFrame:
    """Table deal_movements: every deal that is in the pipeline at the start or the end, or passed through. [cents]

    Parameters
    ----------
    before, after
        Table deals at the end of the first and of the last day.
    window
        Expected close dates that count.
    """
    both = before.merge(after, on="record", how="outer", suffixes=("_0", "_1"), sort=False)
    there, stays = both["state_0"].notna().to_numpy(), both["state_1"].notna().to_numpy()
    was_open, was_won = ((both["state_0"] == each).to_numpy() for each in ("open", "won"))
    is_open, is_won, is_lost = ((both["state_1"] == each).to_numpy() for each in ("open", "won", "lost"))
    old, new = (both[f"amount_{at}"].fillna(0).to_numpy().astype(np.int64) for at in (0, 1))
    close = {at: window.holds(both[f"close_on_{at}"]) for at in (0, 1)}

    inside, ends_inside = was_open & close[0], is_open & close[1]
    begun = inside | (~there & window.holds(both["first_close_on_1"]))
    won = is_won & ~was_won & (begun | close[1])
    lost = (is_lost & (begun | (~there & close[1]))) | (inside & ~stays)
    pushed = begun & is_open & ~ends_inside
    passed = ends_inside | won | lost | pushed
    amount = np.where(~stays | (is_lost & (new == 0)), old, new)
    comes = passed & ~inside
    change = np.where(inside, amount - old, 0)
    parts = {
        "start": np.where(inside, old, 0),
        "created": np.where(comes & ~was_open, amount, 0),
        "increased": np.maximum(change, 0),
        "decreased": np.maximum(-change, 0),
        "pulled_in": np.where(comes & was_open, amount, 0),
        "pushed_out": np.where(pushed, amount, 0),
        "lost": np.where(lost, amount, 0),
        "won": np.where(won, amount, 0),
        "end": np.where(ends_inside, amount, 0),
    }
    labels = {key: both[f"{key}_1"].fillna(both[f"{key}_0"]).astype("str") for key in PARTS}
    told = {"reopened": comes & there & ~was_open, "disappeared": inside & ~stays}
    table = pd.DataFrame({"record": both["record"], **labels, **parts, **told})
    return conform(table[inside | passed], "deal_movements")


def movement_by(deals: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Table movement_by: the terms of every segment, source, owner, or whichever of them `keys` names. [plan currency]

    Parameters
    ----------
    deals
        Table deal_movements.
    """
    if not keys:
        return (deals[list(TERMS)].sum().to_frame().T / 100).pipe(conform, "movement_by")
    summed = deals.groupby([*keys], sort=True)[list(TERMS)].sum().reset_index()
    return conform(summed.assign(**{term: summed[term] / 100 for term in TERMS}), "movement_by")


# --- all of it, for the exhibits and the command -------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class MovementSpan:
    """Between which days, and of which deals."""

    first: date
    last: date
    closing: str = "all"
    """The window of expected close dates that breakdowns are of: `all`, or `this quarter` or `next quarter` seen from `last`."""
    first_month: int = 1
    """Of the fiscal year, 1 to 12."""
    stage: str = ""
    """From which on a record is a deal; the first if empty."""


@dataclass(frozen=True, eq=False)
class PipelineMovement:
    """The movement between the ends of two days, for the windows of expected close dates that can be told."""

    export: Export
    """As it is now, or was last."""
    earlier: Export
    """As it was on the first day; the same where one log tells both."""
    asked: MovementSpan

    @cached_property
    def windows(self) -> tuple[Window, ...]:
        """The windows that the records can tell."""
        return _windows(self.export, self.asked)

    @cached_property
    def closing(self) -> Window:
        """The window that breakdowns are of."""
        return next(each for each in self.windows if each.name == self.asked.closing)

    @cached_property
    def respelled(self) -> dict[str, str]:
        """Id of a deal in the earlier export -> how the later one writes it, where it writes it in another way."""
        return _respelled(self.earlier, self.export) if self.of_exports else {}

    @cached_property
    def before(self) -> pd.DataFrame:
        """Table deals at the end of the first day, under the ids that they have on the last."""
        deals = deals_on(self.earlier, self.asked.first, self.asked.stage)
        return deals.replace({"record": self.respelled}) if self.respelled else deals

    @cached_property
    def after(self) -> pd.DataFrame:
        """Table deals at the end of the last day."""
        return deals_on(self.export, self.asked.last, self.asked.stage)

    @cached_property
    def deals(self) -> pd.DataFrame:
        """Table deal_movements of the window."""
        return deal_movements(self.before, self.after, self.closing)

    def by(self, *keys: str) -> pd.DataFrame:
        """Table movement_by of the window; one row without keys."""
        return movement_by(self.deals, keys)

    @cached_property
    def table(self) -> pd.DataFrame:
        """Table movement: a row a term, for each window. [plan currency]"""
        rows = [
            movement_by(deal_movements(self.before, self.after, each), []).iloc[0].rename(each.name)
            for each in self.windows
        ]
        return pd.DataFrame(rows).T.rename_axis("term").reset_index()

    @cached_property
    def slips(self) -> pd.DataFrame:
        """Table slips by the last day."""
        return slips(self.export, self.after, self.asked.first, self.asked.last)

    @cached_property
    def track_record(self) -> pd.DataFrame:
        """Table track_record of all deals decided by the last day."""
        return track_record(self.slips)

    @property
    def currency(self) -> str:
        """Code or sign of the amounts; empty where nothing says it."""
        return self.export.details.currency

    @property
    def of_exports(self) -> bool:
        """Whether two exports are compared."""
        return self.earlier is not self.export

    @cached_property
    def unknown(self) -> tuple[str, ...]:
        """The terms that the files cannot tell, which are therefore nothing."""
        if self.of_exports:
            return ()
        lacking = {"amount": ("increased", "decreased"), "close_on": ("pulled_in", "pushed_out")}
        changes = self.export.raw.changes
        return tuple(term for name, terms in lacking.items() if name not in changes for term in terms)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of the numbers, the gravest first."""
        return tuple(filter(None, (*_doubts(self), *_particulars(self))))


def pipeline_movement(export: Export, asked: MovementSpan, earlier: Export | None = None) -> PipelineMovement:
    """The movement of the pipeline from the end of one day to the end of another.

    Parameters
    ----------
    export
        The records, with a log of amounts and close dates; or as exported on the last day.
    earlier
        As exported on the first day, where two exports are compared.

    Raises
    ------
    DataError
        If the days, the exports or the window do not fit together; all faults at once.
    """
    both = [export, *([earlier] if earlier else ())]
    faults = [*_faults(export, asked), *_no_stage(both, asked.stage), *(_faults_of_two(*both[::-1]) if earlier else ())]
    if faults:
        raise DataError(faults)
    return PipelineMovement(export=export, earlier=earlier or export, asked=asked)


def open_movement(
    crm: str | Path, first: date | str, last: date | str, before: str | Path | None = None, closing: str = "all"
) -> PipelineMovement:
    """The movement of the pipeline between the ends of two days.

    Parameters
    ----------
    crm
        The CRM file of the records.
    first, last
        The two days, such as 2026-06-30.
    before
        The CRM file of an earlier export, or its folder, where two exports are compared.
    closing
        The expected close dates that breakdowns are of: `all`, `this quarter` or `next quarter` seen from `last`.

    Raises
    ------
    DataError
        If the files are at fault, or do not fit together.
    """
    start, end = day_written(first), day_written(last)
    if start is None or end is None:
        raise DataError.at("first and last", "name both days, such as 2026-06-30 and 2026-09-30")
    asked = MovementSpan(first=start, last=end, closing=closing)
    return movement_of(Path(crm), None if before is None else Path(before), asked)


def movement_of(crm: Path, before: Path | None, asked: MovementSpan) -> PipelineMovement:
    """The movement that the records `crm` names, or those of two exports, hold."""
    earlier = None if before is None else read_export(before / crm.name if before.is_dir() else before)
    return pipeline_movement(read_export(crm), asked, earlier)


def _windows(export: Export, asked: MovementSpan) -> tuple[Window, ...]:
    return windows(asked.last, asked.first_month) if export.source.crm.close_on else (ALL,)


def _faults(export: Export, asked: MovementSpan) -> Iterator[Fault]:
    """What the records cannot answer."""
    crm, name = export.source.crm, export.source.path.name
    if crm.amount is None:
        yield Fault(
            name, "names no amounts, of which a pipeline consists; add their column, such as amount: deals.Amount"
        )
    if asked.first >= asked.last:
        yield Fault("--from", f"{asked.first} is not before --to {asked.last}; give the earlier day first")
    ends = _ends(export)
    if asked.last > ends + timedelta(days=MOST_SILENT):
        yield Fault("--to", f"{asked.last} lies far after the records end ({ends}); give that day, or a newer export")
    if asked.closing not in {each.name for each in _windows(export, asked)}:
        todo = "add their column, such as close_on: deals.CloseDate"
        yield Fault(name, f"names no expected close dates, which the window {asked.closing!r} needs; {todo}")


def _no_stage(exports: Sequence[Export], stage: str) -> Iterator[Fault]:
    """That the stage asked for is none of an export's."""
    for each in exports:
        stages = each.source.crm.stage_ids()
        if stage and stage not in stages:
            yield Fault(
                "--stage", f"is {shown(stage)!r}; the stages of {each.source.path.name} are {', '.join(stages)}"
            )


def _faults_of_two(earlier: Export, export: Export) -> Iterator[Fault]:
    """What keeps two exports from being compared."""
    crm, name, other = export.source.crm, export.source.path.name, earlier.source.crm
    begins, ends = _ends(earlier), _ends(export)
    if begins > ends or (begins == ends and _knows_more(earlier, export)):
        message = f"knows of days to {begins}, and {name} to {ends}: the two stand in the wrong order; swap them"
        yield Fault("--before", message)
    codes = [each.details.currency for each in (earlier, export)]
    if all(codes) and codes[0] != codes[1]:
        message = (
            f"has amounts in {codes[0]}, and {name} in {codes[1]}, which must not be compared; give `rates` in both"
        )
        yield Fault("--before", message)
    for key in ("amount", "close_on"):
        if getattr(other, key) is None and getattr(crm, key) is not None:
            yield Fault("--before", f"names no `{key}`, and {name} does; name it in both")


def _ends(export: Export) -> date:
    """The last day that the records know of, or the log of their amounts and close dates."""
    moments = [each.at.max().astype("datetime64[D]").item() for each in export.raw.changes.values() if len(each.at)]
    return max([last_day(export.raw.events), *moments])


def _knows_more(earlier: Export, export: Export) -> bool:
    """Whether all that `export` knows happened is known to `earlier` too, and more."""
    sides = []
    for each in (earlier, export):
        names = np.array([*each.source.crm.stage_ids(), "lost"], dtype=object)  # LOST, -1, is the last
        events = each.raw.events
        sides.append(set(zip(each.raw.records[events.record], names[events.stage], strict=True)))
    return sides[0] > sides[1]


def _respelled(earlier: Export, export: Export) -> dict[str, str]:
    """Ids that one export lacks and the other has in another spelling, each of which can mean one deal only.

    Upper and lower case; and the long form of an id of Salesforce, which is the short one and three letters more.
    """
    alone = [
        sorted({str(each) for each in one.raw.records} - {str(each) for each in other.raw.records})
        for one, other in ((earlier, export), (export, earlier))
    ]
    found: dict[str, str] = {}
    for spelling in (_short_form, str.casefold):
        old, new = (pd.Series({each: spelling(each) for each in names}, dtype="str") for names in alone)
        old, new = (each[~each.duplicated(keep=False)] for each in (old, new))
        of = dict(zip(new, new.index, strict=True))
        found |= {str(name): str(of[key]) for name, key in old.items() if key in of and name not in found}
    return found


def _short_form(record: str) -> str:
    return record[:SHORT] if len(record) == LONG and record.isalnum() else record


# --- what a reader must know ---------------------------------------------------------------------

MOST_SILENT = (
    366  # days after the last date of the records that can still be asked for: a later one is a slip of the pen
)


def _doubts(found: PipelineMovement) -> Iterator[str]:
    """Where the files do not hold what the terms need."""
    if "increased" in found.unknown:
        yield (
            "How amounts changed is not in the records: each counts as it is in the export, and increases and decreases are not "
            "told. A log of changes (`changes: {amount: Amount}`) or the export of the first day (--before) tells them."
        )
    if "pulled_in" in found.unknown and found.export.source.crm.close_on:
        yield (
            "How expected close dates moved is not in the records: each counts as it is in the export, and pulled in and pushed "
            "out are not told. A log of changes (`changes: {close_on: CloseDate}`) or the export of the first day (--before) tells them."
        )
    if not found.export.source.crm.close_on:
        yield "The CRM file names no expected close dates (`close_on`): nothing is pulled in or pushed out."
    yield from _days_told(found)
    yield _contradicted(found.export)


def _days_told(found: PipelineMovement) -> Iterator[str]:
    """Where the records do not reach the days asked for, or say less of them."""
    assumed = int(found.before["assumed"].sum())
    if assumed:
        yield (
            f"{counted(assumed, 'deal changed', 'deals changed')} an amount or close date after the first day, and the log does not say "
            "from what: what it changed to is taken (`old` under `changes` names the column with the former value)."
        )
    closed = found.after[(found.after["state"] != "open") & found.after["closed_on"].isna()]
    if len(closed) and not found.of_exports:
        yield f"{counted(len(closed), 'deal is', 'deals are')} closed on a day that no file says: never counted as open, nor as won or lost."
    if found.asked.last > found.export.today:
        yield f"{show(found.asked.last, 'date')} lies after today, {show(found.export.today, 'date')}: dates to come count as if they had passed."
    ends = _ends(found.export)
    if ends < found.asked.last:
        yield f"The records end on {show(ends, 'date')}: nothing after it is counted."
    if found.of_exports and found.closing != ALL:
        yield (
            "A deal created between the two exports counts with the close date of the later one: what was created for "
            f"{found.closing.months} and pushed out of it since is not seen."
        )
    if found.of_exports and _ends(found.earlier) > found.asked.first:
        until = show(_ends(found.earlier), "date")
        yield f"The export before knows of days to {until}: its amounts and close dates are of then, not of {show(found.asked.first, 'date')}."
    if not found.asked.stage and found.export.source.crm.amount:
        yield _begins_before_deals(found.export)


def _contradicted(export: Export) -> str:
    """That the log ends in other amounts than the records have; empty where it does not."""
    log = export.raw.changes.get("amount")
    if log is None or not len(log.record):
        return ""
    last = np.flatnonzero(np.append(log.record[1:] != log.record[:-1], True))
    now = export.details.columns["amount"][log.record[last]]
    wrong = last[cents(log.after[last]) != cents(now)]
    if not len(wrong):
        return ""
    example = shown(export.raw.records[log.record[wrong[0]]])
    return (
        f"{counted(len(wrong), 'deal has', 'deals have')} another amount than the last change in the log says ({example}, for one): "
        "the log may not hold all changes."
    )


def _begins_before_deals(export: Export) -> str:
    """That records begin in another file than the one with the amounts; empty where they do not."""
    crm = export.source.crm
    first, amounts = (
        file_of(next(iter(crm.days().values())).at or "") if crm.days() else "",
        file_of(crm.amount.column if crm.amount else ""),
    )
    if not first or first == amounts:
        return ""
    stages = crm.stage_ids()
    return (
        f"Records begin in {shown(first)} and amounts stand in {shown(amounts)}: a record counts with its deal's amount from "
        f"{stages[0]} on; --stage {stages[-2]} counts it from there."
    )


def _particulars(found: PipelineMovement) -> Iterator[str]:
    """Deals that did what the terms have no name for."""
    deals, after = found.deals, found.after
    for name, told in (
        ("reopened", "reopened: counted as created"),
        ("disappeared", "not in the later export, deleted or merged: counted as lost"),
    ):
        rows = deals[deals[name]]
        amount = money((rows["start"] + rows["created"]).sum() / 100, found.currency)
        if len(rows):
            yield f"{counted(len(rows), 'deal')} ({amount}) {'was' if len(rows) == 1 else 'were'} {told} ({_named(rows)})."
    yield from _relabelled(found)
    yield from _spelled(found)
    is_open = after[after["state"] == "open"]
    bare = int((is_open["amount"] == 0).sum())
    if bare:
        yield f"{counted(bare, 'open deal has', 'open deals have')} no amount."
    if found.export.source.crm.close_on:
        undated = int(is_open["close_on"].isna().sum())
        if undated:
            yield f"{counted(undated, 'open deal has', 'open deals have')} no expected close date: in no quarter, only in all."
        past = is_open[is_open["close_on"] < np.datetime64(found.asked.last)]
        if len(past):
            amount = money(past["amount"].sum() / 100, found.currency)
            yield (
                f"{counted(len(past), 'open deal')} ({amount}) should have closed before {show(found.asked.last, 'date')}: "
                f"{'its date needs' if len(past) == 1 else 'their dates need'} a look."
            )


def _spelled(found: PipelineMovement) -> Iterator[str]:
    """Deals whose id or amount is written as one would not expect."""
    after = found.after
    written = [(old, new) for old, new in found.respelled.items() if new in set(after["record"])]
    if written:
        example = f"{shown(written[0][0])} and {shown(written[0][1])}"
        yield f"{counted(len(written), 'deal is', 'deals are')} written in another way in the other export ({example}): taken for the same."
    negative = after[(after["state"] == "open") & (after["amount"] < 0)]
    if len(negative):
        yield f"{counted(len(negative), 'open deal has', 'open deals have')} an amount below nothing, which counts as it is ({_named(negative)})."
    credits = found.deals[found.deals["won"] < 0]
    if len(credits):
        yield f"{counted(len(credits), 'deal was', 'deals were')} won with an amount below nothing, by which what is won is less ({_named(credits)})."


def _relabelled(found: PipelineMovement) -> Iterator[str]:
    """Deals that stand in another segment, source or currency than before, or with another owner."""
    both = found.before.merge(found.after, on="record", suffixes=("_0", "_1"))
    for key in (*PARTS, "currency"):
        rows = both[(both[f"{key}_0"] != both[f"{key}_1"]) & (both["state_0"] == "open")]
        if len(rows):
            where = (
                "converted, the difference is an increase or decrease"
                if key == "currency"
                else "counted where it ended"
            )
            yield f"{counted(len(rows), 'deal')} changed {key}: {where} ({_named(rows)})."


def _named(rows: pd.DataFrame) -> str:
    names = [shown(each) for each in rows["record"].iloc[:NAMED]]
    more = len(rows) - len(names)
    return listed([*names, f"{more:,} more"] if more else names)


# --- expected close dates that were moved to a later day ------------------------------------------


MOST_PUSHES = 3  # deals pushed as often or more are told together


def slips(export: Export, deals: pd.DataFrame, first: date, last: date) -> pd.DataFrame:
    """Table slips: how often each deal's expected close date was moved to a later day, by `last`. [times]

    A move on the day of closing is none: there a CRM writes the day that it became. Empty without a log of the dates.

    Parameters
    ----------
    deals
        Table deals at the end of `last`.
    first
        After the end of which pushes also count as those of the period.
    """
    log = export.raw.changes.get("close_on")
    if log is None:
        return _slips(deals.iloc[:0], np.zeros(0, int), np.zeros(0, int))
    again = np.append(False, log.record[1:] == log.record[:-1])
    begun = np.datetime64("NaT", "us") if log.before is None else log.before
    former = np.where(again, np.append(log.after[:1], log.after[:-1]), begun)
    closed = pd.Series(deals["closed_on"].to_numpy(), index=export.raw.records.get_indexer(deals["record"]))
    closing = closed.reindex(log.record).to_numpy().astype("datetime64[D]")
    days = log.at.astype("datetime64[D]")
    pushed = (log.after > former) & (days <= np.datetime64(last)) & ~(days >= closing)
    recent = pushed & (days > np.datetime64(first))
    size, place = len(export.raw.records), closed.index.to_numpy()
    times, lately = (np.bincount(log.record[rows], minlength=size)[place] for rows in (pushed, recent))
    return _slips(deals, times, lately)


def _slips(deals: pd.DataFrame, times: np.ndarray, lately: np.ndarray) -> pd.DataFrame:
    return conform(deals.assign(pushes=times, lately=lately, amount=deals["amount"] / 100), "slips")


def track_record(found: pd.DataFrame) -> pd.DataFrame:
    """Table track_record: of the deals decided, how many were won, by how often they were pushed, with 8 of 10 cases.

    The interval is that of a share with Jeffreys' prior: the 10th and 90th percentile of Beta(won + 1/2, lost + 1/2).

    Parameters
    ----------
    found
        Table slips.
    """
    decided = found[found["state"].isin(["won", "lost"])]
    times = decided["pushes"].clip(upper=MOST_PUSHES)
    rows = []
    for number, states in decided.groupby(times)["state"]:
        won = int((states == "won").sum())
        rate = {name.replace("share", "win_rate"): each for name, each in share_of(won, len(states)).items()}
        rows.append({"pushes": pushed_words(int(number)), "decided": len(states), "won": won, **rate})
    return from_rows("track_record", rows)


def pushed_words(times: int) -> str:
    """How often a deal was pushed, in words: never, once, twice, three times or more."""
    return {0: "never", 1: "once", 2: "twice"}.get(int(times), "three times or more")
