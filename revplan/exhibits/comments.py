"""What people say beside an exhibit, as an executed notebook keeps it, for every printing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def comments(raw: Mapping[str, Any]) -> list[tuple[str, bool]]:
    """What people say beside an exhibit, a line each, and whether it has expired."""
    told = raw.get("comments", [])
    return [(" ".join(filter(None, [each["line"], each["expired"]])), bool(each["expired"])) for each in told]


def below(raw: Mapping[str, Any]) -> list[str]:
    """All that stands below an exhibit where nothing can be set in grey: what people say, then its notes."""
    return [*(line for line, _ in comments(raw)), *raw["notes"]]
