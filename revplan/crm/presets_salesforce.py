"""Salesforce exports: API names, the snake case of ETL tools, and the labels of reports."""

from __future__ import annotations

from typing import Any

from revplan.crm.mapping import RECORDS
from revplan.crm.presets_files import CHANGES, USED, Export, Exports
from revplan.crm.separated import TextTable

LEAD, OPPORTUNITY = "Lead", "Opportunity"
LEAD_HISTORY, FIELD_HISTORY, STAGE_HISTORY = "LeadHistory", "OpportunityFieldHistory", "OpportunityHistory"

CREATED = ("createddate", "createdate", "createdon")
CHANGED = ("createddate", "editdate", "lastmodified")
CLOSED = ("closedate", "closeddate")
STAGE = ("stagename", "stage")
AMOUNT = ("amount", "totalamount", "amountconverted")
SOURCE = ("leadsource",)
CONVERTED = ("converteddate", "convertedon")
OPPORTUNITY_OF_LEAD = ("convertedopportunityid", "opportunityid")
SIGNS_OF_LEAD = {"convertedopportunityid", "isconverted", "converteddate", "leadowner", "leadstatus"}
SIGNS_OF_OPPORTUNITY = {"closedate", "stagename", "iswon", "opportunityowner"}
SALESFORCE_COLUMNS = frozenset(
    {"id", "leadid", "opportunityid", "field", "fieldevent", "newvalue", "tostage", "isconverted", "converted"}
    | {"iswon", "won", "isclosed", "closed", "ownerid", "owner", "leadowner", "opportunityowner", "probability"}
    | {"campaignid", "status", "leadstatus", *CREATED, *CHANGED, *CLOSED, *STAGE, *AMOUNT, *SOURCE, *CONVERTED}
    | {*OPPORTUNITY_OF_LEAD}
)

# Values changed to that are usual for a stage; only those that a history holds are used. The stages of
# an opportunity are those a new Salesforce org starts with.
OF_LEAD = {
    "mql": ("MQL", "Marketing Qualified", "Marketing Qualified Lead"),
    "sal": ("SAL", "Sales Accepted", "Sales Accepted Lead"),
    "sql": ("SQL", "Sales Qualified", "Sales Qualified Lead"),
    "sqo": ("SQO", "Sales Qualified Opportunity"),
    "opportunity": ("Converted", "Closed - Converted", "Qualified", "Opportunity"),
    "won": ("Closed Won", "Customer"),
}
NEW = ("New", "Open", "Open - Not Contacted", "Lead", "Inquiry")
LOST_LEAD = ("Unqualified", "Disqualified", "Closed - Not Converted", "Rejected", "Closed Lost")
OF_OPPORTUNITY = {
    "qualification": ("Qualification",),
    "needs_analysis": ("Needs Analysis", "Discovery"),
    "value_proposition": ("Value Proposition",),
    "decision_makers": ("Id. Decision Makers",),
    "perception_analysis": ("Perception Analysis",),
    "proposal": ("Proposal/Price Quote", "Proposal"),
    "negotiation": ("Negotiation/Review", "Negotiation"),
    "won": ("Closed Won",),
}
LOST_OPPORTUNITY = ("Closed Lost",)


def salesforce_kind(headers: set[str]) -> str | None:
    """What a file with these headers is."""
    if "newvalue" in headers:
        return LEAD_HISTORY if "leadid" in headers else FIELD_HISTORY
    if {"id", "opportunityid", "stagename"} <= headers or {"opportunityid", "tostage"} <= headers:
        return STAGE_HISTORY
    if headers & SIGNS_OF_LEAD:
        return LEAD
    return OPPORTUNITY if headers & SIGNS_OF_OPPORTUNITY else None


def salesforce(exports: Exports) -> dict[str, Any]:
    """The CRM file for these exports."""
    lead, deal = exports.of(LEAD), exports.of(OPPORTUNITY)
    lead_log, deal_log = exports.of(LEAD_HISTORY), exports.of(FIELD_HISTORY) or exports.of(STAGE_HISTORY)
    if lead and deal:
        for log in (lead_log, deal_log):
            exports.not_used(log, "leads and opportunities are joined by their days; give it with one of them only")
        return _joined(exports, lead, deal)
    if lead_log:
        exports.not_used(deal or deal_log, "the changes of leads are read")
        return _changes(exports, lead_log, lead, ("Status", "Lead Status"), OF_LEAD, LOST_LEAD)
    if deal_log:
        exports.not_used(lead, "the changes of opportunities are read")
        return _changes(exports, deal_log, deal, ("StageName", "Stage"), OF_OPPORTUNITY, LOST_OPPORTUNITY)
    return _leads(exports, lead) if lead else _opportunities(exports, deal)


# --- one row per record --------------------------------------------------------------------------------------


def _leads(exports: Exports, lead: Export) -> dict[str, Any]:
    stages = {"lead": exports.need_at(lead, "created", *CREATED), "opportunity": _conversion(exports, lead)}
    files = {lead.name: {"id": exports.need(lead, "id", "id", "leadid")}}
    return {"format": "wide", "files": files, "stages": stages, **_labels(lead)}


def _conversion(exports: Exports, lead: Export) -> Any:
    converted = exports.need_at(lead, "converted", *CONVERTED)
    is_converted = lead.at("is converted", "isconverted", "converted")
    return {"at": converted, "where": {is_converted: "true"}} if is_converted else converted


def _joined(exports: Exports, lead: Export, deal: Export) -> dict[str, Any]:
    """Leads with the opportunities they were converted into; opportunities of no lead are set aside, and counted."""
    written = _leads(exports, lead)
    via = exports.need_at(lead, "opportunity", *OPPORTUNITY_OF_LEAD)
    written["files"][deal.name] = {"id": exports.need(deal, "id", "id", "opportunityid"), "via": via}
    written["stages"] |= {"won": _won(exports, deal)}
    exports.notes.append(
        "opportunities that no lead became are set aside; give the opportunities alone for rates of all"
    )
    return {**_labels(deal), **written, **_lost(exports, deal)}


def _opportunities(exports: Exports, deal: Export | None) -> dict[str, Any]:
    if deal is None:  # every file is one of the kinds, so there is nothing but lists
        return {"format": "wide", "files": {}, "stages": {}}
    files = {deal.name: {"id": exports.need(deal, "id", "id", "opportunityid")}}
    stages = {"opportunity": exports.need_at(deal, "created", *CREATED), "won": _won(exports, deal)}
    return {"format": "wide", "files": files, "stages": stages, **_lost(exports, deal), **_labels(deal)}


def _won(exports: Exports, deal: Export) -> dict[str, Any]:
    close, is_won = exports.need_at(deal, "close", *CLOSED), deal.at("is won", "iswon", "won")
    if is_won:
        return {"at": close, "where": {is_won: "true"}}
    return {"at": close, "field": exports.need_at(deal, "stage", *STAGE), "is": list(OF_OPPORTUNITY["won"])}


def _lost(exports: Exports, deal: Export) -> dict[str, Any]:
    """Closed and not won; the close date of an open opportunity is only a hope."""
    close, is_won = exports.need_at(deal, "close", *CLOSED), deal.at("is won", "iswon", "won")
    is_closed = deal.at("is closed", "isclosed", "closed")
    if is_won and is_closed:
        return {"lost": {"at": close, "where": {is_closed: "true", is_won: "false"}}}
    stage = deal.at("stage", *STAGE)
    if stage is None:
        exports.notes.append("no losses: without IsClosed or Stage an open opportunity looks like a lost one")
        return {}
    return {"lost": {"at": close, "field": stage, "is": list(LOST_OPPORTUNITY)}}


def _labels(export: Export, name: str | None = None) -> dict[str, Any]:
    """Source, owner, amount and probability, where the export has them."""
    found = {
        "source": export.column("source", *SOURCE),
        "owner": export.column("owner", "ownerid", "opportunityowner", "leadowner", "owner"),
        "amount": export.column("amount", *AMOUNT) if export.kind == OPPORTUNITY else None,
        "probability": export.column("probability", "probability") if export.kind == OPPORTUNITY else None,
    }
    return {key: f"{name or export.name}.{column}" for key, column in found.items() if column is not None}


# --- one row per change --------------------------------------------------------------------------------------


def _changes(
    exports: Exports,
    log: Export,
    records: Export | None,
    fields: tuple[str, ...],
    usual: dict[str, tuple[str, ...]],
    lost: tuple[str, ...],
) -> dict[str, Any]:
    of_lead = log.kind == LEAD_HISTORY
    value = exports.need(log, "value", "newvalue", "stagename", "tostage")
    written: dict[str, Any] = {
        "format": "history",
        "id": exports.need(log, "id", *(("leadid",) if of_lead else ("opportunityid",))),
        "at": exports.need(log, "changed", *CHANGED),
        "value": value,
        USED: {log.name: CHANGES},
    }
    if log.kind != STAGE_HISTORY:
        written |= {"field": exports.need(log, "field", "field", "fieldevent"), "is": list(fields)}
    first = "lead" if of_lead else "opportunity"
    present = present_labels(log.table, value)
    stages: dict[str, Any] = {first: _present(NEW if of_lead else ("Prospecting",), present)}
    if records is not None:
        written[RECORDS] = {"id": exports.need(records, "id", "id", "leadid" if of_lead else "opportunityid")}
        written[USED][records.name] = RECORDS
        stages[first] = {"at": f"{RECORDS}.{exports.need(records, 'created', *CREATED)}"}
        written |= _labels(records, RECORDS)
    stages |= {stage: _present(labels, present) for stage, labels in usual.items()}
    written["stages"] = {stage: labels for stage, labels in stages.items() if labels}
    return written | ({"lost": _present(lost, present)} if _present(lost, present) else {})


def present_labels(table: TextTable, column: str) -> dict[str, str]:
    """The values of a column, by their text without differences of case."""
    cells = table.columns.get(column, ())
    return {text.strip().casefold(): text.strip() for text in dict.fromkeys(cells)}


def _present(labels: tuple[str, ...], present: dict[str, str]) -> list[str]:
    return [label for label in labels if label.casefold() in present]
