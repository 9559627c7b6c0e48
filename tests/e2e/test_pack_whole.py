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
from revplan.report.files import written, written_together

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


# --- folders of strangers ------------------------------------------------------------------------------------


def tree(folder: Path) -> dict[str, bytes]:
    """Every file under `folder` and what it holds; a link by where it leads."""
    return {
        str(path.relative_to(folder)): os.readlink(path).encode() if path.is_symlink() else path.read_bytes()
        for path in folder.rglob("*")
        if path.is_symlink() or path.is_file()
    }


@pytest.mark.parametrize("names", [["pack.html"], list(FILES)])
def test_a_link_in_the_place_of_a_finished_pack_moves_nobody_s_files(tmp_path: Path, names: list[str]) -> None:
    mine, out = tmp_path / "mine", tmp_path / "out"
    for folder in (mine, out):
        folder.mkdir()
    (mine / "pack.pdf").write_bytes(b"my own")
    (mine / "letters.txt").write_bytes(b"my own")
    (out / ".revplan-pack.ready").symlink_to(mine, target_is_directory=True)
    if len(names) == 1:
        written_together(out, "pack", dict.fromkeys(names, b"new"))
        assert (out / "pack.html").read_bytes() == b"new"
    else:
        with pytest.raises(PlanError, match=r"\.revplan-pack\.ready: stands where a finished report waits"):
            written_together(out, "pack", dict.fromkeys(names, b"new"))
    assert tree(mine) == {"pack.pdf": b"my own", "letters.txt": b"my own"}
    assert not (out / "letters.txt").exists()


@pytest.mark.parametrize("planted", ["plan.yaml", "pack.yaml", "pack.ipynb", "packed.html"])
def test_only_printings_of_the_pack_are_moved_out_of_a_finished_one(tmp_path: Path, planted: str) -> None:
    (tmp_path / planted).write_bytes(b"my own")
    ready = tmp_path / ".revplan-pack.ready"
    ready.mkdir()
    (ready / planted).write_bytes(b"a stranger's")
    (ready / "pack.pdf").write_bytes(b"a stranger's")
    written_together(tmp_path, "pack", {"pack.html": b"new"})
    assert (tmp_path / planted).read_bytes() == b"my own"
    assert not (tmp_path / "pack.pdf").exists()
    with pytest.raises(PlanError, match="revplan did not make it; take it away"):
        written_together(tmp_path, "pack", dict.fromkeys(FILES, b"new"))


def test_a_link_in_a_finished_pack_is_not_moved_out(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"my own")
    ready = tmp_path / "out" / ".revplan-pack.ready"
    ready.mkdir(parents=True)
    (ready / "pack.pdf").symlink_to(tmp_path / "secret")
    written_together(tmp_path / "out", "pack", {"pack.html": b"new"})
    assert not os.path.lexists(tmp_path / "out" / "pack.pdf")


def test_a_file_that_is_replaced_alone_leaves_a_finished_pack_of_its_name_alone(tmp_path: Path) -> None:
    """`import --write` on plan.yaml, in a folder with a stranger's `.revplan-plan.ready`."""
    ready = tmp_path / ".revplan-plan.ready"
    ready.mkdir()
    (ready / "plan.yaml").write_bytes(b"a stranger's")
    written(tmp_path / "plan.yaml", "mine")
    assert tree(tmp_path) == {"plan.yaml": b"mine", ".revplan-plan.ready/plan.yaml": b"a stranger's"}


def test_only_what_a_killed_run_leaves_is_swept(tmp_path: Path) -> None:
    out, mine = tmp_path / "out", tmp_path / "mine"
    for folder in (out / ".revplan-pack-notes", out / ".revplan-pack-half" / "half", mine):
        folder.mkdir(parents=True)
        (folder / "notes.txt").write_bytes(b"my own")
    (out / ".revplan-pack-link").symlink_to(mine, target_is_directory=True)
    (out / ".revplan-pack-deep" / "half").mkdir(parents=True)
    (out / ".revplan-pack-deep" / "half" / "pack.html").symlink_to(mine / "notes.txt")
    before = tree(tmp_path)
    for path in out.iterdir():
        os.utime(path, (0, 0), follow_symlinks=False)
    os.utime(mine, (0, 0))
    written_together(out, "pack", {"pack.html": b"new"})
    assert tree(tmp_path) == {**before, "out/pack.html": b"new"}
