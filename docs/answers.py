"""Fill pages with what the demo's lake answers: behind each block of SQL, a block of text with its answer.

In: the pages. Out: the same pages, each answer made anew. `make docs` runs this module in the clone.
"""

from __future__ import annotations

import contextlib
import io
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from engagement_pipeline.cli import demo, demo_lake, grid, output
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog

if TYPE_CHECKING:
    import duckdb

PAGES = (Path("docs/cookbook.md"), Path("docs/from-elsewhere.md"))
ASKED = re.compile(r"(```sql\n(?P<sql>(?:(?!```).)+?)```\n\n```text\n)(?P<answer>.*?)```", re.DOTALL)


def make_lake(folder: Path) -> Lake:
    """Make the lake of `make demo` in a folder, without Dagster."""
    lake = Lake(folder.absolute())
    with demo.world(folder, now=demo_lake.NOW, first_day=demo_lake.FIRST_DAY, settle_hours=demo_lake.SETTLE_HOURS) as (
        emulator,
        environment,
    ):
        for morning in (*demo_lake.MORNINGS, demo_lake.TODAY):
            demo_lake.pull_at(morning, emulator, environment, lake)
    catalog.refresh(lake)
    return lake


def answer(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    """Return what `engagement sql` prints for a query, without the blank lines around it."""
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with contextlib.redirect_stdout(terminal):
        grid.show(output.as_rows(catalog.as_arrow(connection.sql(sql))))
    terminal.seek(0)
    return terminal.read().strip("\n") + "\n"


def filled(page: str, lake: Lake) -> str:
    """Return a page with the lake's own answers."""
    with catalog.confined(lake) as connection:
        return ASKED.sub(lambda found: f"{found[1]}{answer(connection, found['sql'])}```", page)


def main() -> None:
    """Write the answers into the pages."""
    with tempfile.TemporaryDirectory() as folder:
        lake = make_lake(Path(folder) / "demo")
        for path in PAGES:
            path.write_text(filled(path.read_text(encoding="utf-8"), lake), encoding="utf-8")


if __name__ == "__main__":
    main()
