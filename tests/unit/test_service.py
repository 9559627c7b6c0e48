"""Service levels by hand: working hours, the three clocks, what is met, breached or pending, quality of leads, bad input."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from revplan.cli import main
from revplan.crm.planfile import read_plan
from revplan.crm.records import read_export
from revplan.exhibits import service as exhibits
from revplan.exhibits.exhibit import terminal
from revplan.exhibits.named import exhibits_of
from revplan.ground.errors import DataError, PlanError
from revplan.ground.workdays import Workdays
from revplan.ground.worktime import WorkingHours, in_utc
from revplan.tracking import quality
from revplan.tracking.pacebook import open_pace
from revplan.tracking.servicebook import ServiceBook

# --- working hours ---------------------------------------------------------------------------------------------


def hours(working: WorkingHours, start: str, end: str) -> float:
    """Working hours between two moments by the clock of the zone."""
    moments = in_utc(np.array([start, end], dtype="M8[us]"), working.zone)
    return float(working.between(moments[:1], moments[1:])[0])


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        ("2027-03-03T10:00", "2027-03-03T12:30", 2.5),
        ("2027-03-03T16:00", "2027-03-04T10:00", 2.0),
        ("2027-03-05T16:30", "2027-03-08T09:15", 0.75),  # Friday to Monday
        ("2027-03-06T11:00", "2027-03-07T20:00", 0.0),  # a weekend
        ("2027-03-03T05:00", "2027-03-03T23:00", 8.0),
        ("2027-03-03T12:00", "2027-03-03T11:00", -1.0),
    ],
)
def test_hours_of_working_days(start: str, end: str, expected: float) -> None:
    assert hours(WorkingHours(Workdays(), zone="America/New_York"), start, end) == pytest.approx(expected)


def test_a_holiday_is_not_worked() -> None:
    berlin = WorkingHours(Workdays(country="DE"), 8, 16, "Europe/Berlin")
    assert hours(berlin, "2027-05-05T15:00", "2027-05-07T09:00") == pytest.approx(2)  # Ascension Day between


def test_round_the_clock_a_day_that_changes_its_clock_has_23_or_25_hours() -> None:
    zone = "America/New_York"
    every_day = WorkingHours(Workdays(weekend=()), 0, 24, zone)
    assert hours(every_day, "2027-03-14T00:00", "2027-03-15T00:00") == pytest.approx(23)
    assert hours(every_day, "2027-11-07T00:00", "2027-11-08T00:00") == pytest.approx(25)
    assert hours(every_day, "2027-03-14T01:30", "2027-03-14T03:30") == pytest.approx(1)


def test_moments_a_clock_skips_or_shows_twice() -> None:
    moments = in_utc(np.array(["2027-03-28T02:30", "2027-10-31T02:30"], dtype="M8[us]"), "Europe/Berlin")
    assert moments.astype(str).tolist() == ["2027-03-28T01:00:00.000000", "2027-10-31T00:30:00.000000"]


def test_two_zones_count_the_same_moments_by_their_own_clocks() -> None:
    moments = np.array(["2027-06-02T14:00", "2027-06-02T20:00"], dtype="M8[us]")  # UTC
    start, end = moments[:1], moments[1:]
    found = [
        WorkingHours(Workdays(), zone=zone).between(start, end)[0]
        for zone in ("Europe/Berlin", "America/New_York", "Asia/Tokyo")
    ]
    assert found == pytest.approx([1, 6, 0])  # 16:00-17:00, 10:00-16:00, 23:00-05:00


# --- a company -------------------------------------------------------------------------------------------------

PLAN = """\
year: {first_month: 2027-01}
plan_date: 2026-12-01
currency: USD
goal: {new_arr: 1_000_000}
stages: [{id: lead}, {id: mql}, {id: sql}, {id: won}]
commit: {stage: mql}
segments: {smb: {acv: 10_000}}
sources: {web: {share: 0.6}, fair: {share: 0.4}}
transitions:
  - {from: lead, to: mql, rate: 0.5, lag: {months: 0}}
  - {from: mql, to: sql, rate: 0.5, lag: {months: 0}}
  - {from: sql, to: won, rate: 0.2, lag: {months: 1}}
history: {leads: crm.yaml}
"""
LEVELS = """\
service_levels:
  first_touch_hours: 4
  attempts: {count: 3, days: 5}
  acceptance_days: 2
  acceptance_rate: 0.8
  timezone: America/New_York
"""
CRM = """\
format: wide
files: {leads: {path: leads.csv, id: id}}
stages: {lead: leads.lead, mql: leads.mql, sql: leads.sql, won: leads.won}
lost: leads.lost
segment: {value: smb}
source: leads.source
owner: leads.owner
assigned: leads.assigned
rejected: {at: leads.rejected, reason: leads.reason}
touches: {path: touches.csv, id: lead, at: at, who: who, kind: kind}
timezone: America/New_York
"""
HEAD = "id,source,owner,lead,mql,assigned,sql,won,lost,rejected,reason\n"
# Wednesday 3 March 2027 on; the records are known to the end of Thursday 11 March.
LEADS = (
    HEAD + "a,web,ann,2027-03-01 09:00,2027-03-03 10:00,2027-03-03 11:00,2027-03-04 12:00,,,,\n"
    "b,web,ann,2027-03-01 09:00,2027-03-03 15:00,2027-03-03 16:00,,,,2027-03-09 10:00,no budget\n"
    "c,web,bob,2027-03-01 09:00,2027-03-04 10:00,2027-03-04 10:00,,,,,\n"
    "d,fair,bob,2027-03-01 09:00,2027-03-04 10:00,2027-03-04 10:00,2027-03-04 11:00,,,,\n"
    "e,fair,bob,2027-03-01 09:00,2027-03-11 15:00,2027-03-11 15:00,,,,,\n"
    "f,fair,bob,2027-03-01 09:00,2027-03-05 09:00,,,,,,\n"
    "g,web,ann,2027-03-01 09:00,2027-03-03 09:00,2027-03-03 09:00,,,2027-03-03 12:00,,\n"
    "h,web,ann,2026-11-02 09:00,,,,,,,\n"
)
TOUCHES = """\
lead,at,who,kind
a,2027-03-03 10:30,marketing,mail
a,2027-03-03 14:00,ann,call
b,2027-03-04 14:30,ann,call
b,2027-03-05 09:30,ann,call
b,2027-03-08 09:30,ann,mail
c,2027-03-12 09:00,bob,call
e,2027-03-11 16:00,bob,call
x,2027-03-11 16:00,bob,call
"""
AS_OF = "2027-03-11"
TOUCH, TRIES, ANSWER = (
    "first touch within 4 working hours",
    "3 touches within 5 working days",
    "accepted or rejected within 2 working days",
)


def company(
    folder: Path, plan: str = PLAN + LEVELS, crm: str = CRM, leads: str = LEADS, touches: str = TOUCHES
) -> Path:
    for name, text in {"plan.yaml": plan, "crm.yaml": crm, "leads.csv": leads, "touches.csv": touches}.items():
        (folder / name).write_text(text, encoding="utf-8")
    return folder / "plan.yaml"


def opened(folder: Path, as_of: str = AS_OF, **files: str) -> ServiceBook:
    return ServiceBook(open_pace(company(folder, **files), as_of))


@pytest.fixture
def book(tmp_path: Path) -> ServiceBook:
    return opened(tmp_path)


def states(found: ServiceBook, level: str) -> dict[str, str]:
    return dict(zip(found.every["record"], found.every[level], strict=True))


def row(found: ServiceBook, level: str, name: str = "all") -> dict[str, Any]:
    rows = found.levels[(found.levels["level"] == level) & (found.levels["name"] == name)]
    assert len(rows) == 1
    return dict(rows.iloc[0])


def test_first_touch_by_hand(book: ServiceBook) -> None:
    """a: 3 of 4 hours. b: 1 + 5.5 hours. c: untouched 8 hours and more. d: accepted after 1 hour, nothing more was owed.

    e: touched after 1 hour. f: given to nobody. g: lost after 3 hours. h: never handed over.
    """
    assert states(book, "first touch") == {
        "a": "met", "b": "breached", "c": "breached", "d": "settled", "e": "met", "f": "", "g": "settled",
    }  # fmt: skip
    found = row(book, TOUCH)
    assert [found[name] for name in ("met", "breached", "pending", "settled")] == [2, 2, 0, 2]
    assert found["share"] == pytest.approx(0.5)
    assert found["median_hours"] == pytest.approx(3)  # of 3, 6.5 and 1


def test_attempts_by_hand(book: ServiceBook) -> None:
    """5 working days are 40 hours: over for c (since Thursday 4th 10:00, gone Thursday 11th 10:00), not for e.

    b had its third touch in time; a was accepted, so no more attempts were owed.
    """
    assert states(book, "attempts") == {
        "a": "settled", "b": "met", "c": "breached", "d": "settled", "e": "pending", "f": "", "g": "settled",
    }  # fmt: skip


def test_answers_by_hand(book: ServiceBook) -> None:
    """a: accepted after 9 hours of 16. b: rejected after 26. c: not answered. e: 2 hours old. g: lost before."""
    assert states(book, "answer") == {
        "a": "met", "b": "breached", "c": "breached", "d": "met", "e": "pending", "f": "", "g": "settled",
    }  # fmt: skip
    found = row(book, "acceptance rate")
    assert [found["met"], found["breached"], found["share"]] == [2, 1, pytest.approx(2 / 3)]


def test_a_record_inside_its_deadline_is_pending(tmp_path: Path) -> None:
    early = opened(tmp_path, as_of="2027-03-03")
    # By that evening b has been owed a touch for one hour of four; a touch of the 4th is not known yet.
    assert states(early, "first touch")["b"] == "pending"
    assert early.breaches.empty
    assert row(early, TOUCH)["share"] == 1  # a


def test_records_that_ended_days_ago_tell_of_no_breach_nor_of_worse_leads_since(tmp_path: Path) -> None:
    """Nobody knows whether e had its three touches after the 11th, when the records end, nor what became of leads of late."""
    late = opened(tmp_path, as_of="2027-03-31")
    assert late.pace.ended_on == date(2027, 3, 11)
    assert states(late, "attempts") == states(opened(tmp_path), "attempts")
    assert states(late, "attempts")["e"] == "pending"
    example = Path(__file__).parents[2] / "data" / "example" / "plan_fy26.yaml"
    ends = ServiceBook(open_pace(example)).pace.as_of
    fresh, stale = (ServiceBook(open_pace(example, ends + timedelta(days=days))) for days in (0, 60))
    assert stale.pace.ended_on == ends
    assert stale.quality.said == fresh.quality.said
    assert stale.steps.empty or stale.stretches[1].last <= ends


def test_the_three_clocks(book: ServiceBook) -> None:
    """a is assigned 18 hours after it was created; first touches follow assignment by 3, 6.5 and 1 hours."""
    found = book.clocks.set_index("clock")
    assert found.loc["assigned to first touch", ["records", "median_hours"]].tolist() == [3, pytest.approx(3)]
    assert found.loc["created to assigned", "records"] == 6
    every = book.every.set_index("record")
    assert every.loc["a", ["hours_to_assign", "hours_to_touch", "hours_to_touch_all"]].tolist() == pytest.approx(
        [18, 3, 21]
    )


def test_an_hour_that_a_clock_shows_twice_holds_touches_of_both(tmp_path: Path) -> None:
    """In New York the hour from one to two comes twice on 7 November 2027: a call at 1:10 may come after a hand-over at 1:50."""
    levels = LEVELS.replace("{count: 3, days: 5}", "{count: 2, days: 1}") + "  working_hours: [0, 24]\n"
    leads = (
        HEAD + "a,web,ann,2027-11-01 09:00,2027-11-07 01:50,2027-11-07 01:50,,,,,\nh,web,ann,2026-11-02 09:00,,,,,,,\n"
    )
    touches = "lead,at,who,kind\na,2027-11-07 01:10,ann,call\na,2027-11-07 01:55,ann,call\n"
    found = opened(
        tmp_path, "2027-11-07", plan=PLAN + "calendar: {weekend: []}\n" + levels, leads=leads, touches=touches
    )
    only = found.every.set_index("record").loc["a"]
    assert only["touches"] == 2
    assert only["attempts"] == "met"
    assert only["hours_to_touch"] == pytest.approx(5 / 60)  # that of 1:55, in the first of the two hours
    assert "1 MQL against" in found.said[0]


def test_touches_before_a_record_was_assigned_anew_are_told(book: ServiceBook, tmp_path: Path) -> None:
    leads = (
        HEAD + "a,web,bob,2027-03-01 09:00,2027-03-03 10:00,2027-03-08 10:00,,,,,\nh,web,ann,2026-11-02 09:00,,,,,,,\n"
    )
    found = opened(
        tmp_path, leads=leads, touches="lead,at,who,kind\na,2027-03-03 11:00,ann,call\na,2027-03-02 11:00,ann,call\n"
    )
    told = "1 record was touched after the hand-over and before the assignment, by marketing or by whoever had it before: these touches do not count."
    assert told in found.notes
    assert told in book.notes  # a, by marketing
    assert states(found, "first touch")["a"] == "breached"


def test_work_rate_unworked_and_who(book: ServiceBook) -> None:
    found = row(book, "work rate")
    names = ["met", "breached", "pending", "settled"]
    assert [found[name] for name in names] == [3, 1, 0, 2]  # a, b, e touched; c idle; d and g need no touch any more
    answers = row(book, "acceptance rate")
    assert [answers[name] for name in names] == [2, 1, 3, 1]  # a, d; b; c, e and f whom nobody has; g was lost before
    idle = book.unworked.set_index("name")
    assert idle.loc["all", ["records", "unassigned"]].tolist() == [2, 1]  # c, and f whom nobody has
    assert idle.loc["bob", "oldest_hours"] == pytest.approx(47)  # c: 7 hours on the 4th, and five whole days
    assert row(book, TOUCH, "ann")["breached"] == 1
    assert row(book, TOUCH, "bob")["breached"] == 1


def test_breaches_are_listed_those_still_open_first(book: ServiceBook) -> None:
    rows = book.breaches
    assert list(zip(rows["record"], rows["level"], rows["done"], strict=True)) == [
        ("c", TOUCH, False), ("c", TRIES, False), ("c", ANSWER, False), ("b", ANSWER, True), ("b", TOUCH, True),
    ]  # fmt: skip
    assert rows["hours"].tolist() == pytest.approx([47, 47, 47, 26, 6.5])


def test_reasons_of_rejection(book: ServiceBook, tmp_path: Path) -> None:
    assert book.reasons[["reason", "records", "share"]].to_numpy().tolist() == [["no budget", 1, 1.0]]
    silent = opened(tmp_path, leads=LEADS.replace("no budget", ""))
    assert silent.reasons["reason"].tolist() == ["no reason given"]


def test_volume_and_value_against_the_plan(book: ServiceBook) -> None:
    rows = book.volume.set_index(["level", "period"])
    line = book.pace.line()
    assert line is not None
    assert rows.loc[("volume", "2027-03"), "actual"] == line["actual"] == 7
    assert rows.loc[("volume", "2027-03"), "agreed"] == pytest.approx(line["target_to_date"])
    # An MQL is worth 0.5 x 0.2 x 10,000.
    assert rows.loc[("value", "2027-03"), "actual"] == pytest.approx(7 * 1000)


def test_the_zone_of_the_team_decides(tmp_path: Path) -> None:
    """11:00 to 14:00 in New York are 17:00 to 20:00 in Berlin, where the day ended an hour before."""
    levels = LEVELS + "  teams: {marketing: {timezone: Europe/Berlin, working_hours: [9, 18]}}\n"
    found = opened(tmp_path, plan=PLAN + levels).every.set_index("record")
    assert found.loc["a", "hours_to_touch"] == pytest.approx(1)
    crm = CRM.replace("owner: leads.owner", "owner: leads.owner\nteam: leads.owner")
    other = opened(tmp_path, plan=PLAN + levels.replace("marketing:", "ann:"), crm=crm).every.set_index("record")
    assert other.loc["a", "hours_to_touch"] == pytest.approx(1)
    assert other.loc["e", "hours_to_touch"] == pytest.approx(1)  # bob's, by the company's clock
    assert set(other["team"]) == {"ann", "bob"}


def test_teams_in_several_countries_work_on_days_and_hours_of_their_own(tmp_path: Path) -> None:
    """Hours from 8 to 18 but in Tokyo; the records show moments in UTC.

    de: Thursday 16:00 to Tuesday 9:30 in Munich, across Good Friday, Easter Monday and the change of clocks: 2 + 1.5.
    us: Thursday 11:00 to Tuesday 3:30 in New York: 7 + 10 + 10. jp: Friday 14:00 to Tuesday 10:00 in Tokyo, across a
    holiday moved to Monday: 3 + 1. we works at weekends alone: Saturday 8:00 to 13:00.
    """
    levels = """\
  working_hours: [8, 18]
  teams:
    de: {timezone: Europe/Berlin, calendar: {country: DE, region: BY}}
    jp: {timezone: Asia/Tokyo, working_hours: [9, 17], calendar: {country: JP}}
    we: {calendar: {weekend: [mon, tue, wed, thu, fri]}}
calendar: {country: US}
"""
    crm = CRM.replace("owner: leads.owner", "owner: leads.owner\nteam: leads.owner").replace(
        "timezone: America/New_York", "timezone: UTC"
    )
    moments = {
        "de": ("03-25 15:00", "03-30 07:30"),
        "us": ("03-25 15:00", "03-30 07:30"),
        "jp": ("03-19 05:00", "03-23 01:00"),
        "we": ("03-25 15:00", "03-27 17:00"),
    }
    leads = (
        HEAD
        + "h,web,us,2026-11-02 09:00,,,,,,,\n"
        + "".join(f"{name},web,{name},2027-03-01 09:00,2027-{at},2027-{at},,,,,\n" for name, (at, _) in moments.items())
    )
    touches = "lead,at,who,kind\n" + "".join(f"{name},2027-{at},x,call\n" for name, (_, at) in moments.items())
    found = opened(tmp_path, "2027-03-31", plan=PLAN + LEVELS + levels, crm=crm, leads=leads, touches=touches)
    hours = found.every.set_index("record")["hours_to_touch"]
    assert hours[["de", "us", "jp", "we"]].tolist() == pytest.approx([3.5, 27, 4, 5])
    assert {name: states(found, "first touch")[name] for name in moments} == {
        "de": "met",
        "us": "breached",
        "jp": "met",
        "we": "breached",
    }


CHANGES = {
    "first_touch_hours: 4": ("first_touch_hours: 8", lambda found: states(found, "first touch")["b"], "met"),
    "count: 3": ("count: 4", lambda found: states(found, "attempts")["b"], "settled"),
    "days: 5": ("days: 50", lambda found: states(found, "attempts")["c"], "pending"),
    "acceptance_days: 2": ("acceptance_days: 4", lambda found: states(found, "answer")["b"], "met"),
    "acceptance_rate: 0.8": ("acceptance_rate: 0.9", lambda found: found.marketing()[-3]["agreed"], 0.9),
    "timezone: America/New_York": (
        "timezone: Asia/Tokyo", lambda found: found.every.set_index("record").loc["a", "hours_to_touch"], 0.0,
    ),
}  # fmt: skip


@pytest.mark.parametrize("key", CHANGES)
def test_every_level_acts(tmp_path: Path, key: str) -> None:
    text, look, expected = CHANGES[key]
    before = look(opened(tmp_path))
    after = look(opened(tmp_path, plan=PLAN + LEVELS.replace(key, text)))
    assert before != pytest.approx(after) if isinstance(after, float) else before != after
    assert after == expected


@pytest.mark.parametrize(
    ("more", "record", "level", "expected"),
    [
        ("  working_hours: [9, 12]\n", "a", "first touch", "met"),  # 11:00 to 12:00 is one hour
        ("  working_hours: [0, 24]\n", "e", "answer", "pending"),
        ("  stage: lead\n", "h", "first touch", ""),
        ("  accepted: won\n", "a", "answer", "breached"),
    ],
)
def test_hours_and_stages_act(tmp_path: Path, more: str, record: str, level: str, expected: str) -> None:
    found = opened(tmp_path, plan=PLAN + LEVELS + more)
    assert states(found, level)[record] == expected
    if "working_hours: [9, 12]" in more:
        assert found.every.set_index("record").loc["a", "hours_to_touch"] == pytest.approx(1)


def test_without_touches_nothing_is_claimed_of_them(tmp_path: Path) -> None:
    found = opened(
        tmp_path, crm=CRM.replace("touches: {path: touches.csv, id: lead, at: at, who: who, kind: kind}\n", "")
    )
    assert set(found.levels["level"]) == {ANSWER, "acceptance rate"}
    assert any("names no touches (`touches`): first touch and attempts cannot be told" in note for note in found.notes)
    assert found.answer()["unworked"] == []
    assert not any("names no touches" in note for note in opened(tmp_path).notes)


def test_without_rejections_losses_count_as_such(tmp_path: Path) -> None:
    found = opened(tmp_path, crm=CRM.replace("rejected: {at: leads.rejected, reason: leads.reason}\n", ""))
    assert row(found, "acceptance rate")["breached"] == 1  # g
    assert any("what was lost before it was accepted counts as rejected" in note for note in found.notes)


def test_days_without_hours_are_told(tmp_path: Path) -> None:
    short = "\n".join(
        ",".join(cell.split(" ")[0] if cell.startswith("202") else cell for cell in line.split(","))
        for line in LEADS.splitlines()
    )
    found = opened(tmp_path, leads=short + "\n")
    assert any("no time of day" in note for note in found.notes)
    assert not any("no time of day" in note for note in opened(tmp_path).notes)


# --- the quality of leads ----------------------------------------------------------------------------------------


def weeks_of(rates: np.ndarray, entries: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Surplus and variance of weeks with such rates, as `quality` makes them of one segment and source."""
    accepted = random.binomial(entries, rates)
    mean = accepted.sum() / entries.sum()
    return accepted - entries * mean, entries * mean * (1 - mean)


def test_false_alarms_on_a_thousand_unchanged_years_are_as_many_as_stated() -> None:
    """Volumes vary and grow over the year; half of the years vary by more than luck from week to week."""
    random = np.random.default_rng(20271)
    alarms = 0
    for year in range(1000):
        entries = random.poisson(np.linspace(15, 45, 52))
        rates = np.full(52, 0.3) if year % 2 else random.beta(15, 35, 52)
        found = quality.change_point(*weeks_of(rates, entries, random), seed=year)
        assert found is not None
        alarms += found.chance <= quality.ALARM
    error = np.sqrt(1000 * quality.ALARM * (1 - quality.ALARM))
    assert abs(alarms - 1000 * quality.ALARM) < 3 * error


def test_a_drop_is_seen_and_dated() -> None:
    random = np.random.default_rng(7)
    entries, rates = np.full(52, 40), np.where(np.arange(52) < 30, 0.35, 0.2)
    found = [quality.change_point(*weeks_of(rates, entries, random), seed=year) for year in range(50)]
    seen = [each for each in found if each is not None and each.chance <= quality.ALARM and each.size < 0]
    assert len(seen) >= 48
    assert abs(np.median([each.week for each in seen]) - 30) <= 1


def handed(rows: list[tuple[int, str, bool]]) -> pd.DataFrame:
    """Hand-overs `days` after the first of January 2026, of a source, accepted the next day or never."""
    at = np.datetime64("2026-01-01T12:00", "us") + np.array([days for days, _, _ in rows]) * np.timedelta64(1, "D")
    won = np.array([accepted for _, _, accepted in rows])
    return pd.DataFrame(
        {
            "handed_over": at,
            "accepted": np.where(won, at + np.timedelta64(1, "D"), np.datetime64("NaT", "us")),
            "segment": "all",
            "source": [source for _, source, _ in rows],
        }
    )


NOW = np.datetime64("2027-01-01", "us")


def test_worse_leads_are_told_from_another_mix() -> None:
    """Web converts at 40 %, fairs at 10 %: from July on there are more fairs, then fairs and web alike are worse."""
    random = np.random.default_rng(5)

    def year(web: float, fair: float) -> pd.DataFrame:
        rows = []
        for day in range(360):
            late = day >= 180
            for source, rate, number in (("web", 0.4, 3 if late else 9), ("fair", 0.1, 9 if late else 3)):
                share = rate * ((web if source == "web" else fair) if late else 1.0)
                rows += [(day, source, bool(random.random() < share)) for _ in range(number)]
        return handed(rows)

    same = quality.quality(year(1.0, 1.0), NOW)
    assert not same.alarms
    assert "neither better nor worse than luck explains" in same.said
    worse = quality.quality(year(0.6, 0.6), NOW)
    assert worse.alarms
    assert "The leads are worse since the week of" in worse.said
    assert worse.weeks["week"].iloc[worse.change.week].month in (6, 7)  # type: ignore[union-attr]
    better = quality.quality(year(1.5, 2.0), NOW)
    assert "The leads are better since the week of" in better.said


def test_young_records_do_not_look_worse() -> None:
    """Those of the last days are still to be accepted: they do not count."""
    table = handed([(day, "web", day % 2 == 0 and day < 363) for day in range(365)])
    found = quality.quality(table, NOW)
    assert found.weeks["entries"].sum() < 365
    assert not found.alarms


def test_too_few_records_are_no_proof() -> None:
    found = quality.quality(handed([(day, "web", True) for day in range(3)]), NOW)
    assert found.said == "Too few records had their time to say whether the leads are better or worse than before."


def reached(rows: list[tuple[float, bool]]) -> pd.DataFrame:
    """Records touched after so many working hours (never where infinite), and whether they were accepted."""
    hours_to = np.array([each for each, _ in rows])
    return pd.DataFrame(
        {
            "starts": pd.Timestamp("2026-05-01"),
            "hours_to_touch": np.where(np.isinf(hours_to), np.nan, hours_to),
            "advanced": [won for _, won in rows],
            "first touch": np.where(hours_to <= 4, "met", "breached"),
        }
    )


def test_the_cost_of_breaches_is_a_range() -> None:
    """40 of 100 in time, 20 of 100 late: 20 points, give or take; 10 breaches of 1,000 each."""
    table = reached([(1.0, number < 40) for number in range(100)] + [(50.0, number < 20) for number in range(100)])
    cost = quality.cost_of_breaches(table, quality.response_bands(table, 4.0), 10, 1000.0)
    assert cost is not None
    assert 0 < cost.low < 0.2 < cost.high < 0.4
    assert cost.range == pytest.approx((10_000 * cost.low, 10_000 * cost.high))
    assert cost.steady
    # Newcombe's bounds from those of each share.
    met, late = cost.met, cost.late
    assert cost.low == pytest.approx(0.2 - np.hypot(0.4 - met["share_low"], late["share_high"] - 0.2))


def test_bands_that_do_not_fall_steadily_are_told() -> None:
    table = reached([(1.0, True), (1.0, False), (10.0, False), (10.0, False), (90.0, True), (90.0, True)])
    cost = quality.cost_of_breaches(table, quality.response_bands(table, 4.0), 1, 1.0)
    assert cost is not None
    assert not cost.steady
    assert quality.response_bands(table, 4.0)["records"].tolist() == [2, 2, 2, 0, 0]


# --- what is said, and the command ------------------------------------------------------------------------------


def test_what_is_said_is_so(book: ServiceBook) -> None:
    told = "\n".join(map(terminal, exhibits.tables(book)))
    assert "Marketing: 7 MQLs against" in told
    assert "sales accepted 66.7% of what it answered (2 of 3)" in told
    assert f"{TOUCH} 50% (2 of 4, 0 pending)" in told
    assert "5 breaches this quarter, 3 of which wait still." in told
    assert "2 open records have never been touched; the oldest is 47 working hours old." in told
    assert "1 record was handed over and given to nobody: no clock of sales runs for it." in told
    assert "Sales rejected 1 record, most for the reason no budget: 100%." in told


def test_the_command_gives_both_ways(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["pace", str(company(tmp_path)), "--as-of", AS_OF, "--json"]) in (
        0,
        3,
    )  # 3: behind, which these few leads are
    told = json.loads(capsys.readouterr().out)["service_levels"]
    assert {each["level"] for each in told["marketing"]} == {
        "volume",
        "value",
        "acceptance",
        "rejection reasons",
        "quality",
    }
    touch = next(each for each in told["sales"] if each["level"] == TOUCH and each["by"] == "all")
    assert [touch["met"], touch["breached"], touch["pending"]] == [2, 2, 0]
    assert told["breaches"][0]["record"] == "c"
    assert told["handed_over"] == 7


# --- bad input ----------------------------------------------------------------------------------------------------


def test_the_terminal_has_the_weeks_behind_the_quality() -> None:
    example = ServiceBook(open_pace(Path(__file__).parents[2] / "data" / "example" / "plan_fy26.yaml", "2026-09-20"))
    weeks = [each for each in exhibits.tables(example) if each.message == example.quality.said]
    assert [each.kind for each in weeks] == ["chart"]
    assert "accepted" in terminal(weeks[0])
    assert len(terminal(weeks[0]).splitlines()) > 52


def test_touches_of_unknown_leads_are_set_aside_and_counted(tmp_path: Path) -> None:
    company(tmp_path)
    export = read_export(tmp_path / "crm.yaml")
    lines = [str(line) for line in export.details.found.lines if line.part == "touches"]
    assert "touches: set aside: no record of that id: 1 ('x' 1)" in lines
    assert "touches: rows kept: 7" in lines
    told = "1 touch is of no record, and not counted: 'x', say."
    assert told in opened(tmp_path).notes
    assert not any("of no record" in note for note in opened(tmp_path, touches=TOUCHES.replace("x,", "c,")).notes)


@pytest.mark.parametrize(
    ("crm", "touches", "told"),
    [
        (CRM, TOUCHES.replace("\n", "\nZ", 7).replace("\nZ", "\nZ"), "touches.id: not one touch is of a record: 'Za', say"),
        (CRM.replace("at: at, ", ""), TOUCHES, "touches.at: is missing; name the column with the moment of a touch"),
        (CRM.replace("id: lead, ", ""), TOUCHES, "touches.id: is missing"),
        (CRM.replace("who: who", "who: whom"), TOUCHES, "touches.who: touches.csv has no column 'whom'"),
        (CRM.replace("leads.assigned", "touches.at"), TOUCHES, "assigned: 'touches.at': a row of touches is no record"),
        (CRM.replace("{at: leads.rejected, ", "{"), TOUCHES, "rejected: has no `at`"),
        (CRM.replace("files: {", "files: {touches: {path: touches.csv, id: lead}, "), TOUCHES, "is the name of the file under `touches`"),
        (CRM, TOUCHES.replace("2027-03-04 14:30", "04/03/2027"), "touches.csv line 4, at: '04/03/2027'"),
        (CRM.replace("path: touches.csv", "path: calls.csv"), TOUCHES, "touches.path: there is no file calls.csv"),
    ],
)  # fmt: skip
def test_touches_that_cannot_be_are_refused(tmp_path: Path, crm: str, touches: str, told: str) -> None:
    company(tmp_path, crm=crm, touches=touches)
    with pytest.raises(DataError) as refused:
        read_export(tmp_path / "crm.yaml")
    assert told in str(refused.value).replace("there is no file 'calls.csv'", "there is no file calls.csv")


def test_kinds_of_touches_can_be_left_out(tmp_path: Path) -> None:
    found = opened(tmp_path, crm=CRM + "only: {touches.kind: [call]}\n")
    assert states(found, "attempts")["b"] == "settled"  # its third was a mail; it was rejected in time


@pytest.mark.parametrize(
    ("levels", "told"),
    [
        ("service_levels: {stage: mqll}", "service_levels.stage: 'mqll' is no stage of this plan"),
        ("service_levels: {stage: won, acceptance_days: 1}", "service_levels.stage: is won, the last stage"),
        ("service_levels: {accepted: lead}", "service_levels.accepted: is lead, which is not after mql"),
        ("service_levels: {working_hours: [17, 9]}", "ends before it begins"),
        ("service_levels: {timezone: Mars}", "is no time zone"),
        ("service_levels: {teams: {de: {calendar: {country: XX}}}}", "no public holidays are known of country 'XX'"),
        (
            "service_levels: {teams: {de: {calendar: {weekend: [mon, tue, wed, thu, fri, sat, sun]}}}}",
            "leaves no day of the week to work on",
        ),
        ("service_levels: {first_touch_hours: 0}", "service_levels.first_touch_hours"),
        ("service_levels: {attempts: {count: 3}}", "service_levels.attempts.days"),
        ("service_levels: {first_touch: 4}", "service_levels.first_touch"),
    ],
)
def test_levels_that_cannot_be_are_refused(tmp_path: Path, levels: str, told: str) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text(PLAN + levels + "\n", encoding="utf-8")
    with pytest.raises(PlanError) as refused:
        read_plan(path)
    assert told in str(refused.value)


def test_records_without_the_stage_say_so(tmp_path: Path) -> None:
    crm = CRM.replace("mql: leads.mql, ", "")
    found = opened(tmp_path, plan=PLAN + LEVELS + "  stage: mql\n", crm=crm)
    assert found.every.empty
    assert any("The records know of no MQLs, at which marketing hands over." in note for note in found.notes)
    shown = exhibits.tables(found)
    assert [each.kind for each in shown if "share_low" in each.kinds] == []
    assert shown[0].kind == "text"


@pytest.mark.parametrize(
    ("as_of", "crm", "names"),
    [(AS_OF, CRM.replace("mql: leads.mql, ", ""), {"rejections", "lost"}), ("2027-01-04", CRM, {"conversion", "lost"})],
)
def test_an_exhibit_of_which_nothing_is_recorded_says_so(tmp_path: Path, as_of: str, crm: str, names: set[str]) -> None:
    found = opened(tmp_path, as_of, plan=PLAN + LEVELS + "  stage: mql\n", crm=crm)
    made = {name: show(found) for name, show in exhibits_of(found).items()}
    assert {made[name].kind for name in names} == {"text"}


def test_touches_of_days_to_come_are_told_and_not_counted(tmp_path: Path, book: ServiceBook) -> None:
    assert "1 touch lies after 11 Mar 2027, the last on 12 Mar 2027, and is not counted." in book.notes
    later = opened(tmp_path, touches=TOUCHES + "c,2039-03-12 09:00,bob,call\n")
    assert "2 touches lie after 11 Mar 2027, the last on 12 Mar 2039, and are not counted." in later.notes
    assert states(later, "first touch") == states(book, "first touch")
    back = ServiceBook(
        open_pace(tmp_path / "plan.yaml", "2026-11-03")
    )  # a look back: what came later is no day to come
    assert not any("2027" in note and "touch" in note and "lies after 3 Nov" in note for note in back.notes)


def test_the_day_is_counted_to_its_end(tmp_path: Path) -> None:
    found = opened(tmp_path, as_of="2027-03-12")
    assert found.pace.as_of == date(2027, 3, 12)
    assert found.every.set_index("record").loc["c", "touches"] == 1
