"""The signature: who signed which commit, when, at which confidence, and with which code."""

from __future__ import annotations

import platform
import re
from datetime import date
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import Annotated, Literal

from revplan import __version__
from revplan.values import FrozenDict, Number, Value, frozen

PACKAGE = Path(__file__).parents[1]


class Versions(Value):
    """The code that computed the results."""

    revplan: str
    """Version of revplan."""
    code: str
    """SHA-256 over the modules of revplan."""
    python: str
    """Version of Python."""
    packages: Annotated[dict[str, str], frozen]
    """The packages revplan needs, with the versions that were installed."""


class Signature(Value):
    """What was signed. Entries are those of the fiscal year."""

    format: Literal[1] = 1
    """How the folder is laid out."""
    plan: str
    """Name of the plan."""
    plan_file: str
    """Path of the frozen plan file, from the signed folder."""
    by: tuple[str, ...]
    """Who signed."""
    on: date
    """The day it was signed."""
    plan_date: date
    """The day the plan was made."""
    stage: str
    """Stage whose entries marketing promises."""
    confidence: Number
    """Chance of the goal that the signed commit gives."""
    commit: Number
    """Entries of that stage that reach the goal in expectation: the expected commit."""
    signed: Number | None
    """Entries of that stage at the confidence, rounded up; None where no volume gives it (revplan asks before that)."""
    scale: Number | None
    """Times the expected commit that were signed, before rounding up."""
    chance_of_goal: Number
    """Chance of the goal with the commit itself."""
    queries: tuple[str, ...] = ()
    """Tables that came from a database, whose answers are not in the folder."""
    versions: Versions
    """The code that computed the results."""


def versions() -> Versions:
    """The code that is running."""
    needed = [line for line in metadata.requires("revplan") or () if "extra ==" not in line]
    names = sorted(re.split(r"[^\w.-]", line, maxsplit=1)[0] for line in needed)
    return Versions(
        revplan=__version__,
        code=_code(),
        python=platform.python_version(),
        packages=FrozenDict({name: metadata.version(name) for name in names}),
    )


def _code() -> str:
    whole = sha256()
    for path in [*sorted(PACKAGE.rglob("*.py")), PACKAGE / "tables.csv"]:
        whole.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes())
    return whole.hexdigest()
