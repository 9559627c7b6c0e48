"""What an analyst types first: `import revplan as rp`, and the examples in docstrings."""

from __future__ import annotations

import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import revplan as rp
from revplan.exhibits.exhibit import Exhibit
from revplan.ground.errors import PlanError

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "data" / "example"
MODULES = [
    "revplan",
    *(
        f"revplan.{wing}.{found.name}"
        for wing in ("ground", "plan", "funnel", "simulation", "rates", "tracking")
        for found in pkgutil.iter_modules([str(ROOT / "revplan" / wing)])
    ),
]


@pytest.mark.parametrize(
    "name",
    [
        name
        for name in MODULES
        if ">>>" in Path(str(importlib.import_module(name).__file__)).read_text(encoding="utf-8")
    ],
)
def test_examples_in_docstrings_are_true(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    ran = doctest.testmod(importlib.import_module(name))
    assert (ran.failed, ran.attempted > 0) == (0, True)


def test_import_revplan_loads_nothing_heavy() -> None:
    heavy = "pandas, numpy, matplotlib, scipy, pydantic"
    code = f"import sys, revplan; print([name for name in '{heavy}'.split(', ') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_every_name_of_the_front_door_leads_somewhere() -> None:
    assert all(getattr(rp, name) for name in rp.__all__)
    assert dir(rp) == sorted(rp.__all__)
    with pytest.raises(AttributeError, match="it has "):
        _ = rp.open_spreadsheet


@pytest.fixture(scope="module")
def books(tmp_path_factory: pytest.TempPathFactory) -> list[object]:
    """The example company's plan, records and running year, opened as an analyst would."""
    fy26 = EXAMPLE / "plan_fy26.yaml"
    return [
        rp.open_workbook(EXAMPLE / "plan.yaml"),
        rp.open_history(EXAMPLE / "plan.yaml"),
        rp.open_board(fy26, "Q3 FY26", as_of="2026-09-30"),
        rp.open_pace(fy26),
        rp.open_people(EXAMPLE / "plan_people.yaml"),
        rp.open_movement(two_deals(tmp_path_factory.mktemp("movement")), "2026-01-31", "2026-03-31"),
    ]


def two_deals(folder: Path) -> Path:
    """The CRM file of two deals, one of them won in between."""
    rows = "id,opened,won,amount\na,2026-01-05,2026-02-10,1000\nb,2026-01-20,,500\n"
    (folder / "deals.csv").write_text(rows, encoding="utf-8")
    crm = "format: wide\nfiles: {deals: {path: deals.csv, id: id}}\nstages: {opened: deals.opened, won: deals.won}\namount: deals.amount\n"
    (folder / "crm.yaml").write_text(crm, encoding="utf-8")
    return folder / "crm.yaml"


def test_every_exhibit_is_found_by_its_name(books: list[object]) -> None:
    names = [set(rp.exhibits_of(book)) for book in books]
    assert {"goal_bridge", "commit_by_month", "commit_curve", "checks"} <= names[0]
    assert {"import_report", "lags", "backtest"} <= names[1]
    assert {"variance", "landing", "coverage", "sources"} <= names[2]
    assert {"line", "stages", "landing", "deciding"} <= names[3]
    assert {"quality", "both_ways", "lost", "record"} <= names[3]  # the service levels and calls of the day too
    assert {"summary", "by_month", "ramped", "hires", "one_more"} <= names[4]
    assert {"waterfall", "pushed", "record_of_pushed"} <= names[5]


@pytest.mark.parametrize(
    ("number", "name"),
    [
        (0, "goal_bridge"),
        (1, "lags"),
        (2, "landing"),
        (3, "line"),
        (3, "quality"),
        (3, "running"),
        (4, "ramped"),
        (5, "waterfall"),
    ],
)
def test_an_exhibit_by_name_is_the_exhibit(books: list[object], number: int, name: str) -> None:
    found = rp.exhibit(books[number], name)
    assert isinstance(found, Exhibit)
    assert found.message == rp.exhibits_of(books[number])[name](books[number]).message


def test_a_wrong_name_of_an_exhibit_is_told(books: list[object]) -> None:
    with pytest.raises(PlanError, match="did you mean commit_curve"):
        rp.exhibit(books[0], "comit_curve")


def test_an_exhibit_that_has_nothing_to_show_is_told() -> None:
    nobody = rp.open_people(EXAMPLE / "plan.yaml")
    assert "People are not considered" in rp.exhibit(nobody, "summary").message
    with pytest.raises(PlanError, match="ramped has nothing to show of this plan"):
        rp.exhibit(nobody, "ramped")


def test_the_commit_is_what_page_one_says_is_to_sign(books: list[object]) -> None:
    book = books[0]
    total = book.commit["commit"].sum()  # type: ignore[attr-defined]
    assert f"To sign: {np.ceil(total):,.0f} SQLs" in repr(book)
    assert book.simulate(trials=500, seed=3).trials == 500  # type: ignore[attr-defined]


def test_books_say_what_they_are(books: list[object]) -> None:
    said = repr(books[0].simulate(trials=500))  # type: ignore[attr-defined]
    assert re.fullmatch(
        r"<Simulation Orrinvale Software FY27: \$[\d.]+M of new ARR \(\$[\d.]+M to \$[\d.]+M in eight of ten cases\), chance of the goal [\d.]+%>",
        said,
    )
    assert repr(books[1]).startswith("<HistoryBook Orrinvale Software FY27: ")
    assert repr(books[2]) == "<BoardBook Orrinvale Software FY26: Jul-Sep 2026 (Q3 FY26), as of 2026-09-30>"


def test_nothing_that_an_analyst_looks_at_fills_the_screen_with_arrays(books: list[object]) -> None:
    for book in books:
        for name in (each for each in dir(book) if not each.startswith("_")):
            found = getattr(book, name)
            shown = repr(found[0] if isinstance(found, (tuple, list)) and found else found)
            assert callable(found) or isinstance(found, pd.DataFrame) or len(shown) < 10_000, (type(book), name)
