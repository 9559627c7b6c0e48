"""What a signed folder holds, file by file, so that a changed byte is found and named.

CONTENTS.sha256 lists every file with its SHA-256, in the form that `sha256sum -c` checks without
revplan; the SHA-256 of that list is the content hash. The README states the content hash, so it is
listed, in a comment, as it reads with zeros in the place of the hash.
"""

from __future__ import annotations

import re
from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from revplan.errors import Fault, PlanError, shown
from revplan.files import MEGABYTES, PLAN_MB, SIGNED_MB, content_of, megabytes

CONTENTS, README = "CONTENTS.sha256", "README.md"
NO_HASH = "0" * 64
LINE = re.compile(r"(# )?([0-9a-f]{64})  (\S.*)")
LEFT_BY_SYSTEMS = {"Thumbs.db", "desktop.ini"}
MOST_FILES = 10_000  # of a signed folder; revplan writes some dozens
AGAIN = "take the folder again from whoever signed it, unchanged (line ends count), or sign again"


def listing(folder: Path) -> str:
    """Every file in `folder` with its SHA-256, one a line, in the order of their names."""
    return "".join(f"{_entry(folder, name)}\n" for name in names_in(folder))


def content_hash(contents: str) -> str:
    """The SHA-256 of a listing: the content hash. [64 hexadecimal digits]"""
    return sha256(contents.encode("utf-8")).hexdigest()


def names_in(folder: Path) -> list[str]:
    """The files in `folder` by their paths with slashes, but for the list itself.

    Raises
    ------
    PlanError
        If they are more, or larger together, than what revplan signs.
    """
    names, size, most = [], 0, 4 * MEGABYTES.value * 1_000_000
    for path in folder.rglob("*"):
        if path.is_file():
            names.append(path.relative_to(folder).as_posix())
            size += path.stat().st_size
        if len(names) > MOST_FILES:
            raise PlanError.at(shown(folder.name), f"has more than {MOST_FILES:,} files, so it is no signed plan")
        if size > most:
            raise PlanError.at(shown(folder.name), MEGABYTES.refusal("its files have together more than 4 times"))
    return sorted(name for name in names if name != CONTENTS)


def _entry(folder: Path, name: str, stated: str = NO_HASH) -> str:
    if name == README:
        content = content_of(folder / name, PlanError, megabytes(SIGNED_MB), name)
        return f"# {sha256(content.replace(stated.encode(), NO_HASH.encode())).hexdigest()}  {name}"
    return f"{digest(folder / name)}  {name}"


def digest(path: Path) -> str:
    """SHA-256 of a file of any size."""
    whole = sha256()
    with path.open("rb") as file:
        while part := file.read(1 << 20):
            whole.update(part)
    return whole.hexdigest()


def verified(folder: Path) -> str:
    """The content hash of a signed folder, after every file was found as it was signed.

    Raises
    ------
    PlanError
        If the folder is no signed plan, or with every file that was altered, lost or added.
    """
    contents = _contents(folder)
    found = content_hash(contents)
    faults = [*_named_otherwise(folder, found), *_altered(folder, contents, found)]
    if faults:
        raise PlanError(faults)
    return found


def _contents(folder: Path) -> str:
    with suppress(OSError, UnicodeDecodeError):
        return content_of(folder / CONTENTS, PlanError, megabytes(PLAN_MB)).decode("utf-8")
    message = f"is no signed plan: it has no readable {CONTENTS}; name a folder that `revplan sign` wrote"
    raise PlanError.at(shown(folder.name), message)


def _named_otherwise(folder: Path, found: str) -> list[Fault]:
    """A folder whose name tells of another content; one that was given a new name tells of none."""
    named = re.search(r"-([0-9a-f]{8})$", folder.name)
    if named is None or found.startswith(named[1]):
        return []
    return [Fault(CONTENTS, f"was altered after signing: its hash begins {found[:8]}, not {named[1]}; {AGAIN}")]


def _altered(folder: Path, contents: str, found: str) -> list[Fault]:
    entries = {}
    for line in contents.splitlines():
        parts = LINE.fullmatch(line)
        if parts is None:
            return [Fault(CONTENTS, f"was altered after signing: {shown(line)!r} is no line of a list; {AGAIN}")]
        entries[parts[3]] = line
    present = set(names_in(folder))
    faults = [Fault(shown(name), f"is missing; {AGAIN}") for name in entries if name not in present]
    faults += [
        Fault(shown(name), f"was altered after signing; {AGAIN}")
        for name, line in entries.items()
        if name in present and _entry(folder, name, found) != line
    ]
    added = [name for name in sorted(present - set(entries)) if not _is_left_by_a_system(name)]
    return faults + [Fault(shown(name), "was not there when the plan was signed; take it out") for name in added]


def _is_left_by_a_system(name: str) -> bool:
    last = name.rsplit("/", 1)[-1]
    return last.startswith(".") or last in LEFT_BY_SYSTEMS
