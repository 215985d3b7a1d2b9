"""What is no whole answer of HTTP says in one line what it is; and no token follows a redirect."""

import gzip

import pytest
from scripted_api import ACCOUNTS, REQUEST, Answer, Clock, ScriptedApi, asking_of, raised
from trickles import server

from engagement_pipeline.core.errors import AccountError, RefusedError, UnavailableError
from engagement_pipeline.transport import tokens

HEAD = b"HTTP/1.1 200 OK\r\n"
BODY = b'{"fine": true}'
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
PACKED = HEAD + b"Content-Encoding: gzip\r\nConnection: close\r\n\r\n"
NO_HTTP = "answered with what is not HTTP"
TOO_LONG = "answered with longer headers than HTTP allows"
BROKE_OFF = "answered with a body that broke off"
UNPACKED = "answered with a body that cannot be unpacked"
WIRE = {
    "another protocol": (b"SSH-2.0-OpenSSH_9\r\n", NO_HTTP),
    "a page without a head": (b"<html>hello</html>", NO_HTTP),
    "bytes": (bytes(range(256)), NO_HTTP),
    "a status that is no number": (b"HTTP/1.1 abc OK\r\n\r\n", NO_HTTP),
    "a status of four digits": (b"HTTP/1.1 1000 What\r\n\r\n", NO_HTTP),
    "another HTTP": (b"HTTP/2 200 OK\r\n\r\n", NO_HTTP),
    "nothing": (b"", "closed the connection without an answer"),
    "a long status line": (b"HTTP/1.1 200 " + b"x" * 70_000, TOO_LONG),
    "a long header": (HEAD + b"X: " + b"y" * 70_000, TOO_LONG),
    "many headers": (HEAD + b"".join(b"X-%d: 1\r\n" % i for i in range(500)) + b"\r\n", TOO_LONG),
    "two lengths": (
        HEAD + b"Content-Length: 14\r\nContent-Length: 15\r\n\r\n" + BODY,
        "answered with headers that contradict each other",
    ),
    "a body that is cut": (HEAD + b"Content-Length: 100\r\n\r\n" + BODY, BROKE_OFF),
    "a length of a chunk that is none": (CHUNKED + b"zz\r\n{}\r\n0\r\n\r\n", BROKE_OFF),
    "a length of a chunk below nothing": (CHUNKED + b"-5\r\n{}\r\n0\r\n\r\n", BROKE_OFF),
    "a length of a chunk without an end": (CHUNKED + b"1" * 70_000, BROKE_OFF),
    "a chunk that is cut": (CHUNKED + b"5\r\n{}", BROKE_OFF),
    "what is not packed": (PACKED + BODY, UNPACKED),
    "a wrong checksum": (PACKED + gzip.compress(BODY)[:-8] + b"abcdefgh", UNPACKED),
}


def of_api(url):
    with asking_of(url, ACCOUNTS, Clock(), patience_minutes=0) as client:
        client.ask(REQUEST)


def of_token_host(url):
    tokens.bearer_token(ACCOUNTS.app, auth_url=url, timeout_seconds=10)


@pytest.mark.parametrize(("first", "words"), WIRE.values(), ids=WIRE)
@pytest.mark.parametrize(
    ("ask", "path", "setting"),
    [(of_api, "/insights/engagement/historical", "api_url"), (of_token_host, "/oauth2/token", "auth_url")],
    ids=["API", "token host"],
)
def test_what_is_no_whole_answer_says_what_it_is(ask, path, setting, first, words):
    with server(first, times=0) as url, pytest.raises(UnavailableError) as caught:
        ask(url)
    assert str(caught.value).startswith(f"{url}{path} {words}: check the network and {setting}")


def test_packed_json_that_breaks_off_says_so():
    with server(PACKED + gzip.compress(BODY * 1000)[:40], times=0) as url, pytest.raises(UnavailableError) as caught:
        of_api(url)
    assert "answered 200 with a body of JSON that broke off (" in str(caught.value)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_no_token_follows_a_redirect_to_another_host(status):
    with ScriptedApi() as other:
        host = other.url.removeprefix("http://")
        caught, asked = raised(Answer(status=status, headers={"Location": f"http://user:word@{host}/there"}))
        told = f"a redirect to {host}, which no token follows: check auth_url"
        answer = Answer(status=status, headers={"Location": f"{other.url}/there"})
        with ScriptedApi(answer) as api, pytest.raises(AccountError, match=told):
            of_token_host(api.url)
    assert isinstance(caught, RefusedError)
    told = f'answered {status} ({{"fine": true}}), a redirect to {host}, which no token follows: is api_url right, or'
    assert told in str(caught)
    assert (asked, other.received) == (1, [])


@pytest.mark.parametrize(
    ("location", "host"),
    [("/login", "127.0.0.1:"), ("", "nowhere,"), ("http://[::1/", "nowhere,"), ("http://a\x1bb/", r"a\x1bb,")],
)
def test_any_place_of_a_redirect_is_told_on_one_line(location, host):
    caught, _ = raised(Answer(status=302, headers={"Location": location}))
    assert f", a redirect to {host}" in str(caught)
    assert str(caught).isprintable()


def test_a_redirect_that_speaks_of_tweets_sets_none_aside():
    body = b'{"errors": ["Forbidden to access tweets: 1890000000000000001"]}'
    caught, _ = raised(Answer(status=302, body=body))
    assert not caught.about_tweets


@pytest.mark.parametrize("status", [206, 304])
def test_an_answer_that_the_api_never_gives_asks_for_the_address(status):
    caught, _ = raised(Answer(status=status))
    assert "): is api_url right, or a proxy in the way?" in str(caught)
