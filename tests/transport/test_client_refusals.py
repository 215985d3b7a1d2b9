"""What the client makes of a refusal: whose fault it is, which Tweets it names, what mends it."""

import gzip
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from scripted_api import ACCOUNTS, REQUEST, SECRETS, Answer, asking, error, raised

from engagement_pipeline.core.endpoints import TOTALS
from engagement_pipeline.core.errors import AccountError, RefusedError
from engagement_pipeline.core.redaction import masked


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 405, 406])
def test_what_asking_again_cannot_mend_is_asked_once(status):
    caught, asked = raised(error(status, "No."))
    assert (caught.status, caught.texts, asked) == (status, ("No.",), 1)


def test_a_redirect_is_not_followed():
    """A signed request must not be carried to another host."""
    with asking() as (elsewhere, _, _):
        moved = Answer(status=307, headers={"Location": elsewhere.url + "/insights/engagement/historical"})
        caught, asked = raised(moved)
    assert isinstance(caught, RefusedError)
    assert (asked, elsewhere.received) == (1, [])


@pytest.mark.parametrize(
    ("answer", "kind", "remedy"),
    [
        (error(401, "Your account could not be authenticated. Reason: x"), AccountError, "check its tokens"),
        (error(401, "Reason: Bad signature"), AccountError, "check consumer_key, consumer_secret and its tokens"),
        (error(401, "Reason: Consumer key not found"), AccountError, "engagement authorize ann gets new tokens"),
        (error(403, "Your application id is not authorized."), AccountError, "have the vendor approve the app"),
        (error(403, "Forbidden to access metrics: retweets"), AccountError, "out of the setting types"),
        (error(403, "Forbidden to access tweets: 1"), RefusedError, ""),
        (error(400, "Tweet ID(s) are unavailable"), RefusedError, ""),
        (error(404, "Not Found"), RefusedError, ""),
    ],
)
def test_a_refusal_is_about_the_account_or_about_the_request(answer, kind, remedy):
    caught, _ = raised(answer)
    assert isinstance(caught, kind)
    assert remedy in str(caught)
    assert caught.account == "ann"
    assert "account ann" in str(caught)


@pytest.mark.parametrize(
    ("texts", "tweet_ids"),
    [
        (["Forbidden to access tweets for author id 77: 1, 2"], (1, 2)),
        (
            ["Forbidden to access tweets for author id 77: 1", "Forbidden to access tweets for author id 8: 2, 3"],
            (1, 2, 3),
        ),
        (["Forbidden to access tweets: 1; 2"], (1, 2)),
        (["Forbidden to access tweets for author id 77"], ()),
        (["Forbidden to access tweets"], ()),
        (["FORBIDDEN TO ACCESS TWEETS FOR AUTHOR ID 77: 1890000000000000001"], (1890000000000000001,)),
        (["Only 25 Tweets a request", "Forbidden to access tweets: 5"], (5,)),
    ],
)
def test_the_tweets_that_a_403_names_are_read(texts, tweet_ids):
    """In every documented spelling; author ids are no Tweets."""
    caught, _ = raised(error(403, *texts))
    assert isinstance(caught, RefusedError)
    assert (caught.about_tweets, caught.tweet_ids) == (True, tweet_ids)


def test_a_400_about_unavailable_tweets_names_none():
    caught, _ = raised(error(400, "Tweet ID(s) are unavailable"))
    assert (caught.about_tweets, caught.tweet_ids) == (True, ())


@pytest.mark.parametrize(
    ("answer", "forbidden"),
    [
        (error(403, "Forbidden to access tweets"), True),
        (error(400, "Tweet ID(s) are unavailable"), False),
        (error(404, "Not Found"), False),
    ],
)
def test_a_403_says_that_the_tweets_are_refused_because_of_who_asks(answer, forbidden):
    caught, _ = raised(answer)
    assert caught.forbidden == forbidden


def test_a_400_about_the_request_is_not_about_tweets():
    caught, _ = raised(error(400, "end must be at most 28 days after start"))
    assert not caught.about_tweets


@pytest.mark.parametrize(
    ("body", "texts"),
    [
        (b'{"errors": ["a", "b"]}', ("a", "b")),
        (b'{"errors": [{"message": "a", "code": 34}]}', ("a",)),
        (b'{"errors": [{"code": 34}]}', ("{'code': 34}",)),
        (b'{"errors": "a"}', ("a",)),
        (b'{"error": "a"}', ('{"error": "a"}',)),
        (b"<html>Not here</html>", ("<html>Not here</html>",)),
        (b"[1]", ("[1]",)),
        (b"", ()),
    ],
)
def test_every_shape_of_error_body_is_read(body, texts):
    caught, _ = raised(Answer(status=404, body=body))
    assert caught.texts == texts


def test_a_packed_refusal_is_read_like_a_plain_one():
    plain = error(403, "Forbidden to access tweets: 1; 2")
    packed = replace(plain, body=gzip.compress(plain.body), packed=True)
    (told, _), (expected, _) = raised(packed), raised(plain)
    assert (told.texts, told.tweet_ids, told.body) == (expected.texts, expected.tweet_ids, expected.body)


def test_a_message_is_one_line_however_long_the_page():
    caught, _ = raised(Answer(status=502, body=b"<html>\n" + b"very long\n" * 1000))
    assert "\n" not in str(caught)
    assert len(str(caught)) < 500


NOW = datetime(2026, 2, 1, 12, 30, tzinfo=UTC)
TOKENS = "check its tokens in the accounts file, or get new ones with engagement authorize ann"


def dated(ahead):
    """Return a 401 of an API whose clock is so far ahead of ours."""
    return replace(error(401, "No."), headers={"Date": format_datetime(NOW + ahead, usegmt=True)})


@pytest.mark.parametrize(
    ("answer", "remedy"),
    [
        (dated(timedelta(minutes=7)), "this machine's clock is 7 minutes behind the API's"),
        (dated(timedelta(minutes=-90)), "this machine's clock is 90 minutes ahead of the API's"),
        (dated(timedelta(minutes=4)), TOKENS),
        (dated(timedelta(minutes=-4)), TOKENS),
        (replace(error(401, "No."), headers={"Date": "yesterday"}), TOKENS),
        (replace(error(401, "No."), headers={"Date": "Sun, 01 Feb 2026 00:00:00 -0000"}), TOKENS),
        (error(401, "No."), TOKENS),
    ],
)
def test_a_clock_that_is_wrong_is_named_where_it_can_be_the_reason(answer, remedy):
    """Signatures carry the time, and are refused when it is more than five minutes off."""
    caught, _ = raised(answer, now=lambda: NOW)
    assert isinstance(caught, AccountError)
    assert remedy in str(caught)


def test_a_bearer_token_that_is_not_let_in_is_named_whatever_the_clock():
    app = replace(ACCOUNTS.app, bearer_token="TheBearerTokenOfTheApp")
    caught, _ = raised(
        dated(timedelta(hours=1)),
        request=replace(REQUEST, handle=""),
        accounts=replace(ACCOUNTS, app=app),
        now=lambda: NOW,
    )
    assert "the app's bearer token: the API answered 401 (No.): check bearer_token or the consumer key" in str(caught)
    assert app.bearer_token not in str(caught)


def test_a_refusal_carries_its_body_and_when_it_was_asked_for():
    answer = error(403, "Forbidden to access tweets: 1")
    caught, _ = raised(answer, now=lambda: NOW)
    assert (caught.body, caught.asked_at) == (answer.body, NOW)


HEADER = (
    f'Authorization: OAuth oauth_consumer_key="{SECRETS["consumer_key"]}", oauth_token="{SECRETS["access_token"]}", '
    'oauth_signature="Zm9yIGEgc2lnbmF0dXJl%3D", Bearer AAAA%2FBearer%3DToken'
)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
@pytest.mark.parametrize("told", ["json", "page"])
def test_a_header_that_a_server_repeats_is_neither_shown_nor_kept(status, told):
    """A debugging proxy writes it into its page, or an API into its texts."""
    text = f"Forbidden to access tweets: 1890000000000000001. {HEADER}"
    answer = error(status, text) if told == "json" else Answer(status=status, body=f"<html>{text}</html>".encode())
    caught, _ = raised(answer, tries=1)
    kept = str(caught) + "; ".join(caught.texts) + getattr(caught, "body", b"").decode()
    assert not [secret for secret in SECRETS.values() if secret in kept]
    assert "Zm9yIGEgc2lnbmF0dXJl" not in str(caught) + "; ".join(caught.texts)
    assert "Forbidden to access tweets: 1890000000000000001. " in "; ".join(caught.texts)


def test_a_page_instead_of_json_is_masked_too():
    caught, _ = raised(Answer(body=f"<html>{HEADER}</html>".encode()), tries=1)
    assert "answered 200 with a body that is not JSON ('<html>Authorization: OAuth oauth_consumer_key=" in str(caught)
    assert not [secret for secret in SECRETS.values() if secret in str(caught)]


def test_a_fetched_bearer_token_is_masked_in_what_is_kept():
    token = Answer(body=b'{"token_type": "bearer", "access_token": "AAAA/FetchedBearer"}')
    said = r'{"errors": ["Forbidden to access tweets: 1, AAAA\/FetchedBearer"]}'
    with asking(token, Answer(status=403, body=said.encode())) as (_, client, _), pytest.raises(RefusedError) as caught:
        client.ask(replace(REQUEST, endpoint=TOTALS, handle="", window=None))
    assert caught.value.body.decode() == '{"errors": ["Forbidden to access tweets: 1, [a secret of ours]"]}'


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("Tweet 1890000000000000001; 1890000000000000002", None),
        ("Forbidden to access metrics: app_install_attempts, media_engagements", None),
        ("unsupported_for_impressions_engagements_tweet_ids", None),
        ("/insights/engagement/historical", None),
        ("2026-01-31T00:00:00Z to 2026-02-01T00:00:00Z", None),
        ("99-AccessTokenOfAnn", "…"),
        ("token=AnotherAppsTokenSecret!", "…!"),
        ("token=AccessTokenSecretOfAnn!", "token=…!"),
        ("aquitelongtokenoflowercase", "…"),
    ],
)
def test_what_looks_like_a_token_is_masked_and_the_api_s_own_words_are_not(text, left):
    assert masked(text) == (text if left is None else left)
