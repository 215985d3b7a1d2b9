"""The views that have no files of their own: the marts, and the metric dictionary.

In: marts/*.sql and the metric dictionary. Out: View objects, each after those that it reads.

A mart is one SELECT, in a file that bears its name, with that of its schema if it is in one. It may read tables and
other marts. The comment at its head becomes the catalogue's:

    -- One row is GRAIN.
    -- What else must be known.
    --   (parameter)  its meaning: the mart is then a table macro
    --   column  its meaning

A mart with the words of STORED in its head is kept in files too (stored.py). It has a column `day`, and its rows of a
day come from the files of that day or its month alone, and from the roster. With those of SETTLED, so are its months
that no daily pull changes any more.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path
from typing import TYPE_CHECKING

from engagement_pipeline.core.endpoints import ENDPOINTS, HOURLY, MEDIA
from engagement_pipeline.core.metrics import METRICS
from engagement_pipeline.core.tables import COVERAGE, ENGAGEMENTS, UNANSWERED

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

PARAMETER = re.compile(r"--   \((\w+)\)  (.+)")
COLUMN = re.compile(r"--   (\w+)  (.+)")
CONTINUED = re.compile(r"--      +(.+)")  # of the column above
COMMENT = re.compile(r" *--.*\n?")
WORD = re.compile(r"\w+")
READ = re.compile(r"\b(?:from|join)\s+(\w+)", re.IGNORECASE)
GRAIN, KEY, STORED = "One row is ", "The key is ", "It is stored, a file a month"
SETTLED = f"{STORED} that ended 28 days before the newest day."
MARTS = Path(__file__).parent / "marts"
# What a mart calls the files of one source: that source, and the table.
BY_SOURCE = {f"hours_of_{source}": (source, ENGAGEMENTS) for source in HOURLY}
BY_SOURCE["coverage_of_media"] = (MEDIA.source, COVERAGE)
# Of coverage: the Tweet's day had an answer, now or before. One that was only asked for in vain is still to be pulled.
ANSWERED = f"(outcome not in {UNANSWERED} or rows > 0)"


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A view: what one row is, what else must be known, the meaning of each column, and its SELECT.

    With `parameters`, and the meaning of each, it is a table macro.
    """

    name: str
    grain: str
    description: str
    columns: Mapping[str, str]
    sql: str
    parameters: Mapping[str, str] = field(default_factory=dict)

    @property
    def call(self) -> str:
        """The name, with the parameters of a macro."""
        return f"{self.name}({', '.join(self.parameters)})" if self.parameters else self.name

    @property
    def stored(self) -> bool:
        """Whether it is kept in files too."""
        return STORED in self.description

    @property
    def settled(self) -> bool:
        """Whether only those of its months are kept in files that no daily pull changes."""
        return SETTLED in self.description

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that tell rows apart."""
        named = self.description.rpartition(KEY)[2].replace(" and ", " ")
        return tuple(re.findall(r"\w+", named))


def all_views() -> tuple[View, ...]:
    """Return the metric dictionary and the marts, each after those that it reads."""
    return tuple(view for view in _in_order() if not view.parameters)


def all_macros() -> tuple[View, ...]:
    """Return the marts that take parameters."""
    return tuple(view for view in _in_order() if view.parameters)


@cache  # a command asks several times, and the files come with the program
def _in_order() -> tuple[View, ...]:
    marts = (_mart(mart.stem, mart.read_text()) for mart in MARTS.glob("*.sql"))
    views = {view.name: view for view in (_metrics(), *marts)}
    reads = {name: sorted(reading(views[name].sql, views)) for name in sorted(views)}
    return tuple(views[name] for name in TopologicalSorter(reads).static_order())


def reading(sql: str, names: Collection[str]) -> set[str]:
    """Return which of some tables and views a SELECT reads."""
    return {name for name in READ.findall(sql) if name in names}


def needed(sql: str, tables: Collection[str]) -> set[str]:
    """Return the tables and views that a query may read, with those that these read; all, where that is not sure."""
    views = {view.name: view for view in _in_order()}
    known = {*views, *tables}
    named = {name.lower() for name in READ.findall(sql)}
    if not named or not named <= known:
        return known
    found: set[str] = set()
    beyond = {*WORD.findall(sql.lower())} & known
    while beyond:
        found |= beyond
        beyond = {name for view in beyond & views.keys() for name in reading(views[view].sql, known)} - found
    return found


def quoted(text: object) -> str:
    """Return a text as an SQL literal."""
    return "'" + str(text).replace("'", "''") + "'"


def identifier(name: object) -> str:
    """Return a name as an SQL identifier."""
    return '"' + str(name).replace('"', '""') + '"'


def _mart(name: str, sql: str) -> View:
    """Read a mart's head."""
    told: list[str] = []
    parameters: dict[str, str] = {}
    columns: dict[str, str] = {}
    for line in sql.splitlines():
        if not line.startswith("--"):
            break
        if parameter := PARAMETER.fullmatch(line):
            parameters[parameter[1]] = parameter[2]
        elif column := COLUMN.fullmatch(line):
            columns[column[1]] = column[2]
        elif columns and (more := CONTINUED.fullmatch(line)):
            columns[[*columns][-1]] += f" {more[1]}"
        else:
            told.append(line.removeprefix("--").strip())
    grain, _, description = " ".join(told).removeprefix(GRAIN).partition(". ")
    calls = [f"It is a table macro: from {name}({', '.join(parameters)})."] if parameters else []
    calls += [f"{parameter}: {meaning}" for parameter, meaning in parameters.items()]
    return View(
        name=name,
        grain=grain.removesuffix("."),
        description=" ".join([*calls, description]),
        columns=columns,
        sql=COMMENT.sub("", sql).strip(),
        parameters=parameters,
    )


def _metrics() -> View:
    """Return the metric dictionary as one SELECT, a row a type."""
    rows = []
    limited = [name for name in ENDPOINTS if any(name in m.oldest_tweet_days for m in METRICS)]
    for m in METRICS:
        limits = ", ".join(f"{quoted(name)}: {m.oldest_tweet_days.get(name, 'null')}" for name in limited)
        since = f"date {quoted(m.since)}" if m.since else "null"
        names = (quoted(m.name), quoted(m.title), quoted(m.exported) if m.exported else "null")
        facts = ([*m.endpoints], m.public, f"{{{limits}}}", since, quoted(m.meaning), quoted(m.caveat))
        rows.append(f"({', '.join(map(str, (*names, *facts)))})")
    columns = {
        "engagement_type": "The type, under the API's own name.",
        "display_name": "Its name for people, as a chart shows it.",
        "vendor_name": "Its column in the vendor's export of Tweet activity; NULL where that has none.",
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
