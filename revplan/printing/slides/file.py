"""PowerPoint files as files: a template looked at before it is opened, a deck with the same bytes every time."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from revplan.ground.errors import PlanError, RevplanError
from revplan.ground.files import TEMPLATE_MB, UNPACKED_MB, content_of, megabytes
from revplan.ground.written import shown_path, unreadable

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
