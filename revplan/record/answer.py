"""Signing and comparing plans, as text for a terminal and as what `--json` prints."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

from revplan.funnel.commit import Progress
from revplan.ground.escaping import clean
from revplan.ground.formats import MINUS, commitment, counted, plural, show, with_sign
from revplan.plan.stages import titles_of
from revplan.record.difference import FIGURES, Change, Difference, Figures, compare
from revplan.record.signed import CONTENTS, Record
from revplan.record.signing import AS_PLANNED, Terms, sign
from revplan.record.summary import by_line, signed_lines
from revplan.workbook.workbook import open_workbook

NAMED = 0.05  # records from which the error of the simulation is worth a line

Answer = tuple[dict[str, Any], str]


def sign_report(
    plan_path: Path,
    by: Sequence[str],
    on: date,
    out: Path | None,
    progress: Progress | None = None,
    terms: Terms = AS_PLANNED,
) -> Answer:
    """Signs the plan; what `revplan sign` prints."""
    record = sign(plan_path, by, on, out, progress, terms)
    return _signed_answer(record), _signed_text(record)


def _signed_answer(record: Record) -> dict[str, Any]:
    told = record.signature.model_dump(mode="json", exclude={"format", "versions"})
    place = {"folder": str(record.folder), "content_hash": record.content_hash, "signed_before": record.signed_before}
    return {**place, **told, "revplan": record.signature.versions.revplan}


def _signed_text(record: Record) -> str:
    signature, book = record.signature, open_workbook(record.plan_path)
    done = "is signed already, and nothing was changed" if record.signed_before else "is signed"
    lines = [
        f"{clean(record.name)} {done}: {clean(by_line(signature))}, {show(signature.on, 'date')}.",
        *(f"- {clean(line)}" for line in signed_lines(signature, book)),
        f"Content hash {record.content_hash} (of {CONTENTS})",
        str(record.folder),
    ]
    return "\n".join(lines)


def diff_report(a: Path, b: Path, progress: Progress | None) -> Answer:
    """Compares two plans; what `revplan diff` prints."""
    found = compare(a, b, progress)
    return _diff_answer(found), _diff_text(found)


def _diff_answer(found: Difference) -> dict[str, Any]:
    return {
        "a": _named(found, "a"),
        "b": _named(found, "b"),
        "changes": [
            {"what": each.what, "alone": None if each.effect is None else dict(each.effect)} for each in found.changes
        ],
        "together": dict(found.together),
        "interaction": dict(found.interaction),
        "stages": {"first": found.a.plan.stage_ids[0], "commit": found.a.plan.commit_stage},
        "notes": list(found.notes),
    }


def _named(found: Difference, side: str) -> dict[str, Any]:
    of = getattr(found, side)
    hashed = None if of.record is None else of.record.content_hash
    figures = dict(found.before if side == "a" else found.after)
    signed = figures["signed"]
    figures["signed"] = None if signed is None else commitment(signed)  # as the plan's page and its folder say it
    return {"plan": of.plan.name, "signed": hashed, "figures": figures}


def _diff_text(found: Difference) -> str:
    notes = [f"- {clean(note)}" for note in found.notes]
    if not found.changes:
        return "\n".join(["Nothing changed.", *notes])
    moving = [each for each in found.changes if not each.does_nothing]
    still = [f"  {clean(each.what)}" for each in found.changes if each.does_nothing]
    count = len(found.changes)
    lines = [f"{clean(found.a.plan.name)} to {clean(found.b.plan.name)}: {counted(count, 'change')}"]
    lines += [_line(each, found) for each in moving]
    if moving:
        lines.append(f"All together: {effect_words(found.together, found) or 'no number moves'}.")
    if len(moving) > 1 and (rest := effect_words(found.interaction, found)):
        lines.append(f"Of that by acting on each other: {rest}.")
    lines += ["Without effect on the numbers:", *still] if still else []
    if found.error >= NAMED and any(each.effect and each.effect["signed"] for each in found.changes):
        notes.append(f"- Numbers to sign come from a simulation: ±{show(found.error, 'count')} each.")
    return "\n".join([*lines, *notes])


def _line(change: Change, found: Difference) -> str:
    effect = "cannot stand alone" if change.effect is None else effect_words(change.effect, found)
    return f"{clean(change.what)}: {effect}"


def effect_words(effect: Figures, found: Difference) -> str:
    """What moves, in entries and money: 310 more Leads, +$26k budget; empty where nothing does."""
    titles = titles_of(found.a.plan.stages)
    first, commit = titles[found.a.plan.stage_ids[0]], titles[found.a.plan.commit_stage]
    currency = found.a.plan.currency
    words = {
        "first": _entries(effect["first"], first),
        "commit": _entries(effect["commit"], commit) if commit != first else "",
        "budget": _money(effect["budget"], currency, "budget"),
        "arr": _money(effect["arr"], currency, "ARR expected"),
        "signed": _entries(effect["signed"], commit, " to sign"),
    }
    return ", ".join(words[name] for name in FIGURES if effect[name] != 0 and words[name])


def _entries(move: float | None, title: str, end: str = "") -> str:
    if move is None:
        return f"{plural(title)}{end} cannot be compared"
    size = round(abs(move)) if abs(move) >= 1 else round(abs(move), 1)
    more = "more" if move > 0 else "fewer"
    return counted(size, f"{more} {title}", f"{more} {plural(title)}") + end if size else ""


def _money(move: float | None, currency: str, what: str) -> str:
    if move is None:
        return f"{what} cannot be compared"
    text = with_sign(move, currency)
    return f"{text} {what}" if text[0] in f"+{MINUS}" else ""
