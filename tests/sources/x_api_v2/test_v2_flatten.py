"""Flatten of X API v2: golden bodies typed from the vendor's description, and every malformed shape by its path."""

import copy
import json
from datetime import date, timedelta

import pytest
from older import tweet_posted

from engagement_pipeline.core.endpoints import ANALYTICS
from engagement_pipeline.core.errors import ResponseError
from engagement_pipeline.core.model import NotServed, Request, Window
from engagement_pipeline.core.redaction import BODY_MASK
from engagement_pipeline.core.shape import KEY, TYPE, News
from engagement_pipeline.core.tables import ENGAGEMENTS, FORBIDDEN, MISSING, UNAVAILABLE
from engagement_pipeline.sources.x_api_v2.flatten import MOST, read

ONE, TWO, GONE = 1890000000000000001, 1890000000000000002, 1890000000000000009
DAY = date(2026, 1, 1)
PROBLEMS = "https://api.x.com/2/problems/"
NOT_FOUND = {
    "type": f"{PROBLEMS}resource-not-found",
    "title": "Not Found Error",
    "detail": "Could not find tweet with ids: [1890000000000000009].",
    "status": 404,
    "resource_type": "tweet",
    "resource_id": str(GONE),
    "parameter": "ids",
    "value": str(GONE),
}
GOLDEN = {
    "data": [
        {
            "id": str(ONE),
            "timestamped_metrics": [
                {"timestamp": "2026-01-01T00:00:00Z", "metrics": {"impressions": 551, "likes": 4, "url_clicks": None}},
                {"timestamp": "2026-01-01T01:00:00Z", "metrics": {"impressions": 412, "likes": 0, "url_clicks": 0}},
            ],
        }
    ],
    "errors": [NOT_FOUND],
}
BUCKETS = GOLDEN["data"][0]["timestamped_metrics"]


def flat(content, *, tweet_ids=(ONE, TWO, GONE), types=("favorites", "impressions", "url_clicks"), days=1):
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    window = Window(DAY, DAY + timedelta(days=days - 1))
    return read(body, Request(endpoint=ANALYTICS, handle="ann", tweet_ids=tweet_ids, types=types, window=window))


def rows(result):
    return list(zip(*(column.to_pylist() for column in result.rows.columns), strict=True))


def changed(change):
    """Return GOLDEN after a change."""
    root = copy.deepcopy(GOLDEN)
    change(root)
    return root


def bucket(place, **fields):
    """Return GOLDEN with other fields in one bucket."""
    return changed(lambda root: root["data"][0]["timestamped_metrics"][place].update(fields))


def count(value):
    """Return GOLDEN with another count of impressions in the first hour."""
    return changed(lambda root: root["data"][0]["timestamped_metrics"][0]["metrics"].update(impressions=value))


def test_the_description_s_example_becomes_rows_under_the_names_of_the_tables():
    assert rows(flat(GOLDEN)) == [
        (ONE, "favorites", DAY, 0, 4),
        (ONE, "favorites", DAY, 1, 0),
        (ONE, "impressions", DAY, 0, 551),
        (ONE, "impressions", DAY, 1, 412),
        (ONE, "url_clicks", DAY, 1, 0),
    ]


def test_the_rows_have_the_declared_schema():
    assert flat(GOLDEN).rows.schema.equals(ENGAGEMENTS.schema)


def test_posts_and_hours_in_any_order_are_sorted_by_their_key():
    two = {"id": str(TWO), "timestamped_metrics": [BUCKETS[1], BUCKETS[0]]}
    found = rows(flat({"data": [two, GOLDEN["data"][0]]}))
    assert found == sorted(found)
    assert {row[0] for row in found} == {ONE, TWO}


@pytest.mark.parametrize(
    "silent",
    [
        bucket(0, metrics=None),
        bucket(0, timestamp=None),
        changed(lambda root: root["data"][0]["timestamped_metrics"].pop(0)),
    ],
    ids=["metrics null", "timestamp null", "no bucket"],
)
def test_null_and_absent_are_no_rows(silent):
    assert {row[3] for row in rows(flat(silent))} == {1}


def test_a_metric_that_stays_away_is_no_row():
    body = changed(lambda root: [each["metrics"].pop("likes") for each in root["data"][0]["timestamped_metrics"]])
    assert {row[1] for row in rows(flat(body))} == {"impressions", "url_clicks"}


def test_a_count_as_text_of_digits_is_read_and_reported():
    found = flat(count("551"))
    assert (ONE, "impressions", DAY, 0, 551) in rows(found)
    place = "$.data[].timestamped_metrics[].metrics.impressions"
    assert found.news == (News(TYPE, place, "text", "551", documented="a whole number or null"),)


@pytest.mark.parametrize(
    "moment", ["2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00+00:00", "2026-01-01T02:00:00+02:00"]
)
def test_a_moment_is_read_however_rfc_3339_writes_it(moment):
    assert rows(flat(bucket(0, timestamp=moment))) == rows(flat(GOLDEN))


@pytest.mark.parametrize(
    ("body", "news"),
    [
        (GOLDEN | {"request_trace": {"id": 1}}, News(KEY, "$", "request_trace", '{"id": 1}')),
        (changed(lambda root: root["data"][0].update(reach_class="b")), News(KEY, "$.data[]", "reach_class", "b")),
        (bucket(0, partial=True), News(KEY, "$.data[].timestamped_metrics[]", "partial", "true")),
        (
            changed(lambda root: root["data"][0]["timestamped_metrics"][1]["metrics"].update(dwell_views=3)),
            News(KEY, "$.data[].timestamped_metrics[].metrics", "dwell_views", "3"),
        ),
    ],
    ids=["root", "Post", "bucket", "metric"],
)
def test_an_unknown_key_is_reported_with_its_place_and_not_stored(body, news):
    found = flat(body)
    assert found.news == (news,)
    assert rows(found) == rows(flat(GOLDEN))


def test_flat_counts_beside_the_hours_are_no_news():
    assert flat(changed(lambda root: root["data"][0].update(impressions=963, likes=4))).news == ()


def test_zeros_of_hours_before_a_post_was_posted_are_no_rows():
    young = tweet_posted(2026, 1, 1, 2)
    body = {"data": [{"id": str(young), "timestamped_metrics": BUCKETS}]}
    found = flat(body, tweet_ids=(young,), types=("favorites",))
    assert rows(found) == [(young, "favorites", DAY, 0, 4)]
    assert found.early == 1


MALFORMED = {
    "half past": (bucket(1, timestamp="2026-01-01T01:30:00Z"), "$.data[0].timestamped_metrics[1].timestamp"),
    "no time": (bucket(1, timestamp="yesterday"), "$.data[0].timestamped_metrics[1].timestamp"),
    "30 February": (bucket(1, timestamp="2026-02-30T00:00:00Z"), "$.data[0].timestamped_metrics[1].timestamp"),
    "a number for a time": (bucket(1, timestamp=5), "$.data[0].timestamped_metrics[1].timestamp"),
    "a day that was not asked for": (
        bucket(1, timestamp="2026-01-02T00:00:00Z"),
        "$.data[0].timestamped_metrics[1].timestamp",
    ),
    "an hour twice": (bucket(1, timestamp="2026-01-01T00:00:00Z"), "$.data[0].timestamped_metrics[1].timestamp"),
    "metrics as a list": (bucket(1, metrics=[1]), "$.data[0].timestamped_metrics[1].metrics"),
    "a bucket as text": (
        changed(lambda root: root["data"][0].update(timestamped_metrics=["x"])),
        "$.data[0].timestamped_metrics[0]",
    ),
    "buckets as an object": (
        changed(lambda root: root["data"][0].update(timestamped_metrics={})),
        "$.data[0].timestamped_metrics",
    ),
    "a Post that was not asked for": (changed(lambda root: root["data"][0].update(id="7")), "$.data[0].id"),
    "no ID": (changed(lambda root: root["data"][0].pop("id")), "$.data[0].id"),
    "a Post twice": (changed(lambda root: root["data"].append(root["data"][0])), "$.data[1].id"),
    "a Post as text": (changed(lambda root: root.update(data=["x"])), "$.data[0]"),
    "data as an object": (changed(lambda root: root.update(data={})), "$.data"),
    "below zero": (count(-1), "$.data[0].timestamped_metrics[0].metrics.impressions"),
    "a fraction": (count(1.5), "$.data[0].timestamped_metrics[0].metrics.impressions"),
    "a whole fraction": (count(1.0), "$.data[0].timestamped_metrics[0].metrics.impressions"),
    "true": (count(True), "$.data[0].timestamped_metrics[0].metrics.impressions"),
    "text that is no number": (count("many"), "$.data[0].timestamped_metrics[0].metrics.impressions"),
    "text below zero": (count("-1"), "$.data[0].timestamped_metrics[0].metrics.impressions"),
    "too large": (count(MOST + 1), "$.data[0].timestamped_metrics[0].metrics.impressions"),
    "an error of a Post that was not asked for": (
        GOLDEN | {"errors": [NOT_FOUND | {"resource_id": "7"}]},
        "$.errors[0]",
    ),
    "an error of a Post that is counted": (
        GOLDEN | {"errors": [NOT_FOUND | {"resource_id": str(ONE)}]},
        "$.errors[0]",
    ),
    "neither data nor errors": ({"meta": {}}, "$"),
    "a list": ([1], "$"),
    "cut": (b'{"data": [', "$"),
    "a key twice": (
        json.dumps(GOLDEN).replace('"impressions": 551', '"impressions": 551, "impressions": 552').encode(),
        "$..impressions",
    ),
    "nested too deep": (b'{"data": ' + b"[" * 900 + b"]" * 900 + b"}", "$.data[0]"),
    "a secret of ours": (json.dumps(GOLDEN).encode().replace(b"Not Found Error", BODY_MASK), "$"),
}


@pytest.mark.parametrize(("body", "path"), MALFORMED.values(), ids=MALFORMED)
def test_whatever_the_description_does_not_allow_names_its_path(body, path):
    with pytest.raises(ResponseError) as caught:
        flat(body)
    assert caught.value.path == path
    assert "\n" not in str(caught.value)


def test_a_body_larger_than_any_answer_is_not_parsed():
    with pytest.raises(ResponseError, match="is a proxy in the way"):
        flat(b'{"data": [' + b"1," * 200_000 + b"1]}", tweet_ids=(ONE,))


@pytest.mark.parametrize(
    ("kind", "outcome"),
    [
        ("resource-not-found", UNAVAILABLE),
        ("resource-unavailable", UNAVAILABLE),
        ("disallowed-resource", UNAVAILABLE),
        ("not-authorized-for-resource", FORBIDDEN),
        ("internal-error", MISSING),
        ("field-hydration-failure", MISSING),
    ],
)
def test_a_problem_with_one_post_is_its_reason_in_the_api_s_words(kind, outcome):
    error = {"type": f"{PROBLEMS}{kind}", "detail": "These are the words.", "resource_id": str(GONE)}
    found = flat(GOLDEN | {"errors": [error]})
    assert found.not_served == {GONE: NotServed(outcome, "These are the words.")}
    assert (GONE in found.unavailable) == (outcome == UNAVAILABLE)


def test_a_field_that_is_refused_leaves_the_other_counts():
    error = {"type": f"{PROBLEMS}field-unauthorized", "detail": "No url_clicks.", "resource_id": str(ONE)}
    found = flat(GOLDEN | {"errors": [error]})
    assert rows(found) == rows(flat(GOLDEN))
    assert (found.not_served, found.said) == ({}, "No url_clicks.")


def test_an_error_that_names_no_post_is_the_reason_of_all_without_counts():
    found = flat(GOLDEN | {"errors": [{"code": 88, "message": "Rate limit exceeded"}]})
    assert found.not_served == dict.fromkeys((TWO, GONE), NotServed(MISSING, "Rate limit exceeded"))


def test_an_answer_with_errors_alone_has_no_rows():
    assert flat({"errors": [NOT_FOUND]}).rows.num_rows == 0
