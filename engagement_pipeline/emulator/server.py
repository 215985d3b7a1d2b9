"""Runs the emulator: `serve` for a terminal, `Emulator` for a test.

In: a seed, a "now", the limits to emulate. Out: both APIs on http://127.0.0.1:PORT. On request, it also writes the two
files that a client needs: an accounts.toml and a roster. It binds only the loopback address.

There are two clocks. `now` fixes the clock of the data: which Tweets exist, their ages, the last 28 hours, the future.
OAuth timestamps and the rate follow the machine's clock, because clients sign and wait by theirs.
"""

import signal
import socket
import threading
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Self

import uvicorn
from starlette.applications import Starlette

from engagement_pipeline.emulator.app import LoggedRequest, Service, create_app
from engagement_pipeline.emulator.auth import Credentials, Gate
from engagement_pipeline.emulator.rate import Meter
from engagement_pipeline.emulator.v2 import Service as XApi
from engagement_pipeline.emulator.world import World

HOST = "127.0.0.1"
BACKLOG = 128


class Emulator:
    """An emulated API in this process; as a context manager it answers while the block runs.

    `url` is known and connects at once, because the port is bound here; 0 picks a free port. `world`, `credentials` and
    `faults` are live. `requests` are the requests up to now (the last 10,000). `v2` is X API v2, with `faults` and
    `requests` of its own. `clock` returns seconds since 1970 and controls the rates and the tokens of OAuth 2.

    If `now` is None, the world lives in real time. `requests_per_15_minutes` are those of each account to the analytics
    of X API v2. `settle_hours` is the age at which counts stop growing. `latency` is in seconds a request.
    `max_age_days` is how far back /historical goes; None is 2014-09-01.

    Raises OSError if the port is in use, ValueError if an argument is impossible. Each text is one line.
    """

    def __init__(
        self,
        *,
        port: int = 0,
        seed: int = 1,
        now: datetime | None = None,
        requests_per_minute: int = 300,
        requests_per_15_minutes: int = 300,
        settle_hours: int = 0,
        latency: float = 0,
        require_gzip: bool = False,
        max_age_days: int | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        rates = {"requests_per_minute": requests_per_minute, "requests_per_15_minutes": requests_per_15_minutes}
        for name, rate in rates.items():
            if rate < 1:
                raise ValueError(f"{name} must be 1 or more, got {rate}")
        self.world = World(seed=seed, now=now, settle_hours=settle_hours)
        self.credentials = Credentials.from_seed(seed)
        gate = Gate(self.credentials)
        self._service = Service(
            world=self.world,
            gate=gate,
            meter=Meter(requests_per_minute, clock=clock),
            latency=latency,
            require_gzip=require_gzip,
            max_age_days=max_age_days,
        )
        self.v2 = XApi(
            world=self.world, gate=gate, latency=latency, analytics_rate=requests_per_15_minutes, clock=clock
        )
        self.faults = self._service.faults
        self._socket = _listen(port)
        self.url = f"http://{HOST}:{self._socket.getsockname()[1]}"
        self._server = _server(create_app(self._service, self.v2))

    @property
    def requests(self) -> list[LoggedRequest]:
        """Return the requests to the engagement endpoints, oldest first."""
        return list(self._service.log)

    def run(self) -> None:
        """Answer in this thread until `stop` is called."""
        self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Make `run` return after the requests in flight."""
        self._server.should_exit = True

    def close(self) -> None:
        """Free the port of an emulator that never ran."""
        self._socket.close()

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.run, name="emulator", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
        self._thread.join()


def serve(
    emulator: Emulator,
    *,
    accounts: Path | None = None,
    tweets: Path | None = None,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Serve an emulator until SIGINT or SIGTERM, then return. Call it from the main thread.

    It first writes `accounts` and `tweets`. Then `ready` gets the URL, which connects from then on.

    Raises OSError if a file cannot be written, FileExistsError for a file that no emulator wrote. Each text is one
    line, and then no file has changed.
    """
    try:
        _write(emulator, accounts, tweets)
    except OSError:
        emulator.close()
        raise
    _run_until_signalled(emulator, ready)


def _write(emulator: Emulator, accounts: Path | None, tweets: Path | None) -> None:
    """Write the files that a client needs: both, or none if one of them is not an emulator's."""
    if accounts:
        emulator.credentials.refuse_foreign(accounts)
    if tweets:
        emulator.world.refuse_foreign(tweets)
    if accounts:
        emulator.credentials.write_accounts(accounts)
    if tweets:
        emulator.world.write_roster(tweets, foreign=True)


def _run_until_signalled(emulator: Emulator, ready: Callable[[str], None] | None) -> None:
    """Serve until SIGINT or SIGTERM, and leave the handlers as they were."""
    # Once it has stopped, uvicorn raises the signal again for the handler from before. That is this one, which makes
    # the end a plain return.
    before = {number: signal.signal(number, lambda *_: emulator.stop()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        if ready:
            ready(emulator.url)
        emulator.run()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _server(app: Starlette) -> uvicorn.Server:
    """Return a server of the APIs that leaves their answers as they are, and prints nothing."""
    config = uvicorn.Config(
        app,
        lifespan="off",
        ws="none",
        log_config=None,
        log_level="critical",
        access_log=False,
        date_header=False,  # each API has a clock of its own
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


def _listen(port: int) -> socket.socket:
    """Return a socket that is bound and listens, so that clients can connect before the server runs."""
    listener = socket.socket()
    # A restart may take over the port while old connections close.
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((HOST, port))
        listener.listen(BACKLOG)
    except OverflowError as error:
        listener.close()
        raise ValueError(f"port must be 0 to 65535, got {port}") from error
    except OSError as error:
        listener.close()
        raise OSError(f"cannot listen on {HOST}:{port}: {error.strerror}; choose another port") from error
    return listener
