"""Windows and their buckets: whatever the window, no hour is lost and none counts twice."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_pipeline.emulator.v2.metrics import Hours
from engagement_pipeline.emulator.v2.window import Limits, Window, read

START = datetime(2026, 1, 1, tzinfo=UTC)
NOW = datetime(2026, 3, 15, 12, 30, tzinfo=UTC)


@given(
    st.integers(min_value=0, max_value=23),
    st.integers(min_value=1, max_value=700),
    st.sampled_from(["hourly", "daily", "weekly", "total"]),
)
@settings(max_examples=60)
def test_buckets_part_the_hours(first, number, granularity):
    window = Window(Hours(START + timedelta(hours=first), number), granularity)
    counts = np.arange(1, number + 1).reshape(1, 1, number)
    assert window.summed(counts).sum() == counts.sum()
    assert len(window.timestamps) == window.summed(counts).shape[1]
    assert window.starts[0] == 0
    if granularity == "daily":
        assert all(stamp.endswith("T00:00:00Z") for stamp in window.timestamps[1:])


@pytest.mark.parametrize(("granularity", "buckets"), [("hourly", 50), ("daily", 4), ("weekly", 1), ("total", 1)])
def test_a_window_of_50_hours_from_23_oclock_has_so_many_buckets(granularity, buckets):
    window = Window(Hours(START + timedelta(hours=23), 50), granularity)
    assert len(window.timestamps) == buckets


def test_a_window_without_limits_may_be_long():
    params = {"start_time": "2016-01-01T00:00:00Z", "end_time": "2026-01-01T00:00:00Z"}
    window = read(params, granularity="total", now=NOW, limits=Limits(longest_window_days=0))
    assert window.hours.number == 3_653 * 24
