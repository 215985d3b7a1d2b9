"""The tables as tidy pandas DataFrames, for people who write Python rather than SQL.

In: Settings, the name of a table or view, and UTC days. Out: a DataFrame with Arrow-backed dtypes, so that Tweet IDs
stay whole numbers and nothing becomes a float.

    >>> from engagement_pipeline import frames
    >>> from engagement_pipeline.core import settings
    >>> frames.read(settings.load(), "daily", first=date(2026, 1, 30))
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from engagement_pipeline.core.errors import InputError
from engagement_pipeline.core.tables import TABLES
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog
from engagement_pipeline.query.views import all_views, quoted

if TYPE_CHECKING:
    from datetime import date

    from engagement_pipeline.core.settings import Settings


def read(settings: Settings, name: str, *, first: date | None = None, last: date | None = None) -> pd.DataFrame:
    """Return the rows of a table or view from the UTC days `first` to `last`, both included; without days, all rows.

    Raises InputError if there is no lake, if no view has that name, or if days are given for a view without a column
    `day`. Raises LakeError if a file is damaged.
    """
    columns = {table.name: [column.name for column in table.columns] for table in TABLES.values()}
    columns |= {view.name: [*view.columns] for view in all_views()}
    if name not in columns:
        raise InputError(f"there is no table {name!r}: choose from {', '.join(sorted(columns))}")
    if (first or last) and "day" not in columns[name]:
        raise InputError(f"{name} has no column day: leave out the days")
    bounds = [f"day {sign} date {quoted(day)}" for sign, day in ((">=", first), ("<=", last)) if day]
    where = f" where {' and '.join(bounds)}" if bounds else ""
    table = catalog.query(Lake(settings.data), f"select * from {name}{where}")
    frame: pd.DataFrame = table.to_pandas(types_mapper=pd.ArrowDtype)
    return frame
