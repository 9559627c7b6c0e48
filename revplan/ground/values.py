"""The base of everything a planner believes: frozen, hashable values that refuse unknown keys."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from typing import Annotated, Any, Self, TypeVar
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_validator,
    model_validator,
)

from revplan.ground.errors import digits

# Validation context that keeps the sound parts of a faulty file: what is wrong becomes None,
# so the checks that look at several values together can still look at the others.
SALVAGE = {"salvage": True}

LONGEST_NAME = 255  # bytes of one name in a path

Item = TypeVar("Item")

Progress = Callable[[int, int, str], None]
"""Is told how many of how many pieces are done, and what is under way."""

# A number as a number: neither text ("12,000") nor true and false.
Number = Annotated[float, Field(strict=True)]


def _a_path(text: str) -> str:
    """`text`, if a system can look for a file of that name."""
    if not text.strip():
        raise ValueError("is empty; give the path of a file, or leave the key out")
    if "\0" in text:
        raise ValueError("holds a character that no path has; write the path as the system shows it")
    if max(len(part.encode("utf-8", "replace")) for part in text.replace("\\", "/").split("/")) > LONGEST_NAME:
        raise ValueError(f"holds a name longer than the {LONGEST_NAME} bytes a system takes; check the path")
    return text


def visible(text: str) -> str:
    """`text` as it is seen: composed letters, nothing without width, no spaces at its ends."""
    if text.isascii():
        return text.strip()
    return "".join(c for c in unicodedata.normalize("NFC", text) if unicodedata.category(c) != "Cf").strip()


def _checked_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("is no time zone, such as America/New_York, Europe/Berlin or UTC")
    return name


Zone = Annotated[str, AfterValidator(_checked_zone)]
"""The name of a time zone."""

PathText = Annotated[str, AfterValidator(_a_path)]
"""The path of a file, from the folder of the file that names it."""


def at_least(least: float) -> Callable[[float], float]:
    """A check that refuses a number above 0 and below `least`: a slip of the pen that no result could rest on."""

    def checked(value: float) -> float:
        if value < least:
            raise ValueError(f"got {value:.3g}, which is nearly nothing; it must be at least {digits(least)}")
        return value

    return checked


class Value(BaseModel):
    """A frozen value whose attribute names are the keys of the plan file."""

    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        allow_inf_nan=False,
        populate_by_name=True,
        str_max_length=5000,
        ser_json_inf_nan="strings",
        use_attribute_docstrings=True,
    )

    @model_validator(mode="before")
    @classmethod
    def _keep_declared_keys(cls, data: Any, info: ValidationInfo) -> Any:
        if info.context != SALVAGE or not isinstance(data, Mapping):
            return data
        keys = {field.alias or name: field for name, field in cls.model_fields.items()}
        return {key: data.get(key) for key, field in keys.items() if key in data or field.is_required()}

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A changed copy; what was worked out of the old value and kept with it stays behind."""
        copy = super().model_copy(update=update, deep=deep)
        for name in copy.__dict__.keys() - type(copy).model_fields.keys():
            del copy.__dict__[name]
        return copy

    @field_validator("*", mode="wrap")
    @classmethod
    def _faulty_is_none(cls, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        try:
            return handler(value)
        except ValidationError:
            if info.context != SALVAGE:
                raise
            return None


class FrozenDict(dict[str, Item]):
    """A dict that cannot change and can be hashed, for values keyed by a name."""

    def _refuse(self, *_: object, **__: object) -> None:
        raise TypeError("a value of the plan cannot be changed; make a new one with model_copy(update=...)")

    __setitem__ = __delitem__ = update = pop = popitem = clear = setdefault = _refuse  # type: ignore[assignment]

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(tuple(self.items()))

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenDict, (dict(self),)


frozen = AfterValidator(FrozenDict)
