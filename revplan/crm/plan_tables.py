"""Rosters: tables that a plan names, as people teams export them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from revplan.crm.sheets import Asked, FoundTable, read_sheet
from revplan.ground.tablefile import TableFile

ROSTER = (
    Asked("rep", "text", ("rep id", "name", "rep name", "employee id", "employee", "employee name", "full name", "seller",
                          "mitarbeiter", "personalnummer")),
    Asked("role", "text", ("title", "job title", "position", "rolle"), needed=False),
    Asked("segment", "text", ("market segment",), needed=False),
    Asked("team", "text", ("pod", "group", "sales team", "manager"), needed=False),
    Asked("start", "day", ("start date", "started on", "hire date", "hired on", "date of joining", "eintritt",
                           "eintrittsdatum")),
    Asked("leave", "day", ("leave date", "left on", "end date", "ended on", "termination date", "last day", "austritt",
                           "austrittsdatum"), needed=False),
    Asked("absent_from", "day", ("absence from", "leave of absence from", "leave of absence start", "absence start", "loa start"),
          needed=False),
    Asked("absent_to", "day", ("absence to", "leave of absence to", "leave of absence end", "absence end", "loa end"),
          needed=False),
    Asked("quota", "money", ("annual quota", "yearly quota", "quota*", "target", "ziel"), needed=False),
    Asked("seat", "text", ("seat type", "type", "seat status", "status"), needed=False),
)  # fmt: skip
"""The columns of a roster: who sells what, from when, until when, with which quota; an open seat has no name yet."""


def read_roster(where: TableFile, folder: Path, key: str = "roster") -> FoundTable:
    """Who sells: `rep`, `start` and what else the file has of ROSTER, a row each; days as days, quota as money.

    Nobody's start and ends before a start are among its faults.

    Raises
    ------
    DataError
        If the file cannot be read, or lacks a column that is needed.
    """
    sheet = read_sheet(where, folder, ROSTER, key)
    table, found = sheet.table, sheet.found
    found += sheet.faults_at(
        "start", table["start"].isna(), "is empty; write the first day of work", "rows without a start"
    )
    if "leave" in table:
        early, message = table["leave"] < table["start"], "lies before the start; correct one of the days"
        found += sheet.faults_at("leave", early, message, "days of leaving before the start")
    if {"absent_from", "absent_to"} <= set(table):
        early, message = table["absent_to"] < table["absent_from"], "lies before the absence begins"
        found += sheet.faults_at("absent_to", early, message, "absences that end before they begin")
    return replace(sheet, found=found)
