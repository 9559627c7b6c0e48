"""The packs that were shown: printed files and their figures, kept in `packs` beside the plan, and read back.

Drafts are printed many times; the one that went to the board is kept on purpose, in a folder of its own, and is never
replaced: another edition of the same quarter is another folder, under the day it was shown on.
"""

from __future__ import annotations

import json
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal

from pydantic import ConfigDict, Field, ValidationError

from revplan.crm.planfile import real_path
from revplan.ground.errors import Fault, PlanError, shown
from revplan.ground.files import content_of, copied, megabytes, scratch_folder, told_of
from revplan.ground.formats import show
from revplan.ground.values import FrozenDict, Number, Value, frozen
from revplan.ground.written import alone, check_folder, shown_path
from revplan.record.signed import LEFT_BY_SYSTEMS, digest

FOLDER, FIGURES = "packs", "pack.json"
MOST_PACKS, MOST_MB = 1_000, 50  # in one folder; of the figures of a pack, which have some ten kilobytes
OUT = "take it out of the folder"
PlainName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,79}$")]
"""What may be part of a path on every system: nothing that a plan's name could lead elsewhere by."""
LONG_NAMES = ConfigDict(str_max_length=50_000)
"""The id of a figure holds names of the plan, each of which may be as long as a value takes."""
BASES = {
    "goal": ("goal", ("plan",)),
    "landing": ("landing", ("expected",)),
    "landing_low": ("landing_low", ("expected", "of the expected commit")),
    "landing_high": ("landing_high", ("expected", "of the expected commit")),
    "chance": ("chance", ("simulated", "of the expected commit")),
    "commit": ("signed", ("signed", "to sign")),
}
"""What a line of the history tells of a pack: the measure, and the bases that it may stand on."""


class Ask(Value):
    """What a pack asked of somebody."""

    model_config = LONG_NAMES

    what: str
    owner: str
    ask: str
    size: Number | None = None
    """What was at stake. [plan currency]"""


class Pack(Value):
    """A pack as it was shown."""

    model_config = LONG_NAMES

    format: Literal[1] = 1
    """How the folder is laid out."""
    report: PlainName
    plan: str
    plan_file: str
    """Name of the plan's file: packs of the same one are one history."""
    currency: str
    year: PlainName
    """Id of the plan's year."""
    period: PlainName
    """Id of what it reports: a quarter, or the whole year."""
    label: str
    """What a reader calls that."""
    segment: str = ""
    as_of: date
    """The last day it knew."""
    shown_on: date
    signed: str = ""
    """Who had signed the plan it was held against, and when; empty where nobody had."""
    baseline: str = ""
    """Content hash of that plan of record."""
    pack: str
    """Id that its printings carry."""
    revplan: str
    """The version that made it."""
    code: str
    """SHA-256 over the modules of revplan that made it, as a signed plan tells it."""
    figures: Annotated[dict[str, Number | None], frozen]
    """Every figure of its registry: id -> value."""
    asks: tuple[Ask, ...] = ()
    comments: Annotated[dict[str, tuple[str, ...]], frozen] = FrozenDict()
    """What people said in it: exhibit -> lines."""
    files: Annotated[dict[PlainName, str], frozen]
    """What was printed: file -> SHA-256."""

    def told(self, name: str) -> float | None:
        """One of `BASES` as it was shown; None where the pack does not tell it."""
        measure, bases = BASES[name]
        found = [self.figures.get(f"{measure} {self.year} {basis}") for basis in bases]
        if name == "landing" and found[0] is None:  # the annual commit tells how far from the goal it comes out
            goal, gap = self.told("goal"), self.figures.get(f"landing_gap {self.year} of the expected commit")
            return None if goal is None or gap is None else goal + gap
        return next((value for value in found if value is not None), None)

    def is_edition_of(self, other: Pack) -> bool:
        """Whether both report the same period of the same plan, as known on whatever day."""
        names = ("report", "plan_file", "year", "period", "segment")
        return all(getattr(self, name) == getattr(other, name) for name in names)


@dataclass(frozen=True, kw_only=True)
class KeptPack:
    """A pack and the folder it is kept in."""

    folder: Path
    pack: Pack


def _text(pack: Pack) -> bytes:
    return (json.dumps(pack.model_dump(mode="json"), ensure_ascii=False, indent=1) + "\n").encode("utf-8")


def _folder_name(pack: Pack, content: bytes) -> str:
    """Day, report and period, and the first digits of what `pack.json` holds: a changed byte does not fit its folder."""
    return f"{pack.shown_on}-{pack.report}-{pack.period}-{sha256(content).hexdigest()[:8]}"


def keep(plan_path: Path, pack: Pack, files: Mapping[str, bytes]) -> KeptPack:
    """The pack kept beside the plan, its folder complete before it gets its name; the very same one kept before stays.

    Raises
    ------
    PlanError
        If it was shown before the last day it knows; if another edition of that day is kept, or a file in `packs` is strange.
    ReportError
        If the folder cannot be written.
    """
    if pack.period != pack.year and pack.shown_on < pack.as_of:
        last, day = show(pack.as_of, "date"), show(pack.shown_on, "date")
        raise PlanError.at("--on", f"got {day}, but the pack knows what came up to {last}; give the day it is shown on")
    pack = pack.model_copy(
        update={"files": FrozenDict({name: sha256(each).hexdigest() for name, each in files.items()})}
    )
    folder = real_path(plan_path).parent / FOLDER
    _refuse_links(folder)
    check_folder(folder)
    with alone(folder):
        editions = [each for each in checked_packs(plan_path) if each.pack.is_edition_of(pack)]
        same = [
            each for each in editions if each.pack.pack == pack.pack and pack.files.items() <= each.pack.files.items()
        ]
        if same:
            return same[-1]
        that_day = [each for each in editions if each.pack.shown_on == pack.shown_on]
        if that_day:
            raise PlanError.at(
                f"{FOLDER}/{that_day[0].folder.name}",
                f"is kept as what was shown on {show(pack.shown_on, 'date')}, and is not replaced; keep this one as another "
                f"edition with the day that is shown on, such as --on {pack.shown_on + timedelta(days=1)}",
            )
        with scratch_folder(".revplan-", folder) as scratch:
            made, content = scratch / "pack", _text(pack)
            made.mkdir()
            for name, each in {**files, FIGURES: content}.items():
                (made / name).write_bytes(each)
            target = folder / _folder_name(pack, content)
            made.rename(target)
        return KeptPack(folder=target, pack=pack)


def read_packs(plan_path: Path) -> list[KeptPack]:
    """The packs kept beside the plan, in the order in which they were shown; the printed files are not looked into.

    Raises
    ------
    PlanError
        With everything in `packs` that is no pack as revplan kept it.
    """
    folder = real_path(plan_path).parent / FOLDER
    found: list[KeptPack] = []
    faults: list[Fault] = []
    if not folder.exists() and not folder.is_symlink():
        return []
    _refuse_links(folder)
    for path in _entries(folder):
        try:
            found.append(_read(path))
        except PlanError as error:
            faults += error.faults
    if len(found) > MOST_PACKS:
        faults.append(Fault(FOLDER, f"holds more than {MOST_PACKS:,} packs; take the oldest ones out of the folder"))
    if faults:
        raise PlanError(faults)
    return sorted(found, key=lambda each: (each.pack.shown_on, each.pack.as_of, each.folder.name))


def checked_packs(plan_path: Path) -> list[KeptPack]:
    """The same, every printed file found as it was kept.

    Raises
    ------
    PlanError
        Also with every file that was changed, lost or added.
    """
    found = read_packs(plan_path)
    faults = [fault for each in found for fault in _changed(each)]
    if faults:
        raise PlanError(faults)
    return found


def packs_of(found: Iterable[KeptPack], plan_file: str, year: str = "", segment: str | None = None) -> list[KeptPack]:
    """Those of the plan whose file is called `plan_file`; of one year and one segment (or of none) where these are given."""
    return [
        each
        for each in found
        if each.pack.plan_file == plan_file and year in ("", each.pack.year) and segment in (None, each.pack.segment)
    ]


def figures_copied(plan_path: Path, copy: Path) -> None:
    """Puts the figures of the packs kept beside a plan beside its copy, where they are read without the printed files.

    Raises
    ------
    PlanError
        As `read_packs` does.
    """
    for each in read_packs(plan_path):
        copied(each.folder / FIGURES, copy.parent / FOLDER / each.folder.name / FIGURES, PlanError)


def _refuse_links(folder: Path) -> None:
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise PlanError.at(
            shown_path(folder), "is no folder of its own beside the plan, where packs are kept; take it away"
        )


def _entries(folder: Path) -> Iterator[Path]:
    """What lies in a folder, but for what systems and stopped runs leave."""
    return iter(
        sorted(each for each in folder.iterdir() if not each.name.startswith(".") and each.name not in LEFT_BY_SYSTEMS)
    )


def _read(path: Path) -> KeptPack:
    place = f"{FOLDER}/{shown(path.name)}"
    if path.is_symlink() or not path.is_dir():
        raise PlanError.at(place, f"is no pack that `revplan report ... --keep` kept; {OUT}")
    figures = path / FIGURES
    if not _is_own_file(figures):
        raise PlanError.at(place, f"is no pack: it has no {FIGURES}; {OUT}")
    with told_of(PlanError, f"{place}/{FIGURES}", OUT):
        content = content_of(figures, PlanError, megabytes(MOST_MB), f"{place}/{FIGURES}")
        try:
            pack = Pack.model_validate_json(content)
        except ValidationError as error:
            where = ".".join(map(str, error.errors()[0]["loc"])) or "its form"
            message = f"is not what this version of revplan keeps ({shown(where)}); {OUT}"
            raise PlanError.at(f"{place}/{FIGURES}", message) from None
    if _folder_name(pack, content) != path.name:
        message = f"was changed, or its folder renamed, after it was kept; put both back as they were, or {OUT}"
        raise PlanError.at(f"{place}/{FIGURES}", message)
    return KeptPack(folder=path, pack=pack)


def _is_own_file(path: Path) -> bool:
    return not path.is_symlink() and path.exists() and stat.S_ISREG(path.lstat().st_mode)


def _changed(kept: KeptPack) -> Iterator[Fault]:
    """What is wrong with the printed files of a pack."""
    place, listed = f"{FOLDER}/{kept.folder.name}", kept.pack.files
    there = {each.name: each for each in _entries(kept.folder)}
    for name in listed:
        if name not in there:
            yield Fault(f"{place}/{name}", "is missing; put it back, or take the whole pack out")
        elif not _is_own_file(there[name]) or digest(there[name]) != listed[name]:
            yield Fault(
                f"{place}/{name}", "was changed after it was kept; put it back as it was, or take the whole pack out"
            )
    for name in sorted(set(there) - {*listed, FIGURES}):
        yield Fault(f"{place}/{shown(name)}", "is not of the pack; take it out")
