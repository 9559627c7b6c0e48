"""What a plan says, in a reader's words: the value of each key, and the key itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from revplan.ground.errors import digits, shown
from revplan.ground.formats import MISSING, compact, counted, show
from revplan.ground.lag import Lag
from revplan.ground.values import Value
from revplan.plan.goal import ArrChange
from revplan.plan.parts import Acv, Transition
from revplan.plan.people import Capacity

NAMES = {
    "acv": "deal",
    "opening_arr": "opening ARR",
    "new_arr": "new ARR",
    "closing_arr": "closing ARR",
    "next_year_growth": "growth of new ARR next year",
    "share": "share of new ARR",
    "max_per_month": "most entries a month",
    "max_growth": "largest growth of entries a month",
    "enters": "enters at",
    "names": "called after the calendar year of its",
    "rho": "how far rates move together",
    "lag_cv": "spread of the delays",
    "volume_cv": "spread of the volume",
    "quarters": "shares of the quarters",
    "within_quarter": "shares of the months of a quarter",
    "months": "shares of the months",
}
MONEY = {"opening_arr", "new_arr", "closing_arr", "amount", "mean", "sd", "cost_per_entry"}
SHARES = {"share", "rate", "confidence", "max_growth", "next_year_growth", "quarters", "within_quarter", "months"}
PERIODS = {"rate": "a year", "quarterly_rate": "a quarter", "monthly_rate": "a month"}


def key_words(key: str) -> str:
    """A key of the plan file as a reader calls it."""
    return NAMES.get(key, key.replace("_", " "))


def step_words(titles: Mapping[str, str], *names: str | None) -> str:
    """A step of the funnel and where it holds, such as SQO to Won, mid; stages are called by their `titles`."""
    step = " to ".join(titles.get(str(name), str(name)) for name in names[:2])
    cell = " x ".join(shown(name) for name in names[2:] if name is not None)
    return f"{step}, {cell}" if cell else step


def value_words(key: str, value: object, currency: str) -> str:
    """What the plan says under `key`, on one line."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return show(value, "yes")
    if isinstance(value, int | float):
        return _number(key, float(value), currency)
    if isinstance(value, date):
        return show(value, "date")
    return _composed(key, value, currency)


def _number(key: str, value: float, currency: str) -> str:
    if key in MONEY:
        return compact(value, currency)
    if key in SHARES:
        return show(value, "share")
    return digits(value)


def _composed(key: str, value: object, currency: str) -> str:
    if isinstance(value, Lag):
        return lag_words(value)
    if isinstance(value, ArrChange):
        return _change(value, currency)
    if isinstance(value, Acv):
        return compact(value.mean, currency) + (f" ± {compact(value.sd, currency)}" if value.sd is not None else "")
    if isinstance(value, Transition):
        return f"{show(value.rate, 'share')}, {lag_words(value.lag)}"
    if isinstance(value, Value):
        names = list(type(value).model_fields)
        stated = [name for name in names if name in value.model_fields_set] or names
        told = ((name, value_words(name, getattr(value, name), currency)) for name in stated)
        return ", ".join(f"{shown(key_words(name))} {words}" for name, words in told)
    if isinstance(value, Mapping):
        return ", ".join(f"{shown(name)} {value_words(key, each, currency)}" for name, each in value.items())
    if isinstance(value, tuple):
        return " / ".join(value_words(key, each, currency) for each in value)
    return shown(value) or MISSING


def _change(change: ArrChange, currency: str) -> str:
    """Expansion, contraction or churn: an amount, or a rate with its period."""
    if change.amount is not None:
        return compact(change.amount, currency)
    key = next(key for key in PERIODS if getattr(change, key) is not None)
    return f"{show(getattr(change, key), 'share')} {PERIODS[key]}"


def lag_words(lag: Lag) -> str:
    """How long a transition takes."""
    if lag.months is not None:
        return counted(lag.months, "month") if lag.months else "at once"
    if lag.weights is not None:
        return "by month " + "/".join(show(weight, "share") for weight in lag.weights[:6])
    return f"median {counted(lag.median_days or 0.0, 'day', kind='days')}, P90 {show(lag.p90_days, 'days')}"


def if_people(capacity: Capacity | None) -> str:
    """What a sentence adds that tells of demand alone, where a plan says who has to work it."""
    return "" if capacity is None else ", if people have the time"
