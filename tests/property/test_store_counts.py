"""Records counted where they lie and read into memory are the same, for random dirty histories."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from dirty_logs import EVERY_LABEL, EVERY_STAGE, HISTORY, LEADS, LOG, PEOPLE, START, WIDE, told, ways, written
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from revplan.crm.counted import Counted
from revplan.crm.records import read_export
from revplan.crm.store import open_counts
from revplan.ground.errors import DataError

quiet = settings(deadline=None, max_examples=30, phases=(Phase.explicit, Phase.generate))  # shrinking takes minutes
ids = st.sampled_from([*"123456789", " 2 ", "3.0", "", "null", None])
moments = st.one_of(
    st.none(),
    st.just(datetime(9999, 12, 31)),
    st.integers(0, 400).map(lambda hours: START + timedelta(hours=hours)),
)
sources = st.sampled_from(["web", " web", "Fair", "", "Select", None])
amounts = st.none() | st.sampled_from([0.0, 10.0, 250.5])
real = st.integers(0, 400).map(lambda hours: START + timedelta(hours=hours))
fields = st.sampled_from(["Status", "status", "Owner", None])
changes = st.one_of(  # a win or a loss without a day is counted in memory only
    st.tuples(ids, moments, fields, st.sampled_from(["New", "SQL", "qualified", "Nurture", "", None])),
    st.tuples(ids, real, fields, st.sampled_from(["Won", "won ", "Lost", "dead"])),
)
unique_ids = [*"123456789"]


@contextmanager
def folder() -> Iterator[Path]:
    with TemporaryDirectory() as name:
        yield Path(name)


def check_equal(place: Path, crm: str, as_of: date | None) -> None:
    (place / "crm.yaml").write_text(f"{crm}count: in_place\n", encoding="utf-8")
    memory, store = (counted(open_, place / "crm.yaml", as_of) for open_ in (read_export, open_counts))
    if memory is None or store is None:
        assert memory is store
        return
    assert isinstance(store, Counted)
    assert store.as_of == memory.as_of
    assert ways(store) == ways(memory)
    assert told(store) == told(memory)
    assert store.notes == memory.notes


def counted(open_: Callable[[Path], Any], crm: Path, as_of: date | None) -> Any:
    """What is counted; None where the records are refused."""
    try:
        return open_(crm).on(as_of)
    except DataError as error:
        refused = str(error)
    assert "memory" not in refused
    return None


cuts = st.none() | st.integers(0, 17).map(lambda day: (START + timedelta(days=day)).date())


@quiet
@given(
    log=st.lists(changes, min_size=1, max_size=40),
    people=st.lists(st.tuples(st.sampled_from(unique_ids), sources, amounts), unique_by=lambda row: row[0], max_size=9),
    cut=cuts,
    outcome=st.sampled_from(["last", "first"]),
)
def test_a_log_of_changes(
    log: list[tuple[Any, ...]], people: list[tuple[Any, ...]], cut: date | None, outcome: str
) -> None:
    with folder() as place:
        written(place / "changes.parquet", LOG, [*log, *EVERY_LABEL])
        written(place / "records.parquet", PEOPLE, [*people, ("x", "web", 1.0)])
        check_equal(place, f"{HISTORY}outcome: {outcome}\n", cut)


wide = st.tuples(
    st.sampled_from([*unique_ids, "2.0", "-", None, ""]),
    moments,
    st.none() | st.integers(0, 20).map(lambda day: (START + timedelta(days=day)).date()),
    st.tuples(real, st.sampled_from(["Closed Won", "closed won", "Closed Lost"]))
    | st.tuples(moments, st.sampled_from(["Open", None])),
    sources,
    st.sampled_from(["small", " small", "", None]),
    amounts,
    st.sampled_from([True, False, False]),
)


@quiet
@given(
    leads=st.lists(wide, min_size=1, max_size=30, unique_by=lambda row: str(row[0]).removesuffix(".0")),
    cut=cuts,
    outcome=st.sampled_from(["last", "first"]),
)
def test_a_column_for_each_stage(leads: list[tuple[Any, ...]], cut: date | None, outcome: str) -> None:
    rows = [(*row[:3], *row[3], *row[4:]) for row in leads]
    with folder() as place:
        written(place / "leads.parquet", LEADS, [*rows, *EVERY_STAGE])
        check_equal(place, f"{WIDE}outcome: {outcome}\n", cut)
