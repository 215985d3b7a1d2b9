"""Whoever reads while files are replaced gets counts of before or of after, from tables and marts alike.

A publication puts its files in their places one after another. So a query may meet the new file of one day, and the old
one of another. Where a mart says that it is complete, its sum is still that of a publication.
"""

import threading
from collections import Counter
from contextlib import suppress
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bodies import at, full, pulled

from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.core.model import SNOWFLAKE_EPOCH, Window
from engagement_pipeline.core.tables import TWEETS
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.publish.rebuild import rebuild_table
from engagement_pipeline.query import catalog

pytestmark = pytest.mark.marts

WINDOW = Window(date(2026, 1, 1), date(2026, 1, 2))
DAYS, HOURS = 2, 24
BORN = datetime(2026, 1, 1, tzinfo=UTC)
IDS = [(int((BORN - SNOWFLAKE_EPOCH).total_seconds() * 1000) << 22) + number for number in (1, 2, 3)]
# Each gives sums beside what a sum must be divided by to give the count that a publication has everywhere.
QUESTIONS = {
    "engagements": 'select sum("count"), count(*) from engagements group by tweet_id, engagement_type, day',
    "tweet_daily": f"select impressions, {HOURS} from tweet_daily where complete",
    "handle_daily": f"select impressions + url_clicks, {2 * HOURS * len(IDS)} from handle_daily where complete",
    "tweet_lifetime": f"select impressions, {HOURS * DAYS} from tweet_lifetime where whole",
    "tweet_age": 'select sum("count"), count(*) from tweet_age group by tweet_id, engagement_type, age_hours // 24',
    "hour_of_week": "select \"count\", 3 from hour_of_week('UTC')",
}


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path / "lake")
    lake.open()
    columns = {"tweet_id": IDS, "handle": ["ann"] * 3, "posted_at": [BORN] * 3, "followed": [True] * 3}
    pq.write_table(pa.table(columns, schema=TWEETS.schema), lake.tweets)
    publish(lake, 1)
    return lake


def publish(lake, count):
    """Pull and publish all days anew, with the same count everywhere."""
    cells = full(IDS, count, window=WINDOW, hours=range(HOURS))
    pulled(lake, cells, at(1) + timedelta(minutes=count), window=WINDOW)
    publish_pulls(lake)
    catalog.refresh(lake)


def wrong(rows, counts):
    """Return the rows that no publication of these counts has."""
    return [(total, parts) for total, parts in rows if total % parts or total // parts not in counts]


def test_between_any_two_files_of_a_publication_all_sums_are_of_one(lake, monkeypatch):
    """Asked after each rename, over a connection that was open before."""
    replace, found, asked = Path.replace, [], Counter()
    with duckdb.connect(str(lake.catalog), read_only=True) as connection:

        def replaced(self, target):
            done = replace(self, target)
            if Path(target).suffix == ".parquet":
                asked[Path(target).name] += 1
                for name, question in QUESTIONS.items():
                    rows = connection.sql(question).fetchall()
                    found.extend((name, Path(target).name, row) for row in wrong(rows, {1, 2}))
            return done

        monkeypatch.setattr(Path, "replace", replaced)
        publish(lake, 2)
    # The month's is that of daily, and later those of the two marts that are kept in files.
    assert asked == {"engagements.parquet": 2, "2026-01.parquet": 3, "coverage.parquet": 2} | {
        name: 1 for name in asked if name.startswith("2026-01-01_")
    }
    assert found == []
    for name, question in QUESTIONS.items():
        (counts,) = {total // parts for total, parts in duckdb_rows(lake, question)}
        assert counts == 2, name


def duckdb_rows(lake, question):
    with duckdb.connect(str(lake.catalog), read_only=True) as connection:
        return connection.sql(question).fetchall()


@pytest.mark.faults
def test_ten_readers_beside_pulls_publications_and_rebuilds_meet_no_wrong_sum(lake):
    """One that meets a file in the moment of its replacement may fail, and is right when it asks again."""
    over, found, right = threading.Event(), [], Counter()

    def reader(place):
        questions = [*QUESTIONS.items()]
        while not over.is_set():
            place += 1
            name, question = questions[place % len(questions)]
            with suppress(duckdb.Error):
                rows = duckdb_rows(lake, question)
                found.extend((name, row) for row in wrong(rows, {*range(1, 13)}))
                right[name] += 1

    readers = [threading.Thread(target=reader, args=(place,)) for place in range(10)]
    for each in readers:
        each.start()
    try:
        for count in range(2, 13):
            publish(lake, count)
            if count % 4 == 0:
                list(rebuild_table(lake, HISTORICAL, first=WINDOW.first, last=WINDOW.last))
    finally:
        over.set()
        for each in readers:
            each.join()
    assert found == []
    assert right.keys() == QUESTIONS.keys()
