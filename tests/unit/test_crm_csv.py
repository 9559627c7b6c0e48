"""The CSV reader: what it understands it reports, what it does not is a fault with its place."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import pytest

from revplan.crm import separated, text_table
from revplan.crm.records import read_records
from revplan.crm.separated import read_csv
from revplan.crm.text_table import TextTable
from revplan.ground.errors import DataError


def written(tmp_path: Path, content: bytes | str) -> Path:
    path = tmp_path / "leads.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def faults(tmp_path: Path, content: bytes | str) -> list[str]:
    with pytest.raises(DataError) as caught:
        read_csv(written(tmp_path, content))
    return [str(fault) for fault in caught.value.faults]


def rows_of(table: TextTable) -> list[tuple[str, ...]]:
    """The header and the rows below it."""
    return [table.header, *zip(*(table.cells(column) for column in table.header), strict=True)]


TEXT = "id,name\n1,Müller\n2,Ørsted\n"


@pytest.mark.parametrize(
    ("raw", "encoding"),
    [
        (TEXT.encode("utf-8"), "utf-8"),
        (TEXT.encode("utf-8-sig"), "utf-8-sig"),
        (TEXT.encode("utf-16"), "utf-16"),
        (b"\xfe\xff" + TEXT.encode("utf-16-be"), "utf-16"),
        (TEXT.encode("utf-16-le"), "utf-16-le"),
        (TEXT.encode("utf-16-be"), "utf-16-be"),
        (TEXT.encode("cp1252"), "cp1252"),
    ],
)
def test_encoding_is_found_and_told(tmp_path: Path, raw: bytes, encoding: str) -> None:
    table = read_csv(written(tmp_path, raw))
    assert table.how == f"{encoding}, separated by comma"
    assert table.header == ("id", "name")
    assert [*table.cells("name")] == ["Müller", "Ørsted"]
    assert encoding in table.report("leads")[0].example


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separator_is_found_in_the_header(tmp_path: Path, separator: str) -> None:
    table = read_csv(written(tmp_path, separator.join(["id", '"a,b;c"', "day"]) + "\n" + separator.join("123") + "\n"))
    assert (table.separator, table.header) == (separator, ("id", "a,b;c", "day"))


def test_a_first_line_may_name_the_separator(tmp_path: Path) -> None:
    table = read_csv(written(tmp_path, "sep=;\r\nid;day\r\n1;2\r\n"))
    assert (table.separator, rows_of(table), [*table.lines]) == (";", [("id", "day"), ("1", "2")], [3])


def test_lines_are_those_of_the_file_also_after_cells_of_several_lines(tmp_path: Path) -> None:
    table = read_csv(written(tmp_path, 'id,note\n1,"two\nlines"\n\n2,x\n,\n3,y\n'))
    assert rows_of(table) == [("id", "note"), ("1", "two\nlines"), ("2", "x"), ("3", "y")]
    assert [*table.lines] == [2, 5, 7]
    assert table.blank == 2  # line 4 is empty, line 6 holds a lone separator
    assert [(line.what, line.count) for line in table.report("leads")] == [
        ("rows read", 5),
        ("set aside: rows without any value", 2),
    ]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
def test_any_line_ending_is_read(tmp_path: Path, ending: str) -> None:
    table = read_csv(written(tmp_path, ending.join(["a,b", "1,2", "3,4", ""])))
    assert rows_of(table) == [("a", "b"), ("1", "2"), ("3", "4")]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "leads.csv: is empty; export it again, with a header row"),
        ("\n\n  \n", "leads.csv: is empty; export it again, with a header row"),
        ("id,day\n", "leads.csv line 1: has a header but no rows; export the file again"),
        (b"PK\x03\x04rest", "leads.csv: is an Excel workbook (or another zip file), whatever its name says"),
        (b"\xd0\xcf\x11\xe0rest", "leads.csv: is an old Excel workbook, whatever its name says"),
        ("\n <!DOCTYPE html><html>", "leads.csv line 1: is a web page, not a table"),
        ("<table><tr>", "leads.csv line 1: is a web page, not a table"),
        (b"\xff\xfei\0d\0\n", "leads.csv line 1: byte 0x0a is not utf-16, as its first bytes say"),
        ('id,day\n1,2\n3,"4\n5,6\n', "leads.csv line 3: a quote that opens in this row is never closed"),
        (
            'id,day\n1,"2"x\n',
            'leads.csv line 2: has text after a closing quote; a quote inside a value must be doubled ("")',
        ),
        ("id,day,id\n1,2,3\n", "leads.csv line 1: column 'id' stands there more than once (columns 1, 3)"),
        ("id,day\n1,2\n1,2,3\n", "leads.csv line 3: has 3 values where the header has 2 columns (1,2,3)"),
        ("id,day\n1\n", "leads.csv line 2: has 1 values where the header has 2 columns (1)"),
    ],
)
def test_what_is_no_sound_table_is_refused_with_its_line(tmp_path: Path, content: bytes | str, message: str) -> None:
    (fault,) = faults(tmp_path, content)
    assert fault.startswith(message)


def test_all_kinds_of_fault_come_at_once_three_of_each_and_a_count(tmp_path: Path) -> None:
    found = faults(tmp_path, "id,id\n" + "1,2\n" + "1,2,3\n" * 6)
    assert [fault.split(":")[0] for fault in found] == [
        "leads.csv line 1",
        *(f"leads.csv line {n}" for n in (3, 4, 5, 5)),
    ]
    assert found[-1] == "leads.csv line 5: and 3 more rows of another length than the header"


def test_values_shown_are_cut_and_made_printable(tmp_path: Path) -> None:
    (fault,) = faults(tmp_path, "id,day\n1,2," + "x" * 500 + "\x07\n")
    assert "x" * 40 in fault
    assert "x" * 61 not in fault
    assert "\x07" not in fault


def test_a_missing_file_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.csv: cannot be read \(No such file or directory\)"):
        read_csv(tmp_path / "none.csv")


REPORT = """\
Deals of the year
Generated by Ann

id,owner,created,amount
1,Ann,2026-01-01,5
2,,2026-01-02,6
Subtotal,,,11
3,Bob,2026-01-03,7
Total,,,18

Confidential
"""


def test_a_character_cut_in_two_is_counted_byte_by_byte(tmp_path: Path) -> None:
    raw = "id,source\na,Müller\nb,Łódź\nc,".encode() + b"\xe2\x82x\n"  # two of the euro sign's three bytes
    table = read_csv(written(tmp_path, raw))
    assert [*table.cells("source")] == ["Müller", "Łódź", "â‚x"]
    assert any(
        "read as cp1252; correct them where they come from: 2 (line 4: 0xe2 as â)" in line for line in told(table)
    )


def test_titles_totals_and_footers_are_no_records(tmp_path: Path) -> None:
    table = read_csv(written(tmp_path, REPORT))
    assert [*table.columns["id"]] == ["1", "2", "3"]
    assert [*table.lines] == [5, 6, 8]
    assert [(line.what, line.count) for line in table.report("deals")] == [
        ("rows read", 10),
        ("set aside: rows without any value", 2),
        ("set aside: rows above the header", 2),
        ("set aside: rows below the table", 1),
        ("set aside: rows of totals", 2),
    ]


def test_rows_of_one_cell_each_are_rows_where_no_other_row_is_above_them(tmp_path: Path) -> None:
    table = read_csv(written(tmp_path, "id,created,amount,note\n1,,,\n2,,,\n"))
    assert [*table.columns["id"]] == ["1", "2"]
    assert table.aside == ()


@pytest.mark.parametrize("name", ["Total", "Summe", "Sum"])
def test_a_company_called_total_is_a_record(tmp_path: Path, name: str) -> None:
    rows = f"1,2026-01-01,5,a\n{name},2026-01-02,6,b\n3,2026-01-03,7,c\n"
    table = read_csv(written(tmp_path, f"company,created,amount,note\n{rows}"))
    assert [*table.columns["company"]] == ["1", name, "3"]
    assert table.aside == ()


def test_the_header_can_be_named(tmp_path: Path) -> None:
    text = "a,b,c\nid,created,amount\n1,2026-01-01,5\n"
    assert read_csv(written(tmp_path, text)).header == ("a", "b", "c")
    table = read_csv(written(tmp_path, text), None, 2)
    assert (table.header, [*table.lines]) == (("id", "created", "amount"), [3])


def test_labels_of_groups_are_filled_down(tmp_path: Path) -> None:
    text = "owner,id,created,amount\nAnn,1,2026-01-01,5\n,2,2026-01-02,6\n,3,2026-01-02,6\nSubtotal,,,17\nBob,4,2026-01-03,7\n,5,2026-01-03,7\n,6,2026-01-03,7\nTotal,,,38\n"
    table = read_csv(written(tmp_path, text))
    assert [*table.columns["owner"]] == ["Ann", "Ann", "Ann", "Bob", "Bob", "Bob"]
    assert [line.what for line in table.aside] == ["set aside: rows of totals", "labels of groups filled down"]


@pytest.mark.parametrize("size", [1, 2, 3, 1000])
def test_a_file_cut_into_pieces_is_the_file(size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces of a few characters: blank rows, cells of several lines and odd rows keep their lines."""
    monkeypatch.setattr(separated, "PIECE", size)
    table = read_csv(written(tmp_path, '\n \n,\nid,note\n1,"two\r\nlines\nmore"\n\n2,x\r\n,\n3,y\n'))
    assert rows_of(table) == [("id", "note"), ("1", "two\r\nlines\nmore"), ("2", "x"), ("3", "y")]
    assert ([*table.lines], table.blank) == ([5, 9, 11], 5)
    assert [each.partition(":")[0] for each in faults(tmp_path, 'id,note\n1,"a\nb"\n2\n\n3,4,5\n6,7\n')] == [
        "leads.csv line 4",
        "leads.csv line 6",
    ]
    (fault,) = faults(tmp_path, 'id,note\n1,"a\nb"\n2,3\n4,"5"x\n6,7\n')
    assert fault.startswith("leads.csv line 5: has text after a closing quote")


# --- encodings ------------------------------------------------------------------------------------------------


def told(table: TextTable) -> list[str]:
    return [str(line) for line in table.report("leads")[1:]]


def test_a_stray_byte_never_reads_the_rest_again(tmp_path: Path) -> None:
    raw = "id,name\n1,Café\n2,Zoë\n3,".encode() + b"M\xfcnster\n4,a\x81b\n"
    table = read_csv(written(tmp_path, raw))
    assert [*table.cells("name")] == ["Café", "Zoë", "Münster", "a\ufffdb"]
    assert told(table) == [
        "leads: bytes that are no text in utf-8, read as cp1252; correct them where they come from: 2 (line 4: 0xfc as ü)"
    ]


def test_a_stray_byte_behind_a_mark_is_no_fault(tmp_path: Path) -> None:
    table = read_csv(written(tmp_path, b"\xef\xbb\xbfid,name\n1,M\xfcnster\n"))
    assert ([*table.cells("name")], table.how) == (["Münster"], "utf-8-sig, separated by comma")
    assert "line 2: 0xfc as ü" in told(table)[0]


def test_nul_characters_are_dropped_and_counted(tmp_path: Path) -> None:
    table = read_csv(written(tmp_path, b"id,name\n1,a\0b\n2,c\0\0\n"))
    assert [*table.cells("name")] == ["ab", "c"]
    assert told(table) == ["leads: NUL characters, left out: 3 (line 2)"]
    table = read_csv(written(tmp_path, "id,name\n1,a\0b\n2,é\n".encode("utf-16")))
    assert ([*table.cells("name")], told(table)) == (["ab", "é"], ["leads: NUL characters, left out: 1 (line 2)"])


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("cp1252", ["Müller", "Café", "Østby", "naïve", "50 € – “x”"]),
        ("cp1251", ["Сделка выиграна", "Новая", "Переговоры", "Web"]),
        ("cp1250", ["Łódź", "Gdańsk", "Więcej", "Kraków", "Nowa sprzedaż", "Wrocław"]),
        ("mac_roman", ["Müller", "Café", "Köln", "Zürich", "Jäger"]),
        ("cp850", ["Müller", "Café", "Köln", "Zürich", "Jäger"]),
        ("cp932", ["東京", "ウェブ", "展示会"]),
    ],
)
def test_the_code_page_is_the_one_whose_letters_make_words(tmp_path: Path, page: str, names: list[str]) -> None:
    rows = "".join(f"{number},{name}\n" for number, name in enumerate(names * 3))
    table = read_csv(written(tmp_path, f"id,name\n{rows}".encode(page)))
    assert [*table.cells("name")] == names * 3
    assert table.how == f"{page}, separated by comma"


def test_headers_are_compared_as_they_are_seen(tmp_path: Path) -> None:
    table = read_csv(written(tmp_path, "\u200bid,Pre\u0301nom\u00a0\n1,x\n"))
    assert table.header == ("id", "Prénom")


PIECES = [
    REPORT,
    'id,name,created,won\n1,"two\nlines",2026-01-01,\n\n2,b,2026-01-02,2026-02-01\nid,name,created,won\n3,c,,\n',
    "id,name,created,won\nStage: New,,,\n1,a,2026-01-01,\n2,b,,\nStage: Won,,,\n3,c,,\nTotal,,,\n,,,5\n",
    "a\nid,name\n1,2,3\n4,5\n6\n",
    "id,name\n" + "".join(f"{number},{'abc'[number % 3]}\n" for number in range(50)),
]


@pytest.mark.parametrize("text", PIECES)
@pytest.mark.parametrize(("rows", "at_once"), [(2, 1), (3, 2), (7, 5)])
def test_a_file_that_is_put_into_columns_in_pieces_is_the_same_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, rows: int, at_once: int
) -> None:
    def found() -> object:
        try:
            table = read_csv(written(tmp_path, text))
        except DataError as error:
            return str(error)
        cells = {name: [*table.cells(name)] for name in table.header}
        texts = {name: sorted(set(table.cells(name).different)) for name in table.header}
        return table.header, cells, texts, [*table.lines], table.blank, told(table)

    whole = found()
    monkeypatch.setattr(text_table, "MANY", rows)
    monkeypatch.setattr(separated, "LOOK_EVERY", at_once)
    assert found() == whole


def test_a_large_file_is_never_held_as_rows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = "{0:018d},{1},2025-01-{2:02d},2025-02-{2:02d},,\n"
    text = "".join(row.format(number, "web" if number % 3 else "events", 1 + number % 28) for number in range(50_000))
    path = written(tmp_path, f"id,source,lead,sql,won,lost\n{text}")
    monkeypatch.setenv("REVPLAN_MAX_MB", "4")  # a buffer of the limit is made before a file is read
    tracemalloc.start()
    try:
        assert len(read_csv(path).lines) == 50_000
        assert (
            tracemalloc.get_traced_memory()[1] < 12 * path.stat().st_size
        )  # rows of lists take more than 15 times the file
    finally:
        tracemalloc.stop()


def test_a_number_alone_in_its_row_heads_no_group(tmp_path: Path) -> None:
    (tmp_path / "deals.csv").write_text(
        'id,made,won,amount\n,,,"1,200"\n1,2026-01-01,2026-01-05,\n2,2026-01-02,,\n', encoding="utf-8"
    )
    (tmp_path / "crm.yaml").write_text(
        "format: wide\nfiles: {deals: {path: deals.csv, id: id}}\nstages: {lead: deals.made, won: deals.won}\namount: deals.amount\n",
        encoding="utf-8",
    )
    assert read_records(tmp_path / "crm.yaml").records["amount"].isna().all()
