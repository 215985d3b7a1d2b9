"""Tables as DataFrames, from a lake with a past."""

from datetime import date

import pandas as pd
import pytest
from histories import FIRST, SECOND

from engagement_pipeline import frames
from engagement_pipeline.core import settings
from engagement_pipeline.core.errors import InputError
from engagement_pipeline.core.tables import ENGAGEMENTS
from engagement_pipeline.query import catalog


@pytest.fixture
def chosen(history):
    return settings.load({"ENGAGEMENT_CONFIG": "/dev/null", "ENGAGEMENT_DATA": str(history.root)})


def test_a_table_has_its_columns_and_all_its_rows(history, chosen):
    frame = frames.read(chosen, "engagements")
    assert [*frame.columns] == [column.name for column in ENGAGEMENTS.columns]
    assert len(frame) == catalog.query(history, "select count(*) as n from engagements")["n"][0].as_py() > 0


def test_days_bound_the_rows(chosen):
    assert {*frames.read(chosen, "daily", first=SECOND, last=SECOND)["day"]} == {SECOND}
    assert {*frames.read(chosen, "daily", last=FIRST)["day"]} == {FIRST}


def test_every_column_is_backed_by_arrow_so_that_ids_stay_whole(chosen):
    frame = frames.read(chosen, "engagements")
    assert all(isinstance(dtype, pd.ArrowDtype) for dtype in frame.dtypes)
    assert frame["tweet_id"].dtype.pyarrow_dtype == "int64"


def test_marts_and_the_metric_dictionary_can_be_read_too(chosen):
    assert "impressions" in {*frames.read(chosen, "metrics")["engagement_type"]}
    frames.read(chosen, "settling")


def test_a_table_that_there_is_not_is_named_with_those_that_there_are(chosen):
    with pytest.raises(InputError, match=r"there is no table 'engagement': choose from .*, coverage, daily, "):
        frames.read(chosen, "engagement")


def test_days_of_a_table_without_days_are_refused(chosen):
    with pytest.raises(InputError, match="tweets has no column day"):
        frames.read(chosen, "tweets", first=date(2026, 1, 1))
