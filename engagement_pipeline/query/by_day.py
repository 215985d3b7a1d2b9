"""SQL over the files of one UTC day.

In: a lake and a day. Out: answers that no damaged file of another day can prevent.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.core.tables import OF_A_DAY, SOURCES
from engagement_pipeline.query.catalog import create_file_views, damage_behind, quoted

if TYPE_CHECKING:
    from engagement_pipeline.lake.layout import Lake

Ask = Callable[[date, str], pa.Table]


@contextmanager
def by_day(lake: Lake) -> Iterator[Ask]:
    """Give a function that answers SQL over the files of one UTC day alone, those of other days damaged or not.

    It knows the views in OF_A_DAY, and raises LakeError where a file that the SQL needs is damaged.
    """
    lake.open(create=False)
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")

        made: set[tuple[date, str]] = set()

        def ask(day: date, sql: str) -> pa.Table:
            sources = {
                name: (pattern.replace("day=*", f"day={day}").replace("daily/*", f"daily/{day:%Y-%m}"), schema, further)
                for name, (pattern, schema, further) in SOURCES.items()
                if name in OF_A_DAY and re.search(rf"\b{name}\b", sql)
            }
            try:
                connection.execute(f'create schema if not exists "{day}"; use "{day}"')
                new = {name: source for name, source in sources.items() if (day, name) not in made}
                create_file_views(connection, lake, new)
                if "daily" in new:
                    connection.execute("alter view daily rename to month")
                    connection.execute(f"create view daily as from month where day = date {quoted(day)}")
                made.update((day, name) for name in new)
                return connection.sql(sql).to_arrow_table()
            except duckdb.Error as error:
                problem = LakeError(f"the files of {day} cannot be read: {' '.join(str(error).split())}")
                raise damage_behind(lake, error, sources) or problem from None

        yield ask
