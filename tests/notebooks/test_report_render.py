"""Reports rendered for real: a kernel is started, so each case counts about a second."""

from __future__ import annotations

import io
import os
import re
import socket
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from jupyter_client.connect import LocalPortCache
from nbformat import read, write
from nbformat.sign import NotebookNotary
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from one_source import SINGLE as PLAN

from revplan.ground.errors import DataError, PlanError, ReportError
from revplan.ground.files import sweep
from revplan.run import render as rendering
from revplan.run.notebooks import check_trust
from revplan.run.render import Request, notebook_path
from revplan.run.running import EVERY, CellProgress
from revplan.run.workspace import example_company, new_workspace

pytestmark = pytest.mark.usefixtures("own_signatures")

EVIL = "<script>alert(1)</script>"
PARAMETERS = 'plan_path = "nowhere.yaml"\ntitle = "FY27 base"\ntrials = 3\nas_of = "2026-11-15"'
IMPORTS = (
    "import pandas as pd\nfrom revplan.exhibits.chart import Chart, Series\n"
    "from revplan.exhibits.exhibit import chart, table, text"
)
EXHIBITS = [
    'text(f"{title}: {trials} trials on {as_of}", {"plan": open(plan_path).readline()}, header=title)',
    'table(pd.DataFrame({"name": list({title, "b", "c", "d"})}), {"name": "text"}, "Names are set")',
    'chart(Chart(said="It grows", form="columns", categories=("a", "b"), kind="count", '
    'series=(Series(name=title, values=(1.0, 2.0), mark="line"),)), pd.DataFrame({"x": [1, 2]}), {"x": "count"})',
]


def render(name: str, plan: Path, out: Path, formats: tuple[str, ...] = ("html",), **rest: object) -> list[Path]:
    """The files of report `name`; `rest` are settings and progress."""
    request = Request(name=name, plan_path=plan, formats=tuple(formats), settings=rest.get("settings", {}))
    return rendering.render(request, out, rest.get("progress"))


def workspace(folder: Path, *sources: str, name: str = "demo", parameters: str = PARAMETERS) -> Path:
    """A plan file in `folder` with a notebook beside it, whose cells are `sources`; a heading goes first."""
    cells = [new_markdown_cell("# Demo\n\nHow much?"), new_code_cell(parameters, metadata={"tags": ["parameters"]})]
    imports = IMPORTS if re.search(r"\b(text|table|chart)\(", " ".join(sources)) else "import os"  # pandas takes half a second
    cells += [new_code_cell(imports), new_markdown_cell("## The point"), *map(new_code_cell, sources)]
    (folder / "notebooks").mkdir(parents=True, exist_ok=True)
    notebook = new_notebook(cells=cells)
    write(notebook, folder / "notebooks" / f"{name}.ipynb")
    NotebookNotary().sign(notebook)  # as Jupyter does when its owner saves it
    plan = folder / "plan.yaml"
    plan.write_text(PLAN, encoding="utf-8")
    return plan


def tree(folder: Path) -> set[str]:
    """Every file under `folder`."""
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


# --- several reports -----------------------------------------------------------------------------


def together(plan: Path, out: Path, *names: str) -> list[Path]:
    """The files of several reports."""
    return rendering.render_all([Request(name=name, plan_path=plan) for name in names], out)


def test_reports_run_beside_each_other_and_are_what_each_is_alone(tmp_path: Path) -> None:
    """Of those that fail all faults are told, and the others are written."""
    plan = workspace(tmp_path, EXHIBITS[0], name="one")
    workspace(tmp_path, "1 / 0", name="two")
    workspace(tmp_path, EXHIBITS[1], name="three")
    with pytest.raises(ReportError) as error:
        together(plan, tmp_path / "out", "one", "two", "three")
    assert [fault.place for fault in error.value.faults] == ['two.ipynb, code cell 3 under "The point"']
    packs = {".revplan-one.pack", ".revplan-three.pack"}
    assert tree(tmp_path / "out") == {"one.html", "three.html", *packs}
    for name in ("one", "three"):
        (alone,) = render(name, plan, tmp_path / "alone")
        assert (tmp_path / "out" / alone.name).read_bytes() == alone.read_bytes()


def test_if_one_report_cannot_be_prepared_none_runs_and_all_faults_are_told(tmp_path: Path) -> None:
    plan = workspace(tmp_path, f"open({str(tmp_path / 'ran')!r}, 'w').close()", name="one")
    with pytest.raises(PlanError) as error:
        together(plan, tmp_path / "out", "one", "xx", "../x")
    assert [fault.message.partition(";")[0] for fault in error.value.faults] == [
        "'xx' is not known",
        "'../x' is not a name",
    ]
    assert not (tmp_path / "ran").exists()
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="a process of another is ended by a signal")
def test_a_process_that_is_ended_from_outside_is_told_without_a_traceback(tmp_path: Path) -> None:
    plan = workspace(tmp_path, EXHIBITS[0], name="one")
    workspace(tmp_path, "import os; os.kill(os.getppid(), 9)", name="two")
    with pytest.raises(ReportError, match="one, two: a process that made one of them was ended; if memory ran out"):
        together(plan, tmp_path / "out", "one", "two")


# --- what is refused before anything runs --------------------------------------------------------


@pytest.fixture
def no_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    """A test that never gets as far as running a notebook."""
    monkeypatch.setattr(rendering, "executed", lambda *_: pytest.fail("the notebook was run"))


@pytest.mark.usefixtures("no_kernel")
@pytest.mark.parametrize(
    "name", ["../../x", "demo.ipynb", "Demo", "", "a" * 41, "demo\n", "/etc/passwd", "_x", "dé", "a b", "con/../demo"]
)
def test_a_name_that_is_none_is_refused(tmp_path: Path, name: str) -> None:
    plan = workspace(tmp_path)
    with pytest.raises(PlanError, match=r"report: '.*' is not a name; a report's name is up to 40 of a-z, 0-9 and _"):
        render(name, plan, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("no_kernel")
def test_an_unknown_report_is_met_with_those_there_are(tmp_path: Path) -> None:
    plan = workspace(tmp_path, name="annual_commit")
    with pytest.raises(PlanError, match=r"report: 'annual_comit' is not known; did you mean annual_commit\? the rep"):
        render("annual_comit", plan, tmp_path / "out")


@pytest.mark.usefixtures("no_kernel")
def test_every_fault_of_a_request_comes_at_once(tmp_path: Path) -> None:
    with pytest.raises(PlanError) as error:
        render("../x", tmp_path / "plan.yaml", tmp_path / "out", ["html", "pdf", "doc"])
    assert [fault.message for fault in error.value.faults] == [
        "'../x' is not a name; a report's name is up to 40 of a-z, 0-9 and _, a letter first",
        "is not a file; give the path of a plan file",
        "doc is not a format; available: html, pdf, pptx, xlsx",
    ]
    with pytest.raises(PlanError, match="formats: none given; available: html, pdf, pptx, xlsx"):
        render("demo", workspace(tmp_path), tmp_path / "out", [])


@pytest.mark.usefixtures("no_kernel")
@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"x = 1\nimport os": "1"}, r"demo, setting x = 1\?import os: is not declared; The settings are title, trials"),
        ({"trials": "many"}, "demo, setting trials: is 'many'; it must be a whole number"),
        ({"plan_path": "x"}, "demo, setting plan_path: is set by the report itself"),
    ],
)
def test_settings_are_checked_before_papermill_sees_them(tmp_path: Path, settings: dict, problem: str) -> None:
    with pytest.raises(PlanError, match=problem):
        render("demo", workspace(tmp_path), tmp_path / "out", settings=settings)


@pytest.mark.usefixtures("no_kernel")
def test_a_folder_that_is_a_file_is_refused(tmp_path: Path) -> None:
    plan = workspace(tmp_path)
    for out, problem in ((plan, "is a file"), (plan / "below", "lies in what is a file")):
        with pytest.raises(PlanError, match=rf"plan\.yaml.*: {problem}, not a folder; choose another folder"):
            render("demo", plan, out)
    assert plan.read_text(encoding="utf-8") == PLAN


@pytest.mark.usefixtures("no_kernel")
def test_a_folder_that_cannot_be_written_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("revplan.ground.written.NamedTemporaryFile", denied)
    with pytest.raises(ReportError, match=r"out: cannot be written to \(Permission denied\); choose another folder"):
        render("demo", workspace(tmp_path), tmp_path / "out")


@pytest.mark.usefixtures("no_kernel")
@pytest.mark.parametrize("content", ["", "{", "[]", '{"cells": 3}', "\x00"])
def test_a_file_that_is_no_notebook_is_named(tmp_path: Path, content: str) -> None:
    plan = workspace(tmp_path)
    (tmp_path / "notebooks" / "demo.ipynb").write_text(content, encoding="utf-8")
    with pytest.raises(ReportError, match=r"demo\.ipynb: is not a notebook"):
        render("demo", plan, tmp_path / "out")


@pytest.mark.usefixtures("no_kernel")
def test_a_strangers_notebook_beside_the_plan_does_not_run(tmp_path: Path) -> None:
    plan = workspace(tmp_path)
    path = tmp_path / "notebooks" / "demo.ipynb"
    strangers = read(path, as_version=4)
    strangers.cells[-1].source = "import os"
    write(strangers, path)
    with pytest.raises(PlanError, match=r"demo\.ipynb: its code is not that of the report .* does not trust it"):
        render("demo", plan, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("change", ["tag", "words", "cell", "raw"])
def test_a_shipped_notebook_is_its_words_and_tags_too(tmp_path: Path, change: str) -> None:
    """A tag drops a section of the report, and words such as "Approved by the board" are printed as the report's."""
    new_workspace(tmp_path / "mine", example_company)
    path = tmp_path / "mine" / "notebooks" / "annual_commit.ipynb"
    strangers = read(path, as_version=4)
    words = next(cell for cell in strangers.cells if cell.cell_type == "markdown")
    if change == "tag":
        code = [cell for cell in strangers.cells if cell.cell_type == "code"]
        code[-1].metadata["tags"] = ["skip-execution"]
    elif change == "words":
        words.source += "\n\nApproved by the board"
    else:
        added = new_markdown_cell("Approved by the board")
        added.cell_type = "markdown" if change == "cell" else "raw"
        strangers.cells.append(added)
    write(strangers, path)
    with pytest.raises(PlanError, match="its words or tags are not those of the report revplan ships"):
        render("annual_commit", tmp_path / "mine" / "plan.yaml", tmp_path / "out")
    NotebookNotary().sign(strangers)  # its owner saved it
    check_trust(strangers, path)


def test_an_unchanged_workspace_needs_no_trust(tmp_path: Path) -> None:
    """Of any report; that one made so runs, test_wheel.py shows."""
    new_workspace(tmp_path / "mine", example_company)
    paths = sorted((tmp_path / "mine" / "notebooks").glob("*.ipynb"))
    assert len(paths) > 5
    for path in paths:
        check_trust(read(path, as_version=4), path)


def test_the_notebook_beside_the_plan_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = workspace(tmp_path / "mine")
    workspace(tmp_path / "theirs")
    workspace(tmp_path / "theirs", name="other")
    monkeypatch.setattr("revplan.run.render.REPOSITORY", tmp_path / "theirs")
    assert notebook_path("demo", plan) == tmp_path / "mine" / "notebooks" / "demo.ipynb"
    assert notebook_path("other", plan) == tmp_path / "theirs" / "notebooks" / "other.ipynb"
    monkeypatch.setattr("revplan.run.render.REPOSITORY", None)
    with pytest.raises(PlanError, match="'other' is not known"):
        notebook_path("other", plan)


# --- a report ------------------------------------------------------------------------------------


def test_a_report_is_one_page_with_the_same_bytes_each_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    plan = workspace(tmp_path, *EXHIBITS, "print('noise')\nopen('beside.txt', 'w').write('x');")
    before = tree(tmp_path)
    settings = {"title": EVIL, "trials": "7"}
    pages = [render("demo", plan, tmp_path / out, settings=settings) for out in ("one", "two/deep")]
    assert pages == [[tmp_path / "one" / "demo.html"], [tmp_path / "two" / "deep" / "demo.html"]]
    first, second = (page.read_bytes() for (page,) in pages)
    assert first == second
    html = first.decode()
    assert "&lt;script&gt;alert(1)&lt;/script&gt;: 7 trials on 2026-11-15" in html
    assert "<dd>name: the plan</dd>" in html
    assert "Content-Security-Policy" in html
    assert not re.search(r"<script|https?:|noise|import pandas", html)
    packs = {f"{out}/.revplan-demo.pack" for out in ("one", "two/deep")}
    assert tree(tmp_path) - before == {"one/demo.html", "two/deep/demo.html", *packs}
    monkeypatch.setenv("HOME", os.devnull)  # a home that takes no file
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    (page,) = render("demo", plan, tmp_path / "three", settings=settings)
    assert page.read_bytes() == first


def test_a_value_that_is_code_stays_a_text(tmp_path: Path) -> None:
    plan = workspace(tmp_path, 'text("Title is " + title)')
    value = f'"; open({str(tmp_path / "planted")!r}, "w"); "\\'
    (page,) = render("demo", plan, tmp_path / "out", settings={"title": value})
    assert not (tmp_path / "planted").exists()
    assert "Title is &quot;; open(" in page.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("source", "kind", "message"),
    [
        (
            "raise ValueError('rates are odd')",
            ReportError,
            'demo.ipynb, code cell 3 under "The point": failed with ValueError: rates are odd. '
            "Open the notebook and run it to this cell",
        ),
        (
            "from revplan.ground.errors import PlanError\nraise PlanError.at('segments', 'shares sum to 1.05')",
            PlanError,
            "segments: shares sum to 1.05",
        ),
        (
            "from revplan.ground.errors import DataError, Fault\nraise DataError([Fault('a', 'one'), Fault('b', 'two')])",
            DataError,
            "a: one\nb: two",
        ),
        ("1 +", ReportError, 'demo.ipynb, code cell 3 under "The point": failed with SyntaxError: invalid syntax'),
        ("raise KeyError", ReportError, 'demo.ipynb, code cell 3 under "The point": failed with KeyError. Open'),
        (
            "import os\nos._exit(3)",
            ReportError,
            'demo.ipynb, code cell 3 under "The point": the kernel stopped (Kernel',
        ),
        ("raise SystemExit", ReportError, 'demo.ipynb, code cell 3 under "The point": ended the notebook early'),
    ],
    ids=["any", "plan", "data", "syntax", "wordless", "killed", "exit"],
)
def test_a_failing_cell_is_named_and_the_earlier_report_kept(
    tmp_path: Path, source: str, kind: type[Exception], message: str, capfd: pytest.CaptureFixture
) -> None:
    plan = workspace(tmp_path, source, "1")
    out = tmp_path / "out"
    out.mkdir()
    (out / "demo.html").write_text("the good report", encoding="utf-8")
    with pytest.raises(kind) as error:
        render("demo", plan, out)
    assert str(error.value).startswith(message)
    assert tree(out) == {"demo.html"}
    assert (out / "demo.html").read_text(encoding="utf-8") == "the good report"
    assert capfd.readouterr() == ("", "")


def test_a_page_that_cannot_be_put_in_place_leaves_the_earlier_one(tmp_path: Path, monkeypatch: object) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "demo.html").write_text("the good report", encoding="utf-8")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("revplan.ground.written.os.replace", full)
    with pytest.raises(ReportError, match=r"out: cannot be written to \(No space left on device\)"):
        render("demo", workspace(tmp_path, "1"), out)
    assert (out / "demo.html").read_text(encoding="utf-8") == "the good report"
    assert tree(out) == {"demo.html"}


def test_a_missing_ipykernel_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ipykernel.kernelspec", None)
    with pytest.raises(ReportError, match=r"kernel: ipykernel is missing in .*; install revplan there again"):
        render("demo", workspace(tmp_path, "1"), tmp_path / "out")


def test_a_kernel_that_does_not_start_says_why(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "ipykernel_launcher.py").write_text("raise ImportError('no zmq here')", encoding="utf-8")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "broken"))
    with pytest.raises(ReportError, match=r"demo\.ipynb: the kernel stopped \(ImportError: no zmq here\)"):
        render("demo", workspace(tmp_path, "1"), tmp_path / "out")


@pytest.mark.parametrize("through", ["files", "ports"])
def test_a_port_that_another_program_takes_meanwhile_stops_no_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, through: str
) -> None:
    plan = workspace(tmp_path, 'text("It ran")')
    scratch = tmp_path / ("s" if through == "files" else "s" * 100)  # a path too long for a socket: as on Windows, ports
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    with socket.create_server(("127.0.0.1", 0)) as another:
        given = iter([another.getsockname()[1]])
        found = LocalPortCache.find_available_port
        monkeypatch.setattr(LocalPortCache, "find_available_port", lambda *each: next(given, None) or found(*each))
        (page,) = render("demo", plan, tmp_path / "out")
        assert next(given, None) is None or (through == "files" and sys.platform != "win32")
    assert "It ran" in page.read_text(encoding="utf-8")
    assert os.listdir(scratch) == []


def test_a_folder_in_which_no_socket_can_be_is_gone_round_by_ports(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = workspace(tmp_path, 'text("It ran")')
    nowhere = lambda *_: {"transport": "ipc", "ip": "/no/such/folder"}  # noqa: E731
    monkeypatch.setattr("revplan.run.running.through_files", nowhere)
    (page,) = render("demo", plan, tmp_path / "out")
    assert "It ran" in page.read_text(encoding="utf-8")


@pytest.mark.skipif(sys.platform == "win32", reason="no sockets are files there")
def test_a_report_killed_leaves_no_socket_behind_the_next(tmp_path: Path) -> None:
    plan = workspace(tmp_path, "import time\ntime.sleep(60)")
    asked = "from revplan.run.render import Request, render; import sys; from pathlib import Path\n"
    asked += "plan = Path(sys.argv[1])\nrender(Request(name='demo', plan_path=plan), plan.parent / 'out', None)"
    with TemporaryDirectory(prefix="s") as folder:  # a path short enough for a socket, as those of tests need not be
        scratch = Path(folder)
        run = subprocess.Popen([sys.executable, "-c", asked, str(plan)], env={**os.environ, "TMPDIR": folder})
        try:
            end = time.monotonic() + 60
            while not any(path.is_socket() for path in scratch.rglob("*")):
                assert time.monotonic() < end, run.poll()
                time.sleep(0.05)
        finally:
            run.kill()
            run.wait()
        sweep(scratch, "revplan-")
        assert not any(path.is_socket() for path in scratch.rglob("*"))


def test_the_kernel_is_this_interpreter_without_the_users_profile(tmp_path: Path, monkeypatch: object) -> None:
    startup = tmp_path / "home" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "00.py").write_text("raise SystemExit('my own start-up')", encoding="utf-8")
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "home"))
    plan = workspace(tmp_path, "import sys\ntext(sys.executable)")
    (page,) = render("demo", plan, tmp_path / "out")
    assert sys.executable in page.read_text(encoding="utf-8")


# --- progress ------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    """A stream a person watches."""

    def isatty(self) -> bool:
        return True


def test_progress_is_one_line_at_the_end_of_a_short_run(tmp_path: Path) -> None:
    stream = io.StringIO()
    render("demo", workspace(tmp_path, "1"), tmp_path / "out", progress=stream)
    *before, last = stream.getvalue().splitlines()
    done = re.fullmatch(r"demo: 5 of 5 cells, (\d+) s: done", last)
    assert done
    assert not before or int(done[1]) >= EVERY


def test_progress_says_where_a_run_stopped(tmp_path: Path) -> None:
    stream = io.StringIO()
    with pytest.raises(ReportError):
        render("demo", workspace(tmp_path, "1 / 0", "2", "3"), tmp_path / "out", progress=stream)
    assert re.fullmatch(r"demo: 5 of 7 cells, \d+ s: stopped", stream.getvalue().splitlines()[-1])


def test_progress_updates_in_place_on_a_terminal() -> None:
    stream = Terminal()
    progress = CellProgress("demo", 2, stream)
    for number in range(2):
        progress.cell_started(new_code_cell("x"), number)
    progress.finish("done")
    assert re.findall(r"\rdemo: (\d) of 2 cells, 0 s\x1b\[K", stream.getvalue()) == ["1", "2"]
    assert stream.getvalue().endswith("\rdemo: 2 of 2 cells, 0 s: done\x1b[K\n")
    assert progress.place == "demo.ipynb, code cell 2"


def test_progress_is_a_line_now_and_then_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([0.0, 1.0, 2.0, 4.0, 4.0, 4.0, 5.0, 5.0])
    monkeypatch.setattr("revplan.run.running.time.monotonic", lambda: next(seconds))
    stream = io.StringIO()
    progress = CellProgress("demo", 9, stream)
    for number in range(4):
        progress.cell_started(new_code_cell("x"), number)
    assert stream.getvalue() == "demo: 3 of 9 cells, 4 s\n"
