"""A deck that people worked on, with the numbers of today: what was made is made again in place, what they wrote stays.

A shape is known by its name, and what a person changed in it by the record that the deck carries (`record`). A text
that was made and is as it was made becomes that of today; so does one of which only numbers were changed, since every
number that was made is the registry's. Words of a person stay, wherever they stand; where they quote a figure that is
another now, they are listed. A shape whose alternative text names figures (`figure: ID`, a line each) has exactly
these numbers replaced in its own sentences.

Nothing else of the file is touched: parts without a change are the same bytes.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lxml import etree

from revplan.exhibits.provenance import LABELS, colophon
from revplan.ground.errors import Fault, PlanError, did_you_mean, shown
from revplan.ground.escaping import clean, cut_words
from revplan.ground.files import told_of
from revplan.ground.formats import MINUS
from revplan.ground.language import ENGLISH
from revplan.ground.written import shown_path
from revplan.printing.slides.deck import deck
from revplan.printing.slides.page import WORSE
from revplan.printing.slides.record import (
    NAME,
    RELATION,
    WORD_JOINER,
    A,
    DeckRecord,
    DeckShape,
    P,
    Package,
    cell_words,
    chart_part,
    content,
    description,
    keep,
    letters_of,
    marks_of,
    plain,
    read,
    rows_of,
    said,
    shapes,
    words_of,
)
from revplan.printing.slides.redraw import (
    C,
    Slot,
    Whole,
    arranged,
    below_a_head,
    follow,
    masked,
    paired,
    placed,
    recognised,
    redrawn,
    retext,
    told_apart,
    whole_of,
)
from revplan.printing.slides.template import MEND, deck_bytes

LINK = re.compile(r"\s*figures?:\s*(.+)", re.IGNORECASE)
MONTH = re.compile(r"\s(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)")
PLAIN_OR_WORSE = ("tx1", WORSE.lower().replace("_", ""))
"""The colours of the theme that cells are made in: those of no variance or a good one, and of one to the bad."""
TO_DATE = " to date"
"""What the period of a figure is told by as long as some of it is still to come."""


@dataclass(frozen=True, kw_only=True)
class DeckFinding:
    """Something that a person should look at after a refresh."""

    kind: str
    """stale, gone, kept, overwritten, new or room."""
    message: str
    slide: int | None = None
    text: str = ""
    """The sentence or the cell it is about."""
    figure: str = ""
    was: str = ""
    now: str = ""

    def __str__(self) -> str:
        place = f"slide {self.slide}: " if self.slide else ""
        return place + (f"{shown(self.text)!r}: " if self.text else "") + self.message


@dataclass(frozen=True, kw_only=True)
class DeckFigures:
    """How figures were displayed when a deck was made, and how they are today, by their ids."""

    before: Mapping[str, Sequence[str]]
    now: Mapping[str, Sequence[str]]
    earlier: Mapping[str, Sequence[str]]
    """Numbers of still earlier decks that a sentence quotes on, with the ids of the figures they were."""

    def ids(self) -> set[str]:
        return {*self.before, *self.now, *(each for ids in self.earlier.values() for each in ids)}

    def was(self, figure: str) -> Sequence[str]:
        return self.before.get(figure) or self.before.get(_over(figure)) or ()

    def today(self, figure: str) -> Sequence[str]:
        """How a figure is displayed today, one of a quarter to date as that of the quarter once it is over; empty if it went."""
        return self.now.get(figure) or self.now.get(_over(figure)) or ()

    def moved(self) -> dict[str, list[tuple[str, str]]]:
        """Displayed numbers that are no longer those of their figures, each with the figures and what these say today.

        Those that went say nothing, and come last.
        """
        found: dict[str, list[tuple[str, str]]] = {}
        for each, was in self.before.items():
            now = self.today(each)
            for form, becomes in changed_forms(was, now) if now else [(form, "") for form in was]:
                found.setdefault(form, []).append((each, becomes))
        for form, ids in self.earlier.items():
            for each in ids:
                now = self.today(each)
                if form not in now:
                    found.setdefault(form, []).append((each, now[0] if now else ""))
        told = {form: list(dict.fromkeys(each)) for form, each in found.items() if re.search(r"\d", form)}
        return {form: sorted(each, key=lambda pair: not pair[1]) for form, each in told.items()}


def _over(figure: str) -> str:
    return figure.replace(TO_DATE, "")


def relinked(texts: Sequence[str], links: Sequence[str], figures: DeckFigures) -> tuple[list[str], list[str]]:
    """The sentences with the numbers of today in the place of those of the figures they are linked with; what is wrong.

    Two figures that were displayed alike are told apart by the order in which they are linked and quoted.
    """
    changes: dict[str, list[str]] = {}
    for each in links:
        for was, now in changed_forms(figures.was(each), figures.today(each)):
            changes.setdefault(was, []).append(now)
    quoted: dict[str, int] = {}
    told, faults = [], []
    for text in texts:
        new, end = "", 0
        for first, stop, form in quotes(text, changes):
            ready = changes[form]
            number = quoted[form] = quoted.get(form, 0) + 1
            if len(set(ready)) > 1 and number > len(ready):
                faults.append(f"quotes {form} more often than figures are linked with it; write the numbers of today")
            new += text[end:first] + ready[min(number, len(ready)) - 1]
            end = stop
        told.append(new + text[end:])
    whole = " ".join(told)
    for each in links:
        forms = figures.today(each)
        if not any(spans(whole, form) for form in forms):
            told_so = f"is linked with the figure {each}, which is {forms[0]}, and does not say so"
            faults.append(f"{told_so}; write {forms[0]} there")
    return told, faults


def stale(sentences: Iterable[tuple[int, str]], figures: DeckFigures) -> tuple[list[DeckFinding], dict[str, list[str]]]:
    """The sentences that quote a number which was a figure's and is no more, by their slides; and what they quote, of what.

    A number that some figure still shows is not told of where it may well be that one: if it is a small count, or if
    the figure that it was has gone.
    """
    forms = figures.moved()
    still = {form for texts in figures.now.values() for form in texts}
    found: dict[DeckFinding, None] = {}
    earlier: dict[str, list[str]] = {}
    for slide, text in sentences:
        for _, _, form in quotes(text, forms):
            (figure, now), more = forms[form][0], len(forms[form]) - 1
            if form in still and (not now or re.fullmatch(r"\d{1,2}", form)):
                continue
            earlier[form] = [each for each, _ in forms[form]]
            others = f" (and {more} more)" if more else ""
            named = figure if figure in figures.now else _over(figure)
            tail = f"{now} now; to have it follow, write `figure: {named}` into the alternative text or the name of its shape"
            message = f"{form} was {figure}{others}, which is {tail if now else 'in the report no more'}"
            found[
                DeckFinding(kind="stale", message=message, slide=slide, text=text, figure=figure, was=form, now=now)
            ] = None
    return list(found), earlier


def spans(text: str, form: str) -> list[tuple[int, int]]:
    """Where `text` quotes the displayed number `form`: as a whole, not as part of a longer one or of a date."""
    signed = re.escape(form).replace(MINUS, f"[{MINUS}-]{WORD_JOINER}?").replace("\\ ", r"\s")
    found = []
    for match in re.finditer(rf"(?<![\w.,$€£¥{MINUS}+{WORD_JOINER}]){signed}(?![\w%]|[.,]\d)", text):
        hyphen = text[: match.start()].endswith("-") and not text[: match.start() - 1][-1:].isalnum()
        dated = form.isdigit() and len(form) <= 2 and MONTH.match(text, match.end())
        if not hyphen and not dated:
            found.append(match.span())
    return found


def changed_forms(was: Sequence[str], now: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The displayed forms of a figure that are others now, each with what it has become."""
    alike = len(was) == len(now)
    for at, form in enumerate(was):
        becomes = now[at] if at < 2 or alike else now[1]
        if form not in now and becomes != form:
            yield form, becomes


def quotes(text: str, forms: Iterable[str]) -> list[tuple[int, int, str]]:
    """Where a text quotes which of the displayed numbers, in its order."""
    return sorted((first, end, form) for form in forms for first, end in spans(text, form))


def links_in(text: str, ids: Collection[str]) -> Iterator[str]:
    """The figures that an alternative text or a name names: `figure: ID`, a line each, or several with semicolons between."""
    for line in text.replace("_x000a_", "\n").splitlines():
        found = LINK.fullmatch(line.rstrip())
        if found:
            whole = found[1].strip()
            yield from [whole] if whole in ids else filter(None, (each.strip() for each in whole.split(";")))


BOOK = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
COUNTED = re.compile(r" \(\d+ of \d+\)$")
ONE_EACH = ("title", "section", "note", "footer", "spoken")
"""Roles that every slide of an exhibit has: a part that is no longer made says what the last one says."""

LABELLED = {"fact": -1, "line": 0}
"""Roles known by their label, and which paragraph that is: a value stands over it, a sentence beside it."""


def check_deck(path: Path, report: str, plan: str = "", place: str = "", language: str = ENGLISH) -> None:
    """That the deck in `path`, which `place` names to a reader, is one of this report, plan and language.

    Raises
    ------
    PlanError
        If it is no presentation, is damaged, holds code, carries no record, or is of another report, plan or language.
    """
    place = place or shown_path(path)
    record = _recorded(_package(path, place), place, report, cut_words(clean(plan)))
    if record.language != language:
        raise PlanError.at(place, f"is a deck in the language {record.language}; give `--language {record.language}`")


def refreshed(notebook: Any, report: str, path: Path, place: str = "") -> tuple[bytes, list[DeckFinding]]:
    """The deck in `path`, which `place` names to a reader, with the numbers of an executed notebook; and what to look at.

    Raises
    ------
    PlanError
        If the deck is not one of this report and plan, or if a sentence of its own says something else than the figure
        it is linked with: with every such sentence.
    """
    place = place or shown_path(path)
    made_from = colophon(notebook)
    package = _package(path, place)
    record = _recorded(package, place, report, made_from.get(LABELS["plan"], ""))
    with told_of(PlanError, place, f"a part of it is missing or damaged: {MEND}"):
        fresh = Package(_made_alike(notebook, report, path, package, record))
        return _Refresh(package, fresh, record, place).done()


def _package(path: Path, place: str) -> Package:
    raw = deck_bytes(path)
    with told_of(PlanError, place, f"a part of it is missing or damaged: {MEND}"):
        return Package(raw)


def _recorded(package: Package, place: str, report: str, plan: str) -> DeckRecord:
    with told_of(PlanError, place, "make the deck anew", "what it says of its own making cannot be read"):
        record = read(package)
    if record is None:
        raise PlanError.at(
            place, "carries no record of having been made by revplan; make the deck anew, then refresh that one"
        )
    if record.report != report:
        raise PlanError.at(place, f"is a deck of the report {shown(record.report)}, not of {report}; name that report")
    if plan and record.plan and record.plan != plan:
        cure = "give that plan, or make the deck anew"
        raise PlanError.at(place, f"is a deck of the plan {shown(record.plan)!r}, not of {shown(plan)!r}; {cure}")
    return record


def _made_alike(notebook: Any, report: str, path: Path, package: Package, record: DeckRecord) -> bytes:
    """The deck as it would be made today, in the layouts of the edited one where it still has them."""
    layouts = {
        package.root(part).find(f"{P}cSld").get("name")
        for main in package.related("").values()
        for _, master in package.related(main[1]).values()
        for kind, part in package.related(master).values()
        if kind == "slideLayout"
    }
    if record.layout in layouts:
        try:
            return deck(notebook, report, path)
        except PlanError:  # the layout lost its room; ours will do for texts
            pass
    return deck(notebook, report)


class _Refresh:
    """One deck being refreshed: what was made before, what is made today, and what was found on the way."""

    def __init__(self, package: Package, fresh: Package, record: DeckRecord, place: str) -> None:
        told = read(fresh)
        assert told is not None  # it was made a moment ago
        self.package, self.fresh, self.record, self.place = package, fresh, record, place
        self.before, self.now, self.today = record.shapes, said(fresh), told
        self.sources = {shape.name: shape for shape in shapes(fresh) if NAME.fullmatch(shape.name)}
        self.figures = DeckFigures(before=record.figures, now=told.figures, earlier=record.earlier)
        self.found: list[DeckFinding] = []
        self.faults: list[Fault] = []
        self.made: set[Any] = set()  # paragraphs that say what is made today
        self.charts: set[str] = set()  # parts done: copies of a slide may share one
        self.facts = self._facts()
        self.tables: dict[str, tuple[Whole, Whole]] = {}
        self.marks: dict[str, list[list[str]]] = {}  # by table of today and cell, the colour of its letters

    def done(self) -> tuple[bytes, list[DeckFinding]]:
        every = list(shapes(self.package))
        named = {id(shape): self._name(shape, every) for shape in every}
        for shape in every:
            name = named[id(shape)]
            if name:
                self._follow(shape, name)
        for shape in every:
            self._link(shape)
        moved, earlier = stale(self._own_sentences(), self.figures)
        self.found += moved
        self._listed_new([name for name in named.values() if name])
        if self.faults:
            raise PlanError(self.faults)
        about, told = description(self.package), self.today.about
        if about is not None and about.text == self.record.about != told:
            about.text = told
            self.package.touched("docProps/core.xml")
        keep(self.package, replace(self.today, earlier=earlier, layout=self.record.layout))
        return self.package.written(), self.found

    # which shape is which

    def _name(self, shape: DeckShape, every: Sequence[DeckShape]) -> str:
        """The name by which the record knows a shape; empty for a person's own.

        Programs that forget the names of placeholders leave their texts: one that says what was made is that one.
        """
        if shape.name in self.before:
            return shape.name
        text = content(self.package, shape).get("text")
        if not text or not any(text) or next(shape.element.iter(f"{P}ph"), None) is None:
            return ""
        beside = {_key(each.name) for each in every if each.number == shape.number and each.name in self.before}
        alike = [
            name
            for name, told in self.before.items()
            if told.get("text") == text and (_role(name) == "spoken") == shape.spoken
        ]
        alike = [name for name in alike if _key(name) in beside] or alike
        becomes = {str(self.now.get(self._counterpart(name) or "")) for name in alike}
        return alike[0] if len(becomes) == 1 else ""

    def _facts(self) -> dict[str, str]:
        """Which fact of today each that was made has become, by their names: known by its label."""
        found = {}
        for key in {_key(name) for name in self.before}:
            was, now = (
                {
                    name: _label(name, told["text"])
                    for name, told in side.items()
                    if _key(name) == key and _role(name) in LABELLED
                }
                for side in (self.before, self.now)
            )
            for one, other in paired(list(was.values()), list(now.values()), loose=True).items():
                found[list(was)[one]] = list(now)[other]
        return found

    def _counterpart(self, name: str) -> str | None:
        """The shape of today that a shape which was made has become; None where there is none."""
        if _role(name) in LABELLED:
            return self.facts.get(name)
        if name in self.now:
            return name
        others = [each for each in self.now if (_key(each), _role(each)) == (_key(name), _role(name))]
        return others[-1] if others and _role(name) in (*ONE_EACH, "table") else None

    def _follow(self, shape: DeckShape, name: str) -> None:
        """Brings a shape that was made to what is made today."""
        other = self._counterpart(name)
        was, there = self.before[name], content(self.package, shape)
        if other is None or set(self.now[other]) != set(there) or set(was) != set(there):
            message = f"{_role(name)} of {_key(name)} is no longer in the report; it was left as it was"
            self._find("gone", message, shape, str(there.get("alt") or " ".join(there.get("text", []))))
            self.made.update(shape.element.iter(f"{A}p"))
            return
        if shape.name != name:
            shape.properties.set("name", name)
            self._touched(shape)
        if "text" in there:
            told = self._told(shape, other)
            if _role(name) in LABELLED and _relabelled(_label(name, was["text"]), there["text"], _label(name, told)):
                message = f"stands under words of yours, and what it was is no longer in the report ({_label(name, was['text'])})"
                self._find("gone", message, shape, " ".join(there["text"]))
            else:
                self._retell(shape, was["text"], told)
                self._sized(shape, there["text"], self.sources[other])
            return
        if plain(shape.alt) == was["alt"] != self.now[other]["alt"]:
            shape.properties.set("descr", self.now[other]["alt"])
            self._touched(shape)
        if "rows" in there:
            self._refill(shape, name)
        else:
            self._redraw(shape, was["chart"], other)

    def _touched(self, shape: DeckShape) -> None:
        self.package.touched(shape.part)

    def _find(self, kind: str, message: str, shape: DeckShape, text: str, **more: str) -> None:
        self.found.append(DeckFinding(kind=kind, message=message, slide=shape.number, text=text, **more))

    def _told(self, shape: DeckShape, other: str) -> list[str]:
        """The paragraphs of today; of how many slides a title is the first is what the deck has."""
        told = [words_of(each) for each in self.sources[other].paragraphs]
        counted = COUNTED.search(" ".join(plain(words_of(each)) for each in shape.paragraphs))
        if _role(other) == "title" and counted and COUNTED.search(told[-1]):
            told[-1] = COUNTED.sub(counted[0], told[-1])
        return told

    # texts

    def _retell(self, shape: DeckShape, was: Sequence[str], told: Sequence[str]) -> None:
        paragraphs = shape.paragraphs
        mine, now = [plain(words_of(each)) for each in paragraphs], [plain(each) for each in told]
        if mine == now:
            self.made.update(paragraphs)
            return
        pairs = paired(was, now, loose=True)
        if mine == list(was):
            pairs = {at: at for at in range(min(len(was), len(now)))}
        slots = follow(recognised(mine, was), range(len(was)), pairs, len(now))
        if [slot.mine for slot in slots] != list(range(len(mine))):
            paragraphs = arranged(paragraphs, slots)
            self._touched(shape)
        for slot, paragraph in zip(slots, paragraphs, strict=True):
            if slot.new is not None:
                self._set(shape, paragraph, told[slot.new], "" if slot.base is None else was[slot.base])

    def _set(self, shape: DeckShape, paragraph: Any, text: str, was: str) -> None:
        """Gives a paragraph its text of today; numbers that a person put there are listed."""
        mine = plain(words_of(paragraph))
        if mine != plain(text):
            if was and mine != was:
                self._find("overwritten", f"was changed by hand and says {shown(plain(text))!r} now", shape, mine)
            retext(paragraph, text)
            self._touched(shape)
        self.made.add(paragraph)

    def _sized(self, shape: DeckShape, was: Sequence[str], source: DeckShape) -> None:
        """Lists a text of today that would be set smaller today: it keeps the size that it has."""
        mine, wanted = (
            max((int(each.get("sz", "0")) for each in one.element.iter(f"{A}rPr")), default=0)
            for one in (shape, source)
        )
        text = [plain(words_of(each)) for each in shape.paragraphs]
        if mine > wanted > 0 and text != was:
            message = f"is set in {mine / 100:g} points, and would be in {wanted / 100:g} today; look whether it fits"
            self._find("room", message, shape, " ".join(text))

    # tables

    def _tables_of(self, name: str) -> tuple[Whole, Whole]:
        key = _key(name)
        if key not in self.tables:
            was, now = (
                whole_of(
                    {
                        _part(each): told["rows"]
                        for each, told in side.items()
                        if (_key(each), _role(each)) == (key, "table")
                    }
                )
                for side in (self.before, self.now)
            )
            self.tables[key] = was, now
            made = {each: shape for each, shape in self.sources.items() if (_key(each), _role(each)) == (key, "table")}
            self.marks[key] = whole_of({_part(each): marks_of(shape.table) for each, shape in made.items()}).rows
        return self.tables[key]

    def _refill(self, shape: DeckShape, name: str) -> None:
        was, now = self._tables_of(name)
        across, down = was.places[_part(name)]
        there = rows_of(shape.table)
        head, *body = there
        heads = [was.columns[at] for at in across]
        columns = placed(head, heads, across)
        first = columns.index(across[0]) if across[0] in columns else 0
        labels = [was.rows[at][0] for at in down]
        rows = placed([row[first] for row in body], labels, down)
        beside = paired(was.columns, now.columns, loose=len(was.columns) == len(now.columns))
        below = paired([row[0] for row in was.rows], [row[0] for row in now.rows])
        wide = follow(columns, across, beside, len(now.columns))
        deep = follow(rows, down, below, len(now.rows))
        self._lost(shape, was, there, (columns, rows), (wide, deep))
        lines = below_a_head(deep)
        self._reshape(shape, wide, lines)
        for slot, line in zip(lines, shape.table.iterfind(f"{A}tr"), strict=True):
            for place, cell in zip(wide, line.iterfind(f"{A}tc"), strict=True):
                before, today = was.cell(slot.base, place.base), now.cell(slot.new, place.new)
                added = place.mine is None or slot.mine is None
                self._fill(shape, cell, before or "", today, added=added)
                if slot.new and place.new is not None and cell_words(cell) == today:  # the head, line 0, has no colours
                    self._color(shape, cell, self.marks[_key(name)][slot.new - 1][place.new])

    def _fill(self, shape: DeckShape, cell: Any, was: str, now: str | None, *, added: bool) -> None:
        """Gives a cell its text of today; words of a person stay and are listed."""
        mine, paragraphs = cell_words(cell), list(cell.iterfind(f"{A}txBody/{A}p"))
        if now is None and not added:
            return
        if not added and mine not in (was, now) and masked(mine) != masked(was):
            self._find("kept", f"is a person's and stays; made is {shown(now)!r}", shape, mine)
            return
        for each in paragraphs[1:]:
            each.getparent().remove(each)
            self._touched(shape)
        self._set(shape, paragraphs[0], now or "", "" if added else was)

    def _color(self, shape: DeckShape, cell: Any, today: str) -> None:
        """Gives letters that are as they are made the colour of today: a variance gets better or worse; one's own stays."""
        for letters in letters_of(cell):
            if {letters.get("val"), today} == set(PLAIN_OR_WORSE):
                letters.set("val", today)
                self._touched(shape)

    def _lost(
        self,
        shape: DeckShape,
        was: Whole,
        there: Sequence[Sequence[str]],
        matched: tuple[Sequence[int | None], Sequence[int | None]],
        slots: tuple[Sequence[Slot], Sequence[Slot]],
    ) -> None:
        """Lists words of a person in rows and columns that are taken out."""
        columns, rows = matched
        wide, deep = ({slot.mine for slot in each} for each in slots)
        for at, row in enumerate(rows):
            for place, column in enumerate(columns):
                mine = there[at + 1][place]
                made = row is not None and column is not None and masked(was.rows[row][column]) == masked(mine)
                if (at not in deep or place not in wide) and mine and not made:
                    label = there[at + 1][0]
                    self._find("gone", f"stood in the row {shown(label)!r}, which is no longer made", shape, mine)

    def _reshape(self, shape: DeckShape, wide: Sequence[Slot], deep: Sequence[Slot]) -> None:
        """Takes out the columns and rows that went, and puts in those that came, in the looks of their neighbours."""
        table = shape.table
        lines, grid = list(table.iterfind(f"{A}tr")), list(table.iterfind(f"{A}tblGrid/{A}gridCol"))
        if [slot.mine for slot in wide] != list(range(len(grid))):
            total = sum(int(each.get("w", "0")) for each in grid)
            for line in lines:
                arranged(list(line.iterfind(f"{A}tc")), wide)
            made = arranged(grid, wide)
            now = sum(int(each.get("w", "0")) for each in made) or 1
            for each in made:
                each.set("w", str(int(each.get("w", "0")) * total // now))
            self._touched(shape)
        if [slot.mine for slot in deep] != list(range(len(lines))):
            tall = sum(int(each.get("h", "0")) for each in lines)
            grown = sum(int(each.get("h", "0")) for each in arranged(lines, deep)) - tall
            self._touched(shape)
            size = shape.element.find(f"{P}xfrm/{A}ext")
            if size is not None:
                size.set("cy", str(max(0, int(size.get("cy", "0")) + grown)))
            added = len(deep) - len(lines)
            if added > 0:
                self._find(
                    "room",
                    f"has {added} more {'row' if added == 1 else 'rows'}; look whether it fits",
                    shape,
                    "the table",
                )
        told_apart(table)

    # charts

    def _redraw(self, shape: DeckShape, was: Mapping[str, Any], other: str) -> None:
        part, source = chart_part(self.package, shape), chart_part(self.fresh, self.sources[other])
        if part is None or source is None or part in self.charts:
            return
        self.charts.add(part)
        mine, new = self.package.root(part), self.fresh.root(source)
        before, today = content(self.package, shape)["chart"], content(self.fresh, self.sources[other])["chart"]
        book = next(
            self.fresh.bytes_of(each) for kind, each in self.fresh.related(source).values() if kind == "package"
        )
        if before["fingerprint"] == was["fingerprint"]:
            if today["fingerprint"] == was["fingerprint"]:
                return
            whole = deepcopy(new)
            mine.clear()
            mine[:] = list(whole)
        else:
            whole = etree.tostring(mine, method="c14n")
            book = redrawn(mine, new, was)
            if etree.tostring(mine, method="c14n") == whole:
                return
        self.package.touched(part)
        self._store_book(part, mine, book)

    def _store_book(self, part: str, chart: Any, book: bytes) -> None:
        """Puts the workbook behind a chart, a new one where the program that saved the deck left none."""
        matched = {name: target for name, (kind, target) in self.package.related(part).items() if kind == "package"}
        if not matched:
            target = f"ppt/embeddings/revplan_{Path(part).stem}.xlsx"
            matched = {self.package.relate(part, "package", target): target}
            self.package.typed(target, BOOK)
        name, target = next(iter(matched.items()))
        self.package.put(target, book)
        link = chart.find(f"{C}externalData")
        if link is None:
            link = etree.Element(f"{C}externalData")
            after = {f"{C}printSettings", f"{C}userShapes", f"{C}extLst"}
            chart.insert(next((at for at, each in enumerate(chart) if each.tag in after), len(chart)), link)
            etree.SubElement(link, f"{C}autoUpdate", val="0")
        link.set(f"{{{RELATION}}}id", name)

    # sentences of a person

    def _link(self, shape: DeckShape) -> None:
        """Replaces the numbers of linked figures in a person's own sentences, and holds these against the registry."""
        said_where = f"{shape.name}\n{shape.alt}"  # LibreOffice forgets alternative texts, and keeps names
        named = list(dict.fromkeys(links_in(said_where, self.figures.ids())))
        own = [each for each in shape.element.iter(f"{A}p") if each not in self.made]
        if not named or not own:
            return
        there = [words_of(each) for each in own]
        links = [each for each in named if self.figures.today(each)]
        for each in named:
            if each not in links:
                close = "" if each in self.figures.ids() else did_you_mean(each, self.today.figures)
                message = f"figure {each!r} is not in the report; {close}the sentence stays"
                self._find("gone", message, shape, plain(" ".join(there)))
        told, faults = relinked(there, links, self.figures)
        for paragraph, was, now in zip(own, there, told, strict=True):
            if was != now:
                retext(paragraph, now)
                self._touched(shape)
        sentence = repr(shown(plain(" ".join(told))))
        self.faults += [Fault(f"{self.place}, slide {shape.number}", f"{sentence} {fault}") for fault in faults]

    def _own_sentences(self) -> Iterator[tuple[int, str]]:
        """Every text of the deck that was not made, with the number of its slide: also in charts, notes and pictures' words."""
        made = {plain(words_of(each)) for shape in shapes(self.fresh) for each in self._chart_words(self.fresh, shape)}
        for shape in shapes(self.package):
            own = [each for each in shape.element.iter(f"{A}p") if each not in self.made]
            drawn = [each for each in self._chart_words(self.package, shape) if plain(words_of(each)) not in made]
            yield from ((shape.number, plain(words_of(each))) for each in (*own, *drawn))
            if shape.alt and plain(shape.alt) != self.now.get(shape.name, {}).get("alt") and not LINK.match(shape.alt):
                yield shape.number, plain(shape.alt)
        for number, part in enumerate(self.package.slides(), start=1):
            drawings = [each for kind, each in self.package.related(part).values() if kind == "diagramData"]
            found = (each for drawing in drawings for each in self.package.root(drawing).iter(f"{A}p"))
            yield from ((number, plain(words_of(each))) for each in found)

    @staticmethod
    def _chart_words(package: Package, shape: DeckShape) -> Iterator[Any]:
        part = chart_part(package, shape)
        if part is not None:
            yield from package.root(part).iter(f"{A}p")

    def _listed_new(self, there: Collection[str]) -> None:
        """Lists exhibits that the deck was made without, and notes, facts and others of which it has no shape."""
        keys, present = {_key(name) for name in self.before}, {_key(name) for name in there}
        had = {(_key(name), _role(name)) for name in self.before if _role(name) not in LABELLED} | set(
            self.facts.values()
        )
        for key in dict.fromkeys(_key(name) for name in self.now):
            if key not in keys:
                self.found.append(DeckFinding(kind="new", message=f"{key} is new in the report and not in this deck"))
        for name, told in self.now.items():
            one = name if _role(name) in LABELLED else (_key(name), _role(name))
            if one not in had and _key(name) in present & keys:
                words = reversed(told.get("text", [])) if _role(name) == "fact" else told.get("text", [])
                text = ": ".join(words) if "text" in told else told["alt"]
                message = f"{_role(name)} of {_key(name)} is new in the report, and this deck has no place for it"
                self.found.append(DeckFinding(kind="new", message=message, text=text))


def _key(name: str) -> str:
    found = NAME.fullmatch(name)
    return found["key"] if found else ""


def _role(name: str) -> str:
    found = NAME.fullmatch(name)
    return found["role"] if found else ""


def _part(name: str) -> int:
    found = NAME.fullmatch(name)
    return int(found["part"] or 1) if found else 1


def _label(name: str, texts: Sequence[str]) -> str:
    """The label among the paragraphs of a shape that is known by one."""
    return plain(texts[LABELLED[_role(name)]])


def _relabelled(was: str, mine: Sequence[str], told: str) -> bool:
    """Whether a person named a fact that is another one now: its number would stand under words that are not its own."""
    return masked(was) not in map(masked, mine) and masked(was) != masked(told)
