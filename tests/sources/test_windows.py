"""What a refusal says of a window: how long it may be, or with which moment the data begin."""

from datetime import UTC, datetime

import pytest

from engagement_pipeline.sources.windows import RefusedWindow, refused_window

ASKED_AT = datetime(2026, 2, 1, 12, 30, tzinfo=UTC)


def at(month, day, hour=0, *, year=2026):
    return RefusedWindow(oldest=datetime(year, month, day, hour, tzinfo=UTC))


@pytest.mark.parametrize(
    ("said", "found"),
    {
        "start is before the oldest data: 2026-01-04T00:00:00Z, data from 2026-01-18T12:00:00Z": at(1, 18, 12),
        "Invalid 'start_time':'2026-01-04T00:00Z'. 'start_time' must be on or after 2026-01-18T12:00Z.": at(1, 18, 12),
        "too old; data since 2026-01-18": at(1, 18),
        "The earliest day is 2026-01-18, 'start_time' is too old": at(1, 18),
        "'start_time' must be on or after 2026-01-18 12:00:00": at(1, 18, 12),
        "'start_time' must be on or after 2026-01-18 12:00:00.000 UTC.": at(1, 18, 12),
        "'start_time' must be on or after 2026-01-18T12:00:00+02:00.": at(1, 18, 10),
        "from 2026-01-04 to 2026-01-31 is too old, the earliest day is 2026-01-18": at(1, 18),
        "The start must not be older than 365 days": RefusedWindow(oldest=ASKED_AT.replace(year=2025)),
        "start_time is too far back: only the last 30 days are served": RefusedWindow(
            oldest=datetime(2026, 1, 2, 12, 30, tzinfo=UTC)
        ),
    }.items(),
)
def test_the_moment_with_which_the_data_begin_is_read_where_it_is_said_clearly(said, found):
    assert refused_window(said, ASKED_AT) == found


@pytest.mark.parametrize(
    "said",
    [
        "start_time is too old",
        "2026-01-04T00:00:00Z is too old",
        "'end_time' must be on or after 2026-02-01T12:00:00Z",  # no beginning of the data
        "'start_time' must be on or after 2026-13-40T00:00:00Z",
        "the Tweet was posted on 2026-01-18 and is older",
        "the app is new since 2026-01-18",
        "Tweets older than 90 days are not served",
        "tokens older than 7 days are refused",
    ],
)
def test_no_moment_is_taken_from_words_that_may_mean_another(said):
    assert refused_window(said, ASKED_AT) == RefusedWindow()


@pytest.mark.parametrize(
    ("said", "days"),
    {
        "The time between 'start_time' and 'end_time' must not exceed 7 days for granularity 'hourly'": 7,
        "The period is longer than 28 days: 2026-01-01 to 2026-02-01": 28,
        "the window is too long": 0,
        "The requested period exceeds the limit": 0,
        "Window: up to 7 days": 7,
        "maximum of 25 Tweet IDs at a time": None,
        "at most 10 per time series": None,
        "at most 25 Tweets in a window of 28 days": None,
        "the interval is unknown; the maximum is 25 ids": None,
        "the number of ids must not exceed 50": None,
        "the name is too long": None,
    }.items(),
)
def test_the_days_of_a_window_are_read_and_those_of_nothing_else(said, days):
    assert refused_window(said, ASKED_AT) == RefusedWindow(longest_days=days)


def test_a_text_that_says_how_long_and_from_when_on_is_read_whole():
    both = RefusedWindow(longest_days=7, oldest=datetime(2014, 9, 1, tzinfo=UTC))
    assert refused_window("a window has at most 7 days, and the earliest is 2014-09-01", ASKED_AT) == both
    assert "older days are left out from now on; if the window is too long: this is remembered, and the " in both.hint
