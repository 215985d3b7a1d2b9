"""What a lake can be asked for.

In: a lake. Out: Choices. They are asked for anew for each page, because a pull may have changed them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import duckdb

from engagement_pipeline.query import catalog

if TYPE_CHECKING:
    from datetime import date

    from engagement_pipeline.lake.layout import Lake

HANDLES = "select array_agg(distinct handle order by handle) from tweets where handle is not null"
DAYS = "from coverage where table_name = 'engagements'"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """The handles with Tweets, and the first and the last UTC day that was asked for; None where no day was."""

    handles: tuple[str, ...]
    first: date | None
    last: date | None


def choices(lake: Lake) -> Choices:
    """Return what a lake can be asked for.

    Raises InputError if there is no lake. Raises LakeError if a file is damaged.
    """
    sql = f"select ({HANDLES}) as handles, (select min(day) {DAYS}) as first, (select max(day) {DAYS}) as last"
    (found,) = catalog.query(lake, sql).to_pylist()
    return Choices(handles=tuple(found["handles"] or ()), first=found["first"], last=found["last"])


@cache
def zones() -> tuple[str, ...]:
    """Return the names of the time zones that DuckDB knows."""
    with duckdb.connect() as connection:
        return tuple(
            name for (name,) in connection.execute("select name from pg_timezone_names() order by 1").fetchall()
        )
