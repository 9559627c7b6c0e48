"""Files of strangers, read within limits: how many bytes, rows, cells and seconds, and how to raise each.

A limit is there so that a file that is damaged, endless or made to be so costs no more than about 2 GB
and a minute. Each can be raised by an environment variable, which the message names.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import chdir, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory, gettempdir
from typing import IO, TypeVar

from revplan.ground.errors import DataError, RevplanError, shown

AnyRow = TypeVar("AnyRow", bound=Sequence[object])
LOOK_EVERY = 1_000  # rows between two looks at the clock


@dataclass(frozen=True)
class Limit:
    """How much of a file is read where nobody said otherwise, and the variable that says otherwise."""

    variable: str
    default: int
    unit: str

    @property
    def value(self) -> int:
        """What holds now.

        Raises
        ------
        DataError
            If the variable holds no positive whole number.
        """
        text = os.environ.get(self.variable, "").strip().replace("_", "")
        if not text:
            return self.default
        if not (text.isascii() and text.isdigit() and len(text) < 16 and int(text)):
            raise DataError.at(self.variable, f"got {shown(text)!r}; set it to a positive whole number of {self.unit}")
        return int(text)

    def refusal(self, what: str) -> str:
        """What a file that goes beyond the limit is told: `what` it does, the limit, how to raise it."""
        return f"{what} {self.value:,} {self.unit}; if it is right, set {self.variable} to a larger number"


MEGABYTES = Limit("REVPLAN_MAX_MB", 250, "MB")
ROWS = Limit("REVPLAN_MAX_ROWS", 5_000_000, "rows")
COLUMNS = Limit("REVPLAN_MAX_COLUMNS", 16_384, "columns")
CELLS = Limit("REVPLAN_MAX_CELLS", 20_000_000, "cells")
SECONDS = Limit("REVPLAN_MAX_SECONDS", 60, "seconds")
MEMORY_MB = Limit("REVPLAN_MAX_MEMORY_MB", 1_500, "MB of memory")

SPILL_MB = Limit("REVPLAN_MAX_SPILL_MB", 50_000, "MB of disk")  # for a while, of counts that memory does not hold

PLAN_MB, SIGNED_MB, NOTEBOOK_MB, WORKBOOK_MB, TEMPLATE_MB = 2, 20, 50, 60, 100  # files that no CRM writes are smaller
UNPACKED_MB = 300  # of a workbook: a small file can unpack to more than a machine holds


def megabytes(default: int) -> Limit:
    """The limit of files that have at most `default` MB unless the user says otherwise."""
    return Limit(MEGABYTES.variable, default, MEGABYTES.unit)


def content_of(path: Path, error: type[RevplanError], limit: Limit = MEGABYTES, place: str = "") -> bytes:
    """The bytes of the ordinary file at `path`, which `place` names to a reader (left out: its name).

    A link counts as what it leads to. Devices and pipes are never read, so nothing waits for them.

    Raises
    ------
    OSError
        If there is no such file, or it may not be read.
    RevplanError
        Of the class `error`, if it is no ordinary file or larger than `limit`.
    """
    place = place or shown(path.name)
    most = limit.value * 1_000_000
    found = path.stat()
    _refuse_other_than_files(found, error, place)
    with open(path, "rb", opener=_without_waiting) as file:
        content = file.read(most + 1) if found.st_size <= most else b""
        if found.st_size > most or len(content) > most:
            raise error.at(place, limit.refusal("has more than"))
    return content


def copied(path: Path, copy: Path, error: type[RevplanError]) -> Path:
    """`copy`, which holds what the ordinary file at `path` held; its folder is made if it is missing.

    Raises
    ------
    OSError
        If there is no such file, it may not be read, or there is no room for the copy.
    RevplanError
        Of the class `error`, if it is no ordinary file.
    """
    with open(path, "rb", opener=_without_waiting) as file:
        found = os.fstat(file.fileno())
        _refuse_other_than_files(found, error, shown(path.name))
        copy.parent.mkdir(parents=True, exist_ok=True)
        with copy.open("wb") as into:
            left = found.st_size
            while part := file.read(min(left, 1 << 20)):
                into.write(part)
                left -= len(part)
    return copy


OF_THE_MACHINE = {
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EIO,
    errno.ENOMEM,
    errno.EACCES,
    errno.EPERM,
}
"""What a system refuses whatever a file holds."""


@contextmanager
def told_of(error: type[RevplanError], place: str, cure: str, what: str = "cannot be read") -> Iterator[None]:
    """Whatever surprises a reader in the block becomes the fault of the file it reads: `place`, `what`, why, `cure`.

    A stranger's file can be damaged in more ways than a reader foresees, and the libraries below name no errors of
    their own for most of them. What a reader did foresee, and what the machine refuses, passes as it is.
    """
    try:
        yield
    except (RevplanError, MemoryError):
        raise
    except OSError as fault:
        if fault.errno in OF_THE_MACHINE:
            raise
        raise error.at(place, f"{what} ({shown(fault.strerror or fault)}); {cure}") from None
    except Exception as fault:
        reason = shown(str(fault) or type(fault).__name__)
        raise error.at(place, f"{what} ({reason}); {cure}") from None


def _without_waiting(path: str, flags: int) -> int:
    """A handle of a file; one that became a pipe since it was looked at does not keep us waiting."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def _refuse_other_than_files(found: os.stat_result, error: type[RevplanError], place: str) -> None:
    if stat.S_ISREG(found.st_mode):
        return
    kinds = {stat.S_ISDIR: "a folder", stat.S_ISFIFO: "a pipe", stat.S_ISSOCK: "a socket"}
    kind = next((name for holds, name in kinds.items() if holds(found.st_mode)), "a device")
    raise error.at(place, f"is {kind}, not a file with content; give the file itself")


def within_limits(rows: Iterable[AnyRow], name: str, most_rows: int | None = None) -> Iterator[AnyRow]:
    """`rows` of the table called `name`, one after the other, until they go beyond a limit.

    Raises
    ------
    DataError
        At the first row beyond `most_rows` (left out: ROWS), CELLS or SECONDS.
    """
    limit, cells, deadline = ROWS.value, 0, time.monotonic() + SECONDS.value
    most_cells = CELLS.value
    for number, row in enumerate(rows, start=1):
        cells += len(row)
        if most_rows is not None and limit >= number > most_rows:
            raise DataError.at(name, f"has more than {most_rows:,} rows")
        if number > limit or cells > most_cells:
            refuse_beyond_limits(number, cells, name)
        if number % LOOK_EVERY == 0 and time.monotonic() > deadline:
            raise DataError.at(name, SECONDS.refusal("takes longer to read than"))
        yield row


def within_limits_at_once(batches: Iterable[list[AnyRow]], name: str) -> Iterator[list[AnyRow]]:
    """The same for rows that come `LOOK_EVERY` at a time."""
    number, cells, deadline = 0, 0, time.monotonic() + SECONDS.value
    for rows in batches:
        number += len(rows)
        cells += sum(map(len, rows))
        refuse_beyond_limits(number, cells, name)
        if time.monotonic() > deadline:
            raise DataError.at(name, SECONDS.refusal("takes longer to read than"))
        yield rows


def refuse_beyond_limits(rows: int, cells: int, name: str) -> None:
    """Nothing, where a table called `name` of so many rows and cells is within the limits.

    Raises
    ------
    DataError
        If it is not.
    """
    if rows > ROWS.value:
        raise DataError.at(name, ROWS.refusal("has more than"))
    if cells > CELLS.value:
        raise DataError.at(name, CELLS.refusal("has more than"))


@contextmanager
def stopped_in_time(stop: Callable[[], object]) -> Iterator[Callable[[], bool]]:
    """Calls `stop` when SECONDS have passed in the block; tells whether it did."""
    late = threading.Event()

    def act() -> None:
        late.set()
        stop()

    timer = threading.Timer(SECONDS.value, act)
    timer.daemon = True
    timer.start()
    try:
        yield late.is_set
    finally:
        timer.cancel()


@contextmanager
def within_memory() -> Iterator[None]:
    """No more than MEMORY_MB beyond what is in use can be taken in the block; what takes more fails.

    For engines that run what a stranger wrote and keep their own limit only in part (DuckDB counts blocks of
    a table, not a text of a gigabyte). Windows and macOS know no such limit, and there nothing is done.
    """
    used = _memory_used()
    if used is None:
        yield
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_AS)
    most = used + MEMORY_MB.value * 1_000_000
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (most, hard))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (soft, hard))


def _memory_used() -> int | None:
    """The address space of this process [bytes], where the system tells."""
    try:
        return int(Path("/proc/self/statm").read_text("ascii").split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return None


OWNER = ".revplan-owner"
"""The file by which a folder is known as ours, and by its lock as in use."""

JUST_MADE = 60  # seconds in which a folder without a file may be about to get its owner's


@contextmanager
def scratch_folder(prefix: str, folder: Path | None = None) -> Iterator[Path]:
    """A new folder in `folder` (left out: the system's for temporary files), named from `prefix` on, gone afterwards.

    Those that killed runs left behind go first: the lock on the file in each tells whether somebody still works in it.
    """
    base = folder or Path(gettempdir())
    sweep(base, prefix)
    made = TemporaryDirectory(dir=base, prefix=prefix, ignore_cleanup_errors=True)
    # The owner's file gets its name when it is locked: one found unlocked would be swept by a run that starts beside this one.
    # (Windows renames no open file, nor does it remove one.)
    first = OWNER if sys.platform == "win32" else f"{OWNER}-new"
    with made as place, open(Path(place, first), "wb") as owner:
        _is_locked(owner)
        if first != OWNER:
            Path(place, first).rename(Path(place, OWNER))
        try:
            yield Path(place)
        finally:
            _emptied(Path(place))  # but for the owner's file, by which a folder that was not removed is known


def _emptied(folder: Path) -> None:
    for path in folder.iterdir():
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        elif path.name != OWNER:
            path.unlink(missing_ok=True)


def sweep(base: Path, prefix: str) -> None:
    """Removes the folders in `base`, named from `prefix` on, that killed runs of this user left."""
    with suppress(OSError):
        for path in base.iterdir():
            if path.name.startswith(prefix):
                with suppress(OSError):
                    _removed_if_abandoned(path)


def _removed_if_abandoned(path: Path) -> None:
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != getattr(os, "getuid", lambda: found.st_uid)():
        return  # a link, a file, or somebody else's
    owner = path / OWNER
    if not os.path.lexists(owner):
        files = any(
            (each.is_symlink() or not each.is_dir()) and each.name != f"{OWNER}-new" for each in path.rglob("*")
        )
        if not files and time.time() - found.st_mtime > JUST_MADE:
            shutil.rmtree(path, ignore_errors=True)
        return
    if not stat.S_ISREG(owner.lstat().st_mode):
        return
    with open(owner, "rb+") as file:
        free = _is_locked(file)
    if free:
        shutil.rmtree(path, ignore_errors=True)


def _is_locked(file: IO[bytes]) -> bool:
    """Whether the lock on `file` could be had: it is held until the file is closed, by us or by the system."""
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


@contextmanager
def own_folder() -> Iterator[None]:
    """While it lasts, the current folder is an empty one of ours, and Python imports nothing from it.

    The folder a command is called in may be a stranger's, and programs look there for settings and modules.
    """
    before = os.environ.get("PYTHONSAFEPATH")
    with scratch_folder("revplan-") as empty, chdir(empty):
        os.environ["PYTHONSAFEPATH"] = "1"
        try:
            yield
        finally:
            if before is None:
                del os.environ["PYTHONSAFEPATH"]
            else:
                os.environ["PYTHONSAFEPATH"] = before
