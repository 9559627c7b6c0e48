"""Laws of pipeline movement: identity to the cent, additivity, and two exports that say what a log says."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from movement_files import LOG_CRM, WIDE_CRM

from revplan.crm.records import read_export
from revplan.tracking.movement import (
    ALL,
    PARTS,
    SIGNS,
    TERMS,
    MovementSpan,
    PipelineMovement,
    Window,
    deal_movements,
    movement_by,
    pipeline_movement,
    windows,
)

LAWS = settings(deadline=None, derandomize=True, database=None, suppress_health_check=[HealthCheck.too_slow])
BEGIN, FIRST, LAST = date(2026, 10, 1), date(2026, 12, 31), date(2027, 3, 20)
DAYS = (LAST - BEGIN).days
WINDOWS = windows(LAST)
CENTS = st.one_of(st.just(0), st.integers(min_value=1, max_value=10**11))
CLOSE = st.one_of(st.none(), st.integers(min_value=0, max_value=420).map(lambda n: BEGIN + timedelta(days=n)))


@dataclass
class Deal:
    """A deal with the day of each change: (day, what, to what)."""

    name: str
    created: date
    cents: int
    close: date | None
    labels: tuple[str, str]
    changes: list[tuple[date, str, object]] = field(default_factory=list)

    def on(self, day: date) -> tuple[str, int, date | None, date | None] | None:
        """State, cents, expected close and day of closing at the end of `day`; None before it was created."""
        if day < self.created:
            return None
        state, cents, close, closed = "open", self.cents, self.close, None
        for at, what, value in self.changes:
            if at > day:
                break
            if what == "amount":
                cents = int(str(value))
            elif what == "close":
                close = value if isinstance(value, date) else None
            else:
                state, closed = str(value), None if value == "open" else at
        return state, cents, close, closed


@st.composite
def deals(draw: st.DrawFn) -> list[Deal]:
    """One to twelve deals; what happens to a deal happens on days of its own, one a day."""
    made = []
    for number in range(draw(st.integers(min_value=1, max_value=12))):
        created = BEGIN + timedelta(days=draw(st.integers(min_value=0, max_value=DAYS)))
        labels = (draw(st.sampled_from("xy")), draw(st.sampled_from("uv")))
        deal = Deal(f"d{number}", created, draw(CENTS), draw(CLOSE), labels)
        days = draw(st.lists(st.integers(min_value=1, max_value=DAYS), unique=True, max_size=6))
        closed = False
        for day in sorted(days):
            at = created + timedelta(days=day)
            what = draw(st.sampled_from(["amount", "close", "state"]))
            if what == "state":
                value: object = "open" if closed else draw(st.sampled_from(["won", "lost"]))
                closed = not closed
            else:
                value = draw(CENTS if what == "amount" else CLOSE)
            if at <= LAST:
                deal.changes.append((at, what, value))
        made.append(deal)
    return made


def table(made: list[Deal], day: date) -> pd.DataFrame:
    """Table deals as the model makes it, of what the deals say of themselves."""
    known = [(deal, deal.on(day)) for deal in made]
    rows = [
        {
            "record": deal.name,
            "segment": deal.labels[0],
            "source": "all",
            "owner": deal.labels[1],
            "state": state[0],
            "amount": state[1],
            "first_close_on": deal.close,
            "close_on": state[3] if state[0] == "won" else state[2],
            "closed_on": state[3],
            "currency": "",
            "assumed": False,
        }
        for deal, state in known
        if state is not None
    ]
    columns = ["record", *PARTS, "state", "amount", "first_close_on", "close_on", "closed_on", "currency", "assumed"]
    frame = pd.DataFrame(rows, columns=columns)
    days = {name: pd.to_datetime(frame[name]) for name in ("first_close_on", "close_on", "closed_on")}
    return frame.assign(**days).astype({"amount": "int64"})


def open_in(made: list[Deal], day: date, first: date | None, last: date | None) -> int:
    """The open pipeline of a window at the end of a day, added up deal by deal. [cents]"""
    states = [state for deal in made if (state := deal.on(day)) and state[0] == "open"]
    return sum(cents for _, cents, close, _ in states if first is None or (close and first <= close <= (last or close)))


def told(deal: Deal, window: Window) -> dict[str, int]:
    """What becomes of a deal in a window of expected close dates, case by case. [cents]"""
    found = dict.fromkeys(TERMS, 0)
    before, after = deal.on(FIRST), deal.on(LAST)
    if after is None:
        return found
    state, cents, close, closed = after

    def inside(day: date | None) -> bool:
        return window.first is None or (day is not None and window.first <= day <= (window.last or day))

    was_open = before is not None and before[0] == "open"
    amount = before[1] if before and state == "lost" and cents == 0 else cents
    ours = was_open and before is not None and inside(before[2])
    new_and_ours = before is None and inside(deal.close)
    ends = inside(closed if state == "won" else close)
    fate = {"open": "end" if ends else "pushed_out", "won": "won", "lost": "lost"}[state]
    if before is not None and ours:
        found["start"], change = before[1], amount - before[1]
        found["increased" if change > 0 else "decreased"] = abs(change)
    elif before is not None and before[0] == state != "open":
        return found  # closed all along
    elif state == "lost" and before is not None:
        return found  # lost of another window, or a win undone
    elif not (ends or new_and_ours):
        return found
    else:
        found["pulled_in" if was_open else "created"] = amount
    found[fate] = amount
    return found


@settings(LAWS, max_examples=150)  # the same ones each time, hundreds of deals
@given(deals())
def test_the_terms_add_up_to_the_cent_and_the_ends_are_the_pipelines(made: list[Deal]) -> None:
    before, after = table(made, FIRST), table(made, LAST)
    for window in WINDOWS:
        moved = deal_movements(before, after, window)
        whole = {term: int(moved[term].sum()) for term in TERMS}
        assert whole == {term: sum(told(deal, window)[term] for deal in made) for term in TERMS}
        assert whole["start"] + sum(sign * whole[term] for term, sign in SIGNS.items()) == whole["end"]
        assert whole["start"] == open_in(made, FIRST, window.first, window.last)
        assert whole["end"] == open_in(made, LAST, window.first, window.last)
        for keys in ([], PARTS):
            rows = movement_by(moved, keys)
            for term in TERMS:
                assert sum(Decimal(f"{each:.2f}") for each in rows[term]) == Decimal(whole[term]).scaleb(-2)
            for row in rows.to_dict("records"):
                cents = {term: Decimal(f"{row[term]:.2f}") for term in TERMS}
                assert cents["start"] + sum(sign * cents[term] for term, sign in SIGNS.items()) == cents["end"]


@settings(LAWS, max_examples=100)
@given(deals())
def test_bookings_are_what_was_won_in_between(made: list[Deal]) -> None:
    moved = deal_movements(table(made, FIRST), table(made, LAST), ALL)
    states = [(deal.on(FIRST), deal.on(LAST)) for deal in made]
    won = sum(end[1] for start, end in states if end and end[0] == "won" and not (start and start[0] == "won"))
    assert moved["won"].sum() == won
    assert (moved[["pulled_in", "pushed_out"]].sum() == 0).all()


FIELDS = {"amount": "Amount", "close": "Close", "state": "Stage"}


def written(value: object, what: str) -> str:
    """A value as the files have it: an amount of nothing is an empty cell, as a missing day is."""
    if what == "amount":
        return f"{Decimal(int(str(value))).scaleb(-2)}" if value else ""
    return str(value).title() if what == "state" else str(value or "")


def logged(made: list[Deal], folder: Path) -> Path:
    """The deals as a log of changes, and a file with what they are on the last day."""
    log = ["id,at,field,old,new"]
    for deal in made:
        now: dict[str, object] = {"amount": deal.cents, "close": deal.close, "state": "open"}
        log.append(f"{deal.name},{deal.created},Stage,,Open")
        for at, what, value in deal.changes:
            log.append(f"{deal.name},{at},{FIELDS[what]},{written(now[what], what)},{written(value, what)}")
            now[what] = value
    log += [f"z,{day},Stage,,{stage}" for day, stage in ((BEGIN, "Open"), (BEGIN, "Won"))]  # every value is met
    log += [f"z,{BEGIN},Amount,1,1", f"z,{BEGIN},Close,2026-10-01,2026-10-01"]
    rows = [f"z,{BEGIN},1,2026-10-01,x,u"]
    for deal in made:
        state = deal.on(LAST)
        assert state is not None
        rows.append(
            f"{deal.name},{deal.created},{written(state[1], 'amount')},{state[2] or ''},{','.join(deal.labels)}"
        )
    return saved(
        folder,
        LOG_CRM.replace("proposal: Proposal", "open: Open"),
        deals=["id,created,amount,close,segment,owner", *rows],
        log=log,
    )


def exported(made: list[Deal], folder: Path, day: date) -> Path:
    """The deals as an export of one day holds them."""
    rows = [f"z,{BEGIN},{BEGIN},{BEGIN},,1,2026-10-01,x,u"]
    for deal in made:
        state = deal.on(day)
        if state:
            won, lost = (state[3] if state[0] == name else "" for name in ("won", "lost"))
            cells = (deal.name, deal.created, deal.created, won, lost, written(state[1], "amount"), state[2] or "")
            rows.append(",".join(map(str, (*cells, *deal.labels))))
    crm = WIDE_CRM.replace("won: deals.won", "open: deals.opened, won: deals.won")
    return saved(folder, crm, deals=["id,created,opened,won,lost,amount,close,segment,owner", *rows])


def saved(folder: Path, crm: str, **files: list[str]) -> Path:
    folder.mkdir()
    for name, lines in files.items():
        (folder / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (folder / "crm.yaml").write_text(crm, encoding="utf-8")
    return folder / "crm.yaml"


def cents(found: PipelineMovement, window: int) -> dict[str, int]:
    moved = deal_movements(found.before, found.after, found.windows[window])
    return {term: int(moved[term].sum()) for term in TERMS}


@settings(LAWS, max_examples=20)
@given(deals())
def test_two_exports_say_what_the_log_says(made: list[Deal]) -> None:
    with TemporaryDirectory() as folder:
        log = read_export(logged(made, Path(folder) / "log"))
        old, new = (read_export(exported(made, Path(folder) / str(day), day)) for day in (FIRST, LAST))
        asked = MovementSpan(first=FIRST, last=LAST)
        one, two = pipeline_movement(log, asked), PipelineMovement(new, old, asked)
        assert cents(one, 2) == cents(two, 2)
        for window, span in enumerate(WINDOWS):
            from_log, from_exports = cents(one, window), cents(two, window)
            expected = {term: int(each) for term, each in _expected(made, span).items()}
            assert from_log == expected
            # Two exports do not see what was created for the window and left it since; all else is the same.
            apart = {term: from_log[term] - from_exports[term] for term in TERMS}
            assert apart["created"] == apart["pushed_out"] + apart["lost"] + apart["won"]
            assert {apart[term] for term in ("start", "increased", "decreased", "pulled_in", "end")} == {0}


def _expected(made: list[Deal], window: object) -> pd.Series:
    return deal_movements(table(made, FIRST), table(made, LAST), window)[list(TERMS)].sum()  # type: ignore[arg-type]
