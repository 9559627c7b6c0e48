"""Calls scored: what people said a quarter would bring, beside what the model said on the same day, against the actuals.

The model forecasts from the records known on the last month's end before a call, so it never knows more than who
called. Each quarter counts once, whatever the number of its calls. A blend is the plain mean of call and model; it is
offered where it was nearer than both, by more than luck explains: how often would as large a gain over the model come
of quarters whose gains and losses change sign at random?

Sources: R. T. Clemen, "Combining forecasts: a review and annotated bibliography", International Journal of
Forecasting 5 (1989), 559-583, for the plain mean; R. A. Fisher, "The Design of Experiments" (1935), for the signs.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from functools import cached_property
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from revplan.crm.plan_tables import quarters_by_name, read_calls
from revplan.crm.planfile import real_path
from revplan.crm.presets import squeezed_header
from revplan.ground.calendar import MONTHS_PER_QUARTER
from revplan.ground.errors import DataError
from revplan.ground.formats import compact, counted, listed, show
from revplan.ground.tables import conform, empty, from_rows
from revplan.ground.terminal import plain_rows
from revplan.rates.forecast import forecast_wins
from revplan.tracking.baseline import new_arr_won
from revplan.tracking.pacebook import PaceBook

FEWEST = 4  # quarters that say something of a blend
LUCK = 0.1  # chance below which a blend's gain is more than luck
MOST_SIGNS = 12  # quarters whose signs are all tried; of more the latest
MODEL, BLEND = "the model", "the mean of both"


# --- how good they were --------------------------------------------------------------------------

Forecasted = tuple[float, float, float]
"""A forecast: mean, P10, P90."""


def compared_with(
    calls: pd.DataFrame, actual: dict[str, float], forecast: Callable[[date, str], Forecasted | None]
) -> pd.DataFrame:
    """Table calls_scored: each call with the model's forecast of the day and what came, as far as they are known.

    Parameters
    ----------
    calls
        Table calls.
    actual
        Quarter -> new ARR that came, of those that are over.
    forecast
        Of a day and a quarter, what the model knew then; None where it knew nothing.
    """
    rows = calls.sort_values(["quarter", "made_on"], kind="stable")
    told = [forecast(made.date(), quarter) for made, quarter in zip(rows["made_on"], rows["quarter"], strict=True)]
    columns = np.array([each or (np.nan,) * 3 for each in told], dtype=float).reshape(-1, 3)
    names = dict(zip(("model", "model_low", "model_high"), columns.T, strict=True))
    actual_of = rows["quarter"].map(actual).astype(float)
    return conform(rows.assign(**names, blend=(rows["number"] + columns[:, 0]) / 2, actual=actual_of), "calls_scored")


def scores(held: pd.DataFrame) -> pd.DataFrame:
    """Table call_scores: of everyone who called, and of the model beside them, bias, error and coverage.

    Bias and error are shares of the actuals, each quarter once; coverage of a call is the share of quarters that brought
    at least what was called, of the model the share inside its P10 to P90.
    """
    over = held[(held["actual"] > 0)]
    told = over.groupby("who", sort=True)
    return from_rows("call_scores", (row for who, mine in told for row in _scores_of(str(who), mine)))


def _scores_of(who: str, mine: pd.DataFrame) -> list[dict[str, object]]:
    beside = mine[mine["model"].notna()]
    sides = [(who, who, mine["number"], mine)]
    if len(beside):
        sides += [(who, MODEL, beside["model"], beside), (who, BLEND, beside["blend"], beside)]
    rows = []
    for of, said_by, number, part in sides:
        off = number / part["actual"] - 1
        band = part["actual"].between(part["model_low"], part["model_high"])
        covered = (band if said_by == MODEL else part["actual"] >= number).astype(float)
        by_call = pd.DataFrame({"bias": off, "error": off.abs(), "coverage": covered})
        by_quarter = by_call.groupby(part["quarter"]).mean()
        means = {name: float(by_quarter[name].mean()) for name in by_quarter}
        rows.append({"who": of, "said_by": said_by, "quarters": len(by_quarter), "calls": len(part), **means})
    return rows


@dataclass(frozen=True)
class Blend:
    """Whether the mean of somebody's calls and the model has been better than the model, and than the calls."""

    who: str
    quarters: int
    error: float
    """Of the calls, as a share of the actuals."""
    model_error: float
    blend_error: float
    nearer: int
    """Quarters in which the blend was nearer than the model."""
    chance: float
    """How often luck gains as much over the model. [0-1]"""

    @property
    def offered(self) -> bool:
        """Whether it was better than both by more than luck explains."""
        return self.quarters >= FEWEST and self.blend_error < min(self.error, self.model_error) and self.chance <= LUCK

    @property
    def said(self) -> str:
        """What the record of the blend is, in one sentence."""
        errors = [show(each, "share") for each in (self.blend_error, self.model_error, self.error)]
        told = (
            f"the mean of {self.who}'s calls and the model was off by {errors[0]}, the model by {errors[1]}, {self.who} by {errors[2]}; it was nearer than the "
            f"model in {self.nearer} of {counted(self.quarters, 'quarter')}, and luck gains as much in {show(self.chance, 'share')} of cases"
        )
        if self.quarters < FEWEST:
            return f"No blend is offered: {counted(self.quarters, 'quarter')} {'says' if self.quarters == 1 else 'say'} too little ({FEWEST} are needed); {told}."
        return f"A blend is {'offered' if self.offered else 'not offered'}: {told}."


def blend_of(held: pd.DataFrame, who: str) -> Blend | None:
    """The record of the blend with one person's calls; None where no quarter has both and is over."""
    mine = held[(held["who"] == who) & (held["actual"] > 0) & held["model"].notna()]
    if mine.empty:
        return None
    off = {
        name: (mine[name] / mine["actual"] - 1).abs().groupby(mine["quarter"]).mean()
        for name in ("number", "model", "blend")
    }
    gain = (off["model"] - off["blend"]).to_numpy()
    return Blend(
        who=who,
        quarters=len(gain),
        error=float(off["number"].mean()),
        model_error=float(off["model"].mean()),
        blend_error=float(off["blend"].mean()),
        nearer=int((gain > 0).sum()),
        chance=sign_chance(gain[-MOST_SIGNS:]),
    )


def sign_chance(gain: np.ndarray) -> float:
    """How often gains whose signs are drawn anew sum to as much or more: of all patterns of signs. [0-1]

    >>> sign_chance(np.array([1.0, 2.0, 3.0]))
    0.125
    """
    signs = np.array(list(product((1.0, -1.0), repeat=len(gain))))
    sums = signs @ np.abs(gain)
    return float((sums >= gain.sum() - 1e-12 * np.abs(gain).sum()).mean())


# --- the model's side ----------------------------------------------------------------------------


def month_end_before(day: date) -> date:
    """The last month's end that `day` knows: itself, or that of the month before."""
    following = day + timedelta(days=1)
    return day if following.day == 1 else day.replace(day=1) - timedelta(days=1)


def latest(held: pd.DataFrame, quarter: str, who: str) -> pd.Series | None:
    """The last call of somebody for a quarter; None where there is none."""
    rows = held[(held["quarter"] == quarter) & (held["who"] == who)]
    return None if rows.empty else rows.iloc[-1]


def call_words(row: pd.Series, blend: Blend | None, period: str, currency: str) -> str:
    """What somebody calls for the running quarter, what the model says, and the blend where it is offered."""
    called = f"{row['who']} calls {compact(row['number'], currency)} for {period} (on {show(row['made_on'], 'date')})"
    if pd.isna(row["model"]):
        return f"{called}; the model knew too little that day."
    low, high = compact(row["model_low"], currency), compact(row["model_high"], currency)
    told = f"{called}, the model {compact(row['model'], currency)} ({low} to {high} in eight of ten cases)"
    return (
        f"{told}; the mean of both is {compact(row['blend'], currency)}."
        if blend is not None and blend.offered
        else f"{told}."
    )


@dataclass(frozen=True, eq=False)
class CallBook:
    """The calls of a plan as known on a pace book's day, beside the model's; each table is made when it is first asked for."""

    pace: PaceBook

    @cached_property
    def calls(self) -> pd.DataFrame:
        """Table calls, those made by the last day known; empty where the plan names none."""
        plan, files = self.pace.live, self.pace.board.files
        if plan.calls is None or self.pace.board.segment:  # calls are of the whole company
            return empty("calls")
        table = read_calls(plan.calls, real_path(files.path).parent, plan)
        return table[table["made_on"] <= np.datetime64(self.pace.as_of)].reset_index(drop=True)

    def _ends(self, quarter: str) -> tuple[date, date]:
        """The first and the last day of a quarter."""
        begin = quarters_by_name(self.pace.live)[squeezed_header(quarter)]
        return begin.start_time.date(), (begin + MONTHS_PER_QUARTER - 1).end_time.date()

    @cached_property
    def actual(self) -> dict[str, float]:
        """Quarter that is over -> the new ARR it brought: of the actuals where they have it whole, else of the records."""
        found = {}
        for quarter in dict.fromkeys(self.calls["quarter"]):
            first, last = self._ends(quarter)
            amount = self._booked(first, last) if last <= self.pace.as_of else None
            if amount is not None:
                found[quarter] = amount
        return found

    def _booked(self, first: date, last: date) -> float | None:
        actuals = self.pace.board.files.actuals
        if actuals is not None:
            months = pd.period_range(first, last, freq="M")
            rows = actuals.table[actuals.table["month"].isin(months)]
            if rows["month"].nunique() == len(months):
                return float(rows["new"].sum())
        history = self.pace.history
        if history is None or history.began > first:
            return None
        return new_arr_won(history, first, last)

    @cached_property
    def held(self) -> pd.DataFrame:
        """Table calls_scored."""
        told: dict[tuple[date, str], Forecasted | None] = {}

        def forecast(day: date, quarter: str) -> Forecasted | None:
            key = (month_end_before(day), quarter)
            if key not in told:
                told[key] = self._forecast(*key)
            return told[key]

        return compared_with(self.calls, self.actual, forecast)

    def _forecast(self, as_of: date, quarter: str) -> Forecasted | None:
        """What the records known on `as_of`, a month's end, let expect of a quarter: won in it so far, and still to come."""
        snapshots, (first, last) = self.pace.board.files.snapshots, self._ends(quarter)
        months = (pd.Period(last, "M") - pd.Period(as_of, "M")).n
        if snapshots is None or months < 1:
            return None
        try:
            history = snapshots.export.on(as_of)
            ahead = forecast_wins(history, months).with_arrivals
        except DataError:
            return None  # nothing was known then, or nothing ever won
        won = new_arr_won(history, first, as_of) if first <= as_of else 0.0
        if ahead.arr is None or won is None:
            return None
        wins = np.array([each.mean for each in ahead.by_month])
        share = float(wins[-MONTHS_PER_QUARTER:].sum() / wins.sum()) if wins.sum() > 0 else 1.0
        mean, low, high = (won + share * each for each in (ahead.arr.mean, ahead.arr.p10, ahead.arr.p90))
        return mean, low, high

    @cached_property
    def scores(self) -> pd.DataFrame:
        """Table call_scores."""
        return scores(self.held)

    @cached_property
    def blends(self) -> tuple[Blend, ...]:
        """The record of a blend with each who called."""
        found = (blend_of(self.held, who) for who in sorted(set(self.held["who"])))
        return tuple(each for each in found if each is not None)

    @cached_property
    def running(self) -> tuple[str, ...]:
        """What each calls for quarters that are not over, the model's number, and the blend where it is offered."""
        blends = {each.who: each for each in self.blends}
        pairs = dict.fromkeys(zip(self.held["quarter"], self.held["who"], strict=True))
        found = []
        for quarter, who in pairs:
            row = latest(self.held, quarter, who)
            if row is not None and self._ends(quarter)[1] > self.pace.as_of:
                label = self.pace.live.period_label(quarter)
                found.append(call_words(row, blends.get(who), label, self.pace.live.currency))
        return tuple(found)

    @cached_property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know of the scores."""
        if self.calls.empty:
            return ()
        over = [
            quarter for quarter in dict.fromkeys(self.calls["quarter"]) if self._ends(quarter)[1] <= self.pace.as_of
        ]
        lacking = [self.pace.live.period_label(quarter) for quarter in over if quarter not in self.actual]
        nothing = [self.pace.live.period_label(quarter) for quarter in over if self.actual.get(quarter, 1.0) <= 0]
        none = self.held["model"].isna().sum()
        told = [
            "The model knows the records of the last month's end before a call. Bias and error are shares of the actuals, each quarter once; "
            "reached is the share of quarters that brought what was called, of the model those inside its P10 to P90."
        ]
        if lacking:
            told.append(f"What {listed(lacking)} brought is not known in full: calls of it are not scored.")
        if nothing:
            told.append(
                f"{listed(nothing)} brought no new ARR, of which no error is a share: calls of it are not scored."
            )
        if none:
            told.append(
                f"{counted(none, 'call was', 'calls were')} made on days of which the records tell the model too little."
            )
        return tuple(told)

    def answer(self) -> dict[str, Any]:
        """`calls` of `revplan pace --json`."""
        dated = self.held.assign(made_on=self.held["made_on"].dt.strftime("%Y-%m-%d"))
        return {
            "scores": plain_rows(self.scores),
            "blends": [{**asdict(each), "offered": each.offered, "says": each.said} for each in self.blends],
            "calls": plain_rows(dated),
            "running": list(self.running),
            "notes": list(self.notes),
        }
