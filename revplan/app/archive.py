"""The page of the packs that were shown: what each told, and its files, to be opened or taken.

Nothing of an address becomes a path: it is compared with the names of the packs that are kept. A page that was kept opens
without the rights of the simulator's own (a sandbox), for whoever can write beside the plan can keep one.
"""

from __future__ import annotations

from asyncio import get_running_loop
from collections.abc import Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from tornado.web import RequestHandler

from revplan.ground.errors import PlanError, RevplanError
from revplan.ground.escaping import escape

if TYPE_CHECKING:
    from revplan.record.packs import KeptPack

WHERE = "/packs"
OPENED = (
    "sandbox allow-scripts; default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; img-src data:; "
    "font-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What a kept page may: show itself, and nothing of this server."""
BACK = '<p><a href="/">To the simulator</a></p>'


class Archive(RequestHandler):
    """Answers with the page of the packs kept beside `plan`, or with a file of one."""

    def initialize(self, plan: Path, sheet: str, headers: Mapping[str, str]) -> None:
        """Whose packs they are; the sheet that words are put on, and what is said to the browser with it."""
        self.plan, self.sheet, self.headers = plan, sheet, headers

    async def get(self) -> None:
        """The page, or the file; what is not kept as it was shown is refused."""
        for name, value in {**self.headers, "X-Content-Type-Options": "nosniff"}.items():
            self.set_header(name, value)
        pack, _, name = self.request.path.removeprefix(WHERE).removeprefix("/").partition("/")
        try:
            if not pack:
                self.finish(await get_running_loop().run_in_executor(None, page, self.plan, self.sheet))
                return
            content = await get_running_loop().run_in_executor(None, file_of, self.plan, pack, name)
        except RevplanError as error:
            self.set_status(409)
            faults = "<br>".join(escape(str(fault)) for fault in error.faults)
            self.finish(self.sheet.format(title="The packs cannot be shown", words=faults) + BACK)
            return
        if content is None:
            self.set_status(404)
            self.finish(
                self.sheet.format(title="No such file is kept", words=f'<a href="{WHERE}">The packs that are</a>')
            )
            return
        is_page = name.endswith(".html")
        self.set_header("Content-Type", "text/html; charset=utf-8" if is_page else "application/octet-stream")
        if is_page:
            self.set_header("Content-Security-Policy", OPENED)
        else:
            self.set_header("Content-Disposition", f'attachment; filename="{name}"')
        self.finish(content)


def file_of(plan: Path, folder: str, name: str) -> bytes | None:
    """A printed file of a pack, as it was kept; None where no such file is.

    Raises
    ------
    PlanError
        If it was changed or lost since, or something in `packs` is no pack.
    """
    from revplan.record.packs import read_packs

    for kept in read_packs(plan):
        if kept.folder.name == folder and name in kept.pack.files:
            path = kept.folder / name
            content = b"" if path.is_symlink() or not path.is_file() else path.read_bytes()
            if sha256(content).hexdigest() != kept.pack.files[name]:
                reason = "is missing, or was changed after it was kept; put it back as it was"
                raise PlanError.at(f"packs/{folder}/{name}", reason)
            return content
    return None


def page(plan: Path, sheet: str) -> str:
    """The packs kept beside `plan`, those of each plan file under its name, on a `sheet`.

    Raises
    ------
    PlanError
        With everything in `packs` that is not as it was kept.
    """
    from revplan.exhibits import record
    from revplan.exhibits.exhibit import page_html, raw
    from revplan.record.packs import checked_packs, packs_of

    found = checked_packs(plan)
    parts = []
    for file in sorted(
        {plan.name, *(each.pack.plan_file for each in found)}, key=lambda name: (name != plan.name, name)
    ):
        exhibit = replace(record.packs(found, file), notes=())
        parts += [f"<h2>{escape(file)}</h2>", page_html(raw(exhibit)), *_files(packs_of(found, file))]
    style = "<style>body { max-width: 70em } td, th { padding: 0 .6em; text-align: left; vertical-align: top }</style>"
    words = "Each as it was shown; a figure of it is not worked out again."
    return sheet.format(title="Packs that were shown", words=words) + style + BACK + "".join(parts)


def _files(packs: list[KeptPack]) -> Iterator[str]:
    """Links to the files of some packs, the last pack first."""
    from revplan.ground.formats import show

    for kept in reversed(packs):
        links = [f'<a href="{WHERE}/{kept.folder.name}/{name}">{name}</a>' for name in sorted(kept.pack.files)]
        of = ", ".join(filter(None, [kept.pack.label, kept.pack.segment]))
        yield f"<p>{show(kept.pack.shown_on, 'date')}, {escape(of)}: {', '.join(links)}</p>"
