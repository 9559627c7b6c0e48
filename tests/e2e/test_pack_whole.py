"""Files of a pack replace each other together, whoever is killed when."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from revplan.errors import PlanError, ReportError
from revplan.report.files import written_together

FILES = ("pack.html", "pack.pdf", "pack.pptx", "pack.xlsx")
WRITER = """
import sys
from pathlib import Path
from revplan.report.files import written_together
for stamp in range(10**9):
    content = str(stamp).encode() * 20_000
    written_together(Path(sys.argv[1]), "pack", {name: content for name in sys.argv[2:]})
    print(stamp, flush=True)
"""


def stamps(folder: Path) -> set[bytes]:
    """What the files of the pack hold."""
    return {(folder / name).read_bytes()[:40] for name in FILES if (folder / name).exists()}


def test_a_killed_writer_leaves_one_pack_and_never_a_mixture(tmp_path: Path) -> None:
    chance = random.Random(1)
    for _ in range(10):
        writer = subprocess.Popen([sys.executable, "-c", WRITER, tmp_path, *FILES], stdout=subprocess.PIPE)
        assert writer.stdout is not None
        writer.stdout.readline()
        time.sleep(chance.uniform(0, 0.1))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        assert len(stamps(tmp_path)) == 1 or (tmp_path / ".revplan-pack.ready").is_dir()
        written_together(tmp_path, "other", {"other.html": b"x"})
        written_together(tmp_path, "pack", {})
        assert len(stamps(tmp_path)) == 1


def test_a_pack_stopped_while_it_was_moved_is_completed_by_the_next_run(tmp_path: Path) -> None:
    written_together(tmp_path, "pack", dict.fromkeys(FILES, b"old"))
    ready = tmp_path / ".revplan-pack.ready"
    ready.mkdir()
    for name in FILES[2:]:
        (ready / name).write_bytes(b"new")
    for name in FILES[:2]:
        (tmp_path / name).write_bytes(b"new")
    written_together(tmp_path, "pack", {})
    assert stamps(tmp_path) == {b"new"}
    assert sorted(path.name for path in tmp_path.iterdir()) == list(FILES)


def test_two_that_write_at_once_wait_for_each_other(tmp_path: Path) -> None:
    few = WRITER.replace("10**9", "60")
    both = [subprocess.Popen([sys.executable, "-c", few, tmp_path, *FILES], stdout=subprocess.DEVNULL) for _ in "ab"]
    assert [each.wait() for each in both] == [0, 0]
    assert stamps(tmp_path) == {(b"59" * 20)}
    assert sorted(path.name for path in tmp_path.iterdir()) == list(FILES)


def test_a_file_that_another_program_holds_open_keeps_the_whole_old_pack(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written_together(tmp_path, "pack", dict.fromkeys(FILES, b"old"))
    replace = os.replace

    def as_windows_does(source: Path, target: Path) -> None:
        if Path(target).name == "pack.pptx":
            raise PermissionError(13, "Access is denied")
        replace(source, target)

    monkeypatch.setattr(os, "replace", as_windows_does)
    with pytest.raises(ReportError, match=r"pack\.pptx: is open in another program; close it there and run again$"):
        written_together(tmp_path, "pack", dict.fromkeys(FILES, b"new"))
    assert stamps(tmp_path) == {b"old"}
    assert sorted(path.name for path in tmp_path.iterdir()) == list(FILES)


def test_a_folder_in_the_place_of_a_file_keeps_the_whole_old_pack(tmp_path: Path) -> None:
    (tmp_path / "pack.html").write_bytes(b"old")
    (tmp_path / "pack.pdf").mkdir()
    with pytest.raises(PlanError, match=r"pack\.pdf: is a folder where a file belongs; choose another folder$"):
        written_together(tmp_path, "pack", dict.fromkeys(FILES, b"new"))
    assert (tmp_path / "pack.html").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pack.html", "pack.pdf"]


def test_a_full_disk_keeps_the_whole_old_pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written_together(tmp_path, "pack", dict.fromkeys(FILES, b"old"))
    write = Path.write_bytes

    def until_full(path: Path, content: bytes) -> int:
        if path.name == "pack.pptx":
            write(path, content[:1])
            raise OSError(28, "No space left on device")
        return write(path, content)

    monkeypatch.setattr(Path, "write_bytes", until_full)
    with pytest.raises(ReportError, match=r"cannot be written to \(No space left on device\)"):
        written_together(tmp_path, "pack", dict.fromkeys(FILES, b"new"))
    assert stamps(tmp_path) == {b"old"}
    assert sorted(path.name for path in tmp_path.iterdir()) == list(FILES)


def test_what_a_killed_run_left_half_made_is_swept_up(tmp_path: Path) -> None:
    old, young, other = (tmp_path / f".{name}" for name in ("revplan-pack-old", "revplan-pack-young", "pack-backup"))
    for folder in (old, young, other):
        (folder / "half").mkdir(parents=True)
    for folder in (old, other):
        os.utime(folder, (0, 0))
    written_together(tmp_path, "pack", {"pack.html": b"x"})
    assert sorted(path.name for path in tmp_path.iterdir()) == [".pack-backup", ".revplan-pack-young", "pack.html"]
