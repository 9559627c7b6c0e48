"""`python tools/sample.py`: the example company's board pack, to look at before installing anything.

The plan of the running year is signed as it was, the report of its third quarter is held against it, and
the first pages are kept as pictures for the README.
"""

from __future__ import annotations

import sys
from datetime import date
from pathlib import Path

from revplan.ground.files import scratch_folder
from revplan.ground.written import written_together
from revplan.printing.pdf import pictures
from revplan.record.signing import Terms, sign
from revplan.run.notebooks import notebook_in
from revplan.run.render import Request, frozen, prepared, printed, run

ROOT = Path(__file__).resolve().parents[1]
SIGNED_BY = ("Chief Marketing Officer", "Head of Sales")
SIGNED_ON = date(2025, 11, 28)
QUARTER = "2026-Q3"


def main() -> int:
    """Writes the sample into `reports/sample`."""
    out = ROOT / "reports" / "sample"
    plan = ROOT / "data" / "example" / "plan_fy26.yaml"
    with scratch_folder("revplan-") as place:
        record = sign(plan, SIGNED_BY, SIGNED_ON, place, terms=Terms(above_ceilings=True))
        asked = Request(
            name="board_report",
            plan_path=plan,
            formats=("html", "pdf", "pptx", "xlsx"),
            settings={"quarter": QUARTER},
            against=record.folder,
        )
        with frozen([asked]) as (held,):
            notebook = run(prepared(held), sys.stderr)
            files = printed(notebook, held, out)
    shown = {"board_report": notebook, "annual_commit": notebook_in(ROOT / "notebooks" / "annual_commit.ipynb")}
    for name, each in shown.items():
        files += written_together(out, name, {f"{name}.png": pictures(each, name)[0]})
    print(*(path.relative_to(ROOT) for path in files), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
