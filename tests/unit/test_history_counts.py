"""Cohort counts: by hand, and against plain Python that follows each record of a dirty log on its own."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from revplan.crm.records import read_records
from revplan.rates.counts import OUTCOMES, cohort_counts, exposure_counts
from revplan.rates.spells import Spells, spells_of

STAGES = ("lead", "sql", "sqo", "won")
AS_OF = date(2024, 6, 30)
EXAMPLE = Path(__file__).resolve().parents[2] / "data" / "example"
WIDE = """\
format: wide
files: {leads: {path: leads.csv, id: id}}
stages: {lead: leads.lead, sql: leads.sql, sqo: leads.sqo, won: leads.won}
lost: leads.lost
outcome: first
"""
LOG = """\
format: history
path: log.csv
id: record
at: at
value: value
stages: {lead: lead, sql: sql, sqo: sqo, won: won}
lost: gone
outcome: first
records: {path: records.csv, id: record}
segment: records.segment
source: records.source
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def spells(folder: Path, *rows: str, as_of: date = AS_OF) -> Spells:
    """Records as the import leaves them, each written as the days of lead, sql, sqo, won and loss."""
    lines = [f"r{number}," + ",".join(each.split(" ")) for number, each in enumerate(rows)]
    text = "\n".join(["id,lead,sql,sqo,won,lost", *(line.replace("-,", ",").removesuffix("-") for line in lines)])
    (folder / "crm.yaml").write_text(WIDE, encoding="utf-8")
    (folder / "leads.csv").write_text(f"{text}\n", encoding="utf-8")
    return spells_of(read_records(folder / "crm.yaml", as_of))


def counted(folder: Path, *rows: str, as_of: date = AS_OF) -> list[str]:
    """Cohort counts, a row as `lead 2024-01 +1: 1 0 0`."""
    return [
        f"{row.from_stage} {row.cohort_month} +{row.lag_months}: {row.went_on} {row.lost} {row.still_open}"
        for row in cohort_counts(spells(folder, *rows, as_of=as_of)).itertuples()
    ]


# --- by hand -----------------------------------------------------------------------------------------------


def test_two_leads_of_one_month_one_of_which_goes_on(folder: Path) -> None:
    # The first goes on in February, a month after January, and is open since: June is 4 months later; the other for 5.
    found = counted(folder, "2024-01-31 2024-02-01 - - -", "2024-01-01 - - - -")
    assert found == ["lead 2024-01 +1: 1 0 0", "lead 2024-01 +5: 0 0 1", "sql 2024-02 +4: 0 0 1"]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ("2024-01-10 2024-01-10 - - 2024-03-05", ["lead 2024-01 +0: 1 0 0", "sql 2024-01 +2: 0 1 0"]),
        (  # a loss before the last stage is moved up to it
            "2024-01-10 2024-04-10 - - 2024-03-05",
            ["lead 2024-01 +3: 1 0 0", "sql 2024-04 +0: 0 1 0"],
        ),
        (  # skipped stages are entered with the next one, and a loss after the win means nothing
            "2024-01-10 - - 2024-03-10 2024-05-01",
            ["lead 2024-01 +2: 1 0 0", "sql 2024-03 +0: 1 0 0", "sqo 2024-03 +0: 1 0 0"],
        ),
        (  # an early day is moved up to the stage ahead
            "2024-03-10 2024-01-10 2024-04-01 - -",
            ["lead 2024-03 +0: 1 0 0", "sql 2024-03 +1: 1 0 0", "sqo 2024-04 +2: 0 0 1"],
        ),
    ],
)
def test_one_record(folder: Path, row: str, expected: list[str]) -> None:
    assert counted(folder, row) == expected


def test_nothing_after_the_as_of_day_is_known(folder: Path) -> None:
    rows = ("2024-01-31 2024-02-01 - - 2024-05-05", "2024-02-02 - - - -")
    assert counted(folder, *rows, as_of=date(2024, 1, 31)) == ["lead 2024-01 +0: 0 0 1"]


def test_exposure_by_hand(folder: Path) -> None:
    # On 30 June the first (entered the 28th) left at age 1; the other (entered the 27th) is open at ages 0 to 3.
    known = spells(folder, "2024-06-28 2024-06-29 - - -", "2024-06-27 - - - -")
    every = exposure_counts(known)
    lead = every[every["stage"] == "lead"]
    assert lead["at_risk"].tolist() == [2, 2, 1, 1]
    assert lead["went_on"].tolist() == [0, 1, 0, 0]
    recent = exposure_counts(known, date(2024, 6, 29))
    lead = recent[recent["stage"] == "lead"]
    # Watched from the 29th on: the first at age 1, the other at ages 2 and 3.
    assert dict(zip(lead["age_days"], lead["at_risk"], strict=True)) == {1: 1, 2: 1, 3: 1}
    assert exposure_counts(known, date(2024, 7, 1)).empty


# --- against an oracle -------------------------------------------------------------------------------------


def random_log(folder: Path, seed: int, records: int = 300) -> tuple[pd.DataFrame, pd.DataFrame]:
    """A log with every data quality finding (skipped, repeated, out of order, same day, reopened, unknown) and its records, written."""
    rng = np.random.default_rng(seed)
    size = records * 5
    days = pd.Timestamp("2023-01-01") + pd.to_timedelta(
        rng.integers(0, 600, size) // rng.choice([1, 30], size), unit="D"
    )
    chances = [0.35, 0.18, 0.14, 0.08, 0.1, 0.05, 0.1]
    log = pd.DataFrame(
        {
            "record": [f"r{number}" for number in rng.integers(0, records + 20, size)],
            "at": pd.Series(days + pd.to_timedelta(rng.integers(0, 86400, size), unit="s")),
            "value": rng.choice(np.array([*STAGES, "talk", "", "gone"], dtype=object), size, p=chances),
        }
    )
    log.loc[rng.random(size) < 0.02, "at"] = pd.NaT
    known = pd.DataFrame(
        {
            "record": [f"r{number}" for number in range(records)],
            "segment": rng.choice(np.array(["smb", "Mid", "größe", ""], dtype=object), records),
            "source": rng.choice(np.array(["in bound", "out'bound"], dtype=object), records),
        }
    )
    (folder / "crm.yaml").write_text(LOG, encoding="utf-8")
    log.to_csv(folder / "log.csv", index=False)
    known.to_csv(folder / "records.csv", index=False)
    return log, known


def oracle_entered(own: pd.DataFrame) -> dict[str, pd.Timestamp]:
    """Stage -> moment of a record with the rows `own`: its first entry, or that of a later stage before it."""
    first = [own.loc[own["value"] == stage, "at"].min() for stage in STAGES]
    entered = {stage: min(filter(pd.notna, first[number:]), default=pd.NaT) for number, stage in enumerate(STAGES)}
    return {stage: at for stage, at in entered.items() if pd.notna(at)}


def oracle_stays(log: pd.DataFrame, known: pd.DataFrame) -> pd.DataFrame:
    """The rules in plain Python: a row per record and stage it was in."""
    labels = known.set_index("record").replace("", "unknown")
    undated = set(log.loc[log["at"].isna() & log["value"].isin(["gone", STAGES[-1]]), "record"])
    told = log.dropna(subset=["at"])
    told = told[(told["at"] < pd.Timestamp(AS_OF) + pd.Timedelta(days=1)) & told["record"].isin(labels.index)]
    rows = []
    for record, own in told.groupby("record"):
        moves, losses = own[own["value"].isin(STAGES)], own.loc[own["value"] == "gone", "at"]
        entered, lost = oracle_entered(moves), losses[losses >= moves["at"].max()].min()
        for stage, after in pairwise(STAGES):
            if stage not in entered:
                continue
            outcome = "went_on" if after in entered else "lost" if pd.notna(lost) else "still_open"
            seen = max(entered.values()) if record in undated and STAGES[-1] not in entered else pd.Timestamp(AS_OF)
            ended = entered.get(after, lost if pd.notna(lost) else seen)
            row = {"from_stage": stage, "to_stage": after, "outcome": outcome}
            rows.append({**labels.loc[record], **row, "entered": entered[stage].floor("D"), "ended": ended.floor("D")})
    return pd.DataFrame(rows)


def same(table: pd.DataFrame, expected: pd.DataFrame, keys: list[str]) -> None:
    """Fail unless both hold the same rows, in whatever order."""
    wanted = expected[list(table.columns)].sort_values(keys, ignore_index=True)
    pd.testing.assert_frame_equal(table.sort_values(keys, ignore_index=True), wanted, check_dtype=False)


@pytest.mark.parametrize("seed", range(4))
def test_random_logs_give_the_counts_of_the_oracle(seed: int, folder: Path) -> None:
    stays = oracle_stays(*random_log(folder, seed))
    month = stays["entered"].dt.to_period("M")
    lag = [(end - start).n for start, end in zip(month, stays["ended"].dt.to_period("M"), strict=True)]
    keyed = stays.assign(cohort_month=month, lag_months=lag, **{name: stays["outcome"] == name for name in OUTCOMES})
    keys = ["segment", "source", "from_stage", "to_stage", "cohort_month", "lag_months"]
    expected = keyed.groupby(keys)[OUTCOMES].sum().reset_index()
    same(cohort_counts(spells_of(read_records(folder / "crm.yaml", AS_OF))), expected, keys)


def test_random_exposure_is_that_of_the_oracle(folder: Path) -> None:
    since = date(2024, 1, 10)
    rows = []
    for stay in oracle_stays(*random_log(folder, 11, records=120)).to_dict("records"):
        for day in pd.date_range(max(stay["entered"], pd.Timestamp(since)), stay["ended"]):
            outcome = stay["outcome"] if day == stay["ended"] else ""
            cell = {key: stay[key] for key in ("segment", "source")}
            exits = {name: int(outcome == name) for name in OUTCOMES[:2]}
            age = (day - stay["entered"]).days
            rows.append({**cell, "stage": stay["from_stage"], "age_days": age, "at_risk": 1, **exits})
    keys = ["segment", "source", "stage", "age_days"]
    table = exposure_counts(spells_of(read_records(folder / "crm.yaml", AS_OF)), since)
    same(table, pd.DataFrame(rows).groupby(keys).sum().reset_index(), keys)


def test_the_import_and_the_counts_agree() -> None:
    history = read_records(EXAMPLE / "crm.yaml")
    table = cohort_counts(spells_of(history))
    entries = table.groupby("from_stage")[OUTCOMES].sum().sum(axis=1)
    expected = history.stage_history.groupby("stage").size()
    assert entries.to_dict() == expected.drop(history.stages[-1]).to_dict()
    assert table["lost"].sum() == history.records["lost_on"].notna().sum()
