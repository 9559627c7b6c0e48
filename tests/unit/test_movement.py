"""Pipeline movement: worked by hand, from a log and from two exports, and every input that is refused."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from movement_files import LOG_CRM, WIDE_CRM

from revplan.cli import main
from revplan.crm.records import read_export
from revplan.exhibits.exhibit import terminal
from revplan.exhibits.movement import exhibits
from revplan.ground.errors import DataError
from revplan.tracking.movement import (
    SIGNS,
    TERMS,
    MovementSpan,
    PipelineMovement,
    pipeline_movement,
    windows,
)

DEALS = """\
id,created,amount,close,segment,owner
a,2026-11-01,150.10,2027-03-25,smb,ann
b,2026-11-05,200,2027-05-01,mid,bob
c,2027-01-10,70.05,2027-02-20,smb,ann
d,2027-02-01,30,2027-03-30,mid,ann
e,2026-10-01,99.99,2027-03-31,mid,bob
f,2026-10-01,,2027-02-01,smb,bob
g,2026-10-02,40,2027-03-31,smb,bob
"""
LOG = """\
id,at,field,old,new
a,2027-01-20,Amount,100.10,150.10
b,2027-02-01,Close,2027-02-15,2027-03-31
b,2027-03-01,Close,2027-03-31,2027-05-01
c,2027-02-20,Stage,opp,Won
e,2027-02-15,Close,2027-04-15,2027-03-31
f,2027-02-01,Amount,55,
f,2027-02-01,Stage,opp,Lost
g,2026-11-01,Stage,opp,Proposal
g,2026-12-01,Stage,Proposal,Lost
g,2027-03-02,Stage,Lost,Proposal
"""
BEFORE = """\
id,created,won,lost,amount,close,segment,owner
a,2026-11-01,,,100.10,2027-03-25,smb,ann
b,2026-11-05,,,200,2027-02-15,mid,bob
e,2026-10-01,,,99.99,2027-04-15,mid,bob
f,2026-10-01,,,55,2027-02-01,smb,bob
g,2026-10-02,,2026-12-01,40,2027-03-31,smb,bob
"""
AFTER = """\
id,created,won,lost,amount,close,segment,owner
a,2026-11-01,,,150.10,2027-03-25,smb,ann
b,2026-11-05,,,200,2027-05-01,mid,bob
c,2027-01-10,2027-02-20,,70.05,2027-02-20,smb,ann
d,2027-02-01,,,30,2027-03-30,mid,ann
e,2026-10-01,,,99.99,2027-03-31,mid,bob
f,2026-10-01,,2027-02-01,,2027-02-01,smb,bob
g,2026-10-02,,,40,2027-03-31,smb,bob
"""
FIRST, LAST = date(2026, 12, 31), date(2027, 3, 20)
BY_HAND = {
    # b leaves the quarter at 200, e comes into it at 99.99; c is created and won; g was lost and is open again.
    "this quarter": [355.10, 140.05, 50, 0, 99.99, 200, 55, 70.05, 320.09],
    "next quarter": [99.99, 0, 0, 0, 200, 99.99, 0, 0, 200],
    "all": [455.09, 140.05, 50, 0, 0, 0, 55, 70.05, 520.09],
}


def written(folder: Path, crm: str, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    (folder / "crm.yaml").write_text(crm, encoding="utf-8")
    return folder / "crm.yaml"


@pytest.fixture
def logged(tmp_path: Path) -> Path:
    return written(tmp_path / "log", LOG_CRM, deals=DEALS, log=LOG)


@pytest.fixture
def exports(tmp_path: Path) -> tuple[Path, Path]:
    """The export of the first day and that of the last."""
    return written(tmp_path / "old", WIDE_CRM, deals=BEFORE), written(tmp_path / "new", WIDE_CRM, deals=AFTER)


def moved(crm: Path, before: Path | None = None, **asked: Any) -> PipelineMovement:
    days = {"first": FIRST, "last": LAST} | asked
    return pipeline_movement(read_export(crm), MovementSpan(**days), read_export(before) if before else None)


def fault(crm: Path, before: Path | None = None, **asked: Any) -> str:
    with pytest.raises(DataError) as caught:
        moved(crm, before, **asked)
    return str(caught.value)


def terms(found: PipelineMovement, window: str) -> list[float]:
    return found.table.set_index("term")[window].tolist()


def said(found: PipelineMovement) -> str:
    return "\n".join(map(terminal, exhibits(found)))


# --- worked by hand ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("window", BY_HAND)
def test_a_log_worked_by_hand(logged: Path, window: str) -> None:
    assert terms(moved(logged), window) == pytest.approx(BY_HAND[window], abs=1e-9)


@pytest.mark.parametrize("window", BY_HAND)
def test_two_exports_say_what_the_log_says(exports: tuple[Path, Path], window: str) -> None:
    old, new = exports
    assert terms(moved(new, old), window) == pytest.approx(BY_HAND[window], abs=1e-9)


def test_the_published_waterfall_ends_at_47(tmp_path: Path) -> None:
    """19 + 417 + 5 - 140 - 158 - 96 is 47; a help page prints 42."""
    rows = {  # created, amount, close date at the end
        "start": ("2026-11-01", 19, "2027-02-20"),
        "new": ("2027-01-05", 23, "2027-03-25"),
        "new_pushed": ("2027-01-06", 140, "2027-06-01"),
        "new_lost": ("2027-01-07", 158, "2027-03-01"),
        "new_won": ("2027-01-08", 96, "2027-03-01"),
        "pulled": ("2026-11-02", 5, "2027-03-01"),
        "far": ("2026-11-03", 1000, "2027-09-01"),
    }
    deals = "id,created,amount,close,segment,owner\n" + "".join(
        f"{name},{created},{amount},{close},smb,ann\n" for name, (created, amount, close) in rows.items()
    )
    log = (
        "id,at,field,old,new\nnew_pushed,2027-02-01,Close,2027-03-01,2027-06-01\npulled,2027-02-01,Close,2027-06-01,2027-03-01\n"
        "new_lost,2027-03-01,Stage,Proposal,Lost\nnew_won,2027-01-20,Stage,opp,Proposal\nnew_won,2027-03-01,Stage,Proposal,Won\n"
    )
    crm = LOG_CRM.replace("amount: {is: Amount, old: old}, ", "")
    found = moved(written(tmp_path, crm, deals=deals, log=log), closing="this quarter", last=date(2027, 3, 31))
    assert terms(found, "this quarter") == [19, 417, 0, 0, 5, 140, 158, 96, 47]


def test_amounts_are_exact_where_floats_are_not(tmp_path: Path) -> None:
    rows = "".join(f"d{number},2026-11-01,,,0.10,2027-03-01,smb,ann\n" for number in range(1000))
    head = BEFORE.splitlines(keepends=True)[0]
    crm = written(tmp_path, WIDE_CRM, deals=head + rows + "x,2027-01-05,,,2.675,2027-03-01,smb,ann\n")
    found = moved(crm)
    assert found.by()["start"].item() == 100.0  # a thousand times ten cents; as floats 99.9999999999986
    assert found.deals["end"].sum() == 10_268  # 2.675 is 2.68, as on paper
    assert found.deals["end"].dtype == np.int64


# --- deals that come back, vanish, change hands or currency ----------------------------------------------------


def test_reopened_and_vanished_deals_are_named(exports: tuple[Path, Path]) -> None:
    old, new = exports
    (new.parent / "deals.csv").write_text("\n".join(row for row in AFTER.splitlines() if row[:2] != "b,") + "\n")
    found = moved(new, old)
    assert found.deals.loc[found.deals["disappeared"], "record"].tolist() == ["b"]
    assert found.by()["lost"].item() == pytest.approx(255)
    told = "\n".join(found.notes)
    assert "1 deal (200) was not in the later export, deleted or merged: counted as lost (b)." in told
    assert "1 deal (40) was reopened: counted as created (g)." in told


def test_ids_written_in_another_way_are_the_same_deals(tmp_path: Path) -> None:
    """In another case, with blanks, and as the short and the long id of Salesforce; two that differ in case alone stay two."""
    head, rest = "id,created,won,lost,amount,close,segment,owner\n", ",2026-11-01,,,10,2027-03-25,smb,ann\n"
    ids = {
        "A1": "a1",
        "B2 ": " B2",
        "0065g00000AbCdE": "0065g00000AbCdEAAW",
        "0065g00000Xy": "0065g00000Xy",
        "0065g00000xY": "0065g00000xY",
    }
    old = written(tmp_path / "old", WIDE_CRM, deals=head + "".join(each + rest for each in ids))
    new = written(tmp_path / "new", WIDE_CRM, deals=head + "".join(each + rest for each in ids.values()))
    found = moved(new, old)
    assert terms(found, "all") == [50, 0, 0, 0, 0, 0, 0, 0, 50]
    assert (
        "2 deals are written in another way in the other export (0065g00000AbCdE and 0065g00000AbCdEAAW): taken for the same."
        in found.notes
    )
    twice = written(tmp_path / "twice", WIDE_CRM, deals=head + "c" + rest + "C" + rest)
    other = written(
        tmp_path / "other", WIDE_CRM, deals=head + "c" + rest + "d" + rest.replace("2026-11-01", "2027-01-05")
    )
    assert terms(moved(other, twice), "all") == [20, 10, 0, 0, 0, 0, 10, 0, 20]  # C is gone, and d is new


def test_amounts_below_nothing_are_told(tmp_path: Path) -> None:
    head = "id,created,won,lost,amount,close,segment,owner\n"
    old = written(tmp_path / "old", WIDE_CRM, deals=head + "a,2026-11-01,,,-100.10,2027-03-25,smb,ann\n")
    new = written(tmp_path / "new", WIDE_CRM, deals=head + "a,2026-11-01,,,-50,2027-03-25,smb,ann\n")
    found = moved(new, old)
    assert terms(found, "all") == pytest.approx([-100.10, 0, 50.10, 0, 0, 0, 0, 0, -50])
    assert "1 open deal has an amount below nothing, which counts as it is (a)." in found.notes
    closed = "a,2026-11-01,2027-02-01,,-50,2027-03-25,smb,ann\nb,2026-11-01,,2027-02-01,-50,2027-03-25,smb,ann\n"
    won = moved(written(tmp_path / "won", WIDE_CRM, deals=head + closed), old)
    assert [note for note in won.notes if "below nothing" in note] == [
        "1 deal was won with an amount below nothing, by which what is won is less (a)."
    ]


def test_a_deal_counts_where_it_ended(exports: tuple[Path, Path]) -> None:
    old, new = exports
    (new.parent / "deals.csv").write_text(AFTER.replace("2027-03-25,smb,ann", "2027-03-25,ent,zoe"))
    found = moved(new, old)
    rows = found.by("segment").set_index("segment")
    assert rows.loc["ent", ["start", "increased", "end"]].tolist() == pytest.approx([100.10, 50, 150.10])
    assert "1 deal changed segment: counted where it ended (a)." in found.notes
    assert "1 deal changed owner: counted where it ended (a)." in found.notes


def test_a_changed_currency_is_converted_and_told(exports: tuple[Path, Path]) -> None:
    old, new = exports
    for path, text in ((old, BEFORE), (new, AFTER.replace("a,2026-11-01,,,150.10", "a,2026-11-01,,,EUR 100.10"))):
        (path.parent / "deals.csv").write_text(text)
        path.write_text(WIDE_CRM + "currency: deals.code\nrates: {EUR: 2}\n")
        rows = (path.parent / "deals.csv").read_text().splitlines()
        codes = ["code", *("EUR" if "EUR" in row else "USD" for row in rows[1:])]
        body = [f"{row.replace('EUR ', '')},{code}" for row, code in zip(rows, codes, strict=True)]
        (path.parent / "deals.csv").write_text("\n".join(body) + "\n")
    found = moved(new, old)
    assert found.by()["increased"].item() == pytest.approx(100.10)
    assert "1 deal changed currency: converted, the difference is an increase or decrease (a)." in found.notes


def test_one_export_tells_what_it_cannot(exports: tuple[Path, Path]) -> None:
    found = moved(exports[1])
    assert found.unknown == ("increased", "decreased", "pulled_in", "pushed_out")
    assert [found.by()[name].item() for name in found.unknown] == [0, 0, 0, 0]
    assert any("increases and decreases are not told" in note for note in found.notes)
    assert not any("are not told" in note for note in moved(exports[1], exports[0]).notes)


def test_a_log_without_former_values_assumes_and_says_so(logged: Path) -> None:
    logged.write_text(LOG_CRM.replace(", old: old", ""))
    found = moved(logged)
    assert found.by()["increased"].item() == 0  # a's 100.10 cannot be known
    assert any("4 deals changed an amount or close date after the first day" in note for note in found.notes)
    assert not any("the log does not say from what" in note for note in moved_with(logged, LOG_CRM).notes)


def moved_with(crm: Path, text: str) -> PipelineMovement:
    crm.write_text(text)
    return moved(crm)


def test_deals_closed_on_no_known_day_are_told(exports: tuple[Path, Path]) -> None:
    """From one export such a deal is never open; from two it is lost in between."""
    old, new = exports
    rows = [
        row + "," + ("Lost" if row[:2] == "b," else "stage" if row[:2] == "id" else "") for row in AFTER.splitlines()
    ]
    (new.parent / "deals.csv").write_text("\n".join(rows) + "\n")
    (old.parent / "deals.csv").write_text(
        "\n".join(f"{row},{'stage' if row[:2] == 'id' else ''}" for row in BEFORE.splitlines()) + "\n"
    )
    for path in exports:
        path.write_text(WIDE_CRM.replace("lost: deals.lost", "lost: {column: deals.stage, is: [Lost]}"))
    found = moved(new)
    assert "b" not in found.deals["record"].tolist()
    assert any("1 deal is closed on a day that no file says" in note for note in found.notes)
    assert moved(new, old).deals.set_index("record").loc["b", "lost"] == 20_000


def test_a_day_to_come_is_told(logged: Path) -> None:
    export = read_export(logged, today=date(2027, 3, 1))
    told = pipeline_movement(export, MovementSpan(first=FIRST, last=LAST)).notes
    assert "20 Mar 2027 lies after today, 1 Mar 2027: dates to come count as if they had passed." in told
    past = pipeline_movement(read_export(logged, today=date(2027, 4, 1)), MovementSpan(first=FIRST, last=LAST)).notes
    assert not any("after today" in note for note in past)


def test_a_log_that_contradicts_the_records_is_told(logged: Path) -> None:
    (logged.parent / "deals.csv").write_text(DEALS.replace("a,2026-11-01,150.10", "a,2026-11-01,151"))
    assert any(
        "1 deal has another amount than the last change in the log says (a" in note for note in moved(logged).notes
    )
    (logged.parent / "deals.csv").write_text(DEALS)
    assert not any("another amount" in note for note in moved(logged).notes)


# --- slips ----------------------------------------------------------------------------------------------------


def test_pushes_are_counted_by_deal(logged: Path) -> None:
    rows = moved(logged).slips.set_index("record")
    assert rows["pushes"].to_dict() == {"a": 0, "b": 2, "c": 0, "d": 0, "e": 0, "f": 0, "g": 0}
    assert str(rows.loc["b", "first_close_on"].date()) == "2027-02-15"
    assert moved(logged, first=date(2027, 2, 10)).slips.set_index("record").loc["b", "lately"] == 1


def test_the_day_of_closing_is_no_push(logged: Path) -> None:
    (logged.parent / "log.csv").write_text(LOG + "c,2027-02-20,Close,2027-02-10,2027-02-20\n")
    assert moved(logged).slips.set_index("record").loc["c", "pushes"] == 0
    (logged.parent / "log.csv").write_text(LOG + "c,2027-02-19,Close,2027-02-10,2027-02-20\n")
    assert moved(logged).slips.set_index("record").loc["c", "pushes"] == 1


def test_the_track_record_of_pushed_deals(tmp_path: Path) -> None:
    """11 deals pushed twice, of which 1 is won; 4 never pushed, of which 3 are."""
    deals, log = "id,created,amount,close,segment,owner\n", "id,at,field,old,new\n"
    for number in range(15):
        deals += f"d{number},2026-01-01,10,2026-09-01,smb,ann\n"
        if number < 11:
            log += (
                f"d{number},2026-02-01,Close,2026-03-01,2026-06-01\nd{number},2026-05-01,Close,2026-06-01,2026-09-01\n"
            )
        log += f"d{number},2026-08-{number + 1:02},Stage,opp,{'Won' if number in (0, 11, 12, 13) else 'Lost'}\n"
    log += "d0,2026-01-05,Stage,opp,Proposal\n"
    crm = LOG_CRM.replace("amount: {is: Amount, old: old}, ", "")
    found = moved(written(tmp_path, crm, deals=deals, log=log), first=date(2026, 1, 31), last=date(2026, 8, 31))
    table = found.track_record.set_index("pushes")
    assert table.loc["twice", ["decided", "won"]].tolist() == [11, 1]
    assert table.loc["never", ["decided", "won"]].tolist() == [4, 3]
    assert table.loc["twice", "win_rate"] == pytest.approx(1 / 11)
    # P10 and P90 of Beta(1.5, 10.5), from its density summed on a grid.
    grid = (np.arange(200_000) + 0.5) / 200_000
    density = grid**0.5 * (1 - grid) ** 9.5
    low, high = np.interp([0.1, 0.9], np.cumsum(density) / density.sum(), grid)
    assert table.loc["twice", ["win_rate_low", "win_rate_high"]].tolist() == pytest.approx([low, high], abs=1e-4)
    assert "never 75% (3 of 4) and twice 9.1% (1 of 11)" in said(found)


# --- what is refused ------------------------------------------------------------------------------------------


def test_exports_in_the_wrong_order_are_refused(exports: tuple[Path, Path]) -> None:
    old, new = exports
    told = fault(old, new, last=date(2027, 2, 27))
    assert told == (
        "--before: knows of days to 2027-02-20, and crm.yaml to 2026-12-01: the two stand in the wrong order; swap them"
    )


def test_exports_of_one_last_day_in_the_wrong_order_are_refused(exports: tuple[Path, Path]) -> None:
    old, new = exports
    fewer = [row for row in AFTER.splitlines() if row[:2] != "d,"]
    (old.parent / "deals.csv").write_text("\n".join(fewer) + "\n")
    assert "the two stand in the wrong order" in fault(old, new)
    assert moved(new, old).by()["created"].item() == pytest.approx(100.05)


def test_everything_that_does_not_fit_is_told_at_once(exports: tuple[Path, Path]) -> None:
    old, new = exports
    new.write_text(WIDE_CRM.replace("close_on: deals.close\n", "").replace("amount: deals.amount\n", ""))
    told = fault(new, first=LAST, last=FIRST, closing="this quarter", stage="sql")
    assert told.splitlines() == [
        "crm.yaml: names no amounts, of which a pipeline consists; add their column, such as amount: deals.Amount",
        "--from: 2027-03-20 is not before --to 2026-12-31; give the earlier day first",
        "crm.yaml: names no expected close dates, which the window 'this quarter' needs; add their column, such as "
        "close_on: deals.CloseDate",
        "--stage: is 'sql'; the stages of crm.yaml are opp, won",
    ]
    new.write_text(WIDE_CRM.replace("opp:", "deal:") + "currency: USD\n")
    old.write_text(WIDE_CRM.replace("close_on: deals.close\n", "") + "currency: EUR\n")
    assert fault(new, old).splitlines() == [
        "--before: has amounts in EUR, and crm.yaml in USD, which must not be compared; give `rates` in both",
        "--before: names no `close_on`, and crm.yaml does; name it in both",
    ]


def test_a_day_far_in_the_future_is_refused(logged: Path) -> None:
    assert fault(logged, last=date(2072, 3, 31)) == (
        "--to: 2072-03-31 lies far after the records end (2027-03-02); give that day, or a newer export"
    )
    assert any("The records end on 2 Mar 2027" in note for note in moved(logged).notes)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("is: Amount,", "is: Amuont,", "changes.amount: no row is of Amuont; did you mean 'Amount'?"),
        ("is: Amount,", "is: Stage,", "changes.amount: 'Stage' stands for is already; a value has one meaning"),
        ("{is: Amount, old: old}", "{old: old}", "changes.amount: give either the labels of `field`"),
        ("{is: Amount, old: old}", "{column: amt}", "changes.amount.column: log.csv has no column 'amt'"),
        ("{is: Amount, old: old}", "{column: new, old: old}", "changes.amount.old: goes with `is`"),
        ("amount: records.amount\n", "", "changes.amount: needs `amount` too"),
        ("field: field\nis: [Stage]\n", "", "changes.amount: names labels of `field`, which is missing"),
    ],
)
def test_changes_that_cannot_be_are_refused(logged: Path, old: str, new: str, told: str) -> None:
    logged.write_text(LOG_CRM.replace(old, new))
    found = fault(logged)
    assert told in "\n".join(line.partition(", ")[2] for line in found.splitlines()), found


def test_a_log_with_a_column_of_each_value(tmp_path: Path, logged: Path) -> None:
    """Rows hold amount and date as of each; the same movement as from changes of fields, where both hold all."""
    log = (
        "id,at,new,amt,close\n"
        "a,2026-11-01,opp,100.10,2027-03-25\na,2027-01-20,opp,150.10,2027-03-25\n"
        "b,2026-11-05,opp,200,2027-02-15\nb,2027-02-01,opp,200,2027-03-31\nb,2027-03-01,opp,200,2027-05-01\n"
        "c,2027-01-10,opp,70.05,2027-02-20\nc,2027-02-20,Won,70.05,2027-02-20\n"
        "d,2027-02-01,opp,30,2027-03-30\n"
        "e,2026-10-01,opp,99.99,2027-04-15\ne,2027-02-15,opp,99.99,2027-03-31\n"
        "f,2026-10-01,opp,55,2027-02-01\nf,2027-02-01,Lost,,2027-02-01\n"
        "g,2026-10-02,opp,40,2027-03-31\ng,2026-11-01,Proposal,40,2027-03-31\ng,2026-12-01,Lost,40,2027-03-31\ng,2027-03-02,Proposal,40,2027-03-31\n"
    )
    crm = LOG_CRM.replace("field: field\nis: [Stage]\n", "").replace("opp: {at: records.created}", "opp: opp")
    crm = crm.replace("{is: Amount, old: old}", "{column: amt}").replace("{is: Close, old: old}", "{column: close}")
    found = moved(written(tmp_path / "rows", crm, deals=DEALS, log=log))
    assert {name: terms(found, name) for name in BY_HAND} == {
        name: pytest.approx(each, abs=1e-9) for name, each in BY_HAND.items()
    }
    assert (
        found.slips.set_index("record")["pushes"].to_dict()
        == moved(logged).slips.set_index("record")["pushes"].to_dict()
    )


# --- presets, windows, command --------------------------------------------------------------------------------


def test_salesforce_names_amounts_and_close_dates_of_its_history(tmp_path: Path) -> None:
    history = (
        "OpportunityId,CreatedDate,Field,OldValue,NewValue\n"
        "006000000000001,2027-01-20,Amount,100,150\n006000000000001,2027-02-01,CloseDate,2027-03-01,2027-05-01\n"
        "006000000000002,2027-02-20,StageName,Prospecting,Closed Won\n"
    )
    deals = (
        "Id,CreatedDate,StageName,CloseDate,Amount,OwnerId\n006000000000001,2026-11-01,Prospecting,2027-05-01,150,ann\n"
        "006000000000002,2026-11-02,Closed Won,2027-02-20,70,ann\n"
    )
    crm = "preset: salesforce\nfiles: {h: {path: h.csv}, o: {path: o.csv}}\n"
    found = moved(written(tmp_path, crm, h=history, o=deals))
    assert terms(found, "this quarter") == [170, 0, 50, 0, 0, 150, 0, 70, 0]
    assert found.slips["pushes"].tolist() == [1, 0]


def test_hubspot_names_the_close_date(tmp_path: Path) -> None:
    deals = (
        "Record ID,Deal Stage,Create Date,Close Date,Amount,Deal owner\n"
        "1,Appointment Scheduled,2026-11-01,2027-03-01,100,ann\n2,Closed Won,2026-11-01,2027-02-01,60,ann\n"
    )
    found = moved(written(tmp_path, "preset: hubspot\nfiles: {deals: {path: deals.csv}}\n", deals=deals))
    assert terms(found, "this quarter") == [160, 0, 0, 0, 0, 0, 0, 60, 100]


EXPECTED = {
    "zoho": "Record Id,Deal Name,Deal Owner,Stage,Amount,Closing Date,Created Time\n"
    "1,a,ann,Negotiation/Review,100,2027-03-01,2026-11-01\n2,b,ann,Closed Won,60,2027-02-01,2026-11-01\n3,c,ann,Qualification,30,2027-05-01,2026-11-01\n",
    "bitrix24": "ID,STAGE_ID,STAGE_SEMANTIC_ID,OPPORTUNITY,DATE_CREATE,CLOSEDATE,CLOSED,ASSIGNED_BY_ID\n"
    "1,NEW,P,100,2026-11-01,2027-03-01,N,ann\n2,WON,S,60,2026-11-01,2027-02-01,Y,ann\n3,NEW,P,30,2026-11-01,2027-05-01,N,ann\n",
    "pipedrive": "Deal - ID,Deal - Status,Deal - Value,Deal - Deal created,Deal - Won time,Deal - Lost time,Deal - Expected close date,Deal - Owner\n"
    "1,Open,100,2026-11-01,,,2027-03-01,ann\n2,Won,60,2026-11-01,2027-02-01,,2027-02-20,ann\n3,Open,30,2026-11-01,,,2027-05-01,ann\n",
    "dynamics": "opportunityid,statecode,estimatedvalue,createdon,actualclosedate,estimatedclosedate,ownerid\n"
    "1,0,100,2026-11-01,,2027-03-01,ann\n2,1,60,2026-11-01,2027-02-01,2027-02-20,ann\n3,0,30,2026-11-01,,2027-05-01,ann\n",
}


@pytest.mark.parametrize("name", EXPECTED)
def test_every_crm_names_the_day_a_deal_is_expected_to_close(tmp_path: Path, name: str) -> None:
    found = moved(written(tmp_path, f"preset: {name}\nfiles: {{deals: {{path: deals.csv}}}}\n", deals=EXPECTED[name]))
    assert terms(found, "all") == [190, 0, 0, 0, 0, 0, 0, 60, 130]
    assert terms(found, "this quarter") == [160, 0, 0, 0, 0, 0, 0, 60, 100]
    assert terms(found, "next quarter") == [30, 0, 0, 0, 0, 0, 0, 0, 30]


def test_the_day_a_deal_was_closed_is_no_expectation(tmp_path: Path) -> None:
    deals = EXPECTED["bitrix24"].replace("CLOSEDATE", "DATE_CLOSED")
    crm = "preset: bitrix24\nfiles: {deals: {path: deals.csv}}\n"
    assert read_export(written(tmp_path, crm, deals=deals)).source.crm.close_on is None


@pytest.mark.parametrize(
    ("day", "first_month", "this", "following"),
    [
        (date(2027, 3, 31), 1, ("2027-01-01", "2027-03-31"), ("2027-04-01", "2027-06-30")),
        (date(2028, 2, 29), 2, ("2028-02-01", "2028-04-30"), ("2028-05-01", "2028-07-31")),
        (date(2027, 1, 1), 2, ("2026-11-01", "2027-01-31"), ("2027-02-01", "2027-04-30")),
        (date(2027, 12, 31), 12, ("2027-12-01", "2028-02-29"), ("2028-03-01", "2028-05-31")),
    ],
)
def test_quarters_of_any_fiscal_year(day: date, first_month: int, this: Any, following: Any) -> None:
    found = [(str(each.first), str(each.last)) for each in windows(day, first_month)[:2]]
    assert found == [this, following]


def answer(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["movement", *arguments, "--json"]) == 0
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_the_command_adds_up_and_so_do_its_cells(logged: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = answer(capsys, str(logged), "--from", str(FIRST), "--to", str(LAST), "--closing", "this-quarter")
    for row in (told, *told["by"], *told["closing"].values()):
        assert row["start"] + sum(SIGNS[name] * row[name] for name in SIGNS) == pytest.approx(row["end"], abs=1e-6)
    for term in TERMS:
        assert sum(row[term] for row in told["by"]) == pytest.approx(told[term], abs=1e-6)
    assert {key: told["by"][0][key] for key in ("segment", "source", "owner")} == {
        "segment": "mid", "source": "all", "owner": "ann",
    }  # fmt: skip
    assert told["closing"]["this_quarter"]["last"] == "2027-03-31"
    assert told["slips"][0]["first_close_on"] == "2027-02-15"


def test_the_command_takes_the_earlier_export_by_its_folder(
    exports: tuple[Path, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = exports
    days = ("--from", str(FIRST), "--to", str(LAST))
    by_file = answer(capsys, str(new), *days, "--before", str(old))
    assert answer(capsys, str(new), *days, "--before", str(old.parent)) == by_file
    assert main(["movement", str(old), *days, "--before", str(new)]) == 2
    assert "the two stand in the wrong order; swap them" in capsys.readouterr().err


def test_what_is_said_is_so(logged: Path) -> None:
    text = said(moved(logged, closing="this quarter"))
    assert (
        "The open pipeline expected to close in Jan-Mar 2027 went from 355 to 320 from 31 Dec 2026 to 20 Mar 2027; "
        "the largest steps are pushed out (−200) and created (+140)." in text
    )
    assert "Of 520 open on 20 Mar 2027, 320 is expected to close in Jan-Mar 2027." in text
    assert "Of the owners, bob moved most: from 255 to 140." in text
    still = said(moved(logged, first=date(2027, 3, 15), last=LAST))
    assert "The open pipeline did not move from 15 Mar 2027 to 20 Mar 2027: it is 520." in still
    assert "No owner's open pipeline is another than at the start." in still
