"""What a lake holds, as plain Python values to compare."""

import os

import pyarrow.parquet as pq

from engagement_pipeline import pipeline
from engagement_pipeline.core import settings
from engagement_pipeline.query import catalog


def asked(lake, sql):
    """Answer SQL over the tables as Arrow; without the marts, whose views take the longest to make."""
    with catalog.connect(lake, marts=False) as connection:
        return catalog.as_arrow(connection.sql(sql))


def counts(lake):
    """Return the tidy table as a dictionary; a row that is there twice fails."""
    table = asked(lake, "select tweet_id, engagement_type, day, hour, count from engagements")
    rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
    found = {row[:4]: row[4] for row in rows}
    assert len(found) == len(rows)
    return found


def coverage(lake, columns="tweet_id, day, outcome, rows"):
    table = asked(lake, f"select {columns} from coverage order by tweet_id, day")
    return [tuple(row.values()) for row in table.to_pylist()]


def tables(lake):
    """Return every row of both tables."""
    return counts(lake), coverage(lake, "*")


VIEWS = ("engagements", "daily", "coverage", "revisions", "totals", "recent")


def contents(lake, *views):
    """Return all rows of some views, by default of all that hold what was pulled; one that is there twice counts."""
    with catalog.connect(lake, marts=False) as connection:
        return {view: sorted(connection.sql(f"from {view}").fetchall(), key=repr) for view in views or VIEWS}


def check_daily(lake):
    """Fail where the daily sums are not those of the rows."""
    sums = "select tweet_id, engagement_type, day, sum(count)::bigint as count from engagements group by all"
    assert asked(lake, f"(from daily except all {sums}) union all ({sums} except all from daily)").num_rows == 0


def outcomes(lake):
    return {(tweet, outcome) for tweet, _, outcome, _ in coverage(lake)}


def rebuilt(lake, table=None, *, first=None, last=None):
    """Do what `engagement rebuild` does."""
    chosen = settings.load({"ENGAGEMENT_CONFIG": os.devnull, "ENGAGEMENT_DATA": str(lake.home.root)})
    return pipeline.rebuild(chosen, table, first=first, last=last)


def parquet_files(lake):
    """Return every Parquet file byte for byte."""
    return {path.relative_to(lake.root): path.read_bytes() for path in lake.root.rglob("*.parquet")}


def everything(lake):
    """Return the rows of every Parquet file, without SQL."""
    return {
        path.relative_to(lake.root): sorted(pq.read_table(path).to_pylist(), key=repr)
        for path in lake.root.rglob("*.parquet")
    }


def file_of(lake, kind, day):
    """Return where the `rows` or the `coverage` of a day's hours lie."""
    return lake.coverage(lake.hourly, day) if kind == "coverage" else lake.rows(lake.hourly.table, day)
