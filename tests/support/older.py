"""Lakes as an older program wrote them, and Tweets that were posted in the course of what is asked for."""

import json
from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engagement_pipeline.core.model import SNOWFLAKE_EPOCH
from engagement_pipeline.publish import coverage
from engagement_pipeline.sources.engagement import flatten
from engagement_pipeline.sources.x_api_v2 import flatten as v2_flatten


def tweet_posted(*moment):
    """Return the ID of a Tweet that was posted at this moment, in UTC."""
    return int((datetime(*moment, tzinfo=UTC) - SNOWFLAKE_EPOCH).total_seconds() * 1000) << 22


def keep_all_zeros(monkeypatch):
    """Read answers as format 2 did: zeros of hours before a Tweet was posted are rows."""
    monkeypatch.setattr(flatten, "_since_posted", lambda rows, _request: (rows, 0))
    monkeypatch.setattr(v2_flatten, "since_posted", lambda rows, _tweets, first: (rows, 0))
    monkeypatch.setattr(coverage, "before_posted", lambda tweets, _hours: np.zeros(len(tweets), np.bool_))


def made_format_2(lake):
    """Write a lake's files as format 2 had them: hours of 8 bits, and a column `day` in each file of a day's folder."""
    for path in lake.root.rglob("*.parquet"):
        table = pq.read_table(path, partitioning=None)
        metadata = table.schema.metadata
        if "hour" in table.column_names:
            place = table.column_names.index("hour")
            table = table.set_column(
                place, pa.field("hour", pa.uint8(), nullable=False), table["hour"].cast(pa.uint8())
            )
        table = table.rename_columns(["day" if name == "date" else name for name in table.column_names])
        if metadata and b"engagement_pipeline" in metadata:
            made_by = json.loads(metadata[b"engagement_pipeline"]) | {"format": 2}
            table = table.replace_schema_metadata({"engagement_pipeline": json.dumps(made_by)})
        pq.write_table(table, path, compression="zstd", write_page_checksum=True)
    (lake.root / "lake.json").write_text('{"format": 2}')


def made_format_1(lake):
    """Write a lake's files as format 1 had them: without sums by day, revisions, and the first time of a pull."""
    made_format_2(lake)
    for path in [*lake.root.glob("daily/*"), *lake.root.glob("revisions/*/*")]:
        path.unlink()
    for path in lake.root.glob("coverage/*/*/*.parquet"):
        table = pq.read_table(path, partitioning=None)
        pq.write_table(table.drop_columns(["first_pulled_at"]), path)
    (lake.root / "lake.json").write_text('{"format": 1}')
