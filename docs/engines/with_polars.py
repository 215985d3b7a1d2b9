"""Five questions to the bare Parquet of a lake, by Polars: in a folder, or in a bucket.

    python docs/engines/with_polars.py s3://bucket/prefix

docs/engines.md says which rules a reader must keep.
"""

import sys
from datetime import date

import polars as pl

MARCH = pl.col("day").is_between(date(2026, 3, 1), date(2026, 3, 31))
IMPRESSIONS = pl.col("engagement_type") == "impressions"


def answers(place):
    """Return the rows of each answer."""
    owners = pl.scan_parquet(f"{place}/tweets.parquet").select("tweet_id", "handle")
    daily = pl.scan_parquet(f"{place}/daily/*.parquet").join(owners, on="tweet_id")
    hours = pl.scan_parquet(f"{place}/engagements/*/engagements.parquet")
    seen = pl.col("count").sum().alias("impressions")
    top = (
        daily.filter(IMPRESSIONS & MARCH)
        .group_by("tweet_id", "handle")
        .agg(seen)
        .sort(pl.col("impressions"), pl.col("tweet_id"), descending=[True, False])
        .head(5)
        .collect()
        .rows()
    )
    of_type = [
        pl.col("count").filter(pl.col("engagement_type") == name).sum() for name in ("engagements", "impressions")
    ]
    per_hour = pl.col("impressions") / pl.col("hours")
    found = {
        "life": hours.filter(IMPRESSIONS & (pl.col("tweet_id") == top[0][0]))
        .select("date", "hour", "count")
        .sort("date", "hour"),
        "days": daily.filter(IMPRESSIONS).group_by("handle", "day").agg(seen).sort("handle", "day"),
        "rates": daily.filter(pl.col("day") >= date(2026, 3, 1))
        .group_by("handle")
        .agg((100 * of_type[0] / of_type[1]).round(2).alias("rate"))
        .sort("handle"),
        "week": hours.filter(IMPRESSIONS)
        .join(owners, on="tweet_id")
        .group_by("handle", "date", "hour")
        .agg(seen)
        .group_by("handle", pl.col("date").dt.weekday().cast(pl.Int64).alias("weekday"), "hour")
        .agg(pl.col("impressions").sum(), pl.len().alias("hours"))
        .sort("handle", per_hour, "weekday", "hour", descending=[False, True, False, False])
        .unique("handle", keep="first", maintain_order=True),
    }
    return {"top": top, **{question: frame.collect().rows() for question, frame in found.items()}}


if __name__ == "__main__":
    for question, rows in answers(sys.argv[1]).items():
        print(question, *rows[:5], sep="\n  ")
