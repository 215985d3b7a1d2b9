"""The shape of an answer: what is outside of it is told with its place, and nothing else is."""

import re

import pytest

from engagement_pipeline.core.redaction import register
from engagement_pipeline.core.shape import (
    ANY,
    FRACTION,
    HEADER,
    KEY,
    LIST,
    MOST,
    NULL,
    OBJECT,
    STRING,
    TEXT,
    TYPE,
    WHOLE,
    News,
    Shape,
    fingerprint,
    news_of,
    news_of_headers,
)

SECRET = "xT9-not-a-word-8Kq2"
COUNT = Shape((WHOLE, NULL))
POST = Shape((OBJECT,), keys={"id": Shape((STRING,)), "likes": COUNT, "shares": COUNT})
SHAPE = Shape(
    (OBJECT,),
    keys={
        "data": Shape((LIST,), items=POST),
        "errors": Shape((LIST,), items=Shape((STRING,), texts=re.compile(r"\d+ are gone"))),
        "by_day": Shape((OBJECT,), others=COUNT),
        "meta": ANY,
    },
)


@pytest.mark.parametrize(
    ("body", "news"),
    [
        ({"new": [1, 2]}, News(KEY, "$", "new", "[1, 2]")),
        ({"data": [{}, {"new": {"a": None}}]}, News(KEY, "$.data[]", "new", '{"a": null}')),
        ({"data": {"id": "1"}}, News(TYPE, "$.data", OBJECT, '{"id": "1"}', documented=LIST)),
        (
            {"data": [{"likes": 1.5}]},
            News(TYPE, "$.data[].likes", FRACTION, "1.5", documented="a whole number or null"),
        ),
        ({"by_day": {"2026-01-01": "5"}}, News(TYPE, "$.by_day.*", STRING, "5", documented="a whole number or null")),
        ({"errors": ["9 are gone", "9 are late"]}, News(TEXT, "$.errors[]", "N are late", "9 are late")),
        ([], News(TYPE, "$", LIST, "[]", documented=OBJECT)),
    ],
    ids=["key", "key in a list", "type", "fraction", "under an ID", "text", "root"],
)
def test_what_is_outside_of_the_shape_is_told_with_its_place_and_example(body, news):
    assert news_of(body, SHAPE) == (news,)


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"data": [{"id": "1", "likes": 5, "shares": None}, {}]},
        {"errors": ["2 are gone"], "by_day": {"2026-01-01": 5}},
        {"meta": {"anything": [1.5, True, {"at": "all"}]}},
    ],
    ids=["nothing", "posts", "the rest", "what nobody looks into"],
)
def test_what_is_documented_or_stays_away_is_no_news(body):
    assert news_of(body, SHAPE) == ()


def test_keys_that_are_ids_or_moments_are_one_piece_of_news():
    body = {"1890000000000000001": 1, "1890000000000000002": 2, "2026-01-31T05:00:00Z": 3}
    assert [news.name for news in news_of(body, SHAPE)] == ["*"]


def test_a_type_that_changed_under_all_keys_of_an_object_is_one_piece_of_news():
    (news,) = news_of({"data": [{"likes": "4", "shares": "5"}]}, SHAPE)
    assert (news.place, news.name) == ("$.data[].*", STRING)


def test_the_same_news_of_many_values_is_told_once_with_the_first_example():
    (news,) = news_of({"data": [{"likes": 1}, {"likes": 2.5}, {"likes": 3.5}]}, SHAPE)
    assert news.example == "2.5"


def test_a_body_that_has_nothing_to_do_with_the_api_gives_few_news():
    words = ["".join(chr(97 + int(digit)) for digit in str(number)) for number in range(1_000, 2_000)]
    assert len(news_of(dict.fromkeys(words, 0), SHAPE)) == MOST


@pytest.mark.parametrize(
    "name", ["bookmarks", "timestampedMetrics", "playback25", "unsupported_for_video_views_v2_ids", "isAReply"]
)
def test_a_name_that_is_made_of_words_is_told_as_it_is(name):
    assert [news.name for news in news_of({name: 1}, SHAPE)] == [name]


@pytest.mark.parametrize("body", [{SECRET: 1}, {"new": SECRET}, {"new": {"deep": [SECRET]}}, {"errors": [SECRET]}])
def test_no_secret_is_in_any_news(body):
    register(SECRET)
    assert SECRET not in repr(news_of(body, SHAPE))


def test_what_looks_like_a_token_is_masked_be_it_a_key_or_a_value():
    token = "AAAAbbbb1111CCCCdddd2222EEEE"
    assert token not in repr(news_of({token: 1, "new": token}, SHAPE))


@pytest.mark.parametrize("body", [{"\x1b[2J": 1}, {"new": "\x1b[2J"}, {"errors": ["\x1b[2J\u202e"]}])
def test_no_character_of_any_news_commands_a_terminal(body):
    (news,) = news_of(body, SHAPE)
    assert news.words("historical", kept=True).isprintable()
    assert news.example.isprintable()


def test_a_value_that_is_nested_too_deep_has_no_example():
    value = []
    for _ in range(100_000):
        value = [value]
    (news,) = news_of({"new": value}, SHAPE)
    assert news.example == "…"


def test_an_example_is_cut_short():
    (news,) = news_of({"new": "many words " * 1_000}, SHAPE)
    assert len(news.example) < 250


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("Forbidden to access tweets for author id 12: 1, 2", "Forbidden to access tweets for author id 3: 7; 8; 9"),
        ("Could not find tweet with ids: [18].", "Could not find tweet with ids: [19, 20]."),
        ("must be on or after 2026-01-01T00:00Z", "must be on or after 2025-12-31"),
        ("no access for @ann", "no access for @bob"),
        ("ann may not see it", "Ann may not see it"),
    ],
)
def test_a_text_is_the_same_whatever_tweets_moments_and_handles_it_names(text, other):
    assert fingerprint(text, handle="ann") == fingerprint(other, handle="ann")


def test_other_words_are_another_text():
    assert fingerprint("Tweet 1 is gone") != fingerprint("Tweet 1 is late")


def test_a_header_of_a_rate_that_is_not_documented_is_news():
    headers = {"X-Rate-Limit-Burst": "12", "x-per-minute-limit": "300"}
    assert news_of_headers(headers, {"x-per-minute-limit"}) == (News(HEADER, "", "x-rate-limit-burst", "12"),)


@pytest.mark.parametrize("name", ["sunset", "deprecation", "RateLimit-Policy", "x-api-warning", "x-quota-left"])
def test_a_header_that_announces_a_change_of_the_api_is_news(name):
    assert [news.name for news in news_of_headers({name: "1"}, ())] == [name.lower()]


@pytest.mark.parametrize(
    "name",
    ["Date", "Content-Type", "Via", "CF-Ray", "X-Amz-Cf-Id", "X-Cache", "X-Served-By", "Server-Timing", "Alt-Svc"],
)
def test_headers_of_the_network_on_the_way_are_no_news(name):
    assert news_of_headers({name: "1"}, ()) == ()
