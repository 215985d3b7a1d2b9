"""The documented shapes of both APIs: what their documents show is no news, in an answer and in a refusal."""

import json

import pytest
from bodies import WINDOW

from engagement_pipeline import sources
from engagement_pipeline.core.endpoints import ANALYTICS, HISTORICAL, TOTALS
from engagement_pipeline.core.model import Request
from engagement_pipeline.core.shape import KEY, TEXT, News, news_of_headers

PROBLEM = "https://api.x.com/2/problems/"
DOCUMENTED = [
    "1 Tweet ID(s) are unavailable",
    "Impressions & engagements for tweets older than 90 days (1, 2) are not supported",
    "Tweet ID(s) are unavailable",
    "Forbidden to access tweets for author id 123: 1, 2",
    "Forbidden to access tweets: 1; 2",
    "Forbidden to access metrics: retweets",
    "Your application id is not authorized.",
    "Your account could not be authenticated. Reason: Access token not found",
    "This request requires gzip compression. Set Accept-Encoding to gzip.",
]
DOCUMENTED_IN_V2 = {
    "a Post that is gone": {
        "type": f"{PROBLEM}resource-not-found",
        "title": "Not Found Error",
        "detail": "Could not find tweet with ids: [1890000000000000009].",
        "status": 404,
        "resource_type": "tweet",
        "resource_id": "1890000000000000009",
        "parameter": "ids",
        "value": "1890000000000000009",
    },
    "a Post that is not served": {"type": f"{PROBLEM}resource-unavailable", "resource_id": "5", "detail": "any words"},
    "no kind": {"type": "about:blank", "title": "Unauthorized", "detail": "Unauthorized", "status": 401},
    "a code": {"code": 88, "message": "Rate limit exceeded"},
    "a window that is too long": {"parameters": {"end_time": ["x"]}, "message": "the period must not exceed 28 days"},
}


def news_of(root, endpoint=HISTORICAL):
    window = WINDOW if endpoint.max_days else None
    request = Request(endpoint=endpoint, handle="ann", tweet_ids=(1,), types=("impressions",), window=window)
    return sources.news_of(root if isinstance(root, bytes) else json.dumps(root).encode(), request)


@pytest.mark.parametrize("endpoint", [HISTORICAL, TOTALS])
@pytest.mark.parametrize("text", DOCUMENTED)
def test_the_documented_words_of_the_engagement_api_are_no_news(text, endpoint):
    assert news_of({"errors": [text, {"message": text, "code": 34}]}, endpoint) == ()


def test_other_words_of_the_engagement_api_are_news_without_what_they_name():
    (news,) = news_of({"errors": ["Tweets 1, 2 of ann are archived since 2026-01-01"]})
    told = "Tweets N of HANDLE are archived since MOMENT"
    assert news == News(TEXT, "$.errors[]", told, "Tweets 1, 2 of ann are archived since 2026-01-01")


def test_each_list_of_tweets_may_hold_text_or_numbers():
    lists = ("unavailable", "unsupported_for_impressions_engagements", "unsupported_for_video_views")
    assert news_of({f"{name}_tweet_ids": ["1", 2] for name in lists}, TOTALS) == ()


@pytest.mark.parametrize("problem", DOCUMENTED_IN_V2.values(), ids=DOCUMENTED_IN_V2)
def test_the_documented_problems_of_x_api_v2_are_no_news_in_an_answer_or_instead_of_one(problem):
    assert news_of({"data": [], "errors": [problem]}, ANALYTICS) == ()
    assert news_of({**problem, "errors": [problem]}, ANALYTICS) == ()


def test_another_kind_of_problem_is_news_by_the_end_of_its_type():
    (news,) = news_of({"errors": [{"type": f"{PROBLEM}post-archived", "detail": "Post 5 is archived"}]}, ANALYTICS)
    assert (news.kind, news.place, news.name) == (TEXT, "$.errors[].type", "post-archived")


def test_a_key_of_a_problem_that_is_not_documented_is_news():
    (news,) = news_of({"errors": [{"type": "about:blank", "retry_in": 5}]}, ANALYTICS)
    assert news == News(KEY, "$.errors[]", "retry_in", "5")


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>502</html>", b'{"errors": [', b"\xff", b'{"new": [' + b"1," * 10**6 + b"1]}"],
    ids=["nothing", "HTML", "half", "no text", "too many values to parse"],
)
def test_what_can_be_no_answer_is_no_news(body):
    assert news_of(body) == ()


@pytest.mark.parametrize(
    ("source", "headers"),
    [
        ("engagement", ["x-per-minute-limit", "x-per-minute-remaining", "x-per-minute-reset", "x-per-second-limit"]),
        ("x_api_v2", ["x-rate-limit-limit", "x-rate-limit-remaining", "x-rate-limit-reset", "api-version"]),
    ],
)
def test_the_documented_headers_of_each_api_are_no_news(source, headers):
    assert news_of_headers(dict.fromkeys(headers, "5"), sources.SOURCES[source].HEADERS) == ()
