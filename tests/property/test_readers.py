"""Files as strangers and accidents leave them: whatever a file holds, a command ends in 0 or 2, never as a fault of revplan.

Each reader is given a sound file with one to three things changed: bytes turned, lines lost or doubled, values of an odd
form, parts of an archive missing, broken or emptied. The changes follow a seed, so a failure comes back by its number.
`REVPLAN_MUTANTS=2000 pytest tests/property/test_readers.py` looks further than the suite has time for.
"""

from __future__ import annotations

import io
import json
import os
import random
import re
import shutil
import zipfile
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

import duckdb
import nbformat
import pandas as pd
import pytest

from revplan.app.game import open_game
from revplan.app.scenario_files import read_scenario
from revplan.cli import DONE, INPUT_AT_FAULT, main
from revplan.excel.book import live_workbook
from revplan.exhibits.exhibit import table
from revplan.exhibits.provenance import provenance
from revplan.ground.errors import PlanError, RevplanError
from revplan.printing.slides.deck import deck
from revplan.printing.slides.template import MASTER
from revplan.record.signed import CONTENTS, NO_HASH, README, listing
from revplan.run.notebooks import notebook_in
from revplan.run.parameters import declared
from revplan.workbook.workbook import open_workbook

MUTANTS = int(os.environ.get("REVPLAN_MUTANTS", "25"))
"""Changed files of each kind."""

PLAN = """\
name: Changed
year: {first_month: 2027-01}
plan_date: 2026-11-15
goal: {opening_arr: 8000000, new_arr: 1000000, churn: {rate: 0.08}}
stages:
  - {id: lead, label: Lead}
  - {id: sql}
  - {id: won, entered_when: signed}
commit: {stage: sql, confidence: 0.8}
segments: {all: {acv: {mean: 9000, sd: 4000}}}
sources: {web: {cost_per_entry: 85, max_per_month: 9000}}
transitions:
  - {from: lead, to: sql, rate: 0.25, evidence: 4200, lag: {median_days: 4, p90_days: 20}}
  - {from: sql, to: won, rate: 0.4, lag: {weights: [0.5, 0.5]}}
actuals: actuals.csv
uncertainty: {rho: 0.3, lag_cv: 0.15}
fiscal_year: {names: end}
assumptions: [{about: goal.churn, owner: finance, expires: 2027-03-31}]
scenarios: {low: {changes: [{from: sql, to: won, rate: 0.17}], goal: {churn: {rate: 0.1}}, acv: {all: 8000}}}
"""
CRM = """\
format: wide
files:
  leads: {path: leads.csv, id: id}
stages: {lead: leads.lead_on, sql: leads.sql_on, won: leads.won_on}
lost: leads.lost_on
segment: {value: all}
source: {value: web}
amount: leads.amount
"""
ACTUALS = "month,segment,source,new,expansion,contraction,churn,spend\n2026-10,all,web,1000,0,0,10,500\n2026-11,all,web,2000,5,0,0,400\n"
ODD = [
    *(
        "",
        "~",
        "8%",
        "true",
        "-1",
        "0",
        "5e-324",
        "1e400",
        ".nan",
        ".inf",
        "9" * 4400,
        "0x" + "f" * 40,
        "'' ",
        "\\0",
        "\x00",
    ),
    *(
        "!!bool abc",
        "!!timestamp abc",
        "!!binary abc%",
        "!!set {a}",
        "!!python/object:os.system x",
        "&a [*a]",
        "*b",
        "[a]",
    ),
    *(
        "{a: 1}",
        "[~]",
        "0001-01-01",
        "9999-12-31",
        "9999-12",
        "0001-01",
        "2026-02-30",
        "1_000",
        "1e-300",
        "1e15",
        "x" * 300,
    ),
    *(
        "../../..",
        ".",
        "/dev/null",
        "a\u202eb",
        "\ud7ff",
        '"\\ud800"',
        "solve",
        "=1+1",
        "1.5.2",
        "12:30:45",
        "- a",
        ": :",
        "#",
        "\t",
    ),
]
"""Values that no one meant to write."""


def turned(content: bytes, rng: random.Random) -> bytes:
    """`content` with some of its bytes turned, a stretch lost or doubled, or its end cut off."""
    raw = bytearray(content)
    for _ in range(rng.randint(1, 8)):
        if raw:
            raw[rng.randrange(len(raw))] = rng.choice((rng.randrange(256), 0, 0xFF, ord("<"), ord('"')))
    at, size = rng.randrange(len(raw) + 1), rng.randint(0, 40)
    how = rng.randrange(5)
    return bytes(
        {0: raw[:at], 1: raw[:at] + raw[at + size :], 2: raw[:at] + raw[at : at + size] * 3 + raw[at:]}.get(how, raw)
    )


def rewritten(content: bytes, rng: random.Random) -> bytes:
    """A text with one to three of its words exchanged for odd values, or its lines lost, doubled, moved."""
    text = content.decode("utf-8")
    for _ in range(rng.randint(1, 3)):
        words = list(re.finditer(r"[\w.\-]+", text))
        lines = text.split("\n")
        at = rng.randrange(len(lines))
        how = rng.randrange(6)
        if how < 3 and words:
            word = rng.choice(words)
            text = text[: word.start()] + rng.choice(ODD) + text[word.end() :]
        elif how == 3:
            text = "\n".join(lines[:at] + lines[at + 1 :])
        elif how == 4:
            text = "\n".join([*lines[:at], lines[at], *lines[at:]])
        else:
            text = turned(text.encode("utf-8", "replace"), rng).decode("utf-8", "replace")
    return text.encode("utf-8", "replace")


def repacked(content: bytes, rng: random.Random) -> bytes:
    """An archive with a part of it lost, emptied, turned, or its tags and values exchanged; or turned as a whole."""
    if rng.random() < 0.15:
        return turned(content, rng)
    source = zipfile.ZipFile(io.BytesIO(content))
    chosen = set(rng.sample(source.namelist(), min(len(source.namelist()), rng.randint(1, 2))))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as target:
        for name in source.namelist():
            part = source.read(name)
            if name in chosen:
                part = damaged(part, rng)
            if part is not None:
                target.writestr(name, part)
    return buffer.getvalue()


def damaged(part: bytes, rng: random.Random) -> bytes | None:
    """A part of an archive as an accident leaves it; None where it is lost."""
    how = rng.randrange(6)
    if how == 0:
        return None
    if how == 1:
        return b""
    if how == 2:
        return turned(part, rng)
    text = part.decode("utf-8", "replace")
    values = list(re.finditer(r'"[^"<>]*"|>[^<>]+<|<[^<>]+>', text))
    for _ in range(rng.randint(1, 3) if values else 0):
        value = rng.choice(values)
        odd = rng.choice(("", "-1", "99999999999999999999", "abc", "rId999", "../../x", "1e400", "NaN", "\u202e"))
        text = text.replace(value[0], "" if value[0].startswith("<") else f"{value[0][0]}{odd}{value[0][-1]}", 1)
    return text.encode("utf-8")


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a sound file of every kind."""
    folder = tmp_path_factory.mktemp("sound")
    (folder / "plan.yaml").write_text(PLAN, encoding="utf-8")
    (folder / "crm.yaml").write_text(CRM, encoding="utf-8")
    (folder / "actuals.csv").write_text(ACTUALS, encoding="utf-8")
    leads = leads_table()
    leads.to_csv(folder / "leads.csv", index=False)
    leads.to_excel(folder / "leads.xlsx", index=False)
    with duckdb.connect(str(folder / "leads.duckdb")) as engine:
        engine.register("given", leads)
        engine.execute("CREATE TABLE leads AS SELECT * FROM given")
        engine.execute(f"COPY leads TO '{folder / 'leads.parquet'}' (FORMAT parquet)")
    book = open_workbook(folder / "plan.yaml")
    (folder / "book.xlsx").write_bytes(
        live_workbook(book, [], provenance("annual_commit", book.plan, folder / "plan.yaml", [], {}))
    )
    (folder / "template.pptx").write_bytes(Path(MASTER).read_bytes())
    assert (
        main(["sign", str(folder / "plan.yaml"), "--by", "Ada", "--on", "2026-11-20", "--out", str(folder / "signed")])
        == DONE
    )
    return folder


def leads_table() -> pd.DataFrame:
    """Sixty leads of 2025 and 2026."""
    rng = random.Random(7)
    rows = []
    for number in range(60):
        day = pd.Timestamp("2025-03-01") + pd.Timedelta(days=9 * number)
        sql = day + pd.Timedelta(days=rng.randint(1, 9)) if rng.random() < 0.6 else None
        won = sql + pd.Timedelta(days=rng.randint(5, 30)) if sql is not None and rng.random() < 0.5 else None
        lost = None if won is not None or rng.random() < 0.4 else day + pd.Timedelta(days=40)
        days = (None if each is None else f"{each:%Y-%m-%d}" for each in (day, sql, won, lost))
        rows.append((f"r{number}", *days, 9000 + number))
    return pd.DataFrame(rows, columns=["id", "lead_on", "sql_on", "won_on", "lost_on", "amount"])


def codes(
    sound: Path,
    tmp_path: Path,
    name: str,
    change: Callable[[bytes, random.Random], bytes],
    commands: Callable[[Path], list[list[str]]],
) -> list[str]:
    """The changed files of one kind that ended in something else than 0 or 2, each by its number and what was said."""
    content, failed = (sound / name).read_bytes(), []
    folder = tmp_path / "given"
    shutil.copytree(sound, folder)
    for number in range(MUTANTS):
        (folder / name).write_bytes(change(content, random.Random(f"{name} {number}")))
        for command in commands(folder):
            code = main(command)
            if code not in (DONE, INPUT_AT_FAULT):
                failed.append(f"{name} {number}: {command[0]} ended in {code}")
    return failed


def test_a_changed_plan(sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def commands(folder: Path) -> list[list[str]]:
        return [["check", str(folder / "plan.yaml")], ["plan", str(folder / "plan.yaml")]]

    assert codes(sound, tmp_path, "plan.yaml", rewritten, commands) == [], capsys.readouterr().err


def test_a_changed_crm_file(sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert codes(sound, tmp_path, "crm.yaml", rewritten, rates_of()) == [], capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "change"),
    [("leads.csv", rewritten), ("leads.xlsx", repacked), ("leads.parquet", turned), ("leads.duckdb", turned)],
)
def test_changed_records(
    name: str,
    change: Callable[[bytes, random.Random], bytes],
    sound: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert codes(sound, tmp_path, name, change, rates_of(name)) == [], capsys.readouterr().err


def rates_of(name: str = "leads.csv") -> Callable[[Path], list[list[str]]]:
    """The command that reads the records in the file `name`."""

    def commands(folder: Path) -> list[list[str]]:
        if name != "leads.csv":
            (folder / "crm.yaml").write_text(CRM.replace("leads.csv", name), encoding="utf-8")
        return [["rates", str(folder / "crm.yaml"), "--json"]]

    return commands


def test_changed_actuals(sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def commands(folder: Path) -> list[list[str]]:
        return [["check", str(folder / "plan.yaml")]]

    assert codes(sound, tmp_path, "actuals.csv", rewritten, commands) == [], capsys.readouterr().err


def test_a_changed_workbook(sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def commands(folder: Path) -> list[list[str]]:
        return [["import", str(folder / "book.xlsx"), str(folder / "plan.yaml")]]

    assert codes(sound, tmp_path, "book.xlsx", repacked, commands) == [], capsys.readouterr().err


@pytest.mark.parametrize("rehashed", [False, True], ids=["as it is", "with its list made to fit"])
def test_a_changed_signed_folder(
    rehashed: bool, sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (signed,) = (sound / "signed").iterdir()
    failed = []
    for number in range(MUTANTS):
        rng, folder = random.Random(f"signed {number}"), tmp_path / f"copy {number}"
        shutil.copytree(signed, folder)
        files = sorted(
            path
            for path in folder.rglob("*")
            if path.is_file() and (not rehashed or path.name not in (CONTENTS, README))
        )
        chosen = rng.choice(files)
        chosen.write_bytes(
            rewritten(chosen.read_bytes(), rng) if rng.random() < 0.7 else turned(chosen.read_bytes(), rng)
        )
        if rehashed:
            fit(folder)
        code = main(["diff", str(folder), str(sound / "plan.yaml")])
        if code not in (DONE, INPUT_AT_FAULT):
            failed.append(f"{number}, {chosen.name}: {code}")
        shutil.rmtree(folder)
    assert failed == [], capsys.readouterr().err


def fit(folder: Path) -> None:
    """Makes the list of a changed signed folder fit its content, as somebody who means ill would."""
    readme = folder / README
    stated = re.search(r"^    ([0-9a-f]{64})$", readme.read_text(encoding="utf-8"), re.MULTILINE)
    assert stated
    readme.write_text(readme.read_text(encoding="utf-8").replace(stated[1], NO_HASH), encoding="utf-8")
    contents = listing(folder)
    (folder / CONTENTS).write_text(contents, encoding="utf-8")
    found = sha256(contents.encode()).hexdigest()
    readme.write_text(readme.read_text(encoding="utf-8").replace(NO_HASH, found), encoding="utf-8")


def test_a_changed_template(sound: Path, tmp_path: Path) -> None:
    notebook = nbformat.v4.new_notebook()
    shown = table(pd.DataFrame({"name": ["a"], "value": [1.0]}), {"name": "text", "value": "count"}, "One row.")
    outputs = [nbformat.v4.new_output("display_data", shown._repr_mimebundle_())]
    notebook.cells = [nbformat.v4.new_markdown_cell("# Report"), nbformat.v4.new_code_cell("x", outputs=outputs)]
    content, path, made = (sound / "template.pptx").read_bytes(), tmp_path / "given.pptx", 0
    for number in range(MUTANTS):
        path.write_bytes(repacked(content, random.Random(f"template {number}")))
        try:
            deck(notebook, "report", path)
        except PlanError:
            continue
        except Exception as error:
            raise AssertionError(f"template {number}") from error
        made += 1
    assert made or MUTANTS < 10


def test_a_changed_notebook(tmp_path: Path) -> None:
    content = (Path(__file__).resolve().parents[2] / "notebooks" / "rates.ipynb").read_bytes()
    cells = json.loads(content)["cells"]
    small = json.dumps(
        {
            "cells": [{**cell, "outputs": []} if "outputs" in cell else cell for cell in cells],
            "metadata": {},
            "nbformat": 4,
            "nbformat_minor": 5,
        },
        indent=1,
    )
    old = json.dumps({"worksheets": [{"cells": cells[:2]}], "metadata": {}, "nbformat": 3, "nbformat_minor": 0})
    path = tmp_path / "given.ipynb"
    for number in range(MUTANTS):
        rng = random.Random(f"notebook {number}")
        path.write_bytes(rewritten((small if number % 4 else old).encode(), rng))
        try:
            declared(notebook_in(path), path.name)
        except RevplanError:
            continue
        except Exception as error:
            raise AssertionError(f"notebook {number}") from error


def test_a_changed_scenario(sound: Path) -> None:
    game = open_game(sound / "plan.yaml")
    text = f"schema: 1\nplan: Changed\nfingerprint: {game.fingerprint}\nchanges:\n  - {{from: sql, to: won, rate: 0.3}}\nvolume: {{web: 0.9}}\nacv: {{all: 7000}}\ngoal: {{churn: {{rate: 0.1}}}}\n"
    for number in range(MUTANTS):
        try:
            read_scenario(game, "given.yaml", rewritten(text.encode(), random.Random(f"scenario {number}")))
        except PlanError:
            continue
        except Exception as error:
            raise AssertionError(f"scenario {number}") from error
