"""Five questions to the bare Parquet of a lake, by Spark: in a folder, or in a bucket.

    python docs/engines/with_spark.py s3://bucket/prefix

Spark itself reads a folder. A bucket is read by PyArrow in Spark's workers, a file a task, so no jar is needed. With
those of hadoop-aws, spark.read.parquet("s3a://bucket/prefix/daily") is to do the same; that was not tried.
docs/engines.md says which rules a reader must keep.
"""

import os
import sys

import pyarrow.fs
import pyarrow.parquet as pq
from pyspark.sql import SparkSession

TABLES = {
    "tweets": ("tweets.parquet", "tweet_id long, handle string"),
    "daily": ("daily", "tweet_id long, engagement_type string, day date, count long"),
    "engagements": ("engagements", "tweet_id long, engagement_type string, date date, hour int, count long"),
}
TOP = """
    select tweet_id, handle, sum(count) as impressions
    from daily join tweets using (tweet_id)
    where engagement_type = 'impressions' and day between '2026-03-01' and '2026-03-31'
    group by all order by impressions desc, tweet_id limit 5
"""
LIFE = """
    select date as day, hour, count as impressions
    from engagements
    where tweet_id = {tweet} and engagement_type = 'impressions'
    order by all
"""
DAYS = """
    select handle, day, sum(count) as impressions
    from daily join tweets using (tweet_id)
    where engagement_type = 'impressions'
    group by all order by all
"""
RATES = """
    select
        handle,
        round(100 * sum(count) filter (where engagement_type = 'engagements')
            / sum(count) filter (where engagement_type = 'impressions'), 2) as rate
    from daily join tweets using (tweet_id)
    where day >= '2026-03-01'
    group by all order by all
"""
WEEK = """
    with hours as (
        select handle, date, hour, sum(count) as impressions
        from engagements join tweets using (tweet_id)
        where engagement_type = 'impressions'
        group by all
    ),
    week as (
        select handle, weekday(date) + 1 as weekday, hour, sum(impressions) as impressions, count(*) as hours
        from hours
        group by all
    ),
    ranked as (
        select *, row_number() over (partition by handle order by impressions / hours desc, weekday, hour) as place
        from week
    )
    select handle, weekday, hour, impressions, hours from ranked where place = 1 order by handle
"""


def answers(place):
    """Return the rows of each answer."""
    builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
    builder = builder.config("spark.sql.session.timeZone", "UTC").config("spark.sql.shuffle.partitions", 4)
    with builder.getOrCreate() as spark:
        for name, (files, columns) in TABLES.items():
            read = from_bucket if place.startswith("s3://") else from_folder
            read(spark, f"{place}/{files}", columns).createOrReplaceTempView(name)
        top = rows(spark.sql(TOP))
        return {
            "top": top,
            "life": rows(spark.sql(LIFE, tweet=top[0][0])),
            "days": rows(spark.sql(DAYS)),
            "rates": rows(spark.sql(RATES)),
            "week": rows(spark.sql(WEEK)),
        }


def from_folder(spark, path, columns):
    """Return a table whose files Spark reads itself."""
    names = [column.split()[0] for column in columns.split(", ")]
    return spark.read.parquet(path).select(names)


def from_bucket(spark, path, columns):
    """Return a table of which each file is read by a task."""
    names = [column.split()[0] for column in columns.split(", ")]
    found = files(path.removeprefix("s3://"))

    def read(batches):
        for batch in batches:
            for file in batch.column(0).to_pylist():
                with pq.ParquetFile(store().open_input_file(file)) as opened:
                    for some in opened.iter_batches(columns=names):
                        yield some.select(names).cast(plain(some.select(names).schema))

    listed = spark.createDataFrame([(file,) for file in found], "path string")
    return listed.repartition(len(found)).mapInArrow(read, columns)


def files(path):
    """Return the files at a place: it, or those in it whose names end as those of tables do."""
    found = store().get_file_info(path)
    if found.type is pyarrow.fs.FileType.File:
        return [path]
    inside = store().get_file_info(pyarrow.fs.FileSelector(path, recursive=True))
    return sorted(file.path for file in inside if file.path.endswith(".parquet"))


def store():
    """Return the bucket's store, of the variables AWS_…."""
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    return pyarrow.fs.S3FileSystem(region=os.environ.get("AWS_REGION"), endpoint_override=endpoint)


def plain(schema):
    """Return a schema without dictionaries."""
    import pyarrow as pa

    kinds = [field.type.value_type if pa.types.is_dictionary(field.type) else field.type for field in schema]
    return pa.schema(list(zip(schema.names, kinds, strict=True)))


def rows(frame):
    """Return the rows of a frame."""
    return [tuple(row) for row in frame.collect()]


if __name__ == "__main__":
    for question, found in answers(sys.argv[1]).items():
        print(question, *found[:5], sep="\n  ")
