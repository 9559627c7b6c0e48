"""The door of the served simulator: nothing passes without the token, and nothing that a foreign page sends.

It stands before the whole server, so pages, scripts, styles, kernels and websockets are behind it alike. A name
that is not this machine's own is refused whatever it brings: a foreign page whose name is made to lead here
(DNS rebinding) gets nothing. So does a page of another port of this machine.
"""

from __future__ import annotations

import hmac
from typing import Any

from tornado.httputil import HTTPServerRequest
from tornado.routing import Router
from tornado.web import Application, RequestHandler

HOST = "127.0.0.1"
CALL = "REVPLAN_CALL"
"""Environment variable: where a waiting kernel hears that its visitor has come."""
REFUSED = """<!DOCTYPE html>
<html lang="en"><meta charset="utf-8"><title>revplan: the address is not complete</title>
<body style="font: 1.1rem/1.5 sans-serif; max-width: 38em; margin: 3em auto; padding: 0 1em">
<h1>The address is not complete</h1>
<p>The simulator opens only with the whole address that <code>revplan app</code> printed in its window, with the part
after <code>token=</code>. Copy it from there, or start the command again.</p>
"""


class Entrance(RequestHandler):
    """Trades the token of the address for a cookie that only this server reads."""

    def get(self) -> None:
        """The page, without the token in its address."""
        port = self.request.host.rpartition(":")[2]
        self.set_cookie(_cookie(port), self.get_query_arguments("token")[-1], httponly=True, samesite="Lax")
        self.redirect("/")


class Refusal(RequestHandler):
    """Says why nothing is shown."""

    def prepare(self) -> None:
        """403 for every method."""
        self.set_status(403)
        self.finish(REFUSED)


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
    """

    def __init__(self, inside: Application, port: int, token: str) -> None:
        self.inside = inside
        self.outside = Application()
        self.names = {f"{HOST}:{port}", f"localhost:{port}"}
        self.cookie = _cookie(port)
        self.token = token.encode()

    def find_handler(self, request: HTTPServerRequest, **options: Any) -> Any:
        """What answers `request`."""
        in_address, in_cookie = self._token_in_address(request), self._token_in_cookie(request)
        if not self._is_from_here(request) or not (in_address or in_cookie):
            return self.outside.get_handler_delegate(request, Refusal)
        if in_address and request.path == "/":
            return self.outside.get_handler_delegate(request, Entrance)
        return self.inside.find_handler(request, **options)

    def _is_from_here(self, request: HTTPServerRequest) -> bool:
        origin = request.headers.get("Origin", f"http://{request.host}")
        return request.host in self.names and origin == f"http://{request.host}"

    def _token_in_address(self, request: HTTPServerRequest) -> bool:
        return any(hmac.compare_digest(token, self.token) for token in request.query_arguments.get("token", []))

    def _token_in_cookie(self, request: HTTPServerRequest) -> bool:
        cookie = request.cookies.get(self.cookie)
        return cookie is not None and hmac.compare_digest(cookie.value.encode(), self.token)


def _cookie(port: int | str) -> str:
    """The cookie's name: browsers send the cookies of one name to all its ports."""
    return f"revplan-{port}"
