"""A lake, opened for people who write Python: its views as tidy pandas DataFrames, or as relations of DuckDB.

In: the folder of a lake. Out: DataFrames whose columns are backed by Arrow, so that Tweet IDs stay whole numbers and a
missing value makes no floats of them.

    >>> import engagement_pipeline as ep
    >>> lake = ep.open("data")
    >>> lake.read("daily", handles=["harborbooks"], types=["impressions"], first="2026-01-30")
    >>> lake.sql("select day, sum(count)::bigint as n from daily group by day order by day")

Nothing here changes a lake, and each call sees what was published last.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from pathlib import Path  # noqa: TC003 - whoever asks for the types of `open` finds it
from typing import TYPE_CHECKING, TypedDict, TypeVar, Unpack

import pandas as pd

from engagement_pipeline.core import settings
from engagement_pipeline.core.days import parse_day
from engagement_pipeline.core.errors import InputError
from engagement_pipeline.core.places import place
from engagement_pipeline.core.tables import TABLES
from engagement_pipeline.core.tweet_ids import parse_tweet_id
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog
from engagement_pipeline.query.views import all_views, quoted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import duckdb


T = TypeVar("T")


class Filters(TypedDict, total=False):
    """Which rows to read. A filter that is left out, or None, lets all of them pass.

    `handles`: of Tweets of these accounts. `tweets`: with these Tweet IDs. `types`: of these engagement types.
    `first`, `last`: of these UTC days, both included, as dates or as text such as "2026-01-30".
    """

    handles: Iterable[str] | None
    tweets: Iterable[int] | None
    types: Iterable[str] | None
    first: date | str | None
    last: date | str | None


def open(folder: str | Path | None = None) -> Reader:  # noqa: A001 - it is called engagement_pipeline.open
    """Open the lake in a folder or at an address as s3://bucket/prefix or az://container/prefix, to read it.

    Without one, it is that of the settings.

    Raises InputError if there is no lake, LakeError if its format is not this program's.
    """
    try:
        lake = Lake(settings.load().data if folder is None else place(str(folder)))
    except ValueError as error:
        raise InputError(f"{folder}: {error}") from None
    lake.open(create=False)
    return Reader(lake)


class Reader:
    """The views of a lake. docs/data-dictionary.md describes them, and so does `tables`."""

    def __init__(self, lake: Lake) -> None:
        """Read a lake, as `open` does for its folder."""
        self._lake = lake

    def tables(self) -> pd.DataFrame:
        """Return the tables and views, one a row: `name`, `one_row_is`, `description`, and the meaning of each column.

        `columns` is a dict from the column's name to its meaning.
        """
        views = [(table.name, table.grain, table.description) for table in TABLES.values()]
        views += [(view.name, view.grain, view.description) for view in all_views()]
        columns = _columns()
        told = [(name, grain, description, columns[name]) for name, grain, description in views]
        return pd.DataFrame(told, columns=["name", "one_row_is", "description", "columns"])

    def read(self, table: str, **filters: Unpack[Filters]) -> pd.DataFrame:
        """Return the rows of a table or view: all of them, or those that fit each of the filters.

        Raises InputError if there is no such view, if it has not the column of a filter, or if a value is wrong.
        Raises LakeError if a file is damaged.
        """
        return self.sql(_select(table, filters))

    def sql(self, query: str) -> pd.DataFrame:
        """Return the answer to one SQL query, in DuckDB's dialect. The time zone is UTC.

        Raises InputError if the query is wrong, or does more than to read the lake. Raises LakeError if a file is
        damaged.
        """
        answer: pd.DataFrame = catalog.query(self._lake, query).to_pandas(types_mapper=pd.ArrowDtype)
        return answer

    def relation(self, table: str, **filters: Unpack[Filters]) -> duckdb.DuckDBPyRelation:
        """Return what `read` returns, as a relation of DuckDB: nothing is read before it is asked for.

        It becomes Arrow by `to_arrow_table()` and Polars by `pl()`. What then fails is an error of DuckDB's own.

        Raises InputError as `read` does.
        """
        return catalog.confined(self._lake).sql(_select(table, filters))


def _columns() -> dict[str, Mapping[str, str]]:
    """Return the meaning of each column of each table and view, by their names."""
    tables = {table.name: {column.name: column.meaning for column in table.columns} for table in TABLES.values()}
    return tables | {view.name: view.columns for view in all_views()}


def _select(table: str, filters: Filters) -> str:
    """Return the query for the rows of a view that fit each filter."""
    known = _columns()
    if table not in known:
        raise InputError(f"there is no table {table!r}: choose from {', '.join(sorted(known))}")
    if strange := filters.keys() - Filters.__annotations__.keys():
        raise InputError(f"there is no filter {min(strange)!r}: choose from {', '.join(Filters.__annotations__)}")
    clauses = []
    for name, column, condition in _conditions(filters, of_handles="handle" in known[table]):
        if column not in known[table]:
            raise InputError(f"{table} has no column {column}: leave out {name}")
        clauses.append(condition)
    return f"select * from {table}" + (f" where {' and '.join(clauses)}" if clauses else "")


def _conditions(filters: Filters, *, of_handles: bool) -> Iterator[tuple[str, str, str]]:
    """Yield each filter that is set, the column that it needs, and its condition; the view may have handles itself."""
    if (handles := filters.get("handles")) is not None:
        owned = f"handle in ({_listed('handles', handles, quoted)})"
        by_owner = f"tweet_id in (select tweet_id from tweets where {owned})"
        yield ("handles", "handle", owned) if of_handles else ("handles", "tweet_id", by_owner)
    if (tweets := filters.get("tweets")) is not None:
        yield "tweets", "tweet_id", f"tweet_id in ({_listed('tweets', tweets, _tweet_id)})"
    if (types := filters.get("types")) is not None:
        yield "types", "engagement_type", f"engagement_type in ({_listed('types', types, quoted)})"
    if (first := filters.get("first")) is not None:
        yield "first", "day", f"day >= date {quoted(_day(first))}"
    if (last := filters.get("last")) is not None:
        yield "last", "day", f"day <= date {quoted(_day(last))}"


def _listed(name: str, values: Iterable[T], literal: Callable[[T], str]) -> str:
    """Return a filter's values for SQL; of none, a value that nothing equals."""
    if isinstance(values, str) or not isinstance(values, Iterable):  # each letter of a text would be a value
        raise InputError(f"{name} takes a list: write {name}=[{values!r}]")
    return ", ".join(map(literal, values)) or "null"


def _tweet_id(value: object) -> str:
    try:
        return f"{parse_tweet_id(str(value))}::bigint"
    except ValueError as error:
        raise InputError(f"{error}, which is a whole number") from None


def _day(day: date | str) -> date:
    try:
        return day if isinstance(day, date) else parse_day(day)
    except ValueError as error:
        raise InputError(str(error)) from None
