"""Five questions to the bare Parquet of a lake, by DuckDB: in a folder, or in a bucket.

    python docs/engines/with_duckdb.py s3://bucket/prefix

A bucket is read through PyArrow, so DuckDB needs no extension. docs/engines.md says which rules a reader must keep.
"""

import os
import sys

import duckdb
import pyarrow.dataset
import pyarrow.fs

TOP = """
    select tweet_id, handle, sum("count")::bigint as impressions
    from daily join tweets using (tweet_id)
    where engagement_type = 'impressions' and day between '2026-03-01' and '2026-03-31'
    group by all order by impressions desc, tweet_id limit 5
"""
LIFE = """
    select date as day, hour, "count" as impressions
    from engagements
    where tweet_id = $tweet and engagement_type = 'impressions'
    order by all
"""
DAYS = """
    select handle, day, sum("count")::bigint as impressions
    from daily join tweets using (tweet_id)
    where engagement_type = 'impressions'
    group by all order by all
"""
RATES = """
    select
        handle,
        round(100 * sum("count") filter (engagement_type = 'engagements')
            / sum("count") filter (engagement_type = 'impressions'), 2)::double as rate
    from daily join tweets using (tweet_id)
    where day >= '2026-03-01'
    group by all order by all
"""
WEEK = """
    with hours as (
        select handle, date, hour, sum("count") as impressions
        from engagements join tweets using (tweet_id)
        where engagement_type = 'impressions'
        group by all
    )
    select handle, isodow(date) as weekday, hour, sum(impressions)::bigint as impressions, count(*) as hours
    from hours
    group by handle, weekday, hour
    qualify row_number() over (partition by handle order by sum(impressions) / count(*) desc, weekday, hour) = 1
    order by handle
"""


def answers(place):
    """Return the rows of each answer."""
    connection = duckdb.connect()
    read = from_bucket if place.startswith("s3://") else from_folder
    for name, files in (("tweets", "tweets.parquet"), ("daily", "daily"), ("engagements", "engagements")):
        read(connection, f"{place}/{files}").create_view(name)
    top = connection.sql(TOP).fetchall()
    return {
        "top": top,
        "life": connection.sql(LIFE, params={"tweet": top[0][0]}).fetchall(),
        "days": connection.sql(DAYS).fetchall(),
        "rates": connection.sql(RATES).fetchall(),
        "week": connection.sql(WEEK).fetchall(),
    }


def from_folder(connection, path):
    """Return a table of files that DuckDB reads itself."""
    return connection.read_parquet(path if path.endswith(".parquet") else f"{path}/**/*.parquet")


def from_bucket(connection, path):
    """Return a table of files that PyArrow reads; the store is that of the variables AWS_…."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    store = pyarrow.fs.S3FileSystem(region=os.environ.get("AWS_REGION"), endpoint_override=endpoint)
    return connection.from_arrow(pyarrow.dataset.dataset(path.removeprefix("s3://"), filesystem=store))


if __name__ == "__main__":
    for question, rows in answers(sys.argv[1]).items():
        print(question, *rows[:5], sep="\n  ")
