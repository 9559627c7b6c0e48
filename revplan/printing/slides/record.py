"""What a deck says, shape by shape, and the record it carries of what it said when it was made.

Every shape that is made has a name of its own: the report, what made the exhibit, and its role on the slide. The
record (in the file's own properties, which PowerPoint and LibreOffice keep) holds the texts, tables and charts by these
names and the figures by their ids, so that a later run can tell what a person wrote since from what was made.
"""

from __future__ import annotations

import base64
import io
import json
import posixpath
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from revplan.ground.formats import show
from revplan.ground.language import ENGLISH
from revplan.printing.slides.chart import DRAWING
from revplan.printing.slides.redraw import chart_state

SLIDE = "http://schemas.openxmlformats.org/presentationml/2006/main"
RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
TYPES_SPACE = "http://schemas.openxmlformats.org/package/2006/content-types"
P, A, R = f"{{{SLIDE}}}", f"{{{DRAWING}}}", f"{{{RELATION}}}"

CORE, CUSTOM = "docProps/core.xml", "docProps/custom.xml"
CUSTOM_SPACE = "http://schemas.openxmlformats.org/officeDocument/2006/custom-properties"
CUSTOM_TYPE = "application/vnd.openxmlformats-officedocument.custom-properties+xml"
VALUES = "http://schemas.openxmlformats.org/officeDocument/2006/docPropsVTypes"
PROPERTY = re.compile(r"revplan (\d{3,})")
LONGEST_PROPERTY = 255
"""Characters that Office keeps of a property."""
LARGEST_RECORD = 20_000_000
"""Bytes that a record may unpack to."""

WORD_JOINER = "\u2060"


@dataclass(frozen=True, kw_only=True)
class ShapeMark:
    """Which slide of which report a shape belongs to; with its role, the shape's name."""

    report: str = ""
    key: str = ""
    part: int = 1
    """Which of several slides of one exhibit, or of several facts."""

    def of(self, role: str) -> str:
        """The name of the shape in that role: `board_report:promised.so_far:title`."""
        return f"{self.report}:{self.key}:{role}" + (f" {self.part}" if self.part > 1 else "")


NAME = re.compile(r"(?P<report>[a-z][a-z0-9_]*):(?P<key>[^:]+):(?P<role>[a-z]+)(?: (?P<part>\d+))?")


@dataclass(frozen=True, kw_only=True)
class DeckRecord:
    """What a deck said when it was made or last refreshed."""

    report: str
    plan: str
    shapes: Mapping[str, dict[str, Any]]
    """What each shape said, by its name, as `content` has it."""
    figures: Mapping[str, list[str]]
    """How each figure was displayed, by its id."""
    layout: str = ""
    """Which layout exhibits were set in."""
    about: str = ""
    """What the file's description said."""
    earlier: Mapping[str, list[str]] = field(default_factory=dict)
    """Numbers of still earlier decks that a sentence quoted on, with the ids of the figures they were."""
    language: str = ENGLISH


def figure_texts(exhibits: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """How each figure is displayed, by its id: in a sentence, alone, and in tables."""
    found: dict[str, list[str]] = {}
    for raw in exhibits:
        places = {column["name"]: at for at, column in enumerate(raw["columns"])}
        for figure in raw["figures"]:
            texts = found.setdefault(figure["id"], [figure["text"], show(figure["value"], figure["kind"])])
            at = places.get(figure["column"])
            if raw["kind"] == "table" and at is not None and raw["shown"][figure["row"]][at] not in texts:
                texts.append(raw["shown"][figure["row"]][at])
    return found


class Package:
    """The parts of a PowerPoint file; what is not changed is written as it was read."""

    def __init__(self, raw: bytes) -> None:
        self._raw = raw
        with zipfile.ZipFile(io.BytesIO(raw)) as parts:
            self._entries = {entry.filename: entry for entry in parts.infolist()}
            self._parts = {name: parts.read(name) for name in self._entries}
        self._roots: dict[str, Any] = {}
        self._changed: dict[str, bytes | None] = {}

    def __contains__(self, part: str) -> bool:
        return part in self._parts or part in self._changed

    def bytes_of(self, part: str) -> bytes:
        """What a part holds, changes included."""
        if part not in self._changed:
            return self._parts[part]
        given = self._changed[part]
        if given is not None:
            return given
        told: bytes = etree.tostring(self._roots[part], xml_declaration=True, encoding="UTF-8", standalone=True)
        return told

    def root(self, part: str) -> Any:
        """The XML of a part, the same object each time; say `touched` after a change."""
        if part not in self._roots:
            parser = etree.XMLParser(resolve_entities=False, no_network=True)
            self._roots[part] = etree.fromstring(self.bytes_of(part), parser)
        return self._roots[part]

    def touched(self, part: str) -> None:
        self._changed[part] = None

    def put(self, part: str, content: bytes) -> None:
        """Gives a part, new or not, another content; the same is no change."""
        if part not in self or self.bytes_of(part) != content:
            self._changed[part] = content
            self._roots.pop(part, None)

    def related(self, part: str) -> dict[str, tuple[str, str]]:
        """What a part refers to inside the file, by the reference's id: the kind, and the part."""
        place = _relations_of(part)
        if place not in self:
            return {}
        found = {}
        for each in self.root(place):
            if isinstance(each.tag, str) and each.get("TargetMode") != "External":
                target = each.get("Target", "")
                path = target.lstrip("/") if target.startswith("/") else posixpath.join(posixpath.dirname(part), target)
                found[each.get("Id", "")] = (each.get("Type", "").rpartition("/")[2], posixpath.normpath(path))
        return {name: both for name, both in found.items() if both[1] in self}

    def relate(self, part: str, kind: str, target: str) -> str:
        """The id of a new reference from `part` to the part `target`."""
        place = _relations_of(part)
        if place not in self:
            self.put(place, f'<Relationships xmlns="{RELATIONS}"/>'.encode())
        taken = {each.get("Id") for each in self.root(place)}
        new = next(name for name in (f"rId{number}" for number in range(1, len(taken) + 2)) if name not in taken)
        etree.SubElement(
            self.root(place), f"{{{RELATIONS}}}Relationship", Id=new, Type=f"{RELATION}/{kind}", Target=f"/{target}"
        )
        self.touched(place)
        return new

    def typed(self, part: str, kind: str) -> None:
        """Says what kind of content a new part has."""
        root = self.root("[Content_Types].xml")
        if not any(each.get("PartName") == f"/{part}" for each in root):
            etree.SubElement(root, f"{{{TYPES_SPACE}}}Override", PartName=f"/{part}", ContentType=kind)
            self.touched("[Content_Types].xml")

    def slides(self) -> list[str]:
        """The slides in their order."""
        main = next((part for kind, part in self.related("").values() if kind == "officeDocument"), None)
        if main is None:
            return []
        there = self.related(main)
        order = [each.get(f"{R}id") for each in self.root(main).iterfind(f"{P}sldIdLst/{P}sldId")]
        return [there[each][1] for each in order if each in there]

    def written(self) -> bytes:
        """The file with what was changed."""
        if not self._changed:
            return self._raw
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
            for name in dict.fromkeys([*self._parts, *self._changed]):
                was = self._entries.get(name)
                entry = zipfile.ZipInfo(name, was.date_time if was else (1980, 1, 1, 0, 0, 0))
                entry.compress_type = was.compress_type if was else zipfile.ZIP_DEFLATED
                entry.external_attr = was.external_attr if was else 0
                target.writestr(entry, self.bytes_of(name))
        return buffer.getvalue()


def _relations_of(part: str) -> str:
    folder, name = posixpath.split(part)
    return posixpath.join(folder, "_rels", f"{name}.rels")


@dataclass(frozen=True, kw_only=True, eq=False)
class DeckShape:
    """A shape of a deck that can say something."""

    number: int
    """Of its slide, the first being 1."""
    part: str
    """The part it stands in: the slide, or its notes."""
    element: Any
    spoken: bool = False
    """Whether it stands in the speaker notes."""

    @property
    def properties(self) -> Any:
        return next(self.element.iter(f"{P}cNvPr"))

    @property
    def name(self) -> str:
        return str(self.properties.get("name", ""))

    @property
    def alt(self) -> str:
        return str(self.properties.get("descr", ""))

    @property
    def table(self) -> Any:
        return next(self.element.iter(f"{A}tbl"), None) if self.element.tag == f"{P}graphicFrame" else None

    @property
    def paragraphs(self) -> list[Any]:
        return list(self.element.iterfind(f"{P}txBody/{A}p"))


SHAPES = (f"{P}sp", f"{P}graphicFrame", f"{P}pic", f"{P}cxnSp")


def shapes(package: Package) -> Iterator[DeckShape]:
    """The shapes of every slide in order, each slide's notes after it."""
    for number, part in enumerate(package.slides(), start=1):
        for element in package.root(part).iter(*SHAPES):
            yield DeckShape(number=number, part=part, element=element)
        for kind, notes in package.related(part).values():
            if kind == "notesSlide":
                for element in package.root(notes).iter(f"{P}sp"):
                    yield DeckShape(number=number, part=notes, element=element, spoken=True)


def chart_part(package: Package, shape: DeckShape) -> str | None:
    """The part of the chart that a shape shows; None where it shows none."""
    for each in shape.element.iter("{http://schemas.openxmlformats.org/drawingml/2006/chart}chart"):
        return package.related(shape.part).get(each.get(f"{R}id", ""), ("", None))[1]
    return None


def words_of(paragraph: Any) -> str:
    """The text of a paragraph."""
    found = []
    for each in paragraph:
        if each.tag in (f"{A}r", f"{A}fld"):
            found.append(each.findtext(f"{A}t") or "")
        elif each.tag == f"{A}br":
            found.append("\n")
    return "".join(found)


def plain(text: str) -> str:
    """`text` as it compares: programs break it into lines and set invisible signs each in its own way."""
    return " ".join(text.replace(WORD_JOINER, "").split())


def cell_words(cell: Any) -> str:
    return plain(" ".join(words_of(each) for each in cell.iterfind(f"{A}txBody/{A}p")))


def rows_of(table: Any) -> list[list[str]]:
    """The texts of a table's cells, row by row, its head the first."""
    return [[cell_words(cell) for cell in row.iterfind(f"{A}tc")] for row in table.iterfind(f"{A}tr")]


def letters_of(cell: Any) -> list[Any]:
    """The colours of the theme that the letters of a cell have."""
    return list(cell.iterfind(f"{A}txBody/{A}p/{A}r/{A}rPr/{A}solidFill/{A}schemeClr"))


def marks_of(table: Any) -> list[list[str]]:
    """By cell of a table the theme's colour of its letters, under its head."""
    head, *rows = table.iterfind(f"{A}tr")
    colors = [[(letters_of(cell) or [{}])[0].get("val", "") for cell in row.iterfind(f"{A}tc")] for row in rows]
    return [[cell_words(cell) for cell in head.iterfind(f"{A}tc")], *colors]


def content(package: Package, shape: DeckShape) -> dict[str, Any]:
    """What a shape says: its paragraphs, or its rows, or its chart; and what those are told who cannot see it."""
    part = chart_part(package, shape)
    if part is not None:
        return {"alt": plain(shape.alt), "chart": chart_state(package.root(part))}
    if shape.table is not None:
        return {"alt": plain(shape.alt), "rows": rows_of(shape.table)}
    return {"text": [plain(words_of(each)) for each in shape.paragraphs]}


def said(package: Package) -> dict[str, dict[str, Any]]:
    """What every shape that revplan named says, by its name; of several alike, the first."""
    found: dict[str, dict[str, Any]] = {}
    for shape in shapes(package):
        if NAME.fullmatch(shape.name) and shape.name not in found:
            found[shape.name] = content(package, shape)
    return found


def description(package: Package) -> Any:
    """Where the file's own properties say what it was made from; None where they do not."""
    return (
        next(package.root(CORE).iter("{http://purl.org/dc/elements/1.1/}description"), None)
        if CORE in package
        else None
    )


def with_record(
    raw: bytes, report: str, plan: str, figures: Mapping[str, list[str]], layout: str, language: str = ENGLISH
) -> bytes:
    """A deck just made, with the record of what it says."""
    package = Package(raw)
    about = description(package)
    keep(
        package,
        DeckRecord(
            report=report,
            plan=plan,
            shapes=said(package),
            figures=figures,
            layout=layout,
            about="" if about is None else about.text or "",
            language=language,
        ),
    )
    return package.written()


def keep(package: Package, record: DeckRecord) -> None:
    """Puts the record among the file's properties, in pieces that Office does not cut; the same one is no change."""
    if read(package) == record:
        return
    told = {"version": 1, **{name: getattr(record, name) for name in DeckRecord.__dataclass_fields__}}
    packed = base64.b64encode(zlib.compress(json.dumps(told, ensure_ascii=False).encode("utf-8"), 9)).decode("ascii")
    if CUSTOM not in package:
        package.put(CUSTOM, f'<Properties xmlns="{CUSTOM_SPACE}" xmlns:vt="{VALUES}"/>'.encode())
        package.typed(CUSTOM, CUSTOM_TYPE)
        package.relate("", "custom-properties", CUSTOM)
    root = package.root(CUSTOM)
    for each in list(root):
        if PROPERTY.fullmatch(each.get("name", "")):
            root.remove(each)
    first = max((int(each.get("pid", "1")) for each in root), default=1) + 1
    pieces = [packed[at : at + LONGEST_PROPERTY] for at in range(0, len(packed), LONGEST_PROPERTY)]
    for number, piece in enumerate(pieces):
        one = etree.SubElement(
            root,
            f"{{{CUSTOM_SPACE}}}property",
            fmtid="{D5CDD505-2E9C-101B-9397-08002B2CF9AE}",
            pid=str(first + number),
            name=f"revplan {number + 1:03}",
        )
        etree.SubElement(one, f"{{{VALUES}}}lpwstr").text = piece
    package.touched(CUSTOM)


def read(package: Package) -> DeckRecord | None:
    """The record a deck carries; None where it carries none.

    Raises
    ------
    ValueError
        If it is damaged, or made by a later revplan.
    """
    if CUSTOM not in package:
        return None
    pieces = {
        int(found[1]): "".join(each.itertext())
        for each in package.root(CUSTOM)
        if (found := PROPERTY.fullmatch(each.get("name", "")))
    }
    if not pieces:
        return None
    unpacker = zlib.decompressobj()
    packed = base64.b64decode("".join(pieces[number] for number in sorted(pieces)), validate=True)
    text = unpacker.decompress(packed, LARGEST_RECORD)
    if not unpacker.eof:
        raise ValueError("it is cut off")
    told = json.loads(text)
    if told.pop("version") != 1:
        raise ValueError("a later version of revplan made it")
    told.setdefault("language", ENGLISH)  # decks made before there was another
    return DeckRecord(**{name: told[name] for name in DeckRecord.__dataclass_fields__})
