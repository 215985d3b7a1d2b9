"""GET /2/tweets/analytics over real HTTP: parameters, forms of an answer, whose Posts, and partial errors."""

from datetime import timedelta

import numpy as np
import orjson
import pytest
from emulator_client import NOW, foreign, healthy, tweets
from v2_client import ANALYTICS, FIELDS, PROBLEM, analytics, get, get_with, query, series

from engagement_pipeline.emulator import Tweet, World
from engagement_pipeline.emulator.dials import Faults
from engagement_pipeline.emulator.v2 import Dials
from engagement_pipeline.emulator.v2.analytics import tweets as tweets_analytics
from engagement_pipeline.emulator.v2.metrics import TYPES
from engagement_pipeline.emulator.v2.question import Caller, Question, Reads

MIDNIGHT = NOW.replace(day=10, hour=0, minute=0)
TWEET = healthy(place=30)


class ContractWorld(World):
    """The world of the contract's example response."""

    def tweet(self, tweet_id):
        state = {1890000000000000001: "ok", 1890000000000000009: "deleted"}[tweet_id]
        return Tweet(tweet_id, "harborbooks", 2_817_340_115, MIDNIGHT, state, has_video=False)

    def shown(self, tweet_ids, types, first_hour, hours):
        assert (tweet_ids, types, hours) == ([1890000000000000001], ["impressions", "favorites", "url_clicks"], 2)
        return np.array([[[551, 412], [4, 0], [7, 0]]])


def test_the_example_of_the_contract():
    params = query(1890000000000000001, 1890000000000000009)
    params |= {"start_time": "2026-01-01T00:00:00Z", "end_time": "2026-01-01T02:00:00Z"}
    world = ContractWorld(now=NOW)
    caller = Caller("OAuth 1.0a User Context", "harborbooks")
    question = Question([*params.items()], {}, caller, world, Faults(1, Dials()), Reads(world), app_id=1, number=1)
    answer = orjson.loads(tweets_analytics(question))
    told = answer["errors"][0].pop("detail")
    assert "1890000000000000009" in told
    assert answer == {
        "data": [
            {
                "id": "1890000000000000001",
                "timestamped_metrics": [
                    {"timestamp": "2026-01-01T00:00:00Z", "metrics": {"impressions": 551, "likes": 4, "url_clicks": 7}},
                    {"timestamp": "2026-01-01T01:00:00Z", "metrics": {"impressions": 412, "likes": 0, "url_clicks": 0}},
                ],
            }
        ],
        "errors": [
            {
                "type": "https://api.x.com/2/problems/resource-not-found",
                "title": "Not Found Error",
                "status": 404,
                "section": "data",
                "resource_type": "tweet",
                "resource_id": "1890000000000000009",
                "parameter": "ids",
                "value": "1890000000000000009",
            }
        ],
    }


def refusal(answer):
    """Return the parameter that a 400 names, and its message."""
    body = answer.json()
    assert (answer.status_code, body["title"], body["type"]) == (400, "Invalid Request", f"{PROBLEM}invalid-request")
    (error,) = body["errors"]
    (parameter,) = error["parameters"]
    return parameter, error["message"]


def partial(answer):
    """Return the kind and the resource of each error beside the data."""
    assert answer.status_code == 200
    return [(error["type"].removeprefix(PROBLEM), error.get("resource_id")) for error in answer.json()["errors"]]


@pytest.mark.parametrize("metric", ["impressions", "likes", "follows", "quote_tweets", "bookmarks"])
def test_each_hour_has_the_count_of_the_world(emulator, metric):
    found = series(analytics(emulator, TWEET.tweet_id, fields=f"id,timestamped_metrics,{metric}"), metric)
    assert found == {
        f"2026-03-10T{hour:02}:00:00Z": emulator.world.count(
            TWEET.tweet_id, TYPES[metric], MIDNIGHT + timedelta(hours=hour)
        )
        for hour in range(24)
    }


def test_all_metrics_can_be_asked_for_at_once(emulator):
    answer = analytics(emulator, fields=",".join(["id", "timestamped_metrics", *TYPES]))
    assert list(answer.json()["data"][0]["timestamped_metrics"][0]["metrics"]) == [*TYPES]


def test_days_are_the_sums_of_their_hours(emulator):
    window = {"start_time": "2026-03-10T22:00:00Z", "end_time": "2026-03-12T01:00:00Z"}
    hours = series(analytics(emulator, **window), "impressions")
    days = series(analytics(emulator, granularity="daily", **window), "impressions")
    assert days == {
        "2026-03-10T22:00:00Z": sum(count for hour, count in hours.items() if hour < "2026-03-11"),
        "2026-03-11T00:00:00Z": sum(count for hour, count in hours.items() if "2026-03-11" <= hour < "2026-03-12"),
        "2026-03-12T00:00:00Z": hours["2026-03-12T00:00:00Z"],
    }


def test_weeks_begin_with_the_window(emulator):
    window = {"start_time": "2026-02-27T00:00:00Z", "end_time": "2026-03-10T00:00:00Z"}
    weeks = series(analytics(emulator, granularity="weekly", **window), "impressions")
    days = series(analytics(emulator, granularity="daily", **window), "impressions")
    assert list(weeks) == ["2026-02-27T00:00:00Z", "2026-03-06T00:00:00Z"]
    assert list(weeks.values()) == [sum([*days.values()][:7]), sum([*days.values()][7:])]


def test_a_total_stands_flat_beside_the_id_and_is_the_default(emulator):
    hours = series(analytics(emulator, TWEET.tweet_id), "impressions")
    (total,) = analytics(emulator, TWEET.tweet_id, granularity=None).json()["data"]
    assert total.keys() == {"id", "impressions", "likes", "url_clicks"}
    assert (total["id"], total["impressions"]) == (str(TWEET.tweet_id), sum(hours.values()))


@pytest.mark.parametrize(("form", "flat"), [("series", False), ("both", True)])
def test_a_dial_gives_a_total_as_a_series(emulator, form, flat):
    (total,) = analytics(emulator, granularity="total").json()["data"]
    emulator.v2.faults.set(total_form=form)
    (changed,) = analytics(emulator, granularity="total").json()["data"]
    (bucket,) = changed["timestamped_metrics"]
    assert (bucket["timestamp"], bucket["metrics"]["likes"]) == ("2026-03-10T00:00:00Z", total["likes"])
    assert ("likes" in changed) == flat


@pytest.mark.parametrize(
    ("fields", "keys"),
    [
        (None, {"id"}),
        ("impressions", set()),
        ("id,impressions", {"id"}),
        ("timestamped_metrics,impressions", {"timestamped_metrics"}),
    ],
)
def test_what_is_not_asked_for_is_not_told(emulator, fields, keys):
    (post,) = get(emulator, ANALYTICS, query(**{"analytics.fields": fields})).json()["data"]
    assert post.keys() == keys


def test_a_window_is_widened_to_whole_hours(emulator):
    answer = analytics(emulator, start_time="2026-03-10T01:30:00Z", end_time="2026-03-10T02:00:00.5Z")
    assert list(series(answer, "likes")) == ["2026-03-10T01:00:00Z", "2026-03-10T02:00:00Z"]


def test_the_hour_that_has_begun_shows_what_has_happened(emulator):
    answer = analytics(emulator, start_time="2026-03-15T11:00:00Z", end_time="2026-03-15T12:30:00Z")
    whole = emulator.world.count(TWEET.tweet_id, "impressions", NOW)
    assert series(answer, "impressions")["2026-03-15T12:00:00Z"] == whole // 2


@pytest.mark.parametrize(
    ("changes", "parameter", "words"),
    [
        ({"ids": None}, "ids", "can not be empty"),
        ({"ids": ""}, "ids", "can not be empty"),
        ({"ids": ",".join(map(str, range(1, 102)))}, "ids", "[101] is not between 1 and 100"),
        ({"ids": ",".join(["1"] * 101)}, "ids", "[101] is not between 1 and 100"),
        ({"ids": "1,x"}, "ids", "[x] does not match"),
        ({"ids": "12345678901234567890"}, "ids", "does not match"),
        ({"start_time": None}, "start_time", "can not be empty"),
        ({"end_time": None}, "end_time", "can not be empty"),
        ({"start_time": "2026-03-10"}, "start_time", "must be a date-time of RFC 3339"),
        ({"start_time": "2026-03-10T00:00:00+01:00"}, "start_time", "must be a date-time of RFC 3339"),
        ({"start_time": "2026-02-30T00:00:00Z"}, "start_time", "must be a date-time of RFC 3339"),
        ({"start_time": "2026-03-11T00:00:00Z"}, "start_time", "must be before 'end_time'"),
        ({"end_time": "2026-03-15T12:30:01Z"}, "end_time", "must not be in the future"),
        ({"start_time": "2026-02-10T23:00:00Z"}, "start_time", "must not exceed 28 days for granularity 'hourly'"),
        ({"granularity": "minutely"}, "granularity", "is not one of [hourly,daily,weekly,total]"),
        ({"analytics.fields": "id,video_views"}, "analytics.fields", "[video_views] is not one of [id,"),
        ({"analytics.fields": "id,media_engagements"}, "analytics.fields", "is not one of"),
        ({"tweet.fields": "text"}, "tweet.fields", "is not one of [ids,start_time,end_time,granularity,analytics"),
    ],
)
def test_a_broken_rule_of_the_parameters_is_named(emulator, changes, parameter, words):
    found, message = refusal(get(emulator, ANALYTICS, query(**changes)))
    assert found == parameter
    assert words in message


def test_a_parameter_is_given_once(emulator):
    parameter, message = refusal(get(emulator, ANALYTICS, [*query().items(), ("granularity", "daily")]))
    assert (parameter, message) == ("granularity", "The query parameter [granularity] is given more than once")


def test_100_ids_are_served(emulator):
    answer = analytics(emulator, *(tweet.tweet_id for tweet in tweets("harborbooks")[:100]))
    assert [post["id"] for post in answer.json()["data"]] == [str(t.tweet_id) for t in tweets("harborbooks")[:100]]


def test_each_id_is_answered_once(emulator):
    assert len(analytics(emulator, TWEET.tweet_id, TWEET.tweet_id).json()["data"]) == 1


def test_what_is_not_served_is_told_in_an_error_beside_the_rest(emulator):
    states = [tweets("harborbooks", state)[0].tweet_id for state in ("deleted", "protected")]
    ids = [12, states[0], TWEET.tweet_id, foreign().tweet_id, healthy("lumenaudio").tweet_id, states[1]]
    answer = analytics(emulator, *ids)
    assert [post["id"] for post in answer.json()["data"]] == [str(TWEET.tweet_id)]
    assert partial(answer) == [
        ("resource-not-found", "12"),
        ("resource-not-found", str(states[0])),
        ("not-authorized-for-resource", str(foreign().tweet_id)),
        ("not-authorized-for-resource", str(healthy("lumenaudio").tweet_id)),
        ("resource-unavailable", str(states[1])),
    ]


def test_an_answer_without_a_post_has_no_data(emulator):
    answer = analytics(emulator, 12)
    assert answer.json().keys() == {"errors"}
    assert answer.json()["errors"][0] == {
        "type": f"{PROBLEM}resource-not-found",
        "title": "Not Found Error",
        "detail": "Could not find Tweet with ids: [12].",
        "status": 404,
        "resource_type": "tweet",
        "resource_id": "12",
        "section": "data",
        "parameter": "ids",
        "value": "12",
    }


def test_an_unavailable_post_has_neither_parameter_nor_value(emulator):
    (error,) = analytics(emulator, tweets("harborbooks", "protected")[0].tweet_id).json()["errors"]
    assert not error.keys() & {"parameter", "value"}


def test_the_app_alone_is_not_served(emulator):
    answer = get_with(emulator, emulator.credentials.bearer_token, ANALYTICS, query())
    assert (answer.status_code, answer.json()["type"]) == (403, f"{PROBLEM}unsupported-authentication")
    assert "[OAuth 1.0a User Context, OAuth 2.0 User Context]" in answer.json()["detail"]


def test_a_wrong_signature_is_told_in_four_words(emulator):
    answer = get_with(emulator, "other", ANALYTICS, query())
    blank = {"title": "Unauthorized", "type": "about:blank", "status": 401, "detail": "Unauthorized"}
    assert (answer.status_code, answer.json()) == (401, blank)


@pytest.mark.parametrize(("handle", "status"), [("harborbooks", "ok"), ("lumenaudio", "not-authorized-for-resource")])
def test_a_post_is_served_to_its_owner_alone(emulator, handle, status):
    answer = analytics(emulator, TWEET.tweet_id, handle=handle)
    kinds = [kind for kind, _ in partial(answer)] if "errors" in answer.json() else ["ok"]
    assert kinds == [status]


def test_the_fields_of_the_tests_are_all_known():
    assert set(FIELDS.split(",")) - {"id", "timestamped_metrics"} <= set(TYPES)
