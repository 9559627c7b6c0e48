"""A morning's run: the page, picture, table and messages of the pace, written together, and its dated history."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from email.message import EmailMessage
from email.policy import SMTP
from io import StringIO
from pathlib import Path
from textwrap import shorten
from typing import Any

import nbformat
import numpy as np
import pandas as pd

from revplan.crm.inputs import input_files
from revplan.crm.planfile import real_path
from revplan.exhibits import pace
from revplan.exhibits.exhibit import Exhibit
from revplan.exhibits.provenance import provenance
from revplan.ground.errors import DataError, PlanError, ReportError, RevplanError, shown
from revplan.ground.escaping import clean
from revplan.ground.files import content_of, megabytes
from revplan.ground.language import ENGLISH, unknown_language
from revplan.ground.tables import conform, empty
from revplan.ground.written import (
    alone,
    check_file,
    check_folder,
    in_turn,
    replaced_together,
    written,
    written_together,
)
from revplan.printing.page import page
from revplan.printing.pdf import pictures
from revplan.printing.translated import speaker, translated, written_in
from revplan.tracking.nowcast import check_columns, read_triangle, triangle_path
from revplan.tracking.pacebook import PaceBook, with_night

NAME = "pace"
HISTORY = f"{NAME}.history.csv"
RESOLUTION = 110.0  # pixels an inch of the picture
HEADER, TEXT, FIELD, FIELDS = 150, 3000, 2000, 10  # most characters and fields that Slack takes in a block
LINE = 998  # most characters of a line of a mail; a subject that is broken earlier loses or doubles blanks beside an umlaut
SENTENCE_ENDS = re.compile(r"(?<=[.!?]) (?=\S)")


@dataclass(frozen=True)
class WrittenFiles:
    """What a run has written."""

    files: list[Path]
    alert: bool
    """Whether missing what is watched is likely enough for an alert."""


def write_day(
    book: PaceBook, out: Path, answer: Mapping[str, Any], more: Sequence[Exhibit] = (), code: str = ENGLISH
) -> WrittenFiles:
    """The files of the day in `out`, and the triangle of the actuals late beside the plan.

    The files of a day replace those of the day before together; a copy of the page, the table and the answer is kept
    under the day in `history`. A run stopped at any moment leaves whole files, and the next one goes on.

    Parameters
    ----------
    answer
        What `revplan pace --json` prints.
    more
        Further exhibits of the page, below its own.
    code
        The language of page, picture and messages, one of `languages`; tables and answer are in English.

    Raises
    ------
    PlanError
        If there is no such language.
    DataError
        If the history in `out` is none, or that of another plan.
    ReportError
        If a file cannot be written.
    """
    if wrong := unknown_language(code):
        raise PlanError.at("--language", wrong)
    for folder in (out, out / "history"):
        check_folder(folder)
    _past(out, book)
    made = _night_kept(book)
    with in_turn(out, NAME):
        past = _past(out, book)
        alert = book.alert(alert_before(past, book.as_of, book.watched[0], book.stage))
        files = _files(book, {**answer, "alert": alert}, more, code)
        files[HISTORY] = with_day(past, book, alert).to_csv(index=False, lineterminator="\n").encode("utf-8")
        day = str(book.as_of)
        kept = {f"{day}{ending}": files[f"{NAME}{ending}"] for ending in (".html", ".csv", ".json")}
        new = [path for name in kept if not (path := out / "history" / name).exists()]
        made += written_together(out / "history", day, kept)
        try:
            made += replaced_together(out, NAME, files)
        except RevplanError:
            for path in new:  # a day of which nothing else was written has no copy
                path.unlink(missing_ok=True)
            raise
    return WrittenFiles(made, alert)


def _files(book: PaceBook, told: Mapping[str, Any], more: Sequence[Exhibit], code: str) -> dict[str, bytes]:
    """The files of the day, but for the history: name -> content."""
    english = notebook_of([*pace.page(book), *more], f"Pace of {book.label(book.month.name)}", _origin(book))
    notebook = translated(english, code, written_in(book.live)).notebook
    say = speaker(notebook)
    first, *others = [say(each) for each in SENTENCE_ENDS.split(pace.told(book))]
    sentences = [f"{say('Alert') + ': ' if told['alert'] else ''}{book.plan.name}: {first}", *others]
    subject = " ".join(sentences)
    text, picture = plain(book, subject, say), pictures(notebook, NAME, RESOLUTION)[0]
    return {
        f"{NAME}.html": page(notebook, NAME).encode("utf-8"),
        f"{NAME}.png": picture,
        f"{NAME}.csv": book.lines.to_csv(index=False, lineterminator="\n").encode("utf-8"),
        f"{NAME}.txt": text.encode("utf-8"),
        f"{NAME}.json": (json.dumps(told, ensure_ascii=False, allow_nan=False) + "\n").encode("utf-8"),
        f"{NAME}.slack.json": (json.dumps(slack(book, subject, say), ensure_ascii=False) + "\n").encode("utf-8"),
        f"{NAME}.eml": mail(sentences, text, picture),
    }


def _night_kept(book: PaceBook) -> list[Path]:
    """The triangle beside the plan with this night in it; none of a look back, nor of one segment.

    It is read anew: of two runs at the same time neither loses the night of the other.
    """
    if book.history is None or book.board.segment or not book.is_nightly:
        return []
    path = triangle_path(real_path(book.board.files.path))
    try:
        check_file(path)
    except ReportError:
        message = "cannot be written beside the plan, where nightly runs keep count of what comes late; let this user write into its folder"
        raise ReportError.at(shown(path.name), message) from None
    with alone(path.parent):
        return [written(path, with_night(read_triangle(path), book.history, book.as_of).text())]


def _origin(book: PaceBook) -> dict[str, str]:
    path, plan = book.board.files.path, book.live
    inputs = input_files(plan, path.parent) if plan.history else ()
    return provenance(NAME, plan, path, inputs, {"as_of": str(book.as_of)})


def notebook_of(exhibits: list[Exhibit], title: str, origin: Mapping[str, str]) -> Any:
    """The exhibits as a notebook that has run, for the printers of reports."""
    cells: list[dict[str, Any]] = [
        {"cell_type": "markdown", "id": "title", "metadata": {}, "source": f"# {clean(title)}"}
    ]
    for number, exhibit in enumerate(exhibits):
        output = {"output_type": "display_data", "metadata": {}, "data": exhibit._repr_mimebundle_()}
        code: dict[str, Any] = {"cell_type": "code", "metadata": {}, "source": "", "execution_count": None}
        cells.append({**code, "id": f"pace-{number}", "outputs": [output]})
    made = {"nbformat": 4, "nbformat_minor": 5, "metadata": {"revplan": dict(origin)}, "cells": cells}
    return nbformat.from_dict(made)  # type: ignore[no-untyped-call]


# --- the history of days -------------------------------------------------------------------------


def read_history(path: Path) -> pd.DataFrame:
    """Table pace_history of a folder; empty where none is kept yet.

    Raises
    ------
    DataError
        If the file is none.
    """
    if not path.exists():
        return empty("pace_history")
    text = content_of(path, DataError, megabytes(16)).decode("utf-8", "replace")
    try:
        told = empty("pace_history")
        numbers = list(told.select_dtypes("float"))  # which the reader of pandas 3.0 takes a bit off
        found = pd.read_csv(
            StringIO(text), dtype=dict.fromkeys((*numbers, "plan", "period", "stage", "watched"), "str")
        )
        found[numbers] = found[numbers].astype(float)
        found["as_of"] = pd.to_datetime(found["as_of"], format="%Y-%m-%d").astype("datetime64[us]")
        check_columns(found, list(told))
        return conform(found.assign(plan=found.get("plan", "")).fillna({"plan": "", "watched": ""}), "pace_history")
    except (ValueError, KeyError, DataError) as error:
        message = f"is no history of the pace ({shown(error)}); take it away, and the next run begins a new one"
        raise DataError.at(shown(path.name), message) from None


def _past(out: Path, book: PaceBook) -> pd.DataFrame:
    """Table pace_history of a folder, which is that of the plan looked at.

    Raises
    ------
    DataError
        If the file is none, or that of another plan: its days would be taken for this plan's, and its page be replaced.
    """
    found, own = read_history(out / HISTORY), followed_words(book)
    strange = [name for name in found["plan"].unique() if name and name != own]
    if strange:
        message = (
            f"is that of {shown(strange[0])}, and this run is of {shown(own)}; give every plan a folder of its own (--out). "
            f"If it is the same plan by a new name, write {shown(own)} into its column plan"
        )
        raise DataError.at(shown(str(out / HISTORY)), message)
    return found


def followed_words(book: PaceBook) -> str:
    """What a history is of: the plan, its file, and the segment if it is only one."""
    segment = f", {book.board.segment}" if book.board.segment else ""
    return f"{book.live.name} ({real_path(book.board.files.path).name}{segment})"


def alert_before(past: pd.DataFrame, as_of: date, watched: str, stage: str) -> bool:
    """Whether there was an alert on the last day before `as_of` on which the same period was watched at the same stage."""
    earlier = past[(past["as_of"] < pd.Timestamp(as_of)) & (past["watched"] == watched) & (past["stage"] == stage)]
    return bool(earlier.sort_values("as_of")["alert"].iloc[-1]) if len(earlier) else False


def with_day(past: pd.DataFrame, book: PaceBook, alert: bool) -> pd.DataFrame:
    """Table pace_history with the day of `book` in the place of an earlier run of that day."""
    line = book.line()
    names = ("target", "target_to_date", "actual", "gap", "days_behind", "projected", "projected_low", "projected_high")
    year = book.landing.iloc[-1] if len(book.landing) else None
    row = {
        "as_of": pd.Timestamp(book.as_of),
        "plan": followed_words(book),
        "stage": book.stage,
        "period": book.month.name,
        **{name: np.nan if line is None else float(line[name]) for name in names},
        "landing": np.nan if year is None else float(year["landing"]),
        "watched": book.watched[0],
        "chance_of_missing": book.watched[1],
        "alert": alert,
    }
    now = pd.DataFrame([row])
    kept = past[past["as_of"] != pd.Timestamp(book.as_of)]
    rows = pd.concat([part for part in (kept, now) if len(part)], ignore_index=True)
    rows["as_of"] = rows["as_of"].astype("datetime64[us]")
    return conform(rows.sort_values("as_of", kind="stable").astype({"alert": "bool"}), "pace_history")


# --- messages ------------------------------------------------------------------------------------


def plain(book: PaceBook, subject: str, say: Callable[[str], str] = str) -> str:
    """The day as a mail says it: what `pace.told` says, the facts, who is behind, and the notes; in the language of `say`."""
    summary, parts = pace.summary(book), pace.parts(book)
    facts = [f"{say(fact)}: {say(value)}" for fact, value in _facts(summary)]
    said = [" ".join(map(say, [parts.message, *parts.notes]))] if parts.kind == "table" else []
    landing = say(pace.landing(book).message)
    notes = "\n".join(f"- {say(note)}" for note in summary.notes)
    return "\n\n".join(filter(None, [subject, "\n".join(facts), *said, landing, notes])) + "\n"


def _facts(summary: Exhibit) -> list[tuple[str, str]]:
    return [] if summary.table is None else [(str(fact), str(value)) for fact, value in summary.table.to_numpy()]


def mail(sentences: Sequence[str], text: str, picture: bytes) -> bytes:
    """A mail without sender or addressee, to be sent as it is: the text, and the picture of the page.

    Its subject are as many of the `sentences` as a subject holds.
    """
    message = EmailMessage(policy=SMTP.clone(max_line_length=LINE))
    held = [clean(each) for each in sentences]
    while len(held) > 1 and len(" ".join(held)) > HEADER:
        held.pop()
    title = " ".join(held)
    message["Subject"] = shorten(title, HEADER, placeholder=" …")
    message.set_content(text)
    message.add_attachment(picture, maintype="image", subtype="png", filename=f"{NAME}.png")
    message.set_boundary("revplan-pace")
    return message.as_bytes()


def slack(book: PaceBook, subject: str, say: Callable[[str], str] = str) -> dict[str, Any]:
    """A message of blocks for Slack's incoming webhooks and `chat.postMessage`, in the language of `say`.

    Its texts are plain ones, in which no name can mark anything: a segment called A_B or *new* is shown as it is called.
    """
    summary = pace.summary(book)
    title = f"{book.plan.name}: {say(f'pace of {book.label(book.month.name)}')}"
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _as_it_is(title, HEADER)},
        {"type": "section", "text": _as_it_is(subject)},
    ]
    facts = [f"{say(fact)}\n{say(value)}" for fact, value in _facts(summary)]
    for begin in range(0, len(facts), FIELDS):
        fields = [_as_it_is(fact, FIELD) for fact in facts[begin : begin + FIELDS]]
        blocks.append({"type": "section", "fields": fields})
    if summary.notes:
        blocks.append({"type": "context", "elements": [_as_it_is("\n".join(map(say, summary.notes)))]})
    return {"text": html.escape(clean(subject), quote=False), "mrkdwn": False, "blocks": blocks}


def _as_it_is(text: str, most: int = TEXT) -> dict[str, Any]:
    """A text in which Slack marks nothing, no longer than a block takes: whole lines, as far as the first one fits."""
    lines = [clean(line) for line in text.split("\n")]
    while len(lines) > 1 and len("\n".join(lines)) > most:
        lines.pop()
    return {"type": "plain_text", "text": "\n".join(lines)[:most], "emoji": False}
