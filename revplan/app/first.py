"""The first screen: what is seen of a plan before its sliders come, made without the widgets, which are slow to load."""

from __future__ import annotations

import time
from datetime import date
from pathlib import Path

from revplan.app.answers import headline, tiles, warnings
from revplan.app.game import Game, open_game
from revplan.crm.inputs import input_files, queries
from revplan.crm.planfile import read_plan, real_path
from revplan.exhibits import draw
from revplan.ground.escaping import escape
from revplan.ground.formats import counted, raised
from revplan.plan.scenario import scenario_plans
from revplan.simulation.simulate import Simulation
from revplan.workbook.notes import TO_DO, misses
from revplan.workbook.signing import NO_PEOPLE
from revplan.workbook.workbook import Workbook, expired

STYLE = Path(__file__).parent / "panel.css"
REPORT_STYLE = Path(draw.__file__).parent / "style"
ASKED_EVERY = 60  # seconds

Seen = tuple[tuple[str, int, int], ...]
"""Files with their times and sizes, by which a change of one is noticed."""

_opened: dict[str, tuple[Game, Seen]] = {}


def opened(plan: str) -> Game:
    """The plan worked out, which was done before if the files are as they were then.

    Raises
    ------
    RevplanError
        If the plan or a file it names is at fault.
    """
    seen = _seen(plan)
    if plan not in _opened or _opened[plan][1] != seen:
        _opened.pop(plan, None)
        game = open_game(plan)
        scenario_plans(game.plan)
        _opened[plan] = game, seen
    return _opened[plan][0]


def first_screen(plan: str) -> dict[str, object]:
    """What a visitor sees of the plan before the sliders come, and the files it was worked out from; as they are now.

    Raises
    ------
    RevplanError
        If the plan or a file it names is at fault.
    """
    return {"seen": _seen(plan), "html": first_html(opened(plan))}


def _seen(plan: str) -> Seen:
    path = real_path(plan)
    read = read_plan(path)
    files = [path, *input_files(read, path.parent)]
    found = [(str(file), stat.st_mtime_ns, stat.st_size) for file in files if (stat := file.stat())]
    if queries(read, path.parent):  # a database says of no change: it is asked again
        found.append(("", int(time.time() / ASKED_EVERY), 0))
    return tuple(found)


def health_html(book: Workbook, on: date) -> str:
    """What is wrong with a plan on a day, and what is left out of account, as the page says it.

    Wrong are quarters that miss, and assumptions that have expired.
    """
    found = [*misses(book.year, book.quarters), *expired(book.plan, on)]
    said = (
        f"{raised(counted(len(found), 'thing'))} to look at in the plan:"
        if found
        else "Nothing is wrong with the plan as far as it can be told."
    )
    listed = f"<ul>{''.join(f'<li>{escape(line)}</li>' for line in found)}</ul>" if found else ""
    to_do = book.answers.get(TO_DO, "")
    listed += f'<p class="rp-said">{escape(TO_DO)}: {escape(to_do)}</p>' if to_do else ""
    left_out = "" if book.plan.capacity else f'<p class="note">{escape(NO_PEOPLE)}</p>'
    return f'<div class="rp-health"><p class="rp-said">{escape(said)}</p>{listed}{left_out}</div>'


def words(simulation: Simulation, base: Simulation, doubts: tuple[str, ...]) -> str:
    doubtful = "".join(f'<p class="rp-warning">Look at this first: {escape(line)}</p>' for line in doubts)
    warned = "".join(f'<p class="rp-warning">{escape(line)}</p>' for line in warnings(simulation))
    said = f'<p class="rp-headline" role="status" aria-live="polite">{escape(headline(simulation, base))}</p>'
    return doubtful + said + warned + tiles(simulation, base)


def first_html(game: Game) -> str:
    """What is seen of a plan before its sliders come: what is to be signed, how sure that is, what is wrong."""
    said = words(game.base, game.base, game.book.doubts)
    health = health_html(game.book, game.plan.plan_date)
    return f'<style>{style()}</style><div class="rp-app rp-first"><div class="rp-top">{said}</div>{health}</div>'


def style() -> str:
    """The style of the simulator: that of the reports, kept to what is inside it, and what only it has."""
    report = (
        (REPORT_STYLE / "page.css").read_text(encoding="utf-8").replace(":root {", "& {").replace("\nbody {", "\n& {")
    )
    return f".rp-app {{\n{report}\n}}\n{STYLE.read_text(encoding='utf-8')}"
