"""Fuzzing of every reader with a seed: no traceback, no hang, no row lost uncounted.

Run: python benchmarks/fuzz_readers.py [--minutes 10] [--seed 1]

Every round makes a table of records or a roster as some system would write it (encoding,
separator, days, amounts, titles, groups, totals, footers), spoils it (bytes, rows, quotes, cells), and reads it as text,
Excel, Parquet or DuckDB. A reader may answer with a DataError and nothing else; rows read are rows kept plus rows set
aside; and no round takes longer than a minute. The first rounds that break this are printed with their number, so that
`--seed` with `--only NUMBER` makes them again; the exit code says whether there were any.
"""

from __future__ import annotations

import argparse
import csv
import io
import shutil
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from datetime import date, timedelta
from pathlib import Path
from random import Random
from types import FrameType

import duckdb
import openpyxl

from revplan.crm.answer import check_crm
from revplan.crm.cells import ImportLine
from revplan.crm.draft import drafted
from revplan.crm.plan_tables import read_roster
from revplan.crm.records import read_records
from revplan.ground.errors import RevplanError
from revplan.ground.tablefile import TableFile

TODAY = date(2026, 11, 28)
LONGEST = 60  # seconds that a round may take
SHOWN = 5
ENCODINGS = ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252", "cp1251", "cp1250", "mac_roman", "cp850", "utf-32"]
NAMES = ["Müller", "Café", "Web", "web ", "We\u0301b", "Łódź", "Сделка", "東京", "a\u200bb", "Total Energies", "Sum", "Ann (3)",
         "x;y", 'q"q', "line\nbreak", "=1+1", "NULL", "--", "", "all", "\u00a0", "Stage: New", "\ufeffid", "\x07", "-"]  # fmt: skip
DAYS = ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%y", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S.000Z", "%d %b %Y", "%B %d, %Y %I:%M %p",
        "epoch_ms", "epoch_s", "excel_serial", "%Y%m%d", "%b %Y", "%Y-%m", "%Y-%m-%dT%H:%M:%S+0200"]  # fmt: skip
AMOUNTS: list[Callable[[float], str]] = [
    lambda x: f"{x:.2f}",
    lambda x: f"{x:,.2f}",
    lambda x: f"{x:,.2f}".replace(",", "'"),
    lambda x: f"{x:,.2f}".translate({44: ".", 46: ","}),
    lambda x: f"{x:,.0f}".replace(",", "."),
    lambda x: f"({x:,.0f})",
    lambda x: f"{x:,.2f} €".replace(",", "\u202f"),
    lambda x: f"${x / 1000:.1f}K",
    lambda x: f"{x:.0f}-",
    lambda x: f"{x:e}",
    lambda x: str(x),
]
ODD = ["", "-", "n/a", "soon", "0", "1e400", "9" * 400, "-1", "50%", "9999-12-31", "1900-01-01", "0000-00-00", "31.02.2026", "２０２６-01-01",
       "2026-01-01T25:00", "٣", "½", "1.200", "1,2,3", "USD", "€", "(", "−5", "1e5", "nan", "inf", "0x10", "true", "\x00", "5 Foo 2026"]  # fmt: skip
CRMS = {
    "wide": "format: wide\nfiles: {d: {path: FILE, id: id}}\nstages: {lead: d.created, sql: d.sql, won: d.won}\nlost: d.lost\n"
    "source: d.source\namount: d.amount\n",
    "history": "format: history\npath: FILE\nid: id\nat: created\nvalue: source\nstages: {lead: Web, won: Café}\nlost: Müller\n",
    "preset": "preset: table\nfiles: {d: {path: FILE}}\n",
}
KEYS = ["date_format: '%d.%m.%Y'\n", "date_format: '%m/%d/%Y'\n", "decimal: ','\n", "decimal: '.'\n", "timezone: America/New_York\n",
        "bad_values: set_aside\n", "merge_labels: true\n", "duplicates: newest\nmodified: d.won\n", "only: {d.source: [Web]}\n", "currency: EUR\n",
        "outcome: first\n"]  # fmt: skip
HEADERS = {
    "records": ["id", "created", "sql", "won", "lost", "source", "amount"],
    "roster": ["Rep ID", "Role", "Hire Date", "Termination Date", "Quota", "Seat type"],
}


class TooLongError(Exception):
    """A round that takes longer than a minute."""


def day(random: Random, written: str) -> str:
    """A day of the last years, as a column writes its days."""
    at = date(2024, 1, 1) + timedelta(days=random.randrange(1000))
    seconds = (at - date(1970, 1, 1)).days * 86400 + random.randrange(86400)
    if written in ("epoch_ms", "epoch_s"):
        return str(seconds * (1000 if written == "epoch_ms" else 1))
    return str((at - date(1899, 12, 30)).days) if written == "excel_serial" else at.strftime(written)


def table(random: Random, kind: str, style: str) -> list[list[str]]:
    """Rows of a kind of table under its header, some cells odd."""
    header = list(HEADERS[kind])
    dayish = [style if random.random() < 0.95 else random.choice(DAYS) for _ in header]
    amount, odd = random.choice(AMOUNTS), random.choice([0, 0, 0, 0.01, 0.1])
    words = {
        "Interval": ["month", "year", "3 months", "yearly"],
        "Status": ["active", "trialing"],
        "Currency code": ["EUR", "USD"],
    }
    if random.random() < 0.7:
        words["Currency code"] = ["EUR"]

    def cell(number: int, name: str) -> str:
        if random.random() < odd:
            return random.choice(ODD)
        if name in ("id", "Rep ID", "Customer ID"):
            return random.choice(
                [
                    str(random.randrange(10**6)) if random.random() < 0.97 else str(random.randrange(9)),
                    f"00{random.randrange(10**6)}",
                    f"{random.randrange(10**6)}.0",
                ]
            )
        if name in ("created", "sql", "won", "lost", "Month") or "Date" in name or "Ended" in name:
            return day(random, dayish[number]) if random.random() < 0.8 or number < 2 else ""
        if name in ("amount", "Cost", "Quota", "Amount"):
            return amount(random.choice([1, 12.5, 950, 1200, 12500, 1e6]) * random.random())
        return random.choice(words.get(name, NAMES)) if name != "Quantity" else str(random.randrange(5))

    rows = [
        [cell(*each) for each in enumerate(header)] for _ in range(random.choice([0, 1, 3, 20, 20, 60, 120, 120, 120]))
    ]
    order = random.sample(range(len(header)), len(header)) if random.random() < 0.3 else list(range(len(header)))
    return framed_in(random, [[row[place] for place in order] for row in [header, *rows]])


def framed_in(random: Random, rows: list[list[str]]) -> list[list[str]]:
    """`rows` with what reports put around them: titles, groups, subtotals, totals, footers."""
    width = len(rows[0])
    empty = [""] * (width - 1)
    if random.random() < 0.3:
        for _ in range(random.randrange(1, 5)):
            rows.insert(random.randrange(1, len(rows) + 1), random.choice([["Subtotal", *empty], ["Total", *empty], ["Ann (3 records)", *empty],
                        ["", *empty[1:], "12,345.00"] if width > 1 else [""], rows[0], ["Total: Campaigns", *(["--"] * (width - 1))]]))  # fmt: skip
    if random.random() < 0.3:
        rows = [["A report of the year", *empty], ["January 1, 2026 - January 31, 2026", *empty], [""] * width, *rows]
    if random.random() < 0.3:
        rows += [["Total", *empty[:-1], "123"], [""] * width, ["Confidential", *empty]]
    return rows


def spoilt(random: Random, raw: bytes) -> bytes:
    """`raw` with some bytes changed, taken out or put in."""
    for _ in range(random.choice([0, 0, 0, 0, 1, 2, 8])):
        at = random.randrange(len(raw) + 1)
        piece = random.choice(
            [
                b"\x00",
                b"\xff",
                b'"',
                b"\n",
                b"\r",
                b";",
                b",",
                b"\xfc",
                random.randbytes(3),
                raw[at : at + 40] * 2,
                b"\xef\xbb\xbf",
            ]
        )
        raw = raw[:at] + piece + raw[at + random.choice([0, 0, 1, 5]) :]
    return raw


def written(random: Random, rows: list[list[str]], path: Path) -> None:
    """The table in a file, as text, Excel, Parquet or DuckDB."""
    form = random.choice(["text"] * 6 + ["excel", "parquet", "duckdb"])
    if form == "text":
        text = io.StringIO()
        csv.writer(
            text,
            delimiter=random.choice(",,;\t|"),
            quoting=random.choice([0, 0, 1]),
            lineterminator=random.choice(["\n", "\r\n"]),
        ).writerows(rows)
        path.write_bytes(spoilt(random, text.getvalue().encode(random.choice([*["utf-8"] * 8, *ENCODINGS]), "replace")))
    elif form == "excel":
        workbook = openpyxl.Workbook()
        for row in rows:
            cells = [openpyxl.cell.cell.ILLEGAL_CHARACTERS_RE.sub("", each) for each in row]
            workbook.active.append([_typed(random, each) for each in cells])
        workbook.save(path)
        path.write_bytes(spoilt(random, path.read_bytes()) if random.random() < 0.2 else path.read_bytes())
    else:
        width = len(rows[0])
        path.unlink(missing_ok=True)
        with duckdb.connect(":memory:" if form == "parquet" else str(path)) as connection:
            names = list(dict.fromkeys(f"{each or 'x'}" for each in rows[0]))
            names += [f"c{number}" for number in range(width - len(names))]
            columns = ", ".join('"' + each.replace('"', '""') + '" VARCHAR' for each in names)
            connection.execute(f"CREATE TABLE t ({columns})")
            for row in rows[1:]:
                connection.execute(f"INSERT INTO t VALUES ({', '.join('?' * width)})", (row + [""] * width)[:width])
            if form == "parquet":
                connection.execute(f"COPY t TO '{path}' (FORMAT parquet)")


def _typed(random: Random, text: str) -> object:
    """A cell of Excel: a day or a number where the text is one, or the text."""
    if random.random() < 0.3:
        return text or None
    try:
        return date.fromisoformat(text)
    except ValueError:
        pass
    try:
        return float(text) if abs(float(text)) < 1e15 else text
    except ValueError:
        return None if text == "" or text.startswith("=") else text


def uncounted(report: Iterable[ImportLine]) -> dict[str, tuple[int, int]]:
    """The parts of an import report whose rows read are not those kept and set aside."""
    parts: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for line in report:
        if line.what == "rows read":
            parts[line.part][0] += line.count
        elif line.what.startswith(("rows kept", "set aside")) and line.part != "records":
            parts[line.part][1] += line.count
    return {part: (read, other) for part, (read, other) in parts.items() if read != other}


def one(random: Random, folder: Path) -> str:
    """One round; what came of it, in a word."""
    kind = random.choice(["records"] * 5 + ["roster", "draft"])
    path = folder / random.choice(["data.csv", "data.xlsx", "Daten 2026.txt"])
    style = random.choice(DAYS)
    written(random, table(random, "records" if kind == "draft" else kind, style), path)
    said = {"date_format": style} if "%" in style and style[:2] != "%Y" and random.random() < 0.8 else {}
    try:
        READERS[kind](random, path, said)
    except RevplanError as error:
        if not error.faults or not all(fault.message for fault in error.faults):
            raise AssertionError("a refusal without a message") from error
        if isinstance(error.__context__, SLIPS):
            raise AssertionError("a fault of the reader posing as one of the file") from error.__context__
        return f"{kind} refused"
    return f"{kind} read"


SLIPS = (
    TypeError,
    KeyError,
    IndexError,
    AttributeError,
    NameError,
    AssertionError,
    ArithmeticError,
    RecursionError,
    Warning,
)
"""What no file may raise, even where a reader turns it into a refusal."""


def records(random: Random, path: Path, said: dict[str, str]) -> None:
    """Records read and checked, every row accounted for."""
    crm = random.choice(list(CRMS.values())).replace("FILE", f"'{path.name}'")
    keys = random.sample(KEYS, random.choice([0, 0, 0, 1, 2]))
    if said and not any(key.startswith("date_format") for key in keys):
        keys.append(f"date_format: '{said['date_format']}'\n")
    crm_file = path.with_name("crm.yaml")
    crm_file.write_text(crm + "".join(keys), encoding="utf-8")
    history = read_records(crm_file, today=TODAY)
    if wrong := uncounted(history.report):
        raise AssertionError(f"rows read and rows accounted for differ: {wrong}")
    check_crm(crm_file, today=TODAY)


def roster(_: Random, path: Path, said: dict[str, str]) -> None:
    """A roster, every row accounted for."""
    sheet = read_roster(TableFile.model_validate({"path": path.name, **said}), path.parent)
    aside = sum(line.count for line in sheet.found.lines if line.what.startswith("set aside"))
    read = next(line.count for line in sheet.found.lines if line.what == "rows read")
    if read != aside + len(sheet.sound()):
        raise AssertionError(f"{read} rows read, {aside} set aside, {len(sheet.table)} kept")


def draft(_: Random, path: Path, __: dict[str, str]) -> None:
    """A CRM file drafted from the table."""
    drafted([path], [path.name])


READERS = {"records": records, "roster": roster, "draft": draft}


def main() -> int:
    """Rounds for the stated time; 1 where one of them broke a promise."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="make this round alone, and keep its files")
    given = parser.parse_args()
    warnings.simplefilter("error")
    signal.signal(signal.SIGALRM, _too_long)
    began, number, broken, came = time.process_time(), given.only or 0, [], Counter[str]()
    slowest = (0.0, 0)
    while not broken[SHOWN:] and time.process_time() - began < given.minutes * 60:
        folder = Path(tempfile.mkdtemp(prefix="fuzz-readers-"))
        start = time.process_time()
        signal.alarm(LONGEST)
        try:
            came[one(Random(f"{given.seed} {number}"), folder)] += 1
        except Exception:  # what a reader must never raise
            broken.append(number)
            print(f"--- round {number}\n{traceback.format_exc()}", file=sys.stderr)
        signal.alarm(0)
        slowest = max(slowest, (time.process_time() - start, number))
        if given.only is not None:
            print(folder)
            break
        shutil.rmtree(folder)
        number += 1
    print(
        f"{sum(came.values()) + len(broken):,} rounds, {len(broken)} broken; slowest {slowest[0]:.1f} s (round {slowest[1]})"
    )
    print(", ".join(f"{what} {count:,}" for what, count in sorted(came.items())))
    return int(bool(broken))


def _too_long(number: int, frame: FrameType | None) -> None:
    raise TooLongError(f"a round takes longer than {LONGEST} seconds")


if __name__ == "__main__":
    sys.exit(main())
