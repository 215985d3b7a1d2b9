"""Why plans failed: what an API says of a window is remembered as what it means for that window."""

from datetime import UTC, date, datetime
from http import HTTPStatus

import pytest
from bodies import at

from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.core.errors import PullError, RefusedError
from engagement_pipeline.core.model import Plan, Window
from engagement_pipeline.extract import stops
from engagement_pipeline.lake import refused_windows
from engagement_pipeline.lake.layout import Lake


@pytest.mark.parametrize(("year", "longest", "is_too_old"), [(2026, 7, False), (2014, None, True)])
def test_a_text_of_both_kinds_is_of_the_oldest_days_where_the_window_begins_before_them(
    tmp_path, year, longest, is_too_old
):
    lake = Lake(tmp_path / "lake")
    lake.open()
    planned = Plan(
        endpoint=HISTORICAL, window=Window(date(year, 1, 1), date(year, 1, 28)), types=("impressions",), requests=()
    )
    failure = RefusedError(
        "refused",
        account="ann",
        status=HTTPStatus.BAD_REQUEST,
        texts=["at most 7 days, and the earliest is 2014-09-01"],
        body=b"",
        asked_at=at(1),
        longest_days=7,
        oldest=datetime(2014, 9, 1, tzinfo=UTC),
    )
    failed = stops.failed_so_far(stops.Failed(), planned, PullError([failure]), lake)
    assert refused_windows.longest_days(lake, at(1)) == longest
    assert (refused_windows.too_old(lake, HISTORICAL) is not None) is is_too_old
    assert (failed.stopped_by is None) is is_too_old
