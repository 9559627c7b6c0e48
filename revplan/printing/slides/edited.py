"""What becomes of a list, a text and a table that a person has edited since they were made: pure steps of a refresh."""

from __future__ import annotations

import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from revplan.printing.slides.record import A
from revplan.printing.slides.redraw import masked

# --- what becomes of a list: paragraphs, rows, columns ----------------------------------------------------------


@dataclass(frozen=True)
class Slot:
    """An element of an edited list: where it stood, which one it was when made, which of today's it becomes."""

    mine: int | None
    base: int | None
    new: int | None


def recognised(mine: Sequence[str], before: Sequence[str]) -> list[int | None]:
    """Which of the texts that were made each of `mine` is: the same, or the same but for numbers; None for own words."""
    found: list[int | None] = [None] * len(mine)
    free = dict.fromkeys(range(len(before)))
    for alike in (str, masked):
        for at, text in enumerate(mine):
            same = next((each for each in free if alike(before[each]) == alike(text)), None)
            if found[at] is None and same is not None:
                found[at] = same
                del free[same]
    return found


def follow(mine: Sequence[int | None], here: Collection[int], pairs: Mapping[int, int], count: int) -> list[Slot]:
    """The edited list as it is today: own elements stay, what went goes, what came stands after what it stands after.

    Parameters
    ----------
    mine
        Which of the elements that were made each of the edited ones is; None for own ones.
    here
        The elements that were made in this place: those of another slide of the same table do not come here.
    pairs
        Which of today's elements each of those that were made has become.
    count
        How many there are today.
    """
    slots = [Slot(at, base, pairs.get(base) if base is not None else None) for at, base in enumerate(mine)]
    slots = [slot for slot in slots if slot.base is None or slot.new is not None]
    back = {new: base for base, new in pairs.items()}
    for new in (each for each in range(count) if each not in back):
        before = [each for each in range(new) if each in back]
        after = [each for each in range(new + 1, count) if each in back]
        anchor = before[-1] if before else after[0] if after else None
        if anchor is not None and back[anchor] not in here:
            continue
        placed = [(slot.new, at) for at, slot in enumerate(slots) if slot.new is not None]
        ahead = max((each for each in placed if each[0] < new), default=None)
        behind = min((each for each in placed if each[0] > new), default=None)
        if ahead:
            slots.insert(ahead[1] + 1, Slot(None, None, new))
        elif behind:
            slots.insert(behind[1], Slot(None, None, new))
        elif anchor is None:
            slots.append(Slot(None, None, new))
    return slots


def arranged(elements: Sequence[Any], slots: Sequence[Slot]) -> list[Any]:
    """The elements of the slots in the document, new ones copies of their neighbours; those left out are taken away."""
    parent, first = elements[0].getparent(), elements[0].getparent().index(elements[0])
    like, made = elements[-1] if len(elements) < 2 else elements[1], []
    for slot in slots:
        like = deepcopy(like) if slot.mine is None else elements[slot.mine]
        made.append(like)
    for each in elements:
        parent.remove(each)
    for at, each in enumerate(made):
        parent.insert(first + at, each)
    return made


# --- texts --------------------------------------------------------------------------------------------------------


def retext(paragraph: Any, text: str) -> None:
    """Gives a paragraph another text; words that stay keep their looks, and what replaces others takes theirs."""
    runs = list(paragraph.iterfind(f"{A}r"))
    others = [each for each in paragraph if each.tag in (f"{A}br", f"{A}fld")]
    if not runs:
        runs = [_new_run(paragraph)]
    pieces = [each.findtext(f"{A}t") or "" for each in runs]
    told = [text] + [""] * (len(runs) - 1) if others else _shared(pieces, text)
    for each in others:
        paragraph.remove(each)
    for run, piece in zip(runs, told, strict=True):
        if piece or run is runs[0]:
            run.find(f"{A}t").text = piece
        else:
            paragraph.remove(run)


def _new_run(paragraph: Any) -> Any:
    end = paragraph.find(f"{A}endParaRPr")
    run = etree.Element(f"{A}r")
    if end is not None:
        looks = deepcopy(end)
        looks.tag = f"{A}rPr"
        run.append(looks)
    etree.SubElement(run, f"{A}t")
    at = len(paragraph) if end is None else paragraph.index(end)
    paragraph.insert(at, run)
    return run


def _shared(pieces: Sequence[str], text: str) -> list[str]:
    """`text` divided among runs as the text before was: a word stays in its run."""
    owners = [number for number, piece in enumerate(pieces) for _ in piece]
    before, now = _words("".join(pieces)), _words(text)
    starts = [sum(map(len, before[:at])) for at in range(len(before) + 1)]
    told = [""] * len(pieces)
    for kind, first, end, at, stop in difflib.SequenceMatcher(None, before, now, autojunk=False).get_opcodes():
        if kind == "equal":
            for place, letter in enumerate("".join(now[at:stop]), start=starts[first]):
                told[owners[place]] += letter
        elif stop > at:
            place = starts[first] if end > first else starts[first] - 1
            told[owners[max(0, min(place, len(owners) - 1))] if owners else 0] += "".join(now[at:stop])
    return told


def _words(text: str) -> list[str]:
    return re.findall(r"\s+|\S+", text)


@dataclass
class Whole:
    """A table on all its slides: columns, rows, and which of them each slide has."""

    columns: list[str] = field(default_factory=list)
    rows: list[list[str]] = field(default_factory=list)
    places: dict[int, tuple[list[int], list[int]]] = field(default_factory=dict)


def whole_of(parts: Mapping[int, list[list[str]]]) -> Whole:
    """The table whose parts stand on several slides, by rows and if need be by columns."""
    whole, heads, done = Whole(), dict[tuple[str, ...], list[int]](), dict[tuple[str, ...], int]()
    for part, (head, *rows) in sorted(parts.items()):
        key = tuple(head)
        if key not in heads:
            repeated = 1 if whole.columns else 0  # the first column names the rows on each slide
            heads[key] = [0] * repeated + list(range(len(whole.columns), len(whole.columns) + len(head) - repeated))
            whole.columns += head[repeated:]
        start = done.get(key, 0)
        done[key] = start + len(rows)
        for at, row in enumerate(rows, start=start):
            while len(whole.rows) <= at:
                whole.rows.append([])
            whole.rows[at] += [""] * (len(whole.columns) - len(whole.rows[at]))
            for column, cell in zip(heads[key], row, strict=True):
                whole.rows[at][column] = cell
        whole.places[part] = (heads[key], list(range(start, start + len(rows))))
    for row in whole.rows:
        row += [""] * (len(whole.columns) - len(row))
    return whole


def placed(mine: Sequence[str], made: Sequence[str], places: Sequence[int]) -> list[int | None]:
    """Which row or column of the whole table each of a slide's is; where none was added or taken, by its place too."""
    found = recognised(mine, made)
    if len(mine) == len(made):
        free = set(range(len(made))) - set(found)
        found = [at if each is None and at in free else each for at, each in enumerate(found)]
    return [None if each is None else places[each] for each in found]


def told_apart(table: Any) -> None:
    """Ids of rows and columns that are each another's, as PowerPoint wants them."""
    for name in ("rowId", "colId"):
        seen: set[str] = set()
        found = [each for each in table.iter() if isinstance(each.tag, str) and etree.QName(each).localname == name]
        highest = max((int(each.get("val", "0")) for each in found), default=0)
        for each in found:
            if each.get("val") in seen:
                highest += 1
                each.set("val", str(highest))
            seen.add(str(each.get("val")))
