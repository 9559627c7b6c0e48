"""`revplan report`: a notebook found, checked, run and printed, or the earlier report kept."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from itertools import chain, repeat
from multiprocessing import get_context
from pathlib import Path
from tempfile import mkdtemp
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TextIO, TypeVar

from revplan.crm.inputs import frozen_inputs, input_files, named_outside
from revplan.crm.planfile import read_plan, real_path
from revplan.exhibits.figures import MIMETYPE
from revplan.exhibits.provenance import pack_id, provenance
from revplan.exhibits.summary import DEFINED, definitions
from revplan.ground.errors import Fault, PlanError, ReportError, RevplanError, did_you_mean, shown
from revplan.ground.escaping import clean
from revplan.ground.extras import check_installed
from revplan.ground.files import copied, own_folder, scratch_folder
from revplan.ground.language import ENGLISH, unknown_language
from revplan.ground.values import FrozenDict
from revplan.ground.written import check_folder, shown_path, written, written_together
from revplan.plan.model import Plan
from revplan.printing.blocks import exhibits, under_headings
from revplan.printing.registry import registry
from revplan.printing.translated import translated, written_in
from revplan.record.packs import FIGURES, Ask, Pack, figures_copied, keep
from revplan.record.signed import CONTENTS, digest, names_in, read_record, versions
from revplan.run.commentary import NOTHING_SAID, Commentary, named_exhibits, read_commentary, with_commentary
from revplan.run.notebooks import PACKAGE, REPOSITORY, check_trust, notebook_in
from revplan.run.parameters import checked, declared
from revplan.run.running import CellProgress, executed

if TYPE_CHECKING:
    from revplan.printing.slides.refresh import DeckFinding

T = TypeVar("T")

NOTHING: Mapping[str, bytes] = MappingProxyType({})
NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
FORMATS = ("html", "pdf", "pptx", "xlsx")


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked of a report."""

    name: str
    """The notebook, without `.ipynb`. The plan's folder is searched first, in `notebooks`."""
    plan_path: Path
    """The plan file; given to the notebook as `plan_path`, if it declares that."""
    formats: tuple[str, ...] = ("html",)
    """Any of `FORMATS`."""
    settings: Mapping[str, object] = field(default_factory=dict)
    """Values for other parameters the notebook declares; texts are read as the declared type."""
    against: Path | None = None
    """A signed plan to compare with; given to the notebook as `against`."""
    template: Path | None = None
    """A company's own deck, whose layouts the slides take."""
    refresh: Path | None = None
    """A deck of the report that people worked on; its numbers are brought up to date, and what they wrote stays."""
    given: Path | None = None
    """The plan file as it was given, where `plan_path` is a copy of it: notebooks are looked for beside it."""
    language: str = ENGLISH
    """The language of page, PDF and slides, one of `languages()`; the live workbook is in English."""
    commented: bool = True
    """Whether what people say in `commentary.yaml` is printed."""
    shown_on: date | None = None
    """The day the pack is shown to the board: what is printed is kept as that; None of a draft."""
    outside: Mapping[Path, str] = field(default_factory=dict)
    """Files that the copy names by their place on this machine, and their SHA-256 when it was made."""


@contextmanager
def frozen(requests: Sequence[Request]) -> Iterator[list[Request]]:
    """The same requests on copies of the files they read: what is changed meanwhile is of the next report.

    All printings of all of them are made from the same copies, and these are what is stamped.

    Raises
    ------
    RevplanError
        With the faults of all requests that cannot be met, before anything is copied; or if a plan is at fault.
    """
    _succeeded([_attempt(_notebook_and_values, request) for request in requests])
    with scratch_folder("revplan-") as scratch:
        plans = {path: _frozen_plan(path, scratch) for path in {each.plan_path: None for each in requests}}
        signed = {path: _frozen_baseline(path, scratch) for path in {each.against: None for each in requests} if path}
        templates = {each.template: None for each in requests} | {each.refresh: None for each in requests}
        decks = {path: copied(path, Path(mkdtemp(dir=scratch), path.name), PlanError) for path in templates if path}
        yield [
            replace(
                each,
                plan_path=plans[each.plan_path][0],
                outside=plans[each.plan_path][1],
                against=each.against and signed[each.against],
                template=each.template and decks[each.template],
                refresh=each.refresh and decks[each.refresh],
                given=each.plan_path,
            )
            for each in requests
        ]


def _frozen_plan(path: Path, scratch: Path) -> tuple[Path, dict[Path, str]]:
    """The copy of a plan file, and the hashes of what it reads elsewhere."""
    folder = Path(mkdtemp(dir=scratch), real_path(path).parent.name or "plan")
    copy = frozen_inputs(path, folder)
    figures_copied(path, copy)
    return copy, {each: digest(each) for each in named_outside(copy, folder) if each.is_file()}


def _frozen_baseline(path: Path, scratch: Path) -> Path:
    """The copy of a signed folder, every byte as it was signed, or of a plan file; what is neither as it is."""
    if path.is_file():
        return _frozen_plan(path, scratch)[0]
    if not path.is_dir():
        return path
    read_record(path)
    real = real_path(path)
    copy = Path(mkdtemp(dir=scratch), real.name)
    for name in (*names_in(real), CONTENTS):
        copied(real / name, copy / name, PlanError)
    return copy


def render(request: Request, out: Path, progress: TextIO | None = None) -> list[Path]:
    """The files of a report, written to the folder `out`.

    Everything that can be checked is checked before the notebook runs; the files in `out` are
    replaced together when all of them are complete, and not touched before.

    Parameters
    ----------
    request
        The report, its plan and its formats.
    out
        The folder to write to, made if it is missing.
    progress
        Where a person watches, such as `sys.stderr`.

    Raises
    ------
    PlanError, DataError
        If the input is at fault: a name, a setting, a format, the plan, the records.
    ReportError
        If the notebook, the kernel or the folder is, if a format needs what is not installed, or if two figures of the report disagree.
    """
    with frozen([request]) as (kept,):
        return _rendered(kept, out, progress)


def _rendered(kept: Request, out: Path, progress: TextIO | None) -> list[Path]:
    ready = prepared(kept)
    check_folder(out)
    return printed(run(ready, progress), kept, out)


def refresh(request: Request, out: Path | None, progress: TextIO | None = None) -> tuple[list[Path], list[DeckFinding]]:
    """The files of a report of which the deck is an edited one, brought up to date; and what a person should look at.

    Parameters
    ----------
    request
        The report; `refresh` is the deck.
    out
        The folder to write to; without one the deck itself is replaced.
    progress
        As for `render`.

    Raises
    ------
    RevplanError
        As `render` does; also if the deck is not of this report and plan, or a sentence of its own contradicts the
        figure it is linked with. Nothing is written then.
    """
    from revplan.printing.slides.refresh import check_deck, refreshed

    if request.refresh is None:
        raise PlanError.at("refresh", "names no deck; give the one to be refreshed")
    if out is None and len(request.formats) > 1:
        raise PlanError.at("--out", "is missing; without it the deck alone is refreshed, in its place")
    target = out or request.refresh.parent
    with frozen([request]) as (kept,):
        ready = prepared(kept)
        copy, place = kept.refresh or request.refresh, shown_path(request.refresh)
        check_deck(copy, kept.name, ready.plan.name, place, kept.language)
        check_folder(target)
        done = run(ready, progress)
        deck, found = refreshed(_in_language(done, kept), kept.name, copy, place)
        is_of_pack = request.refresh.name == f"{request.name}.pptx" and not request.refresh.is_symlink()
        if out or is_of_pack:
            return printed(done, kept, target, {"pptx": deck}), found
        _unchanged_outside(kept)
        archived = _kept(done, kept, {f"{kept.name}.pptx": deck})
        return [written(request.refresh, deck), *archived], found


@dataclass(frozen=True, kw_only=True, eq=False)
class Ready:
    """A report of which everything is checked that can be before it runs."""

    request: Request
    notebook: Any
    values: Mapping[str, object]
    plan: Plan
    inputs: list[Path]
    commentary: Commentary = NOTHING_SAID


def prepared(request: Request) -> Ready:
    """The report that `request` asks for, ready to run.

    Raises
    ------
    PlanError, DataError
        If the input is at fault.
    ReportError
        If the notebook is.
    """
    notebook, values = _notebook_and_values(request)
    plan = read_plan(request.plan_path)
    inputs = input_files(plan, request.plan_path.parent)
    said = read_commentary(real_path(request.given or request.plan_path).parent) if request.commented else NOTHING_SAID
    return Ready(request=request, notebook=notebook, values=values, plan=plan, inputs=inputs, commentary=said)


def _notebook_and_values(request: Request) -> tuple[Any, dict[str, object]]:
    """The notebook a request asks for and what it runs with, if it may run."""
    _check_request(request)
    path = notebook_path(request.name, request.given or request.plan_path)
    notebook = notebook_in(path)
    check_trust(notebook, path)
    return notebook, _parameters(request, notebook, path.name)


def run(ready: Ready, progress: TextIO | None = None) -> Any:
    """The executed notebook of a report, its figures checked and its origin noted, to be printed.

    Raises
    ------
    PlanError, DataError, ReportError
        If a cell fails, or if two figures of the report disagree.
    """
    request = ready.request
    told = CellProgress(request.name, len(ready.notebook.cells), progress)
    done = executed(ready.notebook, ready.values, told)
    told.finish("done")
    registry(exhibits(done))
    keep_own_definitions(done)
    done = with_commentary(done, ready.commentary, request.name)
    made_from = provenance(request.name, ready.plan, request.plan_path, ready.inputs, ready.values)
    done.metadata["revplan"] = {**made_from, "pack": pack_id(exhibits(done), made_from)}
    return done


def keep_own_definitions(notebook: Any) -> None:
    """Cuts the list of the measures of all reports down to those that this one shows."""
    shown = {measure for each in exhibits(notebook) for measure in each["definitions"]}
    for output in chain.from_iterable(cell.get("outputs", ()) for cell in notebook.cells):
        if output.get("data", {}).get(MIMETYPE, {}).get("message") == DEFINED:
            output["data"].update(definitions(shown)._repr_mimebundle_())


def printed(notebook: Any, request: Request, out: Path, ready: Mapping[str, bytes] = NOTHING) -> list[Path]:
    """The executed `notebook` in every format of `request`, written to the folder `out` together; `ready` is done.

    Raises
    ------
    ReportError
        If the folder cannot be written to, or a printing fails; the earlier files are kept.
    """
    kinds, told = dict.fromkeys(request.formats), _in_language(notebook, request)
    files = {
        f"{request.name}.{kind}": ready.get(kind) or printing(kind, notebook if kind == "xlsx" else told, request)
        for kind in kinds
    }
    _unchanged_outside(request)
    archived = _kept(notebook, request, files)
    written_out = written_together(out, request.name, files, notebook.metadata.get("revplan", {}).get("pack", ""))
    return [*written_out, *archived]


def _kept(notebook: Any, request: Request, files: Mapping[str, bytes]) -> list[Path]:
    """The figures of the pack as it is kept beside the plan, where it is one that is shown."""
    if request.shown_on is None:
        return []
    made = keep(request.given or request.plan_path, pack_of(notebook, request, request.shown_on), files)
    return [made.folder / FIGURES]


def pack_of(notebook: Any, request: Request, shown_on: date) -> Pack:
    """The executed `notebook` of a report as a pack that is shown on a day: its figures, what it asks, what is said in it.

    Raises
    ------
    PlanError
        If the report does not say what it is of.
    """
    shown_exhibits = dict(named_exhibits(notebook))
    about = next((raw["about"] for raw in shown_exhibits.values() if raw.get("about")), None)
    if about is None:
        raise PlanError.at(
            "--keep", f"is for a report that is of a quarter or a year, as board_report; {request.name} is not"
        )
    path, told = real_path(request.given or request.plan_path), notebook.metadata["revplan"]
    asked = shown_exhibits.get("risks_and_asks", {"columns": [], "rows": []})
    names = [column["name"] for column in asked["columns"]]
    return Pack(
        report=request.name,
        plan=clean(told["plan"]),
        plan_file=path.name,
        currency=read_plan(request.plan_path).currency,
        shown_on=shown_on,
        pack=told["pack"],
        revplan=told["revplan"],
        code=versions().code,
        figures=FrozenDict({name: each["value"] for name, each in registry(exhibits(notebook)).items()}),
        asks=tuple(Ask.model_validate(dict(zip(names, row, strict=True))) for row in asked["rows"] if "ask" in names),
        comments=FrozenDict(
            {
                name: tuple(each["line"] for each in raw["comments"])
                for name, raw in shown_exhibits.items()
                if raw.get("comments")
            }
        ),
        files=FrozenDict(),
        **about,
    )


def _in_language(notebook: Any, request: Request) -> Any:
    if request.language == ENGLISH:
        return notebook
    return translated(notebook, request.language, written_in(read_plan(request.plan_path))).notebook


def _unchanged_outside(request: Request) -> None:
    changed = [path for path, was in request.outside.items() if not path.is_file() or digest(path) != was]
    if changed:
        raise ReportError.at(shown(changed[0].name), "was changed while the report was made from it; run it again")


def render_all(requests: Sequence[Request], out: Path, progress: TextIO | None = None) -> list[Path]:
    """The files of several reports, which run beside each other, a process each.

    All are checked before the first one runs: a name that is not known costs no minute of the others.

    Raises
    ------
    RevplanError
        With the faults of all that were asked for, none being run; or of all that failed, the others being written.
    ReportError
        If one of the processes was ended from outside; reports that were done by then are written.
    """
    if len(requests) == 1:
        return render(requests[0], out, progress)
    with frozen(requests) as kept:
        _succeeded([_attempt(prepared, request) for request in kept])
        results = _beside_each_other(kept, out, progress is not None)
    return [path for paths in _succeeded(results) for path in paths]


def _beside_each_other(kept: Sequence[Request], out: Path, told: bool) -> list[list[Path] | RevplanError]:
    whole = [replace(each, given=each.given and each.given.absolute()) for each in kept]
    target, count = out.absolute(), min(len(kept), os.cpu_count() or 1)
    try:
        with own_folder(), ProcessPoolExecutor(count, get_context("spawn")) as workers:
            found = list(workers.map(_attempted, whole, repeat(target), repeat(told)))
    except BrokenProcessPool:
        names = ", ".join(request.name for request in kept)
        cure = "if memory ran out, close programs or ask for one report at a time; then run again"
        raise ReportError.at(names, f"a process that made one of them was ended; {cure}") from None
    return [each if isinstance(each, RevplanError) else [_as_given(path, out) for path in each] for each in found]


def _as_given(path: Path, out: Path) -> Path:
    """A file of the folder `out` as whoever asked wrote it; one kept elsewhere as it is."""
    return out / path.name if path.parent == out.absolute() else path


def _attempted(kept: Request, out: Path, told: bool) -> list[Path] | RevplanError:
    return _attempt(_rendered, kept, out, sys.stderr if told else None)


def _attempt(work: Callable[..., T], *given: object) -> T | RevplanError:
    """What `work` gives, or why it gives nothing."""
    try:
        return work(*given)
    except RevplanError as error:
        return error


def _succeeded(results: Sequence[T | RevplanError]) -> list[T]:
    """The results, if nothing failed; else the faults of all, each once."""
    failed = [result for result in results if isinstance(result, RevplanError)]
    if failed:
        raise type(failed[0])(dict.fromkeys(fault for error in failed for fault in error.faults))
    return [result for result in results if not isinstance(result, RevplanError)]


def notebook_path(name: str, plan_path: Path) -> Path:
    """The notebook of report `name`: beside the plan, in the repository, or shipped.

    Raises
    ------
    PlanError
        If there is none; the message lists those that are.
    """
    folders = notebook_folders(plan_path)
    found = [folder / f"{name}.ipynb" for folder in folders if (folder / f"{name}.ipynb").is_file()]
    if found:
        return found[0]
    names = sorted({path.stem for folder in folders for path in folder.glob("*.ipynb")})
    choices = f"the reports are {', '.join(names)}" if names else "there is none beside the plan and none is installed"
    raise PlanError.at("report", f"{shown(name)!r} is not known; {did_you_mean(name, names)}{choices}")


def notebook_folders(plan_path: Path) -> list[Path]:
    """Where notebooks are looked for, in this order."""
    homes = [real_path(plan_path).parent, *([REPOSITORY] if REPOSITORY else []), PACKAGE / "shipped"]
    return [home / "notebooks" for home in homes]


def _check_request(request: Request) -> None:
    faults = []
    if not NAME.fullmatch(request.name):
        rule = "a report's name is up to 40 of a-z, 0-9 and _, a letter first"
        faults.append(Fault("report", f"{shown(request.name)!r} is not a name; {rule}"))
    if not request.plan_path.is_file():
        faults.append(Fault(shown_path(request.plan_path), "is not a file; give the path of a plan file"))
    available = ", ".join(FORMATS)
    unknown = [kind for kind in request.formats if kind not in FORMATS]
    faults += [Fault("formats", f"{shown(kind)} is not a format; available: {available}") for kind in unknown]
    if wrong := unknown_language(request.language):
        faults.append(Fault("language", wrong))
    if request.language != ENGLISH and set(request.formats) == {"xlsx"}:
        faults.append(Fault("language", "is of page, PDF and slides; the live workbook is in English. Leave it out"))
    if not request.formats:
        faults.append(Fault("formats", f"none given; available: {available}"))
    decks = {"template": request.template, "refresh": request.refresh} if "pptx" not in request.formats else {}
    faults += [Fault(name, "is for slides; ask for the format pptx too") for name, path in decks.items() if path]
    if request.refresh and request.template:
        faults.append(Fault("template", "is for a new deck; one that is refreshed keeps its own layouts. Leave it out"))
    if faults:
        raise PlanError(faults)
    check_installed("formats", *request.formats)
    _check_decks(request)


def _check_decks(request: Request) -> None:
    if request.template:
        from revplan.printing.slides.template import open_template

        open_template(request.template)
    if request.refresh:
        from revplan.printing.slides.refresh import check_deck

        check_deck(request.refresh, request.name, language=request.language)


def _parameters(request: Request, notebook: Any, place: str) -> dict[str, object]:
    """What the notebook runs with."""
    parameters = declared(notebook, place)
    values: dict[str, object] = dict(checked(request.settings, parameters, request.name))
    if "plan_path" in parameters:
        values["plan_path"] = str(request.plan_path.resolve())
    if request.against and "against" not in parameters:
        raise PlanError.at("against", f"the report {request.name} compares with no signed plan; leave it out")
    if request.against:
        values["against"] = str(request.against.resolve())
    if values.get("scenario") and "xlsx" in request.formats:
        reason = "the live workbook is of the plan itself; leave the format xlsx out"
        raise PlanError.at(f"{request.name}, setting scenario", reason)
    return values


def printing(kind: str, notebook: Any, request: Request) -> bytes:
    """The executed notebook in one of `FORMATS`; what a format needs is imported when it is asked for."""
    if kind == "html":
        from revplan.printing.page import page

        return page(notebook, request.name).encode("utf-8")
    if kind == "pdf":
        from revplan.printing.pdf import pdf

        return pdf(notebook, request.name)
    if kind == "pptx":
        from revplan.printing.slides.deck import deck

        return deck(notebook, request.name, request.template)
    from revplan.excel.book import live_workbook
    from revplan.workbook.workbook import open_workbook

    return live_workbook(open_workbook(request.plan_path), under_headings(notebook), notebook.metadata["revplan"])
