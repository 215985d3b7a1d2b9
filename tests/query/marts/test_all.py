"""What holds of every mart: its key, its types, any session's time zone, and a catalogue that is attached."""

import re
from datetime import UTC, datetime

import duckdb
import pytest
import v2_bodies
from bodies import WINDOW, at, full, pulled
from traps import OLD

from engagement_pipeline.core.endpoints import ANALYTICS_TOTALS, MEDIA
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.query import catalog
from engagement_pipeline.query.views import all_macros, all_views

CALLS = {
    "engagements_as_of": "engagements_as_of('2026-01-15')",
    "explain": f"explain({OLD}, 'impressions', '2026-01-11', 5)",
    "hour_of_week": "hour_of_week('Asia/Kolkata')",
    "local_days": "local_days('America/New_York')",
    "posting_hours": "posting_hours('Europe/Berlin')",
}
MARTS = {view.name: view for view in (*all_views(), *all_macros())}
SOURCES = {name: CALLS.get(name, name) for name in MARTS}
OF_TWO_SOURCES = {"source_agreement", "window_audit", "media", "media_coverage", "tweet_media"}
ZONES = ("UTC", "Pacific/Kiritimati", "America/New_York")


@pytest.fixture(scope="module")
def connection(trapped):
    with catalog.connect(trapped) as connection:
        yield connection


def test_every_macro_is_called_here():
    assert {*CALLS} == {macro.name for macro in all_macros()}


@pytest.mark.parametrize("name", MARTS)
def test_the_key_tells_rows_apart(connection, name):
    _, _, named = MARTS[name].description.partition("The key is ")
    key = ", ".join(re.findall(r"\w+", named.replace(" and ", " ")))
    rows, keys = connection.sql(f"select count(*), count(distinct ({key})) from {SOURCES[name]}").fetchall()[0]
    assert rows == keys


@pytest.mark.parametrize("name", MARTS)
def test_each_column_has_its_meaning_in_order(connection, name):
    assert connection.sql(f"from {SOURCES[name]}").columns == [*MARTS[name].columns]


@pytest.mark.parametrize("name", MARTS)
def test_counts_are_of_64_bits_and_times_have_a_zone(connection, name):
    found = {str(kind) for kind in connection.sql(f"from {SOURCES[name]}").types}
    assert not {kind for kind in found if re.search(r"HUGEINT|TINYINT|SMALLINT|UINT|FLOAT|TIMESTAMP$", kind)}


@pytest.fixture(scope="module")
def of_two_sources(tmp_path_factory):
    """A lake with the same hours of two sources, of which one was pulled soon; and of a video of the Tweet."""
    lake = Lake(tmp_path_factory.mktemp("two") / "lake")
    pulled(lake, full([1], 5), at(1))
    publish_pulls(lake)
    v2_bodies.pulled(lake, full([1], 6), datetime(2026, 1, 3, 1, tzinfo=UTC))
    v2_bodies.pulled(lake, {(1, "impressions", WINDOW.first, 0): 24}, at(1), endpoint=ANALYTICS_TOTALS)
    v2_bodies.pulled(lake, full([5], 7, types=("video_views",)), at(2), endpoint=MEDIA)
    v2_bodies.follow(lake, {1: "7_5"})
    catalog.refresh(lake)
    return lake


@pytest.fixture(scope="module")
def attached(trapped, of_two_sources):
    with duckdb.connect() as connection:
        connection.execute(f"attach '{trapped.catalog}' as lake (read_only)")
        connection.execute(f"attach '{of_two_sources.catalog}' as two (read_only)")
        yield connection


@pytest.mark.parametrize("name", MARTS)
def test_no_session_s_time_zone_changes_an_answer_of_the_attached_catalogue(attached, name):
    found = []
    for zone in ZONES:
        attached.execute(f"set timezone = '{zone}'")
        where = "two" if name in OF_TWO_SOURCES else "lake"
        found.append(attached.sql(f"select * from {where}.{SOURCES[name]} order by all").fetchall())
    assert found[0]
    assert found == [found[0]] * len(ZONES)
