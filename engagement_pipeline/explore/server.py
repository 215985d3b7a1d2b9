"""Serves the explorer on this machine until Ctrl-C.

In: a lake and a port. Out: pages on http://127.0.0.1:PORT. It binds only the loopback address.
"""

from __future__ import annotations

import signal
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from engagement_pipeline.core.errors import InputError
from engagement_pipeline.explore.app import create_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engagement_pipeline.lake.layout import Lake

HOST = "127.0.0.1"
BACKLOG = 128
PATIENCE = 1  # seconds at the end for what is still being answered


def serve(lake: Lake, *, port: int, ready: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM, then return. Call it from the main thread. `ready` gets the URL, which connects.

    A port of 0 is a free one. Raises InputError if the port cannot be used.
    """
    with listening(port) as listener:
        server = uvicorn.Server(configured(lake))

        def stop(*_: object) -> None:
            server.should_exit = True

        # Once it has stopped, uvicorn raises the signal again for the handler from before. That is this one, which
        # makes the end a plain return.
        before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            ready(f"http://{HOST}:{listener.getsockname()[1]}/")
            server.run(sockets=[listener])
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def configured(lake: Lake) -> uvicorn.Config:
    """Return how the explorer of a lake is served: it writes no log, since a query may be private."""
    return uvicorn.Config(
        create_app(lake),
        lifespan="off",
        ws="none",
        log_config=None,
        log_level="critical",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=PATIENCE,
    )


@contextmanager
def listening(port: int) -> Iterator[socket.socket]:
    """Yield a socket that is bound and listens, so that a browser can connect before the server runs."""
    with socket.socket() as listener:
        # A restart may take over the port while old connections close.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
            listener.listen(BACKLOG)
        except OverflowError:
            raise InputError(f"port must be 0 to 65535, got {port}") from None
        except OSError as error:
            raise InputError(f"port {port} cannot be used ({error.strerror}): choose another with --port") from None
        yield listener
