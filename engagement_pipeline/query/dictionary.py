"""Write the data dictionary as Markdown.

In: the tables and views. Out: docs/data-dictionary.md, which begins with a table of all views. `make docs` runs this
module in the clone: `python -m engagement_pipeline.query.dictionary`.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engagement_pipeline.core.tables import TABLES
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog
from engagement_pipeline.query.views import all_macros, all_views

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engagement_pipeline.core.table import Table

DICTIONARY = Path("docs/data-dictionary.md")
HEAD = """# Data dictionary

The views of a lake: what one row is, the key, and each column. `make docs` writes this page from
`engagement_pipeline/core/tables.py`, and from the comments at the head of the marts in
`engagement_pipeline/query/marts/`. The types are DuckDB's.

A `TIMESTAMP WITH TIME ZONE` becomes a date in the session's time zone. For the UTC date, first `set timezone = 'UTC'`,
or write `(posted_at at time zone 'UTC')::date`.
"""


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a view: its name, its type in DuckDB and its meaning."""

    name: str
    type: str
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """A view in the dictionary: what one row is, what else to know, and its columns in their order."""

    name: str
    grain: str
    description: str
    columns: Sequence[Column]


def entries() -> list[Entry]:
    """Return the tables, then the metric dictionary and the marts; their types are those of an empty lake's views."""
    described = [
        (table.name, table.grain, _told(table), {c.name: c.meaning for c in table.columns}) for table in TABLES.values()
    ]
    described += [(v.name, v.grain, v.description, dict(v.columns)) for v in (*all_views(), *all_macros())]
    calls = {macro.name: f"{macro.name}({', '.join('null' for _ in macro.parameters)})" for macro in all_macros()}
    with tempfile.TemporaryDirectory() as empty, catalog.connect(Lake(Path(empty))) as connection:
        found = {name: connection.sql(f"from {calls.get(name, name)}") for name, *_ in described}
        return [
            Entry(
                name=name,
                grain=grain,
                description=description,
                columns=[
                    Column(column, str(kind), meanings[column])
                    for column, kind in zip(found[name].columns, found[name].types, strict=True)
                ],
            )
            for name, grain, description, meanings in described
        ]


def page(views: Sequence[Entry]) -> str:
    """Return the data dictionary: a table of the views, then a section for each."""
    return "\n".join([HEAD, table(views), *map(_section, views)])


def table(views: Sequence[Entry]) -> str:
    """Return the table of the views, with a row for each."""
    rows = [
        f"| [`{v.name}`](#{v.name.replace('.', '')}) | {v.grain} | {', '.join(f'`{c.name}`' for c in v.columns)} |\n"
        for v in views
    ]
    return "".join(["| view | one row is | columns |\n", "|---|---|---|\n", *rows])


def _told(table: Table) -> str:
    """Return what else to know of a table: which columns have another name in its files, and its key."""
    renamed = [
        f"In the files, `{name}` is called `{in_file}`: readers of folders take `{name}` from the folder's name."
        for name, in_file in table.in_file.items()
    ]
    return " ".join([table.description, *renamed, _key(table.key)])


def _key(names: Sequence[str]) -> str:
    *others, last = names
    return f"The key is {', '.join(others)} and {last}." if others else f"The key is {last}."


def _section(view: Entry) -> str:
    rows = [f"| `{column.name}` | {column.type} | {column.meaning} |\n" for column in view.columns]
    return "".join(
        [
            f"## {view.name}\n\nOne row is {view.grain}. {view.description}\n\n",
            "| column | type | meaning |\n|---|---|---|\n",
            *rows,
        ]
    )


def main() -> None:
    """Write the dictionary into the working directory, which is the clone."""
    DICTIONARY.write_text(page(entries()), encoding="utf-8")


if __name__ == "__main__":
    main()
