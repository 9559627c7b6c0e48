"""Counts kept in a file: the same as those counted anew, and never believed in doubt."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from datetime import date
from pathlib import Path
from types import ModuleType

import pandas as pd
import pytest

from revplan.rates import count_cache as cache
from revplan.rates.count_cache import kept_counts, last_complete
from revplan.rates.counts import cohort_counts
from revplan.rates.engine import Moves, moves_in_frames


def _oracle() -> ModuleType:
    spec = importlib.util.spec_from_file_location("history_oracle", Path(__file__).with_name("test_history_counts.py"))
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


oracle = _oracle()
STAGES = oracle.STAGES
DAYS = (date(2023, 5, 31), date(2023, 6, 30), date(2023, 9, 12), date(2023, 9, 30), date(2024, 2, 29), date(2024, 6, 3))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[date, bool]]:
    """The counts made: as of which day, and whether of all records."""
    made: list[tuple[date, bool]] = []
    count: Callable = cache.month_counts

    def noted(moves: Moves, stages: tuple[str, ...], as_of: date, changed: object = None) -> pd.DataFrame:
        made.append((as_of, changed is None))
        return count(moves, stages, as_of, changed)

    monkeypatch.setattr(cache, "month_counts", noted)
    return made


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_months_folded_in_are_the_same_as_counted_anew(seed: int, tmp_path: Path, asked: list) -> None:
    moves = moves_in_frames(*oracle.random_history(seed))
    for day in DAYS:
        kept = kept_counts(moves, STAGES, day, tmp_path / "counts.csv")
        pd.testing.assert_frame_equal(kept, cohort_counts(moves, STAGES, day))
    assert [day for day, every in asked if every] == [DAYS[0]], "only the first call counts all records"
    assert [path.name for path in tmp_path.iterdir()] == ["counts.csv"]


def test_new_rows_of_the_running_month_are_folded_in(tmp_path: Path, asked: list) -> None:
    history, losses = oracle.random_history(4)
    june = history["entered_on"] >= pd.Timestamp("2023-06-01")
    ordered = pd.concat([history[~june], history[june]])  # rows come at the end, as they do
    kept_counts(moves_in_frames(ordered[: len(history) - june.sum()], losses), STAGES, DAYS[0], tmp_path / "c.csv")
    asked.clear()
    moves = moves_in_frames(ordered, losses)
    kept = kept_counts(moves, STAGES, date(2023, 6, 12), tmp_path / "c.csv")
    pd.testing.assert_frame_equal(kept, cohort_counts(moves, STAGES, date(2023, 6, 12)))
    assert not any(every for _, every in asked)


def test_a_complete_month_is_read_and_not_counted(tmp_path: Path, asked: list) -> None:
    moves = moves_in_frames(*oracle.random_history(5))
    first = kept_counts(moves, STAGES, DAYS[1], tmp_path / "c.csv")
    asked.clear()
    pd.testing.assert_frame_equal(kept_counts(moves, STAGES, DAYS[1], tmp_path / "c.csv"), first)
    assert asked == []


def _swapped_label(history: pd.DataFrame) -> pd.DataFrame:
    return history.assign(segment=history["segment"].replace({"smb": "SMB"}))


def _one_day_later(history: pd.DataFrame) -> pd.DataFrame:
    first = history["entered_on"].idxmin()
    days = history["entered_on"].mask(history.index == first, history["entered_on"] + pd.Timedelta(days=1))
    return history.assign(entered_on=days)


@pytest.mark.parametrize(
    "change", [_swapped_label, _one_day_later, lambda history: history.iloc[1:], lambda h: pd.concat([h, h.iloc[:1]])]
)
def test_other_rows_are_counted_anew(change: Callable, tmp_path: Path, asked: list) -> None:
    history, losses = oracle.random_history(6)
    kept_counts(moves_in_frames(history, losses), STAGES, DAYS[2], tmp_path / "c.csv")
    asked.clear()
    moves = moves_in_frames(change(history), losses)
    kept = kept_counts(moves, STAGES, DAYS[2], tmp_path / "c.csv")
    pd.testing.assert_frame_equal(kept, cohort_counts(moves, STAGES, DAYS[2]))
    assert asked[0] == (last_complete(DAYS[2]), True)


def test_other_stages_and_earlier_days_are_counted_anew(tmp_path: Path, asked: list) -> None:
    moves = moves_in_frames(*oracle.random_history(7))
    kept_counts(moves, STAGES, DAYS[2], tmp_path / "c.csv")
    for stages, day in ((STAGES[:3], DAYS[2]), (STAGES, DAYS[0])):
        asked.clear()
        kept = kept_counts(moves, stages, day, tmp_path / "c.csv")
        pd.testing.assert_frame_equal(kept, cohort_counts(moves, stages, day))
        assert asked[0][1]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda text: "",
        lambda text: "{}\n",
        lambda text: "[1]\nx",
        lambda text: text[:-40],
        lambda text: text.replace(",1,", ",2,", 1),
        lambda text: json.dumps(json.loads(text.split("\n")[0]) | {"as_of": "soon"}) + "\n" + text.split("\n", 1)[1],
    ],
)
def test_a_spoilt_file_is_replaced(spoil: Callable[[str], str], tmp_path: Path) -> None:
    moves, path = moves_in_frames(*oracle.random_history(8)), tmp_path / "c.csv"
    expected = kept_counts(moves, STAGES, DAYS[1], path)
    sound = path.read_text()
    path.write_text(spoil(sound))
    assert path.read_text() != sound
    pd.testing.assert_frame_equal(kept_counts(moves, STAGES, DAYS[1], path), expected)
    assert path.read_text() == sound


def test_where_nothing_can_be_written_it_is_still_counted(tmp_path: Path) -> None:
    moves = moves_in_frames(*oracle.random_history(9))
    kept = kept_counts(moves, STAGES, DAYS[2], tmp_path / "nowhere" / "c.csv")
    pd.testing.assert_frame_equal(kept, cohort_counts(moves, STAGES, DAYS[2]))


@pytest.mark.parametrize(
    ("as_of", "complete"),
    [
        (date(2024, 2, 29), date(2024, 2, 29)),
        (date(2024, 2, 28), date(2024, 1, 31)),
        (date(2024, 1, 1), date(2023, 12, 31)),
        (date(2023, 12, 31), date(2023, 12, 31)),
    ],
)
def test_the_last_complete_month(as_of: date, complete: date) -> None:
    assert last_complete(as_of) == complete
