"""The commands. Each prints for a person, or one JSON object with `--json`.

Exit code 0: done; 2: the input is at fault, with a message on stderr; 3: done, and the plan is likely to be missed
(`pace`); 1: anything else.
Heavy imports stand inside the commands, so that `revplan --help` answers at once.
"""

from __future__ import annotations

import argparse
import errno
import json
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from revplan.ground.errors import PlanError, ReportError, RevplanError, shown
from revplan.ground.memory import keep_freed
from revplan.ground.version import __version__

if TYPE_CHECKING:
    from revplan.cli.answers import Answer
    from revplan.ground.values import Progress

DONE, FAILED, INPUT_AT_FAULT, BEHIND = 0, 1, 2, 3
SOLVED, WORKED = "commit: {done} of {total} sources, now {what}", "{command}: {done} of {total} {what}"
CRM_FILE = "the CRM file (YAML) that says how the records are read"
PATIENCE = 2.0  # seconds after which progress is shown


def main(arguments: Sequence[str] | None = None) -> int:
    """The exit code of the command in `arguments`."""
    given = _parser().parse_args(arguments)
    if given.asked != "app":  # which goes on for hours
        keep_freed()
    try:
        code: int | None = given.command(given)
        sys.stdout.flush()  # what cannot be written is told here, not when Python ends
    except ReportError as error:
        return _refused(error, FAILED)
    except RevplanError as error:
        return _refused(error, INPUT_AT_FAULT)
    except BrokenPipeError:
        _silenced(sys.stdout)
        return FAILED
    except KeyboardInterrupt:
        _tell("revplan: stopped")
        return FAILED
    except Exception as error:
        _silenced(sys.stdout)
        return _surprised(error)
    return code or DONE


def _refused(error: RevplanError, code: int) -> int:
    count = f" ({len(error.faults)} faults)" if len(error.faults) > 1 else ""
    what = "could not be done" if code == FAILED else "the input needs a change"
    _tell(f"revplan: {what}{count}", *(f"  {fault}" for fault in error.faults))
    return code


def _surprised(error: Exception) -> int:
    """What nobody foresaw, by who can do something about it: whoever runs the machine, or whoever writes revplan."""
    cure = _cure(error)
    if cure:
        code = INPUT_AT_FAULT if getattr(error, "errno", None) == errno.ENAMETOOLONG else FAILED
        return _refused(ReportError.at(_place(error), cure), code)
    _tell(f"revplan: a fault of revplan itself, not of your files: {type(error).__name__}: {shown(error)}")
    return FAILED


def _place(error: Exception) -> str:
    name = getattr(error, "filename", None)
    return shown(name) if name else "this machine"


def _cure(error: Exception) -> str:
    """What to do about what the system or the installation refuses; empty where it is neither."""
    stated = (
        f" (PYTHONPATH is set to {shown(os.environ['PYTHONPATH'])!r}: unset it)" if os.environ.get("PYTHONPATH") else ""
    )
    if isinstance(error, ImportError | SyntaxError) or (stated and _is_from_elsewhere(error)):
        return f"a package cannot be loaded ({shown(error)}); install revplan again, as its README says{stated}"
    if isinstance(error, MemoryError):
        return "there is not enough memory; close other programs, or ask for less at a time"
    if not isinstance(error, OSError):
        return ""
    reasons = {
        errno.ENOSPC: "nothing more can be written: the disk is full; make room and run again",
        errno.EDQUOT: "nothing more can be written: your share of the disk is used up; make room and run again",
        errno.EMFILE: "no more files can be opened; allow more with `ulimit -n 1024` and run again",
        errno.ENFILE: "no more files can be opened; close other programs and run again",
        errno.ENAMETOOLONG: "the path is longer than the system takes; check it",
    }
    return reasons.get(error.errno or 0, f"cannot be read or written ({error.strerror or shown(error)}); check who may")


def _is_from_elsewhere(error: Exception) -> bool:
    """Whether it was raised by a file in a folder of PYTHONPATH, or while another module than ours was taken from there."""
    folders = [os.path.abspath(each) + os.sep for each in os.environ.get("PYTHONPATH", "").split(os.pathsep) if each]
    last, at = "", error.__traceback__
    while at is not None:
        last, at = at.tb_frame.f_code.co_filename, at.tb_next
    taken = [
        str(getattr(module, "__file__", "")) for name, module in sys.modules.items() if not name.startswith("revplan")
    ]
    return any(os.path.abspath(file).startswith(tuple(folders)) for file in (last, *taken) if file)


def _tell(*lines: str) -> None:
    """`lines` on stderr; where that cannot be written to, the exit code is all that is told."""
    try:
        print(*lines, sep="\n", file=sys.stderr, flush=True)
    except OSError:
        _silenced(sys.stderr)


def _silenced(stream: TextIO) -> None:
    """Keeps Python from complaining, as it ends, of what could not be written to `stream`."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="revplan", description="From an ARR goal to one marketing commit.")
    parser.add_argument("--version", action="version", version=f"revplan {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    init = _command(commands, "init", _init, "a new workspace: plan, CRM file, notebooks")
    init.add_argument("dir", type=Path, metavar="DIR", help="the folder to make")
    start = init.add_mutually_exclusive_group()
    start.add_argument(
        "--from", type=Path, nargs="+", dest="exports", metavar="EXPORT", help="draft both files from CRM exports"
    )
    start.add_argument("--blank", action="store_true", help="the smallest pair of files (what no option makes, too)")
    start.add_argument("--example", action="store_true", help="the example company's plans and records")

    check = _command(
        commands,
        "check",
        _check,
        "validate a plan and the files it names, a CRM file, or a folder of reports; every fault at once",
    )
    check.add_argument(
        "plan", type=Path, metavar="PLAN", help="the plan or CRM file (YAML), or a folder that reports were written to"
    )
    check.add_argument("--as-of", type=_day, metavar="DAY", help="of a CRM file: the last day known")
    check.add_argument(
        "--bad-values", type=Path, metavar="FILE", help="of a CRM file: write every cell that cannot be read here (CSV)"
    )

    plan = _command(commands, "plan", _asked, "goal to required entries and commit")
    plan.add_argument("plan", type=Path, metavar="PLAN", help="the plan file (YAML)")

    rates = _command(commands, "rates", _asked, "estimated transitions of a CRM history")
    _crm(rates)
    rates.add_argument("--out", type=Path, metavar="FILE", help="write them here, ready to paste into a plan")

    forecast = _command(commands, "forecast", _asked, "wins expected from records known, and with new arrivals")
    _crm(forecast)
    forecast.add_argument("--months", type=int, default=3, metavar="N", help="months ahead, 1 to 24; default 3")
    forecast.add_argument("--by", choices=["source"], help="also by source")

    backtest = _command(commands, "backtest", _asked, "replay the forecast at past days against the actuals")
    backtest.add_argument("crm", type=Path, metavar="CRM", help=CRM_FILE)
    backtest.add_argument(
        "--from", type=_day, required=True, dest="first", metavar="DAY", help="the first day replayed"
    )
    backtest.add_argument(
        "--to", type=_day, required=True, dest="last", metavar="DAY", help="no day after it is replayed"
    )
    backtest.add_argument("--every", choices=["month", "quarter"], default="quarter", help="how far apart they are")
    backtest.add_argument("--months", type=int, default=3, metavar="N", help="months ahead, 1 to 24; default 3")

    simulate = _command(commands, "simulate", _simulate, "the distribution of the year, the commit curve, what decides")
    simulate.add_argument("plan", type=Path, metavar="PLAN", help="the plan file (YAML)")
    simulate.add_argument("--trials", type=int, default=8192, metavar="N", help="how many; default 8192")
    simulate.add_argument("--seed", type=int, default=1, metavar="S", help="the same seed gives the same numbers")
    simulate.add_argument("--csv", type=Path, metavar="FILE", help="also write the scenarios here, a row each")

    movement = _command(commands, "movement", _movement, "how the open pipeline moved between two days, to the cent")
    movement.add_argument("crm", type=Path, metavar="CRM", help=CRM_FILE)
    movement.add_argument(
        "--from", type=_day, required=True, dest="first", metavar="DAY", help="the pipeline at the end of this day"
    )
    movement.add_argument(
        "--to", type=_day, required=True, dest="last", metavar="DAY", help="to that at the end of this one"
    )
    movement.add_argument(
        "--before", type=Path, metavar="OLD_CRM", help="the CRM file, or its folder, of the export of the first day"
    )
    movement.add_argument(
        "--closing",
        choices=["all", "this-quarter", "next-quarter"],
        default="all",
        help="only deals expected to close in the quarter of --to, or the one after it; default all",
    )
    movement.add_argument("--first-month", type=_month, default=1, metavar="N", help="of the fiscal year; default 1")
    movement.add_argument(
        "--stage", default="", metavar="STAGE", help="from which on a record counts; default the first"
    )
    pace = _command(commands, "pace", _pace, "the yellow line: plan, actual and forecast of the running month, landing")
    pace.add_argument("plan", type=Path, metavar="PLAN", help="the plan file (YAML)")
    pace.add_argument("crm", type=Path, nargs="?", metavar="CRM", help="the CRM file of the records, if not the plan's")
    pace.add_argument(
        "--as-of",
        type=_recent_day,
        metavar="DAY",
        help="the last day known: a day, or yesterday; default the records' last",
    )
    pace.add_argument("--against", type=Path, metavar="SIGNED", help="a signed plan to follow, or another plan file")
    pace.add_argument(
        "--out", type=Path, metavar="DIR", help="write page, picture, table and messages there, and keep their history"
    )
    pace.add_argument("--language", default="en", metavar="CODE", help="of what --out writes: en, de; default en")
    pace.add_argument("--segment", default="", metavar="NAME", help="look at one segment only")
    capacity = _command(commands, "capacity", _asked, "ramped reps, what they can close, load and what binds, by month")
    capacity.add_argument("plan", type=Path, metavar="PLAN", help="the plan file (YAML)")
    capacity.add_argument(
        "--as-of", type=_day, metavar="DAY", help="people as known on this day; default the plan date"
    )

    hire = _command(commands, "hire", _asked, "the fewest, latest hires that reach the plan at its confidence")
    hire.add_argument("plan", type=Path, metavar="PLAN", help="the plan file (YAML)")
    hire.add_argument(
        "--confidence", type=_confidence, metavar="Q", help="chance of the goal wanted; default the plan's"
    )

    sign = _command(commands, "sign", _sign, "freeze a plan, its inputs and results as the plan of record")
    sign.add_argument("plan", type=Path, metavar="PLAN", help="the plan file (YAML)")
    sign.add_argument("--by", action="append", required=True, metavar="NAME", help="who signs; once for each")
    sign.add_argument("--on", type=_day, default=date.today(), metavar="DAY", help="the day of signing; default today")
    sign.add_argument("--out", type=Path, metavar="DIR", help="where to put it; default `signed` beside the plan")
    sign.add_argument(
        "--confidence", type=_confidence, metavar="Q", help="sign at this chance of the goal, not the plan's"
    )
    sign.add_argument("--above-ceilings", action="store_true", help="sign more than the sources' ceilings allow")

    diff = _command(commands, "diff", _asked, "what changed between two plans, in words and money")
    for name in ("a", "b"):
        diff.add_argument(name, type=Path, metavar=name.upper(), help="a plan file, or a folder that `sign` wrote")

    report = _command(commands, "report", _report, "run a notebook through papermill and print it")
    report.add_argument("name", metavar="NAME", help="the report, such as annual_commit; several with commas between")
    report.add_argument("plan", type=Path, metavar="PLAN", help="the plan file (YAML)")
    report.add_argument("--out", type=Path, metavar="DIR", help="the folder to write to")
    report.add_argument("--formats", metavar="LIST", help="comma-separated: html, pdf, pptx, xlsx; default html")
    report.add_argument("--against", type=Path, metavar="SIGNED", help="a signed plan to compare with")
    report.add_argument("--template", type=Path, metavar="DECK", help="a company's own deck (pptx) for the slides")
    report.add_argument(
        "--refresh",
        type=Path,
        metavar="DECK",
        help="bring an edited deck of the report (pptx) up to date; without --out in its place",
    )
    report.add_argument(
        "--keep", action="store_true", help="keep what is printed in `packs` beside the plan: it was shown"
    )
    report.add_argument("--on", type=_day, metavar="DAY", help="of --keep: the day it is shown on; default today")
    report.add_argument("--language", default="en", metavar="CODE", help="of page, PDF and slides: en, de; default en")
    report.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a parameter of the notebook")

    packs = _command(
        commands, "packs", _packs, "the packs kept of a plan: when shown, landing, chance, commit, what was asked"
    )
    packs.add_argument("plan", type=Path, metavar="PLAN", help="the plan file (YAML)")

    comment = _command(
        commands, "comment", _comment, "say something beside an exhibit of a report, until its figures move"
    )
    comment.add_argument("plan", type=Path, metavar="PLAN", help="the plan file (YAML)")
    comment.add_argument("exhibit", metavar="EXHIBIT", help="what the exhibit is called, such as coverage")
    comment.add_argument("text", metavar="TEXT", help="what to say")
    comment.add_argument("--by", required=True, metavar="NAME", help="who says it")
    comment.add_argument("--on", type=_day, default=date.today(), metavar="DAY", help="the day; default today")
    comment.add_argument(
        "--report", default="board_report", metavar="NAME", help="of which report; default board_report"
    )
    comment.add_argument("--against", type=Path, metavar="SIGNED", help="as the report is given it")
    comment.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="as the report is given it")

    bring = _command(
        commands, "import", _import, "changed inputs of a workbook as a reviewed difference to the plan file"
    )
    bring.add_argument(
        "workbook", type=Path, metavar="WORKBOOK", help="a workbook of the plan (xlsx) with changed inputs"
    )
    bring.add_argument("plan", type=Path, metavar="PLAN", help="the plan file it was made from (YAML)")
    bring.add_argument("--write", action="store_true", help="write the changes to the plan file; without it, show them")

    app = _command(commands, "app", _app, "the simulator in the browser, without code")
    app.add_argument("plan", type=Path, metavar="PLAN", help="the plan file (YAML), or a folder of such")
    app.add_argument("--port", type=int, metavar="N", help="where to listen on this machine; default 8866 or the next")
    app.add_argument("--no-browser", action="store_true", help="print the address, open nothing")
    return parser


def _command(
    commands: Any, name: str, run: Callable[[argparse.Namespace], int | None], about: str
) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=about, description=about)
    parser.add_argument("--json", action="store_true", help="print one JSON object and nothing else")
    parser.set_defaults(command=run, asked=name)
    return parser


def _crm(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("crm", type=Path, metavar="CRM", help=CRM_FILE)
    parser.add_argument("--as-of", type=_day, metavar="DAY", help="the last day known, such as 2018-01-31")


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no day; write it as 2018-01-31") from None


def _month(text: str) -> int:
    if text not in {str(month) for month in range(1, 13)}:
        raise argparse.ArgumentTypeError(f"{text!r} is no month; write it as a number from 1 to 12")
    return int(text)


def _recent_day(text: str) -> date:
    return date.today() - timedelta(days=1) if text == "yesterday" else _day(text)


def _confidence(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no chance between 0 and 1; write it as 0.62")
    return found


def _print(given: argparse.Namespace, answer: dict[str, Any], text: str) -> None:
    print(json.dumps(answer, ensure_ascii=False, allow_nan=False) if given.json else text)


def _init(given: argparse.Namespace) -> None:
    from revplan.run.workspace import blank, example_company, from_exports, new_workspace

    fill = from_exports(given.exports) if given.exports else example_company if given.example else blank
    files, questions = new_workspace(given.dir, fill)
    listed = "\n".join(f"  {path}" for path in files)
    asked = "".join(f"Please settle in {given.dir / 'crm.yaml'}: {question}\n" for question in questions)
    plan = given.dir / "plan.yaml"
    first = f"{given.dir / 'crm.yaml'}" if given.exports else f"{plan}"
    steps = f"Next: revplan check {first}, then revplan report annual_commit {plan} --out {given.dir / 'reports'}"
    answer = {"dir": str(given.dir), "files": [str(path) for path in files], "questions": questions}
    _print(given, answer, f"{given.dir} holds\n{listed}\n{asked}{steps}")


def _check(given: argparse.Namespace) -> None:
    from revplan.crm.answer import check_crm
    from revplan.crm.file import is_crm_file
    from revplan.crm.planfile import real_path
    from revplan.ground.written import checked_packs
    from revplan.run.commentary import read_commentary
    from revplan.workbook.workbook import LOOK, check_plan

    if given.plan.is_dir() and any(given.plan.glob(".revplan-*.pack")):
        packs = checked_packs(given.plan)
        _print(given, {"ok": True, "faults": [], "packs": packs}, "\n".join(packs))
        return
    if not given.plan.is_dir() and is_crm_file(real_path(given.plan)):
        _print(given, *check_crm(given.plan, given.as_of, date.today(), given.bad_values))
        return
    if given.as_of:
        raise PlanError.at("--as-of", "is for a CRM file; a plan says its own day (plan_date)")
    if given.bad_values:
        raise PlanError.at("--bad-values", "is for a CRM file; name the one that the plan reads")
    report = check_plan(given.plan, date.today())
    read_commentary(real_path(given.plan).parent)
    text = "\n".join([*report, f"{given.plan.name}: no faults"])
    notes = [line.removeprefix(LOOK) for line in report if line.startswith(LOOK)]
    _print(given, {"ok": True, "faults": [], "import_report": list(report), "notes": notes}, text)


def _answer(given: argparse.Namespace, answer: Answer) -> None:
    """Prints what a command answers: the JSON, or its exhibits."""
    from revplan.cli.answers import printed

    told, exhibits = answer
    _print(given, told, "" if given.json else printed(exhibits))


ASKED: dict[str, tuple[str, Callable[[Any, argparse.Namespace, Progress], Answer]]] = {
    "plan": (SOLVED, lambda answers, of, tell: answers.plan(answers.open_workbook(of.plan, tell))),
    "capacity": (SOLVED, lambda answers, of, tell: answers.capacity(answers.open_workbook(of.plan, tell), of.as_of)),
    "hire": (SOLVED, lambda answers, of, tell: answers.hire(answers.open_workbook(of.plan, tell), of.confidence)),
    "rates": (WORKED, lambda answers, of, tell: answers.estimates(of.crm, of.as_of, of.out, tell)),
    "forecast": (
        WORKED,
        lambda answers, of, tell: answers.outlook(of.crm, of.as_of, of.months, of.by == "source", tell),
    ),
    "backtest": (
        WORKED,
        lambda answers, of, tell: answers.replay(of.crm, (of.first, of.last), of.every, of.months, tell),
    ),
    "diff": (
        "diff: {done} of {total} done, now {what}",
        lambda answers, of, tell: answers.difference(of.a, of.b, tell),
    ),
}
"""How the progress of a command is worded, and what it asks of `answers`."""


def _asked(given: argparse.Namespace) -> None:
    from revplan.cli import answers

    line, ask = ASKED[given.asked]
    _answer(given, ask(answers, given, _progress(line.replace("{command}", given.asked))))


def _movement(given: argparse.Namespace) -> None:
    from revplan.cli import answers
    from revplan.tracking.movement import MovementSpan

    asked = MovementSpan(
        first=given.first,
        last=given.last,
        closing=given.closing.replace("-", " "),
        first_month=given.first_month,
        stage=given.stage,
    )
    _answer(given, answers.pipeline(given.crm, given.before, asked))


def _progress(line: str) -> Callable[[int, int, str], None]:
    """Says on stderr what is being done, as `line` words it, once it takes longer than a person waits gladly."""
    begun = time.monotonic()

    def tell(done: int, total: int, what: str) -> None:
        if time.monotonic() - begun > PATIENCE:
            _tell(line.format(done=done, total=total, what=what))

    return tell


def _simulate(given: argparse.Namespace) -> None:
    from revplan.cli import answers
    from revplan.ground.written import check_file, written
    from revplan.simulation.draws import DrawStore
    from revplan.simulation.scenarios import compare
    from revplan.simulation.simulate import simulate
    from revplan.workbook.answers import scenarios_csv
    from revplan.workbook.workbook import open_workbook

    DrawStore(given.trials, 1, given.seed)  # refuses what cannot be simulated before anything is solved
    if given.csv:
        check_file(given.csv)
    book = open_workbook(given.plan, _progress(SOLVED))
    found = simulate(book.year, given.trials, given.seed, _progress("simulation: {done} of {total} rounds"))
    book = book.simulated(found, compare(found, _progress("scenarios: {done} of {total}")))
    if given.csv:
        written(given.csv, scenarios_csv(book.scenarios))
    _answer(given, answers.simulation(book))


def _pace(given: argparse.Namespace) -> int:
    from revplan.cli import answers
    from revplan.exhibits import calls, pace, service
    from revplan.tracking.calls import CallBook
    from revplan.tracking.pacebook import open_pace
    from revplan.tracking.servicebook import ServiceBook

    if given.out is None and given.language != "en":
        raise PlanError.at("--language", "is of what --out writes; add --out DIR, or leave it out")
    book = open_pace(given.plan, given.as_of, given.against or "", given.segment, given.crm or "")
    levels, called = ServiceBook(book), CallBook(book)
    more = [*service.tables(levels), *calls.tables(called)]
    if given.out is None and not given.json:
        _answer(given, ({}, [*pace.tables(book), *more]))
        return BEHIND if book.alert() else DONE
    answer = answers.pace_answer(book)
    answer |= {"service_levels": levels.answer(), "why": levels.why(), "calls": called.answer()}
    if given.out is None:
        _answer(given, (answer, []))
        return BEHIND if book.alert() else DONE
    from revplan.run.daily import write_day

    made = write_day(book, given.out, answer, more, given.language)
    files = [str(path) for path in made.files]
    _print(given, {**answer, "alert": made.alert, "files": files}, "\n".join([pace.told(book), *files]))
    return BEHIND if made.alert else DONE


def _sign(given: argparse.Namespace) -> None:
    from revplan.cli import answers
    from revplan.record.signing import Terms

    somebody_is_there = sys.stdin.isatty() and sys.stderr.isatty() and not given.json
    terms = Terms(
        confidence=given.confidence,
        above_ceilings=given.above_ceilings,
        ask=_answered_yes if somebody_is_there else None,
    )
    _answer(given, answers.signature(given.plan, given.by, given.on, given.out, _progress(SOLVED), terms))


def _answered_yes(question: str) -> bool:
    print(f"{question} [y/N] ", end="", file=sys.stderr, flush=True)
    return sys.stdin.readline().strip().lower() in {"y", "yes"}


def _report(given: argparse.Namespace) -> None:
    from revplan.ground.extras import check_installed
    from revplan.run.render import Request, refresh, render_all

    requests = [
        Request(
            name=name,
            plan_path=given.plan,
            formats=_listed(given.formats or ("pptx" if given.refresh else "html")),
            settings=_settings(given.set),
            against=given.against,
            template=given.template,
            refresh=given.refresh,
            language=given.language,
            shown_on=(given.on or date.today()) if given.keep else None,
        )
        for name in _listed(given.name) or [given.name]
    ]
    if given.on and not given.keep:
        raise PlanError.at("--on", "is the day a pack that is kept is shown on; add --keep, or leave it out")
    if not given.refresh and not given.out:
        raise PlanError.at("--out", "is missing; name the folder to write to, such as `--out reports`")
    if not given.refresh:
        files = render_all(requests, given.out, sys.stderr)
        _print(given, {"files": [str(path) for path in files]}, "\n".join(str(path) for path in files))
        return
    if len(requests) > 1:
        raise PlanError.at("--refresh", "takes the deck of one report; name that report alone")
    check_installed("--refresh", "pptx")
    files, found = refresh(requests[0], given.out, sys.stderr)
    answer = {"files": [str(path) for path in files], "findings": [asdict(each) for each in found]}
    _print(given, answer, "\n".join([*map(str, files), *map(str, found)]))


def _packs(given: argparse.Namespace) -> None:
    from revplan.cli import answers

    _answer(given, answers.kept_packs(given.plan))


def _comment(given: argparse.Namespace) -> None:
    from revplan.crm.planfile import real_path
    from revplan.run.commentary import comment_of, commented
    from revplan.run.render import Request, frozen, prepared, run

    asked = Request(
        name=given.report, plan_path=given.plan, settings=_settings(given.set), against=given.against, commented=False
    )
    said = comment_of(given.exhibit, given.text, given.by, given.on, given.report)
    with frozen([asked]) as (kept,):
        done = run(prepared(kept), sys.stderr)
    added = commented(done, real_path(given.plan).parent, said)
    beside = ", ".join(each.shown for each in added.beside)
    until = f"; it expires when one of these moves: {beside}" if beside else "; no figure stands beside it"
    _print(given, added.model_dump(mode="json"), f"Said beside {added.exhibit} of {given.report}{until}.")


def _listed(text: str) -> tuple[str, ...]:
    """The parts of a comma-separated list, each once."""
    return tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))


def _app(given: argparse.Namespace) -> None:
    import webbrowser

    from revplan.ground.extras import check_installed

    check_installed("app", "the simulator")
    from revplan.app.serve import serve

    def ready(address: str) -> None:
        _print(given, {"url": address}, f"The simulator is at {address}\nCtrl+C stops it.")
        sys.stdout.flush()
        if not given.no_browser:
            webbrowser.open(address)

    serve(given.plan, given.port, ready)


def _import(given: argparse.Namespace) -> None:
    from revplan.excel.changes import import_workbook

    _answer(given, import_workbook(given.workbook, given.plan, given.write))


def _settings(pairs: Sequence[str]) -> dict[str, object]:
    lacking = [pair for pair in pairs if "=" not in pair]
    if lacking:
        raise PlanError.at("--set", f"got {lacking[0]!r}; write it as key=value")
    settings: dict[str, object] = {}
    for pair in pairs:
        key, value = pair.split("=", 1)
        settings[key] = value
    return settings
