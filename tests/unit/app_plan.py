"""A small plan to play with: two segments, two sources, four stages, one rate for one segment alone."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from revplan.app.game import Game, open_game

PLAN: dict[str, Any] = {
    "name": "Small plan",
    "year": {"first_month": "2027-01"},
    "plan_date": "2026-11-15",
    "goal": {"new_arr": 2_000_000, "next_year_growth": 0.1},
    "stages": [{"id": "lead", "label": "Lead"}, {"id": "sql", "label": "SQL"}, {"id": "sqo"}, {"id": "won"}],
    "commit": {"stage": "sql", "confidence": 0.8},
    "segments": {
        "smb": {"share": 0.4, "acv": {"mean": 10_000, "sd": 4_000}},
        "mid": {"share": 0.6, "acv": 40_000},
    },
    "sources": {
        "inbound": {"share": 0.7, "cost_per_entry": 100},
        "partner": {"share": 0.3, "enters": "sql"},
    },
    "transitions": [
        {"from": "lead", "to": "sql", "rate": 0.1, "evidence": 2000, "lag": {"months": 1}},
        {"from": "sql", "to": "sqo", "rate": 0.5, "evidence": 400, "lag": {"median_days": 20, "p90_days": 50}},
        {"from": "sqo", "to": "won", "rate": 0.3, "evidence": 100, "lag": {"weights": [0.5, 0.5]}},
        {"from": "sqo", "to": "won", "segment": "mid", "rate": 0.2, "evidence": 60, "lag": {"months": 2}},
    ],
    "scenarios": {"downside": {"changes": [{"from": "sqo", "to": "won", "segment": "mid", "rate": 0.15}]}},
}


def plan_file(folder: Path, **changes: Any) -> Path:
    """The file of the small plan, with keys of its own in place of the plan's."""
    path = folder / "plan.yaml"
    with path.open("w", encoding="utf-8") as file:
        YAML().dump({**deepcopy(PLAN), **changes}, file)
    return path


def small_game(folder: Path, **changes: Any) -> Game:
    """The small plan, opened to be played with."""
    return open_game(plan_file(folder, **changes))


PEOPLE: dict[str, Any] = {
    "roster": [
        {"rep": "Ana", "role": "ae", "segment": "smb", "start": "2025-01-01"},
        {"rep": "Ben", "role": "ae", "segment": "mid", "start": "2026-09-01"},
        {"rep": "Cem", "role": "ae", "segment": "mid", "start": "2024-03-01"},
    ],
    "roles": {
        "ae": {
            "productivity": 800_000,
            "ramp": {"linear_months": 6},
            "attrition": 0.1,
            "open_requisition_days": 30,
            "offer_lead_days": 20,
        }
    },
    "hires": [{"role": "ae", "segment": "mid", "start": "2027-03"}],
}
"""People of the small plan, who are too few for its goal."""
