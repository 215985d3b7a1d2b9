"""engagement.duckdb in other versions of DuckDB: each view and macro answers there as it does here."""

import json

import duckdb
import pytest
from duckdbs import answers, installed

from engagement_pipeline.core.tables import TABLES
from engagement_pipeline.query import catalog
from engagement_pipeline.query.views import all_views

pytestmark = pytest.mark.marts

MANY_SECONDS, FEW_SECONDS = 300, 20
VIEWS = [table.name for table in TABLES.values()] + [view.name for view in all_views()]
ZONE = "set timezone = 'America/New_York'"
QUERIES = [
    *(f"select count(*) from {view}" for view in VIEWS),
    "select day, hour, sum(\"count\")::bigint from engagements_as_of('2026-02-01 02:30:00') group by all order by all",
    "select count(*) from engagements_as_of(timestamptz '2026-02-01 02:30:00+00')",
    "select max(asked_at at time zone 'UTC')::varchar from coverage group by outcome order by all",
    *(f"select columns(*)::varchar from {view.name} order by all" for view in all_views()),
    *(
        f"select columns(*)::varchar from {name}('Asia/Kolkata') order by all"
        for name in ("local_days", "hour_of_week", "posting_hours")
    ),
    "select columns(*)::varchar from explain(1, 'impressions', '2026-01-01', 0)",
    "select count(*) from duckdb_views() where not internal and comment is not null",
]


@pytest.mark.parametrize(
    ("version", "seconds"),
    [
        pytest.param("1.1.3", FEW_SECONDS),
        *(pytest.param(version, MANY_SECONDS, marks=pytest.mark.duckdb) for version in ("1.2.2", "1.3.2", "1.4.4")),
        pytest.param("1.5.0", MANY_SECONDS, marks=pytest.mark.duckdb),
    ],
)
def test_an_older_duckdb_answers_as_this_one_does(history, version, seconds):
    if not installed(version, seconds=seconds):
        pytest.skip(f"the package index gave no duckdb {version} in {seconds} seconds")
    path = catalog.refresh(history)
    with duckdb.connect(str(path), read_only=True) as connection:
        connection.execute(ZONE)
        here = [connection.execute(query).fetchall() for query in QUERIES]
    assert answers(version, path, QUERIES, statements=[ZONE]) == json.loads(json.dumps(here, default=str))
    attached = [f"attach '{path}' as lake (read_only)", "use lake", ZONE]
    assert answers(version, ":memory:", QUERIES, statements=attached) == json.loads(json.dumps(here, default=str))
