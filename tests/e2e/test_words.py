"""What a reader is told, in every report and at the terminal: no jargon, no raw ids, no broken plural, no computer's number."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hard_companies import COMPANIES, Executed, plan_of, report_of
from lxml import html

from revplan.cli import main
from revplan.exhibits.figures import MIMETYPE

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "data" / "example"
OLIST = ROOT / "data" / "olist"
REPORTS = ("annual_commit", "board_report", "pace", "rates", "scenarios", "capacity", "retrospective")
PLANS = {
    "board_report": "plan_fy26.yaml",
    "pace": "plan_fy26.yaml",
    "retrospective": "plan_fy26.yaml",
    "capacity": "plan_people.yaml",
}
TRIED = ("one segment", "zero wins", "long names", "not begun")

FORBIDDEN = {
    "jargon": r"(?i)(?<!uncertainty\.)\b(wape|crps|holm|lag_cv|rho|anew|pinball|censor\w*|hazards?|shapley|beta|copula|log-normal|lognormal|"
    r"monte.carlo|quantiles?|immature|likelihood|poisson|binomial|bootstrap|posterior|sobol|(?<!-)seed \d)\b(?!\.)",
    "the column of a table": r"^(Scale|Scale error|Arr sd|Driver index)$",
    "a number with an exponent": r"\d[eE][+-]\d",
    "a negative zero": r"[−-] ?(?:[$€£]|[A-Z]{3} )?0(?:\.0+)?(?: ?%|[kM]?\b)(?![.\d]|-\d)",
    "one of several": r"(?<![\d.,/])(?<!of )\b1 (?:wins|records|entries|deals|days|months|rates|checks|assumptions|scenarios|steps|"
    r"conversions|rows|years|forecasts|replays|outcomes|points|sources|SQLs|MQLs|Leads|Wins|SALs|SQOs)\b",
    "a doubled plural": r"\b[A-Z]+Ls?es\b|\b[A-Z]{2,}ses\b|\w[^aeiou]ys\b(?<!days)",
    "the id of a quarter": r"\b20\d\d-?Q[1-4]\b|\b20\d\d to Q[1-4]\b",
    "nothing": r"\b(?:nan|None|NaT|inf)\b",
    "decimals nobody reads": r"\d\.\d{5,}",
}
"""What no reader should meet, by what it is; dotted keys of the plan file are quoted as they are written there."""

Told = list[tuple[str, str]]
"""A place and what is read there."""


def shown_by(executed: Executed, report: str) -> Iterator[tuple[str, str]]:
    """What a report shows: its prose, its exhibits, what is drawn into their charts and onto their slides."""
    for cell, drawn in zip(executed.notebook.cells, executed.drawn, strict=True):
        if cell.cell_type == "markdown":
            yield report, cell.source
            continue
        for output in cell.outputs:
            place = f"{report}, {cell.source.splitlines()[-1]}"
            for text in [*read(output.data["text/html"]), *dict.fromkeys(drawn), *on_a_slide(output.data[MIMETYPE])]:
                yield place, text


def read(page: str) -> Iterator[str]:
    """Every text of a page but for drawings, as it stands."""
    tree = html.fromstring(page)
    for drawing in tree.xpath("//svg"):
        drawing.drop_tree()
    yield from (text.strip() for text in tree.itertext() if text.strip())


def on_a_slide(raw: dict[str, Any]) -> list[str]:
    """The names in a chart that PowerPoint draws."""
    native = raw.get("native") or {"categories": [], "series": []}
    return [*native["categories"], *(each["name"] for each in native["series"]), native.get("x_title") or ""]


def printed_by(command: list[str], capsys: pytest.CaptureFixture[str]) -> Told:
    """What a command prints, line by line."""
    assert main(command) in (0, 3), capsys.readouterr().err
    return [(f"revplan {command[0]}", line) for line in capsys.readouterr().out.splitlines()]


def broken(told: Told) -> list[str]:
    """Everything no reader should meet, with its place."""
    assert len(told) > 10
    return [
        f"{what} in {place}: {text[max(0, found.start() - 50) : found.end() + 50]!r}"
        for place, text in told
        for what, pattern in FORBIDDEN.items()
        if (found := re.search(pattern, text))
    ]


@pytest.mark.parametrize("report", REPORTS)
def test_reports_of_the_example_speak_to_a_reader(report: str) -> None:
    plan = EXAMPLE / PLANS.get(report, "plan.yaml")
    assert broken(list(shown_by(report_of(plan, report), report))) == []


@pytest.mark.parametrize("name", TRIED)
def test_reports_of_hard_companies_speak_to_a_reader(name: str, executed: Callable[[str, str], Executed]) -> None:
    begun = REPORTS[: -1 if name == "not begun" else None]  # a year that has not begun is not looked back on
    assert broken([told for report in begun for told in shown_by(executed(name, report), report)]) == []


@pytest.mark.parametrize("name", ["example", "one segment", "zero wins"])
def test_the_terminal_speaks_to_a_reader(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    plan = EXAMPLE / "plan.yaml" if name == "example" else plan_of(COMPANIES[name], tmp_path)
    crm = plan.with_name("crm.yaml")
    commands = [
        ["plan", str(plan)],
        ["check", str(plan)],
        ["simulate", str(plan), "--trials", "1024"],
        ["rates", str(crm), "--as-of", "2026-06-30"],
        ["pace", str(plan), "--as-of", "2027-02-15"],
        ["forecast", str(crm), "--as-of", "2026-06-30", "--months", "1", "--by", "source"],
    ]
    if name == "zero wins":
        commands.pop()
    else:
        commands.append(["backtest", str(crm), "--from", "2026-03-31", "--to", "2026-06-30", "--months", "1"])
    assert broken([told for command in commands for told in printed_by(command, capsys)]) == []


def test_an_open_data_set_is_told_in_the_same_words(capsys: pytest.CaptureFixture[str]) -> None:
    told = main(["rates", str(OLIST / "crm.yaml"), "--as-of", "2018-01-31"])
    printed = capsys.readouterr()
    if told != 0:
        pytest.skip(f"the data set is not here: {printed.err.splitlines()[-1]}")
    assert broken([("rates", line) for line in printed.out.splitlines()]) == []


def test_what_is_looked_for_is_found() -> None:
    """Each pattern catches what it is for, and lets pass what reads alike."""
    bad = {
        "jargon": "Error (WAPE)",
        "the column of a table": "Scale",
        "a number with an exponent": "median 1.83e+03 days",
        "a negative zero": "it moves by −€0 more",
        "one of several": "and 1 wins are",
        "a doubled plural": "Commit: 12 SQLses.",
        "the id of a quarter": "2027-Q1 misses",
        "nothing": "nan records",
        "decimals nobody reads": "0.84942",
    }
    assert bad.keys() == FORBIDDEN.keys()
    assert [what for what, text in bad.items() if not re.search(FORBIDDEN[what], text)] == []
    good = [
        "−$0.5k",
        "−0.3%",
        "2027-01",
        "11 wins",
        "1 win is",
        "2026-01-01",
        "Surveys",
        "the beta.com lead",
        "P10 to P90",
    ]
    assert [text for text in good for pattern in FORBIDDEN.values() if re.search(pattern, text)] == []
