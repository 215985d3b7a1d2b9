"""The timeline of X API v2: what is asked, and what a page says in either spelling."""

import json
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest

from engagement_pipeline.core.errors import RefusedError, ResponseError, UnavailableError
from engagement_pipeline.core.model import Answer
from engagement_pipeline.core.posts import Post
from engagement_pipeline.sources.x_api_v2 import timeline

MOMENT = datetime(2026, 1, 1, tzinfo=UTC)
FOUND = {
    "id": "7",
    "text": "A short text",
    "created_at": "2026-01-01T00:00:00.000Z",
    "lang": "en",
    "attachments": {"media_keys": ["3_1", "7_2"]},
    "entities": {
        "urls": [
            {"url": "https://t.co/a", "expanded_url": "https://example.com/a"},
            {"url": "https://t.co/b", "expanded_url": "https://x.com/ann/status/7/photo/1", "media_key": "3_1"},
        ]
    },
}
MEDIA = {"media": [{"media_key": "3_1", "type": "photo"}, {"media_key": "7_2", "type": "video"}]}


def query(request):
    asked = urlsplit(timeline.http_request(request).path)
    return asked.path, {name: value for name, (value,) in parse_qs(asked.query).items()}


def read(*posts, **root):
    return timeline.read_page(json.dumps({"data": posts, "includes": MEDIA, "meta": {}} | root).encode())


@pytest.mark.parametrize(
    ("word", "fields", "expansions"),
    [
        ("post", "note_post", "attachments.media_keys,referenced_posts.id"),
        ("tweet", "note_tweet,referenced_tweets", "attachments.media_keys"),
    ],
)
def test_a_page_is_asked_for_in_one_spelling(word, fields, expansions):
    path, given = query(timeline.page("ann", "11", word=word, since=5, token="abc"))
    assert path == "/2/users/11/tweets"
    assert given == {
        "max_results": "100",
        "exclude": "retweets",
        f"{word}.fields": f"created_at,lang,entities,attachments,{fields}",
        "expansions": expansions,
        "media.fields": "media_key,type",
        "since_id": "5",
        "pagination_token": "abc",
    }


def test_a_body_with_more_values_than_a_page_can_hold_is_not_parsed():
    with pytest.raises(ResponseError, match="524,288: is a proxy in the way"):
        timeline.read_page(b"[" + b"{}," * 600_000 + b"{}]")


def test_the_first_page_of_all_has_neither_an_id_nor_a_token():
    assert {"since_id", "pagination_token"} & query(timeline.page("ann", "11", word="post"))[1].keys() == set()


def test_a_post_has_its_text_time_media_and_links_but_none_to_its_own_media():
    assert read(FOUND).posts == (
        Post(
            tweet_id=7,
            created_at=MOMENT,
            kind="post",
            lang="en",
            text="A short text",
            media_kinds=("photo", "video"),
            media_keys=("3_1", "7_2"),
            links=("https://example.com/a",),
        ),
    )


@pytest.mark.parametrize("word", ["post", "tweet"])
@pytest.mark.parametrize(
    ("types", "kind"), [(["replied_to", "quoted"], "reply"), (["quoted"], "quote"), (["replied_to"], "reply")]
)
def test_the_kind_is_read_in_both_spellings(word, types, kind):
    references = {f"referenced_{word}s": [{"type": name, "id": "5"} for name in types]}
    assert [post.kind for post in read(FOUND | references).posts] == [kind]


@pytest.mark.parametrize(("word", "name"), [("post", "reposted"), ("tweet", "retweeted")])
def test_a_repost_is_left_out(word, name):
    assert read(FOUND | {f"referenced_{word}s": [{"type": name, "id": "5"}]}).posts == ()


@pytest.mark.parametrize("word", ["post", "tweet"])
def test_a_long_text_is_read_whole(word):
    (post,) = read(FOUND | {f"note_{word}": {"text": "A long text"}}).posts
    assert post.text == "A long text"


def test_a_page_without_posts_may_lead_on():
    page = timeline.read_page(b'{"meta": {"result_count": 0, "next_token": "abc"}}')
    assert (page.posts, page.next_token) == ((), "abc")


def test_the_last_page_leads_nowhere():
    assert read(FOUND).next_token == ""


@pytest.mark.parametrize(
    "body",
    [
        b"<html>",
        b"[]",
        b"{}",
        b'{"errors": [{"detail": "no such user"}]}',
        b'{"data": [{"text": "x"}], "meta": {}}',
        b'{"data": [{"id": "x"}], "meta": {}}',
        b'{"data": [{"id": "7", "created_at": "now"}], "meta": {}}',
        b'{"data": [{"id": "7", "created_at": "2026-01-01T00:00:00"}], "meta": {}}',
        b'{"data": [{"id": "7", "created_at": "0001-01-01T00:00:00+14:00"}], "meta": {}}',
        b'{"data": [{"id": "7", "attachments": {"media_keys": [3]}}], "meta": {}}',
        b'{"data": [7], "meta": {}}',
        b'{"includes": {"media": [{}]}, "meta": {}}',
    ],
)
def test_what_is_no_page_is_refused(body):
    with pytest.raises(ResponseError):
        timeline.read_page(body)


def test_a_user_has_an_id():
    assert query(timeline.user("ann")) == ("/2/users/by/username/ann", {})
    assert timeline.read_user(b'{"data": {"id": "11", "username": "ann"}}') == "11"


@pytest.mark.parametrize(
    "body",
    [
        b'{"errors": [{"detail": "Could not find user"}]}',
        *(b'{"data": %s}' % each for each in (b"{}", b"null", b"[]", b'[{"id": "11"}]', b'"11"', b'{"id": "\\u0661"}')),
    ],
)
def test_an_account_that_is_not_there_is_told(body):
    with pytest.raises(ResponseError, match="X knows no such account"):
        timeline.read_user(body)


def answer(status, body):
    return Answer(url="https://api.x.com/2/users/11/tweets?x=1", status=status, headers={}, body=body, size=0)


def test_a_spent_rate_says_so_and_can_be_tried_again():
    body = b'{"errors": [{"code": 88, "message": "Rate limit exceeded"}]}'
    error = timeline.error_of(answer(429, body), handle="ann", asked_at=MOMENT)
    assert isinstance(error, UnavailableError)
    assert str(error).endswith("/2/users/11/tweets answered 429: account ann has used up its reads of 15 minutes.")


def test_a_cap_that_is_used_up_is_not_tried_again():
    body = b'{"type": "https://api.x.com/2/problems/usage-capped", "detail": "capped"}'
    assert isinstance(timeline.error_of(answer(429, body), handle="ann", asked_at=MOMENT), RefusedError)


def test_the_limit_of_the_rate_spaces_no_requests_but_a_spent_one_closes_it():
    headers = {"x-rate-limit-limit": "900", "x-rate-limit-remaining": "0"}
    told = timeline.rate_of(headers, asked_at=MOMENT, seconds=0, spent=False)
    assert (told.limit, told.remaining) == (None, 0)
    assert told.reset_in > 0
