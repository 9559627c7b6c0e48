"""`revplan app` as a server: who gets in, where it listens, and that nothing is left when it stops."""

from __future__ import annotations

import asyncio
import http.client
import os
import re
import signal
import socket
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from revplan.cli import main
from revplan.record.packs import Pack, keep

KERNEL = "11111111-1111-1111-1111-111111111111"
PLACES = [
    "/",
    "/voila/static/voila.js",
    "/voila/templates/lab/static/theme-light.css",
    "/voila/labextensions/@jupyter-widgets/jupyterlab-manager/package.json",
    "/voila/files/simulator.ipynb",
    f"/voila/query/{KERNEL}",
    f"/api/kernels/{KERNEL}",
    f"/api/kernels/{KERNEL}/channels",
    "/packs",
    "/packs/2026-07-14-board_report-2026-Q2-00000000/board_report.html",
    "/login",
    "/nothing-here",
]


def ask(app: Any, path: str, method: str = "GET", **headers: str) -> tuple[int, http.client.HTTPMessage, str]:
    """Status, headers and body of one request."""
    with closing(http.client.HTTPConnection("127.0.0.1", app.port, timeout=30)) as connection:
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        with connection.getresponse() as answer:
            return answer.status, answer.headers, answer.read().decode()


def cookie(app: Any, token: str | None = None) -> str:
    """The cookie of somebody who came with the token."""
    return f"revplan-{app.port}={app.token if token is None else token}"


@pytest.mark.parametrize("path", PLACES)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_nothing_passes_without_the_token(app: Any, path: str, method: str) -> None:
    status, _, body = ask(app, path, method)
    assert (status, "The address is not complete" in body) == (403, True)
    assert ask(app, f"{path}?token=wrong", method)[0] == 403
    assert ask(app, f"{path}?token=", method)[0] == 403
    assert ask(app, path, method, Cookie=cookie(app, "wrong"))[0] == 403


@pytest.mark.parametrize("path", [f"/voila/query/{KERNEL}", f"/api/kernels/{KERNEL}/channels"])
def test_no_websocket_opens_without_the_token(app: Any, path: str) -> None:
    upgrade = {"Upgrade": "websocket", "Connection": "Upgrade", "Sec_WebSocket_Version": "13"}
    assert ask(app, path, Sec_WebSocket_Key="x" * 22 + "==", **upgrade)[0] == 403


def test_the_token_is_traded_for_a_cookie_no_script_reads(app: Any) -> None:
    status, headers, _ = ask(app, f"/?token={app.token}")
    assert (status, headers["Location"]) == (302, "/")
    assert headers["Set-Cookie"].startswith(cookie(app))
    assert "httponly" in headers["Set-Cookie"].lower()
    assert "samesite=lax" in headers["Set-Cookie"].lower()
    assert ask(app, "/voila/static/voila.js", Cookie=cookie(app))[0] == 200


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "localhost.evil.example:{port}", "127.0.0.1:1", ""])
def test_a_foreign_name_gets_nothing_even_with_the_token(app: Any, host: str) -> None:
    named = host.format(port=app.port)
    for path in PLACES:
        assert ask(app, f"{path}?token={app.token}", Host=named, Cookie=cookie(app))[0] in (400, 403)


def test_localhost_is_a_name_of_this_machine(app: Any) -> None:
    assert ask(app, "/voila/static/voila.js", Host=f"localhost:{app.port}", Cookie=cookie(app))[0] == 200


@pytest.mark.parametrize("origin", ["http://127.0.0.1:1", "http://evil.example", "https://127.0.0.1:{port}", "null"])
def test_a_foreign_page_gets_nothing_even_with_the_cookie(app: Any, origin: str) -> None:
    for path in PLACES:
        assert ask(app, path, Origin=origin.format(port=app.port), Cookie=cookie(app))[0] == 403
    own = f"http://127.0.0.1:{app.port}"
    assert ask(app, "/voila/static/voila.js", Origin=own, Cookie=cookie(app))[0] == 200


FOREIGN = [
    {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "image"},
    {"Sec_Fetch_Site": "cross-site", "Sec_Fetch_Mode": "no-cors", "Sec_Fetch_Dest": "script"},
    {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "iframe"},
    {"Sec_Fetch_Site": "same-site", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"},
    {},
]


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are looked up in /proc")
@pytest.mark.parametrize("sent", FOREIGN)
def test_what_a_foreign_page_can_send_starts_no_visit(app: Any, sent: dict[str, str]) -> None:
    """A page on another port of this machine is the same site: its requests bring the cookie, and no Origin."""
    before = visits_of(app.process)
    for path in ("/", "/?visit=guessed", "/?visit="):
        status, _, body = ask(app, path, Cookie=cookie(app), **sent)
        assert (status, "jupyter-config-data" in body) == (
            403 if sent.get("Sec_Fetch_Dest", "document") != "document" else 200,
            False,
        )
    time.sleep(1)
    assert visits_of(app.process) <= before


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are looked up in /proc")
def test_a_ticket_begins_one_visit_and_there_is_a_bound(
    start_app: Any, small_plan: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REVPLAN_MAX_VISITS", "2")
    with start_app(small_plan) as app:

        def come(**sent: str) -> tuple[int, str, str]:
            ticket = re.search(r"visit=([\w-]+)", ask(app, "/", Cookie=cookie(app), **sent)[2])[1]
            status, _, body = ask(app, f"/?visit={ticket}", Cookie=cookie(app), **sent)
            return status, ticket, body

        status, ticket, body = come()
        assert (status, "jupyter-config-data" in body, len(visits_of(app.process))) == (200, True, 1)
        assert "jupyter-config-data" not in ask(app, f"/?visit={ticket}", Cookie=cookie(app))[2]
        own = {"Sec_Fetch_Site": "same-origin", "Sec_Fetch_Mode": "navigate", "Sec_Fetch_Dest": "document"}
        assert come(**own)[0] == 200
        status, _, body = come(**own)
        assert (status, "All places are taken" in body, "REVPLAN_MAX_VISITS" in body) == (503, True, True)
        assert len(visits_of(app.process)) == 2
        os.kill(next(iter(visits_of(app.process))), signal.SIGKILL)
        wait_until(lambda: come()[0] == 200)
        assert len(visits_of(app.process)) == 2


def test_no_file_of_the_disk_is_served(app: Any) -> None:
    for path in ("/voila/files/simulator.ipynb", "/voila/files/../plan.yaml", "/voila/static/..%2f..%2fserver.py"):
        assert ask(app, path, Cookie=cookie(app))[0] in (400, 403, 404)


def test_what_is_missing_is_said_in_words_of_ours(app: Any) -> None:
    status, headers, body = ask(app, f"/api/kernels/{KERNEL}", Cookie=cookie(app))
    assert status == 404
    status, headers, body = ask(app, "/voila/query", Cookie=cookie(app))
    assert "://" not in body.replace("http://www.w3.org", "")
    assert "Traceback" not in body
    assert headers["Content-Security-Policy"].startswith("default-src 'self'; script-src 'self' 'unsafe-inline';")


def test_only_this_machine_is_listened_to(app: Any) -> None:
    others = {info[4][0] for info in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {"127.0.0.1"}
    for address in others:
        with pytest.raises(OSError, match=r"refused|unreachable|timed out"):
            socket.create_connection((address, app.port), timeout=2)


def test_packs_that_were_shown_are_listed_and_opened_or_taken_as_they_were_kept(
    start_app: Any, small_plan: Path
) -> None:
    of_quarter: dict[str, Any] = {
        "report": "board_report",
        "plan": "Of <b>ours",
        "plan_file": small_plan.name,
        "currency": "USD",
        "year": "2026",
        "period": "2026-Q2",
        "label": "Apr-Jun 2026 (Q2 FY26)",
        "as_of": "2026-06-30",
        "shown_on": "2026-07-14",
        "pack": "0123456789ab",
        "revplan": "0.5.0",
        "code": "00",
        "figures": {"landing 2026 expected": 9_000.0, "chance 2026 simulated": 0.25},
        "asks": [{"what": "web is behind", "owner": "marketing", "ask": "bring <i>web back", "size": 1_500.0}],
        "files": {},
    }
    files = {"board_report.html": b"<script>1</script><p>shown</p>", "board_report.pdf": b"%PDF-1"}
    with start_app(small_plan) as app:
        entered = {"Cookie": cookie(app)}
        assert "No pack of this plan is kept" in ask(app, "/packs", **entered)[2]
        folder = keep(small_plan, Pack.model_validate(of_quarter), files).folder
        status, headers, body = ask(app, "/packs", **entered)
        assert (status, "script-src 'self'" in headers["Content-Security-Policy"]) == (200, True)
        for told in ("Apr-Jun 2026 (Q2 FY26)", "14 Jul 2026", "$9k", "25%", "Marketing: bring &lt;i&gt;web back"):
            assert told in body
        links = re.findall('href="(/packs/[^"]+)"', body)
        assert links == [f"/packs/{folder.name}/{name}" for name in files]
        for link, (name, content) in zip(links, files.items(), strict=True):
            status, headers, body = ask(app, link, **entered)
            assert (status, body, headers["X-Content-Type-Options"]) == (200, content.decode(), "nosniff")
            opened = headers["Content-Security-Policy"].startswith("sandbox allow-scripts; default-src 'none'")
            assert opened == name.endswith(".html")  # what it runs has no right on this server
            assert (headers["Content-Disposition"] is None) == opened
        elsewhere = [
            f"{folder.name}/pack.json",
            f"{folder.name}/../../plan.yaml",
            "../plan.yaml",
            "x/board_report.html",
        ]
        elsewhere += [f"{folder.name}/..%2F..%2Fplan.yaml", "%2e%2e/plan.yaml", f"{folder.name}/board_report.html/"]
        for place in elsewhere:
            status, _, body = ask(app, f"/packs/{place}", **entered)
            assert (status, "new_arr" in body) in [(404, False), (403, False)]
        assert ask(app, links[0], **entered, Sec_Fetch_Site="same-site")[0] == 403
        assert ask(app, links[0], "POST", **entered, Origin=f"http://127.0.0.1:{app.port}")[0] == 405
        (folder / "board_report.html").write_bytes(b"another")
        for place in ("/packs", links[0]):
            status, _, body = ask(app, place, **entered)
            assert (status, "board_report.html: " in body, "another" in body) == (409, True, False)


def kernels_of(process: subprocess.Popen[str] | int) -> list[int]:
    """The processes that `process` started, found where Linux lists them."""
    found, started_by = [], process if isinstance(process, int) else process.pid
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            parent = re.search(r"^PPid:\s+(\d+)", status.read_text(encoding="utf-8"), re.MULTILINE)
        except OSError:
            continue
        if parent and int(parent[1]) == started_by:
            found.append(int(status.parent.name))
    return found


def visits_of(process: subprocess.Popen[str]) -> set[int]:
    """The processes of visits: those that the one which `process` started has forked, or on other systems its own."""
    found = set()
    for kernel in kernels_of(process):
        forked = "revplan.app.warm" in Path(f"/proc/{kernel}/cmdline").read_text(encoding="utf-8")
        found |= set(kernels_of(kernel)) if forked else {kernel}
    return found


def wait_until(true: object, seconds: float = 20) -> None:
    """Returns as soon as `true()`; fails if that never comes."""
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.05)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are looked up in /proc")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_stopped_it_leaves_no_kernel_and_no_file(
    start_app: Any, small_plan: Path, monkeypatch: pytest.MonkeyPatch, how: int
) -> None:
    scratch = small_plan.parent / "scratch"
    scratch.mkdir()
    monkeypatch.setenv("TMPDIR", str(scratch))
    with start_app(small_plan) as app:
        wait_until(lambda: kernels_of(app.process))
        kernels = kernels_of(app.process)
        app.process.send_signal(how)
        assert app.process.wait(timeout=20) == 0, app.process.stderr.read()
        said = app.process.stderr.read()
    assert said == ""
    wait_until(lambda: not any(Path(f"/proc/{kernel}").exists() for kernel in kernels))
    assert os.listdir(scratch) == []
    assert sorted(os.listdir(small_plan.parent)) == ["plan.yaml", "scratch"]


@pytest.mark.parametrize("through", ["files", "ports"])
def test_a_visit_whose_port_another_program_takes_meanwhile_starts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, through: str
) -> None:
    from jupyter_client.connect import LocalPortCache
    from jupyter_server.services.kernels.kernelmanager import AsyncMappingKernelManager
    from traitlets.config import Configurable

    from revplan.app.server import OwnKernels
    from revplan.run.running import kernel_spec

    class Served(Configurable):  # what a kernel asks of the server it belongs to
        warm, kernel = None, kernel_spec(tmp_path)

    place = tmp_path / ("s" if through == "files" else "s" * 100)  # a path too long for a socket: as on Windows, ports
    place.mkdir()
    served = Served()

    async def visited() -> bool:
        kernels = AsyncMappingKernelManager(
            parent=served,
            kernel_manager_class="revplan.app.server.QuietKernel",
            connection_dir=str(place),
            kernel_spec_manager=OwnKernels(parent=served),
        )
        kernel = kernels.get_kernel(await kernels.start_kernel())
        try:
            return bool(await kernel._answers())
        finally:
            await kernels.shutdown_all(now=True)

    with socket.create_server(("127.0.0.1", 0)) as another:
        given = iter([another.getsockname()[1]])
        found = LocalPortCache.find_available_port
        monkeypatch.setattr(LocalPortCache, "find_available_port", lambda *each: next(given, None) or found(*each))
        with ThreadPoolExecutor(1) as beside:  # a browser of another test may have a loop of this thread running
            assert beside.submit(lambda: asyncio.run(visited())).result()
    assert os.listdir(place) == []


def test_every_fault_is_said_before_anything_starts(small_plan: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = small_plan.read_text(encoding="utf-8")
    small_plan.write_text(text.replace("rate: 0.4", "rate: 40").replace("acv: 10_000", "acv: -1"), encoding="utf-8")
    assert main(["app", str(small_plan), "--no-browser"]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "(2 faults)" in printed.err


def test_a_port_taken_is_said_and_without_a_choice_the_next_is_used(
    small_plan: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from revplan.app import serve

    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert main(["app", str(small_plan), "--no-browser", "--port", str(port)]) == 1
        assert (
            f"port {port}: is taken by another program, or not yours to use; leave --port out"
            in capsys.readouterr().err
        )
        monkeypatch.setattr(serve, "PORT", port)
        bound = serve._listening(None)
        assert bound.getsockname()[0] == "127.0.0.1"
        assert bound.getsockname()[1] > port
        bound.close()
    assert main(["app", str(small_plan), "--no-browser", "--port", "70000"]) == 2
    assert "--port: got 70000; name a port from 1 to 65535" in capsys.readouterr().err
