"""Cohort counts: by hand, against a plain oracle, from every place a history may lie, and what is refused."""

from __future__ import annotations

from datetime import date
from itertools import pairwise
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from revplan.crm.records import read_records
from revplan.ground.errors import DataError
from revplan.rates.counts import OUTCOMES, cohort_counts, exposure_counts
from revplan.rates.engine import Columns, moves_in_frames, moves_in_parquet, moves_in_sql

STAGES = ("lead", "sql", "sqo", "won")
AS_OF = date(2024, 6, 30)
EXAMPLE = Path(__file__).resolve().parents[2] / "data" / "example"


def moves_table(*rows: tuple[object, str, str], segment: str = "smb", source: str = "inbound") -> pd.DataFrame:
    """A stage history of record, stage and day."""
    frame = pd.DataFrame(rows, columns=["record", "stage", "entered_on"])
    return frame.assign(
        segment=segment, source=source, entered_on=pd.to_datetime(frame["entered_on"], format="ISO8601")
    )


def losses_table(*rows: tuple[object, str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["record", "lost_on"])
    return frame.assign(lost_on=pd.to_datetime(frame["lost_on"]))


def lines(table: pd.DataFrame) -> list[str]:
    """Cohort counts, a row as `lead 2024-01 +1: 1 0 0`."""
    return [
        f"{row.from_stage} {row.cohort_month} +{row.lag_months}: {row.went_on} {row.lost} {row.still_open}"
        for row in table.itertuples()
    ]


def counted(history: pd.DataFrame, losses: pd.DataFrame | None = None, as_of: date = AS_OF) -> list[str]:
    return lines(cohort_counts(moves_in_frames(history, losses), STAGES, as_of))


# --- by hand -----------------------------------------------------------------------------------------------


def test_two_leads_of_one_month_one_of_which_goes_on() -> None:
    # a goes on in February, a month after January, and is open since: June is 4 months later; b is open for 5.
    history = moves_table(("a", "lead", "2024-01-31"), ("b", "lead", "2024-01-01"), ("a", "sql", "2024-02-01"))
    assert counted(history) == ["lead 2024-01 +1: 1 0 0", "lead 2024-01 +5: 0 0 1", "sql 2024-02 +4: 0 0 1"]


def test_a_loss_ends_the_last_stage() -> None:
    history = moves_table(("a", "lead", "2024-01-10"), ("a", "sql", "2024-01-10"))
    assert counted(history, losses_table(("a", "2024-03-05"))) == ["lead 2024-01 +0: 1 0 0", "sql 2024-01 +2: 0 1 0"]


def test_a_loss_before_the_last_stage_was_taken_back() -> None:
    history = moves_table(("a", "lead", "2024-01-10"), ("a", "sql", "2024-04-10"))
    assert counted(history, losses_table(("a", "2024-03-05"))) == ["lead 2024-01 +3: 1 0 0", "sql 2024-04 +2: 0 0 1"]


def test_the_last_loss_counts() -> None:
    history = moves_table(("a", "lead", "2024-01-10"))
    losses = losses_table(("a", "2024-02-05"), ("a", "2024-04-05"))
    assert counted(history, losses) == ["lead 2024-01 +3: 0 1 0"]


def test_a_loss_after_the_win_means_nothing() -> None:
    history = moves_table(("a", "sqo", "2024-01-10"), ("a", "won", "2024-02-10"))
    assert counted(history, losses_table(("a", "2024-03-05"))) == ["sqo 2024-01 +1: 1 0 0"]


def test_a_skipped_stage_is_entered_with_the_next_one() -> None:
    history = moves_table(("a", "lead", "2024-01-10"), ("a", "won", "2024-03-10"))
    assert counted(history) == ["lead 2024-01 +2: 1 0 0", "sql 2024-03 +0: 1 0 0", "sqo 2024-03 +0: 1 0 0"]


def test_stages_above_the_first_are_not_entered() -> None:
    assert counted(moves_table(("a", "sqo", "2024-05-10"))) == ["sqo 2024-05 +1: 0 0 1"]


def test_an_early_day_is_moved_up_to_the_stage_ahead() -> None:
    history = moves_table(("a", "lead", "2024-03-10"), ("a", "sql", "2024-01-10"), ("a", "sqo", "2024-04-01"))
    assert counted(history) == ["lead 2024-03 +0: 1 0 0", "sql 2024-03 +1: 1 0 0", "sqo 2024-04 +2: 0 0 1"]


def test_the_first_of_several_entries_counts() -> None:
    history = moves_table(("a", "lead", "2024-03-10"), ("a", "lead", "2024-01-10"), ("a", "lead", "2024-01-10"))
    assert counted(history) == ["lead 2024-01 +5: 0 0 1"]


def test_nothing_after_the_as_of_day_is_known() -> None:
    history = moves_table(("a", "lead", "2024-01-31 23:59:59"), ("a", "sql", "2024-02-01"), ("b", "lead", "2024-02-02"))
    losses = losses_table(("a", "2024-05-05"))
    assert counted(history, losses, date(2024, 1, 31)) == ["lead 2024-01 +0: 0 0 1"]


def test_unknown_stages_and_rows_without_a_day_say_nothing() -> None:
    history = moves_table(
        ("a", "lead", "2024-06-10"), ("a", "talk", "2024-06-11"), ("a", "sql", ""), ("b", "talk", "2024-06-11")
    )
    assert counted(history) == ["lead 2024-06 +0: 0 0 1"]


def test_a_record_counts_once_in_the_first_of_its_labels() -> None:
    history = pd.concat(
        [
            moves_table(("a", "lead", "2024-06-10"), segment="b"),
            moves_table(("a", "lead", "2024-06-09"), segment="Z"),  # Z before b, byte by byte
        ]
    )
    table = cohort_counts(moves_in_frames(history), STAGES, AS_OF)
    assert (table["segment"].tolist(), table["still_open"].tolist()) == (["Z"], [1])


def test_nothing_entered_is_an_empty_table() -> None:
    moves = moves_in_frames(moves_table(("a", "lead", "2025-01-01")))
    assert cohort_counts(moves, STAGES, AS_OF).empty
    assert exposure_counts(moves, STAGES, AS_OF).empty
    assert cohort_counts(moves_in_frames(moves_table()), STAGES, AS_OF).empty


def test_exposure_by_hand() -> None:
    # On 30 June a (entered the 28th) left at age 1; b (entered the 27th) is open at ages 0 to 3.
    history = moves_table(("a", "lead", "2024-06-28"), ("b", "lead", "2024-06-27"), ("a", "sql", "2024-06-29"))
    every = exposure_counts(moves_in_frames(history), STAGES, AS_OF)
    lead = every[every["stage"] == "lead"]
    assert lead["at_risk"].tolist() == [2, 2, 1, 1]
    assert lead["went_on"].tolist() == [0, 1, 0, 0]
    recent = exposure_counts(moves_in_frames(history), STAGES, AS_OF, date(2024, 6, 29))
    lead = recent[recent["stage"] == "lead"]
    # Watched from the 29th on: a at age 1, b at ages 2 and 3.
    assert dict(zip(lead["age_days"], lead["at_risk"], strict=True)) == {1: 1, 2: 1, 3: 1}


# --- against an oracle -------------------------------------------------------------------------------------


def random_history(seed: int, records: int = 300) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Moves and losses with every wart: skipped, repeated, out of order, same day, reopened, without labels."""
    rng = np.random.default_rng(seed)
    size = records * 4
    days = pd.Timestamp("2023-01-01") + pd.to_timedelta(
        rng.integers(0, 600, size) // rng.choice([1, 30], size), unit="D"
    )
    moves = pd.DataFrame(
        {
            "record": [f"r{number}" for number in rng.integers(0, records, size)],
            "segment": rng.choice(np.array(["smb", "Mid", "größe", None], dtype=object), size),
            "source": rng.choice(np.array(["in bound", "out'bound"], dtype=object), size),
            "stage": rng.choice(
                np.array([*STAGES, "talk", None], dtype=object), size, p=[0.4, 0.2, 0.15, 0.1, 0.1, 0.05]
            ),
            "entered_on": pd.Series(days + pd.to_timedelta(rng.integers(0, 86400, size), unit="s")),
        }
    )
    moves.loc[rng.random(size) < 0.02, "entered_on"] = pd.NaT
    lost = pd.DataFrame(
        {
            "record": [f"r{number}" for number in rng.integers(0, records + 20, records)],
            "lost_on": pd.Timestamp("2023-06-01") + pd.to_timedelta(rng.integers(0, 500, records), unit="D"),
        }
    )
    return moves, lost


def oracle_entered(own: pd.DataFrame) -> dict[str, pd.Timestamp]:
    """Stage -> day of a record with the rows `own`: in order, gaps filled."""
    first = {stage: own.loc[own["stage"] == stage, "day"].min() for stage in STAGES}
    entered: dict[str, pd.Timestamp] = {}
    for stage in STAGES:
        if pd.notna(first[stage]):
            entered[stage] = max([*entered.values(), first[stage]])
    for stage, after in reversed(list(pairwise(STAGES))):
        came_in_above = any(pd.notna(first[ahead]) for ahead in STAGES[: STAGES.index(stage)])
        if stage not in entered and after in entered and came_in_above:
            entered[stage] = entered[after]
    return entered


def oracle_outcome(entered: pd.Timestamp, after: pd.Timestamp | None, lost: pd.Timestamp, end: pd.Timestamp) -> dict:
    if after is not None:
        return {"entered": entered, "outcome": "went_on", "ended": after}
    is_lost = lost >= entered
    return {"entered": entered, "outcome": "lost" if is_lost else "still_open", "ended": lost if is_lost else end}


def oracle_spells(moves: pd.DataFrame, losses: pd.DataFrame, as_of: date) -> pd.DataFrame:
    """The definition in plain Python: a row per record and stage it was in."""
    end = pd.Timestamp(as_of)
    moves = moves.assign(day=moves["entered_on"].dt.floor("D")).dropna(subset=["day", "stage", "record"])
    losses = losses.assign(day=losses["lost_on"].dt.floor("D"))
    lost_on = losses[losses["day"] <= end].groupby("record")["day"].max()
    rows = []
    for record, own in moves[moves["day"] <= end].groupby("record"):
        entered, lost = oracle_entered(own), lost_on.get(record, pd.NaT)
        labels = {key: min(own[key].fillna("unknown")) for key in ("segment", "source")}
        for stage, after in pairwise(STAGES):
            if stage in entered:
                spell = oracle_outcome(entered[stage], entered.get(after), lost, end)
                rows.append({**labels, "from_stage": stage, "to_stage": after, **spell})
    return pd.DataFrame(rows)


def oracle_cohorts(moves: pd.DataFrame, losses: pd.DataFrame, as_of: date) -> pd.DataFrame:
    spells = oracle_spells(moves, losses, as_of)
    month = spells["entered"].dt.to_period("M")
    lag = [(end - start).n for start, end in zip(month, spells["ended"].dt.to_period("M"), strict=True)]
    keyed = spells.assign(cohort_month=month, lag_months=lag, **{name: spells["outcome"] == name for name in OUTCOMES})
    keys = ["segment", "source", "from_stage", "to_stage", "cohort_month", "lag_months"]
    return keyed.groupby(keys)[OUTCOMES].sum().reset_index().sort_values(keys, ignore_index=True)


def oracle_exposure(moves: pd.DataFrame, losses: pd.DataFrame, as_of: date, since: date) -> pd.DataFrame:
    rows = []
    for spell in oracle_spells(moves, losses, as_of).to_dict("records"):
        for day in pd.date_range(max(spell["entered"], pd.Timestamp(since)), spell["ended"]):
            outcome = spell["outcome"] if day == spell["ended"] else ""
            rows.append(
                {
                    **{key: spell[key] for key in ("segment", "source")},
                    "stage": spell["from_stage"],
                    "age_days": (day - spell["entered"]).days,
                    "at_risk": 1,
                    "went_on": int(outcome == "went_on"),
                    "lost": int(outcome == "lost"),
                }
            )
    keys = ["segment", "source", "stage", "age_days"]
    return pd.DataFrame(rows).groupby(keys).sum().reset_index().sort_values(keys, ignore_index=True)


def same(table: pd.DataFrame, expected: pd.DataFrame) -> None:
    """Fail unless both hold the same rows, in whatever order."""
    keys = [name for name in expected if name not in {*OUTCOMES, "at_risk"}]
    pd.testing.assert_frame_equal(
        table.sort_values(keys, ignore_index=True), expected[list(table.columns)], check_dtype=False
    )


@pytest.mark.parametrize("seed", range(5))
def test_random_histories_give_the_counts_of_the_oracle(seed: int) -> None:
    moves, losses = random_history(seed)
    same(cohort_counts(moves_in_frames(moves, losses), STAGES, AS_OF), oracle_cohorts(moves, losses, AS_OF))


def test_random_exposure_is_that_of_the_oracle() -> None:
    moves, losses = random_history(11, records=120)
    since = date(2024, 1, 10)
    table = exposure_counts(moves_in_frames(moves, losses), STAGES, AS_OF, since)
    same(table, oracle_exposure(moves, losses, AS_OF, since))


def test_the_import_and_the_counts_agree() -> None:
    history = read_records(EXAMPLE / "crm.yaml")
    table = cohort_counts(moves_in_frames(history.stage_history, history.records), history.stages, history.as_of)
    entries = table.groupby("from_stage")[OUTCOMES].sum().sum(axis=1)
    expected = history.stage_history.groupby("stage").size()
    assert entries.to_dict() == expected.drop(history.stages[-1]).to_dict()
    assert table["lost"].sum() == history.records["lost_on"].notna().sum()


# --- where the history may lie -----------------------------------------------------------------------------


def write_parquet(frame: pd.DataFrame, path: Path) -> Path:
    with duckdb.connect() as connection:
        connection.register("frame", frame)
        connection.execute(f"COPY frame TO '{path}' (FORMAT parquet)")
    return path


def test_parquet_files_with_other_names_and_no_source(tmp_path: Path) -> None:
    moves, losses = random_history(3)
    renamed = moves.rename(columns={"record": 'Lead "Id"', "entered_on": "at"})
    parts = [
        write_parquet(renamed.iloc[:500], tmp_path / "a.parquet"),
        write_parquet(renamed.iloc[500:].drop(columns="source"), tmp_path / "b.parquet"),
    ]
    lost = write_parquet(losses.rename(columns={"record": 'Lead "Id"', "lost_on": "gone"}), tmp_path / "lost.parquet")
    names = Columns(record='Lead "Id"', entered_on="at", source=None, lost_on="gone")
    table = cohort_counts(moves_in_parquet(parts, lost, names), STAGES, AS_OF)
    same(table, oracle_cohorts(moves.assign(source="all"), losses, AS_OF))


def test_a_folder_of_parquet_files(tmp_path: Path) -> None:
    moves, losses = random_history(4)
    write_parquet(moves.iloc[:500], tmp_path / "a.parquet")
    write_parquet(moves.iloc[500:], tmp_path / "b.parquet")
    table = cohort_counts(moves_in_parquet(tmp_path / "*.parquet"), STAGES, AS_OF)
    same(table, oracle_cohorts(moves, losses.iloc[:0], AS_OF))


def test_a_duckdb_file_and_a_connection(tmp_path: Path) -> None:
    moves, losses = random_history(5)
    path = tmp_path / "crm.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.register("frame", moves)
        connection.register("lost_frame", losses)
        connection.execute("CREATE TABLE moves AS SELECT * FROM frame; CREATE TABLE losses AS SELECT * FROM lost_frame")
    expected = oracle_cohorts(moves, losses, AS_OF)
    same(cohort_counts(moves_in_sql(path, "SELECT * FROM moves;", "SELECT * FROM losses"), STAGES, AS_OF), expected)
    with duckdb.connect(str(path), read_only=True) as connection:
        same(cohort_counts(moves_in_sql(connection, "FROM moves", "FROM losses"), STAGES, AS_OF), expected)


def test_little_memory_gives_the_same_counts(tmp_path: Path) -> None:
    moves, losses = random_history(6, records=30_000)
    files = write_parquet(moves, tmp_path / "moves.parquet"), write_parquet(losses, tmp_path / "losses.parquet")
    small = cohort_counts(moves_in_parquet(*files, memory_limit="60MB"), STAGES, AS_OF)
    pd.testing.assert_frame_equal(small, cohort_counts(moves_in_frames(moves, losses), STAGES, AS_OF))


# --- what is refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("stages", [("lead",), ("lead", "lead"), ("lead", "")])
def test_stages_must_be_a_list(stages: tuple[str, ...]) -> None:
    with pytest.raises(DataError, match="there must be two or more, each named once"):
        cohort_counts(moves_in_frames(moves_table(("a", "lead", "2024-01-01"))), stages, AS_OF)


def test_a_wrong_query_is_one_line() -> None:
    with duckdb.connect() as connection, pytest.raises(DataError) as caught:
        cohort_counts(moves_in_sql(connection, "SELECT * FROM nowhere"), STAGES, AS_OF)
    assert "stage history in duckdb: " in str(caught.value)
    assert "nowhere" in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


def test_a_missing_file_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"stage history in duckdb: IO Error: .*check the query"):
        cohort_counts(moves_in_parquet(tmp_path / "none.parquet"), STAGES, AS_OF)


@pytest.mark.parametrize(
    ("connection", "words"),
    [
        (42, "builtins.int is not known"),
        ("crm.sqlite3", "neither a postgresql:// address nor a DuckDB file"),
        ("nowhere.duckdb", "nowhere.duckdb cannot be opened"),
    ],
)
def test_other_connections_are_refused(connection: object, words: str) -> None:
    with pytest.raises(DataError, match=words):
        cohort_counts(moves_in_sql(connection, "SELECT 1"), STAGES, AS_OF)


def test_a_memory_limit_must_be_a_size() -> None:
    with pytest.raises(DataError, match="'lots' is no size like 900MB or 4GB"):
        moves_in_parquet("x.parquet", memory_limit="lots")
