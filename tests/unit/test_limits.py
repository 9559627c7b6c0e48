"""Files that are endless, huge or made to be so: refused with the limit, and with how to raise it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from revplan.cli import main
from revplan.crm.excel import read_excel
from revplan.crm.readers import read_duckdb, read_parquet, read_query
from revplan.crm.separated import read_csv
from revplan.excel.reading import read_filled
from revplan.ground import files
from revplan.ground.errors import DataError, PlanError, RevplanError
from revplan.ground.files import CELLS, ROWS, content_of, megabytes, within_limits
from revplan.record.signed import verified

EXAMPLE = Path(__file__).resolve().parents[2] / "data" / "example"
NOT_ORDINARY = ["pipe", "device", "link to a device", "folder", "socket"]


@pytest.fixture(params=NOT_ORDINARY)
def odd(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Something at a path that is no file with content."""
    path = tmp_path / "odd"
    if request.param == "pipe":
        os.mkfifo(path)
    elif request.param == "folder":
        path.mkdir()
    elif request.param == "socket":
        with socket.socket(socket.AF_UNIX) as server:
            monkeypatch.chdir(tmp_path)  # addresses of sockets are short
            server.bind("odd")
            yield path
        return
    else:
        path.symlink_to("/dev/zero")
    yield path


def refused(run: object, *arguments: object) -> str:
    """The message with which `run` refuses its arguments."""
    with pytest.raises(RevplanError) as caught:
        run(*arguments)  # type: ignore[operator]
    return str(caught.value)


def run_here(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A command of revplan, run in `folder`, with a minute at most."""
    return subprocess.run(
        [sys.executable, "-m", "revplan", *words],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )


@contextmanager
def within_seconds(most: int) -> Iterator[None]:
    """Whatever still waits after `most` seconds is ended with an error, even in the middle of opening a file."""

    def too_long(*_: object) -> None:
        raise AssertionError(f"it waited for {most} s")

    earlier = signal.signal(signal.SIGALRM, too_long)
    signal.alarm(most)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, earlier)


# --- what is no file -------------------------------------------------------------------------------------------


@pytest.mark.skipif(sys.platform == "win32", reason="pipes and devices as files")
def test_what_is_no_ordinary_file_is_never_read(odd: Path) -> None:
    with pytest.raises((PlanError, OSError)) as caught:
        content_of(odd, PlanError)
    assert isinstance(caught.value, PlanError)
    assert "not a file with content" in str(caught.value)


@pytest.mark.skipif(sys.platform == "win32", reason="pipes and devices as files")
@pytest.mark.parametrize("kind", ["pipe", "device"])
@pytest.mark.parametrize("where", ["plan.yaml", "crm.yaml", "leads.csv", "actuals.csv"])
def test_a_command_does_not_wait_for_a_pipe_or_read_a_device(
    kind: str, where: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = Path(shutil.copytree(EXAMPLE, tmp_path / "company"))
    plan = "plan_fy26.yaml" if where.startswith("actuals") else "plan.yaml"
    assert (folder / where).is_file()
    (folder / where).unlink()
    if kind == "pipe":
        os.mkfifo(folder / where)
    else:
        (folder / where).symlink_to("/dev/zero")
    with within_seconds(60):
        assert main(["check", str(folder / plan)]) == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert (where if where != "plan.yaml" or kind == "pipe" else "zero: is a device") in said


@pytest.mark.skipif(sys.platform == "win32", reason="pipes and devices as files")
def test_a_workbook_or_signed_folder_of_pipes_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "book.xlsx")
    assert "is a pipe" in refused(read_filled, tmp_path / "book.xlsx")
    (tmp_path / "signed").mkdir()
    os.mkfifo(tmp_path / "signed" / "CONTENTS.sha256")
    assert "is a pipe" in refused(verified, tmp_path / "signed")


# --- bytes, rows, cells, columns -------------------------------------------------------------------------------


def test_a_file_beyond_its_limit_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.csv"
    with path.open("wb") as file:
        file.truncate(3_000_001)  # sparse: it takes no room
    message = refused(content_of, path, DataError, megabytes(3))
    assert message == ("large.csv: has more than 3 MB; if it is right, set REVPLAN_MAX_MB to a larger number")
    monkeypatch.setenv("REVPLAN_MAX_MB", "4")
    assert len(content_of(path, DataError, megabytes(3))) == 3_000_001


def test_the_rows_that_are_read_may_have_four_columns_each() -> None:
    """As a log of changes has: the id, the moment, the field, the value."""
    assert CELLS.default >= 4 * ROWS.default


@pytest.mark.parametrize("text", ["0", "-1", "many", "1e3", "9" * 40, "٣"])
def test_a_limit_that_is_no_number_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVPLAN_MAX_ROWS", text)
    assert "REVPLAN_MAX_ROWS: got" in refused(lambda: ROWS.value)


@pytest.mark.parametrize(
    ("variable", "number", "said"),
    [
        ("REVPLAN_MAX_ROWS", "3", "leads.csv: has more than 3 rows; if it is right, set REVPLAN_MAX_ROWS"),
        ("REVPLAN_MAX_CELLS", "7", "leads.csv: has more than 7 cells; if it is right, set REVPLAN_MAX_CELLS"),
        ("REVPLAN_MAX_COLUMNS", "3", "leads.csv line 5: has more than 3 columns; if it is right, set REVPLAN_MAX_COL"),
    ],
)
def test_a_table_beyond_a_limit_names_it(
    variable: str, number: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "leads.csv"
    path.write_text("id,day\n1,2026-01-01\n2,2026-01-02\n3,2026-01-03\n4,,,,,,,\n", encoding="utf-8")
    monkeypatch.setenv(variable, number)
    assert refused(read_csv, path).startswith(said)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_are_counted_as_before_whatever_ends_them(end: str, tmp_path: Path) -> None:
    path = tmp_path / "leads.csv"
    path.write_bytes(end.join(["id,day", '1,"a', 'b"', "", "2,c", "3"]).encode())
    assert "leads.csv line 6: has 1 values" in refused(read_csv, path)


def test_a_table_that_takes_too_long_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "SECONDS", files.Limit("REVPLAN_MAX_SECONDS", -1, "seconds"))
    rows = ([1] for _ in range(10**9))
    assert "leads: takes longer to read than" in refused(lambda: list(within_limits(rows, "leads")))


# --- workbooks -------------------------------------------------------------------------------------------------

SHEET = (
    '<?xml version="1.0"?><worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main">{}</worksheet>'
)
ROW = '<row r="{0}"><c r="A{0}" t="inlineStr"><is><t>{1}</t></is></c></row>'


@pytest.fixture
def workbook(tmp_path: Path) -> Path:
    """A workbook of one sheet, whose content a test replaces."""
    import openpyxl

    book = openpyxl.Workbook()
    book.active["A1"] = "id"
    book.save(tmp_path / "plain.xlsx")
    return tmp_path / "plain.xlsx"


def with_sheet(book: Path, content: str) -> Path:
    """The workbook with another content of its only sheet."""
    path = book.with_name("odd.xlsx")
    with zipfile.ZipFile(book) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, SHEET.format(content) if name == "xl/worksheets/sheet1.xml" else old.read(name))
    return path


def test_a_row_far_below_excels_last_is_not_waited_for(workbook: Path) -> None:
    rows = ROW.format(1, "id") + ROW.format(2_000_000_000, "x")
    path = with_sheet(workbook, f"<sheetData>{rows}</sheetData>")
    assert path.stat().st_size < 8_000
    assert refused(read_excel, path, None) == "odd.xlsx: has more than 1,048,576 rows"


def test_styles_out_to_the_last_column_are_counted(workbook: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REVPLAN_MAX_CELLS", "100_000")
    rows = "".join(f'<row r="{row}"><c r="XFD{row}" s="0"/></row>' for row in range(1, 50))
    path = with_sheet(workbook, f"<sheetData>{rows}</sheetData>")
    assert "odd.xlsx: has more than 100,000 cells; if it is right, set REVPLAN_MAX_CELLS" in refused(
        read_excel, path, None
    )


def test_a_cell_that_unpacks_to_hundreds_of_megabytes_is_refused_unopened(workbook: Path) -> None:
    path = with_sheet(workbook, f"<sheetData>{ROW.format(1, 'x' * 301_000_000)}</sheetData>")
    assert path.stat().st_size < 1_000_000
    assert "unpacks to 301 MB, more than 300 MB" in refused(read_excel, path, None)
    assert "unpacks to 301 MB, more than" in refused(read_filled, path)


# --- databases -------------------------------------------------------------------------------------------------


def test_a_small_file_of_many_rows_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "leads.parquet"
    duckdb.execute(f"COPY (SELECT 'a' AS id FROM range(20_000_000)) TO '{path}' (FORMAT parquet)")
    assert path.stat().st_size < 2_000_000
    message = refused(read_parquet, path, lambda _: True)
    assert (
        message
        == "leads.parquet: has more than 5,000,000 rows; if it is right, set REVPLAN_MAX_ROWS to a larger number"
    )


ENDLESS = {
    "counts": ("SELECT count(*) AS id FROM range(100_000_000_000) a, range(1000) b", "takes longer to answer than 2 s"),
    "joins": (
        "SELECT a.range AS id FROM range(10_000_000) a, range(10_000_000) b WHERE a.range + b.range < 0",
        "2 sec",
    ),
    "long text": ("SELECT repeat('x', 250_000_000) AS id FROM range(3)", "takes more than"),
    "long list": ("SELECT list(range) AS id FROM range(10_000_000_000)", "takes "),
    "rows": ("SELECT range AS id FROM range(100_000_000_000)", "has more than 200,000 rows"),
}


@pytest.mark.parametrize("name", ENDLESS)
def test_a_view_or_query_without_end_is_stopped(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    query, said = ENDLESS[name]
    path = tmp_path / "crm.duckdb"
    with duckdb.connect(str(path)) as connection:
        connection.execute("CREATE TABLE one AS SELECT 1 AS id")
        connection.execute(f"CREATE VIEW odd AS {query}")
    if "takes longer" in said or "sec" in said:
        monkeypatch.setenv("REVPLAN_MAX_SECONDS", "2")
    if "takes more than" in said:
        monkeypatch.setenv("REVPLAN_MAX_MEMORY_MB", "300")
    if "rows" in said:
        monkeypatch.setenv("REVPLAN_MAX_ROWS", "200_000")
    assert said in refused(read_duckdb, path, "odd", lambda _: True)
    monkeypatch.setenv("CRM", f"duckdb:///{path}")
    assert said in refused(read_query, "env:CRM", query)
    assert len(read_duckdb(path, "one", lambda _: True).lines) == 1  # what stopped one query leaves the next alone


@pytest.mark.parametrize(("most", "told"), [("600", "381.4 MiB"), ("3000", "1.8 GiB")])
def test_the_memory_that_is_raised_is_raised_in_the_engine_too(
    most: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with duckdb.connect(str(tmp_path / "crm.duckdb")) as connection:
        connection.execute("CREATE TABLE one AS SELECT 1 AS id")
    monkeypatch.setenv("CRM", f"duckdb:///{tmp_path / 'crm.duckdb'}")
    monkeypatch.setenv("REVPLAN_MAX_MEMORY_MB", most)
    assert read_query("env:CRM", "SELECT current_setting('memory_limit') AS id").cells("id")[0] == told


# --- what a message may show -----------------------------------------------------------------------------------


def test_a_file_that_is_not_the_one_described_is_not_shown(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(EXAMPLE, tmp_path / "company"))
    (folder / "leads.csv").write_text("token=s3cret,x\nword\nkey=s3cret\n", encoding="utf-8")
    done = run_here(folder, "check", "plan.yaml")
    assert done.returncode == 2
    assert "s3cret" not in done.stdout + done.stderr
    assert "leads.csv" in done.stderr
