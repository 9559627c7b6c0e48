"""A command run inside a stranger's folder runs nothing of theirs, and reads nothing but what was named.

Every file that Python, Jupyter, IPython, nbconvert, voila, matplotlib, fontconfig or typst look for is planted
in one folder that is the current folder, the plan's and the output's at once. A module planted there leaves a mark
when it is imported, and an audit hook in every Python that is started writes down what is opened.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from datetime import date, timedelta
from http.cookiejar import CookieJar
from pathlib import Path
from urllib.parse import urljoin
from urllib.request import HTTPCookieProcessor, build_opener

import pytest
from one_source import CRM, PLAN

ROOT = Path(__file__).resolve().parents[2]
DAYS = [date(2026, 11, 14) - timedelta(days=4 * number) for number in range(180)]
LEADS = "id,lead,sql,won\n" + "".join(
    f"{number},{lead},{lead + timedelta(days=9) if number > 3 else ''},{lead + timedelta(days=60) if number > 16 and number % 3 else ''}\n"
    for number, lead in enumerate(DAYS)
)
NAMED = {"plan.yaml", "crm.yaml", "leads.csv"}

MODULES = [
    "multiprocessing",
    "argparse",
    "json",
    "pickle",
    "sitecustomize",
    "usercustomize",
    "pandas",
    "numpy",
    "matplotlib",
    "scipy",
    "pydantic",
    "ruamel",
    "yaml",
    "papermill",
    "nbclient",
    "nbformat",
    "nbconvert",
    "jinja2",
    "mistune",
    "IPython",
    "ipykernel",
    "ipykernel_launcher",
    "traitlets",
    "jupyter_client",
    "jupyter_core",
    "voila",
    "tornado",
    "typst",
    "duckdb",
    "sqlglot",
    "openpyxl",
    "pptx",
    "webbrowser",
    "concurrent",
    "tempfile",
    "zmq",
]
RUN = "import pathlib, os\npathlib.Path({mark!r}, os.path.basename(__file__)).write_text('ran')\n"
CONFIGS = [
    "jupyter_config.py",
    "jupyter_server_config.py",
    "jupyter_notebook_config.py",
    "jupyter_nbconvert_config.py",
    "jupyter_lab_config.py",
    "jupyter_application_config.py",
    "voila_config.py",
    "ipython_config.py",
    "ipython_kernel_config.py",
    "papermill_config.py",
    ".jupyter/jupyter_config.py",
    ".ipython/profile_default/ipython_config.py",
    ".ipython/profile_default/startup/00.py",
    "profile_default/ipython_config.py",
    "profile_default/startup/00.py",
    "etc/jupyter/jupyter_config.py",
    "startup/00.py",
    "conftest.py",
]
COMMAND = "touch {mark}/shell"
CONF = {"preprocessors": {"1": {"type": "subprocess.Popen", "args": COMMAND, "shell": True}}}
TEXTS = {
    "conf.json": json.dumps(CONF),
    "nbconvert/templates/evil/conf.json": json.dumps(CONF),
    "share/jupyter/nbconvert/templates/evil/conf.json": json.dumps(CONF),
    "page.html.j2": "stranger's page",
    "index.html.j2": "stranger's page",
    "templates/page.html.j2": "stranger's page",
    "voila.json": json.dumps({"VoilaConfiguration": {"enable_nbextensions": True}}),
    "jupyter_config.json": json.dumps({"Voila": {"ip": "0.0.0.0"}}),
    "kernel.json": json.dumps({"argv": ["sh", "-c", COMMAND], "language": "python"}),
    "kernels/python3/kernel.json": json.dumps({"argv": ["sh", "-c", COMMAND], "language": "python"}),
    "share/jupyter/kernels/python3/kernel.json": json.dumps({"argv": ["sh", "-c", COMMAND], "language": "python"}),
    "matplotlibrc": "axes.facecolor: ff0000\nbackend: module://matplotlib_evil\n",
    ".matplotlib/matplotlibrc": "axes.facecolor: ff0000\n",
    "chart.json": "{}",
    ".env": "PYTHONSTARTUP=startup/00.py\n",
    "fonts.conf": "<fontconfig><dir>.</dir></fontconfig>",
    ".config/fontconfig/fonts.conf": "<fontconfig><dir>.</dir></fontconfig>",
    "typst.toml": "[package]\nname = 'evil'\n",
    "report.typ": "stranger's page",
    ".duckdbrc": "CREATE TABLE evil AS SELECT 1;",
    "setup.cfg": "[tool:pytest]\n",
    "pyproject.toml": "[project]\nname = 'revplan'\n",
    "pyvenv.cfg": "home = .\n",
    "requirements.lock": "evil==1\n",
    "evil.pth": "import os; os.system('" + COMMAND + "')\n",
}
HOOK = """
import os, sys
def _watch(event, given, folder={folder!r}, log={log!r}):
    if event == 'open' and isinstance(given[0], (str, bytes)):
        path = os.path.realpath(os.fsdecode(given[0]))
        if path.startswith(folder + os.sep):
            handle = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
            os.write(handle, (path[len(folder) + 1:] + chr(10)).encode())
            os.close(handle)
sys.addaudithook(_watch)
"""


class Stranger:
    """A stranger's folder, and what is seen of it."""

    def __init__(self, place: Path) -> None:
        self.folder, self.marks, self.hook = place / "stranger", place / "marks", place / "hook"
        self.log = place / "opened.txt"
        for folder in (self.folder, self.marks, self.hook):
            folder.mkdir()
        for name, text in {"plan.yaml": PLAN, "crm.yaml": CRM, "leads.csv": LEADS}.items():
            (self.folder / name).write_text(text, encoding="utf-8")
        run = RUN.format(mark=str(self.marks))
        planted = {f"{name}.py": run for name in (*MODULES, "matplotlib_evil", "evil")}
        planted |= dict.fromkeys(CONFIGS, run)
        planted |= {name: text.replace("{mark}", str(self.marks)) for name, text in TEXTS.items()}
        for name, text in planted.items():
            (self.folder / name).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name).write_text(text, encoding="utf-8")
        self.planted = set(planted)
        watch = HOOK.format(folder=os.path.realpath(self.folder), log=str(self.log))
        (self.hook / "sitecustomize.py").write_text(watch, encoding="utf-8")

    @property
    def environment(self) -> dict[str, str]:
        """The hook's folder is the first that every Python imports from."""
        return {**os.environ, "PYTHONPATH": str(self.hook), "PYTHONDONTWRITEBYTECODE": "1"}

    def opened(self) -> set[str]:
        """What was opened in the folder so far."""
        return set(self.log.read_text("utf-8").split("\n")) - {""} if self.log.exists() else set()

    def unharmed(self) -> None:
        """Nothing of the folder ran, and of what is planted nothing was opened."""
        assert [path.name for path in self.marks.iterdir()] == []
        assert self.opened() & self.planted == set()


@pytest.fixture
def stranger(tmp_path: Path) -> Stranger:
    return Stranger(tmp_path)


SCRIPT = Path(sys.executable).with_name("revplan.exe" if sys.platform == "win32" else "revplan")
DOORS = {"the command": [str(SCRIPT)], "run.py": [sys.executable, "-P", "-m", "revplan"]}


def run(stranger: Stranger, *words: str, door: str = "the command") -> subprocess.CompletedProcess[str]:
    """The command, run in the stranger's folder."""
    command = [*DOORS[door], *words]
    done = subprocess.run(command, cwd=stranger.folder, env=stranger.environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done


def test_the_watch_sees_what_is_opened_and_the_traps_go_off(stranger: Stranger) -> None:
    """Python itself, run carelessly there, runs and reads a stranger's files."""
    code = "import pandas; open('conf.json').read()"
    subprocess.run([sys.executable, "-c", code], cwd=stranger.folder, env=stranger.environment, check=True)
    assert [path.name for path in stranger.marks.iterdir()] == ["pandas.py"]
    assert {"pandas.py", "conf.json"} <= stranger.opened()


COMMANDS = [
    ["check", "plan.yaml"],
    ["simulate", "plan.yaml", "--trials", "64", "--csv", "made.csv"],
    ["rates", "crm.yaml", "--out", "rates.yaml"],
    ["forecast", "crm.yaml"],
    ["backtest", "crm.yaml", "--from", "2026-03-31", "--to", "2026-06-30"],
    ["sign", "plan.yaml", "--by", "Ann", "--on", "2026-11-20"],
    ["diff", "plan.yaml", "plan.yaml"],
    ["init", "made"],
]


@pytest.mark.parametrize(("door", "words"), [("the command", COMMANDS[0]), ("run.py", ["plan", "plan.yaml", "--json"])])
def test_a_door_in_a_strangers_folder_runs_and_reads_nothing_else(
    stranger: Stranger, door: str, words: list[str]
) -> None:
    run(stranger, *words, door=door)
    stranger.unharmed()
    assert stranger.opened() & NAMED  # the watch was on


def test_every_command_in_a_strangers_folder_runs_and_reads_nothing_else(stranger: Stranger) -> None:
    """One after the other behind one door, each with the modules that only it needs: what starts them is alike."""
    code = f"from revplan.cli import main\nfor words in {COMMANDS!r}:\n    assert main(words) == 0, words"
    command = [sys.executable, "-P", "-c", code]
    done = subprocess.run(command, cwd=stranger.folder, env=stranger.environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    stranger.unharmed()
    assert stranger.opened() >= NAMED
    assert all((stranger.folder / name).exists() for name in ("made.csv", "rates.yaml", "signed", "made/plan.yaml"))


def test_reports_in_a_strangers_folder_run_and_read_nothing_else(stranger: Stranger) -> None:
    run(stranger, "report", "annual_commit,rates", "plan.yaml", "--out", ".", "--formats", "html,pdf,pptx,xlsx")
    stranger.unharmed()
    assert "stranger" not in (stranger.folder / "annual_commit.html").read_text("utf-8")
    assert (stranger.folder / "rates.html").is_file()
    shutil.copyfile(stranger.folder / "annual_commit.xlsx", stranger.folder / "made.xlsx")
    run(stranger, "import", "made.xlsx", "plan.yaml", "--write")
    stranger.unharmed()
    assert stranger.opened() >= {*NAMED, "made.xlsx"}


@pytest.mark.skipif(sys.platform == "win32", reason="stopped by a signal")
def test_the_simulator_in_a_strangers_folder_runs_and_reads_nothing_else(stranger: Stranger) -> None:
    command = [str(SCRIPT), "app", "plan.yaml", "--no-browser", "--port", "0", "--json"]
    where = {"cwd": stranger.folder, "env": stranger.environment}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, **where) as server:
        try:
            assert server.stdout is not None
            address = json.loads(server.stdout.readline())["url"]
            visitor = build_opener(HTTPCookieProcessor(CookieJar()))
            opening = visitor.open(address, timeout=90).read().decode("utf-8")
            ticket = re.search(r"/\?visit=[\w-]+", opening)  # where the script of this page leads
            assert ticket, opening
            page = visitor.open(urljoin(address, ticket[0]), timeout=90).read().decode("utf-8")
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(20)
    assert "widget-view+json" in page, page[-3000:]
    stranger.unharmed()
    assert stranger.opened() >= NAMED


def test_python_m_revplan_imports_nothing_from_the_current_folder(stranger: Stranger) -> None:
    """What Python imports before it asks revplan is its own affair; the modules of revplan's commands are not."""
    for name in MODULES:
        if name in {"sitecustomize", "usercustomize"}:
            (stranger.folder / f"{name}.py").unlink()
    command = [sys.executable, "-m", "revplan", "plan", "plan.yaml", "--json"]
    done = subprocess.run(command, cwd=stranger.folder, env=stranger.environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    stranger.unharmed()
