"""The source of media: the query that is sent, golden bodies typed from the vendor's description, and their removal."""

import copy
import json
from datetime import UTC, date, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
import v2_bodies
from hypothesis import given
from hypothesis import strategies as st

from engagement_pipeline.core.endpoints import MEDIA
from engagement_pipeline.core.erased import Erased
from engagement_pipeline.core.errors import RefusedError, ResponseError
from engagement_pipeline.core.model import Answer, NotServed, Request, Window
from engagement_pipeline.core.shape import KEY
from engagement_pipeline.core.tables import UNAVAILABLE
from engagement_pipeline.sources.x_api_v2 import media

ONE, TWO, GONE = 1890000000000000001, 1890000000000000002, 1890000000000000009
DAY = date(2026, 1, 1)
KEYS = {ONE: f"7_{ONE}", TWO: f"13_{TWO}", GONE: f"7_{GONE}"}
NOT_FOUND = {
    "type": "https://api.x.com/2/problems/resource-not-found",
    "title": "Not Found Error",
    "detail": "Could not find media.",
    "resource_type": "media",
    "resource_id": f"7_{GONE}",
    "parameter": "media_keys",
    "value": f"7_{GONE}",
}
GOLDEN = {
    "data": [
        {
            "media_key": f"7_{ONE}",
            "timestamped_metrics": [
                {"timestamp": "2026-01-01T00:00:00Z", "metrics": {"video_views": 55, "watch_time_ms": "912000"}},
                {"timestamp": "2026-01-01T01:00:00Z", "metrics": {"video_views": None, "watch_time_ms": 0}},
            ],
        }
    ],
    "errors": [NOT_FOUND],
}


def request(numbers=(ONE, TWO, GONE), types=("video_views", "watch_time_ms")):
    window = Window(DAY, DAY)
    return Request(endpoint=MEDIA, handle="ann", tweet_ids=numbers, types=types, window=window, keys=KEYS)


def flat(content):
    return media.read(json.dumps(content).encode(), request())


def rows(result):
    return list(zip(*(column.to_pylist() for column in result.rows.columns), strict=True))


def changed(change):
    root = copy.deepcopy(GOLDEN)
    change(root["data"][0])
    return root


def test_the_query_names_the_keys_of_the_request_and_asks_for_hours():
    sent = media.http_request(request(numbers=(TWO, ONE)))
    assert sent.method == "GET"
    assert urlsplit(sent.path).path == "/2/media/analytics"
    assert parse_qs(urlsplit(sent.path).query) == {
        "media_keys": [f"13_{TWO},7_{ONE}"],
        "start_time": ["2026-01-01T00:00:00Z"],
        "end_time": ["2026-01-02T00:00:00Z"],
        "granularity": ["hourly"],
        "media_analytics.fields": ["media_key,timestamped_metrics,video_views,watch_time_ms"],
    }


def test_counts_as_numbers_or_as_text_become_rows_and_null_is_none():
    assert rows(flat(GOLDEN)) == [
        (ONE, "video_views", DAY, 0, 55),
        (ONE, "watch_time_ms", DAY, 0, 912_000),
        (ONE, "watch_time_ms", DAY, 1, 0),
    ]


def test_media_that_are_not_served_have_the_api_s_words():
    found = flat(GOLDEN)
    assert found.reasons == {GONE: NotServed(UNAVAILABLE, "Could not find media.")}
    assert found.unavailable == {GONE}


def test_an_unknown_metric_is_news_and_not_stored():
    found = flat(changed(lambda one: one["timestamped_metrics"][0]["metrics"].update(replays=3)))
    assert [(news.kind, news.name) for news in found.news] == [(KEY, "replays")]
    assert rows(found) == rows(flat(GOLDEN))


def test_a_count_as_text_is_documented_of_media():
    assert flat(changed(lambda one: one["timestamped_metrics"][0]["metrics"].update(video_views="55"))).news == ()


@pytest.mark.parametrize(
    ("body", "path"),
    [
        (changed(lambda one: one.update(media_key=f"7_{ONE + 7}")), "$.data[0].media_key"),
        (changed(lambda one: one.update(media_key=ONE)), "$.data[0].media_key"),
        (changed(lambda one: one.pop("media_key")), "$.data[0].media_key"),
        (
            changed(lambda one: one["timestamped_metrics"][1].update(timestamp="2026-01-01T01:30:00Z")),
            "$.data[0].timestamped_metrics[1].timestamp",
        ),
        (
            changed(lambda one: one["timestamped_metrics"][0]["metrics"].update(video_views=-1)),
            "$.data[0].timestamped_metrics[0].metrics.video_views",
        ),
        (GOLDEN | {"errors": [NOT_FOUND | {"resource_id": "7_5"}]}, "$.errors[0]"),
        (GOLDEN | {"errors": [NOT_FOUND | {"resource_id": f"7_{ONE}"}]}, "$.errors[0]"),
    ],
    ids=[
        "not asked for",
        "a number",
        "no key",
        "half past",
        "below zero",
        "another's error",
        "an error of a served one",
    ],
)
def test_whatever_the_description_does_not_allow_names_its_path(body, path):
    with pytest.raises(ResponseError) as caught:
        flat(body)
    assert caught.value.path == path


def test_a_plan_without_the_analytics_says_which_setting_leaves_media_out():
    body = b'{"type": "https://api.x.com/2/problems/client-forbidden", "reason": "client-not-enrolled"}'
    answer = Answer(url="https://api.x.com/2/media/analytics?x=1", status=403, headers={}, body=body, size=0)
    error = media.error_of(answer, handle="ann", asked_at=datetime(2026, 1, 1, tzinfo=UTC))
    assert isinstance(error, RefusedError)
    assert str(error).endswith("until there is one, set media to false")


COUNTS = st.dictionaries(
    st.tuples(st.sampled_from([ONE, TWO, GONE]), st.sampled_from(MEDIA.types), st.just(DAY), st.integers(0, 23)),
    st.integers(0, 2**40),
    min_size=1,
)


@given(COUNTS, st.sampled_from([ONE, TWO, GONE]))
def test_a_body_without_some_media_reads_as_if_they_had_not_been_asked_for(cells, gone):
    body = v2_bodies.body(cells, errors=[NOT_FOUND] * (GONE not in {key[0] for key in cells}), endpoint=MEDIA)
    left = media.without(body, Erased(frozenset({gone})))
    assert str(gone).encode() not in left
    stays = tuple(number for number in (ONE, TWO, GONE) if number != gone)
    found = rows(media.read(left, request(stays, types=MEDIA.types)))
    assert {row[:4]: row[4] for row in found} == {key: count for key, count in cells.items() if key[0] != gone}


def test_what_is_no_json_cannot_be_rewritten():
    with pytest.raises(ValueError, match="Expecting value"):
        media.without(b"<html>", Erased(frozenset({ONE})))
