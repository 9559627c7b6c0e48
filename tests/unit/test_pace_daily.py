"""Every morning without hands: what came late, the files of a day and their history, the alert."""

from __future__ import annotations

import csv
import email
import email.policy
import json
import os
import re
import shutil
import subprocess
import sys
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML
from test_pace import PLAN, company

from revplan.cli.commands import main
from revplan.exhibits import pace as exhibits
from revplan.exhibits import service
from revplan.ground.errors import DataError, RevplanError
from revplan.printing.translated import translated, written_in
from revplan.run import daily
from revplan.run.daily import alert_before, plain, read_history, slack, write_day
from revplan.tracking.nowcast import KEPT_DAYS, Triangle, after_run, late_of, read_triangle, triangle_path
from revplan.tracking.pace import alert_after, at_most, quantile, to_come
from revplan.tracking.pacebook import PaceBook, open_pace
from revplan.tracking.servicebook import ServiceBook

# --- the triangle --------------------------------------------------------------------------------


def counts(rows: dict[str, int]) -> pd.DataFrame:
    """So many leads on each day."""
    frame = pd.DataFrame({"event_day": pd.to_datetime(list(rows)), "entries": [float(each) for each in rows.values()]})
    return frame.assign(
        stage="lead", segment="all", source="web", event_day=frame["event_day"].astype("datetime64[us]")
    )


def seen(triangle: Triangle) -> dict[tuple[str, str], float]:
    """Run and event day -> what was seen for the first time."""
    rows = triangle.rows[triangle.rows["stage"] != ""]
    return {(f"{row.event_day:%d}", f"{row.seen_on:%d}"): row.entries for row in rows.itertuples()}


def test_the_triangle_notes_what_each_night_sees_for_the_first_time(tmp_path: Path) -> None:
    nothing = read_triangle(tmp_path / "none.csv")
    first = after_run(nothing, counts({"2027-03-01": 4}), date(2027, 3, 1))
    second = after_run(first, counts({"2027-03-01": 6, "2027-03-02": 3}), date(2027, 3, 2))
    assert seen(second) == {("01", "01"): 4, ("01", "02"): 2, ("02", "02"): 3}
    again = after_run(second, counts({"2027-03-01": 6, "2027-03-02": 5}), date(2027, 3, 2))
    assert seen(again) == {
        ("01", "01"): 4,
        ("01", "02"): 2,
        ("02", "02"): 5,
    }  # a second run of a day replaces the first
    assert after_run(again, counts({"2027-03-01": 9}), date(2027, 3, 1)) is again  # a day that is over changes nothing
    missed = after_run(again, counts({"2027-03-01": 7, "2027-03-02": 5}), date(2027, 3, 4))
    assert seen(missed) == {**seen(again), ("01", "04"): 1}
    assert missed.nights == [date(2027, 3, 1), date(2027, 3, 2), date(2027, 3, 4)]
    gone = after_run(missed, counts({"2027-03-01": 6, "2027-03-02": 5}), date(2027, 3, 5))
    assert seen(gone)["01", "05"] == -1  # a record that was deleted
    (tmp_path / "t.csv").write_text(gone.text(), encoding="utf-8")
    pd.testing.assert_frame_equal(read_triangle(tmp_path / "t.csv").rows, gone.rows)
    quiet = after_run(gone, counts({"2027-03-01": 6, "2027-03-02": 5}), date(2027, 3, 6))
    assert quiet.nights[-1] == date(2027, 3, 6)  # a night without news was a night


def test_what_is_no_triangle_is_refused(tmp_path: Path) -> None:
    for text in ("a,b\n1,2\n", "seen_on,stage,segment,source,event_day,entries\nyesterday,lead,a,b,2027-03-01,2\n"):
        (tmp_path / "plan.triangle.csv").write_text(text, encoding="utf-8")
        with pytest.raises(DataError, match="take it away"):
            read_triangle(triangle_path(tmp_path / "plan.yaml"))


def test_a_triangle_that_lost_lines_or_is_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path, triangle = tmp_path / "plan.triangle.csv", read_triangle(tmp_path / "none.csv")
    for day in (1, 2, 3):
        known = {f"2027-03-0{each}": 4 for each in range(1, day + 1)}
        triangle = after_run(triangle, counts(known), date(2027, 3, day))
    lines = triangle.text().splitlines()
    path.write_text("\n".join([*lines[:2], *lines[3:]]) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"4 records fewer than its last run noted.*backup"):
        read_triangle(path)
    path.write_text(
        "\n".join(lines[:-2]) + "\n", encoding="utf-8"
    )  # the last night is gone whole, as if it had not been
    assert read_triangle(path).nights == [date(2027, 3, 1), date(2027, 3, 2)]
    path.write_text("\n".join([f"{lines[0]},kind", *(f"{line},x" for line in lines[1:])]) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match="strange columns: kind; a newer revplan may have written it"):
        read_triangle(path)
    old = [line.rpartition(",")[0] + ",0.0" if ",,,,," in line else line for line in lines]
    path.write_text("\n".join(old) + "\n", encoding="utf-8")  # as 0.7.0 wrote it: runs do not say how many they knew
    assert len(read_triangle(path).nights) == 3


# --- the nowcast ---------------------------------------------------------------------------------


def simulated(
    generator: np.random.Generator, kind: str, rate: float, nights: int, missed: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """What each night knows of each day, the nights, and the true counts of the days."""
    days = KEPT_DAYS + 40
    true = generator.poisson(rate, days)
    known = np.zeros((days, days))
    for day, count in enumerate(true):
        delay = {
            "none": np.zeros(count, dtype=int),
            "geometric": generator.geometric(0.4, count) - 1,
            "seldom": generator.geometric(0.97, count) - 1,
            "mixed": np.where(generator.random(count) < 0.6, 0, generator.poisson(4, count)),
        }[kind]
        known[day] = np.cumsum(np.bincount(day + delay[day + delay < days], minlength=days))
    runs = [day for day in range(days - nights, days) if day == days - 1 or generator.random() >= missed]
    first = days - KEPT_DAYS
    return known[first:, runs], np.array(runs) - first, true[first:]


@pytest.mark.parametrize(
    ("kind", "rate", "nights", "missed"),
    [("geometric", 15, 60, 0.0), ("geometric", 15, 60, 0.15), ("geometric", 3, 90, 0.0), ("mixed", 15, 90, 0.0)],
)
def test_eight_of_ten_true_counts_lie_within_the_interval(kind: str, rate: float, nights: int, missed: float) -> None:
    generator = np.random.default_rng(5)
    inside, errors, naive, trials = np.zeros(2), np.zeros(2), np.zeros(2), 150
    for _ in range(trials):
        known, runs, true = simulated(generator, kind, rate, nights, missed)
        found = late_of(known, runs, np.ones(KEPT_DAYS))
        assert found is not None
        for at, (days, spread) in enumerate(((1, found.day_spread), (20, found.spread))):
            lacking = true[-days:].sum() - known[-days:, -1].sum()
            mean = np.array([found.missing[-days:].sum()])
            low, middle, high = (quantile(share, mean, np.array([spread]))[0] for share in (0.1, 0.5, 0.9))
            inside[at] += low <= lacking <= high
            errors[at] += abs(lacking - middle)
            naive[at] += abs(lacking)
    # Nominal 80 % of whole numbers, both ends included; three standard errors of 150 trials are 10 points.
    assert (inside / trials >= 0.70).all()
    assert (inside / trials <= 0.92).all()
    assert (errors < naive).all()


@pytest.mark.parametrize("kind", ["none", "seldom"])
def test_where_little_comes_late_the_nowcast_is_no_worse_than_what_is_counted(kind: str) -> None:
    generator = np.random.default_rng(6)
    errors = naive = 0.0
    for _ in range(80):
        known, runs, true = simulated(generator, kind, 15, 40, 0.0)
        found = late_of(known, runs, np.ones(KEPT_DAYS))
        assert found is not None
        lacking = float(true[-1] - known[-1, -1])
        errors += abs(lacking - quantile(0.5, found.missing[-1:], np.array([found.day_spread]))[0])
        naive += abs(lacking)
    assert errors <= naive


def test_what_all_comes_or_goes_in_one_night_is_not_late() -> None:
    """A stage that is new in the plan, records read in part for a night, and another file in their place."""
    generator = np.random.default_rng(3)
    true = generator.poisson(20, KEPT_DAYS)
    nights = np.arange(KEPT_DAYS - 30, KEPT_DAYS)
    known = np.where(np.arange(KEPT_DAYS)[:, None] <= nights, true[:, None], 0).astype(float)
    for kind in ("new stage", "read in part", "another file"):
        found = known.copy()
        if kind == "new stage":
            found[:, :12] = 0.0
        elif kind == "read in part":
            found[:, 12] = np.floor(known[:, 12] / 10)
        else:
            found[:, 12:] = known[:, 12:] * 5
        late = late_of(found, nights, np.ones(KEPT_DAYS))
        assert late is not None
        assert late.missing.sum() == pytest.approx(0.0, abs=1e-9), kind


def test_a_few_nights_tell_nothing() -> None:
    known, runs, _ = simulated(np.random.default_rng(7), "geometric", 15, 6, 0.0)
    assert late_of(known, runs, np.ones(KEPT_DAYS)) is None


# --- the alert -----------------------------------------------------------------------------------


def test_an_alert_holds_until_the_all_clear() -> None:
    state, told = False, []
    for chance in (0.5, 0.89, 0.9, 0.8, 0.95, 0.75, 0.69, 0.8):
        state = alert_after(chance, state, 0.9, 0.7)
        told.append(state)
    assert told == [False, False, True, True, True, True, False, False]
    assert not alert_after(float("nan"), True, 0.9, 0.7)


def test_an_alert_of_another_month_or_stage_is_over() -> None:
    days = pd.to_datetime(["2027-03-30", "2027-03-31"])
    past = pd.DataFrame({"as_of": days, "stage": "sql", "watched": "2027-03", "alert": [False, True]})
    assert alert_before(past, date(2027, 4, 1), "2027-03", "sql")
    assert not alert_before(past, date(2027, 4, 1), "2027-04", "sql")
    assert not alert_before(past, date(2027, 3, 31), "2027-03", "sql")
    assert not alert_before(past, date(2027, 4, 1), "2027-03", "lead")  # the plan commits at another stage since


# --- the files of a day --------------------------------------------------------------------------

FILES = (
    "pace.csv",
    "pace.eml",
    "pace.history.csv",
    "pace.html",
    "pace.json",
    "pace.png",
    "pace.slack.json",
    "pace.txt",
)


@pytest.fixture(scope="module")
def two_days(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A plan whose records are read on two evenings, and what was written then."""
    folder = tmp_path_factory.mktemp("daily")
    for day in (date(2026, 6, 16), date(2026, 6, 17)):
        path = company(folder, "calendar: {country: US}\n", until=day)
        assert main(["pace", str(path), "--as-of", str(day), "--out", str(folder / "out")]) in (0, 3)
    return folder


def test_a_day_is_written_whole_and_the_days_before_are_kept(two_days: Path) -> None:
    out = two_days / "out"
    assert sorted(path.name for path in out.iterdir()) == sorted([*FILES, "history"])
    kept = {f"{day}{ending}" for day in ("2026-06-16", "2026-06-17") for ending in (".html", ".csv", ".json")}
    assert {path.name for path in (out / "history").iterdir()} == kept
    assert (out / "pace.html").read_bytes() == (out / "history" / "2026-06-17.html").read_bytes()
    past = read_history(out / "pace.history.csv")
    assert past["as_of"].dt.strftime("%Y-%m-%d").tolist() == ["2026-06-16", "2026-06-17"]
    assert read_triangle(triangle_path(two_days / "plan.yaml")).nights == [date(2026, 6, 16), date(2026, 6, 17)]


def test_every_printing_says_the_same(two_days: Path) -> None:
    out = two_days / "out"
    answer = json.loads((out / "pace.json").read_text(encoding="utf-8"))
    says = answer["says"]
    assert says in (out / "pace.txt").read_text(encoding="utf-8")
    blocks = json.loads((out / "pace.slack.json").read_text(encoding="utf-8"))
    assert says.replace("&", "&amp;") in blocks["text"]
    assert [block["type"] for block in blocks["blocks"]] == ["header", "section", "section", "section", "context"]
    fields = [each["text"] for block in blocks["blocks"][2:4] for each in block["fields"]]
    assert len(blocks["blocks"][2]["fields"]) == 10
    assert [each.split("\n")[0] for each in fields[-2:]] == ["Straight line", "Out of reach on"]
    with (out / "pace.eml").open("rb") as file:
        message: Any = email.message_from_binary_file(file, policy=email.policy.default)
    assert (
        says in message.get_body().get_content().replace("\n", " ").replace("  ", " ")
        or says in message.get_body().get_content()
    )
    assert message["Subject"].removeprefix("Alert: ").endswith(" working days.")
    assert len(message["Subject"]) <= 150
    pictures = [part.get_content() for part in message.iter_attachments()]
    assert pictures == [(out / "pace.png").read_bytes()]
    assert pictures[0].startswith(b"\x89PNG")
    page = (out / "pace.html").read_text(encoding="utf-8")
    assert "<svg" in page
    assert f"{answer['lines'][0]['team']}" in page
    with (out / "pace.csv").open(encoding="utf-8", newline="") as table:
        rows = [
            row
            for row in csv.DictReader(table)
            if row["of"] == "whole" and row["period_kind"] == "month" and row["stage"] == "sql"
        ]
    assert float(rows[0]["actual"]) == next(each["actual"] for each in answer["totals"] if each["stage"] == "sql")


def test_a_second_run_of_a_day_changes_nothing(two_days: Path) -> None:
    before = {path: path.read_bytes() for path in two_days.rglob("*") if path.is_file()}
    main(["pace", str(two_days / "plan.yaml"), "--as-of", "2026-06-17", "--out", str(two_days / "out")])
    after = {path: path.read_bytes() for path in two_days.rglob("*") if path.is_file()}
    assert {path.name for path in before if before[path] != after.get(path)} == set()
    assert set(after) == set(before)


def test_a_run_that_is_killed_leaves_the_day_before(
    two_days: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, out = company(tmp_path, until=date(2026, 6, 17)), tmp_path / "out"
    book = open_pace(path)
    write_day(book, out, {"says": "first"})
    before = {each.name: each.read_bytes() for each in out.iterdir() if each.is_file()}

    def killed(*_: object) -> bytes:
        raise KeyboardInterrupt

    monkeypatch.setattr(daily, "mail", killed)
    with pytest.raises(KeyboardInterrupt):
        write_day(open_pace(path), out, {"says": "second"})
    assert {each.name: each.read_bytes() for each in out.iterdir() if each.is_file()} == before
    monkeypatch.undo()
    write_day(open_pace(path), out, {"says": "third"})
    assert json.loads((out / "pace.json").read_text(encoding="utf-8"))["says"] == "third"


def test_a_day_whose_files_a_killed_run_left_unmoved_is_not_lost(two_days: Path, tmp_path: Path) -> None:
    """The run of the 17th is killed when its files wait to be moved; that of the 18th moves them before it goes on."""
    out = tmp_path / "out"
    write_day(open_pace(company(tmp_path, until=date(2026, 6, 16))), out, {})
    before = {path.name: path.read_bytes() for path in out.iterdir() if path.is_file()}
    write_day(open_pace(company(tmp_path, until=date(2026, 6, 17))), out, {})
    waiting = out / ".revplan-pace.ready"
    waiting.mkdir()
    for name, content in before.items():
        (out / name).rename(waiting / name)
        (out / name).write_bytes(content)
    write_day(open_pace(company(tmp_path, until=date(2026, 6, 18))), out, {})
    days = read_history(out / "pace.history.csv")["as_of"].dt.day.tolist()
    assert days == [16, 17, 18]
    assert not waiting.exists()


def test_two_runs_at_the_same_time_lose_nothing_of_each_other(tmp_path: Path) -> None:
    out = tmp_path / "out"
    books = [open_pace(company(tmp_path, until=date(2026, 6, day))) for day in (16, 17)]
    for book in books:  # both were read before either wrote
        write_day(book, out, {})
    assert read_triangle(triangle_path(tmp_path / "plan.yaml")).nights == [date(2026, 6, 16), date(2026, 6, 17)]
    assert len(read_history(out / "pace.history.csv")) == 2


@pytest.mark.parametrize("other", ["name", "file", "segment"])
def test_another_plan_does_not_write_into_the_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], other: str
) -> None:
    path, out = company(tmp_path), tmp_path / "out"
    path.write_text("name: Acme\n" + PLAN, encoding="utf-8")
    assert main(["pace", str(path), "--out", str(out)]) in (0, 3)
    before = {each: each.read_bytes() for each in tmp_path.rglob("*") if each.is_file()}
    more = []
    if other == "name":
        path.write_text("name: Beta\n" + PLAN, encoding="utf-8")
    elif other == "file":
        path = path.rename(tmp_path / "stretch.yaml")
    else:
        more = ["--segment", "a"]
    capsys.readouterr()
    assert main(["pace", str(path), "--out", str(out), *more]) == 2
    told = " ".join(capsys.readouterr().err.split())
    own = {"name": "Beta (plan.yaml)", "file": "Acme (stretch.yaml)", "segment": "Acme (plan.yaml, a)"}[other]
    assert f"is that of Acme (plan.yaml), and this run is of {own}; give every plan a folder of its own" in told
    after = {each: each.read_bytes() for each in tmp_path.rglob("*") if each.is_file() and each.suffix != ".yaml"}
    assert after == {each: content for each, content in before.items() if each.suffix != ".yaml"}
    history = out / "pace.history.csv"  # what the message advises works
    history.write_text(history.read_text(encoding="utf-8").replace("Acme (plan.yaml)", f'"{own}"'), encoding="utf-8")
    assert main(["pace", str(path), "--out", str(out), *more]) in (0, 3)


def test_a_history_of_before_plans_were_named_in_it_goes_on(tmp_path: Path) -> None:
    path, out = company(tmp_path), tmp_path / "out"
    write_day(open_pace(path), out, {})
    file = out / "pace.history.csv"
    table = pd.read_csv(file, dtype="str").drop(columns="plan")
    table.assign(as_of="2026-06-16").to_csv(file, index=False)
    write_day(open_pace(path), out, {})
    assert read_history(file)["plan"].tolist()[0] == ""
    assert len(read_history(file)) == 2


def test_where_the_triangle_cannot_be_written_nothing_is(tmp_path: Path) -> None:
    path = company(tmp_path)
    book = open_pace(path)
    triangle_path(path).mkdir()
    with pytest.raises(RevplanError):
        write_day(book, tmp_path / "out", {})
    assert [each.name for each in (tmp_path / "out").rglob("*") if each.is_file()] == []


def test_a_day_whose_files_cannot_be_written_leaves_no_copy(tmp_path: Path) -> None:
    path, out = company(tmp_path), tmp_path / "out"
    (out / "pace.png").mkdir(parents=True)
    with pytest.raises(RevplanError, match="is a folder where a file belongs"):
        write_day(open_pace(path), out, {})
    assert [each.name for each in out.rglob("*") if each.is_file()] == []


def test_a_clock_set_back_is_told_and_changes_nothing(two_days: Path) -> None:
    before = triangle_path(two_days / "plan.yaml").read_bytes()
    assert main(["pace", str(two_days / "plan.yaml"), "--as-of", "2026-06-16", "--out", str(two_days / "out")]) in (
        0,
        3,
    )
    assert triangle_path(two_days / "plan.yaml").read_bytes() == before
    triangle = Triangle(read_triangle(triangle_path(two_days / "plan.yaml")).rows.iloc[0:0])
    ahead = after_run(triangle, counts({"2026-06-17": 4}), date(2026, 6, 18))
    notes = PaceBook(open_pace(two_days / "plan.yaml").board, open_pace(two_days / "plan.yaml").history, ahead).notes
    assert any(
        "no nightly run was made for this day, and one was for a later one (18 Jun 2026)" in each for each in notes
    )
    assert not any("it takes" in each for each in notes)


def test_a_look_back_does_not_touch_the_triangle(two_days: Path) -> None:
    before = triangle_path(two_days / "plan.yaml").read_bytes()
    main(["pace", str(two_days / "plan.yaml"), "--as-of", "2026-06-10", "--out", str(two_days / "back")])
    assert triangle_path(two_days / "plan.yaml").read_bytes() == before
    assert any("know later days too" in note for note in open_pace(two_days / "plan.yaml", "2026-06-10").notes)


def test_a_day_that_the_records_do_not_reach_is_no_night(two_days: Path) -> None:
    before = triangle_path(two_days / "plan.yaml").read_bytes()
    main(["pace", str(two_days / "plan.yaml"), "--as-of", "2026-11-30", "--out", str(two_days / "ahead")])
    assert triangle_path(two_days / "plan.yaml").read_bytes() == before
    assert any(
        "the records end 166 days before" in note for note in open_pace(two_days / "plan.yaml", "2026-11-30").notes
    )


def test_what_is_no_history_is_refused_before_anything_is_written(
    two_days: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = two_days / "strange"
    out.mkdir()
    (out / "pace.history.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    assert main(["pace", str(two_days / "plan.yaml"), "--out", str(out)]) == 2
    assert "is no history of the pace" in capsys.readouterr().err
    assert [path.name for path in out.iterdir() if path.is_file()] == ["pace.history.csv"]


def test_the_exit_code_follows_the_chance_of_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = company(tmp_path)
    for goal, code in (("1_200_000", 3), ("12_000", 0)):
        path.write_text(PLAN.replace("120_000", goal), encoding="utf-8")
        assert main(["pace", str(path), "--json"]) == code
        answer = json.loads(capsys.readouterr().out)
        assert answer["alert"] == (code == 3)


def test_records_that_ended_days_ago_give_no_alert_and_end_none(tmp_path: Path) -> None:
    path = company(tmp_path)
    path.write_text(PLAN.replace("120_000", "1_200_000"), encoding="utf-8")
    for day, told in (("2026-06-24", True), ("2026-06-25", False)):  # the records end on 17 June
        book = open_pace(path, day)
        assert book.watched[1] > 0.99
        assert (book.alert(), book.alert(before=True)) == (told, True)
        assert exhibits.told(book).startswith("The records end on 17 Jun 2026. ") != told


# --- the lines of docs/pace.md -------------------------------------------------------------------

DOCS = (Path(__file__).parents[2] / "docs" / "pace.md").read_text(encoding="utf-8")


def block(title: str, number: int = 0) -> str:
    """A block of code under a heading of the page."""
    return DOCS.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0].split("```\n")[2 * number + 1]


@pytest.mark.skipif(not Path("/bin/sh").exists(), reason="cron runs a shell")
@pytest.mark.parametrize(("goal", "mails"), [("12_000", False), ("1_200_000", True)])
def test_the_line_of_cron_runs_and_mails_where_there_is_an_alert(tmp_path: Path, goal: str, mails: bool) -> None:
    minute, hour, *rest, line = block("cron (Linux, macOS)").strip().split(maxsplit=5)
    assert (minute, hour, rest) == ("30", "6", ["*", "*", "1-5"])
    assert "%" not in line  # which cron takes for the end of a line
    folders = [tmp_path / each for each in ("plan", "revplan/.venv/bin", "bin")]
    for folder in folders:
        folder.mkdir(parents=True)
    path = company(folders[0])
    path.write_text(path.read_text(encoding="utf-8").replace("120_000", goal), encoding="utf-8")
    for place, text in (
        (
            folders[1] / "revplan",
            f'exec "{sys.executable}" -c "import sys; from revplan.cli import main; sys.exit(main(sys.argv[1:]))" "$@"',
        ),
        (folders[2] / "mail", f'echo "$@" > {tmp_path}/mailed; cat >> {tmp_path}/mailed'),
    ):
        place.write_text(f"#!/bin/sh\n{text}\n", encoding="utf-8")
        place.chmod(0o755)
    there = {
        **os.environ,
        "HOME": str(tmp_path),
        "PATH": f"{folders[2]}:{os.environ['PATH']}",
        "PYTHONPATH": str(Path(__file__).parents[2]),
    }
    subprocess.run(
        ["/bin/sh", "-c", line.replace("yesterday", "2026-06-17")], env=there, check=False, capture_output=True
    )
    assert (folders[0] / "pace" / "pace.html").exists()
    mailed = tmp_path / "mailed"
    assert mailed.exists() == mails
    if mails:
        text = mailed.read_text(encoding="utf-8")
        assert text.startswith("-s Behind plan team@example.com\n")
        assert (folders[0] / "pace" / "pace.txt").read_text(encoding="utf-8") in text


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not there to verify its units")
def test_the_units_of_systemd_are_sound(tmp_path: Path) -> None:
    service, timer = (block("systemd", number) for number in (0, 1))
    program = tmp_path / "revplan"
    program.write_text("#!/bin/sh\n", encoding="utf-8")
    program.chmod(0o755)
    assert "ExecStart=%h/revplan/.venv/bin/revplan pace" in service
    service = service.replace("%h/revplan/.venv/bin/revplan", str(program)).replace("%h/plan", str(tmp_path))
    names = []
    for name, text in (("service", service), ("timer", timer)):
        place = tmp_path / f"revplan-pace.{name}"
        place.write_text(text, encoding="utf-8")
        names.append(str(place))
    found = subprocess.run(["systemd-analyze", "verify", "--user", *names], capture_output=True, text=True, check=False)
    assert [each for each in found.stderr.splitlines() if "revplan-pace" in each] == []


def test_messages_survive_names_that_mean_something_to_slack(tmp_path: Path) -> None:
    path = company(tmp_path)
    path.write_text(f"name: 'A & <B> *c*'\n{PLAN}", encoding="utf-8")
    book = open_pace(path)
    message = slack(book, "A & <B>")
    assert (message["text"], message["mrkdwn"]) == ("A &amp; &lt;B&gt;", False)
    texts = [each for block in message["blocks"] for each in [block.get("text"), *block.get("fields", []), *block.get("elements", [])] if each]  # fmt: skip
    assert {each["type"] for each in texts} == {"plain_text"}  # nothing is read as bold, a link or an emoji
    assert texts[0]["text"].startswith("A & <B> *c*: pace of ")
    assert all(0 < len(each["text"]) <= 3000 for each in texts)
    assert len(slack(book, "many words " * 900)["blocks"][1]["text"]["text"]) <= 3000
    assert "A & <B> *c*" in plain(book, f"{book.plan.name}: {exhibits.told(book)}")


@pytest.mark.parametrize("day", ["2026-01-02", "2026-02-27", "2026-06-17", "2026-06-30", "2025-12-30", "2027-03-01"])
def test_every_sentence_of_a_morning_has_its_german(tmp_path: Path, day: str) -> None:
    path = company(tmp_path, CLAIMED, until=max(min(date.fromisoformat(day), date(2026, 6, 30)), date(2025, 12, 31)))
    book = open_pace(path, day)
    more = [*service.tables(ServiceBook(book)), exhibits.best(book)]
    notebook = daily.notebook_of([*exhibits.page(book), *more], "Pace", {})
    assert translated(notebook, "de", written_in(book.live)).left == ()


def test_a_morning_is_written_in_german(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path, out = company(tmp_path), tmp_path / "out"
    path.write_text("name: Müller\n" + PLAN.replace("120_000", "1_200_000"), encoding="utf-8")
    assert main(["pace", str(path), "--out", str(out), "--language", "de"]) == 3
    text = (out / "pace.txt").read_text(encoding="utf-8")
    assert re.match(
        r"Warnung: Müller: \d+ SQLs bis 17. Juni 2026 gegenüber [\d,]+ geplanten: [\d,]+ im Rückstand", text
    )
    assert not re.search(
        r"\b(the|of|and|over|to|planned|behind)\b",
        re.sub(r"Orrinvale|\w+\.yaml|revplan pace PLAN --out DIR", "", text),
    )
    message = email.message_from_bytes((out / "pace.eml").read_bytes(), policy=email.policy.default)
    assert text.startswith(message["Subject"])
    assert message["Subject"].endswith(" Arbeitstage.")
    blocks = json.loads((out / "pace.slack.json").read_text(encoding="utf-8"))["blocks"]
    assert blocks[0]["text"]["text"] == "Müller: Tempo im Juni 2026"
    told = [each["text"].split() for each in blocks[2]["fields"] + blocks[3]["fields"]]
    assert ["Wahrscheinlichkeit", "des", "Verfehlens", "über", "99,9", "%"] in told
    assert 'lang="de"' in (out / "pace.html").read_text(encoding="utf-8")
    assert json.loads((out / "pace.json").read_text(encoding="utf-8"))["says"] == exhibits.told(open_pace(path))
    capsys.readouterr()
    for more, said in (
        (["--out", str(out), "--language", "xx"], "xx is not a language"),
        (["--language", "de"], "add --out DIR"),
    ):
        assert main(["pace", str(path), *more]) == 2
        assert said in capsys.readouterr().err


CLAIMED = """\
calendar: {country: US}
claims: [{by: sales, sales_growth: 4.0, arr_growth: 0.8}, {by: all, sourced: {marketing: 0.72, sales: 0.45}}, {by: sales, coverage: 3}, {by: x, win_rate: 0.32}]
"""


def test_nightly_runs_tell_what_is_late(tmp_path: Path) -> None:
    """Records that come in a day or two late, seen by a run every night: the last day's count is seen through them."""
    generator = np.random.default_rng(12)
    last = date(2026, 6, 17)
    path = company(tmp_path, until=last)
    text = (tmp_path / "leads.csv").read_text(encoding="utf-8").splitlines()
    delays = [int(each) for each in generator.geometric(0.5, len(text)) - 1]
    for back in range(17, -1, -1):
        today = last - timedelta(days=back)
        kept = [text[0]]
        for row, delay in zip(text[1:], delays[1:], strict=True):
            cells = row.split(",")
            days = [cells[at] for at in (3, 4, 5, 6) if cells[at]]
            if date.fromisoformat(days[0]) + timedelta(days=delay) <= today:
                kept.append(
                    ",".join(
                        cell if cell <= str(today) or at not in (3, 4, 5, 6) else "" for at, cell in enumerate(cells)
                    )
                )
        (tmp_path / "leads.csv").write_text("\n".join(kept) + "\n", encoding="utf-8")
        book = open_pace(path, today)
        triangle_path(path).write_text(book.triangle.text(), encoding="utf-8")
    found = book.nowcast.set_index(["stage", "period"]).loc["lead"]
    assert (found["late"] > 0).all()
    assert (found["low"] <= found["expected"]).all()
    assert (found["expected"] <= found["high"]).all()
    true = sum(1 for row in text[1:] if row.split(",")[3][:7] == "2026-06")
    assert found.loc["month", "low"] <= true <= found.loc["month", "high"]
    line = book.line(stage="lead")
    assert line is not None
    assert line["late"] == pytest.approx(found.loc["month", "late"])
    assert "more SQLs are expected to be recorded yet" in " ".join(book.notes)
    assert exhibits.nowcast(book).kind == "table"


# --- every key acts ------------------------------------------------------------------------------

FOLLOWED = """
calendar:
  country: US
  region: CA
  closures: [{from: 2026-06-08, to: 2026-06-09}]
  weekend: [sat, sun]
  teams: {dach: {country: DE, region: BY, weekend: [fri, sat], sources: [fairs], segments: [b]}}
pace: {within_month: [0.4, 0.6], by_segment: {a: [0.3, 0.7]}, watch: month, alert: 0.9, all_clear: 0.7}
"""
OTHER: list[tuple[tuple[str, ...], object]] = [
    (("calendar", "country"), ""),
    (("calendar", "region"), "HI"),
    (("calendar", "closures"), [{"from": "2026-06-08", "to": "2026-06-10"}]),
    (("calendar", "weekend"), ["sun"]),
    (("calendar", "teams", "dach", "country"), "FR"),
    (("calendar", "teams", "dach", "region"), "HH"),
    (("calendar", "teams", "dach", "weekend"), ["sat", "sun"]),
    (("calendar", "teams", "dach", "sources"), ["web"]),
    (("calendar", "teams", "dach", "segments"), ["a"]),
    (("calendar", "teams", "dach", "closures"), ["2026-06-10"]),
    (("pace", "within_month"), [0.5, 0.5]),
    (("pace", "by_segment"), {"a": [0.2, 0.8]}),
    (("pace", "watch"), "year"),
    (("pace", "alert"), 0.75),
    (("pace", "all_clear"), 0.2),
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, object]:
    """A company whose plan writes every key of calendar and pace, and what is said of it."""
    path = company(tmp_path_factory.mktemp("world"))
    return path, said_of(path, followed())


def followed() -> dict[str, Any]:
    """The data of its plan."""
    yaml = YAML(typ="safe")
    return {**yaml.load(PLAN), **yaml.load(FOLLOWED)}


def said_of(path: Path, plan: dict[str, Any]) -> object:
    """What the lines, the watch and the alerts of a plan say."""
    YAML(typ="safe").dump(plan, path)
    book = open_pace(path)
    alerts = [alert_after(chance, True, book.live.pace.alert, book.live.pace.all_clear) for chance in (0.3, 0.65)]
    starts = alert_after(0.8, False, book.live.pace.alert, book.live.pace.all_clear)
    return book.lines.to_dict("list").__repr__(), book.watched, alerts, starts


@pytest.mark.parametrize(("place", "value"), OTHER, ids=[".".join(place) for place, _ in OTHER])
def test_every_key_of_calendar_and_pace_moves_something(
    world: tuple[Path, object], place: tuple[str, ...], value: object
) -> None:
    (path, before), plan = world, followed()
    node: Any = plan
    for key in place[:-1]:
        node = node[key]
    if place[-1] == "country" and len(place) == 2:
        node["region"] = ""
    if place == ("calendar", "teams", "dach", "country"):
        node["region"] = ""
    node[place[-1]] = value
    assert said_of(path, plan) != before


def test_the_same_plan_says_the_same(world: tuple[Path, object]) -> None:
    path, before = world
    assert said_of(path, followed()) == before


@pytest.mark.parametrize("world", ["steady", "bursts", "waves"])
def test_alerts_are_false_as_rarely_as_stated(world: str) -> None:
    """One month of 400 invented years each, looked at on five evenings; `benchmarks/pace_alert.py` has all of them."""
    generator = np.random.default_rng({"steady": 21, "bursts": 22, "waves": 23}[world])
    worked = np.tile([1.0] * 5 + [0.0] * 2, 56)
    rate = np.full((400, len(worked)), 12.0)
    if world == "bursts":
        rate *= generator.gamma(2.0, 0.5, rate.shape)
    if world == "waves":
        rate *= np.exp(np.repeat(generator.normal(0, 0.15, (400, 14)), 28, axis=1) - 0.15**2 / 2)
    days = generator.poisson(rate * worked).astype(float)
    start, stop = len(worked) - 28, len(worked)
    plan = 12 * worked[start:].sum()  # what is to be expected
    state, ever = np.zeros(400, dtype=bool), np.zeros(400, dtype=bool)
    for evening in range(start + 3, stop - 1, 5):
        found = to_come(days[:, : evening + 1], worked)
        chance = at_most(plan - 1 - days[:, start : evening + 1].sum(axis=1), found.mean, found.spread)
        state = np.array([alert_after(now, before, 0.9, 0.7) for now, before in zip(chance, state, strict=True)])
        ever |= state
    met = days[:, start:].sum(axis=1) >= plan
    assert ever.sum() > 80
    assert (ever & met).sum() <= 0.1 * ever.sum() + 3 * np.sqrt(0.09 * ever.sum())
    assert (ever & ~met).sum() > 0.5 * (~met).sum()  # and it is raised where a month is missed
