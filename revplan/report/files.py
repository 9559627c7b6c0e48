"""Notebooks read and reports written: whole, or not at all."""

from __future__ import annotations

import glob
import os
import shutil
import stat
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import Any

from revplan.errors import PlanError, ReportError, RevplanError, shown
from revplan.files import NOTEBOOK_MB, content_of, megabytes

PACKAGE = Path(__file__).resolve().parents[1]
"""The folder of revplan itself."""

ABANDONED = 3600
"""Seconds after which a half-made pack belongs to nobody any more."""

PRINTED = (".html", ".pdf", ".pptx", ".xlsx", ".png")
"""What the files of a pack end with."""

REPOSITORY = PACKAGE.parent if (PACKAGE.parent / "pyproject.toml").is_file() else None
"""The checkout revplan runs from; None where it is installed."""


def notebook_in(path: Path) -> Any:
    """The notebook in `path`, in the current notebook format.

    Raises
    ------
    ReportError
        If the file cannot be read as one.
    """
    import nbformat

    try:
        content = content_of(path, ReportError, megabytes(NOTEBOOK_MB), shown_path(path))
        return nbformat.reads(content.decode("utf-8"), as_version=4)  # type: ignore[no-untyped-call]
    except ReportError:
        raise
    except OSError as error:
        raise ReportError.at(shown_path(path), f"cannot be read ({error.strerror}); check who may read it") from None
    except Exception as error:  # nbformat raises whatever it meets, down to KeyError
        reason = shown(error or type(error).__name__)
        raise ReportError.at(shown_path(path), f"is not a notebook ({reason}); save it again from Jupyter") from None


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


def written(path: Path, text: str) -> Path:
    """`path`, which now holds `text`: until the last moment it held what it held before.

    Raises
    ------
    ReportError
        If it cannot be written; its earlier content is kept.
    """
    return written_together(path.parent, path.stem, {path.name: text.encode("utf-8")})[0]


def written_together(folder: Path, name: str, contents: Mapping[str, bytes]) -> list[Path]:
    """Files of `folder` that replace their earlier versions together: the pack called `name`.

    All are made in a folder of their own, which gets its final name once it is complete; then
    they are moved out of it. Whoever is stopped before leaves the old pack; whoever is stopped
    while moving is helped out by the next run of the same pack. Two that write at once wait for
    each other.

    Raises
    ------
    PlanError
        If a folder stands where a file belongs.
    ReportError
        If they cannot be written; the earlier files are kept.
    """
    ready = folder / f".revplan-{name}.ready"
    with _writing(folder), _alone(folder):
        if _is_ours(ready, name, PRINTED):
            _move_out(ready, folder)
        _sweep(folder, name)
        with TemporaryDirectory(dir=folder, prefix=f".revplan-{name}-", ignore_cleanup_errors=True) as scratch:
            half = Path(scratch) / "half"
            half.mkdir()
            for file, content in contents.items():
                (half / file).write_bytes(content)
            if len(contents) == 1:  # one file is replaced in one step, and no run of later has anything to complete
                _move_out(half, folder)
                half.mkdir()
            elif os.path.lexists(ready):
                message = "stands where a finished report waits to be moved, and revplan did not make it; take it away"
                raise PlanError.at(shown_path(ready), message)
            elif contents:
                half.rename(ready)
                _publish(ready, folder, len(contents))
    return [folder / file for file in contents]


def _is_ours(path: Path, name: str, suffixes: Collection[str]) -> bool:
    """Whether `path` is what a run of the pack `name` leaves: a real folder with nothing but files of that pack.

    A folder may come from a stranger: a link in it could lead to anybody's files, and other files are not ours.
    """
    if not os.path.lexists(path) or path.is_symlink() or not path.is_dir():
        return False
    if hasattr(os, "getuid") and path.lstat().st_uid != os.getuid():
        return False
    return all(
        stat.S_ISREG(each.lstat().st_mode)
        and each.name.startswith(f"{name}.")
        and (not suffixes or each.name.removeprefix(name) in suffixes)
        for each in path.iterdir()
    )


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """While it lasts nobody else writes a pack into `folder`; where locks are not known, nobody is kept off."""
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


def _sweep(folder: Path, name: str) -> None:
    """Removes what runs of the same pack that were killed long ago left half made."""
    for path in folder.glob(f".revplan-{glob.escape(name)}-*"):
        half = path / "half"
        known = _is_ours(half, name, ()) or not os.path.lexists(half)
        if path.is_symlink() or not path.is_dir() or not known or any(each != half for each in path.iterdir()):
            continue
        if time.time() - path.lstat().st_mtime > ABANDONED:
            shutil.rmtree(path, ignore_errors=True)


def _publish(ready: Path, folder: Path, count: int) -> None:
    """Moves a complete pack of `count` files out; where not even the first can be moved, none is kept."""
    try:
        _move_out(ready, folder)
    except (OSError, RevplanError):
        if len(list(ready.iterdir())) == count:
            shutil.rmtree(ready)
        raise


def _move_out(ready: Path, folder: Path) -> None:
    """Moves the files of a complete pack to where they belong."""
    files = sorted(ready.iterdir())
    for path in files:
        _check_free(folder / path.name)
    for path in files:
        os.replace(path, folder / path.name)
    ready.rmdir()


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
