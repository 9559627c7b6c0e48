"""The plan file: read with every fault at once, each with its line and its cure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from datetime import date
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from revplan.ground.errors import Fault, PlanError
from revplan.ground.field_faults import FileForm, field_faults
from revplan.ground.files import told_of
from revplan.ground.values import SALVAGE, FrozenDict
from revplan.ground.yamlfile import Document, Place, dotted, read_yaml, yaml_content, yaml_document
from revplan.plan.checks import consistency
from revplan.plan.model import Plan
from revplan.plan.parts import Scenario
from revplan.plan.scenario import scenario_faults

_ALONE = ("scenarios", "scenario")
WANTED = "the plan file (YAML), whose `history: {leads: ...}` names the CRM file"
OF_RECORDS = {"format", "files", "preset"}
"""Keys by which a CRM file is told from a plan."""

SHARES = {
    "rate",
    "quarterly_rate",
    "monthly_rate",
    "share",
    "quarters",
    "within_quarter",
    "months",
    "confidence",
    "rho",
    "attrition",
    "start_probability",
    "over_assignment",
}
SHARES |= {"lag_cv", "volume_cv", "max_growth", "next_year_growth", "volume"}
"""Keys of shares and ratios, of which somebody may write the percentage."""

FORMS = {
    "Acv": "it must be a plain number, such as 9_000, or {mean: 9_000, sd: 4_000}",
    "Change": "it must be a plain number, or {rate: 0.08}, {monthly_rate: 0.007}, {amount: 640_000}",
    "Lag": "write {months: 1}, {median_days: 20, p90_days: 60} or {weights: [0.6, 0.4]}",
    "Stage": "each stage is {id: demo, label: Demo}; or name a preset in place of the list: saastr",
    "Year": "write {first_month: 2027-01}",
    "History": "write {leads: crm.yaml}",
    "Capacity": "write {roster: roster.csv, roles: {ae: {productivity: 600_000, ramp: {linear_months: 5}}}}",
    "Ramp": "write a list of monthly shares, [0, 0.25, 0.5, 0.75, 1], or {linear_months: 5}",
    "Role": "write {productivity: 600_000, ramp: {linear_months: 5}}",
    "Rep": "write {rep: Anna, role: ae, segment: mid, start: 2025-03-01}",
    "Hire": "write {role: ae, segment: mid, start: 2027-03, count: 2}",
    "Commit": "write {stage: sql, confidence: 0.8}",
    "Assumption": "write {about: goal.churn, owner: finance, expires: 2027-03-31}",
}
EXAMPLES = {"first_month": "2027-01", "currency": "USD", "id": "mql"}
LATER = {"budget": "this version of revplan does not compute budget yet; take the block out"}


def read_plan(path: Path) -> Plan:
    """The plan in the file at `path`.

    A plan that gives neither its year nor its date is taken to be made today, for the next
    calendar year.

    Raises
    ------
    PlanError
        With every fault of the file: its line, what came and what to do.
    """
    plan, faults = checked_plan(path)
    if plan is None or faults:
        raise PlanError(faults)
    return plan


def real_path(path: str | Path) -> Path:
    """Where a file really lies: a link is followed once, and what the file names is looked for beside it."""
    try:
        return Path(path).resolve()
    except (OSError, RuntimeError, ValueError):
        return Path(path)  # whose reader says what is wrong


def checked_plan(path: Path) -> tuple[Plan | None, tuple[Fault, ...]]:
    """The plan in the file at `path` and its faults; with faults, what of the plan names files is sound.

    Raises
    ------
    PlanError
        If the file cannot be read as YAML.
    """
    content = yaml_content(Path(path), PlanError, WANTED)
    return _checked(content, Path(path).name, date.today())


@lru_cache(maxsize=4)  # a command asks for its plan several times, and for that of a copy with the same content
def _checked(content: bytes, name: str, today: date) -> tuple[Plan | None, tuple[Fault, ...]]:
    document = yaml_document(content, name, PlanError, WANTED)
    with told_of(PlanError, document.name, "look for a value of an odd form, and write it plainly"):
        return _plan_in(document, today)


def _plan_in(document: Document, today: date) -> tuple[Plan | None, tuple[Fault, ...]]:
    data = document.data
    if "goal" not in data and OF_RECORDS & set(data):
        raise PlanError.at(document.name, f"is a CRM file, which says how records are read; give {WANTED}")
    if not {"year", "plan_date"} & set(data):
        data = {**data, "plan_date": today}
    try:
        return Plan.model_validate(data), ()
    except PlanError as error:
        faults = list(error.faults)
    except ValidationError as error:
        faults = _field_faults(error, document)
        in_goal = any(fault.place.startswith("goal") for fault in faults)
        faults += [fault for fault in _other_faults(data) if not (in_goal and fault.place.startswith("goal"))]
    faults.sort(key=lambda fault: document.line(_as_place(fault.place)))
    located = tuple(Fault(document.where(_as_place(fault.place)), fault.message) for fault in faults)
    return _sound_enough(data), located


def located(path: Path, faults: Iterable[Fault]) -> tuple[Fault, ...]:
    """`faults`, those whose place is a key of the plan at `path` with its file and line."""
    document = read_yaml(Path(path), PlanError, WANTED)
    keys = Plan.model_fields.keys() - {"actuals", "history"}  # which begin the names of files
    return tuple(
        Fault(document.where(place), fault.message) if (place := _as_place(fault.place))[0] in keys else fault
        for fault in faults
    )


def _sound_enough(data: Mapping[str, Any]) -> Plan | None:
    """What could be salvaged, if it tells how to read the files it names."""
    try:
        plan = Plan.model_validate(data, context=SALVAGE)
    except ValidationError:
        return None
    needed = (plan.plan_date, plan.stages, plan.segments, plan.sources)
    if any(part is None for part in needed) or None in plan.stage_ids:
        return None
    named = {"history": plan.history and plan.history.leads, "actuals": plan.actuals and plan.actuals.path}
    return plan.model_copy(update={key: None for key, path in named.items() if path is None})


def _other_faults(data: Mapping[str, Any]) -> list[Fault]:
    """Faults between the values that are sound by themselves."""
    try:
        return consistency(Plan.model_validate(data, context=SALVAGE))
    except Exception:  # a rule met a value that is None for being at fault: that fault is told already
        return []


def _as_place(text: str) -> Place:
    keys = text.replace("[", ".").replace("]", "").split(".")
    return tuple(int(key) if key.isdigit() else key for key in keys)


def scenario_in(document: Document, plan: Plan, header: Collection[str] = ()) -> Scenario:
    """The scenario of `plan` that a document holds beside the keys of its `header`.

    Raises
    ------
    PlanError
        With every fault of the scenario's values, or else of how they fit the plan.
    """
    body = {key: value for key, value in document.data.items() if key not in header}
    try:
        scenario = Scenario.model_validate(body)
    except ValidationError as error:
        faults = _field_faults(error, document, _ALONE)
    else:
        alone = plan.model_copy(update={"scenarios": FrozenDict({_ALONE[1]: scenario})})
        prefix = f"{dotted(_ALONE)}."
        found = consistency(alone) or scenario_faults(plan, _ALONE[1], scenario)
        faults = [Fault(fault.place.removeprefix(prefix), fault.message) for fault in found]
    if faults:
        raise PlanError(Fault(document.where(_as_place(fault.place)), fault.message) for fault in faults)
    return scenario


@cache
def plan_schema() -> dict[str, Any]:
    """The JSON Schema of the plan file, for editors."""
    schema = Plan.model_json_schema(mode="validation")
    schema["required"] = ["goal", "segments", "sources"]
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **schema}


@cache
def _form() -> FileForm:
    return FileForm(plan_schema(), FORMS, EXAMPLES, shares=SHARES, fixed=LATER)


def _field_faults(error: ValidationError, document: Document, within: Place = ()) -> list[Fault]:
    """The faults of the values of a plan, or of what would stand `within` one, by their keys."""
    return [Fault(dotted(place), what) for place, what in field_faults(error, document.data, _form(), within)]
