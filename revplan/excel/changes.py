"""`revplan import`: what a person changed in a workbook, as a difference to the plan file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import pandas as pd

from revplan.crm.inputs import frozen_inputs
from revplan.crm.planfile import checked_plan, read_plan, real_path
from revplan.excel.goal_sheets import CHANGES
from revplan.excel.reading import DAMAGED, ChangedInput, read_filled
from revplan.excel.writer import ENTRIES, PEOPLE, PLAN, RECORDS, InputPlace
from revplan.exhibits.exhibit import Exhibit, table_of, text
from revplan.exhibits.provenance import fingerprint
from revplan.funnel.tables import BRIDGE_TERMS
from revplan.ground.errors import DataError, Fault, PlanError, RevplanError, shown
from revplan.ground.files import scratch_folder, told_of
from revplan.ground.formats import counted, kinds_of
from revplan.ground.lag import MAX_MONTHS
from revplan.ground.written import written
from revplan.ground.yamledit import Edit, edited, flow, plan_text
from revplan.ground.yamlfile import dotted, read_yaml
from revplan.plan.model import Plan
from revplan.plan.parts import Transition
from revplan.snapshot.state import read_history, with_history_rates

LEFT_ALONE = {ENTRIES: "committed entries", RECORDS: "values of the records"}
KEPT_EVIDENCE = "set in a workbook; evidence as for the rate it replaces"

MovedCells = dict[tuple[str, str], dict[str, Any]]
"""By segment and source: the keys of a transition that changed, with their new values."""


@dataclass(frozen=True)
class WorkbookDifference:
    """What a workbook would change in a plan file."""

    edits: tuple[tuple[Edit, Any], ...]
    """Each with what stood there, or words for it."""
    left_alone: Counter[str] = field(default_factory=Counter)
    """Changed inputs that are no part of a plan, by whose they are."""


def import_workbook(workbook: Path, plan_path: Path, write: bool) -> tuple[dict[str, Any], list[Exhibit]]:
    """What a person changed in `workbook` as a difference to the plan file; written there if asked.

    The changed plan is checked before anything is written: every fault at once, and the file untouched.

    Raises
    ------
    PlanError
        If the changed plan is at fault.
    DataError
        If the workbook is none, or was made from another plan.
    """
    path = real_path(plan_path)
    with scratch_folder("revplan-") as scratch:
        copy = frozen_inputs(path, Path(scratch, "plan"))
        found, edited_text = _read_back(workbook, copy)
        if write and edited_text:
            if fingerprint([path]) != fingerprint([copy]):
                raise PlanError.at(shown(path.name), "was changed while the workbook was read back; run it again")
            written(path, edited_text)
    return _answer(found, workbook, path, write), [_shown(found, workbook, path, write)]


def _read_back(workbook: Path, plan_path: Path) -> tuple[WorkbookDifference, str]:
    """What changed in the workbook, and the text of the plan file with it; empty where nothing did."""
    plan, (made_from, changed) = read_plan(plan_path), read_filled(workbook)
    if made_from != fingerprint([plan_path]):
        raise DataError.at(
            shown(workbook.name),
            f"was made from another plan, or from {shown(plan_path.name)} before it was changed or renamed "
            f"(fingerprint {shown(made_from) or 'none'}); make the workbook again, or import into the plan it was made from",
        )
    whole = with_history_rates(plan, read_history(plan, plan_path.parent))
    with told_of(DataError, shown(workbook.name), DAMAGED):
        found = difference(read_yaml(plan_path, PlanError).data, plan, whole, changed)
    if not found.edits:
        return found, ""
    text = edited(plan_text(plan_path), (edit for edit, _ in found.edits), shown(plan_path.name))
    _check(text, plan_path.name, shown(workbook.name))
    return found, text


def _check(text: str, plan: str, workbook: str) -> None:
    """Raises every fault that the plan would have with the changes."""
    with scratch_folder("revplan-") as folder:
        path = Path(folder) / plan
        path.write_bytes(text.encode("utf-8"))
        _, faults = checked_plan(path)
    if faults:
        raise PlanError([Fault(f"with the changes of {workbook}, {fault.place}", fault.message) for fault in faults])


def difference(data: Mapping[str, Any], plan: Plan, whole: Plan, changed: Sequence[ChangedInput]) -> WorkbookDifference:
    """The edits of the plan file that make `changed` so.

    Parameters
    ----------
    data
        What the plan file holds, as it is written.
    plan
        The plan it states.
    whole
        The same with the rates of its history.
    changed
        Changed inputs of a workbook.

    Raises
    ------
    DataError
        If they name what the plan lacks.
    """
    own = [each for each in changed if each.owner in (PLAN, PEOPLE)]
    steps = list(_transitions(plan, whole, _moved(whole, own)))
    if steps and "transitions" not in data:
        steps = [((("transitions",), [value for (_, value), _ in steps]), steps[0][1])]
    edits = [*_plain_edits(data, own), *_phasing(plan, own), *steps]
    return WorkbookDifference(tuple(edits), Counter(each.owner for each in changed if each.owner in LEFT_ALONE))


def _plain_edits(data: Mapping[str, Any], changed: Sequence[ChangedInput]) -> Iterator[tuple[Edit, Any]]:
    """Goal, segments, sources and people: one value each."""
    for each in changed:
        if each.place[0] == "rates" or each.place[:2] == ("goal", "phasing"):
            continue
        if not _is_declared(data, each.place):
            raise _damaged(each)
        yield (_written_at(data, each.place), each.now), "nothing" if each.was is None else each.was


def _is_declared(data: Mapping[str, Any], place: InputPlace) -> bool:
    """Whether `place` is one of those that a workbook has inputs for."""
    match place:
        case "goal", "next_year_growth":
            return True
        case "goal", str(term), *form:
            return term in BRIDGE_TERMS and (not form or form[0] in CHANGES)
        case "segments", name, "share" | "acv":
            return name in data["segments"]
        case "sources", name, "cost_per_entry" | "max_per_month" | "max_growth" | "share":
            return name in data["sources"]
        case "sources", name, "share", segment:
            return name in data["sources"] and segment in data["segments"]
        case "capacity", "hires", int(number), "count":
            return 0 <= number < len((data.get("capacity") or {}).get("hires") or [])
        case "capacity", "roles", role, "attrition" | "productivity" | "quota", *segment:
            return role in ((data.get("capacity") or {}).get("roles") or {}) and len(segment) <= 1
    return False


def _written_at(data: Mapping[str, Any], place: InputPlace) -> InputPlace:
    """Where the file states it: a deal size or an amount may be a number, or stand in a mapping."""
    if place[0] == "goal" and place[-1] == "amount" and not isinstance(data["goal"].get(place[1]), dict):
        return place[:-1]
    if place[-1] == "acv" and isinstance(data["segments"][place[1]]["acv"], dict):
        return (*place, "mean")
    return place


def _damaged(each: ChangedInput) -> RevplanError:
    return DataError.at(shown(each.what), "is no input of this plan; make the workbook again")


def _phasing(plan: Plan, changed: Sequence[ChangedInput]) -> Iterator[tuple[Edit, Any]]:
    """The twelve months together: they sum to 1 together."""
    before = plan.goal.phasing.by_month()
    own = [each for each in changed if each.place[:2] == ("goal", "phasing")]
    for each in own:
        if each.place[2:] not in [(month,) for month in range(len(before))]:
            raise _damaged(each)
    if own:
        moved = {each.place[2]: each.now for each in own}
        months = [moved.get(month, share) for month, share in enumerate(before)]
        yield (("goal", "phasing"), {"months": months}), {"months": list(before)}


# --- transitions ---------------------------------------------------------------------------------------------


def _moved(whole: Plan, changed: Sequence[ChangedInput]) -> dict[str, MovedCells]:
    """By stage left: the cells whose rate or delay changed, with the new values."""
    moved: dict[str, MovedCells] = {}
    for each in changed:
        if each.place[0] != "rates":
            continue
        match each.place:
            case "rates", str(segment), str(source), str(stage), "rate":
                keys = _keys_of(moved, whole, (segment, source, stage), each)
                keys["rate"] = each.now
            case "rates", str(segment), str(source), str(stage), "lag", int(month) if 0 <= month <= MAX_MONTHS:
                keys = _keys_of(moved, whole, (segment, source, stage), each)
                keys.setdefault("lag", {})[month] = each.now
            case _:
                raise _damaged(each)
    return moved


def _keys_of(moved: dict[str, MovedCells], whole: Plan, of: tuple[str, str, str], each: ChangedInput) -> dict[str, Any]:
    """The changed keys of a cell's step, so far."""
    segment, source, stage = of
    if (segment, source) not in whole.cells or stage not in whole.stage_ids[:-1]:
        raise _damaged(each)
    return moved.setdefault(stage, {}).setdefault((segment, source), {})


def _transitions(plan: Plan, whole: Plan, moved: dict[str, MovedCells]) -> Iterator[tuple[Edit, Any]]:
    """Edits of the transitions: the stated one where all its cells moved alike, else a more specific one."""
    added = 0
    for pair in pairwise(whole.stage_ids):
        cells = moved.get(pair[0], {})
        edits = list(_pair_edits(plan, whole, pair, cells)) if cells else []
        for place, value, was in edits:
            where = place or ("transitions", len(plan.transitions) + added)
            added += not place
            yield (where, value), was


def _pair_edits(
    plan: Plan, whole: Plan, pair: tuple[str, str], cells: MovedCells
) -> Iterator[tuple[tuple[str | int, ...], Any, str]]:
    """Place, value and what was: an empty place is a new transition."""
    stated, order = {each: place for place, each in enumerate(plan.transitions)}, whole.stage_ids.index
    new: list[tuple[dict[str, Any], str]] = []
    for each in (each for each in whole.transitions if (each.from_stage, each.to_stage) == pair):
        entered = [cell for cell in whole.cells if order(pair[0]) >= order(whole.entry_stage(cell[1]))]
        served = [cell for cell in entered if whole.transition(pair, *cell) is each]
        alike = _alike(each, served, cells)
        if each in stated:
            for key, value in alike.items():
                yield ("transitions", stated[each], key), value, _plain(each)[key]
        else:  # once one step of a pair is stated, the plan must state the whole pair
            new.append(({**_plain(each), **alike}, "from the records"))
        for cell in served:
            own = {key: value for key, value in _values(each, cells.get(cell, {})).items() if key not in alike}
            if own:
                of = {"from": pair[0], "to": pair[1], "segment": cell[0], "source": cell[1]}
                stated_so_far = {**of, **_plain(each), **alike, **own, **of, "basis": KEPT_EVIDENCE}
                where = " x ".join(name for name in (each.segment, each.source) if name)
                new.append((stated_so_far, f"as {flow(each.rate)} of {where or 'all'}"))
    yield from (((), value, was) for value, was in new)


def _alike(each: Transition, served: Sequence[tuple[str, str]], cells: MovedCells) -> dict[str, Any]:
    """The keys that every cell a transition serves has changed to the same value."""
    values = [_values(each, cells.get(cell, {})) for cell in served]
    first = values[0] if values else {}
    return {key: value for key, value in first.items() if all(other.get(key) == value for other in values)}


def _values(each: Transition, keys: dict[str, Any]) -> dict[str, Any]:
    """The changed keys of a cell as the plan file writes them: a delay as the weights of its months."""
    values = {key: value for key, value in keys.items() if key == "rate"}
    if "lag" in keys:
        months = keys["lag"]
        shares = list(each.lag.shares()) + [0.0] * (max(months) + 1)
        weights = [float(months.get(month, share)) for month, share in enumerate(shares)]
        while len(weights) > 1 and not weights[-1]:
            weights.pop()
        values["lag"] = {"weights": weights}
    return values


def _plain(each: Transition) -> dict[str, Any]:
    """A transition as the plan file writes it."""
    stated = each.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
    return {**stated, "lag": each.lag.model_dump(mode="json", exclude_none=True)}


# --- what is said of it --------------------------------------------------------------------------------------


def _answer(found: WorkbookDifference, workbook: Path, plan_path: Path, write: bool) -> dict[str, Any]:
    changes = [{"place": dotted(place), "was": was, "is": value} for (place, value), was in found.edits]
    return {
        "workbook": workbook.name,
        "plan": plan_path.name,
        "changes": changes,
        "left_alone": {owner: found.left_alone[owner] for owner in LEFT_ALONE},
        "written": bool(write and changes),
    }


def _shown(found: WorkbookDifference, workbook: Path, plan_path: Path, write: bool) -> Exhibit:
    """What a person reads of it."""
    alone = [f"{LEFT_ALONE[owner]} ({count})" for owner, count in found.left_alone.items()]
    notes = [f"Left alone, for they are no inputs of a plan: {', '.join(alone)}."] if alone else []
    if not found.edits:
        return text(f"{workbook.name} changes nothing in {plan_path.name}.", notes=notes)
    notes.append(f"{plan_path.name} is changed." if write else "Nothing is written yet; --write writes it.")
    rows = [
        (dotted(place), was if isinstance(was, str) else flow(was), flow(value)) for (place, value), was in found.edits
    ]
    frame = pd.DataFrame(rows, columns=list(kinds_of("import_changes")))
    said = f"{workbook.name} changes {plan_path.name} in {counted(len(rows), 'place')}."
    return table_of("import_changes", frame, said, notes=notes)
