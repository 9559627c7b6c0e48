"""Many visitors of the served simulator at once: memory, answers' times, and whether anybody sees another's moves.

    python benchmarks/app_visitors.py PLAN --visitors 50 --minutes 60 --pause 5

Each visitor comes through the door as a browser does and moves a random slider every few seconds. It listens on this
machine only, and ends by itself. Linux.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import re
import subprocess
import sys
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tornado.httpclient import AsyncHTTPClient, HTTPRequest
from tornado.websocket import WebSocketClientConnection, websocket_connect

MOST_VISITORS, MOST_MINUTES = 60, 120
LOOKED_EVERY = 20  # seconds between two looks at the memory


@dataclass
class Visitor:
    """Somebody who moves sliders."""

    number: int
    line: WebSocketClientConnection
    page: float
    """Seconds until its page was there."""
    models: dict[str, dict[str, Any]] = field(default_factory=dict)
    times: list[float] = field(default_factory=list)
    """Seconds from each move to the end of its answer."""
    last: tuple[str, int] | None = None

    async def ask(self, comm: str, data: dict[str, Any]) -> list[dict[str, Any]]:
        """What is answered to a message of a widget."""
        sent = str(uuid.uuid4())
        header = {"msg_id": sent, "msg_type": "comm_msg", "username": "", "session": str(self.number), "version": "5.3"}
        content = {"comm_id": comm, "data": data}
        message = {"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell"}
        await self.line.write_message(json.dumps({**message, "buffers": []}))
        return await self._until_idle(sent)

    async def _until_idle(self, sent: str) -> list[dict[str, Any]]:
        found = []
        while True:
            came = await self.line.read_message()
            if came is None:
                raise ConnectionError(f"visitor {self.number}: the line was closed")
            message = json.loads(came if isinstance(came, str) else _text(came))
            if message["parent_header"].get("msg_id") == sent:
                found.append(message)
                if message["content"].get("execution_state") == "idle":
                    return found

    async def look_around(self) -> None:
        """Learns which sliders there are."""
        control, sent = str(uuid.uuid4()), str(uuid.uuid4())
        header = {"msg_id": sent, "msg_type": "comm_open", "username": "", "session": "", "version": "5.3"}
        content = {"comm_id": control, "target_name": "jupyter.widget.control", "data": {}}
        opened = {"header": header, "parent_header": {}, "content": content, "channel": "shell", "buffers": []}
        await self.line.write_message(json.dumps({**opened, "metadata": {"version": "1.0.0"}}))
        await self._until_idle(sent)
        answers = await self.ask(control, {"method": "request_states"})
        states = next(each for each in answers if each["msg_type"] == "comm_msg")["content"]["data"]["states"]
        self.models = {key: each["state"] for key, each in states.items()}

    async def move(self, draw: random.Random) -> None:
        """Moves one slider anywhere."""
        sliders = [key for key, state in self.models.items() if state.get("_model_name") == "IntSliderModel"]
        key = draw.choice(sliders)
        value = draw.randint(self.models[key]["min"], self.models[key]["max"])
        began = time.monotonic()
        await self.ask(key, {"method": "update", "state": {"value": value}, "buffer_paths": []})
        self.times.append(time.monotonic() - began)
        self.last = key, value

    async def is_alone(self) -> bool:
        """Whether the slider it moved last stands where it left it, or was refused and says so."""
        await self.look_around()
        if self.last is None:
            return True
        key, value = self.last
        return bool(self.models[key]["value"] == value) or any(
            "is kept" in str(state.get("value")) for state in self.models.values()
        )


def _text(message: bytes) -> str:
    """The text of a message with buffers: their number, where they begin, then the text."""
    count = int.from_bytes(message[:4], "big")
    places = [int.from_bytes(message[4 * each + 4 : 4 * each + 8], "big") for each in range(count)]
    return message[places[0] : places[1] if count > 1 else None].decode("utf-8")


async def come(url: str, number: int) -> Visitor:
    """A new visitor, once its page is there."""
    client, began = AsyncHTTPClient(), time.monotonic()
    base, token = re.match(r"(http://[^/]+)/\?token=(.+)", url).groups()  # type: ignore[union-attr]
    headers = {"Cookie": f"revplan-{base.rpartition(':')[2]}={token}"}

    async def page(path: str) -> str:
        request = HTTPRequest(base + path, headers=headers, request_timeout=120)
        return (await client.fetch(request)).body.decode("utf-8")

    ticket = re.search(r"visit=([\w-]+)", await page("/"))
    body = await page(f"/?visit={ticket[1] if ticket else ''}")
    kernel = re.search(r'"kernelId": "([\w-]+)"', body)
    if kernel is None:
        raise RuntimeError("no page came")
    channels = f"{base}/api/kernels/{kernel[1]}/channels".replace("http", "ws", 1)
    line = await websocket_connect(HTTPRequest(channels, headers={**headers, "Origin": base}))
    visitor = Visitor(number, line, time.monotonic() - began)
    await visitor.look_around()
    return visitor


def memory(process: int) -> tuple[list[dict[str, float]], float]:
    """For each kernel its megabytes (all it sees, its share, its own), and the share of the server and its warm process."""
    parents = {}
    for status in Path("/proc").glob("[0-9]*/status"):
        try:
            parents[int(status.parent.name)] = int(re.search(r"PPid:\s+(\d+)", status.read_text())[1])  # type: ignore[index]
        except OSError:
            continue
    children = [pid for pid, parent in parents.items() if parent == process]
    kernels = [pid for pid, parent in parents.items() if parent in children]
    return [_megabytes(pid) for pid in kernels], sum(_megabytes(pid)["Pss"] for pid in (process, *children))


def _megabytes(pid: int) -> dict[str, float]:
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return dict.fromkeys(("Rss", "Pss", "Private_Dirty"), 0.0)
    return {name: int(re.search(rf"{name}:\s+(\d+)", text)[1]) / 1024 for name in ("Rss", "Pss", "Private_Dirty")}  # type: ignore[index]


async def play(url: str, process: int, visitors: int, minutes: float, pause: float) -> None:
    """Lets visitors come and play, and prints what was measured."""
    end, here = time.monotonic() + 60 * minutes, [await come(url, number) for number in range(visitors)]
    pages = [each.page for each in here]
    print(
        f"{visitors} visitors came one after the other; a page took {np.median(pages):.1f} s, at most {max(pages):.1f} s"
    )

    async def moves(visitor: Visitor) -> None:
        draw = random.Random(visitor.number)
        while time.monotonic() < end:
            await asyncio.sleep(draw.uniform(0, 2 * pause))
            await visitor.move(draw)

    async def looks() -> None:
        while time.monotonic() < end:
            print(_said(process, sum(len(each.times) for each in here)), flush=True)
            await asyncio.sleep(LOOKED_EVERY)

    await asyncio.gather(looks(), *map(moves, here))
    times = np.concatenate([each.times for each in here])
    low, high = np.percentile(times, [50, 95])
    print(_said(process, len(times)))
    print(
        f"a move was answered in {low:.2f} s at the median, {high:.2f} s at the 95th percentile, {times.max():.2f} s at most"
    )
    alone = [await each.is_alone() for each in here]
    print(f"{sum(alone)} of {visitors} visitors find the slider they moved last where they left it")
    for each in here:
        each.line.close()


def _said(process: int, moved: int) -> str:
    kernels, rest = memory(process)
    parts = ", ".join(
        f"{name} {np.mean([each[key] for each in kernels]):.0f} (most {max(each[key] for each in kernels):.0f})"
        for name, key in (("own", "Private_Dirty"), ("share", "Pss"), ("seen", "Rss"))
    )
    together = sum(each["Pss"] for each in kernels) + rest
    return f"{moved} moves: MB of a visit: {parts}; all together {together:,.0f} MB, of these server and warm process {rest:.0f}"


def main() -> None:
    """Serves the plan, lets visitors play, stops."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("plan", type=Path)
    parser.add_argument("--visitors", type=int, default=10)
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--pause", type=float, default=5, help="mean seconds between two moves of a visitor")
    given = parser.parse_args()
    visitors, minutes = min(given.visitors, MOST_VISITORS), min(given.minutes, MOST_MINUTES)
    command = [sys.executable, "-m", "revplan", "app", str(given.plan), "--port", "0", "--no-browser"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            url = re.search(r"http\S+", server.stdout.readline() if server.stdout else "")
            if url is not None:
                asyncio.run(play(url[0], server.pid, visitors, minutes, given.pause))
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
