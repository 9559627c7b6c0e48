"""The exports a preset is given, and their columns by what they hold."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from revplan.crm.separated import TextTable
from revplan.ground.errors import Fault, shown

CHANGES = ""  # what `files` calls the file with the changes
USED = "used"  # where a preset says which file holds the changes, and which the records

KEYS = {"id": "id", "changed": "at", "value": "value", "field": "field"}  # role -> key; the others are for `stages`
HEADERS = {  # as the exports write them, for messages
    "becamealeaddate": "Became a Lead Date",
    "becameamarketingqualifiedleaddate": "Became a Marketing Qualified Lead Date",
    "becameasalesqualifiedleaddate": "Became a Sales Qualified Lead Date",
    "recordid": "Record ID",
    "associatedcontactids": "Associated Contact IDs",
    "dealid": "deal_id",
    "dealstage": "Deal Stage",
    "createdate": "Create Date",
    "createddate": "Created Date",
    "closedate": "Close Date",
    "converteddate": "Converted Date",
    "convertedopportunityid": "ConvertedOpportunityId",
    "opportunityid": "Opportunity ID",
    "leadid": "Lead ID",
    "newvalue": "New Value",
    "stagename": "StageName",
}


def squeezed_header(column: str) -> str:
    """A header by its letters and digits only: CreatedDate, created_date and Created Date are one.

    The prefix `property_` that some pipelines write before HubSpot's names is left out.
    """
    return re.sub(r"[^a-z0-9]", "", re.sub(r"^property_", "", column.strip().casefold()))


@dataclass(frozen=True, eq=False)
class Export:
    """A file, what it was taken for, and which of its columns were taken for what."""

    name: str
    kind: str
    table: TextTable
    known: dict[str, str] = field(default_factory=dict)
    """Role -> column, as far as asked for."""

    def column(self, role: str, *names: str) -> str | None:
        """The column for `role`: the one with the first of `names` that the file has."""
        headers: dict[str, str] = {}
        for header in self.table.header:
            headers.setdefault(squeezed_header(header), header)
        found = next((headers[name] for name in names if name in headers), None)
        if found is not None:
            self.known[role] = found
        return found

    def at(self, role: str, *names: str) -> str | None:
        """The same, written file.column."""
        found = self.column(role, *names)
        return f"{self.name}.{found}" if found is not None else None


@dataclass(frozen=True, eq=False)
class Exports:
    """All files of a preset, and what is missing in them."""

    files: tuple[Export, ...]
    written: frozenset[str] = frozenset()
    """Keys the user has written: what only they need is not missed."""
    faults: list[Fault] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def of(self, kind: str) -> Export | None:
        """The first file of a kind; a second one is a fault."""
        found = [each for each in self.files if each.kind == kind]
        if len(found) > 1:
            names = " and ".join(shown(each.name) for each in found)
            self.faults.append(Fault(found[1].table.name, f"is {kind} like another file ({names}); keep one of them"))
        return found[0] if found else None

    def need(self, export: Export, role: str, *names: str) -> str:
        """The column for `role`; a fault that lists what the file has where there is none."""
        found = export.column(role, *names)
        if found is None and not self.written & {KEYS.get(role, "stages"), f"{export.name}.{role}"}:
            wanted = " or ".join(HEADERS.get(name, name) for name in names[:3])
            listed = ", ".join(shown(column) for column in export.table.header[:20])
            more = f" and {len(export.table.header) - 20} more" if len(export.table.header) > 20 else ""
            message = f"is read as {export.kind} and has no column for {role} ({wanted}); it has {listed}{more}"
            self.faults.append(Fault(export.table.name, message))
        return found or role

    def need_at(self, export: Export, role: str, *names: str) -> str:
        """The same, written file.column."""
        return f"{export.name}.{self.need(export, role, *names)}"

    def not_used(self, export: Export | None, why: str) -> None:
        """A note for the report about a file that is not needed."""
        if export is not None:
            self.notes.append(f"{shown(export.name)} ({export.kind}) is not used: {why}")
