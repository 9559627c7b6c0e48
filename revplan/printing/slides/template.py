"""The deck that slides are added to: our master, or a company's own template, its parts found by what they are."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from revplan.ground.errors import PlanError, RevplanError, shown
from revplan.ground.files import TEMPLATE_MB, UNPACKED_MB, content_of, megabytes, told_of
from revplan.ground.written import shown_path, unreadable
from revplan.printing.slides.chart import DRAWING, SCHEME

MOST_PARTS, MOST_TEXT_MB = 5_000, 60  # of a template: files in it, and what is not a picture or a film
TYPES = "[Content_Types].xml"
DECK = "application/vnd.openxmlformats-officedocument.presentationml.presentation.main+xml"
TEMPLATE = "application/vnd.openxmlformats-officedocument.presentationml.template.main+xml"
ACTIVE = ("vbaproject", "activex", "vbadata")
"""Parts that run code when a file is opened."""

MEND = "open it in PowerPoint and save it again as .pptx"


def template_bytes(path: Path) -> bytes:
    """The template in `path` as a presentation: a .potx is one too.

    Raises
    ------
    PlanError, ReportError
        As `deck_bytes` does.
    """
    raw, types = _looked_at(path, "a template (.pptx or .potx)")
    return _repacked(raw, {TYPES: types.replace(TEMPLATE, DECK).encode("utf-8")})


def deck_bytes(path: Path) -> bytes:
    """The presentation in `path`, every byte of it.

    Raises
    ------
    PlanError
        If it is none, is damaged, unpacks too far, or carries code.
    ReportError
        If it cannot be read.
    """
    return _looked_at(path, "a deck (.pptx)")[0]


def _looked_at(path: Path, wanted: str) -> tuple[bytes, str]:
    """The bytes of a presentation that may be opened, and what it says of the types of its parts."""
    if not path.is_file():
        raise PlanError.at(shown_path(path), f"is not a file; give the path of {wanted}")
    try:
        return _checked(path)
    except OSError as error:
        raise unreadable(path, error) from None
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, zipfile.zlib.error) as error:  # type: ignore[attr-defined]
        raise damaged(path, error) from None


def damaged(path: Path, reason: object) -> RevplanError:
    """The fault of a file that cannot be opened as slides."""
    return PlanError.at(shown_path(path), f"is not a presentation, is protected or damaged ({reason}); {MEND}")


def _checked(path: Path) -> tuple[bytes, str]:
    place = shown_path(path)
    raw = content_of(path, PlanError, megabytes(TEMPLATE_MB), place)
    with zipfile.ZipFile(io.BytesIO(raw)) as parts:
        _refuse_what_unpacks_too_far(parts, place)
        names = {name.lower() for name in parts.namelist()}
        types = parts.read(TYPES).decode("utf-8", "replace") if TYPES in parts.namelist() else ""
    if "macroEnabled" in types or any(word in name for word in ACTIVE for name in names):
        raise PlanError.at(place, "holds macros or controls, which are not carried; save it without them as .pptx")
    if "presentationml" not in types:
        raise PlanError.at(place, f"is not a presentation; {MEND}")
    return raw, types


def _refuse_what_unpacks_too_far(parts: zipfile.ZipFile, place: str) -> None:
    found = parts.infolist()
    if len(found) > MOST_PARTS:
        raise PlanError.at(place, f"has more than {MOST_PARTS:,} parts; {MEND}")
    texts = (part.file_size for part in found if part.filename.endswith((".xml", ".rels")))
    for sizes, most in ((texts, MOST_TEXT_MB), ((part.file_size for part in found), UNPACKED_MB)):
        limit = megabytes(most)
        if sum(sizes) > limit.value * 1_000_000:
            raise PlanError.at(place, f"{limit.refusal('unpacks to more than')}, or take out its pictures")


def settled_zip(raw: bytes) -> bytes:
    """The same parts, without the time they were packed."""
    return _repacked(raw, {})


def _repacked(raw: bytes, others: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(raw)) as source, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        for name in dict.fromkeys(source.namelist()):
            entry = zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0))
            entry.compress_type = zipfile.ZIP_DEFLATED
            target.writestr(entry, others.get(name) or source.read(name))
    return buffer.getvalue()


MASTER = Path(__file__).parents[2] / "exhibits" / "style" / "master.pptx"
"""Our own master; `tools/master.py` makes it."""
INCH = 914_400

TITLES = ("TITLE",)
OPENINGS = ("CENTER_TITLE",)
CONTENTS = ("OBJECT", "CHART", "TABLE", "BODY")
FOOTERS = ("FOOTER", "SLIDE_NUMBER", "DATE")
OWN = ("Section", "Note")
"""Names of placeholders that take the section's name and the exhibit's notes; a template may have them."""

LEAST_WIDTH, LEAST_HEIGHT = 3.0, 1.5
"""What a chart or a table needs. [inches]"""

USUAL_TITLE = 44.0


@dataclass(frozen=True, kw_only=True)
class Area:
    """A place on a slide. [inches]"""

    left: float
    top: float
    width: float
    height: float

    def emu(self) -> tuple[int, int, int, int]:
        """Left, top, width and height as PowerPoint counts them."""
        left, top, right, bottom = (
            round(each * INCH) for each in (self.left, self.top, self.left + self.width, self.top + self.height)
        )
        return left, top, right - left, bottom - top


@dataclass(frozen=True, kw_only=True, eq=False)
class Template:
    """An open deck without slides, and where things go in it.

    Attributes
    ----------
    deck
        The presentation, as python-pptx has it.
    opening, exhibit
        The layouts of the first slide, and of every other.
    title, content
        Where an exhibit's title and the exhibit stand.
    content_index
        The index of the placeholder the exhibit fills.
    title_size
        How large titles are set. [points]
    inks
        For each colour of a chart, whether dark (`ink`) or light (`paper`) letters are legible on it.
    """

    deck: Any
    opening: Any
    exhibit: Any
    title: Area
    content: Area
    content_index: int
    title_size: float
    inks: dict[str, str]
    say: Callable[[str], str] = str
    """Says the few words of a deck's own in its language."""


def open_template(path: Path | None) -> Template:
    """The template in `path`, or ours; sample slides in it are taken out.

    Raises
    ------
    PlanError
        If it is no presentation, is damaged, carries code, or lacks a layout with a title and room for an exhibit.
    ReportError
        If the file cannot be read.
    """
    if path is None:
        return _found(None)
    with told_of(PlanError, shown_path(path), f"a part of it is missing or damaged: {MEND}"):
        return _found(path)


def _found(path: Path | None) -> Template:
    deck = _opened(path)
    _emptied(deck)
    _refuse_links(deck, shown_path(path or MASTER))
    exhibit = _exhibit_layout(deck, shown_path(path or MASTER))
    content = _content(exhibit)
    title = next(shape for shape in exhibit.placeholders if kind(shape) in TITLES)
    return Template(
        deck=deck,
        opening=next((each for each in deck.slide_layouts if _has(each, OPENINGS)), exhibit),
        exhibit=exhibit,
        title=area(title),
        content=area(content),
        content_index=content.placeholder_format.idx,
        title_size=_title_size(title, exhibit.slide_master),
        inks=_inks(exhibit.slide_master),
    )


def kind(shape: Any) -> str:
    """What a placeholder is for: TITLE, OBJECT, FOOTER..."""
    return str(shape.placeholder_format.type.name)


def area(shape: Any) -> Area:
    """Where a shape stands."""
    parts = (shape.left, shape.top, shape.width, shape.height)
    left, top, width, height = (float(part or 0) / INCH for part in parts)
    return Area(left=left, top=top, width=width, height=height)


def _opened(path: Path | None) -> Any:
    from pptx import Presentation

    if path is None:
        return Presentation(str(MASTER))
    raw = template_bytes(path)
    try:
        return Presentation(io.BytesIO(raw))
    except Exception as error:  # what a damaged part brings about, from KeyError to XMLSyntaxError
        reason = shown(error or type(error).__name__)
        raise damaged(path, reason) from None


def _emptied(deck: Any) -> None:
    """Takes sample slides out, and first what points at them: shows and sections."""
    root = deck.part._element
    for tag in ("custShowLst", "extLst"):
        for element in root.findall(f"{{{root.nsmap['p']}}}{tag}"):
            root.remove(element)
    slides = deck.slides._sldIdLst
    for slide in list(slides):
        deck.part.drop_rel(slide.rId)
        slides.remove(slide)


def _refuse_links(deck: Any, place: str) -> None:
    """Refuses what would lead out of the deck from its layouts: it is loaded or followed wherever the deck is shown."""
    package = deck.part.package
    owners = [("the file", package._rels), *((part.partname, part.rels) for part in package.iter_parts())]
    found = [(name, each.target_ref) for name, rels in owners for each in rels.values() if each.is_external]
    if found:
        name, address = found[0]
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        message = (
            f"links to {shown(address)} in {shown(name)}{more}, which is not carried; take the links out of its layouts"
        )
        raise PlanError.at(place, f"{message} and masters")


def _exhibit_layout(deck: Any, place: str) -> Any:
    """The layout with a title and the best place for an exhibit.

    Raises
    ------
    PlanError
        If there is none.
    """
    layouts = [each for each in deck.slide_layouts if _has(each, TITLES) and _content(each) is not None]
    if not layouts:
        parts = [[kind(shape).lower().replace("_", " ") for shape in each.placeholders] for each in deck.slide_layouts]
        named = zip(deck.slide_layouts, parts, strict=True)
        had = "; ".join(f"{shown(each.name)} ({', '.join(found) or 'empty'})" for each, found in named)
        wanted = f"a title and a content placeholder of at least {LEAST_WIDTH:g} x {LEAST_HEIGHT:g} inches"
        raise PlanError.at(place, f"has no layout with {wanted}; it has {had or 'no layouts'}. Add one in PowerPoint")
    return max(layouts, key=_fitness)


def _fitness(layout: Any) -> tuple[int, int, float]:
    content = _content(layout)
    place = area(content)
    others = [
        shape for shape in layout.placeholders if kind(shape) not in (*FOOTERS, *TITLES) and shape.name not in OWN
    ]
    return -len(others), kind(content) != "BODY", place.width * place.height


def _content(layout: Any) -> Any:
    """The largest placeholder an exhibit fits into."""
    found = [shape for shape in layout.placeholders if kind(shape) in CONTENTS and shape.name not in OWN]
    roomy = [shape for shape in found if area(shape).width >= LEAST_WIDTH and area(shape).height >= LEAST_HEIGHT]
    return max(roomy, key=lambda shape: area(shape).width * area(shape).height, default=None)


def _has(layout: Any, kinds: Iterable[str]) -> bool:
    return any(kind(shape) in kinds for shape in layout.placeholders)


def _title_size(title: Any, slide_master: Any) -> float:
    """The size titles inherit: from the layout, the master's title, or the master's style. [points]"""
    names = {"a": "http://schemas.openxmlformats.org/drawingml/2006/main"}
    masters = [shape for shape in slide_master.placeholders if kind(shape) in TITLES]
    bodies = [shape._element for shape in (title, *masters)]
    sized = [found for body in bodies for found in body.findall(".//a:lvl1pPr/a:defRPr[@sz]", names)]
    style = f".//{{{slide_master._element.nsmap['p']}}}titleStyle"
    sized += [
        found for each in slide_master._element.iterfind(style) for found in each.findall(".//a:defRPr[@sz]", names)
    ]
    return float(sized[0].get("sz")) / 100 if sized else USUAL_TITLE


def _inks(slide_master: Any) -> dict[str, str]:
    """What is legible on each colour of the theme: the letters with the greater contrast (WCAG 2.2, 1.4.3)."""
    light = {name: _luminance(color) for name, color in _palette(slide_master).items()}
    paper, ink = light.get("lt1", 1.0), light.get("dk1", 0.0)
    scheme = {"tx1": "dk1", "tx2": "dk2", "bg1": "lt1", "bg2": "lt2"}
    grounds = {role: light.get(scheme.get(name, name), 0.0) for role, name in SCHEME.items()}
    return {
        role: "paper" if _contrast(paper, ground) >= _contrast(ink, ground) else "ink"
        for role, ground in grounds.items()
    }


def _palette(slide_master: Any) -> dict[str, str]:
    """Colours of the theme by name, as six digits."""
    from lxml import etree
    from pptx.opc.constants import RELATIONSHIP_TYPE

    theme = etree.fromstring(
        slide_master.part.part_related_by(RELATIONSHIP_TYPE.THEME).blob, etree.XMLParser(resolve_entities=False)
    )
    colors = theme.find(f".//{{{DRAWING}}}clrScheme")
    return {etree.QName(each).localname: each[0].get("lastClr") or each[0].get("val") for each in colors}


def _luminance(color: str) -> float:
    parts = [int(color[place : place + 2], 16) / 255 for place in (0, 2, 4)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _contrast(one: float, other: float) -> float:
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)
