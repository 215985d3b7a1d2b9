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
from engagement_pipeline.core.tables import COVERAGE, DAILY, ENGAGEMENTS, SET_ASIDE, TWEETS
from engagement_pipeline.query.catalog import create_day_views
from engagement_pipeline.query.damage import damage_behind
from engagement_pipeline.query.views import quoted

if TYPE_CHECKING:
    from engagement_pipeline.core.table import Table
    from engagement_pipeline.lake.layout import Lake

WORD, TEXT = re.compile(r"\w+"), re.compile(r"'[^']*'")  # a text may hold the name of a table that is not read
OF_A_DAY = (ENGAGEMENTS, DAILY, COVERAGE, SET_ASIDE, TWEETS)

AskDay = Callable[[date, str], pa.Table]


@contextmanager
def by_day(lake: Lake, *, threads: int | None = None) -> Iterator[AskDay]:
    """Give a function that answers SQL over the files of one UTC day alone, those of other days damaged or not.

    It knows the views in OF_A_DAY, and raises LakeError where a file that the SQL needs is damaged. DuckDB works in so
    many `threads`, by default in as many as it sees cores.
    """
    lake.open(create=False)
    with duckdb.connect() as connection:
        if threads:
            connection.execute(f"set threads = {threads}")
        lake.storage.admit(connection)
        connection.execute("set timezone = 'UTC'")

        made: set[tuple[date, Table]] = set()

        def ask(day: date, sql: str) -> pa.Table:
            words = {*WORD.findall(TEXT.sub("", sql))}
            tables = [table for table in OF_A_DAY if table.name in words]
            try:
                connection.execute(f'create schema if not exists "{day}"; use "{day}"')
                new = [table for table in tables if (day, table) not in made]
                create_day_views(connection, lake, new, day=day)
                if DAILY in new:
                    connection.execute("alter view daily rename to month")
                    connection.execute(f"create view daily as from month where day = date {quoted(day)}")
                made.update((day, table) for table in new)
                return connection.sql(sql).to_arrow_table()
            except duckdb.Error as error:
                problem = LakeError(f"the files of {day} cannot be read: {' '.join(str(error).split())}")
                raise damage_behind(lake, error, tables, day=day) or problem from None

        yield ask
