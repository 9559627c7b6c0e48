"""Spend and rosters: tables that a plan names, as ad platforms, finance and people teams export them."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from revplan.crm.sheets import Asked, FoundTable, read_sheet
from revplan.crm.writings import months_in
from revplan.ground.errors import DataError, shown
from revplan.ground.tablefile import TableFile, Text

MICROS = 1e6  # in which programming interfaces of ad platforms count money

SPEND = (
    Asked("month", "month", ("day", "date", "week", "period", "reporting starts", "start date*", "time period", "monat", "tag",
                             "datum", "mois", "mes"), needed=False),
    Asked("spend", "money", ("cost", "costs", "total spent*", "amount spent*", "total cost", "total spend", "actual spend",
                             "kosten", "ausgaben", "coût", "coste", "amount", "betrag", "montant", "cost micros",
                             "metrics.cost_micros")),
    Asked("source", "text", ("channel", "platform", "quelle", "kanal"), needed=False),
    Asked("program", "text", ("campaign", "campaign name", "programme", "kampagne", "campagne", "campaña"), needed=False),
    Asked("segment", "text", ("segmento",), needed=False),
)  # fmt: skip
"""The columns of a table of costs, under the headers of Google Ads, LinkedIn, Meta and plain tables."""

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


class SpendFile(TableFile):
    """A table of what was spent."""

    source: Text | None = None
    """The plan's source that all of it was spent on, where no column says it."""


def read_spend(where: SpendFile, folder: Path, key: str = "spend") -> FoundTable:
    """What was spent: `month` (its first day), `spend`, `source`, `program` and `segment` where they are known, a row each.

    A report without a column of days is of the month that its title names.

    Raises
    ------
    DataError
        With every fault of the file; or if nothing says in which month the money was spent.
    """
    sheet = read_sheet(where, folder, SPEND, key)
    table = sheet.table
    if "micros" in sheet.headers["spend"].casefold():
        table = table.assign(spend=table["spend"] / MICROS)
    if where.source is not None:
        table = table.assign(source=where.source)
    if "month" not in table:
        table = table.assign(month=_month_of_titles(sheet))
    sheet = replace(sheet, table=table)
    stated = table["spend"].fillna(0.0).ne(0.0)
    sheet.sound(
        sheet.faults_at(
            "month",
            table["month"].isna() & stated,
            "an amount stands here without its month",
            "amounts without a month",
        ),
        sheet.faults_at(
            "spend", table["spend"].isna(), "is empty; write 0 where nothing was spent", "rows without an amount"
        ),
    )
    return sheet


def _month_of_titles(sheet: FoundTable) -> np.datetime64:
    """The month that the lines above a report's header name: both ends of its days.

    Raises
    ------
    DataError
        If they name none, or days of several months.
    """
    parts = [part.strip(' "') for title in sheet.text.titles for part in re.split(r" [-–—] | to | bis |: ", title)]
    months, sound = months_in(parts)
    found = np.unique(months[sound])
    if len(found) != 1:
        arrived = "names several months" if len(found) else "has no column with days and no title that names its month"
        listed = ", ".join(shown(header) for header in sheet.text.header[:20])
        raise DataError.at(sheet.name, f"{arrived}; export it by month or by day (columns: {listed})")
    return np.datetime64(found[0])


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
