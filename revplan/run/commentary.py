"""What people say beside an exhibit: `commentary.yaml` beside the plan, printed until a figure it was written of moves."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError
from ruamel.yaml import YAML

from revplan.exhibits.exhibit import comments, page_html
from revplan.exhibits.figures import MIMETYPE
from revplan.exhibits.named import exhibit_names
from revplan.ground.errors import Fault, PlanError, ReportError, did_you_mean, shown
from revplan.ground.escaping import clean, cut_words
from revplan.ground.field_faults import FileForm, field_faults
from revplan.ground.formats import show
from revplan.ground.values import Value
from revplan.ground.written import alone, written
from revplan.ground.yamlfile import as_yaml, dotted, read_yaml

NAME = "commentary.yaml"
CommentText = Annotated[str, Field(min_length=1, max_length=2000)]


class Beside(Value):
    """A figure as it was when a comment was written."""

    figure: CommentText
    """Its id."""
    value: float
    shown: CommentText
    """As it was displayed."""


class Comment(Value):
    """What somebody says about an exhibit."""

    exhibit: CommentText
    """Its name, such as `coverage`."""
    text: CommentText
    owner: CommentText
    """Who says it."""
    date: date
    """The day it was written."""
    report: str = ""
    """The report it belongs to; every one that shows the exhibit if empty."""
    beside: tuple[Beside, ...] = ()
    """The figures of the exhibit's headline on that day; `revplan comment` writes them."""


class Commentary(Value):
    """The file `commentary.yaml`."""

    comments: tuple[Comment, ...] = ()
    expires_when_moved: Annotated[float, Field(gt=0)] = 0.05
    """The part by which a figure beside a comment may move before the comment has expired."""
    expired: Literal["grey", "refuse"] = "grey"
    """What becomes of a comment that has expired: printed in grey with what it was written of, or the report refused."""


NOTHING_SAID = Commentary()
FORM = FileForm(Commentary.model_json_schema())


def read_commentary(folder: Path) -> Commentary:
    """What `commentary.yaml` in `folder` holds; nothing if there is none.

    Raises
    ------
    PlanError
        With every fault of the file, each with its line.
    """
    path = folder / NAME
    if not path.exists():
        return NOTHING_SAID
    document = read_yaml(path, PlanError)
    try:
        found = Commentary.model_validate(document.data)
    except ValidationError as error:
        found_wrong = field_faults(error, document.data, FORM)
        raise PlanError(Fault(document.where(place), message) for place, message in found_wrong) from None
    exhibits = sorted(exhibit_names())
    unknown = [(at, each.exhibit) for at, each in enumerate(found.comments) if each.exhibit not in exhibits]
    if unknown:
        choices = f"the exhibits are {', '.join(exhibits)}"
        raise PlanError(
            Fault(
                document.where(("comments", at, "exhibit")),
                f"{shown(name)!r} is no exhibit; {did_you_mean(name, exhibits).rstrip() or choices}",
            )
            for at, name in unknown
        )
    return found


def with_commentary(notebook: Any, commentary: Commentary, report: str) -> Any:
    """The executed `notebook` of a report with what is said beside its exhibits.

    Raises
    ------
    PlanError
        If a comment has expired, and such are to be refused.
    """
    done, expired = deepcopy(notebook), []
    for name, data in _shown(done):
        mine = [each for each in commentary.comments if each.exhibit == name and each.report in ("", report)]
        told = [printed(each, data[MIMETYPE], commentary.expires_when_moved) for each in mine]
        expired += [Fault(f"{NAME}, {name}", each["expired"]) for each in told if each["expired"]]
        if told:
            data[MIMETYPE]["comments"] = told
            data["text/html"] = page_html(data[MIMETYPE])
            data["text/plain"] = "\n".join([data["text/plain"], *(line for line, _ in comments(data[MIMETYPE]))])
    if expired and commentary.expired == "refuse":
        raise PlanError(Fault(each.place, f"{each.message} Write it anew, or take it out.") for each in expired)
    return done


def _shown(notebook: Any) -> Iterator[tuple[str, Any]]:
    """The exhibits of a notebook: what each is called, and the data of its output."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []) if cell.cell_type == "code" else []:
            if MIMETYPE in output.get("data", {}):
                yield _name(cell.source), output["data"]


def named_exhibits(notebook: Any) -> list[tuple[str, Any]]:
    """The exhibits of an executed notebook: what each is called, and its raw values."""
    return [(name, data[MIMETYPE]) for name, data in _shown(notebook)]


def _name(source: str) -> str:
    """What the exhibit that a cell ends in is called: the function that makes it, or the name `rp.exhibit` is given."""
    try:
        last = ast.parse(source).body[-1]
    except (SyntaxError, ValueError, IndexError):
        return ""
    call = last.value if isinstance(last, ast.Expr) else None
    if not isinstance(call, ast.Call):
        return ""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    given = call.args[1] if name == "exhibit" and len(call.args) > 1 else None
    return str(given.value) if isinstance(given, ast.Constant) else name


def printed(comment: Comment, raw: Any, moved: float) -> dict[str, str]:
    """A comment as it is printed beside the exhibit of `raw`: the line, and why it has expired, empty where it has not.

    It has expired where a figure moved by more than the part `moved`.
    """
    line = f"{cut_words(clean(comment.text))} ({cut_words(clean(comment.owner))}, {show(comment.date, 'date')})"
    moves = "; ".join(_moves(comment, raw, moved))
    return {"line": line, "expired": moves and f"Written when {moves}."}


def _moves(comment: Comment, raw: Any, moved: float) -> Iterator[str]:
    """For each figure that has moved since the comment was written: what it was then, and what it is."""
    now = {each["id"]: each for each in raw["figures"]}
    for each in comment.beside:
        then, figure = cut_words(clean(each.shown)), now.get(each.figure)
        if figure is None or figure["value"] is None:
            yield f"{cut_words(clean(each.figure))} was {then} (not told here any more)"
        elif abs(figure["value"] - each.value) > moved * abs(each.value):
            label = figure["label"][:1].lower() + figure["label"][1:]
            yield f"{label} was {then} (now {figure['text']})"


def comment_of(exhibit: str, text: str, owner: str, on: date, report: str) -> Comment:
    """A comment as somebody gives it.

    Raises
    ------
    PlanError
        If a part of it is empty or too long.
    """
    given = {"exhibit": exhibit, "text": text.strip(), "owner": owner.strip(), "date": on, "report": report}
    try:
        return Comment.model_validate(given)
    except ValidationError as error:
        found = field_faults(error, given, FileForm(Comment.model_json_schema()))
        raise PlanError(Fault(dotted(place), message) for place, message in found) from None


def commented(notebook: Any, folder: Path, comment: Comment) -> Comment:
    """`comment` with the figures beside it in the executed `notebook`, added to `commentary.yaml` in `folder`.

    Raises
    ------
    PlanError
        If the report does not show that exhibit, or the file is at fault; it is left as it was.
    """
    raw = dict(named_exhibits(notebook))
    if comment.exhibit not in raw:
        names = ", ".join(name for name in raw if name)
        raise PlanError.at("exhibit", f"{shown(comment.exhibit)!r} is not in that report; it shows {names}")
    return replaced(folder, None, with_figures(comment, raw[comment.exhibit]))


def with_figures(comment: Comment, raw: Any) -> Comment:
    """`comment` with the figures that the headline of its exhibit tells, as they are now."""
    headline = [each for each in raw["figures"] if each["column"] == "message"]
    beside = [
        {"figure": each["id"], "value": each["value"], "shown": each["text"]}
        for each in {figure["id"]: figure for figure in headline}.values()
        if each["value"] is not None
    ]
    return Comment.model_validate({**comment.model_dump(), "beside": beside})


def replaced(folder: Path, before: Comment | None, after: Comment) -> Comment:
    """`after`, which `commentary.yaml` in `folder` now holds in place of `before`, or besides where that is None.

    Raises
    ------
    PlanError
        If the file is at fault, or does not hold `before` any more; it is left as it was.
    ReportError
        If it cannot be written.
    """
    entry = after.model_dump(mode="python", exclude_defaults=True)
    if after.beside:
        entry["beside"] = [each.model_dump() for each in after.beside]
    _rewrite(folder, before, entry)
    return after


def removed(folder: Path, comment: Comment) -> None:
    """Takes a comment out of `commentary.yaml` in `folder`.

    Raises
    ------
    PlanError
        If the file is at fault, or does not hold it any more; it is left as it was.
    ReportError
        If it cannot be written.
    """
    _rewrite(folder, comment, None)


def _rewrite(folder: Path, before: Comment | None, entry: dict[str, Any] | None) -> None:
    """Writes the file anew with one comment changed, added or left out; what else people wrote in it stays as it is.

    Read, changed and replaced by one at a time: of two who write at the same instant neither loses a comment.
    """
    try:
        with alone(folder):
            written(folder / NAME, _with_entry(folder, before, entry))
    except OSError as error:
        raise ReportError.at(NAME, f"cannot be written: {error.strerror}") from None


def _with_entry(folder: Path, before: Comment | None, entry: dict[str, Any] | None) -> str:
    path, listed = folder / NAME, read_commentary(folder).comments
    if before is not None and before not in listed:
        raise PlanError.at(
            NAME, "this comment is not there any more as it was shown: somebody changed it; load the page again"
        )
    data = (YAML().load(path.read_text(encoding="utf-8-sig")) if path.exists() else None) or {}
    comments = data.setdefault("comments", [])
    place = len(listed) if before is None else listed.index(before)
    comments[place : place + 1] = [] if entry is None else [entry]
    return as_yaml(data)
