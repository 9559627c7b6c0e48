"""Each data quality finding on a handful of records, worked by hand: found where it is, silent where it is not."""

from __future__ import annotations

from collections import Counter
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from revplan import open_board, open_history, open_pace, open_workbook
from revplan.crm import events, quality
from revplan.crm.cells import Findings
from revplan.crm.moments import Moments
from revplan.crm.records import History, read_records
from revplan.exhibits import annual_commit, pace, rates, summary
from revplan.exhibits.exhibit import terminal
from revplan.tracking.book import open_before

STAGES = ("lead", "won")
NO_DAY = np.datetime64("NaT", "us")


def lines(found: Findings) -> list[str]:
    return [str(line) for line in found.lines]


def labels(**counts: int) -> Counter[str]:
    return Counter(counts)


def moments(*rows: tuple[str | None, str | None, str | None]) -> Moments:
    """Records with lead, won and lost."""
    at = np.array([[np.datetime64(cell or "NaT", "us") for cell in row] for row in rows])
    return Moments(at[:, :2], at[:, 2], Findings())


def ids(count: int) -> pd.Index:
    return pd.Index([f"r{n}" for n in range(count)], dtype=object)


# --- labels -------------------------------------------------------------------------------------------------


def test_spellings_of_one_label_are_proposed_as_the_commonest() -> None:
    values = Counter(["Google"] * 3 + ["google", "GTX Pro", "GTXPro", "GTXPro", "web"])
    same, found = quality.label_variants("source", values)
    assert same == {"google": "Google", "GTX Pro": "GTXPro"}
    assert lines(found) == [
        "source: labels that differ from another only in case or spacing; merge_labels: true makes them one: 2 "
        "('google' 1 like 'Google'; 'GTX Pro' 1 like 'GTXPro')"
    ]
    assert lines(quality.label_variants("source", labels(web=2, fair=1))[1]) == []


def test_labels_outside_the_expected_names() -> None:
    values = Counter(["GTXPro"] * 2 + ["MG Advancd", "Else", "GTX Basic", "unknown"])
    same, found = quality.unexpected_labels("product", values, ["GTX Pro", "MG Advanced", "GTX Basic"])
    assert same == {"GTXPro": "GTX Pro"}  # a likely name is proposed, only a sure one merged
    assert lines(found) == [
        "product: not among the expected names: 4 "
        "('GTXPro' 2, perhaps 'GTX Pro'; 'MG Advancd' 1, perhaps 'MG Advanced'; 'Else' 1)"
    ]


def test_names_without_a_record_stay_in_the_denominator() -> None:
    found = quality.idle_names("owner", labels(ann=2, bob=1), ["ann", "Bob", "Cyd"], {"bob": "Bob"})
    assert lines(found) == ["owner: expected names without any record; keep them in the denominator: 1 (Cyd)"]


def test_dates_among_labels_are_told() -> None:
    values = Counter(["May-20", "May-20", "5-May", "2020-05-20", "21-50", "May"])
    (line,) = lines(quality.dates_as_labels("segment", values))
    assert line.startswith(
        "segment: labels that are dates; Excel may have changed them: export as CSV again: 4 ('May-20' 2;"
    )


# --- numbers ------------------------------------------------------------------------------------------------


def test_probabilities_over_100() -> None:
    assert lines(quality.impossible_probabilities("p", ["1000", "100", "0.5", "65 %", "-1", "", "high", "101%"])) == [
        "p: probabilities over 100 or under 0: 3 (1000; -1; 101%)"
    ]


def test_wins_without_an_amount() -> None:
    won, amount = np.array([True, True, False]), np.array([5.0, np.nan, np.nan])
    assert lines(quality.wins_without_amount(won, amount, ids(3))) == ["amount: won without an amount: 1 (record r1)"]


def test_an_amount_far_off() -> None:
    amount = np.array([24_120_000, 200_000, 1, 210_000, np.nan, 0])  # the median of the four is 205,000
    told = "amount: over 100 times the median: 1 (record r0: 24,120,000, median 205,000)"
    assert lines(quality.amounts_far_off(amount, ids(6))) == [told]


# --- days ---------------------------------------------------------------------------------------------------


def test_closed_before_created() -> None:
    raw = moments(("2026-01-05 10:00", "2026-01-05 09:00", None), ("2026-01-05", None, "2026-01-03"))
    assert lines(quality.closed_before_created(raw, STAGES, ids(2))) == [
        "lost: closed before created: a day before that of lead: 1 (record r1: 2026-01-03, lead 2026-01-05)"
    ]


def test_zombies_are_older_than_the_longest_deal_in_whole_tens_of_days() -> None:
    closed = [("2026-01-01", f"2026-02-{n + 1:02d}", None) for n in range(20)]  # the longest takes 50 days
    still_open = [("2026-01-01", None, None), ("2026-02-19", None, None), ("2026-02-20", None, None)]
    # on 11 April they are 100, 51 and 50 days old
    as_of = date(2026, 4, 11)
    told = "records: zombies: open for more than 50 days, when none ever closed after day 50: 2 (of 3 open)"
    assert lines(quality.zombies(moments(*closed, *still_open), as_of)) == [told]
    assert lines(quality.zombies(moments(*closed[:19], *still_open), as_of)) == []  # too few deals to tell


def test_many_losses_on_the_last_day() -> None:
    def lost(last: int) -> np.ndarray:
        days = ["2019-11-01"] * 3 + ["2019-12-01"] * 4 + ["2020-01-01"] * last
        return np.array([*days, "NaT"], dtype="datetime64[us]")

    (line,) = lines(quality.losses_on_the_last_day(lost(28)))
    assert line.endswith("may pose as the day they ended: 28 (2020-01-01; on no other day more than 4)")
    assert len(lines(quality.losses_on_the_last_day(lost(12)))) == 1  # three times the busiest other day
    assert lines(quality.losses_on_the_last_day(lost(11))) == []


def test_one_moment_for_most_records_is_no_history() -> None:
    some = [(f"2026-01-{n + 1:02d}", "2026-02-01 08:15", None) for n in range(20)]
    assert lines(quality.one_instant(moments(*some), STAGES)) == [
        "won: entered at one and the same moment of 20; a snapshot or a migration, not history: 20 (2026-02-01 08:15:00)"
    ]
    equal = [(f"2026-01-{n + 1:02d} 08:15",) * 2 + (None,) for n in range(20)]
    (line,) = lines(quality.one_instant(moments(*equal), STAGES))
    assert line.startswith("records: all stages entered in the same second")
    days = [(f"2026-01-{n + 1:02d}",) * 2 + (None,) for n in range(20)]  # a day without its time says less
    assert lines(quality.one_instant(moments(*days), STAGES)) == []


def test_a_log_with_a_row_per_record_and_month_is_snapshots() -> None:
    months = [f"2026-{month:02d}-01" for month in range(1, 7)]
    rows = [(f"r{n}", month, "Won" if number > 3 else "New") for n in range(5) for number, month in enumerate(months)]

    def told(rows: list[tuple[str, str, str]]) -> list[str]:
        record, at, values = zip(*rows, strict=True)
        numbers, kinds = (pd.factorize(np.array(each, dtype=object))[0] for each in (record, values))
        return lines(events._snapshots("log", numbers, np.array(at, dtype="datetime64[us]"), kinds))

    (line,) = told(rows)  # per record 5 steps, 4 of which change nothing
    assert line.endswith("a stage counts from its first: 20 (5 records on 6 days)")
    assert told([row for row in rows if row[1] in (months[0], months[4])]) == []
    changes = [(f"r{n}", month, f"stage {number}") for n in range(5) for number, month in enumerate(months)]
    assert told(changes) == []  # as dense, but every row changes something


def test_outcomes_recorded_late() -> None:
    # a lead a day for a year, each won after 10 days; wins are recorded only from day 300 on
    start = np.datetime64("2025-01-01")
    rows = [
        (str(start + n), str(start + n + 10) if 300 <= n + 10 < 365 else None, None)
        for n in range(365)
        for _ in range(3)
    ]
    (line,) = lines(quality.late_outcomes(moments(*rows), STAGES, date(2025, 12, 31)))
    assert line.startswith("won: recorded only from 2025-10-28 on; lead before then only looks as if it never led here")
    assert line.endswith("(lead from 2025-01-01)")


# --- in the report ------------------------------------------------------------------------------------------

CRM = """\
format: wide
files:
  deals: {path: deals.csv, id: id}
  teams: {path: teams.csv}
stages: {lead: deals.lead, won: deals.won}
source: deals.source
owner: deals.owner
product: deals.product
amount: deals.amount
probability: deals.chance
merged: deals.merged
expected: {owner: teams.rep}
"""

DEALS = """\
id,lead,won,source,owner,product,amount,chance,merged
1,2026-01-01,2026-02-01,Google,Ann,May-20,,100,4;7
2,2026-01-02,,google,Bob,Basic,5,1000,
3,2026-01-03,,Google,bob,Basic,5,10,
4,2026-01-03,,google,Bob,Basic,5,10,
"""


@pytest.fixture
def crm(tmp_path: Path) -> Path:
    (tmp_path / "deals.csv").write_text(DEALS, encoding="utf-8")
    (tmp_path / "teams.csv").write_text("rep\nAnn\nBob\nCyd\n", encoding="utf-8")
    (tmp_path / "crm.yaml").write_text(CRM, encoding="utf-8")
    return tmp_path / "crm.yaml"


def told(history: History) -> list[str]:
    return [f"{line.part}: {line.what.partition(';')[0]}: {line.count}" for line in history.report]


def test_warts_stand_in_the_report_and_change_nothing(crm: Path) -> None:
    history = read_records(crm)
    assert history.records["source"].tolist() == ["Google", "google", "Google"]
    assert {
        "source: labels that differ from another only in case or spacing: 1",
        "owner: labels that differ from another only in case or spacing: 1",
        "owner: not among the expected names: 1",
        "owner: expected names without any record: 1",
        "product: labels that are dates: 1",
        "amount: won without an amount: 1",
        "deals.csv, chance: probabilities over 100 or under 0: 1",
        "deals: set aside: merged into another record: 1",
        "teams: rows kept, as a list of expected names: 3",
    } <= set(told(history))


def test_labels_are_merged_where_the_crm_file_says_so(crm: Path) -> None:
    crm.write_text(CRM + "merge_labels: true\n", encoding="utf-8")
    history = read_records(crm)
    assert history.records["source"].tolist() == ["Google"] * 3
    assert history.records["owner"].tolist() == ["Ann", "Bob", "Bob"]
    assert {"source: labels merged, as merge_labels asks: 1", "owner: labels merged, as merge_labels asks: 1"} <= set(
        told(history)
    )


# --- what stands on page one of every report ----------------------------------------------------------------

DIRTY = """\
format: wide
files: {d: {path: leads.csv, id: id}}
stages: {lead: d.lead, sql: d.sql, won: d.won}
lost: d.lost
amount: d.amount
currency: d.currency
rates: {USD: 0.9, EUR: 1.0}
"""
YEAR = """\
currency: EUR
year: {{first_month: {first}}}
plan_date: {first}-01
goal: {{new_arr: 1_000_000}}
stages: [{{id: lead}}, {{id: sql}}, {{id: won}}]
commit: {{stage: sql}}
segments: {{all: {{acv: 5000}}}}
sources: {{all: {{cost_per_entry: 10}}}}
history: {{leads: crm.yaml}}
"""
SAID = {
    "after today": "1 date lies after today",
    "a silent stage": "No new sql since",
    "a bulk load": "Bulk load: 60",
    "wins undone": "won and later lost or reopened, no wins",
    "two currencies": "converted at the rates given in the CRM file",
}


def company(folder: Path, dirty: bool) -> Path:
    """Records of two and a half years with a plan of the half-year to come and one of the running year."""
    random, number, end = np.random.default_rng(5), 2400, pd.Timestamp("2026-06-30")
    lead = pd.Series(pd.Timestamp("2024-01-03") + pd.to_timedelta(np.sort(random.integers(0, 909, number)), "D"))
    sql = lead + pd.to_timedelta(random.integers(1, 20, number), "D")
    won = sql + pd.to_timedelta(random.integers(10, 60, number), "D")
    went = random.random(number) < 0.4
    wins = went & (random.random(number) < 0.35)
    lost = (sql + pd.Timedelta(days=70)).where(went & ~wins)
    frame = pd.DataFrame({"lead": lead, "sql": sql.where(went), "won": won.where(wins), "lost": lost})
    frame = frame.where(frame <= end).assign(amount=random.integers(1000, 9000, number), currency="EUR")
    if dirty:
        frame.loc[frame["sql"] > "2026-04-10", ["sql", "won", "lost"]] = pd.NaT
        undone = frame.index[frame["won"].notna()][:12]
        frame.loc[undone, "lost"] = frame.loc[undone, "won"] + pd.Timedelta(days=9)
        frame.loc[::3, "currency"] = "USD"
        frame.loc[5, "won"] = pd.Timestamp(date.today()) + pd.Timedelta(days=900)
        load = pd.DataFrame({"lead": [pd.Timestamp("2025-09-09")] * 600, "amount": 1000, "currency": "EUR"})
        frame = pd.concat([frame, load], ignore_index=True)
    frame.assign(id=range(len(frame))).to_csv(folder / "leads.csv", index=False)
    (folder / "crm.yaml").write_text(
        DIRTY if dirty else DIRTY.replace("currency: d.currency\nrates: {USD: 0.9, EUR: 1.0}\n", ""), "utf-8"
    )
    for name, first in (("plan.yaml", "2026-07"), ("running.yaml", "2026-01")):
        (folder / name).write_text(YEAR.format(first=first), "utf-8")
    return folder


def first_pages(folder: Path) -> dict[str, str]:
    """Report -> what its first page says in words."""
    board = open_board(folder / "running.yaml", "", "2026-06-30")
    found = {
        "annual_commit": annual_commit.summary(open_workbook(folder / "plan.yaml")),
        "board_report": summary.summary(board, open_before(board)),
        "rates": rates.summary(open_history(folder / "plan.yaml")),
        "pace": pace.summary(open_pace(folder / "running.yaml", as_of="2026-06-30")),
    }
    return {name: terminal(each) for name, each in found.items()}


def test_what_changes_how_figures_are_read_stands_on_page_one_of_every_report(tmp_path: Path) -> None:
    pages = first_pages(company(tmp_path, dirty=True))
    assert {(name, what): page.count(said) for name, page in pages.items() for what, said in SAID.items()} == {
        (name, what): 1 for name in pages for what in SAID
    }
    assert all(page.index(SAID["after today"]) < page.index(SAID["a bulk load"]) for page in pages.values())
    told = terminal(rates.rates(open_history(tmp_path / "plan.yaml")))
    assert [what for what, said in SAID.items() if said in told] == []


def test_no_page_one_says_so_of_clean_records(tmp_path: Path) -> None:
    pages = first_pages(company(tmp_path, dirty=False))
    assert [(name, what) for name, page in pages.items() for what, said in SAID.items() if said[:10] in page] == []
