"""Whether parts differ beyond luck: not where they do not, and surely where they do."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from revplan.crm.records import History, read_records
from revplan.rates.counts import differences
from revplan.rates.spells import spells_of

DATA = Path(__file__).parents[3] / "shared" / "data"
LAST = date(2026, 6, 30)


def history(rates: dict[str, float], seed: int, size: int = 400) -> History:
    """Leads of 2025, `size` a segment, won with the segment's rate after 20 days or so."""
    rng = np.random.default_rng(seed)
    frames = []
    for segment, rate in rates.items():
        start = pd.Timestamp("2025-01-01") + pd.to_timedelta(rng.integers(0, 365, size), unit="D")
        delay = pd.to_timedelta(rng.exponential(20, size).astype(int), unit="D")
        won = rng.random(size) < rate
        names = [f"{segment}{number}" for number in range(size)]
        leads = pd.DataFrame({"record": names, "stage": "lead", "entered_on": start})
        wins = pd.DataFrame({"record": names, "stage": "won", "entered_on": start + delay})[won]
        frames.append(pd.concat([leads, wins]).assign(segment=segment, source="all"))
    rows = pd.concat(frames, ignore_index=True)
    return History(("lead", "won"), rows[rows["entered_on"] <= pd.Timestamp(LAST)], pd.DataFrame(), (), LAST, "")


def found(rates: dict[str, float], seed: int) -> pd.Series:
    table = differences(spells_of(history(rates, seed)))
    (row,) = (each for _, each in table.iterrows())
    return row


def test_parts_that_are_alike_are_seldom_called_different() -> None:
    alike = [found(dict.fromkeys("abc", 0.2), seed)["differs"] for seed in range(60)]
    assert sum(alike) <= 8  # 3 expected, more than 8 in one of 500 runs


def test_a_real_difference_is_found_and_named() -> None:
    row = found({"a": 0.1, "b": 0.2, "c": 0.35}, 1)
    assert row["differs"]
    assert (row["best"], row["worst"]) == ("c", "a")
    assert 2.5 < row["ratio"] < 7  # 3.5 in rates; more by age, since those won early leave fewer at risk
    assert row["chance"] < 1e-6


def test_one_part_is_compared_with_nothing() -> None:
    assert differences(spells_of(history({"a": 0.2}, 1))).empty


MAVEN = """\
format: wide
files:
  pipeline: {path: DATA/maven_crm_sales_opportunities/sales_pipeline.csv, id: opportunity_id}
stages:
  engaged: pipeline.engage_date
  won: {at: pipeline.close_date, field: pipeline.deal_stage, is: Won}
lost: {at: pipeline.close_date, field: pipeline.deal_stage, is: Lost}
segment: pipeline.product
"""


@pytest.mark.skipif(not (DATA / "maven_crm_sales_opportunities").is_dir(), reason="the public records are not here")
def test_no_product_of_the_public_crm_is_declared_better(tmp_path: Path) -> None:
    path = tmp_path / "crm.yaml"
    path.write_text(MAVEN.replace("DATA", DATA.as_posix()), encoding="utf-8")
    records = read_records(path)
    table = differences(spells_of(records))
    assert len(table)
    assert not table["differs"].any()
