"""Sums of X API v2 for a whole window: golden bodies in both forms, and every malformed shape by its path."""

import json
from datetime import date
from urllib.parse import parse_qs, urlsplit

import pytest

from engagement_pipeline.core.endpoints import ANALYTICS_TOTALS
from engagement_pipeline.core.errors import ResponseError
from engagement_pipeline.core.model import Request, Window
from engagement_pipeline.core.shape import KEY
from engagement_pipeline.core.tables import UNAVAILABLE
from engagement_pipeline.sources import x_api_v2

ONE, GONE = 1890000000000000001, 1890000000000000009
FIRST, LAST = date(2026, 1, 1), date(2026, 1, 28)
REQUEST = Request(
    endpoint=ANALYTICS_TOTALS,
    handle="ann",
    tweet_ids=(ONE, GONE),
    types=("favorites", "impressions", "url_clicks"),
    window=Window(FIRST, LAST),
)
SUMS = {"impressions": 963, "likes": "4", "url_clicks": None}
NOT_FOUND = {"type": "https://api.x.com/2/problems/resource-not-found", "detail": "Gone.", "resource_id": str(GONE)}
ROWS = [(ONE, "favorites", FIRST, 4), (ONE, "impressions", FIRST, 963)]


def post(**fields):
    return {"data": [{"id": str(ONE), **fields}], "errors": [NOT_FOUND]}


def bucket(*buckets, **fields):
    return post(
        timestamped_metrics=[{"timestamp": "2026-01-01T00:00:00Z", "metrics": each} for each in buckets], **fields
    )


def flat(body):
    return x_api_v2.read(json.dumps(body).encode(), REQUEST)


def rows(found):
    return list(zip(*(column.to_pylist() for column in found.rows.columns), strict=True))


def test_the_query_asks_for_one_sum_of_the_window():
    query = parse_qs(urlsplit(x_api_v2.http_request(REQUEST).path).query)
    assert (query["granularity"], query["end_time"]) == (["total"], ["2026-01-29T00:00:00Z"])


@pytest.mark.parametrize("body", [post(**SUMS), bucket(SUMS), bucket(SUMS, **SUMS)], ids=["flat", "series", "both"])
def test_the_sums_are_read_in_either_form_and_null_is_none(body):
    assert rows(flat(body)) == ROWS


def test_what_is_not_served_has_its_reason():
    assert flat(post(**SUMS)).reasons[GONE].outcome == UNAVAILABLE


@pytest.mark.parametrize("body", [post(**SUMS, dwells=3), bucket(SUMS | {"dwells": 3})], ids=["flat", "series"])
def test_an_unknown_key_is_reported_and_not_stored(body):
    found = flat(body)
    assert (KEY, "dwells") in {(news.kind, news.name) for news in found.news}
    assert rows(found) == ROWS


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (post(impressions=-1), "$.data[0].impressions"),
        (post(impressions="many"), "$.data[0].impressions"),
        (bucket({"impressions": 1.5}), "$.data[0].timestamped_metrics[0].metrics.impressions"),
        (bucket({"impressions": 1}, impressions=2), "$.data[0].timestamped_metrics[0].metrics.impressions"),
        (bucket(SUMS, SUMS), "$.data[0].timestamped_metrics"),
        (post(timestamped_metrics=["x"]), "$.data[0].timestamped_metrics[0]"),
        (bucket([1]), "$.data[0].timestamped_metrics[0]"),
        ({"data": [{"id": "7"}]}, "$.data[0].id"),
        ({"data": post(**SUMS)["data"] * 2}, "$.data[1].id"),
    ],
    ids=["negative", "text", "fraction", "two sums", "two buckets", "no bucket", "a list", "not asked for", "twice"],
)
def test_whatever_the_description_does_not_allow_names_its_path(body, path):
    with pytest.raises(ResponseError) as caught:
        flat(body)
    assert caught.value.path == path
