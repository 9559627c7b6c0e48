"""The ARR bridge from subscription periods: worked by hand, and on public data whose sums are known."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from revplan.crm.subscriptions import Periods, Subscriptions, arr_bridge, read_subscriptions
from revplan.ground.errors import DataError
from revplan.ground.tables import conform

DATA = Path(__file__).parents[3] / "shared" / "data"
FOLDERS = ("dbt_mrr_playbook", "ravenstack_saas")
needs_data = pytest.mark.skipif(
    not all((DATA / folder).is_dir() for folder in FOLDERS), reason="the shared data are not all there"
)

COLUMNS = {"customer": "c", "start": "from", "end": "to", "amount": "mrr"}
TERMS = ["new", "reactivation", "expansion", "contraction", "churn"]

TEXT = """\
c,from,to,mrr
a,2026-01-10,2026-03-01,10
a,2026-02-01,,5
b,2026-01-01,2026-02-01,20
b,2026-03-15,,30
z,2026-01-05,2026-01-20,9
,2026-01-01,,1
y,2026-02-01,2026-01-01,1
"""


def read(folder: Path, text: str, as_of: date | None = None) -> Periods:
    (folder / "s.csv").write_text(text, encoding="utf-8")
    return read_subscriptions(Subscriptions(path="s.csv", **COLUMNS), folder, as_of)


def lines(periods: Periods) -> list[str]:
    return [str(line) for line in periods.report]


def test_the_bridge_by_hand(tmp_path: Path) -> None:
    table = arr_bridge(read(tmp_path, TEXT)).set_index("month")
    # monthly at the months' ends: a 10, 15, 5; b 20, 0, 30; z is never seen. Times 12:
    assert table.loc["2026-01"].tolist() == [0, 360, 0, 0, 0, 0, 360]
    assert table.loc["2026-02"].tolist() == [360, 0, 0, 60, 0, -240, 180]
    assert table.loc["2026-03"].tolist() == [180, 0, 360, 0, -120, 0, 420]


def test_what_is_no_period_is_counted(tmp_path: Path) -> None:
    found = lines(read(tmp_path, TEXT))
    assert found[:4] == [
        "s.csv: rows read: 7 (s.csv: utf-8, separated by comma)",
        "s.csv: set aside: no customer: 1",
        "s.csv: set aside: ended before it started: 1",
        "s.csv: rows kept: 5",
    ]
    assert "s.csv: periods within one month; no month end sees them: 1" in found


def test_faults_are_data_errors(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"s\.csv: has no column 'mrr'; it has c, from, to"):
        read(tmp_path, "c,from,to\na,2026-01-01,\n")
    with pytest.raises(DataError, match=r"s\.csv line 2, mrr: 'x' is not an amount"):
        read(tmp_path, "c,from,to,mrr\na,2026-01-01,,x\n")
    with pytest.raises(DataError, match=r"s\.csv: holds no period"):
        read(tmp_path, "c,from,to,mrr\n,2026-01-01,,1\n")


period = st.tuples(
    st.sampled_from("abcd"),
    st.integers(0, 700),
    st.none() | st.integers(0, 400),
    st.decimals(0, 1000, places=2).map(float),
)


@settings(deadline=None, max_examples=100)
@given(rows=st.lists(period, min_size=1, max_size=25))
def test_the_terms_add_up_in_every_month(rows: list[tuple]) -> None:
    start = np.datetime64("2024-01-01")
    frame = pd.DataFrame(
        {
            "customer": [each[0] for each in rows],
            "started_on": [start + each[1] for each in rows],
            "ended_on": [np.datetime64("NaT") if each[2] is None else start + each[1] + each[2] for each in rows],
            "arr": [each[3] for each in rows],
        }
    ).astype({"customer": "str", "started_on": "datetime64[us]", "ended_on": "datetime64[us]"})
    table = arr_bridge(Periods(conform(frame, "subscription_periods"), date(2025, 12, 31), ()))
    cents = (table[["opening", *TERMS, "closing"]] * 100).round().astype("int64")
    assert (cents["opening"] + cents[TERMS].sum(axis=1) == cents["closing"]).all()
    assert (cents["closing"].shift().dropna() == cents["opening"].iloc[1:]).all()
    assert (table[["new", "reactivation", "expansion", "closing"]] >= 0).all(axis=None)
    assert (table[["contraction", "churn"]] <= 0).all(axis=None)


@needs_data
def test_the_bridge_of_the_playbook() -> None:
    where = Subscriptions(
        path="dbt_mrr_playbook/subscription_periods.csv",
        customer="customer_id",
        start="start_date",
        end="end_date",
        amount="monthly_amount",
        per="year",  # the published sums are of monthly amounts
    )
    periods = read_subscriptions(where, DATA, date(2020, 1, 31))
    table = arr_bridge(periods)
    assert table[TERMS].sum().tolist() == [2295, 150, 660, -555, -2375]
    assert table["closing"].iloc[-1] == 175
    assert (table["opening"] + table[TERMS].sum(axis=1) - table["closing"]).abs().max() == 0
    (trap,) = [line for line in lines(periods) if "nearly all did" in line]
    assert trap.endswith("the day of the extraction may pose as churn: 28 (2020-01)")


@needs_data
def test_subscriptions_that_overlap_and_cost_nothing_are_told() -> None:
    where = Subscriptions(
        path="ravenstack_saas/ravenstack_subscriptions.csv",
        customer="account_id",
        start="start_date",
        end="end_date",
        amount="mrr_amount",
    )
    periods = read_subscriptions(where, DATA)
    assert any(
        "customers with several subscriptions running: 500 (up to 18 at once)" in line for line in lines(periods)
    )
    assert any("periods without money, such as trials: 778" in line for line in lines(periods))
