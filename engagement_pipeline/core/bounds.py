"""An HTTP answer within bounds: all of it by a moment, and no larger than it may be.

In: a session with an Adapter of this module, what to send, the seconds that all of it may take, and the largest answer.
Out: a whole Answer, or an exception of requests: Timeout once the time is over, TooLargeError for what has more bytes.

What requests calls a timeout is the longest pause between two bytes. So a server that sends one now and then holds a
request for ever. Here the connection reads through a reader that knows when the whole must end. It reads the answer of
a proxy, the status line, the headers and the body. Connecting, each address of a name has the time that is left.

A request to this machine goes through no proxy. Others go through the one that the environment names. Certificates are
checked against those of the file that REQUESTS_CA_BUNDLE, CURL_CA_BUNDLE or SSL_CERT_FILE names.
"""

from __future__ import annotations

import http.client
import io
import os
import time
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from engagement_pipeline.core.model import Answer
from engagement_pipeline.core.proxies import proxy_for

if TYPE_CHECKING:
    import socket
    from collections.abc import Iterator

    from urllib3 import PoolManager, ProxyManager

PIECE = 2**18  # bytes of a body, read at a time
LARGEST_REFUSAL = 2**20  # bytes of the body of any status but 200: a text of the API's, or a page of a proxy
CERTIFICATES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE")  # variables; the first that is set counts
LARGEST_HEAD = 2**20  # bytes of status lines and headers, those of a proxy included; the library's own limit is 6 MB


class TooLargeError(requests.exceptions.RequestException):
    """An answer with more than `most` bytes, which is what it may have."""

    def __init__(self, most: int) -> None:
        super().__init__(f"more than {most:,} bytes")
        self.most = most


class NoCertificatesError(requests.exceptions.RequestException):
    """A `variable` that names a `path` where no certificates are."""

    def __init__(self, variable: str, path: str) -> None:
        super().__init__(f"{variable} names {path}, where no certificates are")
        self.variable = variable
        self.path = path


class Bound:
    """What is left to one try: seconds, and bytes on the wire."""

    def __init__(self, *, seconds: float, size: int) -> None:
        self._ends = time.monotonic() + seconds
        self._size = size

    @property
    def is_over(self) -> bool:
        """Tell whether the time is used up."""
        return time.monotonic() >= self._ends

    @property
    def is_full(self) -> bool:
        """Tell whether there came more bytes than there may."""
        return self._size < 0

    def seconds_left(self) -> float:
        """Return the seconds until the try ends; raises TimeoutError where it has ended."""
        left = self._ends - time.monotonic()
        if left <= 0:
            raise TimeoutError("the time of the try is over")
        return left

    def take(self, size: int) -> None:
        """Count bytes that came; raises OSError for more than there may be."""
        self._size -= size
        if self.is_full:
            raise OSError("more bytes than an answer may have")


_bound: ContextVar[Bound | None] = ContextVar("bound", default=None)  # of the try that this thread is at


class Reader(io.RawIOBase):
    """What a socket receives, within a bound."""

    def __init__(self, sock: socket.socket, bound: Bound, received: io.RawIOBase | None = None) -> None:
        self._sock = sock
        self._bound = bound
        self._received = received or sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401 - the buffer protocol of io
        """Receive what comes by the end of the bound."""
        self._sock.settimeout(self._bound.seconds_left())
        count: int | None = self._received.readinto(buffer)
        self._bound.take(count or 0)
        return count

    def close(self) -> None:
        """Let go of the socket."""
        self._received.close()
        super().close()


class _Response(http.client.HTTPResponse):
    """An answer that is read by a Reader."""

    def __init__(self, sock: socket.socket, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - passed on
        super().__init__(sock, *arguments, **named)
        if bound := _bound.get():
            self.fp = io.BufferedReader(Reader(sock, bound, self.fp.detach()))


class _Connection(HTTPConnection):
    response_class = _Response

    def connect(self) -> None:
        if bound := _bound.get():
            self.timeout = bound.seconds_left()
        super().connect()


class _TlsConnection(HTTPSConnection):
    response_class = _Response

    def connect(self) -> None:
        if bound := _bound.get():
            self.timeout = bound.seconds_left()
        super().connect()


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Connection


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _TlsConnection


class Adapter(HTTPAdapter):
    """Connections that keep to a bound, through a proxy too; to be mounted on a session."""

    def init_poolmanager(self, *arguments: Any, **named: Any) -> None:  # noqa: ANN401 - passed on
        """Make the pools of direct connections."""
        super().init_poolmanager(*arguments, **named)
        self.poolmanager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}

    def proxy_manager_for(self, *arguments: Any, **named: Any) -> ProxyManager | PoolManager:  # noqa: ANN401
        """Return the pools of the connections through a proxy."""
        manager: ProxyManager | PoolManager = super().proxy_manager_for(*arguments, **named)
        manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
        return manager


def bounded_session() -> requests.Session:
    """Return a session of its own with an Adapter."""
    session = requests.Session()
    for scheme in ("http://", "https://"):
        session.mount(scheme, Adapter())
    return session


@contextmanager
def sending(
    session: requests.Session,
    method: str,
    url: str,
    *,
    seconds: float,
    largest: int,
    **options: Any,  # noqa: ANN401 - passed on
) -> Iterator[requests.Response]:
    """Send, and give the answer once its headers are there; redirects are not followed.

    `options` are those of requests.Request. What is read of the body inside the block is bounded too. The session's
    own `send` is not asked: of a redirect it reads the whole body, however large it unpacks.
    """
    bound = Bound(seconds=seconds, size=largest + LARGEST_HEAD)
    token = _bound.set(bound)
    try:
        prepared = session.prepare_request(requests.Request(method, url, **options))
        target = prepared.url or url
        verify = _certificates() if target.startswith("https") else True
        proxies = {"all": proxy} if (proxy := proxy_for(target)) else {}
        adapter = session.get_adapter(target)
        with adapter.send(prepared, stream=True, timeout=seconds, verify=verify, proxies=proxies) as answer:
            yield answer
    except (TooLargeError, NoCertificatesError):
        raise
    except requests.exceptions.RequestException:
        if bound.is_full:
            raise TooLargeError(largest) from None
        if bound.is_over:
            raise requests.exceptions.Timeout from None
        raise
    finally:
        _bound.reset(token)


def _certificates() -> str | bool:
    """Return the file or folder of certificates that the environment names, True for the library's own.

    Raises NoCertificatesError if there is no such file.
    """
    for variable in CERTIFICATES:
        if path := os.environ.get(variable):
            if not Path(path).exists():
                raise NoCertificatesError(variable, path)
            return path
    return True


def _pieces(answer: requests.Response) -> Iterator[bytes]:
    """Yield the body, unpacked; a length that is no length is an error like all others of what comes."""
    try:
        yield from answer.iter_content(PIECE)
    except ValueError as error:
        raise requests.exceptions.ChunkedEncodingError from error


def send(
    session: requests.Session,
    method: str,
    url: str,
    *,
    seconds: float,
    largest: int,
    **options: Any,  # noqa: ANN401 - passed on
) -> Answer:
    """Send, and return the whole answer, decompressed. Arguments and errors are those of `sending`.

    `largest` is in bytes and holds for a 200: the body of any other status may have LARGEST_REFUSAL.
    """
    wire = max(largest, LARGEST_REFUSAL)
    with sending(session, method, url, seconds=seconds, largest=wire, **options) as answer:
        most = largest if answer.status_code == requests.codes.ok else LARGEST_REFUSAL
        body = bytearray()
        for piece in _pieces(answer):
            body += piece
            if len(body) > most:
                raise TooLargeError(most)
        return Answer(
            url=url,
            status=answer.status_code,
            headers=answer.headers,
            body=bytes(body),
            size=answer.raw.tell(),
        )
