"""The plan files of a folder, by a glance at each: what they are called, and which one a visitor asks for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import parse_qs

from revplan.ground.errors import PlanError, RevplanError, shown
from revplan.ground.files import PLAN_MB, content_of, megabytes

MOST = 100  # plans that a visitor can choose from
GOAL = re.compile(r"^goal\s*:", re.MULTILINE)
SEGMENTS = re.compile(r"^segments\s*:", re.MULTILINE)
NAME = re.compile(r"^name\s*:[ \t]*(?:\"([^\"\n]*)\"|'([^'\n]*)'|([^#\n]*))", re.MULTILINE)


def plans_in(folder: Path) -> dict[Path, str]:
    """The plan files in `folder`, by name of the file, and what each is called; the file's own name where it does not say.

    A file counts as a plan where `goal` and `segments` begin a line: whether it is without a fault is seen when it is opened.
    """
    files = sorted(path for path in folder.iterdir() if path.suffix in (".yaml", ".yml") and path.is_file())
    found = {path: name for path in files if (name := _name(path)) is not None}
    return dict(list(found.items())[:MOST])


def asked(plan: str, env: Mapping[str, str]) -> str:
    """The plan that a visitor asks for in the address, one of those beside `plan`; `plan` itself if none is asked for.

    Raises
    ------
    PlanError
        If there is no such plan beside it.
    """
    name = parse_qs(env.get("QUERY_STRING", "")).get("plan", [Path(plan).name])[-1]
    beside = {path.name: path for path in (*plans_in(Path(plan).parent), Path(plan))}
    if name not in beside:
        raise PlanError.at(shown(name), f"is no plan in this folder; there are {', '.join(map(shown, beside))}")
    return str(beside[name])


def _name(path: Path) -> str | None:
    try:
        text = content_of(path, PlanError, megabytes(PLAN_MB)).decode("utf-8-sig", "replace")
    except (OSError, RevplanError):
        return None
    if not (GOAL.search(text) and SEGMENTS.search(text)):
        return None
    named = NAME.search(text)
    return (next(filter(None, named.groups()), "").strip() if named else "") or shown(path.stem)
