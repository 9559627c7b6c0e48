"""`python -m tools.untranslated de board_report PLAN [KEY=VALUE ...]`: what of a report has no entry in a language.

Each text once, its numbers and days as places, to be added to `revplan/languages/de.po` with names made places too.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path

from revplan.crm.planfile import read_plan
from revplan.ground.language import as_entry, language
from revplan.printing.translated import translated, written_in
from revplan.run.render import Request, frozen, prepared, run


def main(code: str, name: str, plan: str, *settings: str) -> None:
    """Prints the texts of one report that stay as they are."""
    given = dict(each.split("=", 1) for each in settings)
    against = given.pop("against", "")
    asked = Request(name=name, plan_path=Path(plan), settings=given, against=Path(against) if against else None)
    with frozen([asked]) as (kept,):
        left = translated(run(prepared(kept)), code, written_in(read_plan(kept.plan_path))).left
    pieces = {piece for text in left for piece in re.split(r"(?<=[.!?]) (?=\S)", text)}
    for entry in sorted({as_entry(piece) for piece in pieces if language(code).said(piece) is None}):
        print(entry)


if __name__ == "__main__":
    main(*sys.argv[1:])
