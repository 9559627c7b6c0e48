"""Coverage-guided fuzzing of the CRM import: no traceback reaches a user, and no row is lost uncounted.

Run: python benchmarks/fuzz_import.py [--seconds 300] [--corpus DIR] [--seed 1]

Needs atheris (github.com/google/atheris), which is no dependency of the project: pip install atheris.
Every input is a CRM file with its files: text, Excel, Parquet and DuckDB, wide, history and the presets,
made of pieces that occur in exports and of raw bytes. It stops at the first input that raises anything but
DataError or breaks rows read = kept + set aside, prints it, and leaves it in the folder it names.
"""

from __future__ import annotations

import argparse
import contextlib
import csv
import io
import sys
import tempfile
import warnings
from collections import defaultdict
from pathlib import Path
from random import Random
from typing import Any

try:
    import atheris
except ImportError:
    sys.exit("fuzz_import: atheris is not installed: pip install atheris")

with atheris.instrument_imports(include=["revplan"]):
    from revplan.crm.records import read_records
    from revplan.ground.errors import DataError

import duckdb
import openpyxl

HEADERS = {
    "leads": ["id", "created", "sql", "lost", "source", "amount", "stage", "merged", "chance"],
    "deals": ["lead", "won", "amount", "is_won", "product"],
    "log": ["id", "at", "field", "value"],
    "sf_lead": ["Id", "CreatedDate", "ConvertedDate", "IsConverted", "ConvertedOpportunityId", "Status", "LeadSource"],
    "sf_opp": ["id", "created_date", "close_date", "is_won", "is_closed", "stage_name", "amount", "probability"],
    "sf_log": ["LeadId", "CreatedDate", "Field", "OldValue", "NewValue"],
    "hs_contacts": ["Record ID", "Create Date", "Became a Lead Date", "Became a Customer Date", "Original Source"],
    "hs_deals": ["Record ID", "Deal Stage", "Create Date", "Close Date", 'Date entered "Closed Won (P)"', "Amount"],
    "hs_log": ["deal_id", "date_entered", "value"],
    "hs_stages": ["stage_id", "closed_won", "is_closed"],
}
CELLS = [
    *["", "1", "2", "3", " 2 ", "00123", "1E5", "1;2", "O1", "2026-01-01", "2026-01-09 13:51:03", "2026-02-30"],
    *["9999-12-31", "15 Apr, 2021 00:03:00", "May-20", "01.02.2026", "Select", "NULL", "web", "Web", " web", "all"],
    *["true", "TRUE", "false", "New", "MQL", "Won", "Closed Won", "closedwon", "Lost", "Status", "1,200", "$1,117.10K"],
    *["(7)", "1.200,50", "1e309", "nan", "=1+1", "=cmd|x", "\x07", "é", "a,b;c", 'x"y', "line\nbreak", "65 %", "1000"],
]
CRMS = [
    """format: wide
files: {leads: {path: leads, id: id}, deals: {path: deals, id: lead}}
stages: {lead: leads.created, sql: leads.sql, won: {at: deals.won, where: {deals.is_won: true}}}
lost: {at: leads.lost, field: leads.stage, is: [Lost, Dead]}
source: leads.source
product: deals.product
amount: deals.amount
probability: leads.chance
merged: leads.merged
expected: {source: leads.stage}
""",
    """format: history
path: log
id: id
at: at
field: field
is: Status
value: value
stages: {lead: {at: records.created}, sql: [MQL, New], won: [Won, Closed Won]}
lost: Lost
records: {path: leads, id: id}
source: records.source
merge_labels: true
""",
    "format: history\npath: log\nid: id\nat: at\nvalue: value\nstages: {lead: New, won: Won}\n",
    "preset: salesforce\nfiles: {leads: {path: sf_lead}, opps: {path: sf_opp}}\n",
    "preset: salesforce\nfiles: {leads: {path: sf_lead}, log: {path: sf_log}}\n",
    "preset: salesforce\nfiles: {opps: {path: sf_opp}}\nexpected: {source: opps.stage_name}\n",
    "preset: hubspot\nfiles: {c: {path: hs_contacts}, d: {path: hs_deals}}\n",
    "preset: hubspot\nfiles: {d: {path: hs_deals}, l: {path: hs_log}, s: {path: hs_stages}}\n",
]
PIECES = [
    *["date_format: '%d.%m.%Y'\n", "decimal: ','\n", "merge_labels: true\n", "segment: leads.source\n", "files: {}\n"],
    *["stages: {a: leads.created, b: leads.sql}\n", "lost: {at: leads.lost}\n", "&a ", "*a", "!!python/name:os ", "~"],
    *[
        "sheet: x",
        "table: t",
        "sql: select 1",
        "url: env:HOME",
        "{",
        "}",
        "[",
        "]",
        ": ",
        "- ",
        "\n",
        "\t",
        "0x",
        "records.",
    ],
]
DAYS = ["", "2026-01-01", "2026-01-09 13:51:03", "2026-02-03", "2025-12-31T23:59:59Z", "9999-12-31", "Jan 5, 2026"]
PLAUSIBLE = {  # part of a header -> cells that can be read, so that the steps after the reading are reached too
    "id": ["1", "2", "3", "4", "5", " 2 ", "", "O1", "O2"],
    "lead": ["1", "2", "3", "7", ""],
    "amount": ["", "5", "1,200", "$1,117.10K", "(7)", "24120000"],
    "is": ["true", "TRUE", "false", ""],
    "closed_won": ["true", "FALSE"],
    **dict.fromkeys(["date", "created", "sql", "lost", "won", "at"], DAYS),
    "field": ["Status", "Owner", "status"],
    "value": ["New", "MQL", "Won", "Closed Won", "Lost", "Unqualified", "closedwon", "Nurture"],
    "stage": ["Lost", "Won", "Closed Won", "closedwon", "Closed Lost", "Open"],
}
NOT_OF_A_FILE = "no stage entered"  # a line about records, not about the rows of a file
SEEDS = 200
SEPARATORS = [",", ";", "\t", "|"]


def world(data: Any) -> dict[str, bytes | list[list[str]]]:
    """File name -> its bytes, or the rows of a table to be written in some format; `crm.yaml` among them."""
    crm = data.PickValueInList(CRMS)
    if data.ConsumeIntInRange(0, 3) == 0:
        crm = _spoilt(data, crm)
    files: dict[str, bytes | list[list[str]]] = {"crm.yaml": crm.encode("utf-8", "replace")}
    for name, header in HEADERS.items():
        if f"path: {name}" in crm:
            files[name] = _table(data, header)
    return files


def _spoilt(data: Any, text: str) -> str:
    for _ in range(data.ConsumeIntInRange(1, 4)):
        at = data.ConsumeIntInRange(0, len(text))
        until = min(len(text), at + data.ConsumeIntInRange(0, 8))
        piece = data.PickValueInList(PIECES) if data.ConsumeBool() else data.ConsumeUnicodeNoSurrogates(6)
        text = text[:at] + piece + text[until:]
    return text


def _table(data: Any, header: list[str]) -> bytes | list[list[str]]:
    kind = data.ConsumeIntInRange(0, 9)
    if kind == 0:
        return data.ConsumeBytes(data.ConsumeIntInRange(0, 200))
    spoilt = data.ConsumeIntInRange(0, 3) == 0
    cells = [CELLS if spoilt else _plausible(column) for column in header]
    rows = [header]
    rows += [[data.PickValueInList(each) for each in cells] for _ in range(data.ConsumeIntInRange(0, 30))]
    if kind == 1:
        encoding = data.PickValueInList(["utf-8", "utf-16", "cp1252", "utf-8-sig"])
        raw = _as_csv(rows, data.PickValueInList(SEPARATORS)).encode(encoding, "replace")
        at = data.ConsumeIntInRange(0, len(raw))
        return raw[:at] + data.ConsumeBytes(data.ConsumeIntInRange(0, 12)) + raw[at:]
    return rows if kind == 2 else _as_csv(rows, ",").encode("utf-8", "replace")


def _plausible(column: str) -> list[str]:
    name = column.casefold()
    return next((cells for part, cells in PLAUSIBLE.items() if name == part or part in name.split("_")), None) or next(
        (cells for part, cells in PLAUSIBLE.items() if part in name), ["web", "Web", "fair", "Select", "", "May-20"]
    )


def _as_csv(rows: list[list[str]], separator: str) -> str:
    text = io.StringIO()
    csv.writer(text, delimiter=separator).writerows(rows)
    return text.getvalue()


def write(folder: Path, files: dict[str, bytes | list[list[str]]], form: int) -> None:
    """The files in `folder`; tables as Excel, Parquet or DuckDB."""
    for name, content in files.items():
        if isinstance(content, bytes):
            (folder / name).write_bytes(content)
        elif form == 0:
            _as_excel(folder / name, content)
        else:
            _as_database(folder / name, content, form == 1)


def _as_excel(path: Path, rows: list[list[str]]) -> None:
    workbook = openpyxl.Workbook()
    for row in rows:
        with contextlib.suppress(openpyxl.utils.exceptions.IllegalCharacterError):
            workbook.active.append([int(cell) if cell.isdecimal() and cell.isascii() else cell or None for cell in row])
    workbook.save(path)


def _as_database(path: Path, rows: list[list[str]], parquet: bool) -> None:
    target = ":memory:" if parquet else str(path)
    with duckdb.connect(target) as connection:
        columns = ", ".join('"' + column.replace('"', '""') + '" VARCHAR' for column in rows[0])
        connection.execute(f"CREATE TABLE t ({columns})")
        for row in rows[1:]:
            connection.execute(f"INSERT INTO t VALUES ({', '.join('?' * len(row))})", row)
        if parquet:
            connection.execute(f"COPY t TO '{path}' (FORMAT parquet)")


def check(path: Path) -> None:
    """The import of `path` is refused with a message, or has counted every row."""
    try:
        history = read_records(path)
    except DataError as error:
        if not all(fault.message for fault in error.faults) or not error.faults:
            raise AssertionError("a DataError without a message") from error
        return
    parts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for line in history.report:
        if line.what == "rows read":
            parts[line.part][0] += line.count
        elif line.what.startswith(("rows kept", "set aside")) and NOT_OF_A_FILE not in line.what:
            parts[line.part][1] += line.count
    lost = {part: counts for part, counts in parts.items() if counts[0] != counts[1]}
    if lost:
        raise AssertionError(f"rows read and rows accounted for differ: {lost}")


def one_input(raw: bytes) -> None:
    """What atheris calls with every input."""
    data = atheris.FuzzedDataProvider(raw)
    form = data.ConsumeIntInRange(0, 2)
    files = world(data)
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), files, form)
        try:
            check(Path(name) / "crm.yaml")
        except Exception:
            for file, content in files.items():
                print(f"--- {file} (form {form})\n{content!r}", file=sys.stderr)
            raise


def main() -> None:
    """Fuzz for the stated time."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=300)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--corpus", type=Path, help="a folder that keeps the inputs that reached new code")
    given = parser.parse_args()
    warnings.simplefilter("error")  # as in the tests: a warning is a fault
    options = [f"-max_total_time={given.seconds}", f"-seed={given.seed}", "-max_len=2048", "-len_control=0"]
    findings = Path(tempfile.mkdtemp(prefix="fuzz-import-"))
    print(f"findings go to {findings}", file=sys.stderr)
    corpus = given.corpus or findings / "corpus"
    corpus.mkdir(exist_ok=True)
    random = Random(given.seed)
    for number in range(SEEDS):  # long inputs to begin with: short ones are files without rows
        (corpus / f"seed-{number}").write_bytes(random.randbytes(random.randrange(200, 2000)))
    arguments = [*options, "-print_final_stats=1", f"-artifact_prefix={findings}/", str(corpus)]
    atheris.Setup([sys.argv[0], *arguments], one_input)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
