"""Files written whole, or not at all: one, or the printings of a report together."""

from __future__ import annotations

import glob
import json
import os
import shutil
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from pathlib import Path
from tempfile import NamedTemporaryFile

from revplan.ground.errors import Fault, PlanError, ReportError, RevplanError, shown
from revplan.ground.files import content_of, megabytes, scratch_folder, told_of

ENDINGS = (".html", ".pdf", ".pptx", ".xlsx")
"""Of the printings of a report."""

PRINTED = (*ENDINGS, ".png", ".csv", ".txt", ".eml", ".json", ".slack.json", ".history.csv")
"""The same, and of pictures, and of what a morning's run writes."""


def check_folder(folder: Path) -> None:
    """That files can be made in `folder`; it is made if it is missing.

    Raises
    ------
    PlanError
        If it is a file, or lies in one.
    ReportError
        If it may not be written to.
    """
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=folder, prefix=".revplan-"):
            pass


def check_file(path: Path) -> None:
    """That a file can be written at `path`; its folder is made if it is missing.

    Raises
    ------
    PlanError
        If a folder is there, or its folder is a file.
    ReportError
        If the folder may not be written to.
    """
    if path.is_dir():
        raise PlanError.at(shown_path(path), "is a folder; name a file in it")
    check_folder(path.parent)


def written(path: Path, content: str | bytes) -> Path:
    """`path`, which now holds `content`: until the last moment it held what it held before.

    What else is known of it stays: links lead there as before, and who may read it is who might before. A file with
    several names is written where it lies, for all of them.

    Raises
    ------
    PlanError
        If a folder stands there.
    ReportError
        If it cannot be written; its earlier content is kept.
    """
    real, raw = Path(os.path.realpath(path)), content if isinstance(content, bytes) else content.encode("utf-8")
    with _writing(real.parent), scratch_folder(".revplan-", real.parent) as scratch:
        new = scratch / real.name
        _stored(new, raw)
        _check_free(real)
        if real.exists() and real.stat().st_nlink > 1:
            _written_over(real, raw)
        else:
            _take_place(new, real)
    return path


def written_together(folder: Path, name: str, contents: Mapping[str, bytes], pack: str = "") -> list[Path]:
    """Files of `folder` that replace their earlier versions together: the pack called `name`.

    All are made in a folder of their own, which gets its final name once it is complete and stored; then
    they are moved out of it, and with them, as the last, the list of what belongs together. Whoever is stopped
    before leaves the old pack; whoever is stopped while moving leaves files that the list tells apart
    (`checked_packs`), and is helped out by the next run of the same pack. Where one file cannot be replaced,
    those before it are put back. Two that write at once wait for each other.

    Parameters
    ----------
    folder, name
        Where, and what the files are called but for their endings.
    contents
        Each file's content.
    pack
        The id that the files carry; without one no list is kept.

    Raises
    ------
    PlanError
        If a folder stands where a file belongs.
    ReportError
        If they cannot be written; the earlier files are kept.
    """
    with _writing(folder), in_turn(folder, name):
        return replaced_together(folder, name, contents, pack)


@contextmanager
def in_turn(folder: Path, name: str) -> Iterator[None]:
    """While it lasts nobody else writes the pack `name`; what a run of it that was stopped left is completed first.

    For whoever reads what the last run wrote in order to write on: `replaced_together` then takes what is to be written.
    """
    with alone(folder):
        with _writing(folder):
            ready = _ready(folder, name)
            if _is_ours(ready, name):
                _move_out(ready, folder, name)
        yield


def replaced_together(folder: Path, name: str, contents: Mapping[str, bytes], pack: str = "") -> list[Path]:
    """What `written_together` does, for whoever is `in_turn`."""
    ready = _ready(folder, name)
    with _writing(folder), scratch_folder(f".revplan-{name}-", folder) as scratch:
        half = scratch / "half"
        half.mkdir()
        for file, content in contents.items():
            _stored(half / file, content)
        if pack:
            _stored(half / _list_name(name), _listed(pack, contents, folder / _list_name(name)))
        _synced(half)
        if len(contents) == 1 and not pack:  # replaced in one step: no later run has anything to complete
            _move_out(half, folder, name)
        elif contents and os.path.lexists(ready):
            message = "stands where a finished report waits to be moved, and revplan did not make it; take it away"
            raise PlanError.at(shown_path(ready), message)
        elif contents:
            half.rename(ready)
            _synced(folder)
            _move_out(ready, folder, name, keep=False)
    return [folder / file for file in contents]


def _ready(folder: Path, name: str) -> Path:
    """Where a complete pack waits to be moved."""
    return folder / f".revplan-{name}.ready"


def _is_ours(path: Path, name: str) -> bool:
    """Whether `path` is what a run of the pack `name` leaves: a real folder with nothing but files of that pack.

    A folder may come from a stranger: a link in it could lead to anybody's files, and other files are not ours.
    """
    if not os.path.lexists(path) or path.is_symlink() or not path.is_dir():
        return False
    if hasattr(os, "getuid") and path.lstat().st_uid != os.getuid():
        return False
    ours = {*(f"{name}{ending}" for ending in PRINTED), _list_name(name)}
    return all(stat.S_ISREG(each.lstat().st_mode) and each.name in ours for each in path.iterdir())


def _list_name(name: str) -> str:
    return f".revplan-{name}.pack"


def _listed(pack: str, contents: Mapping[str, bytes], before: Path) -> bytes:
    """The list of what belongs together; files of the same pack that were printed before still do."""
    files = {file: sha256(content).hexdigest() for file, content in contents.items()}
    with suppress(OSError, ValueError, KeyError, TypeError, RevplanError):
        earlier = json.loads(content_of(before, PlanError, megabytes(1)))
        files = {**dict(earlier["files"]), **files} if earlier["pack"] == pack else files
    return (json.dumps({"pack": pack, "files": files}, indent=1) + "\n").encode("utf-8")


def checked_packs(folder: Path) -> list[str]:
    """What is in each pack that revplan wrote into `folder`, in words.

    Raises
    ------
    PlanError
        If there is none, or with every file that is not of the pack it lies in: left by a run that was stopped, made by
        another run, or changed since.
    """
    lists = sorted(folder.glob(".revplan-*.pack"))
    if not lists:
        raise PlanError.at(
            shown_path(folder), "is a folder without a report of revplan; give a plan file, or a folder of reports"
        )
    told, faults = [], []
    for path in lists:
        name = path.name.removeprefix(".revplan-").removesuffix(".pack")
        beside = {each.name for each in folder.glob(f"{glob.escape(name)}.*") if each.suffix in ENDINGS}
        moving = _ready(folder, name) / path.name  # of a run stopped when all but this was moved
        wrong: list[str] = []
        for each in (path, moving):
            if each.is_file() and (wrong or each == path):
                with told_of(PlanError, shown(path.name), f"run `revplan report {shown(name)}` again"):
                    listed = json.loads(content_of(each, PlanError, megabytes(1)))
                    files, pack = dict(listed["files"]), str(listed["pack"])
                among = sorted({*files, *beside})
                wrong = [file for file in among if not _is_as_listed(folder / file, files.get(file))]
        cure = f"run `revplan report {shown(name)}` again with all formats"
        faults += [
            Fault(shown(file), f"is not of pack {shown(pack)}, as the other files are; {cure}") for file in wrong
        ]
        told.append(f"{shown(name)}: whole, pack {shown(pack)}: {', '.join(shown(file) for file in files)}")
    if faults:
        raise PlanError(faults)
    return told


def _is_as_listed(path: Path, digest: str | None) -> bool:
    try:
        return digest == sha256(path.read_bytes()).hexdigest()
    except OSError:
        return False


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """While it lasts nobody else who asks for it writes into `folder`; where locks are not known, nobody is kept off."""
    if sys.platform == "win32":
        import msvcrt

        with (folder / ".revplan.lock").open("wb") as file:
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)
            yield
        return
    import fcntl

    place = os.open(folder, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(place, fcntl.LOCK_EX)
        yield
    finally:
        os.close(place)


def _stored(path: Path, content: bytes) -> None:
    """Writes a new file and waits until it is on the disk: a name must never point at what a power cut lost."""
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _synced(folder: Path) -> None:
    """Waits until the names in `folder` are on the disk, where the system knows how."""
    if sys.platform != "win32":
        place = os.open(folder, os.O_RDONLY)
        with suppress(OSError):
            os.fsync(place)
        os.close(place)


def _move_out(ready: Path, folder: Path, name: str, *, keep: bool = True) -> None:
    """Moves the files of a complete pack to where they belong, or none of them; its list is the last.

    Where one cannot be moved, those moved before are put back; the rest stays for another run if `keep`, and goes
    otherwise.
    """
    files = sorted(ready.iterdir(), key=lambda path: (path.name == _list_name(name), path.name))
    with scratch_folder(f".revplan-{name}-", folder) as before:
        moved: list[Path] = []
        try:
            for path in files:
                _check_free(folder / path.name)
            for path in files:
                target = folder / path.name
                if target.exists():
                    _kept(target, before / path.name)
                _take_place(path, target)
                moved.append(target)
        except (OSError, RevplanError):
            for target in reversed(moved):
                _put_back(before / target.name, target)
            if not keep:
                shutil.rmtree(ready, ignore_errors=True)
            raise
        _synced(folder)
    shutil.rmtree(ready, ignore_errors=True)


def _written_over(path: Path, content: bytes) -> None:
    with path.open("r+b") as file:
        file.write(content)
        file.truncate()
        file.flush()
        os.fsync(file.fileno())


def _kept(target: Path, copy: Path) -> None:
    """What is about to be replaced, by a second name; a copy where the disk knows no such thing."""
    try:
        os.link(target, copy)
    except OSError:
        shutil.copy2(target, copy)


def _put_back(copy: Path, target: Path) -> None:
    if copy.exists():
        os.replace(copy, target)
    else:
        target.unlink(missing_ok=True)


def _take_place(new: Path, target: Path) -> None:
    """`new` under the name `target`: with the mode and the owner of what was there."""
    try:
        was = target.stat()
    except FileNotFoundError:
        os.replace(new, target)
        return
    os.chmod(new, stat.S_IMODE(was.st_mode))
    if sys.platform != "win32":
        with suppress(OSError):  # only some may give a file away; then it is ours
            os.chown(new, was.st_uid, was.st_gid)
    try:
        os.replace(new, target)
    except PermissionError:
        message = "cannot be replaced: it is open in another program, or belongs to somebody else; close it, or choose another folder"
        raise ReportError.at(shown_path(target), message) from None


def _check_free(path: Path) -> None:
    """That the file at `path` can be replaced: Windows refuses to move what another program holds open."""
    if path.is_dir():
        raise PlanError.at(shown_path(path), "is a folder where a file belongs; choose another folder")
    try:
        with suppress(FileNotFoundError):
            os.replace(path, path)
    except PermissionError:
        raise ReportError.at(shown_path(path), "is open in another program; close it there and run again") from None


def shown_path(path: Path) -> str:
    """A path in a message: whole, without control characters."""
    return "".join(c if c.isprintable() else "?" for c in str(path))


def unreadable(path: Path, error: OSError) -> RevplanError:
    """The fault of a file that is there and cannot be read."""
    return ReportError.at(shown_path(path), f"cannot be read ({error.strerror or error}); check who may read it")


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except FileExistsError:
        raise PlanError.at(shown_path(folder), "is a file, not a folder; choose another folder") from None
    except NotADirectoryError:
        raise PlanError.at(shown_path(folder), "lies in what is a file, not a folder; choose another folder") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise ReportError.at(shown_path(folder), f"cannot be written to ({reason}); choose another folder") from None
