"""The wheel alone does the main job: installed as `pip install revplan` does it, without a single extra.

Nothing is fetched. The packages that the wheel's own requirements name, and those that these name, are linked into
the new environment from the one the tests run in; a package that is imported and not declared is not there.
"""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import venv
import zipfile
from collections.abc import Iterator
from email.parser import Parser
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
SITE = "lib/site-packages" if sys.platform == "win32" else f"lib/python3.{sys.version_info[1]}/site-packages"


def required(lines: list[str], extras: frozenset[str], known: set[tuple[str, frozenset[str]]]) -> Iterator[str]:
    """What pip installs for the requirements in `lines` and theirs, each distribution by its name."""
    for line in lines:
        wanted = Requirement(line)
        markers = [{"extra": extra} for extra in extras or {""}]
        key = (canonicalize_name(wanted.name), frozenset(wanted.extras))
        if key in known or (wanted.marker and not any(wanted.marker.evaluate(each) for each in markers)):
            continue
        known.add(key)
        yield key[0]
        yield from required(distribution(wanted.name).requires or [], key[1], known)


def link(name: str, site: Path) -> None:
    """The files of an installed distribution, in another environment too; its scripts and data files are left out."""
    installed = distribution(name)
    for top in {file.parts[0] for file in installed.files or [] if file.parts[0] not in ("..", "__pycache__")}:
        target = site / top
        if not target.exists():
            target.symlink_to(Path(str(installed.locate_file(top))).resolve())


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from this folder."""
    folder = tmp_path_factory.mktemp("dist")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    done = subprocess.run(build, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (made,) = folder.glob("*.whl")
    return made


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment that holds the wheel and what it requires."""
    folder = tmp_path_factory.mktemp("bare")
    venv.create(folder, symlinks=sys.platform != "win32")
    site = folder / SITE
    with zipfile.ZipFile(wheel) as archive:
        (metadata,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        lines = Parser().parsestr(archive.read(metadata).decode()).get_all("Requires-Dist", [])
        archive.extractall(site)
    for name in required(lines, frozenset(), set()):
        link(name, site)
    return folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")


def revplan(python: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """What `revplan` does with `words`, called in `folder` without anything of this checkout."""
    command = [str(python), "-P", "-m", "revplan", *words]
    environment = {"PATH": str(python.parent), "HOME": str(folder)}  # compiled once, not at each start
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def workspace(bare: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that `revplan init` filled."""
    folder = tmp_path_factory.mktemp("plans")
    made = revplan(bare, folder, "init", "mine")
    assert made.returncode == 0, made.stderr
    return folder / "mine"


def test_nothing_optional_is_there(bare: Path) -> None:
    """Else the tests below show nothing."""
    assert (
        sysconfig.get_path("purelib")
        not in subprocess.run([str(bare), "-c", "import sys; print(sys.path)"], capture_output=True, text=True).stdout
    )
    for module in ("pptx", "xlsxwriter", "voila", "psycopg", "pytest", "nbval"):
        assert subprocess.run([str(bare), "-c", f"import {module}"], capture_output=True).returncode == 1, module


def test_the_report_is_made(bare: Path, workspace: Path) -> None:
    asked = ["report", "annual_commit", "plan.yaml", "--formats", "html,pdf", "--out", "reports"]
    for words in (["check", "plan.yaml"], ["simulate", "plan.yaml", "--trials", "500"], asked):
        done = revplan(bare, workspace, *words)
        assert done.returncode == 0, (words, done.stderr)
    assert "<h1" in (workspace / "reports" / "annual_commit.html").read_text(encoding="utf-8")
    assert (workspace / "reports" / "annual_commit.pdf").read_bytes().startswith(b"%PDF")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["report", "annual_commit", "plan.yaml", "--formats", "pptx,xlsx", "--out", "none"], "'revplan[deck,excel]'"),
        (["app", "plan.yaml", "--no-browser"], "'revplan[app]'"),
    ],
)
def test_what_needs_more_says_so_at_once(bare: Path, workspace: Path, words: list[str], told: str) -> None:
    done = revplan(bare, workspace, *words)
    assert done.returncode == 1
    assert done.stderr.endswith(f"; pip install {told}\n")
    assert "cell" not in done.stderr
    assert not (workspace / "none").exists()
