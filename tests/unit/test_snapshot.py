"""What the records give a plan."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from revplan.crm import events
from revplan.crm.records import read_records
from revplan.snapshot import state
from revplan.snapshot.state import actual_flow
from revplan.workbook.workbook import open_workbook

EXAMPLE = Path(__file__).parents[2] / "data" / "example"


def test_a_rate_from_the_records_says_what_it_rests_on(tmp_path: Path) -> None:
    for path in EXAMPLE.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    plan = tmp_path / "plan.yaml"
    text = plan.read_text(encoding="utf-8")
    plan.write_text(text[: text.index("transitions:")] + text[text.index("rounding: none") :], encoding="utf-8")
    book = open_workbook(plan)
    basis = {(each.from_stage, each.segment, each.source): each.basis for each in book.plan.transitions}
    assert basis["sqo", "enterprise", None].endswith("9 conversions, the delay near that of a wider group")
    assert basis["lead", None, None].endswith("conversions")


def test_rates_of_a_day_are_estimated_once_and_anew_where_a_record_or_the_day_differs(
    small_plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, days = small_plan.parent, []
    leads = "id,segment,source,lead,sql,won\n" + "".join(
        f"{n},{('smb', 'mid')[n % 2]},web,2026-08-05,2026-08-20,{'2026-11-10' if n % 3 else ''}\n" for n in range(120)
    )
    files = {name: f"leads.{name}" for name in ("segment", "source")}
    crm = {"format": "wide", "files": {"leads": {"path": "leads.csv", "id": "id"}}, **files}
    crm["stages"] = {stage: f"leads.{stage}" for stage in ("lead", "sql", "won")}
    (folder / "crm.yaml").write_text(json.dumps(crm), encoding="utf-8")
    text = small_plan.read_text(encoding="utf-8").partition("transitions:")[0] + "history: {leads: crm.yaml}\n"
    really = state.estimate_transitions

    def rate_of(leads: str, plan: str) -> float:
        (folder / "leads.csv").write_text(leads, encoding="utf-8")
        small_plan.write_text(plan, encoding="utf-8")
        return open_workbook(small_plan).plan.path("smb", "web")[-1].rate

    monkeypatch.setattr(state, "_ESTIMATED", {})  # which is emptied when it is full
    monkeypatch.setattr(state, "estimate_transitions", lambda *asked: days.append(asked[1]) or really(*asked))
    assert rate_of(leads, text) == rate_of(leads, text.replace("1_000_000", "2_000_000"))
    assert days == [date(2026, 11, 14)]
    assert rate_of(leads.replace("2026-11-10", "", 30), text) < 0.8 * rate_of(leads, text)
    rate_of(leads, text.replace("2026-11-15", "2026-11-16"))
    assert days == [date(2026, 11, 14), date(2026, 11, 14), date(2026, 11, 15)]


@pytest.mark.parametrize("since", [date(2025, 7, 1), date(2026, 1, 1), date(2027, 1, 1)])
def test_the_flow_that_happened_is_that_of_the_stage_history(since: date) -> None:
    history = read_records(EXAMPLE / "crm.yaml")
    start = pd.Timestamp(since)
    rows = history.stage_history.astype(dict.fromkeys(("record", "segment", "source", "stage"), "str")).merge(
        history.records.astype({"record": "str"})[["record", "amount"]]
    )
    rows["won"] = rows["stage"] == history.stages[-1]
    first = rows.groupby("record")["entered_on"].transform("min")
    rows["part"] = ["opening" if moment < start else "new" for moment in first]
    rows["month"] = rows["entered_on"].dt.to_period("M")
    rows["arr"] = rows["amount"].fillna(0.0) * rows["won"]
    rows = rows[(rows["entered_on"] >= start) | rows["won"]]
    keys = ["segment", "source", "stage", "month", "part"]
    expected = rows.groupby(keys).agg(entries=("arr", "size"), arr=("arr", "sum")).reset_index()
    found = actual_flow(history, since)
    assert len(found) > 100
    assert found[keys].astype("str").to_numpy().tolist() == expected[keys].astype("str").to_numpy().tolist()
    for name in ("entries", "arr"):
        assert found[name].to_numpy() == pytest.approx(expected[name].to_numpy(dtype=float))


def test_records_that_go_on_after_their_end_are_found_among_all() -> None:
    """The few records looked at are those that a look at every one finds, whatever stands in the log."""
    rng = np.random.default_rng(3)
    for _ in range(200):
        size = int(rng.integers(2, 60))
        at = np.datetime64("2026-01-01", "us") + rng.integers(0, 6, size) * np.timedelta64(1, "D")
        record, stage = rng.integers(0, 5, size).astype(events.NUMBER), rng.integers(-2, 4, size).astype(events.STAGE)
        every = events.Events(record, stage, at)
        raw = events.RawRecords(
            pd.Index([f"r{number}" for number in range(5)], dtype=object),
            every.where(stage != events.NO_STAGE),
            {},
            events.Findings(),
            True,
            np.arange(5),
            np.zeros(5, dtype=int),
            np.full(5, events.NO_STAGE, dtype=events.STAGE),
        )
        left = every.where(stage == events.NO_STAGE)
        told = events._with_attempts(raw, left, 3, asked=False).found.lines
        alone = events._with_attempts(raw, left, 3, asked=True)  # which puts all of them in order
        assert [line.count for line in told] == ([len(np.unique(alone.label_of[5:]))] if len(alone.records) > 5 else [])
