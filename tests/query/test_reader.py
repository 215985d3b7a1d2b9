"""A lake with a past, read in Python."""

import subprocess
import sys
from datetime import date

import numpy as np
import pandas as pd
import pytest
from checked import healthy
from histories import FIRST, SECOND

import engagement_pipeline as ep
from engagement_pipeline.core.errors import EngagementError, InputError
from engagement_pipeline.core.tables import ENGAGEMENTS
from engagement_pipeline.query import catalog


@pytest.fixture
def lake(history):
    return ep.open(history.root)


def test_a_table_has_its_columns_and_all_its_rows(history, lake):
    frame = lake.read("engagements")
    assert [*frame.columns] == [column.name for column in ENGAGEMENTS.columns]
    assert len(frame) == catalog.query(history, "select count(*) as n from engagements")["n"][0].as_py() > 0


def test_days_bound_the_rows(lake):
    assert {*lake.read("daily", first=SECOND, last=str(SECOND))["day"]} == {SECOND}
    assert {*lake.read("daily", last=FIRST)["day"]} == {FIRST}


def test_tweets_and_types_choose_rows(lake):
    whole = lake.read("daily")
    tweet, name = whole["tweet_id"][0], "url_clicks"
    chosen = whole[(whole["tweet_id"] == tweet) & (whole["engagement_type"] == name)]
    found = lake.read("daily", tweets=np.array([tweet]), types=[name])
    assert len(found) == len(chosen) > 0
    assert {*found["tweet_id"]} == {tweet}


def test_a_handle_is_that_of_the_tweets_owner(tmp_path):
    lake = ep.open(healthy(tmp_path).root)
    assert {*lake.read("daily", handles=["ann"])["tweet_id"]} == {1, 2}
    assert {*lake.read("tweets", handles=["bob"])["tweet_id"]} == {3}
    assert {*lake.read("daily", handles=["ann", "bob"])["tweet_id"]} == {1, 2, 3}
    assert lake.read("daily", handles=["nobody"]).empty


@pytest.mark.parametrize("chosen", [{"tweets": []}, {"types": []}, {"handles": []}])
def test_a_choice_of_nothing_is_no_rows(lake, chosen):
    assert lake.read("daily", **chosen).empty


def test_every_column_is_backed_by_arrow_so_that_ids_stay_whole(lake):
    frame = lake.read("engagements")
    assert all(isinstance(dtype, pd.ArrowDtype) for dtype in frame.dtypes)
    assert frame["tweet_id"].dtype.pyarrow_dtype == "int64"


@pytest.mark.marts
def test_marts_and_the_metric_dictionary_can_be_read_too(lake):
    assert "impressions" in {*lake.read("metrics")["engagement_type"]}
    lake.read("settling")


def test_a_query_is_answered_with_the_same_types(lake):
    frame = lake.sql("select max(tweet_id) as newest, null::bigint as none from daily")
    assert [str(dtype) for dtype in frame.dtypes] == ["int64[pyarrow]"] * 2


def test_a_relation_becomes_arrow(lake):
    relation = lake.relation("daily", first=SECOND)
    assert relation.filter("engagement_type = 'impressions'").to_arrow_table().num_rows > 0
    assert relation.to_arrow_table().num_rows == len(lake.read("daily", first=SECOND))


def test_a_relation_reads_no_other_file(lake, tmp_path):
    (tmp_path / "secret.csv").write_text("a\n1\n")
    with pytest.raises(Exception, match="disabled"):
        lake.relation("daily").query("daily", f"from '{tmp_path}/secret.csv'").fetchall()


@pytest.mark.marts
def test_each_view_is_described_with_its_columns(lake):
    told = lake.tables().set_index("name")
    assert told.loc["daily", "one_row_is"].startswith("a count of engagements")
    assert [*told.loc["daily", "columns"]] == [*lake.read("daily").columns]
    for name, columns in told["columns"].items():
        assert {*columns} <= {*lake.relation(name).columns}


@pytest.mark.parametrize(
    ("table", "filters", "told"),
    [
        ("engagement", {}, "there is no table 'engagement': choose from .*, daily, "),
        ("tweets", {"first": date(2026, 1, 1)}, "tweets has no column day: leave out first"),
        ("metrics", {"handles": ["ann"]}, "metrics has no column tweet_id: leave out handles"),
        ("daily", {"last": "yesterday"}, "'yesterday' is not a day such as 2026-01-31"),
        ("daily", {"types": "impressions"}, r"types takes a list: write types=\['impressions'\]"),
        ("daily", {"tweets": 12}, r"tweets takes a list: write tweets=\[12\]"),
        ("daily", {"tweets": ["1 or true"]}, "'1 or true' is no Tweet's ID, which is a whole number"),
        ("daily", {"tweets": ["9" * 5000]}, "'9{20}' is no Tweet's ID, which is a whole number"),
        ("daily", {"handle": ["ann"]}, "there is no filter 'handle': choose from handles, tweets, types, first, last"),
    ],
)
def test_what_cannot_be_chosen_is_refused_in_one_line(lake, table, filters, told):
    with pytest.raises(InputError, match=f"^{told}"):
        lake.read(table, **filters)


def test_text_is_never_a_part_of_the_query(lake):
    assert lake.read("daily", handles=["x') or true --"]).empty


def test_a_folder_without_a_lake_is_named(tmp_path):
    with pytest.raises(EngagementError, match=str(tmp_path)):
        ep.open(tmp_path / "nowhere")


def test_the_settings_lake_is_opened_without_a_folder(history, monkeypatch):
    monkeypatch.setenv("ENGAGEMENT_CONFIG", "/dev/null")
    monkeypatch.setenv("ENGAGEMENT_DATA", str(history.root))
    assert len(ep.open().read("daily")) > 0


def test_the_package_imports_pandas_only_for_those_who_read():
    code = "import sys, engagement_pipeline; assert 'pandas' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
    with pytest.raises(AttributeError, match="has no attribute 'opne'"):
        _ = ep.opne
