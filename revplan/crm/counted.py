"""What records that stay where they lie knew at the end of a day, in counts: all that rates and forecasts ask for.

No id and no row is kept. Whoever reads tables takes a `History` (`records.py`), which has both.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd

from revplan.crm.cells import ImportLine


@dataclass(frozen=True, eq=False)
class Counted:
    """Records that entered every stage on the same days, with the same labels and amount, counted together."""

    stages: tuple[str, ...]
    as_of: date
    entered: np.ndarray
    """Way x stage: the day it was entered on; NaT where it was not."""
    lost: np.ndarray
    """By way: the day of the loss; NaT where there is none."""
    labels: dict[str, pd.Categorical]
    """segment and source, by way."""
    amount: np.ndarray
    """By way; NaN where the CRM says nothing."""
    count: np.ndarray
    """Records of each way."""
    report: tuple[ImportLine, ...]
    """How the records were read, and everything found on the way."""
    notes: tuple[str, ...]
    """What changes how everything counted of these records is to be read, a sentence each, the gravest first."""
    reading: tuple[str, ...]
    """How they were read where another reading would give other figures, a sentence each."""
    loads: tuple[str, ...]
    """Lists that were loaded at once, a sentence each."""
    first: tuple[str, ...] = ()
    """What stands before everything else: dates after today, which are not counted in place."""

    @property
    def number(self) -> int:
        """Records known."""
        return int(self.count.sum())
