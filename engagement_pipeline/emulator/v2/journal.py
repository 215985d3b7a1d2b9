"""The log of the requests under /2: who asked for what, and the status."""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request

LENGTH = 10_000


@dataclass(frozen=True)
class LoggedRequest:
    """A request under /2, and the status of its answer.

    `path` is that of the request, `query` its parameters as sent; forms are not kept, since they hold secrets.
    `handle` is for whom it was; None for the app alone or nobody. `number` counts from 1.
    """

    number: int
    path: str
    handle: str | None
    query: Mapping[str, str]
    status: int

    @property
    def ids(self) -> tuple[str, ...]:
        """Return the Post IDs or media keys that were asked for."""
        found = self.query.get("ids", self.query.get("media_keys", ""))
        return tuple(found.split(",")) if found else ()


class Journal:
    """Numbers requests as they come, and keeps the last 10,000 with their answers."""

    def __init__(self) -> None:
        self._received = 0
        self._kept: deque[LoggedRequest] = deque(maxlen=LENGTH)

    @property
    def requests(self) -> list[LoggedRequest]:
        """Return the requests that have been answered, oldest first."""
        return list(self._kept)

    def received(self) -> int:
        """Return the number of a request that comes in; the first is 1."""
        self._received += 1
        return self._received

    def answered(self, number: int, request: Request, handle: str | None, status: int) -> None:
        """Keep a request and the status of its answer."""
        query = dict(request.query_params.multi_items())
        self._kept.append(LoggedRequest(number, request.url.path, handle, query, status))

    def history(self) -> dict[str, object]:
        """Return the number of requests, and the last of them."""
        return {"count": self._received, "requests": self.requests}
