"""What text cells mean: days, amounts, labels, and the cells that say nothing."""

from __future__ import annotations

import re
import string
from datetime import date
from random import Random

import numpy as np
import pytest

from revplan.crm import cells as read_cells
from revplan.crm import writings
from revplan.crm.cells import Cells, Parsed, TextColumn, Texts, all_visible, amounts, days, labels
from revplan.crm.files import as_keys
from revplan.ground.values import visible


def column(*texts: str) -> Cells:
    return Cells("deals.csv", "x", texts, range(2, 2 + len(texts)))


def lines(parsed: Parsed) -> list[str]:
    return [str(line) for line in parsed.found.lines]


def faults(parsed: Parsed) -> list[str]:
    return [str(fault) for fault in parsed.found.faults]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2018-01-17", "2018-01-17T00:00:00"),
        (" 2018-01-17 ", "2018-01-17T00:00:00"),
        ("2018-01-17 13:51:03", "2018-01-17T13:51:03"),
        ("2018-01-17 6:49:18", "2018-01-17T06:49:18"),
        ("2018-01-17T13:51", "2018-01-17T13:51:00"),
        ("2018-01-17T13:51:03Z", "2018-01-17T13:51:03"),
        ("2018-01-17T13:51:03.000+0000", "2018-01-17T13:51:03"),
        ("2018-01-17T23:51:03-02:00", "2018-01-18T01:51:03"),  # in UTC it is the next day
        ("2020-02-29", "2020-02-29T00:00:00"),
        ("2018-01-17 13:51:03+00", "2018-01-17T13:51:03"),
        ("15 Apr, 2021 00:03:00", "2021-04-15T00:03:00"),
        ("1-may-2021", "2021-05-01T00:00:00"),
        ("Dec 5, 2021", "2021-12-05T00:00:00"),
        ("2026-3-4", "2026-03-04T00:00:00"),
        ("2026/03/04 14:05", "2026-03-04T14:05:00"),
        ("2026.3.4", "2026-03-04T00:00:00"),
        ("2026-03-04 10:00:00,250", "2026-03-04T10:00:00.250"),
        ("2018-01-17 13:51 UTC", "2018-01-17T13:51:00"),
        ("5-Apr-21", "2021-04-05T00:00:00"),
        ("31-DEC-99", "1999-12-31T00:00:00"),
        ("5. März 2026", "2026-03-05T00:00:00"),
        ("5 févr. 2026 14:05", "2026-02-05T14:05:00"),
        ("5 de abril de 2026", "2026-04-05T00:00:00"),
        ("Thu, 5 Mar 2026", "2026-03-05T00:00:00"),
        ("March 5th, 2026 2:05 PM", "2026-03-05T14:05:00"),
        ("Mar 5, 2026, 12:05 AM", "2026-03-05T00:05:00"),
    ],
)
def test_iso_days_and_moments_are_read(text: str, moment: str) -> None:
    parsed = days(column(text))
    assert faults(parsed) == []
    assert parsed.values[0] == np.datetime64(moment, "us")


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-30",
        "2026-03-04 25:00",
        "２０２６-03-04",
        "May-20",
        "31 Feb 2021",
        "15 Foo 2021",
        "5 Apr 21",
        "1850-01-01",
        "2150-01-01",
        "tomorrow",
        "2026-03-04 at noon",
    ],
)
def test_anything_else_is_no_date(text: str) -> None:
    (fault,) = faults(days(column("2026-01-01", text)))
    assert fault.startswith(
        f"deals.csv line 3, x: {text!r} is not a date like 2026-03-31; correct it, or declare date_format in the CRM file"
    )


@pytest.mark.parametrize(
    ("texts", "lines"),
    [
        (["03/04/2026", "3/31/2026"], 'date_format: {deals.Closed: "%m/%d/%Y"}'),
        (["31.03.2026 14:05", "1.4.2026"], 'date_format: {deals.Closed: "%d.%m.%Y"}'),
        (["31/12/25", "01/02/26"], 'date_format: {deals.Closed: "%d/%m/%y"}'),
        (
            ["03/04/2026"],
            'date_format: {deals.Closed: "%d/%m/%Y"} or date_format: {deals.Closed: "%m/%d/%Y"}, which both fit',
        ),
    ],
)
def test_the_line_that_would_read_a_column_of_days_is_proposed(texts: list[str], lines: str) -> None:
    cells = Cells("deals.csv", "Closed", texts, range(2, 9), named="deals.Closed")
    (fault, *_) = faults(days(cells))
    assert fault.endswith(f"correct it, or declare date_format in the CRM file: {lines}")


@pytest.mark.parametrize(
    ("texts", "day", "what"),
    [
        (["1704121200000", "1704207600000"], "2024-01-01", "epoch_ms"),
        (["1704121200", "1704207600"], "2024-01-01", "epoch_s"),
        (["45323", "45324.5"], "2024-02-01", "excel_serial"),
        (["2026-01-01", "46085"], "2026-03-04", "excel_serial"),
        (["20260304", "20260331"], "2026-03-04", "%Y%m%d"),
    ],
)
def test_numbers_that_can_only_be_days_are_read_and_told(texts: list[str], day: str, what: str) -> None:
    parsed = days(column(*texts))
    assert faults(parsed) == []
    assert np.datetime64(day, "D") in parsed.values.astype("datetime64[D]")
    assert any(f"numbers read as days, {what}" in line for line in lines(parsed))


@pytest.mark.parametrize("texts", [["45323", "17"], ["1704121200000", "45323"], ["45323", "5 weeks"], ["12345"]])
def test_numbers_of_which_some_are_no_days_are_none(texts: list[str]) -> None:
    assert faults(days(column(*texts))) != []


def test_beside_a_declared_format_days_with_one_meaning_are_read_and_told() -> None:
    parsed = days(column("04/03/2026", "2026-03-05", "31/12/9999", "6 Mar 2026"), "%d/%m/%Y")
    assert faults(parsed) == []
    assert parsed.values[:2].astype("datetime64[D]").tolist() == [date(2026, 3, 4), date(2026, 3, 5)]
    assert np.isnat(parsed.values[2])
    assert lines(parsed)[0] == (
        "deals.csv, x: days that are not written as date_format says, and have one meaning: 2 (2026-03-05)"
    )
    assert len(faults(days(column("2026-31-01", "2026-01-31"), "%Y-%d-%m"))) == 1  # the year first is taken already


def test_days_and_months_that_excel_changed_round_are_refused() -> None:
    texts = [f"{day}/02/2026" for day in range(13, 23)] + [f"2026-{day:02d}-02" for day in range(1, 11)]
    told = faults(days(Cells("d.xlsx", "x", texts, range(2, 30), "row"), "%d/%m/%Y"))
    assert "Excel has changed day and month round" in told[0]
    fine = [*texts, "05/02/2026"]
    assert faults(days(Cells("d.xlsx", "x", fine, range(2, 30), "row"), "%d/%m/%Y")) == []


@pytest.mark.parametrize(
    ("text", "date_format", "moment"),
    [
        ("1/26/2024 14:05", "%m/%d/%Y", "2024-01-26T14:05"),
        ("1/26/2024 2:05 PM", "%m/%d/%Y", "2024-01-26T14:05"),
        ("26.01.2024", "%d.%m.%Y %H:%M", "2024-01-26"),
        ("26.01.24", "%d.%m.%y", "2024-01-26"),
        ("1704121200000", "epoch_ms", "2024-01-01T15:00"),
        ("1704121200", "epoch_s", "2024-01-01T15:00"),
        ("45323", "excel_serial", "2024-02-01"),
        ("45323.5", "excel_serial", "2024-02-01T12:00"),
    ],
)
def test_a_declared_day_may_have_a_time_behind_it_or_be_a_number(text: str, date_format: str, moment: str) -> None:
    parsed = days(column(text, ""), date_format)
    assert faults(parsed) == []
    assert parsed.values[0] == np.datetime64(moment, "us")
    assert len(faults(days(column("soon"), date_format))) == 1


@pytest.mark.parametrize(
    ("text", "decimal", "amount"),
    [
        ("1'200.50", None, 1200.5),
        ("1’200.50", None, 1200.5),
        ("1\u202f234,50 €", ",", 1234.5),
        ("12 345", None, 12345),
        ("1,00,000", None, 100_000),
        ("USD 1,200", None, 1200),
        ("1.200 CHF", ",", 1200),
        ("₹12,34,567.80", None, 1_234_567.8),
        ("1.234,56", None, 1234.56),  # a comma behind a point is no thousands mark
        ("12,00", None, 12),
        ("1,200-", None, -1200),
        ("1.200,50- €", ",", None),
        ("- 5", None, -5),
        ("\u22125", None, -5),
        ("CHF 1'200.–", None, 1200),
        ("R$ 1.234,50", ",", 1234.5),
        ("1\u00a0234,50 zł", ",", 1234.5),
        ("EUR 1.200E3", ".", 1_200),
    ],
)
def test_thousands_of_every_country(text: str, decimal: str | None, amount: float) -> None:
    parsed = amounts(column(text), decimal)
    assert (faults(parsed) == []) == (amount is not None)
    assert amount is None or parsed.values[0] == pytest.approx(amount)


def test_a_comma_that_can_be_two_things_is_not_guessed() -> None:
    assert amounts(column("12,5", "1.000,00", "7")).values.tolist() == [12.5, 1000, 7]
    assert faults(amounts(column("12,5", "1,200"))) != []  # thousands, or a fraction of three digits
    assert faults(amounts(column("12,5", "1.5"))) != []


@pytest.mark.parametrize("separator", [",", "\t", "|"])
def test_a_column_of_thousands_or_fractions_is_asked_about_whatever_the_separator(separator: str) -> None:
    assert "can be thousands or a fraction" in faults(amounts(column("1.200", "950", "12.500"), None, separator))[0]
    assert faults(amounts(column("1.200", "0.125"), None, separator)) == []  # a thousand is not written 0.125


def test_empty_cells_hidden_nulls_and_endless_days_are_missing_and_counted() -> None:
    parsed = days(
        column("2026-01-01", "", " ", "NULL", "None", "Select", "-", "N/A", "2050-01-01", "9999-12-31 00:00:00")
    )
    assert np.isnat(parsed.values).tolist() == [False] + [True] * 9
    assert lines(parsed) == [
        "deals.csv, x: empty cells: 2",
        "deals.csv, x: hidden nulls, taken as missing: 5 (-, N/A, NULL)",
        "deals.csv, x: days that mean none, taken as missing: 2 (2050-01-01)",
    ]


def test_three_faults_of_a_kind_are_shown_and_the_rest_counted() -> None:
    found = faults(days(column(*["x"] * 10)))
    assert len(found) == 4
    assert found[-1] == "deals.csv line 4, x: and 7 more values that are no date"


@pytest.mark.parametrize(
    ("text", "amount"),
    [
        ("1200", 1200),
        ("1,200", 1200),
        ("$1,200.50", 1200.5),
        ("€ 1,234,567", 1234567),
        ("1,200 €", 1200),
        ("(1,200)", -1200),
        ("($1,200)", -1200),
        ("-5", -5),
        ("$-5", -5),
        ("+5", 5),
        ("0.0", 0),
        ("1.2E+05", 120000),
        ("$1,117.10K", 1117100),
        ("(2M)", -2e6),
    ],
)
def test_amounts_are_read(text: str, amount: float) -> None:
    parsed = amounts(column(text))
    assert faults(parsed) == []
    assert parsed.values[0] == amount


@pytest.mark.parametrize(
    "text",
    [
        "NaN",
        "inf",
        "1e309",
        "1e13",
        "1,2,3",
        "１２３",
        "1_000",
        "$1,117.10k",
        "1.2MM",
        "(5",
        "--5",
        "-(5)-",
        "5%",
        "0x10",
        ".",
    ],
)
def test_anything_else_is_no_amount(text: str) -> None:
    (fault,) = faults(amounts(column(text)))
    assert fault.startswith(f"deals.csv line 2, x: {text!r} is not an amount like 1,200.50 up to 1e12; ")


def test_a_declared_decimal_comma_turns_the_marks_round() -> None:
    parsed = amounts(column("1.200,50", "3,5", "€ 7"), ",", ";")
    assert faults(parsed) == []
    assert parsed.values.tolist() == [1200.5, 3.5, 7]
    assert len(faults(amounts(column("1,200.50"), ","))) == 1


def test_a_doubtful_point_in_a_semicolon_file_must_be_declared() -> None:
    cells = column("1.200", "12.5")
    assert faults(amounts(cells, None, ",")) == []
    (fault,) = faults(amounts(cells, None, ";"))
    assert fault.startswith("deals.csv line 2, x: '1.200' can be thousands or a fraction")
    assert amounts(cells, ".", ";").values.tolist() == [1.2, 12.5]


def test_two_currencies_in_a_column_are_a_fault() -> None:
    (fault,) = faults(amounts(column("$5", "$6", "7", "8 €")))
    assert fault == "deals.csv line 5, x: amounts stand in several currencies ($ 2, € 1); export them in one"


def test_negative_amounts_are_counted() -> None:
    assert lines(amounts(column("(5)", "5", "-6"))) == ["deals.csv, x: negative amounts: 2 ((5))"]


def test_amounts_in_thousands_are_told() -> None:
    told = "deals.csv, x: amounts written in thousands (K) or millions (M): 1 ($1,117.10K)"
    assert lines(amounts(column("$1,117.10K", "5"))) == [told]


def test_missing_labels_are_unknown() -> None:
    found, _ = labels(column(" paid search ", "", "Select", "NA"))
    assert found.tolist() == ["paid search", "unknown", "unknown", "NA"]


@pytest.mark.parametrize("share", [1, 3, 50])
def test_a_column_put_together_in_pieces_is_the_column(share: int) -> None:
    """Whether most texts differ, as ids do, or few do: the rows are those that came, in their order."""
    texts = [f"t{number // share}" for number in range(100)]
    made = TextColumn()
    for start in range(0, 100, 9):
        made.add(np.array(texts[start : start + 9], dtype=object))
    column_made = made.texts()
    assert [*column_made] == [column_made[row] for row in range(100)] == texts
    assert column_made[10:12] == texts[10:12]
    assert column_made.objects().tolist() == texts
    assert len(column_made.different) == (100 if share == 1 else len(set(texts)))


def test_a_text_is_parsed_once_however_many_rows_have_it(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    monkeypatch.setattr("revplan.crm.writings._as_iso", lambda text: seen.append(text) or text)
    parsed = days(column(*["2026-01-05", "2026-01-06"] * 50))
    assert seen == ["2026-01-05", "2026-01-06"]
    assert parsed.values.astype("datetime64[D]").astype(str).tolist() == ["2026-01-05", "2026-01-06"] * 50


def test_a_plain_amount_needs_no_rewriting(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = Random(4)
    texts = [
        "".join(rng.choice("$A-(0123456789.,)-'\u00a0\u2212 ") for _ in range(rng.randrange(1, 9)))
        for _ in range(3_000)
    ]
    plain = [writings.with_point(text, mark) for text in texts for mark in (None, ",")]
    monkeypatch.setattr(writings, "PLAIN", re.compile("(?!)"))
    assert plain == [writings.with_point(text, mark) for text in texts for mark in (None, ",")]


def test_the_checksum_of_a_salesforce_id_says_which_letters_are_capitals() -> None:
    rng = Random(5)
    for _ in range(300):
        short = "".join(rng.choice(string.ascii_letters + string.digits) for _ in range(15))
        fives = [short[start : start + 5] for start in (0, 5, 10)]
        marks = [sum(2**place for place, letter in enumerate(five) if letter.isupper()) for five in fives]
        whole = short + "".join((string.ascii_uppercase + "012345")[mark] for mark in marks)
        other = whole[:-1] + ("B" if whole[-1] != "B" else "C")
        assert [*as_keys(Texts([whole, other, short]))] == [short, other, short]


ODD = [
    "",
    " ",
    " a",
    "a ",
    "a\t",
    "\x1fa",
    "a b",
    "a\nb",
    "a\n",
    "\n",
    "é",
    "e\u0301",
    "a\u200b",
    "\u00a0a",
    "\x00a",
    "\x7f",
]


@pytest.mark.parametrize("text", ODD)
def test_one_odd_text_among_plain_ones_is_seen_as_it_is_alone(text: str) -> None:
    for texts in ([text], ["a", text, "b"], [text, "", "b"], ["a", "", text]):
        assert [*all_visible(texts)] == [visible(each) for each in texts]


def test_texts_that_hide_nothing_are_not_looked_at_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_cells, "visible", lambda text: pytest.fail(f"{text!r} was looked at"))
    assert labels(column("web", "", "trade fair", "n/a"))[0].tolist() == ["web", "unknown", "trade fair", "unknown"]


def test_ids_of_every_kind_in_one_column_are_each_compared_by_their_own_rule() -> None:
    of_salesforce, hidden = "003A000001abcdeIAA", "003A000001\u200babcdeIAA"
    written = [
        "1001.0",
        of_salesforce,
        "003A000001abcdeIAB",
        "1234567890123456.0",
        hidden,
        "003A-00001abcdeIAA",
        "a.0",
        "é1",
        "",
    ]
    compared = [
        "1001",
        of_salesforce[:15],
        "003A000001abcdeIAB",
        "1234567890123456",
        of_salesforce[:15],
        "003A-00001abcdeIAA",
        "a.0",
        "é1",
        "",
    ]
    assert [*as_keys(Texts(written))] == compared
    once = Texts([*written, *written]).once()
    assert [*once] == [*written, *written]
    assert len(once.different) == len(written)
