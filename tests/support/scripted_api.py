"""A local HTTP server that plays scripted answers, and a client whose time is a list of naps."""

import gzip
import json
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Lock, Semaphore, Thread

import pytest

from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.core.errors import ApiError
from engagement_pipeline.core.model import Request, Window
from engagement_pipeline.sources import engagement
from engagement_pipeline.transport.accounts import Account, Accounts, App
from engagement_pipeline.transport.client import Client
from engagement_pipeline.transport.patience import Patience
from engagement_pipeline.transport.rate_limit import RateLimiter

SECRETS = {
    "consumer_key": "ConsumerKeyOfTheApp",
    "consumer_secret": "ConsumerSecretOfTheApp",
    "access_token": "99-AccessTokenOfAnn",
    "access_token_secret": "AccessTokenSecretOfAnn",
}
ACCOUNTS = Accounts(
    App(SECRETS["consumer_key"], SECRETS["consumer_secret"]),
    {"ann": Account("ann", SECRETS["access_token"], SECRETS["access_token_secret"])},
)
REQUEST = Request(
    handle="ann",
    tweet_ids=(1_890_000_000_000_000_001, 1_890_000_000_000_000_002),
    window=Window(date(2026, 1, 1), date(2026, 1, 2)),
    types=("impressions", "url_clicks"),
    endpoint=HISTORICAL,
)
GOOD = b'{"fine": true}'


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer. `promised` is the Content-Length where it is not the true one; `packed` says gzip."""

    body: bytes = GOOD
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    packed: bool = False
    promised: int | None = None


def error(status, *errors):
    """Return a refusal as the API writes it."""
    return Answer(status=status, body=json.dumps({"errors": errors}).encode())


CUT_GZIP = Answer(body=gzip.compress(GOOD * 1000)[:40], packed=True)
RESET = Answer(promised=1000)
NOT_JSON = Answer(body=b"<html>Please log in</html>")


@dataclass(frozen=True)
class Received:
    """One request as it came over the wire."""

    method: str
    url: str
    headers: dict[str, str]
    body: bytes


class _Server(ThreadingHTTPServer):
    """A server that prints nothing, whenever a client hangs up: another test may be looking at what is printed."""

    def handle_error(self, request, client_address):
        pass


class ScriptedApi:
    """Plays its answers in order, the last one for ever; `received` is what was asked.

    An answer may be a function of the Received one. `before` is called before each, so that a test can hold it back.
    With `keeps_alive`, a connection is open until the client closes it: `connections` are those that were made,
    `closed` can be acquired once for each that ended.
    """

    def __init__(self, *answers, before=lambda: None, keeps_alive=False):
        self.answers = list(answers) or [Answer()]
        self.received = []
        self.connections, self.closed = [], Semaphore(0)
        api = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1" if keeps_alive else "HTTP/1.0"

            def setup(self):
                api.connections.append(self.client_address)
                super().setup()

            def finish(self):
                super().finish()
                api.closed.release()

            def do_POST(self):
                content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                before()
                api.received.append(Received(self.command, api.url + self.path, dict(self.headers), content))
                answer = api.answers.pop(0) if len(api.answers) > 1 else api.answers[0]
                answer = answer(api.received[-1]) if callable(answer) else answer
                self.send_response_only(answer.status)
                length = len(answer.body) if answer.promised is None else answer.promised
                packed = {"Content-Encoding": "gzip"} if answer.packed else {}
                for name, value in {"Content-Length": str(length), **packed, **answer.headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(answer.body)

            do_GET = do_POST  # noqa: N815 - the name that http.server looks for

            def log_message(self, *_):
                pass

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self):
        Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()


class Clock:
    """Time that passes by sleeping only; `naps` holds the pauses that are longer than a free slot's."""

    def __init__(self):
        self.seconds = 0.0
        self.naps = []
        self.exchanges = []
        self._lock = Lock()

    def __call__(self):
        return self.seconds

    def sleep(self, seconds):
        with self._lock:
            self.seconds += seconds
            if seconds > 0.01:
                self.naps.append(seconds)


@contextmanager
def asking(*answers, accounts=ACCOUNTS, **options):
    """Give an API that plays `answers`, a client of it, and the client's clock."""
    clock = Clock()
    with ScriptedApi(*answers) as api, asking_of(api.url, accounts, clock, **options) as client:
        yield api, client, clock


def asking_of(
    url, accounts, clock, *, per_minute=60_000_000, patience_minutes=60, tries=3, timeout_seconds=60, **options
):
    """Return a client of the API and the authorisation host at `url`, on a clock that logs its exchanges.

    At the default rate, it is never short of slots. `options` are its `now`, `lake_now` and `budget`.
    """
    return Client(
        engagement,
        accounts,
        api_url=url,
        auth_url=url,
        rate_limiter=RateLimiter(per_minute, clock=clock, sleep=clock.sleep),
        patience=Patience(patience_minutes, clock=clock, sleep=clock.sleep),
        tries=tries,
        timeout_seconds=timeout_seconds,
        log=clock.exchanges.append,
        **options,
    )


def raised(answer, *, request=REQUEST, **options):
    """Return the error that an answer becomes, and how many requests it took."""
    with asking(answer, **{"patience_minutes": 0, **options}) as (api, client, _), pytest.raises(ApiError) as caught:
        client.ask(request)
    return caught.value, len(api.received)
