"""One truth from the lakes of several sources: which count a view shows where more than one source gave it.

In: a lake, and a Place: where a reader finds it. Out: the SELECT of each table. Nothing is ever added up.

While there is one source, a table's SELECT is that over its files. With two, one of them is shown first, as the lake
says. Of a Tweet's day that it answered, its counts are shown, and the other source's only of types that it does not
serve. Of a Tweet's day that it did not answer, the other source's counts are shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engagement_pipeline.core.tables import (
    COVERAGE,
    DAILY,
    ENGAGEMENTS,
    REQUESTS,
    REVISIONS,
    SET_ASIDE,
    SHAPES,
    TABLES,
    WINDOW_TOTALS,
)
from engagement_pipeline.query import files
from engagement_pipeline.query.views import BY_SOURCE, quoted

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable
    from datetime import date

    from engagement_pipeline.core.table import Table
    from engagement_pipeline.lake.layout import Lake

# Tables that each source has of its own: of the first ones, another source's rows may stand for those of a source.
CHOSEN, ADDED = (ENGAGEMENTS, DAILY, REVISIONS, COVERAGE, SET_ASIDE), (WINDOW_TOTALS, REQUESTS, SHAPES)
NOT_SHOWN = "engagements_by_source"  # what coverage calls the table of answers that another source's are shown for


def selects(
    lake: Lake, place: files.Place, *, live: bool = False, days: Collection[date] = (), tables: Iterable[Table] = ()
) -> dict[str, str]:
    """Return the SELECT of each table, or of some, by its name; the rest is as files.source has it."""
    chosen = [*tables] or [*TABLES.values()]
    found = {str(table): files.source(lake, table, place, live=live, days=days) for table in chosen}
    lakes = lake.of_each_source
    if len(lakes) == 1:
        return found
    by_lake = {
        each.source: {
            table: files.source(lake, table, place, within=each.source, days=days)
            if each is not lake
            else found.get(str(table)) or files.source(lake, table, place, live=live, days=days)
            for table in (*CHOSEN, *ADDED)
        }
        for each in lakes
    }
    for table in [table for table in ADDED if table in chosen]:
        found[str(table)] = " union all by name ".join(f"from ({of_lake[table]})" for of_lake in by_lake.values())
    of_tweets = {each.source: by_lake[each.source] for each in lake.of_tweets}
    if len(of_tweets) > 1:
        found |= {str(table): _both(table, of_tweets, lake) for table in CHOSEN if table in chosen}
    return found


def by_source(lake: Lake, place: files.Place, *, live: bool = False) -> dict[str, str]:
    """Return the SELECT over the files of each source, which there may be none of, under names that no view has."""
    return {
        name: files.source(lake, table, place, live=live)
        if source == lake.source
        else files.source(lake, table, place, within=source)
        for name, (source, table) in BY_SOURCE.items()
    }


def _both(table: Table, by_lake: dict[str, dict[Table, str]], lake: Lake) -> str:
    """Return the SELECT of a table from the lakes of two sources."""
    first = lake.shown if lake.shown in by_lake else lake.source
    (second,) = by_lake.keys() - {first}
    shown, other = by_lake[first][table], by_lake[second][table]
    if table is COVERAGE:
        return _coverage(by_lake, lake, first=first, second=second)
    if table is SET_ASIDE:
        listed = f"select tweet_id from ({shown})"
        return f"from ({shown}) union all by name from ({other}) anti join ({listed}) using (tweet_id)"
    hourly = lake.of(first).hourly
    answered = f"select tweet_id, day from ({by_lake[first][COVERAGE]}) where endpoint = {quoted(hourly)} and rows > 0"
    types = ", ".join(map(quoted, hourly.types))
    return (
        f"from ({shown}) union all by name select o.* from ({other}) as o left join ({answered}) as s "
        f"on s.tweet_id = o.tweet_id and s.day = o.day and o.engagement_type in ({types}) where s.tweet_id is null"
    )


def _coverage(by_lake: dict[str, dict[Table, str]], lake: Lake, *, first: str, second: str) -> str:
    """Return the SELECT of both coverages, in which one row of each Tweet's day has the table engagements.

    The files of a lake within another are named from the outer one.
    """
    parts = []
    for source, another, yields in (
        (first, second, "a.rows > 0 and c.rows = 0"),
        (second, first, "a.rows > 0 or c.rows = 0"),
    ):
        hourly, theirs = lake.of(source).hourly, lake.of(another).hourly
        prefix = "" if source == lake.source else f"{source}/"
        parts.append(
            f"select c.* replace (case when a.tweet_id is null then c.table_name else {quoted(NOT_SHOWN)} end "
            f"as table_name, {quoted(prefix)} || c.source as source) "
            f"from ({by_lake[source][COVERAGE]}) as c left join "
            f"(select tweet_id, day, rows from ({by_lake[another][COVERAGE]}) where endpoint = {quoted(theirs)}) as a "
            f"on c.endpoint = {quoted(hourly)} and a.tweet_id = c.tweet_id and a.day = c.day and ({yields})"
        )
    return " union all by name ".join(parts)
