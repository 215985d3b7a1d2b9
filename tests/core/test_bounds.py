"""An answer ends when its time is over or its size is full, whatever part of it the server draws out."""

import gzip
import io
import socket

import pytest
import requests
from trickles import server

from engagement_pipeline.core import bounds
from engagement_pipeline.core.bounds import LARGEST_REFUSAL, TooLargeError, bounded_session, send, sending

HEAD = b"HTTP/1.1 200 OK\r\n"
PAUSE = 0.05  # seconds between two bytes of a trickle, far below the time of a try
SECONDS = 0.4
LARGEST = 2**16


def asked(url, *, seconds=SECONDS, largest=LARGEST):
    with bounded_session() as session:
        return send(session, "POST", url, seconds=seconds, largest=largest, data=b"{}")


@pytest.mark.parametrize(
    ("first", "then"),
    [
        pytest.param(HEAD + b"Content-Length: 99999\r\n\r\n", b" ", id="body"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\na\r\n", id="chunks"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1", id="length of a chunk"),
        pytest.param(HEAD, b"x", id="header"),
        pytest.param(b"", b"H", id="status line"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", id="interim answers"),
    ],
)
def test_a_trickle_ends_with_the_time_of_the_try(first, then):
    with server(first, then, pause=PAUSE) as url, pytest.raises(requests.exceptions.Timeout):
        asked(url)


@pytest.mark.parametrize(
    ("first", "then"),
    [
        pytest.param(HEAD + b"Connection: close\r\n\r\n", b" " * 2**16, id="body"),
        pytest.param(
            HEAD + b"Content-Encoding: gzip\r\n\r\n" + gzip.compress(b" " * 2**26), b"", id="gzip that unpacks large"
        ),
        pytest.param(b"HTTP/1.1 302 Found\r\nLocation: /there\r\n\r\n", b" " * 2**16, id="body of a redirect"),
        pytest.param(
            b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Encoding: gzip\r\n\r\n" + gzip.compress(b" " * 2**26),
            b"",
            id="redirect that unpacks large",
        ),
        pytest.param(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 1000, id="interim answers"),
    ],
)
def test_more_than_an_answer_may_have_is_given_up(first, then):
    with server(first, then, times=2000 if then else 0) as url, pytest.raises(TooLargeError):
        asked(url, seconds=30)


@pytest.mark.parametrize(("status", "largest", "most"), [(200, 2**22, 2**22), (503, 2**22, LARGEST_REFUSAL)])
def test_a_status_other_than_200_has_a_bound_of_its_own(status, largest, most):
    """Whatever the largest answer is: a refusal is a text, and a page of a proxy is no answer."""
    whole, more = (
        b"HTTP/1.1 %d Told\r\nContent-Length: %d\r\n\r\n" % (status, size) + b" " * size for size in (most, most + 1)
    )
    with server(whole, times=0) as url:
        assert len(asked(url, seconds=30, largest=largest).body) == most
    with server(more, times=0) as url, pytest.raises(TooLargeError) as caught:
        asked(url, seconds=30, largest=largest)
    assert caught.value.most == most


def test_a_refusal_may_have_more_bytes_than_the_answer_that_it_stands_for():
    """The page of a proxy is larger than the answer to a small request, and its status tells what to do."""
    page = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9999\r\n\r\n" + b" " * 9999
    with server(page, times=0) as url:
        assert asked(url, largest=10).status == 403


def test_what_a_proxy_answers_is_within_the_bound_too(monkeypatch):
    with server(b"", b"H", pause=PAUSE) as proxy:
        monkeypatch.setenv("https_proxy", proxy)
        with pytest.raises(requests.exceptions.Timeout):
            asked("https://api.example.com")


def test_a_whole_answer_comes_as_it_is():
    with server(HEAD + b"Content-Length: 2\r\nX-Told: yes\r\n\r\n{}", times=0) as url:
        answer = asked(url)
    assert (answer.status, answer.headers["x-told"], answer.body, answer.size) == (200, "yes", b"{}", 2)


def test_a_redirect_is_not_followed():
    with server(b"HTTP/1.1 302 Found\r\nLocation: /there\r\nContent-Length: 0\r\n\r\n", times=0) as url:
        assert asked(url).status == 302


def test_a_connection_that_is_used_again_has_the_time_of_its_own_try():
    answer = HEAD + b"Content-Length: 2\r\n\r\n{}"
    with server(answer, times=0, proxied=answer) as url, bounded_session() as session:
        first = send(session, "POST", url, seconds=0.2, largest=LARGEST, data=b"{}")
        second = send(session, "POST", url, seconds=30, largest=LARGEST, data=b"{}")
    assert first.body == second.body == b"{}"


def test_of_an_answer_that_is_not_read_the_headers_alone_must_come():
    with (
        server(HEAD + b"\r\n", b" ", pause=PAUSE) as url,
        bounded_session() as session,
        sending(session, "POST", url, seconds=SECONDS, largest=0, json={}) as answer,
    ):
        assert answer.status_code == 200


def test_a_reader_of_another_protocol_ends_in_time():
    ours, theirs = socket.socketpair()
    with ours, theirs:
        reader = io.BufferedReader(bounds.Reader(ours, bounds.Bound(seconds=PAUSE, size=LARGEST)))
        with pytest.raises(TimeoutError):
            reader.readline()
