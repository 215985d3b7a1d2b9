"""The examples for other engines answer five questions of the bare files in a bucket as the views of the lake do."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import boto3
import pytest
from processes import CLONE

from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.query import catalog

EXAMPLES = CLONE / "docs" / "engines"
ENGINES = Path(sys.prefix) / "engines"  # make test-engines installs them there
OTHERS = ("polars", "daft", "spark")
ASK = "import json, runpy, sys; print(json.dumps(runpy.run_path(sys.argv[1])['answers'](sys.argv[2]), default=str))"
FILES = ("tweets.parquet", "daily/*.parquet", "engagements/*/*.parquet")
TRUTH = {
    "top": """
        select tweet_id, handle, sum(impressions)::bigint from tweet_daily
        where day between '2026-03-01' and '2026-03-31'
        group by all order by 3 desc, tweet_id limit 5
    """,
    "life": """
        select day, hour, impressions from tweet_hourly
        where impressions is not null and tweet_id = (
            select tweet_id from tweet_daily where day between '2026-03-01' and '2026-03-31'
            group by all order by sum(impressions) desc, tweet_id limit 1
        )
        order by all
    """,
    "days": """
        select handle, day, impressions from handle_daily where impressions is not null order by all
    """,
    "rates": """
        select handle, round(100 * sum(engagements) / sum(impressions), 2)::double from tweet_daily
        where day >= '2026-03-01' group by all order by all
    """,
    "week": """
        select handle, weekday, local_hour, "count", hours from hour_of_week('UTC')
        where engagement_type = 'impressions'
        qualify row_number() over (partition by handle order by per_hour desc, weekday, local_hour) = 1
        order by handle
    """,
}


@pytest.fixture(scope="module")
def of_one_source(demo_lake, tmp_path_factory):
    """The demo's lake, without what X API v2 gave."""
    without = shutil.ignore_patterns("x_api_v2*", "raw")
    return Lake(shutil.copytree(demo_lake.root, tmp_path_factory.mktemp("engines") / "lake", ignore=without))


@pytest.fixture(scope="module")
def truth(of_one_source):
    """What the views answer, as JSON has it."""
    found = {name: catalog.query(of_one_source, sql).to_pylist() for name, sql in TRUTH.items()}
    return told({name: [[*row.values()] for row in rows] for name, rows in found.items()})


def told(answers):
    return json.loads(json.dumps(answers, default=str))


@pytest.mark.parametrize("engine", ["duckdb", *(pytest.param(name, marks=pytest.mark.engines) for name in OTHERS)])
def test_an_engine_answers_of_the_files_in_a_bucket_as_the_views_do(engine, of_one_source, truth, in_bucket):
    client = boto3.client("s3")
    for path in (path for pattern in FILES for path in of_one_source.root.glob(pattern)):
        key = f"{in_bucket.key}/{path.relative_to(of_one_source.root).as_posix()}"
        client.put_object(Bucket=in_bucket.parts[1], Key=key, Body=path.read_bytes())
    assert asked(engine, str(in_bucket)) == truth


@pytest.mark.engines
@pytest.mark.parametrize("engine", ["duckdb", *OTHERS])
def test_an_engine_answers_of_the_files_in_a_folder_as_the_views_do(engine, of_one_source, truth):
    assert asked(engine, str(of_one_source.root)) == truth


def asked(engine, place):
    """Return what an example answers, in a process with the engines' own versions of what they need."""
    own = {"PYTHONPATH": "" if engine == "duckdb" else str(ENGINES), "SPARK_LOCAL_IP": "127.0.0.1"}
    allowed = {"AWS_ALLOW_HTTP": "true"}  # Polars asks for https alone without it
    command = [sys.executable, "-c", ASK, str(EXAMPLES / f"with_{engine}.py"), place]
    done = subprocess.run(command, env=os.environ | own | allowed, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
