"""The dials that change the content of the analytics: each fault as a client meets it, over real HTTP."""

import pytest
from emulator_client import healthy
from v2_client import ANALYTICS, PROBLEM, analytics, get, query, series

from engagement_pipeline.emulator.v2.problems import CODE, KINDS, OF_A_FIELD

TWEET, OTHER = healthy(place=30).tweet_id, healthy(place=31).tweet_id
PAIR = f"{TWEET},{OTHER}"


def counts(answer):
    """Return all counts of the series, in the order of the answer."""
    buckets = [bucket for post in answer.json()["data"] for bucket in post["timestamped_metrics"]]
    return [count for bucket in buckets for count in (bucket["metrics"] or {}).values()]


def test_every_seventh_count_is_null(emulator):
    whole = counts(analytics(emulator))
    emulator.v2.faults.set(null_counts=1)
    found = counts(analytics(emulator))
    assert found == [None if place % 7 == 6 else count for place, count in enumerate(whole)]


def test_the_metrics_of_a_bucket_are_null(emulator):
    emulator.v2.faults.set(null_metrics=1)
    buckets = analytics(emulator).json()["data"][0]["timestamped_metrics"]
    assert [bucket["metrics"] is None for bucket in buckets] == [True] + 23 * [False]


def test_the_timestamp_of_a_bucket_is_null(emulator):
    emulator.v2.faults.set(null_timestamps=1)
    buckets = analytics(emulator).json()["data"][0]["timestamped_metrics"]
    assert [bucket["timestamp"] is None for bucket in buckets] == 23 * [False] + [True]


def test_buckets_begin_at_half_past(emulator):
    emulator.v2.faults.set(off_hour_buckets=1)
    stamps = series(analytics(emulator), "likes")
    assert list(stamps) == [f"2026-03-10T{hour:02}:30:00Z" for hour in range(24)]


@pytest.mark.parametrize("granularity", ["hourly", "total"])
def test_counts_are_text(emulator, granularity):
    (whole,) = analytics(emulator, granularity=granularity).json()["data"]
    emulator.v2.faults.set(text_counts=1)
    (post,) = analytics(emulator, granularity=granularity).json()["data"]
    if granularity == "hourly":
        (whole, post) = (item["timestamped_metrics"][5]["metrics"] for item in (whole, post))
    assert post["likes"] == str(whole["likes"])


def test_keys_that_nobody_knows(emulator):
    emulator.v2.faults.set(unknown_keys=1)
    body = analytics(emulator).json()
    assert body.keys() == {"data", "request_trace"}
    assert body["data"][0].keys() == {"id", "timestamped_metrics", "reach_class"}


def test_a_metric_that_nobody_knows(emulator):
    emulator.v2.faults.set(unknown_metrics=1)
    (bucket, *_) = analytics(emulator).json()["data"][0]["timestamped_metrics"]
    assert bucket["metrics"].keys() == {"impressions", "likes", "url_clicks", "dwell_views"}


def test_a_count_has_a_fraction(emulator):
    whole = counts(analytics(emulator))
    emulator.v2.faults.set(fraction_counts=1)
    assert counts(analytics(emulator)) == [whole[0] + 0.5, *whole[1:]]


def test_an_error_of_a_kind_that_nobody_knows(emulator):
    emulator.v2.faults.set(unknown_texts=1)
    (problem,) = analytics(emulator).json()["errors"]
    assert problem["type"] == "https://api.x.com/2/problems/counts-estimated"


@pytest.mark.parametrize("granularity", ["hourly", "total"])
def test_the_last_metric_stays_away(emulator, granularity):
    emulator.v2.faults.set(missing_metrics=1)
    (post,) = analytics(emulator, granularity=granularity).json()["data"]
    metrics = post["timestamped_metrics"][0]["metrics"] if granularity == "hourly" else post
    assert metrics.keys() - {"id"} == {"impressions", "likes"}


def test_buckets_without_a_count_stay_away(emulator):
    whole = series(analytics(emulator, fields="id,timestamped_metrics,likes"), "likes")
    emulator.v2.faults.set(missing_buckets=1)
    found = series(analytics(emulator, fields="id,timestamped_metrics,likes"), "likes")
    assert found == {hour: count for hour, count in whole.items() if count}
    assert 0 < len(found) < len(whole)


def test_a_total_that_its_hours_do_not_make(emulator):
    hours, total = analytics(emulator), analytics(emulator, granularity="total").json()["data"][0]
    emulator.v2.faults.set(wrong_totals=1)
    wrong = analytics(emulator, granularity="total").json()["data"][0]
    assert wrong == total | {"impressions": total["impressions"] + 1}
    assert analytics(emulator).json() == hours.json()


def test_content_faults_leave_an_answer_without_data_whole(emulator):
    names = ("null_counts", "null_metrics", "text_counts", "missing_metrics", "missing_buckets", "wrong_totals")
    emulator.v2.faults.set(**dict.fromkeys(names, 1))
    assert analytics(emulator, 12).json().keys() == {"errors"}


def test_several_faults_at_once_do_not_break_each_other(emulator):
    names = [name for name in emulator.v2.faults.read() if name.startswith(("null_", "missing_", "unknown_", "text_"))]
    emulator.v2.faults.set(**dict.fromkeys(names, 1))
    for granularity in ("hourly", "daily", "total"):
        assert analytics(emulator, granularity=granularity).status_code == 200


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in OF_A_FIELD])
def test_each_kind_of_partial_error_takes_its_post_away(emulator, kind):
    emulator.v2.faults.set(partial_errors={str(TWEET): kind})
    body = get(emulator, ANALYTICS, query(PAIR)).json()
    (error,) = body["errors"]
    assert [post["id"] for post in body["data"]] == [str(OTHER)]
    assert error["type"] == (kind if kind == "about:blank" else f"{PROBLEM}{kind}")
    assert error["status"] == KINDS[kind][1]


def test_a_partial_error_can_have_the_old_form_and_name_nothing(emulator):
    emulator.v2.faults.set(partial_errors={str(TWEET): CODE})
    body = get(emulator, ANALYTICS, query(PAIR)).json()
    assert body["errors"] == [{"code": 88, "message": "Rate limit exceeded"}]
    assert len(body["data"]) == 1


@pytest.mark.parametrize(
    ("kind", "there"),
    [("field-hydration-failure", True), ("not-authorized-for-field", False), ("field-unauthorized", False)],
)
def test_an_error_of_a_field_leaves_the_post_without_it(emulator, kind, there):
    emulator.v2.faults.set(partial_errors={str(TWEET): kind})
    body = get(emulator, ANALYTICS, query(PAIR)).json()
    damaged, whole = (post["timestamped_metrics"][0]["metrics"] for post in body["data"])
    assert ("impressions" in damaged, damaged.get("impressions")) == (there, None)
    assert damaged.keys() | {"impressions"} == whole.keys()
    (error,) = body["errors"]
    assert (error["field"], error["resource_id"]) == ("impressions", str(TWEET))


def test_a_vanished_post_is_not_found(emulator):
    emulator.v2.faults.set(vanished_tweet_ids=[TWEET])
    (error,) = analytics(emulator, TWEET).json()["errors"]
    assert error["type"] == f"{PROBLEM}resource-not-found"


@pytest.mark.parametrize(
    ("dials", "granularity", "words"),
    [
        ({"longest_window_days": 1}, "daily", "must not exceed 1 days for granularity 'daily'"),
        ({"longest_hourly_days": 1}, "hourly", "must not exceed 1 days for granularity 'hourly'"),
        ({"oldest_days": 3}, "hourly", "'start_time' must be on or after 2026-03-12T12:00:00Z"),
    ],
)
def test_a_window_is_refused_as_too_long_or_too_old(emulator, dials, granularity, words):
    window = {"start_time": "2026-03-09T00:00:00Z", "granularity": granularity}
    assert analytics(emulator, **window).status_code == 200
    emulator.v2.faults.set(**dials)
    refused = analytics(emulator, **window)
    assert refused.status_code == 400
    assert words in refused.json()["errors"][0]["message"]


def test_a_shorter_limit_for_hours_leaves_days_alone(emulator):
    emulator.v2.faults.set(longest_hourly_days=1)
    assert analytics(emulator, start_time="2026-03-09T00:00:00Z", granularity="daily").status_code == 200


@pytest.mark.parametrize(
    ("form", "body"),
    [
        ("errors", {"errors": [{"code": 88, "message": "Rate limit exceeded"}]}),
        ("code", {"code": 88, "message": "Rate limit exceeded"}),
        (
            "problem",
            {"title": "Too Many Requests", "type": "about:blank", "status": 429, "detail": "Too Many Requests"},
        ),
    ],
)
def test_a_spent_rate_is_told_in_three_forms(emulator, form, body):
    emulator.v2.faults.set(status_429=1, rate_form=form)
    answer = analytics(emulator)
    assert (answer.status_code, answer.json()) == (429, body)
