"""What a report was made from, so that it can be made again: it stands in every printing."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from revplan.ground.escaping import clean, cut_words
from revplan.ground.formats import show
from revplan.ground.version import __version__
from revplan.plan.model import Plan

LENGTH = 12
"""Hexadecimal digits of a fingerprint that are shown."""

LABELS = {
    "report": "Report",
    "plan": "Plan",
    "plan_date": "Plan date",
    "as_of": "Known up to",
    "against": "Compared with",
    "plan_fingerprint": "Fingerprint of the plan",
    "data_fingerprint": "Fingerprint of the data",
    "revplan": "revplan",
    "parameters": "Settings",
    "pack": "Pack",
    "untranslated": "In English still",
}


def provenance(
    report: str, plan: Plan, plan_path: Path, inputs: Iterable[Path], settings: Mapping[str, object]
) -> dict[str, str]:
    """The facts that make a report again, each a label's key and a text.

    Parameters
    ----------
    report
        Name of the notebook.
    plan, plan_path
        The plan, and its file.
    inputs
        The files the plan names.
    settings
        The parameters the notebook ran with; paths are left out, for they tell of one machine.
    """
    told = {key: str(value) for key, value in settings.items() if not key.endswith("_path") and value != ""}
    if "quarter" in told:
        told["quarter"] = plan.period_label(told["quarter"])
    return {
        "report": report,
        "plan": plan.name,
        "plan_date": show(plan.plan_date, "date"),
        "as_of": told.pop("as_of", ""),
        "against": Path(told.pop("against", "")).name,
        "plan_fingerprint": fingerprint([plan_path]),
        "data_fingerprint": fingerprint(sorted(inputs)),
        "revplan": __version__,
        "parameters": ", ".join(f"{key}={value}" for key, value in sorted(told.items())),
    }


def pack_id(exhibits: Iterable[Mapping[str, Any]], told: Mapping[str, str]) -> str:
    """What the printings of one run have in common and those of another have not: of what is shown, and from what it was made."""
    shown = [[each[key] for key in ("message", "header", "notes", "shown", "columns")] for each in exhibits]
    text = json.dumps([shown, dict(told)], sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:LENGTH]


def fingerprint(paths: Iterable[Path]) -> str:
    """The first digits of a SHA-256 over the names and the contents of files; empty without any."""
    whole = hashlib.sha256()
    files = list(paths)
    for path in files:
        whole.update(hashlib.sha256(path.name.encode("utf-8") + b"\0" + path.read_bytes()).digest())
    return whole.hexdigest()[:LENGTH] if files else ""


def colophon(notebook: Any) -> dict[str, str]:
    """What every printing of an executed `notebook` says of its origin, by label; empty where it is not known."""
    told = notebook.metadata.get("revplan", {})
    return {label: cut_words(clean(told[key])) for key, label in LABELS.items() if told.get(key)}
