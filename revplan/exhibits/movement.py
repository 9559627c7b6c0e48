"""The exhibits of the pipeline's movement between two days."""

from __future__ import annotations

import pandas as pd

from revplan.exhibits import charts
from revplan.exhibits.exhibit import Exhibit, chart, table_of, text
from revplan.ground.formats import compact, counted, labels_of, listed, show, steady_order, with_sign
from revplan.tracking.movement import ALL, PARTS, SIGNS, TERMS, PipelineMovement

MOST_DEALS = 20
STEP_KINDS = {"line": "text", "amount": "money"}


def exhibits(found: PipelineMovement) -> list[Exhibit]:
    """All of them that the records can tell."""
    cells = [by(found, key) for key in PARTS if found.deals[key].nunique() > 1]
    windows = [in_windows(found)] if len(found.windows) > 1 else []
    told = [pushed(found), record_of_pushed(found)] if "close_on" in found.export.raw.changes else []
    return [waterfall(found), *windows, *cells, *told]


def waterfall(found: PipelineMovement) -> Exhibit:
    """From the pipeline at the start to that at the end, step by step."""
    amounts, labels, terms = found.by().iloc[0], labels_of("movement_by"), _told(found)
    signed = [amounts[term] * SIGNS.get(term, 1) for term in terms]
    frame = pd.DataFrame({"line": [labels[term] for term in terms], "amount": signed})
    drawn = charts.steps(frame, _said(found, amounts), found.currency, "Open pipeline")
    return chart(drawn, frame, STEP_KINDS, notes=found.notes)


def _told(found: PipelineMovement) -> list[str]:
    """The terms that the files tell, and that the window has: of all close dates none is pulled in or pushed out."""
    none = ("pulled_in", "pushed_out") if found.closing == ALL else ()
    return [term for term in TERMS if term not in (*found.unknown, *none)]


def _said(found: PipelineMovement, amounts: pd.Series) -> str:
    """Where the pipeline went, and the largest steps on the way."""
    days = f"from {show(found.asked.first, 'date')} to {show(found.asked.last, 'date')}"
    of = "" if found.closing == ALL else f" expected to close in {found.closing.months}"
    start, end = (compact(amounts[term], found.currency) for term in ("start", "end"))
    went = f"went from {start} to {end}" if round(amounts["end"] - amounts["start"], 2) else f"is {end} as before"
    changes = [(term, amounts[term] * sign) for term, sign in SIGNS.items() if round(amounts[term], 2)]
    if not changes:
        return f"The open pipeline{of} did not move {days}: it is {end}."
    labels = labels_of("movement_by")
    largest_first = [changes[at] for at in steady_order([-abs(size) for _, size in changes])[:2]]
    steps = [f"{labels[term].lower()} ({with_sign(size, found.currency)})" for term, size in largest_first]
    largest = "the one step is" if len(changes) == 1 else "the largest steps are"
    return f"The open pipeline{of} {went} {days}; {largest} {listed(steps)}."


def in_windows(found: PipelineMovement) -> Exhibit:
    """The terms for deals expected this quarter, next quarter, and all."""
    labels, this = labels_of("movement_by"), found.windows[0]
    rows = found.table[~found.table["term"].isin(found.unknown)]
    frame = rows.assign(term=[labels[term] for term in rows["term"]])
    quarters = {each.name: (f"Closing {each.months}", "money") for each in found.windows if each != ALL}
    row = found.table[found.table["term"] == "end"].iloc[0]
    part, whole = (compact(row[name], found.currency) for name in (this.name, ALL.name))
    message = f"Of {whole} open on {show(found.asked.last, 'date')}, {part} is expected to close in {this.months}."
    return table_of("movement", frame, message, more=quarters)


def by(found: PipelineMovement, key: str) -> Exhibit:
    """The terms of every segment, source or owner; rows add up to the whole."""
    table, name = found.by(key), labels_of("movement_by")[key].lower()
    change = (table["end"] - table["start"]).round(2)
    message = f"No {name}'s open pipeline is another than at the start."
    if change.any():
        row = table.iloc[int(steady_order(-change.abs())[0])]
        start, end = (compact(row[term], found.currency) for term in ("start", "end"))
        message = f"Of the {name}s, {row[key]} moved most: from {start} to {end}."
    columns = [key, *_told(found)]
    frame = pd.concat([table, found.by().assign(**{key: "All"})], ignore_index=True)[columns]
    exact = (frame[columns[1:]] % 1 == 0).all(axis=None)
    notes = [] if exact else ["Rows and columns add up to the cent; what is shown is rounded, --json has every cent."]
    return table_of("movement_by", frame, message, totals=1, notes=notes)


def pushed(found: PipelineMovement) -> Exhibit:
    """The open deals whose expected close date was moved to a later day, those pushed most often first."""
    rows = found.slips[(found.slips["state"] == "open") & (found.slips["pushes"] > 0)]
    if rows.empty:
        return text("No open deal's expected close date was ever moved to a later day.")
    rows = rows.sort_values(["pushes", "amount"], ascending=False, kind="stable")
    lately, worth = int((rows["lately"] > 0).sum()), compact(float(rows["amount"].sum()), found.currency)
    message = (
        f"{counted(len(rows), 'open deal')} worth {worth} {'was' if len(rows) == 1 else 'were'} pushed to a later day at "
        f"least once; after {show(found.asked.first, 'date')}: {lately:,}."
    )
    more = len(rows) - MOST_DEALS
    notes = (
        [f"{counted(more, 'further deal is', 'further deals are')} in the JSON answer (--json)."] if more > 0 else []
    )
    columns = ["record", "owner", "amount", "first_close_on", "close_on", "pushes", "lately"]
    return table_of("slips", rows[columns].head(MOST_DEALS), message, notes=notes)


def record_of_pushed(found: PipelineMovement) -> Exhibit:
    """How many decided deals were won, by how often they were pushed."""
    table = found.track_record
    if table.empty:
        return text("No deal has been won or lost yet, so nothing is known of what becomes of pushed ones.")
    said = [
        f"{row['pushes']} {show(row['win_rate'], 'share')} ({row['won']:,} of {row['decided']:,})"
        for row in table.to_dict("records")
    ]
    message = f"Won, of the decided deals, by how often they were pushed: {listed(said)}."
    notes = [
        "From and To hold the true share in 8 of 10 cases. Deals still open are not counted. That deals were pushed and that "
        "they were lost goes together; it does not say that one makes the other."
    ]
    return table_of("track_record", table, message, notes=notes)
