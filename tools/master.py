"""`python tools/master.py`: the master of our slides, made anew.

A clean 16:9 deck without slides: white, one accent, theme fonts every machine has, two layouts. A
company puts its own in its place (`--template`). The file is shipped with the package; a test holds it against this.
"""

from __future__ import annotations

import io
import re
from copy import deepcopy
from typing import Any

from revplan.printing.slides.template import INCH, MASTER, settled_zip

WIDTH, HEIGHT = 12_192_000, 6_858_000
COLORS = {
    "dk1": "22303C",
    "lt1": "FFFFFF",
    "dk2": "8A5A94",
    "lt2": "C9D3DB",
    "accent1": "1F4E79",
    "accent2": "C8501E",
    "accent3": "6B7680",
    "accent4": "4A90BF",
    "accent5": "A87400",
    "accent6": "1B7F5C",
    "hlink": "1F4E79",
    "folHlink": "6B7680",
}
SCRIPTS = {
    "Jpan": "Yu Gothic",
    "Hang": "Malgun Gothic",
    "Hans": "Microsoft YaHei",
    "Hant": "Microsoft JhengHei",
    "Arab": "Arial",
    "Hebr": "Arial",
    "Thai": "Tahoma",
}
"""Fonts of scripts Arial lacks, or has, by name: a reader's PowerPoint finds them."""

LEFT, BREADTH = 0.6, 12.13
PLACES = {
    "section": (LEFT, 0.38, BREADTH, 0.3),
    "title": (LEFT, 0.68, BREADTH, 0.95),
    "content": (LEFT, 1.75, BREADTH, 4.7),
    "note": (LEFT, 6.5, BREADTH, 0.42),
    "footer": (LEFT, 7.04, 9.0, 0.28),
    "date": (9.7, 7.04, 1.9, 0.28),
    "number": (11.73, 7.04, 1.0, 0.28),
    "opening": (1.0, 1.75, 11.3, 1.5),
    "subtitle": (1.0, 3.45, 11.3, 2.6),
}
"""Left, top, width and height of each part. [inches]"""


def master() -> bytes:
    """The master as a PowerPoint file, the same bytes every time."""
    from pptx import Presentation
    from pptx.util import Emu

    deck = Presentation()
    deck.slide_width, deck.slide_height = Emu(WIDTH), Emu(HEIGHT)
    for layout in list(deck.slide_layouts)[2:]:
        deck.slide_layouts.remove(layout)
    slide_master = deck.slide_master
    _themed(slide_master)
    _placed(slide_master, {"TITLE": "title", "BODY": "content"})
    _styled(slide_master)
    opening, exhibit = deck.slide_layouts
    _placed(opening, {"CENTER_TITLE": "opening", "SUBTITLE": "subtitle"})
    _placed(exhibit, {"TITLE": "title", "OBJECT": "content"})
    exhibit.name, opening.name = "Exhibit", "Opening"
    _bar(slide_master, (LEFT, 0.3, 0.5, 0.045))
    _bar(opening, (0, 0, 0.3, 7.5))
    opening._element.set("showMasterSp", "0")
    _looks(opening, "CENTER_TITLE", 40, True, "b")
    _looks(opening, "SUBTITLE", 18, False, "t")
    _added(exhibit, "Section", 13, "section", (12, "accent1", True))
    _added(exhibit, "Note", 14, "note", (10, "accent3", False))
    buffer = io.BytesIO()
    _without_traces(deck)
    deck.save(buffer)
    return settled_zip(buffer.getvalue())


def _without_traces(deck: Any) -> None:
    """Leaves out what tells of the machine of whoever made the template it began as."""
    from datetime import datetime

    for owner in (deck.part, deck.part.package):
        for name, relation in list(owner._rels.items()):
            if relation.reltype.rpartition("/")[2] in ("printerSettings", "thumbnail"):
                owner.drop_rel(name)
    properties = deck.core_properties
    properties.author = properties.last_modified_by = "revplan"
    properties.title, properties.revision = "", 1
    properties.created = properties.modified = datetime(2000, 1, 1)


def _themed(slide_master: Any) -> None:
    """Colours and fonts of the theme."""
    from pptx.opc.constants import RELATIONSHIP_TYPE

    theme = slide_master.part.part_related_by(RELATIONSHIP_TYPE.THEME)
    xml = theme.blob.decode("utf-8")
    colors = "".join(f'<a:{name}><a:srgbClr val="{value}"/></a:{name}>' for name, value in COLORS.items())
    xml = re.sub(
        r"<a:clrScheme.*?</a:clrScheme>", f'<a:clrScheme name="revplan">{colors}</a:clrScheme>', xml, flags=re.S
    )
    scripts = "".join(f'<a:font script="{script}" typeface="{font}"/>' for script, font in SCRIPTS.items())
    fonts = f'<a:latin typeface="Arial"/><a:ea typeface="Microsoft YaHei"/><a:cs typeface="Arial"/>{scripts}'
    both = f"<a:majorFont>{fonts}</a:majorFont><a:minorFont>{fonts}</a:minorFont>"
    xml = re.sub(
        r"<a:fontScheme.*?</a:fontScheme>", f'<a:fontScheme name="revplan">{both}</a:fontScheme>', xml, flags=re.S
    )
    theme._blob = re.sub(r'(<a:theme [^>]*name=)"[^"]*"', r'\1"revplan"', xml).encode("utf-8")


def _placed(page: Any, places: dict[str, str]) -> None:
    """Puts each placeholder in its place; the footer's parts stand where they stand in the master."""
    parts = {**places, "DATE": "date", "FOOTER": "footer", "SLIDE_NUMBER": "number"}
    for shape in list(page.placeholders):
        left, top, width, height = (round(part * INCH) for part in PLACES[parts[_type(shape)]])
        shape.left, shape.top, shape.width, shape.height = left, top, width, height


def _type(shape: Any) -> str:
    return str(shape.placeholder_format.type.name)


def _styled(slide_master: Any) -> None:
    """Sizes of titles and texts, footers small and grey, titles at the top of their place."""
    styles = slide_master._element.find(_p("txStyles"))
    for style, sizes in ((styles.find(_p("titleStyle")), (24,)), (styles.find(_p("bodyStyle")), (16, 14, 12, 12, 12))):
        for level, size in zip(style, sizes, strict=False):
            level.set("algn", "l")
            level.find(_a("defRPr")).set("sz", str(size * 100))
    styles.find(_p("titleStyle"))[0].find(_a("defRPr")).set("b", "1")
    for shape in slide_master.placeholders:
        properties = shape._element.txBody.find(_a("bodyPr"))
        for side in ("lIns", "rIns", "tIns", "bIns"):
            properties.set(side, "0")
        if _type(shape) == "TITLE":
            properties.set("anchor", "t")
        if _type(shape) in ("FOOTER", "SLIDE_NUMBER", "DATE"):
            _level(shape, 9, "accent3", False, "l" if _type(shape) == "FOOTER" else "r")


def _looks(page: Any, kind: str, size: int, bold: bool, anchor: str) -> None:
    for shape in page.placeholders:
        if _type(shape) == kind:
            _level(shape, size, "tx1", bold, "l")
            shape._element.txBody.find(_a("bodyPr")).set("anchor", anchor)


def _level(shape: Any, size: int, color: str, bold: bool, align: str) -> None:
    """How the first level of a placeholder is set."""
    from lxml import etree

    styles = shape._element.txBody.find(_a("lstStyle"))
    for level in list(styles):
        styles.remove(level)
    level = etree.SubElement(styles, _a("lvl1pPr"), marL="0", indent="0", algn=align)
    etree.SubElement(level, _a("buNone"))
    looks = etree.SubElement(level, _a("defRPr"), sz=str(size * 100), b=str(int(bold)))
    etree.SubElement(etree.SubElement(looks, _a("solidFill")), _a("schemeClr"), val=color)


def _added(layout: Any, name: str, number: int, place: str, looks: tuple[int, str, bool]) -> None:
    """A placeholder for text more, made from the one for content."""
    content = next(shape for shape in layout.placeholders if _type(shape) == "OBJECT")
    element = deepcopy(content._element)
    content._element.addnext(element)
    added = next(shape for shape in layout.placeholders if shape._element is element)
    added.name = name
    element.nvSpPr.cNvPr.set("id", str(20 + number))
    holder = element.nvSpPr.nvPr.find(_p("ph"))
    holder.set("type", "body")
    holder.set("idx", str(number))
    holder.set("sz", "quarter")
    left, top, width, height = (round(part * INCH) for part in PLACES[place])
    added.left, added.top, added.width, added.height = left, top, width, height
    for paragraph in list(element.txBody.findall(_a("p")))[1:]:
        element.txBody.remove(paragraph)
    added.text_frame.text = name
    _level(added, looks[0], looks[1], looks[2], "l")


def _bar(page: Any, place: tuple[float, float, float, float]) -> None:
    """The accent: a bar without a line."""
    from lxml import etree

    left, top, width, height = (round(part * INCH) for part in place)
    xml = (
        '<p:sp xmlns:p="{p}" xmlns:a="{a}"><p:nvSpPr><p:cNvPr id="90" name="Accent"/><p:cNvSpPr/><p:nvPr userDrawn="1"/>'
        '</p:nvSpPr><p:spPr><a:xfrm><a:off x="{x}" y="{y}"/><a:ext cx="{w}" cy="{h}"/></a:xfrm>'
        '<a:prstGeom prst="rect"><a:avLst/></a:prstGeom><a:solidFill><a:schemeClr val="accent1"/></a:solidFill>'
        "<a:ln><a:noFill/></a:ln></p:spPr></p:sp>"
    ).format(p=_NAMES["p"], a=_NAMES["a"], x=left, y=top, w=width, h=height)
    page.shapes._spTree.insert(2, etree.fromstring(xml))


_NAMES = {
    "p": "http://schemas.openxmlformats.org/presentationml/2006/main",
    "a": "http://schemas.openxmlformats.org/drawingml/2006/main",
}


def _p(tag: str) -> str:
    return f"{{{_NAMES['p']}}}{tag}"


def _a(tag: str) -> str:
    return f"{{{_NAMES['a']}}}{tag}"


if __name__ == "__main__":
    MASTER.write_bytes(master())
