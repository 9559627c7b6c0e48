"""The people of a plan, and what they close, as formulas: heads, ramped equivalents, capacity, the lesser of it and demand.

A row a spell: somebody is there from a time to a time, ramping since another. Its ramped equivalents in a month are the
ramp summed over its steps, step x (time past it at the month's end - at its beginning): what `Spell.brought` integrates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby

import numpy as np

from revplan.capacity.limits import NOTHING
from revplan.capacity.team import (
    FULL,
    HEADS,
    RAMPED,
    Spell,
    arr_of,
    judged,
    month_weights,
    months_left,
    seat_of,
    spells,
    successors,
)
from revplan.excel.address import across, cell, down, fixed
from revplan.excel.flow_sheets import TARGET_TOP, column_sums
from revplan.excel.grid import ARR, CAPACITY, MOST_ROWS, PEOPLE
from revplan.excel.result_sheets import COMMITTED_COL, OPEN_COL
from revplan.excel.writer import MONEY, NUMBER, RATIO, SHARE, BookWriter, Rule, Sheet
from revplan.funnel.funnel import YEAR
from revplan.ground.calendar import MONTH_DAYS
from revplan.ground.formats import counted
from revplan.plan.people import Hire, Rep, Role
from revplan.staffing.staffing import ALL, Staffing

YEARLY = Rule("New ARR that a ramped one closes in a year, 0 or more.", 0, 1e12)
LEAVING = Rule("A share that leaves in a year: 0 or more, below 1.", 0, 0.999999)
HIRES = Rule("How many are hired: a whole number, 1 or more.", 1, 20_000)
TIME = "0.00"
WHO, WORDS, ROLE, SEGMENT, POOL, PEOPLE_COUNT, CHANCE, RAMPS_SINCE, FROM, UNTIL, RISK, YEARLY_COL = range(12)
BLOCK = YEAR + 1
HEADS_COL = YEARLY_COL + 2
HEAD_WORDS = (
    "Who", "", "Role", "Segment", "Pool", "People", "Chance", "Ramps since", "There from", "Until", "May leave from", "Closes a year",
)  # fmt: skip


def too_many(found: Staffing) -> bool:
    """Whether there are more people than are written as formulas."""
    return len(spells(found.plan)) > MOST_ROWS


def write_people(writer: BookWriter, found: Staffing) -> None:
    """The sheet of the people, and the one of what they close; none where nobody is there in the year."""
    if not spells(found.plan):
        return
    people = _PeopleSheet(writer, found)
    people.write()
    _ClosingSheet(people).write()


@dataclass(frozen=True)
class _RolePlaces:
    """Where the figures of a role stand on the sheet of people."""

    stay: str
    steps: str
    """Steps of its ramp, in the rows of the months of tenure."""
    full_steps: str
    successors: tuple[str, str, str]
    """Heads, ramped and fully ramped of those who follow, by month since somebody may leave."""


class _PeopleSheet:
    """The sheet of the people."""

    def __init__(self, writer: BookWriter, found: Staffing) -> None:
        self.writer, self.found, self.capacity = writer, found, found.capacity
        self.spells = spells(found.plan)
        about = (
            "Times are months from the first of the year: 2.5 is the middle of the third. What is there, ramped and closed is formulas.",
            "Who leaves unnamed leaves at the end of a month; successors come after the backfill delay. Starts and ramps are changed in the plan file.",
        )
        self.sheet = Sheet(writer, PEOPLE, "People, month by month", about)
        self.top = self.tenure_top + self.tenures + 3
        self.last = self.top + len(self.spells) - 1
        self.by_full = self.capacity.basis == "quota" and self.capacity.attainment is not None
        self.blocks = (HEADS, RAMPED, FULL) if self.by_full else (HEADS, RAMPED)
        self.arr_col = HEADS_COL + BLOCK * len(self.blocks)

    @property
    def roles(self) -> dict[str, Role]:
        """The roles of those who are there, in the plan's order."""
        there = {each.who.role for each in self.spells}
        return {name: role for name, role in self.capacity.roles.items() if name in there}

    @cached_property
    def tenures(self) -> int:
        """Rows of months of tenure: as many as the longest ramp, and as the time in which somebody may leave."""
        ramps = [len(role.stated_ramp.shares) + 1 if role.stated_ramp else 1 for role in self.roles.values()]
        risks = [YEAR - round(each.risk) for each in self.spells if each.risk is not None]
        return max([*ramps, *risks, 1])

    @property
    def tenure_top(self) -> int:
        """First row of the months of tenure."""
        return self.sheet.top + len(self._yearly_rows) + len(self.roles) + 6

    @cached_property
    def _yearly_rows(self) -> dict[tuple[str, str], float]:
        """By role and segment ('' where one figure serves all): what the role states on the plan's basis."""
        places = dict.fromkeys(place for each in self.spells if (place := self._stated(each.who)))
        amounts = {place: self.capacity.roles[place[0]].yearly(self.capacity.basis, place[1]) for place in places}
        return {place: amount for place, amount in amounts.items() if amount is not None}

    def _stated(self, who: Rep | Hire) -> tuple[str, str] | None:
        """The role's figure that counts for somebody; None where a quota of its own does, or nothing."""
        role = self.capacity.roles[who.role]
        own = self.capacity.basis == "quota" and bool(who.quota)
        if own or not self._amount(who):
            return None
        given = role.productivity if self.capacity.basis == "productivity" else role.quota
        return who.role, (who.segment or "") if isinstance(given, Mapping) else ""

    def _amount(self, who: Rep | Hire) -> float:
        """What one such closes in a year, ramped, or its quota: 0 in a seat that carries none. [plan currency]"""
        seat = seat_of(self.found.plan, who, YEAR)
        return seat.productivity if self.capacity.basis == "productivity" else seat.quota

    @cached_property
    def brought(self) -> list[np.ndarray]:
        """What each spell brings."""
        return [each.brought(self.capacity.roles[each.who.role], YEAR) for each in self.spells]

    @cached_property
    def arr(self) -> np.ndarray:
        """Shape (spells, 12): what each can close. [plan currency]"""
        plan = self.found.plan
        pairs = zip(self.spells, self.brought, strict=True)
        found = [arr_of(self.capacity, seat_of(plan, each.who, YEAR), brought) for each, brought in pairs]
        return np.array(found).reshape(-1, YEAR)

    def write(self) -> None:
        """All of it."""
        yearly = self._write_yearly()
        places = self._write_roles()
        sheet, row = self.sheet, self.top - 1
        sheet.heads(row, HEAD_WORDS, words=4)
        titles = {HEADS: "People there", RAMPED: "Ramped equivalents", FULL: "Fully ramped"}
        firsts = [HEADS_COL + BLOCK * number for number in range(len(self.blocks))]
        for col, words in [
            *zip(firsts, (titles[kind] for kind in self.blocks), strict=True),
            (self.arr_col, "Can close"),
        ]:
            sheet.text(row - 2, col, words, "strong")
            for month in range(YEAR):
                sheet.number(row - 1, col + month, month, look="grey")
            sheet.heads(row, [self.writer.grid.month(month) for month in range(YEAR)], col)
        for number, spell in enumerate(self.spells):
            self._write_spell(number, places[spell.who.role], yearly)
        brought = np.sum(self.brought, axis=0)
        columns = [(col, brought[kind], TIME) for col, kind in zip(firsts, self.blocks, strict=True)]
        for col, sums, kind in (*columns, (self.arr_col, self.arr.sum(axis=0), MONEY)):  # of all roles together
            column_sums(sheet, self.top, len(self.spells), col, map(float, sums), kind)
        sheet.widths(20, 22, *[12] * 10, 11)
        sheet.freeze(self.top, 1)

    def _write_yearly(self) -> dict[tuple[str, str], str]:
        """What one closes in a year, by role and segment; address by both."""
        sheet, row = self.sheet, self.sheet.top
        found: dict[tuple[str, str], str] = {}
        key = self.capacity.basis
        words = "Closes a year, ramped" if key == "productivity" else "Quota of a year"
        sheet.heads(row, ["Role", "Segment", f"{words} ({self.found.plan.currency})"], words=2)
        for (role, segment), value in self._yearly_rows.items():
            row += 1
            sheet.text(row, 0, role)
            sheet.text(row, 1, segment or ALL)
            place = ("capacity", "roles", role, key, *([segment] if segment else []))
            named = (place, f"{words}, {role}{f' in {segment}' if segment else ''}")
            sheet.input((row, 2), value, MONEY, YEARLY, named)
            found[role, segment] = fixed(row, 2)
        return found

    def _write_roles(self) -> dict[str, _RolePlaces]:
        sheet, row = self.sheet, self.sheet.top + len(self._yearly_rows) + 2
        sheet.heads(row, ["Role", "Leave in a year", "Stay a month longer", "Months until followed"])
        places, first, last = {}, self.tenure_top, self.tenure_top + self.tenures - 1
        sheet.text(first - 1, 0, "Month of tenure", "head")
        for month in range(self.tenures):
            sheet.number(first + month, 0, month)
        for number, (name, role) in enumerate(self.roles.items()):
            row += 1
            sheet.text(row, 0, name)
            if role.attrition > 0:
                given = (("capacity", "roles", name, "attrition"), f"Leave in a year, {name}")
                sheet.input((row, 1), role.attrition, SHARE, LEAVING, given)
            else:  # nobody leaves in these formulas: an input would do nothing
                sheet.number(row, 1, 0.0, SHARE, "grey")
            stay = fixed(row, 2)
            sheet.formula(row, 2, f"(1-{cell(row, 1)})^(1/12)", (1 - role.attrition) ** (1 / 12), RATIO)
            if role.backfill_delay_days is None:
                sheet.text(row, 3, "not followed", "beside")
            else:
                sheet.number(row, 3, role.backfill_delay_days / MONTH_DAYS, TIME)
            at = 1 + 6 * number
            sheet.text(first - 2, at, name, "strong")
            sheet.heads(first - 1, ["Ramp", "Step", "Step of full", "Followers", "ramped", "full"], at)
            self._write_ramp(role, at, (stay, fixed(row, 3)))
            col = [down(at + place, first, last) for place in range(6)]
            places[name] = _RolePlaces(stay, col[1], col[2], (col[3], col[4], col[5]))
        return places

    def _write_ramp(self, role: Role, at: int, places: tuple[str, str]) -> None:
        """Shares by month of tenure, their steps, and what followers bring by month since somebody may leave."""
        sheet, first = self.sheet, self.tenure_top
        stated = list(role.stated_ramp.shares) if role.stated_ramp else []
        shares = np.array([*stated, *[1.0] * (self.tenures - len(stated))])
        full = np.cumprod(shares[::-1] >= 1)[::-1].astype(float)
        after = successors(role, self.tenures)
        delay = None if role.backfill_delay_days is None else role.backfill_delay_days / MONTH_DAYS
        for month in range(self.tenures):
            row = first + month
            sheet.number(row, at, shares[month], SHARE)
            before = f"-{cell(row - 1, at)}" if month else ""
            sheet.formula(
                row, at + 1, f"{cell(row, at)}{before}", shares[month] - (shares[month - 1] if month else 0), RATIO
            )
            sheet.number(row, at + 2, full[month] - (full[month - 1] if month else 0), RATIO)
            for kind in (HEADS, RAMPED, FULL):
                formula = "0" if delay is None or not month else self._followers(month, at, kind, (delay, *places))
                sheet.formula(row, at + 3 + kind, formula, float(after[kind, month]), RATIO)

    def _followers(self, month: int, at: int, kind: int, places: tuple[float, str, str]) -> str:
        """Followers a month later: those of before stay, and those of who left then have begun.

        A follower who is there k months, having begun a part of a month late, brings part x the ramp of the month
        before and the rest x that of the month; and its own followers.
        """
        (delay, stay, delay_cell), first = places, self.tenure_top
        formula = f"{stay}*{cell(first + month - 1, at + 3 + kind)}"
        since = month - 1 - int(delay)
        if since < 0:
            return formula
        part = f"({delay_cell}-INT({delay_cell}))"
        steps = {HEADS: at + 1, RAMPED: at + 1, FULL: at + 2}[kind]

        def reached(tenure: int) -> str:
            if tenure < 0:
                return "0"
            return "1" if kind == HEADS else f"SUM({down(steps, first, first + tenure)})"

        own = f"({part}*{reached(since - 1)}+(1-{part})*{reached(since)})"
        return f"{formula}+(1-{stay})*({own}*{stay}^{since}+{cell(first + since, at + 3 + kind)})"

    def _write_spell(self, number: int, places: _RolePlaces, yearly: dict[tuple[str, str], str]) -> None:
        sheet, row, spell = self.sheet, self.top + number, self.spells[number]
        who, brought = spell.who, self.brought[number]
        sheet.text(row, WHO, "hire" if isinstance(who, Hire) else who.rep)
        sheet.text(row, WORDS, spell.words, "beside")
        sheet.text(row, ROLE, who.role)
        sheet.text(row, SEGMENT, who.segment or ALL)
        pool = self.found.pools.of(who.segment)
        sheet.number(row, POOL, None if pool is None else pool + 1, look="grey")
        self._count(row, who)
        sheet.number(row, CHANCE, spell.chance, SHARE)
        for col, value in ((RAMPS_SINCE, spell.start), (FROM, spell.since), (UNTIL, spell.until), (RISK, spell.risk)):
            sheet.number(row, col, value if value is not None and np.isfinite(value) else None, TIME)
        stated = self._stated(who)
        if stated is None:
            sheet.number(row, YEARLY_COL, self._amount(who), MONEY)
        else:
            sheet.formula(row, YEARLY_COL, yearly[stated], self._amount(who), MONEY)
        weights = month_weights(self.capacity, YEAR)
        for month in range(YEAR):
            for place, kind in enumerate(self.blocks):
                col = HEADS_COL + BLOCK * place + month
                formula = self._brought(row, col, spell, places, kind)
                sheet.formula(row, col, formula, float(brought[kind, month]), TIME)
            closed = self._arr(row, month, float(weights[month]))
            sheet.formula(row, self.arr_col + month, closed, float(self.arr[number, month]), MONEY)

    def _count(self, row: int, who: Rep | Hire) -> None:
        number = next((at for at, each in enumerate(self.capacity.hires) if each is who), -1)
        place: tuple[str | int, ...] = ("capacity", "hires", number, "count")
        if isinstance(who, Rep):
            self.sheet.number(row, PEOPLE_COUNT, who.count, NUMBER)
        elif place in self.writer.inputs:
            self.sheet.formula(row, PEOPLE_COUNT, self.writer.at(*place), who.count, NUMBER)
        else:
            self.sheet.input(
                (row, PEOPLE_COUNT), float(who.count), NUMBER, HIRES, (place, f"Hires of {who.role}, {who.start}")
            )

    def _brought(self, row: int, col: int, spell: Spell, places: _RolePlaces, kind: int) -> str:
        """People there, or ramped equivalents, in the month that stands above the column."""
        at = {name: fixed(row, place) for name, place in _COLUMNS.items()}
        month = fixed(self.top - 2, col)
        begin = f"MAX({at['from']},{month})"
        end = f"MIN({at['until']},{month}+1)" if np.isfinite(spell.until) else f"({month}+1)"
        if kind == HEADS:
            there = f"MAX({end}-{begin},0)"
        else:
            steps = places.steps if kind == RAMPED else places.full_steps
            tenure = down(0, self.tenure_top, self.tenure_top + self.tenures - 1)
            past = [f"({when}-{at['since']}>{tenure})*({when}-{at['since']}-{tenure})" for when in (end, begin)]
            there = f"IF({end}>{begin},SUMPRODUCT({steps}*({past[0]}-{past[1]})),0)"
        if spell.risk is not None:
            there = f"{there}*{places.stay}^MAX({month}-{at['risk']},0)"
            if spell.followed:
                after = places.successors[kind]
                there = f"{there}+IF({month}>={at['risk']},INDEX({after},{month}-{at['risk']}+1),0)"
        return f"{at['count']}*{at['chance']}*({there})"

    def _arr(self, row: int, month: int, weight: float) -> str:
        ramped = cell(row, HEADS_COL + BLOCK + month)
        amount = cell(row, YEARLY_COL)
        given = self.capacity.attainment
        if not self.by_full or given is None:
            return f"{amount}*{weight!r}*{ramped}"
        full = cell(row, HEADS_COL + 2 * BLOCK + month)
        return f"{amount}*{weight!r}*({given.rate!r}*{full}+{given.of_ramping!r}*({ramped}-{full}))"


_COLUMNS = {"count": PEOPLE_COUNT, "chance": CHANCE, "since": RAMPS_SINCE, "from": FROM, "until": UNTIL, "risk": RISK}


class _ClosingSheet:
    """The sheet of what people close: the lesser of demand at hand and what they can, segment by segment."""

    def __init__(self, people: _PeopleSheet) -> None:
        self.people, self.found, self.writer = people, people.found, people.writer
        self.kept = people.capacity.excess.by_age
        self.segments = self.found.pools.segments
        about = (
            "Closed = the lesser of demand at hand and what people can close; who sells in all segments takes of every rest the same share.",
            "Where each month comes as expected: in the simulated years months vary, so that less is closed than here.",
        )
        title = f"Demand and people ({self.found.plan.currency})"
        self.sheet = Sheet(self.writer, CAPACITY, title, about)
        self.left_row, self.judged_row, self.raw_row, self.all_row = (self.sheet.top + each for each in (1, 2, 3, 5))

    @cached_property
    def places(self) -> list[dict[str, int]]:
        """By segment, the row of each of its figures."""
        names = ["demand", "waiting", *[""] * (len(self.kept) - 1), "at hand", "room", "own", "closed", "binds"]
        tops = [self.all_row + 2 + number * (len(names) + 1) for number in range(len(self.segments))]
        return [{name: top + place for place, name in enumerate(names) if name} for top in tops]

    def write(self) -> None:
        """All of it."""
        sheet, year, people = self.sheet, self.found.year, self.people
        months = [self.writer.grid.month(month) for month in range(YEAR)]
        sheet.heads(sheet.top, ["", "", *months, "Year"], words=2)
        left, added = months_left(year.first + year.start), judged(self.found.plan)
        self._line(self.left_row, ("", "Share of the month to come"), left, _constants(left), SHARE)
        self._line(self.judged_row, ("", "Judgment"), added, _constants(added))
        columns = [down(people.arr_col + month, people.top, people.last, PEOPLE) for month in range(YEAR)]
        names = ("", "All can close, judgment left out")
        self._line(self.raw_row, names, people.arr.sum(axis=0), [f"SUM({column})" for column in columns])
        names = (ALL, "Who sells in all can close")
        self._line(self.all_row, names, self.found.rooms[-1], self._rooms(len(self.segments)))
        for number in range(len(self.segments)):
            self._segment(number)
        self._totals(self.places[-1]["binds"] + 2)
        sheet.widths(16, 34, 12)
        sheet.freeze(sheet.top + 1, 2)

    def _line(
        self,
        row: int,
        names: tuple[str, str],
        values: np.ndarray,
        formulas: list[str],
        kind: str = MONEY,
        look: str = "",
    ) -> None:
        """A figure by month; of money that adds up over months the year too."""
        self.sheet.text(row, 0, names[0])
        self.sheet.text(row, 1, names[1], look)
        for month in range(YEAR):
            self.sheet.formula(row, 2 + month, formulas[month], float(values[month]), kind, look)
        if kind == MONEY and not names[1].startswith(STOCKS):
            whole = f"SUM({across(row, 2, 1 + YEAR)})"
            self.sheet.formula(row, 2 + YEAR, whole, float(values.sum()), kind, look or "strong")

    def _at(self, row: int) -> list[str]:
        return [cell(row, 2 + month) for month in range(YEAR)]

    def _rooms(self, pool: int) -> list[str]:
        """What the people of a pool can close, its share of judgment included, in what is left of each month."""
        people = self.people
        pools = down(POOL, people.top, people.last, PEOPLE)
        rows = zip(self._at(self.raw_row), self._at(self.judged_row), self._at(self.left_row), strict=True)
        return [
            f"SUMPRODUCT(({pools}={pool + 1})*{down(people.arr_col + month, people.top, people.last, PEOPLE)})"
            f"*IF({raw}>0,MAX({raw}+{added},0)/{raw},1)*{left}"
            for month, (raw, added, left) in enumerate(rows)
        ]

    def _segment(self, number: int) -> None:
        """One segment: demand, what waits by age, capacity, what closes."""
        found, name, row = self.found, self.segments[number], self.places[number]
        at = {key: self._at(place) for key, place in row.items()}
        months = range(YEAR)
        self._line(
            row["demand"], (name, "Demand"), found.demand[number], [self._demand(name, month) for month in months]
        )
        for age, waits in enumerate(self._waiting(number)):
            formulas = [self._waits(row, age, month) for month in months]
            self._line(row["waiting"] + age, (name, _age_words(age, len(self.kept))), waits, formulas)
        hand = [f"{at['demand'][month]}+SUM({self._ages(row, month)})" for month in months]
        self._line(row["at hand"], (name, "At hand"), found.waiting[number], hand)
        self._line(row["room"], (name, "Its people can close"), found.rooms[number], self._rooms(number))
        own = np.minimum(found.waiting[number], found.rooms[number])
        lesser = [f"MIN({each},{room})" for each, room in zip(at["at hand"], at["room"], strict=True)]
        self._line(row["own"], (name, "They close"), own, lesser)
        closed = [self._closed(number, month) for month in months]
        self._line(row["closed"], (name, "Closed in all"), found.closed[number], closed, look="strong")
        slack = 1e-9 * max(float(found.demand.sum()), 1.0)
        self.sheet.text(row["binds"], 0, name)
        self.sheet.text(row["binds"], 1, "Would more people close more?")
        for month in months:
            more = f'IF({at["at hand"][month]}-{at["closed"][month]}>{slack!r},"yes","no")'
            said = "yes" if found.people_bind[number, month] else "no"
            self.sheet.formula(row["binds"], 2 + month, more, said, NUMBER, "number head")

    def _ages(self, row: dict[str, int], month: int, since: int = 0) -> str:
        """What waits in a month, from an age on."""
        return down(2 + month, row["waiting"] + since, row["waiting"] + len(self.kept) - 1)

    def _demand(self, name: str, month: int) -> str:
        """Expected of the commit and of open records in the rows of a segment."""
        mine = [TARGET_TOP + at for at, each in enumerate(self.writer.grid.cells) if each.segment == name]
        runs = [[at for _, at in run] for _, run in groupby(enumerate(mine), lambda pair: pair[1] - pair[0])]
        columns = COMMITTED_COL + month, OPEN_COL + month
        return "+".join(f"SUM({down(col, run[0], run[-1], ARR)})" for run in runs for col in columns)

    def _waits(self, row: dict[str, int], age: int, month: int) -> str:
        """What waits at a month's beginning: of what was left a month before, the share that is still there."""
        if month == 0:
            return "0"
        at, last = 2 + month - 1, len(self.kept) - 1
        demand, hand, closed = (cell(row[key], at) for key in ("demand", "at hand", "closed"))
        left = f"MAX(MIN({demand},{hand}-{closed}),0)" if age == 0 else self._left(row, age - 1, month - 1)
        oldest = f"+{self._left(row, last, month - 1)}" if age == last else ""
        return f"({left}{oldest})*{self.kept[age]!r}"

    def _left(self, row: dict[str, int], age: int, month: int) -> str:
        """What is left of what waited so long, the oldest being worked first."""
        own = cell(row["waiting"] + age, 2 + month)
        return f"MAX(MIN({own},SUM({self._ages(row, month, age)})-{cell(row['closed'], 2 + month)}),0)"

    def _closed(self, number: int, month: int) -> str:
        """What its people close, and its share of what those in all segments can."""
        rests = [f"({cell(each['at hand'], 2 + month)}-{cell(each['own'], 2 + month)})" for each in self.places]
        share = f"MIN({cell(self.all_row, 2 + month)}/MAX({'+'.join(rests)},{NOTHING!r}),1)"
        return f"{cell(self.places[number]['own'], 2 + month)}+{rests[number]}*{share}"

    def _waiting(self, number: int) -> np.ndarray:
        """Shape (ages, 12): what waits at each month's beginning, by age; the oldest was worked first."""
        demand, closed = self.found.demand[number], self.found.closed[number]
        waits = np.zeros((len(self.kept), YEAR))
        for month in range(1, YEAR):
            parts = np.append(waits[::-1, month - 1], demand[month - 1])  # the oldest first
            left = np.diff(np.maximum(np.cumsum(parts) - closed[month - 1], 0.0), prepend=0.0)
            waits[:, month] = left[:0:-1] * self.kept
            waits[-1, month] += left[0] * self.kept[-1]
        return waits

    def _totals(self, row: int) -> None:
        """All segments together, by name for who wants to point at them."""
        found, everywhere = self.found, self._at(self.all_row)
        told = (
            ("demand", "Demand", found.demand, "people_demand"),
            ("room", "People can close", found.rooms, "people_can_close"),
            ("closed", "Closed", found.closed, "people_close"),
        )
        for place, (key, words, values, name) in enumerate(told, row):
            rows = [self._at(each[key]) for each in self.places] + ([everywhere] if key == "room" else [])
            formulas = ["+".join(cells) for cells in zip(*rows, strict=True)]
            self._line(place, ("Sum", words), values.sum(axis=0), formulas, look="total")
            self.sheet.result(name, place, 2 + YEAR, float(values.sum()))
        more = f"{cell(row + 2, 2 + YEAR, CAPACITY)}-{cell(row, 2 + YEAR, CAPACITY)}"
        self.writer.check("People close no more than demand brings", (f"MAX({more},0)", "0"), 0)


STOCKS = "At hand", "Waits from before"
"""What stands in a month and does not add up over months."""


def _constants(values: np.ndarray) -> list[str]:
    return [repr(float(value)) for value in values]


def _age_words(age: int, ages: int) -> str:
    if ages == 1:
        return STOCKS[1]
    return f"{STOCKS[1]}, {counted(age + 1, 'month')}{' or more' if age == ages - 1 else ''}"
