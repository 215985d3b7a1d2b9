"""A lake whose days pass every check, and what makes some fail."""

import pyarrow as pa
import pyarrow.parquet as pq
from bodies import WINDOW, at, begin, full, land, pulled

from engagement_pipeline.core import tables
from engagement_pipeline.core.tables import ACCOUNT_REFUSED
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish.publisher import publish_pulls

WHOLE = range(24)


def healthy(folder):
    """Return a lake with two healthy days of three Tweets of two handles."""
    lake = Lake(folder / "lake")
    pulled(lake, full([1, 2, 3], 10, hours=WHOLE), at(1))
    publish_pulls(lake)
    roster(lake, {1: "ann", 2: "ann", 3: "bob"})
    return lake


def roster(lake, handles, **more):
    columns = {
        "tweet_id": pa.array(handles, pa.int64()),
        "handle": pa.array(handles.values(), pa.string()),
        "posted_at": pa.array([more.get("posted_at")] * len(handles), tables.TWEETS.schema.field("posted_at").type),
        "followed": pa.array([True] * len(handles)),
    }
    pq.write_table(pa.table(columns), lake.tweets)


def refused(lake, tweets, now, *, days=WINDOW):
    """Make a finished pull of which an account is refused, and publish it."""
    pull = begin(lake, now, window=days)
    land(pull, {}, tweets=tweets, refusal="401: Access token not found", unanswered=ACCOUNT_REFUSED)
    pull.marked(finished=True)
    publish_pulls(lake)
