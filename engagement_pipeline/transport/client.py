"""One request -> one response: try until an answer counts, or raise.

In: a planned Request, and the accounts that may sign it. Out: a Response, or one error of errors.py. sending.py sends
each try, signed anew, since a signature's nonce serves once; so retries are here and never below. Patience tells a
request that fails by itself, which has `tries`, from an API that is down, which has minutes.
"""

from __future__ import annotations

import logging
import random
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Self

import requests

from engagement_pipeline.core.errors import AccountError, ApiError, OverBudgetError, UnavailableError
from engagement_pipeline.core.spend import Limits, Used
from engagement_pipeline.transport.budget import Budget
from engagement_pipeline.transport.patience import Failures
from engagement_pipeline.transport.sending import Sender
from engagement_pipeline.transport.signing import SignedSessions

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from engagement_pipeline.core.model import Answer, Exchange, Request, Response
    from engagement_pipeline.sources import Asking
    from engagement_pipeline.transport.accounts import Accounts
    from engagement_pipeline.transport.patience import Patience
    from engagement_pipeline.transport.rate_limit import AccountLimiters, RateLimiter

logger = logging.getLogger(__name__)
FIRST_PAUSE = 1.0  # seconds; doubled with each try, then drawn between nothing and that ("full jitter")
LONGEST_PAUSE = 60.0


class Client:
    """Sends requests for all accounts of one app. Safe to share by threads.

    `log` is told once of each request that was sent. `now` is the machine's clock, with which the API's is compared;
    `lake_now` gives the moments under which requests are logged and answers land, by default those of `now`. `look` is
    shown each answer, with its request and that moment. An account that was not let in is not asked for again. `tries`
    is of a request that fails while the API answers others. `budget` is what is left of the month, by default without a
    limit; each try takes its part of it.
    """

    def __init__(
        self,
        source: Asking,
        accounts: Accounts,
        *,
        api_url: str,
        auth_url: str,
        rate_limiter: RateLimiter | AccountLimiters,
        patience: Patience,
        tries: int,
        timeout_seconds: float,
        log: Callable[[Exchange], None],
        look: Callable[[Request, Answer, datetime], None] = lambda *_: None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        lake_now: Callable[[], datetime] | None = None,
        budget: Budget | None = None,
    ) -> None:
        self._source = source
        self._accounts = accounts.signing(oauth2=source.TERMS.oauth2)
        self._rate_limiter = rate_limiter
        self._patience = patience
        self._tries = tries
        self._log = log
        self._sessions = SignedSessions(
            self._accounts, api_url=api_url, auth_url=auth_url, timeout_seconds=timeout_seconds, now=now
        )
        self._sender = Sender(
            source,
            self._sessions,
            api_url=api_url,
            timeout_seconds=timeout_seconds,
            rate_limiter=rate_limiter,
            budget=budget or Budget(Limits(), Used(), day=date.min),
            look=look,
            now=now,
            lake_now=lake_now,
        )
        self._not_let_in: dict[str, AccountError] = {}
        self._witness: Request | None = None  # one that was answered

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._sessions.close()

    def stop(self) -> None:
        """Send nothing more: whoever waits for a slot or a back-off gets a CancelledError."""
        self._patience.cancel()
        self._rate_limiter.cancel()

    def go_on(self) -> None:
        """Send again after a stop, once nobody waits any more."""
        self._patience.go_on()
        self._rate_limiter.go_on()

    def under_way(self) -> tuple[int, float]:
        """Return the number of tries that wait for their answer, and the seconds until the last one must end."""
        return self._sender.under_way()

    def leave_out(self, error: AccountError) -> None:
        """Ask nothing more for the account of an error: each further request for it raises that error."""
        self._not_let_in[error.account] = error

    def now(self) -> datetime:
        """Return the moment, in UTC, under which what is sent now lands."""
        return self._sender.lake_now()

    def fingerprint(self, handle: str) -> str:
        """Return that of the tokens which sign for a handle, empty for the bearer token or a handle without any."""
        account = self._accounts.by_handle.get(handle)
        return account.fingerprint if account else ""

    def ask(self, request: Request, *, witness: Request | None = None) -> Response:
        """Send one request. Raises AccountError, RefusedError, or UnavailableError once the tries are used up.

        Raises OutageError once patience is over, OverBudgetError once the month is used up. `witness` is a request that
        the API has answered before: if this one fails and no other is there, it shows whether the API is down. One that
        this client has asked for serves too. The log is told of it however it ends, also where it is given up between
        two tries: what was sent counts to the contract's rate.
        """
        with _logged(self._log) as sent:
            return self._answered(request, sent, witness)

    def _answered(self, request: Request, sent: list[Exchange], witness: Request | None) -> Response:
        """Try until an answer counts; each try that was sent is added to `sent`."""
        written = self._source.http_request(request)
        failures = Failures()
        is_renewed = False
        while True:
            with self._patience.turn(self._rate_limiter.of(request.handle).wait) as turn:
                if request.handle in self._not_let_in:
                    raise self._not_let_in[request.handle]
                if turn.is_probe and failures.sent and (known := self._witness or witness):
                    self._ask_again(known, turn.number)
                    continue
                try:
                    response = self._sender.send(request, written, sent)
                except UnavailableError as error:
                    failures, failed = self._counted(turn.number, error, failures), error
                except ApiError as error:
                    self._patience.answered(turn.number)  # a refusal is an answer
                    if is_renewed := not is_renewed and self._sessions.may_renew(error):
                        continue
                    if isinstance(error, AccountError):
                        self.leave_out(error)
                    raise
                else:
                    self._patience.answered(turn.number)
                    self._witness = request
                    return response
            if failures.own >= self._tries:
                raise self._given_up(request, failed)
            _back_off(self._rate_limiter.of(request.handle), failed, failures.own, tries=self._tries)

    def _ask_again(self, witness: Request, number: int) -> None:
        """Ask again for what was answered before, in the place of a request that has failed; its answer is not kept.

        It shows whether the API is down or that request fails by itself.
        """
        try:
            with _logged(self._log) as sent:
                self._sender.send(witness, self._source.http_request(witness), sent)
        except UnavailableError as error:
            self._counted(number, error, Failures())
        except ApiError:
            self._patience.answered(number)
        else:
            self._patience.answered(number)

    def _counted(self, number: int, error: UnavailableError, before: Failures) -> Failures:
        """Return the failures of a request with this one; a 429 says that the API is there."""
        if error.status != requests.codes.too_many_requests:
            return self._patience.failed(number, error, before)
        self._patience.answered(number)
        return replace(before, own=before.own + 1)

    def _given_up(self, request: Request, error: UnavailableError) -> ApiError:
        """Return the error of a request that has used up its tries; without a bearer token, it is the app's."""
        if request.handle or self._sessions.has_bearer_token:
            return error
        lost = AccountError(str(error), account="", status=error.status, texts=error.texts)
        self.leave_out(lost)
        return lost


@contextmanager
def _logged(log: Callable[[Exchange], None]) -> Iterator[list[Exchange]]:
    """Give a list for the tries of a request, and tell the log of the last one however the request ends."""
    sent: list[Exchange] = []
    error = ""
    try:
        yield sent
    except (ApiError, OverBudgetError) as failed:
        error = str(failed)
        raise
    finally:
        if sent:
            log(replace(sent[-1], error=error))


def _back_off(limiter: RateLimiter, error: UnavailableError, own: int, *, tries: int) -> None:
    """Pause before another try of a request that has failed `own` times by itself.

    After a 429 the budget is closed until the next minute. While the API is down, patience waits.
    """
    if not own:
        return
    seconds = limiter.closed_for()
    if error.status != requests.codes.too_many_requests:
        seconds = random.uniform(0, min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** (own - 1)))  # noqa: S311 - jitter
        limiter.sleep(seconds)
    logger.info("%s Try %d of %d follows in %.1f s.", error, own + 1, tries, seconds)
