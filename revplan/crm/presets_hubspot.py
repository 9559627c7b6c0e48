"""HubSpot exports: contacts and deals as the interface writes them, and the tables of ETL tools.

A stage is counted by the date it was entered, never by the current status: a contact that moved on
would disappear from every stage before.
"""

from __future__ import annotations

import re
from typing import Any

from revplan.crm.mapping import RECORDS
from revplan.crm.presets_files import CHANGES, USED, Export, Exports

CONTACTS, DEALS, LOG, STAGES = "contacts", "deals", "stage changes of deals", "pipeline stages"

END = "customer"  # the last stage, as the plan's preset of the same name calls it
ID = ("recordid", "id", "dealid", "contactid", "hsobjectid")
CREATED = ("createdate", "createddate", "createdat")
CLOSED = ("closedate",)
STAGE = ("dealstage", "dealpipelinestageid", "dealstagelabel")
CONTACTS_OF_DEAL = ("associatedcontactids", "associatedcontactid", "contactids", "contactid")
DEALS_OF_CONTACT = ("associateddealids", "associateddealid", "dealids", "dealid")
LIFE_CYCLE = {
    "lead": ("becamealeaddate", "hslifecyclestageleaddate"),
    "mql": ("becameamarketingqualifiedleaddate", "hslifecyclestagemarketingqualifiedleaddate"),
    "sql": ("becameasalesqualifiedleaddate", "hslifecyclestagesalesqualifiedleaddate"),
    "opportunity": ("becameanopportunitydate", "hslifecyclestageopportunitydate"),
    "customer": ("becameacustomerdate", "hslifecyclestagecustomerdate"),
}
SOURCE = ("originalsource", "originaltrafficsource", "originalsourcetype", "hsanalyticssource")
OWNER = ("contactowner", "dealowner", "hubspotownerid", "ownerid")
AMOUNT = ("amount", "amountincompanycurrency")
PROBABILITY = ("dealprobability", "hsdealstageprobability", "probability")
MERGED = ("mergedcontactids", "mergedobjectids", "hsmergedobjectids", "mergedrecordids")
SIGNS_OF_DEALS = {"dealstage", "dealname", "dealpipelinestageid", "dealowner"}
SIGNS_OF_CONTACTS = {"lifecyclestage", "contactowner", "email", "leadstatus", *SOURCE} | {
    each for names in LIFE_CYCLE.values() for each in names
}
HUBSPOT_COLUMNS = frozenset(
    {*ID, *CREATED, *CLOSED, *STAGE, *CONTACTS_OF_DEAL, *DEALS_OF_CONTACT, *SOURCE, *OWNER, *AMOUNT, *PROBABILITY}
    | {*MERGED, "dateentered", "value", "stageid", "closedwon", "isclosed", "hsdateenteredclosedwon"}
    | {"hsdateenteredclosedlost"}
    | {each for names in LIFE_CYCLE.values() for each in names}
)
ENTERED = re.compile(r'date entered\s+"?(?P<stage>[^"(]+?)\s*(?:\((?P<pipeline>[^)"]*)\))?"?', re.IGNORECASE)
WON, LOST = ("Closed Won", "closedwon"), ("Closed Lost", "closedlost")

# The stages a new portal's sales pipeline starts with.
PIPELINE = {
    "appointment scheduled": "appointment",
    "qualified to buy": "qualified",
    "presentation scheduled": "presentation",
    "decision maker bought-in": "decision_maker",
    "contract sent": "contract",
}


def hubspot_kind(headers: set[str]) -> str | None:
    """What a file with these headers is."""
    if {"stageid", "closedwon"} <= headers:
        return STAGES
    if {"dealid", "dateentered", "value"} <= headers:
        return LOG
    entered = any(header.startswith("dateentered") for header in headers)
    if headers & SIGNS_OF_DEALS or entered:
        return DEALS
    return CONTACTS if headers & SIGNS_OF_CONTACTS else None


def hubspot(exports: Exports) -> dict[str, Any]:
    """The CRM file for these exports."""
    contacts, deals = exports.of(CONTACTS), exports.of(DEALS)
    changes, stages = exports.of(LOG), exports.of(STAGES)
    if contacts and deals:
        exports.not_used(changes, "contacts and deals are joined by their days")
        return _joined(exports, contacts, deals, stages)
    if contacts:
        exports.not_used(changes, "the days of contacts are read")
        return _contacts(exports, contacts)
    if changes:
        return _changes(exports, changes, deals, stages)
    return _deals(exports, deals, stages) if deals else {"format": "wide", "files": {}, "stages": {}}


# --- contacts ------------------------------------------------------------------------------------------------


def _contacts(exports: Exports, contacts: Export) -> dict[str, Any]:
    stages = _life_cycle(contacts)
    if len(stages) < 2:
        exports.need(contacts, "the days stages were entered", *(names[0] for names in LIFE_CYCLE.values()))
    files = {contacts.name: {"id": exports.need(contacts, "id", *ID)}}
    return {"format": "wide", "files": files, "stages": stages, **_labels(contacts)}


def _life_cycle(contacts: Export) -> dict[str, Any]:
    found = {stage: contacts.at(stage, *names) for stage, names in LIFE_CYCLE.items()}
    created = contacts.at("created", *CREATED)
    found["lead"] = found["lead"] or created
    return {stage: column for stage, column in found.items() if column is not None}


def _joined(exports: Exports, contacts: Export, deals: Export, stages: Export | None) -> dict[str, Any]:
    """Contacts with the deal that names them; the first deal of a contact counts."""
    of_deals = _deals(exports, deals, stages)
    named = deals.column("contact", *CONTACTS_OF_DEAL)
    via = None if named else contacts.at("deal", *DEALS_OF_CONTACT)
    if named is None and via is None:
        exports.need(deals, "the contact of a deal", *CONTACTS_OF_DEAL)
    joined = {"id": named, "split": ";"} if named else {**of_deals["files"][deals.name], "via": via}
    files = {contacts.name: {"id": exports.need(contacts, "id", *ID)}, deals.name: joined}
    own = {stage: column for stage, column in _life_cycle(contacts).items() if stage != END}
    later = {stage: day for stage, day in of_deals["stages"].items() if stage not in own}
    return {**of_deals, "files": files, "stages": {**own, **later}, **_labels(contacts)}


# --- deals ---------------------------------------------------------------------------------------------------


def _deals(exports: Exports, deals: Export, stages: Export | None) -> dict[str, Any]:
    entered = _entered(exports, deals)
    won, lost = entered.pop(END, None), entered.pop("lost", None)
    found: dict[str, Any] = {"opportunity": exports.need_at(deals, "created", *CREATED), **entered}
    found[END] = won or _closed(exports, deals, _closed_labels(stages, True))
    ending = lost or (None if won else _closed(exports, deals, _closed_labels(stages, False)))
    files = {deals.name: {"id": exports.need(deals, "id", *ID)}}
    written = {"format": "wide", "files": files, "stages": found, **_labels(deals)}
    return written | ({"lost": ending} if ending else {})


def _closed(exports: Exports, deals: Export, labels: list[str]) -> dict[str, Any]:
    close = exports.need_at(deals, "close", *CLOSED)
    return {"at": close, "field": exports.need_at(deals, "stage", *STAGE), "is": labels}


def _entered(exports: Exports, deals: Export) -> dict[str, Any]:
    """Stage -> its `Date entered` column, in the order of the pipeline a portal starts with."""
    found: dict[str, list[str]] = {}
    for column in deals.table.header:
        match = ENTERED.fullmatch(column.strip())
        name = " ".join(match["stage"].split()).casefold() if match else ""
        stage = {"closed won": END, "closed lost": "lost", **PIPELINE}.get(name, name)
        if match:
            found.setdefault(stage, []).append(column)
    for stage, header in ((END, "hsdateenteredclosedwon"), ("lost", "hsdateenteredclosedlost")):
        other = deals.column(stage, header)
        if stage not in found and other is not None:
            found[stage] = [other]
    known = [*PIPELINE.values(), END, "lost"]
    for stage, columns in found.items():
        if stage not in known:
            exports.notes.append(f"the stage of {columns[0]!r} has no place in the usual order; name it in `stages`")
        elif len(columns) > 1:
            exports.notes.append(f"{stage} is entered in {len(columns)} pipelines; {columns[0]!r} is read")
    deals.known.update({stage: columns[0] for stage, columns in found.items() if stage in known})
    return {stage: f"{deals.name}.{found[stage][0]}" for stage in known if stage in found}


def _closed_labels(stages: Export | None, won: bool) -> list[str]:
    """The stages that mean won, or lost: of the table of pipeline stages, else by their usual names."""
    if stages is None:
        return list(WON if won else LOST)
    number = stages.column("stage id", "stageid")
    is_won, is_closed = stages.column("closed won", "closedwon"), stages.column("closed", "isclosed")
    if number is None or is_won is None or is_closed is None:
        return list(WON if won else LOST)
    rows = zip(stages.table.cells(number), stages.table.cells(is_won), stages.table.cells(is_closed), strict=True)
    found = [each for each, w, c in rows if each and _is_true(w) == won and (won or _is_true(c))]
    return list(dict.fromkeys(found)) or list(WON if won else LOST)


def _is_true(text: str) -> bool:
    return text.strip().casefold() in ("true", "t", "1", "yes")


def _labels(export: Export, name: str | None = None) -> dict[str, Any]:
    """Source, owner, amount and the like, where the export has them."""
    of_deals = export.kind == DEALS
    found = {
        "source": export.column("source", *SOURCE),
        "owner": export.column("owner", *OWNER),
        "amount": export.column("amount", *AMOUNT) if of_deals else None,
        "probability": export.column("probability", *PROBABILITY) if of_deals else None,
        "merged": export.column("merged", *MERGED),
    }
    return {key: f"{name or export.name}.{column}" for key, column in found.items() if column is not None}


# --- changes of deals ----------------------------------------------------------------------------------------


def _changes(exports: Exports, changes: Export, deals: Export | None, stages: Export | None) -> dict[str, Any]:
    """The log of stage ids, which the table of pipeline stages explains."""
    if stages is None:
        exports.notes.append(
            "without the table of pipeline stages only stages called closedwon and closedlost are known"
        )
    written: dict[str, Any] = {
        "format": "history",
        "id": exports.need(changes, "id", "dealid"),
        "at": exports.need(changes, "changed", "dateentered"),
        "value": exports.need(changes, "value", "value"),
        USED: {changes.name: CHANGES},
        "stages": {},
        "lost": _closed_labels(stages, False),
    }
    if deals is not None:
        written[RECORDS] = {"id": exports.need(deals, "id", *ID)}
        written[USED][deals.name] = RECORDS
        written["stages"]["opportunity"] = {"at": f"{RECORDS}.{exports.need(deals, 'created', *CREATED)}"}
        written |= _labels(deals, RECORDS)
    else:
        exports.need(changes, "the day a deal was created: add the deals", *CREATED)
    written["stages"][END] = _closed_labels(stages, True)
    return written
