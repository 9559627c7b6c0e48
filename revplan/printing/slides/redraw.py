"""What of an edited deck is made again, pure steps of a refresh: a chart, and below it a list, a text and a table.

A chart gets the values of today, and has its own looks where a person gave it some.

What is ours in a chart: the values, the names of series and categories, the texts of labels, the ends of axes, and the
workbook behind them. Everything else (kind, colours, fonts, series that a person added) stays.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import Any

from lxml import etree

from revplan.ground.formats import MINUS
from revplan.printing.slides.chart import CHART, DRAWING, ChartSheet

C, A = f"{{{CHART}}}", f"{{{DRAWING}}}"
AXES = (f"{C}catAx", f"{C}valAx", f"{C}dateAx")
DATA = ("xVal", "cat", "val", "yVal")
HEADINGS = {"xVal": ": x", "plus": ": up to P90", "minus": ": down to P10"}
"""What the columns of a workbook are called that are no values."""
YES = ("1", "true")
NUMBER = re.compile(r"[+−-]?[$€£¥]?(?:\d[\d.,]*\d|\d)[kMB%]?|\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)\b")


ALIKE = 0.6
"""Share of a label that must be there still."""


def masked(text: str) -> str:
    """`text` with its numbers and months left out: by what is left, a sentence is known when they have changed."""
    return NUMBER.sub("#", text)


def paired(before: Sequence[str], now: Sequence[str], *, loose: bool = False) -> dict[int, int]:
    """Which of `now` each of `before` has become: the same, the same but for its numbers, or if `loose`, what has its place."""
    found: dict[int, int] = {}
    for kind, first, end, at, stop in SequenceMatcher(None, before, now, autojunk=False).get_opcodes():
        if kind == "equal":
            found.update(zip(range(first, end), range(at, stop), strict=True))
        elif kind == "replace":
            one, other = [masked(each) for each in before[first:end]], [masked(each) for each in now[at:stop]]
            for inner, a, b, c, d in SequenceMatcher(None, one, other, autojunk=False).get_opcodes():
                both = zip(range(a, b), range(c, d), strict=False) if inner in ("equal", "replace") else ()
                for x, y in both:  # two labels are one where a part was added or left out at the end: `Q# FY# to date`
                    short, long = sorted((one[x], other[y]), key=len)
                    if loose or (long.startswith(short) and len(short) >= ALIKE * len(long)):
                        found[first + x] = at + y
    return found


def chart_state(root: Any) -> dict[str, Any]:
    """What a chart draws as far as it is ours, and a fingerprint of all of it."""
    whole = etree.tostring(root, method="c14n")
    return {
        "fingerprint": hashlib.sha256(whole).hexdigest()[:16],
        "categories": _categories(root),
        "series": [[_name(each), {str(at): _label_text(label) for at, label in _labels(each)}] for each in _all(root)],
        "axes": [_axis(each) for each in root.iter(*AXES)],
    }


def _all(root: Any) -> list[Any]:
    return list(root.iter(f"{C}ser"))


def _name(series: Any) -> str:
    return series.findtext(f"{C}tx//{C}v") or ""


def _texts(data: Any) -> list[str]:
    """The points of a cache, empty where there are gaps."""
    count = next(data.iter(f"{C}ptCount"), None)
    found = [""] * (int(count.get("val", "0")) if count is not None else 0)
    for point in data.iter(f"{C}pt"):
        if int(point.get("idx")) < len(found):
            found[int(point.get("idx"))] = point.findtext(f"{C}v") or ""
    return found


def _categories(root: Any) -> list[str]:
    data = next(root.iter(f"{C}cat"), None)
    return [] if data is None else _texts(data)


def _labels(series: Any) -> Iterator[tuple[int, Any]]:
    for label in series.iterfind(f"{C}dLbls/{C}dLbl"):
        yield int(label.find(f"{C}idx").get("val")), label


def _label_text(label: Any) -> list[str]:
    """How a label writes its number: the format, and the words where it has some of its own; nothing where none is shown."""
    shows = [each.get("val") in YES for each in label if etree.QName(each).localname.startswith("show")]
    gone = label.find(f"{C}delete")
    if (gone is not None and gone.get("val", "1") in YES) or (shows and not any(shows)):  # LibreOffice says it so
        return []
    number = label.find(f"{C}numFmt")
    return ["" if number is None else number.get("formatCode", ""), _rich(label)]


def _rich(element: Any) -> str:
    return "".join(each.text or "" for each in element.iterfind(f"{C}tx/{C}rich//{A}t"))


def _axis(axis: Any) -> dict[str, str]:
    """The ends of an axis, where it is crossed, its number format and its title, as far as they are set."""
    found = {}
    for name in ("max", "min"):
        end = axis.find(f"{C}scaling/{C}{name}")
        found[name] = "" if end is None else f"{float(end.get('val')):.9g}"
    crossed, number = axis.find(f"{C}crossesAt"), axis.find(f"{C}numFmt")
    found["crossesAt"] = "" if crossed is None else f"{float(crossed.get('val')):.9g}"
    found["format"] = "" if number is None else number.get("formatCode", "")
    title = axis.find(f"{C}title")
    found["title"] = "" if title is None else _rich(title)
    return found


def redrawn(mine: Any, new: Any, before: Mapping[str, Any]) -> bytes:
    """The workbook of the chart `mine`, which is given the values of `new`; `before` is what it was made as.

    Parameters
    ----------
    mine
        The XML of the chart as a person left it; it is changed.
    new
        The XML of the same chart as it would be made today.
    before
        What `chart_state` said of it when it was made.
    """
    fresh, own = _all(new), _all(mine)
    names, places = [name for name, _ in before["series"]], paired(before["categories"], _categories(new))
    if not before["categories"]:  # points, which have none
        places = {at: at for at in range(max((len(_points(each)) for each in fresh), default=0))}
    becomes = paired(names, [_name(each) for each in fresh], loose=True)
    found = _found(own, names)
    categories = _own_categories(mine, before["categories"], _categories(new), places)
    for number, series in found.items():
        if number in becomes:
            wanted = fresh[becomes[number]]
            _renamed(series, names[number], wanted)
            _revalued(series, wanted, categories)
            _relabelled(series, wanted, before["series"][number][1], places)
        else:
            series.getparent().remove(series)
    added = [each for place, each in enumerate(fresh) if place not in becomes.values()]
    for wanted in added:
        _added(mine, wanted, categories)
    for axis, wanted, was in zip(mine.iter(*AXES), new.iter(*AXES), before["axes"], strict=False):
        _rescaled(axis, wanted, was)
    return _workbook(mine)


def _found(own: Sequence[Any], names: Sequence[str]) -> dict[int, Any]:
    """The series that were made, by their number: known by name, else by place where as many are there as were made."""
    free = list(own)
    found: dict[int, Any] = {}
    for number, name in enumerate(names):
        same = next((each for each in free if _name(each) == name), None)
        if same is not None:
            found[number] = same
            free.remove(same)
    if len(own) == len(names):
        for number, each in enumerate(own):
            if number not in found and each in free:
                found[number] = each
    return found


def _own_categories(mine: Any, before: Sequence[str], now: Sequence[str], places: Mapping[int, int]) -> list[str]:
    """The categories of today, those kept that a person worded another way."""
    told, there = list(now), _categories(mine)
    if len(there) == len(before):
        for place, became in places.items():
            if there[place] != before[place]:
                told[became] = there[place]
    return told


def _renamed(series: Any, was: str, wanted: Any) -> None:
    """Name and reference of the wanted series; a name that a person gave stays."""
    given, data = _name(series), deepcopy(wanted.find(f"{C}tx"))
    if given and given != was:
        data.find(f".//{C}v").text = given
    old = series.find(f"{C}tx")
    if old is None:
        series.insert(2, data)
    else:
        series.replace(old, data)


def _revalued(series: Any, wanted: Any, categories: Sequence[str]) -> None:
    """Values, categories and intervals of the wanted series; a number format that values had stays."""
    for name in DATA:
        data, old = deepcopy(wanted.find(f"{C}{name}")), series.find(f"{C}{name}")
        if data is None:
            continue
        texts = categories if name == "cat" else _texts(data)
        for point in data.iter(f"{C}pt"):
            point.find(f"{C}v").text = texts[int(point.get("idx"))]
        if old is None:
            _before(series, data, ("val", "yVal", "bubbleSize", "smooth", "shape", "extLst"))
            continue
        own, made = old.find(f".//{C}formatCode"), data.find(f".//{C}formatCode")
        if own is not None and made is not None:
            made.text = own.text
        series.replace(old, data)
    for name in ("plus", "minus"):
        old, data = series.find(f"{C}errBars/{C}{name}"), wanted.find(f"{C}errBars/{C}{name}")
        if old is not None and data is not None:
            old.getparent().replace(old, deepcopy(data))


def _before(series: Any, element: Any, others: Sequence[str]) -> None:
    """Puts an element where the schema has it in a series: before the first of `others`."""
    at = next((at for at, each in enumerate(series) if etree.QName(each).localname in others), len(series))
    series.insert(at, element)


def _relabelled(series: Any, wanted: Any, before: Mapping[str, list[str]], places: Mapping[int, int]) -> None:
    """Labels and looks of single points moved with their categories, and the labels' texts those of today."""
    for point in list(series.iterfind(f"{C}dPt")):
        _moved(point, places)
    group = series.find(f"{C}dLbls")
    if group is None and not before:
        _labelled(series, wanted)
    if group is None:
        return
    fresh, kept = dict(_labels(wanted)), {}
    for at, label in list(_labels(series)):
        group.remove(label)
        now = places.get(at)
        if now is not None and (str(at) not in before or now in fresh):
            kept[now] = _retold(label, before.get(str(at)), fresh.get(now), series)
            kept[now].find(f"{C}idx").set("val", str(now))
    made = {places.get(int(at)) for at, told in before.items() if told}  # what a person took away stays away
    kept.update({at: _fitted(deepcopy(label), series) for at, label in fresh.items() if at not in {*kept, *made}})
    for place, at in enumerate(sorted(kept)):
        group.insert(place, kept[at])


def _labelled(series: Any, wanted: Any) -> None:
    """Gives a series that was made without labels those of today, if it has some now."""
    group = deepcopy(wanted.find(f"{C}dLbls"))
    if group is not None:
        _before(series, group, ("trendline", "errBars", *DATA, "smooth", "extLst"))
        for label in group.iterfind(f"{C}dLbl"):
            _fitted(label, series)


def _retold(label: Any, was: list[str] | None, fresh: Any, series: Any) -> Any:
    """A label with the text of today, in its own looks; one that a person worded stays as it is."""
    if fresh is None or was is None:
        return label
    mine, now = _label_text(label), _label_text(fresh)
    if bool(mine) != bool(was) or (mine and was and mine[1] != was[1]):
        return label
    moved = _is_ours(label) and bool(_beside(label)) != bool(_beside(fresh))
    if moved or not mine or not now or bool(mine[1]) != bool(now[1]):  # a bar that has no room now, or is in two parts
        return _fitted(deepcopy(fresh), series)
    number = label.find(f"{C}numFmt")
    if number is not None and (_bare(mine[0]) == _bare(was[0]) or _sign(now[0]) != _sign(was[0])):
        number.set("formatCode", now[0])
    _reworded(list(label.iterfind(f"{C}tx/{C}rich//{A}t")), now[1])
    for place in label.iterfind(f"{C}layout/{C}manualLayout/{C}y") if _is_ours(label) else ():
        place.set("val", _beside(fresh))
    return label


def _is_ours(label: Any) -> bool:
    """Whether a label stands where it was made to stand: a person who moves one hardly keeps it over the same spot."""
    return all(float(each.get("val")) == 0 for each in label.iterfind(f"{C}layout/{C}manualLayout/{C}x"))


def _beside(label: Any) -> str:
    """How far from its bar's middle a label stands; empty where it stands there."""
    return next((str(each.get("val")) for each in label.iterfind(f"{C}layout/{C}manualLayout/{C}y")), "")


def _bare(code: str) -> str:
    """A number format without the marks about its letters, of which every program has its own."""
    return re.sub(r'["\\]', "", code)


def _sign(code: str) -> bool:
    """Whether a number format writes a minus of its own, which the value would not."""
    return MINUS in code.partition(";")[0]


def _fitted(label: Any, series: Any) -> Any:
    """A label made today for a series of another kind of chart: without the place it cannot have there."""
    place = label.find(f"{C}dLblPos")
    if place is not None and series.getparent() is not None:
        bars = etree.QName(series.getparent()).localname == "barChart"
        if bars != (place.get("val") in ("outEnd", "inBase", "inEnd", "ctr")):
            label.remove(place)
    return label


def _moved(point: Any, places: Mapping[int, int]) -> None:
    index = point.find(f"{C}idx")
    now = places.get(int(index.get("val")))
    if now is None:
        point.getparent().remove(point)
    else:
        index.set("val", str(now))


def _points(series: Any) -> list[str]:
    data = next((found for name in ("val", "yVal") if (found := series.find(f"{C}{name}")) is not None), None)
    return [] if data is None else _texts(data)


def _added(mine: Any, wanted: Any, categories: Sequence[str]) -> None:
    """A series that is new, in the looks it is made with, among its kind where there is one."""
    plots = [each for each in mine.find(f"{C}chart/{C}plotArea") if each.find(f"{C}axId") is not None]
    plots = [each for each in plots if each.tag not in AXES]
    kind = wanted.getparent().tag
    plot = next((each for each in plots if each.tag == kind), plots[0] if plots else None)
    if plot is None:
        return
    series = deepcopy(wanted)
    _revalued(series, wanted, categories)
    for name in ("idx", "order"):
        used = [int(each.find(f"{C}{name}").get("val")) for each in _all(mine)]
        series.find(f"{C}{name}").set("val", str(max(used, default=-1) + 1))
    if plot.tag != kind and series.find(f"{C}dLbls") is not None:
        for label in series.find(f"{C}dLbls").iterfind(f"{C}dLbl"):
            place = label.find(f"{C}dLblPos")
            if place is not None:
                label.remove(place)
    before = [at for at, each in enumerate(plot) if each.tag == f"{C}ser"]
    heads = [at for at, each in enumerate(plot) if etree.QName(each).localname in ("varyColors", "grouping", "barDir")]
    plot.insert(max([*before, *heads], default=-1) + 1, series)


def _rescaled(axis: Any, wanted: Any, was: Mapping[str, str]) -> None:
    """Ends, format and title of an axis as they are made today, where a person left them as they were made."""
    now = _axis(wanted)
    changed = {name for name, told in _axis(axis).items() if _bare(told) == _bare(was[name]) and told != now[name]}
    scaling = axis.find(f"{C}scaling")
    for name in sorted(changed & {"max", "min"}):  # the schema has the largest first
        _ended(scaling, name, now[name])
    if "crossesAt" in changed and axis.find(f"{C}crossesAt") is not None and now["crossesAt"]:
        axis.find(f"{C}crossesAt").set("val", now["crossesAt"])
    if "format" in changed and axis.find(f"{C}numFmt") is not None:
        axis.find(f"{C}numFmt").set("formatCode", now["format"])
    if "title" in changed:
        _reworded(list(axis.iterfind(f"{C}title/{C}tx/{C}rich//{A}t")), now["title"])


def _ended(scaling: Any, name: str, end: str) -> None:
    old = scaling.find(f"{C}{name}")
    if old is not None:
        scaling.remove(old)
    if end:
        before = {f"{C}logBase", f"{C}orientation"} | ({f"{C}max"} if name == "min" else set())
        at = max((place for place, each in enumerate(scaling) if each.tag in before), default=-1) + 1
        scaling.insert(at, etree.Element(f"{C}{name}", val=end))


def _reworded(texts: Sequence[Any], words: str) -> None:
    """Puts words into the first of a text's pieces, and nothing into the others."""
    for number, each in enumerate(texts):
        each.text = "" if number else words


def _workbook(root: Any) -> bytes:
    """The workbook of all that a chart draws, to whose cells its references are set; series that a person added too."""
    sheet = ChartSheet(_categories(root))
    for series in _all(root):
        for kind, data in _number_data(series):
            values = tuple(float(text) if text else None for text in _texts(data))
            place = sheet.add(_name(series) + HEADINGS.get(kind, ""), values)
            data.find(f"{C}f").text = sheet.cells(place, len(values))
            heading = series.find(f"{C}tx//{C}f")
            if kind in ("val", "yVal") and heading is not None:
                heading.text = sheet.heading(place)
        for reference in series.iterfind(f"{C}cat//{C}f"):
            reference.text = sheet.cells(0, len(sheet.categories))
    return sheet.workbook()


def _number_data(series: Any) -> Iterator[tuple[str, Any]]:
    """The numbers a series draws, in the order their columns stand."""
    for name in ("xVal", "val", "yVal"):
        for data in series.iterfind(f"{C}{name}/{C}numRef"):
            yield name, data
    for name in ("plus", "minus"):
        for data in series.iterfind(f"{C}errBars/{C}{name}/{C}numRef"):
            yield name, data


# --- what becomes of a list: paragraphs, rows, columns ----------------------------------------------------------


@dataclass(frozen=True)
class Slot:
    """An element of an edited list: where it stood, which one it was when made, which of today's it becomes."""

    mine: int | None
    base: int | None
    new: int | None


def below_a_head(slots: Sequence[Slot]) -> list[Slot]:
    """The slots of rows among the lines of their table, of which the first is the head and stays."""
    ends = ((slot.mine, slot.base, slot.new) for slot in slots)
    return [Slot(0, 0, 0), *(Slot(*(None if end is None else end + 1 for end in each)) for each in ends)]


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
    for kind, first, end, at, stop in SequenceMatcher(None, before, now, autojunk=False).get_opcodes():
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

    def cell(self, line: int | None, column: int | None) -> str | None:
        """The text of a cell, the head being line 0; None where there is no such line or column."""
        return None if line is None or column is None else [self.columns, *self.rows][line][column]


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
