"""The door of the served simulator: nothing passes without the token, and nothing that a foreign page sends.

It stands before the whole server, so pages, scripts, styles, kernels and websockets are behind it alike. A name
that is not this machine's own is refused whatever it brings: a foreign page whose name is made to lead here
(DNS rebinding) gets nothing. So does a page of another port of this machine, though a browser takes it for the same
site and sends the cookie along, without an Origin where it asks for a picture: browsers say what they ask for and for
whom (Sec-Fetch), and a visit begins only with a ticket, which stands in a page that no foreign page can read.
"""

from __future__ import annotations

import hmac
import secrets
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tornado.httputil import HTTPServerRequest
from tornado.routing import Router
from tornado.web import Application, RequestHandler

from revplan.app.archive import WHERE, Archive

HOST = "127.0.0.1"
TICKETS = 256  # given out and not yet used
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; "
    "connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
}
PAGE = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>revplan: {title}</title><link rel="icon" href="data:,">
<body style="font: 1.1rem/1.5 sans-serif; max-width: 38em; margin: 3em auto; padding: 0 1em">
<h1>{title}</h1>
<p>{words}</p>
"""
REFUSED = PAGE.format(
    title="The address is not complete",
    words="The simulator opens only with the whole address that <code>revplan app</code> printed in its window, with the "
    "part after <code>token=</code>. Copy it from there, or start the command again.",
)
FROM_ELSEWHERE = PAGE.format(
    title="Another page led here",
    words='If you wanted to come, <a href="/">open the simulator</a>.',
)
FULL = PAGE.format(
    title="All places are taken",
    words="{most} visits of this plan are open, which is as many as are let in. Who closes the page makes room at once, "
    'who moves nothing for {rested} does so too: <a href="/">try again</a> soon. To let in more, start '
    "<code>revplan app</code> with <code>{key}</code> set to a larger number.",
)
OPENING = (
    PAGE.format(
        title="Opening the simulator",
        words="The sliders come in a moment."
        "<noscript>The simulator needs JavaScript. Allow it for this address, then load the page again.</noscript>",
    )
    + """<link rel="preload" as="script" href="/voila/static/voila.js">
<div id="first" style="position: absolute; left: 0; right: 0; max-width: 1336px; margin: 0 auto; padding: 0 2rem"></div>
<script>
const plan = new URLSearchParams(location.search).get("plan"), wait = time => new Promise(done => setTimeout(done, time));
async function open() {
  for (let answer; !plan && (answer = await fetch("/first")).ok; await wait(100)) {
    document.getElementById("first").innerHTML = await answer.text();
    if (answer.status === 200) break;
  }
  await wait(0);
  location.replace("/?visit=TICKET" + (plan ? "&plan=" + encodeURIComponent(plan) : ""));
}
open();
</script>
"""
)
"""Shows the plan's health as soon as it is known, and the browser loads the program of the page meanwhile."""


class Entrance(RequestHandler):
    """Trades the token of the address for a cookie that only this server reads."""

    def get(self) -> None:
        """The page, without the token in its address."""
        port = self.request.host.rpartition(":")[2]
        self.set_cookie(_cookie(port), self.get_query_arguments("token")[-1], httponly=True, samesite="Lax")
        self.redirect("/")


class Refusal(RequestHandler):
    """Says something instead of what was asked for."""

    def initialize(self, status: int, page: str) -> None:
        """What it says."""
        self.status, self.page = status, page

    def prepare(self) -> None:
        """The same for every method."""
        self.set_status(self.status)
        for name, value in HEADERS.items():
            self.set_header(name, value)
        self.finish(self.page)


class Door(Router):
    """Hands requests with the right name and the right token or cookie to `inside`; refuses all others.

    Parameters
    ----------
    inside
        What is behind the door.
    port
        Where it listens on 127.0.0.1.
    token
        What opens it.
    full
        The page that says so, while there is no room for another visit; empty while there is.
    first
        What can be shown of the plan before its kernel has started; None while that is being worked out.
    plan
        The plan beside which packs are kept.
    """

    def __init__(
        self,
        inside: Application,
        port: int,
        token: str,
        full: Callable[[], str],
        first: Callable[[], str | None],
        plan: Path,
    ) -> None:
        self.inside, self.full, self.first, self.plan = inside, full, first, plan
        self.outside = Application()
        self.names = {f"{HOST}:{port}", f"localhost:{port}"}
        self.cookie = _cookie(port)
        self.token = token.encode()
        self.tickets: deque[str] = deque(maxlen=TICKETS)

    def find_handler(self, request: HTTPServerRequest, **options: Any) -> Any:
        """What answers `request`."""
        cookie, given = request.cookies.get(self.cookie), request.query_arguments.get("token", [])
        in_address = any(hmac.compare_digest(token, self.token) for token in given)
        in_cookie = cookie is not None and hmac.compare_digest(cookie.value.encode(), self.token)
        if not self._is_from_here(request) or not (in_address or in_cookie):
            return self._answer(request, 403, REFUSED)
        if in_address and request.path == "/":
            return self.outside.get_handler_delegate(request, Entrance)
        if request.headers.get("Sec-Fetch-Site", "none") in ("same-site", "cross-site"):  # whose page asks
            return self._answer(request, *((200, FROM_ELSEWHERE) if _is_visit(request) else (403, REFUSED)))
        if request.path == "/first":
            health = self.first()
            return self._answer(request, 202 if health is None else 200, health or "")
        if request.path == WHERE or request.path.startswith(f"{WHERE}/"):
            return self.outside.get_handler_delegate(
                request, Archive, {"plan": self.plan, "sheet": PAGE, "headers": HEADERS}
            )
        return self._visit(request) if request.path == "/" else self.inside.find_handler(request, **options)

    def _visit(self, request: HTTPServerRequest) -> Any:
        """A new visit, for who has a ticket; who has none gets one, in a page that comes back with it."""
        ticket = request.query_arguments.get("visit", [b""])[-1].decode("ascii", "replace")
        if not _is_visit(request):
            return self._answer(request, 403, REFUSED)
        if ticket not in self.tickets:
            self.tickets.append(secrets.token_urlsafe(16))
            return self._answer(request, 200, OPENING.replace("TICKET", self.tickets[-1]))
        if full := self.full():
            return self._answer(request, 503, full)
        self.first()
        self.tickets.remove(ticket)
        return self.inside.find_handler(request)

    def _answer(self, request: HTTPServerRequest, status: int, page: str) -> Any:
        return self.outside.get_handler_delegate(request, Refusal, {"status": status, "page": page})

    def _is_from_here(self, request: HTTPServerRequest) -> bool:
        unsaid = (
            f"http://{request.host}" if request.method in ("GET", "HEAD") else ""
        )  # what changes something names it
        origin = request.headers.get("Origin", unsaid)
        return request.host in self.names and origin == f"http://{request.host}"


def _is_visit(request: HTTPServerRequest) -> bool:
    """Whether somebody goes to the page in a window, and no page asks for it as a picture, a frame or data."""
    asked = request.headers.get("Sec-Fetch-Mode", "navigate"), request.headers.get("Sec-Fetch-Dest", "document")
    return request.method == "GET" and request.path == "/" and asked == ("navigate", "document")


def _cookie(port: int | str) -> str:
    """The cookie's name: browsers send the cookies of one name to all its ports."""
    return f"revplan-{port}"
