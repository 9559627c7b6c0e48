"""Entries by month and open items by age: worked by hand on six records."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from revplan.crm.records import History, read_records
from revplan.ground.tables import conform
from revplan.rates.spells import open_items, stage_entries

CRM = """\
format: wide
files: {leads: {path: leads.csv, id: id}}
stages: {lead: leads.lead, sql: leads.sql, won: leads.won}
lost: leads.lost
source: leads.source
amount: leads.amount
"""

LEADS = """\
id,lead,sql,won,lost,source,amount
1,2026-01-05,2026-01-20 18:00:00,2026-02-10,,web,1000
2,2026-01-05,2026-02-03,,,web,500
3,2026-01-05,2026-02-03,,,web,
4,2026-01-31,,,2026-02-04,fair,
5,2026-02-01,,,,fair,
6,2026-02-01,2026-02-02,,2026-02-28,fair,700
"""


@pytest.fixture
def history(tmp_path: Path) -> History:
    (tmp_path / "crm.yaml").write_text(CRM, encoding="utf-8")
    (tmp_path / "leads.csv").write_text(LEADS, encoding="utf-8")
    return read_records(tmp_path / "crm.yaml")


def test_entries_by_month(history: History) -> None:
    table = stage_entries(history)
    found = [(row.source, row.stage, str(row.month), row.entries) for row in table.itertuples()]
    assert found == [
        ("fair", "lead", "2026-01", 1),
        ("fair", "lead", "2026-02", 2),
        ("fair", "sql", "2026-02", 1),
        ("web", "lead", "2026-01", 3),
        ("web", "sql", "2026-01", 1),
        ("web", "sql", "2026-02", 2),
        ("web", "won", "2026-02", 1),
    ]
    assert table["entries"].sum() == len(history.stage_history)
    conform(table, "stage_entries")


def test_open_items_by_stage_and_age(history: History) -> None:
    table = open_items(history, date(2026, 2, 28))
    found = [tuple(row) for row in table.drop(columns="segment").itertuples(index=False)]
    # 2 and 3 share stage and age: 25 days from 3 to 28 February; one of them carries an amount
    assert found == [("fair", "lead", 27.0, 1, 0.0, 0), ("web", "sql", 25.0, 2, 500.0, 1)]
    conform(table, "open_items")


def test_open_items_on_an_earlier_day(history: History) -> None:
    table = open_items(history, date(2026, 2, 3))
    found = {(row.source, row.stage, row.age_days): row.items for row in table.itertuples(index=False)}
    # 1 was not won yet (14 days from 20 January, whatever the time of day), 4 and 6 not lost yet
    assert found == {
        ("fair", "lead", 2.0): 1,
        ("fair", "lead", 3.0): 1,
        ("fair", "sql", 1.0): 1,
        ("web", "sql", 14.0): 1,
        ("web", "sql", 0.0): 2,
    }
