"""One truth from two sources: which count is shown, that nothing is added up, and that both stay known."""

from datetime import date

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import v2_bodies
from bodies import WINDOW, at, full, pulled

from engagement_pipeline.core.endpoints import ANALYTICS, HISTORICAL
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.query import catalog, files, truth
from engagement_pipeline.query.views import all_views

pytestmark = pytest.mark.marts

BOTH_GAVE, OLD_ALONE, NEW_ALONE = 1, 2, 3
NEW_TYPES = ("bookmarks", "impressions")
GONE = {"type": "https://api.x.com/2/problems/resource-not-found", "detail": "It is gone.", "resource_id": "2"}


@pytest.fixture
def lake(tmp_path):
    """Two days of two Tweets of each source, of which one Tweet is of both; v2's counts are ten times as high."""
    lake = Lake(tmp_path / "lake")
    pulled(lake, full([BOTH_GAVE, OLD_ALONE], 5), at(1))
    publish_pulls(lake)
    v2_bodies.pulled(lake, full([BOTH_GAVE, NEW_ALONE], 50, types=NEW_TYPES), at(2), tweets=(1, 2, 3), errors=[GONE])
    return lake


def rows(lake, sql):
    return [tuple(row.values()) for row in catalog.query(lake, sql).to_pylist()]


def shown(lake, view="engagements"):
    return rows(lake, f'select distinct tweet_id, engagement_type, "count" from {view} order by all')


BY_ENGAGEMENT = [
    (BOTH_GAVE, "bookmarks", 50),
    (BOTH_GAVE, "impressions", 5),
    (BOTH_GAVE, "url_clicks", 5),
    (OLD_ALONE, "impressions", 5),
    (OLD_ALONE, "url_clicks", 5),
    (NEW_ALONE, "bookmarks", 50),
    (NEW_ALONE, "impressions", 50),
]


def test_of_a_tweet_that_both_answered_the_shown_source_s_count_is_there_once(lake):
    assert shown(lake) == BY_ENGAGEMENT
    assert rows(lake, "select count(*) from engagements") == [(len(BY_ENGAGEMENT) * 4,)]


def test_the_sums_of_days_are_of_the_same_source(lake):
    assert shown(lake, "daily") == [(tweet, name, count * 2) for tweet, name, count in BY_ENGAGEMENT]


def test_the_other_source_is_shown_first_once_the_lake_says_so(lake):
    lake.show("x_api_v2")
    assert shown(lake) == [
        (BOTH_GAVE, "bookmarks", 50),
        (BOTH_GAVE, "impressions", 50),
        *[row for row in BY_ENGAGEMENT if row[0] != BOTH_GAVE],
    ]


def test_what_is_shown_first_outlives_an_upgrade(lake):
    lake.show("x_api_v2")
    lake.mark()
    assert (lake.shown, lake.open()) == ("x_api_v2", 3)


def test_both_counts_stay_known(lake):
    found = rows(
        lake,
        'select distinct source, "count" from engagements_by_source where tweet_id = 1 '
        "and engagement_type = 'impressions' order by all",
    )
    assert found == [("engagement", 5), ("x_api_v2", 50)]


def test_coverage_tells_which_source_answered_and_each_tweet_s_day_has_one_that_is_shown(lake):
    day = WINDOW.first
    found = rows(lake, f"select tweet_id, endpoint, table_name, outcome from coverage where day = '{day}' order by all")
    assert found == [
        (BOTH_GAVE, "analytics", "engagements_by_source", "stored"),
        (BOTH_GAVE, "historical", "engagements", "stored"),
        (OLD_ALONE, "analytics", "engagements_by_source", "unavailable"),
        (OLD_ALONE, "historical", "engagements", "stored"),
        (NEW_ALONE, "analytics", "engagements", "stored"),
    ]


def test_the_response_that_gave_rows_is_named_from_the_lake(lake):
    for (source,) in rows(lake, "select distinct source from coverage where source is not null"):
        assert (lake.root / source).is_file()


def test_what_one_source_sets_aside_is_listed_with_its_endpoint(lake):
    assert rows(lake, "select tweet_id, endpoint, text from set_aside") == [(2, ANALYTICS.name, "It is gone.")]


def test_only_revisions_of_shown_counts_are_shown(lake):
    pulled(lake, full([BOTH_GAVE], 6), at(3))
    publish_pulls(lake)
    v2_bodies.pulled(lake, full([BOTH_GAVE], 60, types=NEW_TYPES), at(4))
    found = rows(lake, "select distinct engagement_type, old, new from revisions order by all")
    assert found == [("bookmarks", 50, 60), ("impressions", 5, 6), ("url_clicks", 5, 6)]


def test_a_day_is_complete_where_its_source_gave_all_hours(lake):
    hours = range(24)
    pulled(lake, full([BOTH_GAVE], 5, hours=hours), at(5))
    publish_pulls(lake)
    v2_bodies.pulled(lake, full([BOTH_GAVE], 50, types=NEW_TYPES, hours=hours), at(6))
    table = pa.table(
        {
            "tweet_id": [1],
            "handle": ["ann"],
            "posted_at": pa.array([None], pa.timestamp("ms", "UTC")),
            "followed": [True],
        }
    )
    pq.write_table(table, lake.tweets)
    assert rows(lake, "select distinct complete, types, hours_measured from tweet_daily") == [(True, 3, 24)]


def test_the_catalogue_answers_the_same_and_is_written_again_once_a_second_source_came(tmp_path, lake):
    alone = Lake(tmp_path / "alone")
    pulled(alone, full([BOTH_GAVE], 5), at(1))
    publish_pulls(alone)
    before = catalog.refresh(alone).stat().st_ino
    v2_bodies.pulled(alone, full([NEW_ALONE], 50, types=NEW_TYPES), at(2))
    assert catalog.refresh(alone).stat().st_ino != before
    with duckdb.connect(str(catalog.refresh(lake)), read_only=True) as connection:
        found = connection.execute('select distinct tweet_id, engagement_type, "count" from engagements order by all')
        assert found.fetchall() == BY_ENGAGEMENT


def test_with_one_source_the_views_are_those_over_its_files(tmp_path):
    lake = Lake(tmp_path / "lake")
    pulled(lake, full([1], 5), at(1))
    publish_pulls(lake)
    place = files.fixed(lake)
    selects = truth.selects(lake, place)
    assert selects["engagements"] == files.source(lake, HISTORICAL.table, place)


def test_the_marts_that_know_which_types_one_source_alone_serves_are_right():
    sql = next(view.sql for view in all_views() if view.name == "daily_wide")
    for mine, other in ((ANALYTICS, HISTORICAL), (HISTORICAL, ANALYTICS)):
        alone = ", ".join(f"'{name}'" for name in mine.types if name not in other.types)
        assert f"({alone})" in " ".join(sql.split()).replace("( ", "(")


def test_the_agreement_is_that_of_hours_which_both_gave(lake):
    found = rows(
        lake,
        "select engagement_type, day, engagement, x_api_v2, ratio, hours, hours_that_differ, largest_difference, "
        "young_hours from source_agreement order by day",
    )
    assert found == [("impressions", day, 10, 100, 10.0, 2, 2, 45, 0) for day in (date(2026, 1, 1), date(2026, 1, 2))]
