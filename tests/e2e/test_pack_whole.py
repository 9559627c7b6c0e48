"""Files of a pack replace each other together, whoever is killed when."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from revplan.ground.errors import PlanError, ReportError
from revplan.ground.files import scratch_folder
from revplan.ground.written import checked_packs, written, written_together

FILES = ("pack.html", "pack.pdf", "pack.pptx", "pack.xlsx")
WRITER = """
import sys
from pathlib import Path
from revplan.ground.files import scratch_folder
from revplan.ground.written import checked_packs, written, written_together
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
    stored: list[int] = []

    def until_full(place: int) -> None:
        stored.append(place)
        if len(stored) == 3:
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", until_full)
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


# --- every point at which it can be killed -------------------------------------------------------------------

KILLED = """
import os, sys
from pathlib import Path
from revplan.ground.written import written_together
at, folder, files = int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:]
seen = 0

def stopped(event, given):
    global seen
    if event in {"open", "os.rename", "os.link", "os.mkdir", "os.rmdir", "os.remove", "os.chmod", "os.chown"}:
        seen += 1
        if seen == at:
            os._exit(9)

sys.addaudithook(stopped)
written_together(folder, "pack", {name: b"new " + name.encode() for name in files}, "newnew")
os._exit(0)
"""


def state(folder: Path) -> str:
    """Which pack lies in `folder`: old, new, or a mixture, by what the files hold."""
    found = {(folder / name).read_bytes()[:3] for name in FILES}
    return found.pop().decode() if len(found) == 1 else "mixed"


def test_wherever_the_writer_is_killed_what_lies_there_is_told_and_mended(tmp_path: Path) -> None:
    """Killed before each of its calls to the system, one after the other, until it is through."""
    states = []
    for at in range(1, 200):
        folder = tmp_path / str(at)
        folder.mkdir()
        written_together(folder, "pack", {name: b"old " + name.encode() for name in FILES}, "oldold")
        code = subprocess.run([sys.executable, "-c", KILLED, str(at), folder, *FILES], check=False).returncode
        found = state(folder)
        states.append(found)
        assert code in (0, 9)
        assert told(folder) == {"old": "oldold", "new": "newnew", "mixed": "mixed"}[found]
        for path in folder.iterdir():
            if path.is_dir() and all(each.name.endswith("-new") for each in path.iterdir()):
                os.utime(path, (0, 0))  # one that was to get its owner's file at once
        written_together(folder, "pack", {name: b"end " + name.encode() for name in FILES}, "endend")
        assert (state(folder), told(folder)) == ("end", "endend")
        assert sorted(path.name for path in folder.iterdir()) == [".revplan-pack.pack", *FILES]
        if code == 0:
            break
    assert code == 0
    assert {"old", "mixed", "new"} == set(states)


def told(folder: Path) -> str:
    """What a reader is told of the pack: its id, or that it is mixed."""
    try:
        (line,) = checked_packs(folder)
    except PlanError as error:
        return "mixed" if all("is not of pack" in fault.message for fault in error.faults) else str(error)
    return line.split("pack ")[-1].split(":")[0]


def test_a_file_of_somebody_else_keeps_the_whole_old_pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The third cannot be replaced, which shows only when it is tried; the two before it are put back."""
    for name in FILES:
        (tmp_path / name).write_bytes(b"old")
    replace = os.replace

    def as_a_sticky_folder_does(source: Path, target: Path) -> None:
        if Path(target).name == "pack.pptx" and Path(source) != Path(target):
            raise PermissionError(1, "Operation not permitted")
        replace(source, target)

    monkeypatch.setattr(os, "replace", as_a_sticky_folder_does)
    with pytest.raises(ReportError, match=r"pack\.pptx: cannot be replaced: .* belongs to somebody else"):
        written_together(tmp_path, "pack", dict.fromkeys(FILES, b"new"), "newnew")
    assert stamps(tmp_path) == {b"old"}
    assert sorted(path.name for path in tmp_path.iterdir()) == list(FILES)


@pytest.mark.skipif(sys.platform == "win32" or os.getuid() != 0, reason="only root may act for three people")
def test_a_shared_folder_with_a_file_of_a_colleague_keeps_the_whole_old_pack(tmp_path: Path) -> None:
    written_together(tmp_path, "warm", {"warm.html": b"x"})  # everything is imported while it can be read
    shared = Path(tempfile.mkdtemp())  # below no folder of root's alone
    for name in FILES:
        (shared / name).write_bytes(b"old")
        os.chown(shared / name, 1002 if name == "pack.pptx" else 1003, -1)
    os.chown(shared, 1001, -1)
    shared.chmod(0o1777)
    child = os.fork()
    if child == 0:
        os.setuid(1003)
        try:
            written_together(shared, "pack", dict.fromkeys(FILES, b"new"), "newnew")
        except ReportError as error:
            os.write(2, str(error).encode())
            os._exit(7 if "pack.pptx" in str(error) else 8)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    assert stamps(shared) == {b"old"}
    assert sorted(path.name for path in shared.iterdir()) == list(FILES)
    shutil.rmtree(shared)


def test_a_file_of_another_run_beside_a_pack_is_told(tmp_path: Path) -> None:
    written_together(tmp_path, "pack", dict.fromkeys(FILES, b"old"), "oldold")
    written_together(tmp_path, "pack", {"pack.html": b"new"}, "newnew")
    with pytest.raises(PlanError, match=r"pack\.pdf: is not of pack newnew"):
        checked_packs(tmp_path)
    written_together(tmp_path, "pack", dict.fromkeys(FILES[1:], b"new"), "newnew")
    assert "whole" in checked_packs(tmp_path)[0]  # printed one after the other, and of one pack
    (tmp_path / "empty").mkdir()
    with pytest.raises(PlanError, match="without a report"):
        checked_packs(tmp_path / "empty")


# --- one file ------------------------------------------------------------------------------------------------


def test_a_file_written_anew_keeps_its_mode_and_its_links(tmp_path: Path) -> None:
    real = tmp_path / "real" / "plan.yaml"
    real.parent.mkdir()
    real.write_text("old", encoding="utf-8")
    real.chmod(0o600)
    link, second = tmp_path / "plan.yaml", tmp_path / "second.yaml"
    link.symlink_to(real)
    written(link, "new")
    assert link.is_symlink()
    assert (real.read_text(encoding="utf-8"), real.stat().st_mode & 0o777) == ("new", 0o600)
    os.link(real, second)
    written(real, "newer still")
    assert second.read_text(encoding="utf-8") == "newer still"
    assert sorted(path.name for path in real.parent.iterdir()) == ["plan.yaml"]


# --- leftovers -----------------------------------------------------------------------------------------------

WORKING = """
import sys, time
from pathlib import Path
from revplan.ground.files import scratch_folder
with scratch_folder(".signing-", Path(sys.argv[1])) as made:
    print(made.name, flush=True)
    time.sleep(60)
"""


def test_what_killed_runs_left_goes_and_what_is_in_use_or_not_ours_stays(tmp_path: Path) -> None:
    workers = [
        subprocess.Popen([sys.executable, "-c", WORKING, tmp_path], stdout=subprocess.PIPE, text=True) for _ in "ab"
    ]
    dead, alive = (worker.stdout.readline().strip() for worker in workers if worker.stdout)
    workers[0].kill()
    workers[0].wait()
    (tmp_path / ".signing-mine").mkdir()
    (tmp_path / ".signing-mine" / "letter.txt").write_text("keep me", encoding="utf-8")
    os.utime(tmp_path / ".signing-mine", (0, 0))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / ".revplan-owner").touch()
    (tmp_path / ".signing-link").symlink_to(elsewhere)
    try:
        with scratch_folder(".signing-", tmp_path):
            left = {path.name for path in tmp_path.iterdir()}
        assert dead not in left
        assert {alive, ".signing-mine", ".signing-link", "elsewhere"} <= left
        assert elsewhere.is_dir()
    finally:
        for worker in workers:
            worker.kill()
            worker.wait()
            if worker.stdout:
                worker.stdout.close()
