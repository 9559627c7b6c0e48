"""Files of a pack replace each other together, whoever is killed when."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

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
        assert len(stamps(tmp_path)) == 1 or (tmp_path / ".pack.ready").is_dir()
        written_together(tmp_path, "other", {"other.html": b"x"})
        written_together(tmp_path, "pack", {})
        assert len(stamps(tmp_path)) == 1


def test_a_pack_stopped_while_it_was_moved_is_completed_by_the_next_run(tmp_path: Path) -> None:
    written_together(tmp_path, "pack", dict.fromkeys(FILES, b"old"))
    ready = tmp_path / ".pack.ready"
    ready.mkdir()
    for name in FILES[2:]:
        (ready / name).write_bytes(b"new")
    for name in FILES[:2]:
        (tmp_path / name).write_bytes(b"new")
    written_together(tmp_path, "pack", {})
    assert stamps(tmp_path) == {b"new"}
    assert sorted(path.name for path in tmp_path.iterdir()) == list(FILES)


def test_what_a_killed_run_left_half_made_is_swept_up(tmp_path: Path) -> None:
    old, young = tmp_path / ".pack-old", tmp_path / ".pack-young"
    for folder in (old, young):
        (folder / "half").mkdir(parents=True)
    os.utime(old, (0, 0))
    written_together(tmp_path, "pack", {"pack.html": b"x"})
    assert sorted(path.name for path in tmp_path.iterdir()) == [".pack-young", "pack.html"]
