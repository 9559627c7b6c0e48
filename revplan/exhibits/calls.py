"""The exhibits of calls: what people said a quarter would bring, beside the model. Each takes the call book."""

from __future__ import annotations

from revplan.exhibits.exhibit import Exhibit, table_of, text
from revplan.ground.formats import counted, listed, show
from revplan.tracking.calls import MODEL, CallBook

SHARES = {"bias": ("Bias", "figure"), "error": ("Error", "figure")}


def tables(book: CallBook) -> list[Exhibit]:
    """What a terminal shows of the calls, in order; nothing where the plan names none."""
    return [] if book.calls.empty else [record(book), running(book)]


def record(book: CallBook) -> Exhibit:
    """Bias, error and coverage of everyone who called, and of the model and the mean of both beside them."""
    rows = book.scores
    if rows.empty:
        return text("No quarter that somebody called is over and known, so nothing is scored.", notes=book.notes)
    told = []
    for who, mine in rows.groupby("who", sort=False):
        errors = mine.set_index("said_by")["error"]
        quarters = mine.set_index("said_by")["quarters"]
        number = counted(quarters.iloc[0], "quarter")
        beside = ""
        if MODEL in errors:
            of_them = "" if quarters[MODEL] == quarters.iloc[0] else f" in the {quarters[MODEL]} it knew enough of"
            beside = f", the model by {show(errors[MODEL], 'share')}{of_them}"
        told.append(f"{who} was off by {show(errors.iloc[0], 'share')} in {number}{beside}")
    frame = rows.assign(
        bias=[f"{show(100 * each, 'number')}%" for each in rows["bias"]],
        error=[show(each, "share") for each in rows["error"]],
    )
    return table_of("call_scores", frame, f"{listed(told)}.", more=SHARES, notes=book.notes)


def running(book: CallBook) -> Exhibit:
    """What is called for the quarters that are not over, and whether a blend has been better."""
    said = [each.said for each in book.blends]
    if not book.running:
        return text("Nobody has called a quarter that is not over.", notes=said)
    return text(" ".join(book.running), notes=said)
