"""Five questions to the bare Parquet of a lake, by Daft: in a folder, or in a bucket.

    python docs/engines/with_daft.py s3://bucket/prefix

docs/engines.md says which rules a reader must keep.
"""

import os
import sys
from datetime import date

import daft
from daft import col
from daft.io import IOConfig, S3Config

IMPRESSIONS = col("engagement_type") == "impressions"
SEEN = col("count").sum().alias("impressions")
MARCH = (col("day") >= date(2026, 3, 1)) & (col("day") <= date(2026, 3, 31))


def answers(place):
    """Return the rows of each answer."""
    store = S3Config(endpoint_url=os.environ.get("AWS_ENDPOINT_URL"), region_name=os.environ.get("AWS_REGION"))
    tweets, daily, hours = (
        daft.read_parquet(f"{place}/{files}", io_config=IOConfig(s3=store))
        for files in ("tweets.parquet", "daily/*.parquet", "engagements/*/engagements.parquet")
    )
    owners = tweets.select("tweet_id", "handle")
    daily = daily.join(owners, on="tweet_id")
    top = rows(
        daily.where(IMPRESSIONS & MARCH)
        .groupby("tweet_id", "handle")
        .agg(SEEN)
        .sort(["impressions", "tweet_id"], desc=[True, False])
        .limit(5)
    )
    by_type = daily.where(col("day") >= date(2026, 3, 1)).groupby("handle", "engagement_type").agg(SEEN)
    sums = {(handle, name): number for handle, name, number in rows(by_type)}
    handles = sorted({handle for handle, _ in sums})
    return {
        "top": top,
        "life": rows(
            hours.where(IMPRESSIONS & (col("tweet_id") == top[0][0]))
            .select("date", "hour", "count")
            .sort(["date", "hour"])
        ),
        "days": rows(daily.where(IMPRESSIONS).groupby("handle", "day").agg(SEEN).sort(["handle", "day"])),
        "rates": [
            (handle, round(100 * sums[handle, "engagements"] / sums[handle, "impressions"], 2)) for handle in handles
        ],
        "week": best_hours(hours, owners),
    }


def best_hours(hours, owners):
    """Return for each handle the hour of the week in which its Tweets are seen most."""
    week = (
        hours.where(IMPRESSIONS)
        .join(owners, on="tweet_id")
        .groupby("handle", "date", "hour")
        .agg(SEEN)
        .with_column("weekday", (col("date").day_of_week() + 1).cast(daft.DataType.int64()))
        .groupby("handle", "weekday", "hour")
        .agg(col("impressions").sum(), col("date").count().alias("hours"))
        .with_column("per_hour", col("impressions") / col("hours"))
        .sort(["handle", "per_hour", "weekday", "hour"], desc=[False, True, False, False])
        .select("handle", "weekday", "hour", "impressions", "hours")
    )
    best = {}
    for row in rows(week):
        best.setdefault(row[0], row)
    return list(best.values())


def rows(frame):
    """Return the rows of a frame."""
    return [tuple(row.values()) for row in frame.to_pylist()]


if __name__ == "__main__":
    for question, found in answers(sys.argv[1]).items():
        print(question, *found[:5], sep="\n  ")
