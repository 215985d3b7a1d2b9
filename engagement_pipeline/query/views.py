"""The views that have no files of their own: the marts, and the metric dictionary.

In: marts/*.sql and the metric dictionary. Out: View objects, in the order in which they are created.

A mart is one SELECT, in a file that bears its name. The comment at its head becomes the catalogue's:

    -- One row is GRAIN.
    -- What else must be known.
    --   column  its meaning
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from engagement_pipeline.core.endpoints import ENDPOINTS
from engagement_pipeline.core.metrics import METRICS
from engagement_pipeline.core.tables import UNANSWERED

if TYPE_CHECKING:
    from collections.abc import Mapping

COLUMN = re.compile(r"--   (\w+)  (.+)")
CONTINUED = re.compile(r"--      +(.+)")  # of the column above
GRAIN = "One row is "
MARTS = Path(__file__).parent / "marts"
# Of coverage: the Tweet's day had an answer, now or before. One that was only asked for in vain is still to be pulled.
ANSWERED = f"(outcome not in {UNANSWERED} or rows > 0)"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A view: what one row is, what else must be known, the meaning of each column, and its SELECT."""

    name: str
    grain: str
    description: str
    columns: Mapping[str, str]
    sql: str


def all_views() -> tuple[View, ...]:
    """Return the metric dictionary and the marts."""
    return (_metrics(), *(_mart(mart.stem, mart.read_text()) for mart in sorted(MARTS.glob("*.sql"))))


def quoted(text: object) -> str:
    """Return a text as an SQL literal."""
    return "'" + str(text).replace("'", "''") + "'"


def identifier(name: object) -> str:
    """Return a name as an SQL identifier."""
    return '"' + str(name).replace('"', '""') + '"'


def _mart(name: str, sql: str) -> View:
    """Read a mart's head."""
    told: list[str] = []
    columns: dict[str, str] = {}
    for line in sql.splitlines():
        if not line.startswith("--"):
            break
        if column := COLUMN.fullmatch(line):
            columns[column[1]] = column[2]
        elif columns and (more := CONTINUED.fullmatch(line)):
            columns[[*columns][-1]] += f" {more[1]}"
        else:
            told.append(line.removeprefix("--").strip())
    grain, _, description = " ".join(told).removeprefix(GRAIN).partition(". ")
    return View(name=name, grain=grain.removesuffix("."), description=description, columns=columns, sql=sql)


def _metrics() -> View:
    """Return the metric dictionary as one SELECT, a row a type."""
    rows = []
    for m in METRICS:
        limits = ", ".join(f"{quoted(name)}: {m.oldest_tweet_days.get(name, 'null')}" for name in ENDPOINTS)
        since = f"date {quoted(m.since)}" if m.since else "null"
        facts = (quoted(m.name), [*m.endpoints], m.public, f"{{{limits}}}", since, quoted(m.meaning), quoted(m.caveat))
        rows.append(f"({', '.join(map(str, facts))})")
    columns = {
        "engagement_type": "The type, under the API's own name.",
        "endpoints": "The endpoints that serve it.",
        "public": "Whether the app's bearer token reads it on /totals, of any public Tweet.",
        "oldest_tweet_days": "By endpoint, how old a Tweet may be, in days; NULL is no limit.",
        "since": "The first UTC day that /historical measures; NULL where it does not serve the type.",
        "meaning": "What is counted.",
        "caveat": "What to beware of.",
    }
    return View(
        name="metrics",
        grain="an engagement type",
        description="It says what the API can be asked for. The key is engagement_type.",
        columns=columns,
        sql=f"select * from (values {', '.join(rows)}) as m({', '.join(columns)})",
    )
