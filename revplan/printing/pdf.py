"""The executed notebook as a PDF: paged, tagged, with bookmarks and its own fonts; no browser, nothing fetched.

typst sets it. The template is ours alone and every text of the notebook reaches it as data, so
`#evil[x]` in a name is printed and never run; it can read no file but the fonts, and texts are
cleaned and their long words given places to break. PDF/UA-1 is asked for, which fails on a
picture without words, a character without an outline, a heading level left out.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from revplan.exhibits import fonts
from revplan.exhibits.exhibit import comments, set_as_number
from revplan.exhibits.fit import fitting, fitting_names
from revplan.exhibits.provenance import LABELS, colophon
from revplan.ground.errors import ReportError, shown
from revplan.ground.escaping import clean
from revplan.ground.files import scratch_folder
from revplan.printing.blocks import Block, Heading, Prose, Shown, blocks, opening_of, paragraphs, runs, title_of
from revplan.printing.translated import language_of, speaker

TEMPLATE = Path(__file__).parents[1] / "exhibits" / "style" / "report.typ"

EDGE, LABEL = 120, 200
"""Most characters of a line at the edges of a page, and of a column's label."""

WORD, PART = 24, 12
"""Words longer than this may break, after so many characters or after a mark."""

GIANT = 700
"""Characters in a cell from which its row may be taller than a page, and may break."""

Section = dict[str, Any]
"""What stays together: headings and words, and the exhibit they lead to."""


def pdf(notebook: Any, name: str) -> bytes:
    """The PDF of an executed `notebook`; its first heading is the title, or else `name`.

    The same notebook gives the same bytes on a machine with the same fonts.

    Raises
    ------
    ReportError
        If typst refuses the report.
    """
    return bytes(_compiled(*_readable(_document(notebook, name)), format="pdf", pdf_standards="ua-1"))


def pictures(notebook: Any, name: str, resolution: float = 80.0) -> list[bytes]:
    """The pages of the same report as PNG pictures.

    Parameters
    ----------
    notebook, name
        As for `pdf`.
    resolution
        Pixels an inch.

    Raises
    ------
    ReportError
        If typst refuses the report.
    """
    made = _compiled(*_readable(_document(notebook, name)), format="png", ppi=resolution)
    return list(made) if isinstance(made, list) else [made]


def _document(notebook: Any, name: str) -> dict[str, Any]:
    """What the template sets."""
    found = blocks(notebook)
    made, say, opening, title = colophon(notebook), speaker(notebook), opening_of(found), title_of(found, name, level=1)
    titled = any(isinstance(block, Heading) and block.level == 1 for block in found)
    message = opening.get("message", "")
    return {
        "language": language_of(notebook),
        "title": title,
        "description": message,
        "keywords": [f"{label}: {value}" for label, value in made.items()],
        "edges": {
            "title": fitting(title, EDGE),
            "header": fitting(opening.get("header") or made.get(LABELS["plan"], ""), EDGE),
            "message": fitting(message, EDGE),
        },
        "sections": _sections(found if titled else [Heading(level=1, text=title), *found]),
        "colophon": [[say(label), say(value)] for label, value in made.items()],
    }


def _sections(found: Iterable[Block]) -> list[Section]:
    """The blocks in sections: a heading stands with headings only, nothing after an exhibit; no level is left out."""
    sections: list[Section] = []
    level = 0
    for block in found:
        last = sections[-1] if sections else None
        headed = last and all(node["kind"] == "heading" for node in last["lead"])
        if not last or last["exhibit"] or (isinstance(block, Heading) and not headed):
            sections.append({"lead": [], "exhibit": None})
        if isinstance(block, Heading):
            level = min(block.level, level + 1)
            sections[-1]["lead"].append({"kind": "heading", "level": level, "runs": runs(block.text)})
        elif isinstance(block, Prose):
            sections[-1]["lead"] += paragraphs(block.source)
        else:
            sections[-1]["exhibit"] = _exhibit(block)
    return sections


def _exhibit(block: Shown) -> dict[str, Any]:
    raw = block.raw
    labels = fitting_names([column["label"] for column in raw["columns"]], LABEL)
    return {
        **{key: raw[key] for key in ("kind", "message", "alt", "notes", "totals")},
        "svg": block.svg,
        "lined": raw.get("lined", False),
        "comments": [{"text": line, "expired": expired} for line, expired in comments(raw)],
        "columns": [
            {"label": label, "number": set_as_number(column["kind"])}
            for label, column in zip(labels, raw["columns"], strict=True)
        ],
        "rows": raw["shown"],
        "worse": raw.get("worse", []),
        "giant": any(len(cell) > GIANT for row in raw["shown"] for cell in row),
    }


def _readable(document: dict[str, Any]) -> tuple[dict[str, Any], tuple[fonts.Font, ...]]:
    """`document` with nothing in it that a font or a line cannot hold, and the fonts it takes beside DejaVu Sans."""
    texts: list[str] = []

    def noted(text: str) -> str:
        texts.append(_cleaned(text))
        return texts[-1]

    cleaned = _mapped(document, noted)
    odd = fonts.lacking(texts)
    unknown = fonts.without_font(odd)
    found = fonts.covering(odd)
    setting = {
        "fonts": [fonts.FAMILY, *(font.family for font in found)],
        "mono": fonts.MONO,
        "upright": "".join(sorted(fonts.lacking(texts, ["DejaVuSans-Oblique"]))),
        "advice": fonts.advice(unknown),
    }
    return {**_mapped(cleaned, lambda text: _breaking(fonts.legible(text, unknown))), **setting}, found


def _mapped(value: Any, change: Callable[[str], str]) -> Any:
    """`value` with every text in it changed, but for drawings."""
    if isinstance(value, dict):
        return {key: each if key == "svg" else _mapped(each, change) for key, each in value.items()}
    if isinstance(value, list):
        return [_mapped(each, change) for each in value]
    return change(value) if isinstance(value, str) else value


def _cleaned(text: str) -> str:
    """`text` cleaned, a space at its ends kept: it may be the middle of a sentence."""
    inner = clean(text)
    return f"{' ' * text[:1].isspace()}{inner}{' ' * text[-1:].isspace()}" if inner else " " * text[:1].isspace()


def _breaking(text: str) -> str:
    """`text` with places where its long words may break."""
    part = rf"\S{{1,{PART - 1}}}[-_./:]|\S{{{PART}}}"
    return re.sub(rf"\S{{{WORD + 1},}}", lambda word: re.sub(part, "\\g<0>\u200b", word[0]), text)


def _compiled(document: Mapping[str, Any], found: Sequence[fonts.Font], **form: Any) -> Any:
    import typst

    with scratch_folder("revplan-") as place:
        for number, font in enumerate(found):
            shutil.copy(font.path, Path(place, f"{number}{Path(font.path).suffix}"))
        shipped = typst.Fonts(
            include_system_fonts=False, include_embedded_fonts=False, font_paths=[str(fonts.folder()), str(place)]
        )
        compiler = typst.Compiler(
            TEMPLATE.read_bytes(), root=str(place), font_paths=shipped, sys_inputs={"report": json.dumps(document)}
        )
        try:
            return compiler.compile(**form)
        except typst.TypstError as error:
            raise ReportError.at(
                "pdf", f"typst refused the report ({shown(error.message)}); check its version"
            ) from None
