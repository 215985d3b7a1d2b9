"""Request of X API v2: its query, and what an answer to it can be at most."""

import json
from datetime import date
from urllib.parse import parse_qs

import pytest

from engagement_pipeline.core.endpoints import ANALYTICS
from engagement_pipeline.core.model import LARGEST_BODY, Request, Window
from engagement_pipeline.sources.x_api_v2.flatten import read
from engagement_pipeline.sources.x_api_v2.request import http_request, in_v2, largest_answer, most_values


def asking(*, tweets, days=28, types=ANALYTICS.types):
    ids = tuple(1890000000000000001 + number for number in range(tweets))
    window = Window(date(2026, 1, 1), date(2026, 1, days))
    return Request(endpoint=ANALYTICS, handle="ann", tweet_ids=ids, types=types, window=window)


def full(request):
    """Return a body that holds all that was asked for."""
    metrics = dict.fromkeys(map(in_v2, request.types), 7)
    buckets = [
        {"timestamp": f"{day}T{hour:02}:00:00Z", "metrics": metrics}
        for day in request.window.days()
        for hour in range(24)
    ]
    return {"data": [{"id": str(tweet), "timestamped_metrics": buckets} for tweet in request.tweet_ids]}


def test_a_request_is_a_get_for_the_hours_of_whole_days_under_v2_s_names():
    written = http_request(asking(tweets=2, days=3, types=("favorites", "impressions", "user_follows")))
    path, _, query = written.path.partition("?")
    assert (written.method, path, written.body) == ("GET", "/2/tweets/analytics", None)
    assert parse_qs(query) == {
        "ids": ["1890000000000000001,1890000000000000002"],
        "start_time": ["2026-01-01T00:00:00Z"],
        "end_time": ["2026-01-04T00:00:00Z"],
        "granularity": ["hourly"],
        "analytics.fields": ["id,timestamped_metrics,likes,impressions,follows"],
    }


@pytest.mark.parametrize("indent", [None, 2], ids=["compact", "indented"])
def test_a_full_answer_is_within_the_bounds(indent):
    request = asking(tweets=2, days=3)
    body = json.dumps(full(request), indent=indent, separators=None if indent else (",", ":")).encode()
    assert len(body) < largest_answer(request) * (2 if indent else 1)
    assert sum(body.count(mark) for mark in b",{[") < most_values(request)
    if not indent:
        assert read(body, request).rows.num_rows == 2 * 3 * 24 * 20


def test_no_answer_is_larger_than_a_landed_file_may_be():
    assert largest_answer(asking(tweets=100)) <= LARGEST_BODY
    assert largest_answer(asking(tweets=1, days=1)) < LARGEST_BODY / 100
