"""A table in a file that a plan or a CRM file names: where it stands, and how its days and amounts are written."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import AfterValidator, BeforeValidator, Field, SerializerFunctionWrapHandler, model_serializer

from revplan.ground.values import Number, PathText, Value, frozen, visible

EVERY_COLUMN = "*"  # the columns that a date format or a decimal mark names no other for
PROBE = datetime(2003, 2, 1)
EPOCH, SERIAL = np.datetime64("1970-01-01", "us"), np.datetime64("1899-12-30", "us")
DAY_US = 86_400_000_000
NUMBERED = {"epoch_ms": (EPOCH, 1_000), "epoch_s": (EPOCH, 1_000_000), "excel_serial": (SERIAL, DAY_US)}
"""Date formats that are numbers: from when they count, and the microseconds of one."""


def _checked_format(text: str) -> str:
    if text in NUMBERED:
        return text
    try:
        same = datetime.strptime(PROBE.strftime(text), text) == PROBE
    except ValueError:
        same = False
    if not same:
        raise ValueError(
            f"is no date format with year, month and day, such as %d/%m/%Y or %m/%d/%Y %H:%M; nor one of {', '.join(NUMBERED)}"
        )
    return text


def _for_all(value: Any) -> Any:
    return value if isinstance(value, Mapping) else {EVERY_COLUMN: value}


Text = Annotated[str, Field(min_length=1), AfterValidator(visible)]
DateFormat = Annotated[str, AfterValidator(_checked_format)]
DateFormats = Annotated[
    dict[Text, DateFormat], frozen, BeforeValidator(_for_all, json_schema_input_type=str | dict[str, str])
]
DecimalMark = Literal[".", ","]
DecimalMarks = Annotated[
    dict[Text, DecimalMark],
    frozen,
    BeforeValidator(_for_all, json_schema_input_type=DecimalMark | dict[str, DecimalMark]),
]
Code = Annotated[str, Field(pattern=r"^[A-Z]{3}$", description="a code such as EUR")]
Rates = Annotated[dict[str, Annotated[Number, Field(gt=0, le=1e9)]], frozen]


class TableFile(Value):
    """A table that a plan names, and how it is written; a path alone where nothing else need be said."""

    path: PathText
    """Path from the plan file's folder: text (CSV), an Excel workbook, Parquet or a DuckDB file."""
    sheet: Text | None = None
    """Sheet of the Excel workbook; the first one if left out."""
    table: Text | None = None
    """Table of the DuckDB file."""
    header_row: Annotated[int, Field(ge=1)] | None = None
    """Line of the file, or row of the sheet, with the names of the columns; found where left out."""
    columns: Annotated[dict[Text, Text], frozen] | None = None
    """What revplan calls a column -> its header in the file, where it is not known by it."""
    date_format: DateFormats | None = None
    """How days and months are written where not as 2026-01-31, or header -> how."""
    decimal: DecimalMarks | None = None
    """Decimal mark of the amounts, or header -> decimal mark."""
    currency: Code | None = None
    """Currency of all amounts, where the file does not say it."""
    rates: Rates | None = None
    """Code of a currency -> what one unit of it is worth in the plan's."""

    @model_serializer(mode="wrap")
    def _path_alone(self, whole: SerializerFunctionWrapHandler) -> Any:
        """As it is written in the plan: the path, where nothing else is said."""
        said = self.model_fields_set - {key for key in type(self).model_fields if getattr(self, key) is None}
        return self.path if said == {"path"} else whole(self)


class ActualsFile(TableFile):
    """The table of the actuals."""

    losses: Literal["plus", "minus"] | None = None
    """Sign of what was lost where both stand, contraction and churn: the other sign corrects it."""


def path_or_more(value: Any) -> Any:
    """`value`, a path alone as the table it stands for."""
    return {"path": value} if isinstance(value, str) else value
