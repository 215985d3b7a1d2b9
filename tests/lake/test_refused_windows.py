"""What an API refused, as a lake remembers it."""

from datetime import UTC, date, datetime, timedelta

import pytest

from engagement_pipeline.core.endpoints import ANALYTICS, ANALYTICS_TOTALS
from engagement_pipeline.lake import refused_windows
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.lake.refused_windows import AGAIN, TooOld

AT = datetime(2026, 2, 1, 12, 30, tzinfo=UTC)
NOON = datetime(2026, 1, 18, 12, tzinfo=UTC)
SAID = TooOld(oldest=NOON, at=AT, text="on or after 2026-01-18T12:00:00Z")


@pytest.fixture
def empty(tmp_path):
    lake = Lake(tmp_path / "lake").of(ANALYTICS.source)
    lake.open()
    return lake


def test_a_day_that_is_served_from_noon_on_is_not_served_whole():
    assert SAID.first_day(AT) == date(2026, 1, 19)
    midnight = TooOld(oldest=NOON.replace(hour=0), at=AT, text="")
    assert midnight.first_day(AT) == date(2026, 1, 18)


@pytest.mark.parametrize(
    ("later", "days"),
    [
        (timedelta(hours=23, minutes=59), 0),
        (timedelta(days=1), 1),
        (timedelta(days=6, hours=23), 6),
        (-timedelta(hours=1), 0),
        (-timedelta(days=2), -2),
    ],
)
def test_the_first_day_moves_by_whole_days_so_that_none_is_left_out_too_early(later, days):
    assert SAID.first_day(AT + later) == date(2026, 1, 19) + timedelta(days=days)


@pytest.mark.parametrize("way", [1, -1])
def test_a_refusal_holds_for_a_week_whichever_way_the_clock_goes(way):
    assert SAID.holds(AT + way * (AGAIN - timedelta(seconds=1)))
    assert not SAID.holds(AT + way * AGAIN)


def test_each_endpoint_has_its_own_refusal_and_the_rest_of_the_marker_stays(empty):
    empty.show("x_api_v2")
    refused_windows.learn_longest(empty, 7, at=AT)
    refused_windows.learn_too_old(empty, ANALYTICS, SAID)
    assert refused_windows.too_old(empty, ANALYTICS) == SAID
    assert refused_windows.too_old(empty, ANALYTICS_TOTALS) is None
    refused_windows.learn_too_old(empty, ANALYTICS, None)
    assert refused_windows.too_old(empty, ANALYTICS) is None
    assert (refused_windows.longest_days(empty, AT), empty.open()) == (7, 3)


@pytest.mark.parametrize(
    "told",
    [
        None,
        [],
        {"analytics": 1},
        {"analytics": {"oldest": "soon", "at": "now"}},
        {"analytics": {"oldest": "9026-01-18T12:00:00+00:00", "at": AT.isoformat(), "text": "too old"}},
        {"analytics": {"oldest": "0001-01-01T00:00:00+05:00", "at": AT.isoformat(), "text": "too old"}},
    ],
)
def test_a_memory_that_is_damaged_keeps_nothing_back(empty, told):
    empty.mark(oldest=told, longest_days=told or 7)
    assert refused_windows.too_old(empty, ANALYTICS) is None
    assert refused_windows.longest_days(empty, AT) is None


@pytest.mark.parametrize("way", [1, -1])
def test_how_long_a_window_may_be_holds_for_a_week_too(empty, way):
    refused_windows.learn_longest(empty, 7, at=AT)
    assert refused_windows.longest_days(empty, AT + way * (AGAIN - timedelta(seconds=1))) == 7
    assert refused_windows.longest_days(empty, AT + way * AGAIN) is None
