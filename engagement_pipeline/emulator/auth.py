"""Who is asking: the credentials that the emulator accepts, and the check of a signed request.

In: a method, a URL, an Authorization header. Out: the handle that signed it, None for the app alone, or a 401 with its
reason. OAuth 1.0a signatures are checked in full: consumer, token, HMAC-SHA1, a timestamp within 300 s of the machine's
clock, and a new nonce. JSON bodies are not part of an OAuth 1.0a signature.
"""

import re
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from urllib.parse import urlsplit

from oauthlib.oauth1.rfc5849 import signature

from engagement_pipeline.emulator.chance import hash64, letters
from engagement_pipeline.emulator.files import refuse_foreign, write_aside
from engagement_pipeline.emulator.refusals import unauthenticated
from engagement_pipeline.emulator.world import HANDLES

TIMESTAMP_WINDOW_SECONDS = 300
MARK = "# Credentials of the emulator with seed {}: they open nothing else, and it writes this file anew."
OF_OAUTH2 = re.compile('client_(id|secret) = "[A-Za-z0-9]+"\n')
MARKED = re.compile(MARK.format("([0-9]{1,20})") + "\n")


@dataclass(frozen=True)
class Token:
    """A user's access token: requests carry its key, and its secret signs them."""

    key: str
    secret: str = field(repr=False)


@dataclass(frozen=True)
class Credentials:
    """All credentials that the emulator accepts: one app, its bearer token, one access token a handle.

    The client ID and secret are those of the same app for OAuth 2 of X API v2.
    """

    consumer_key: str
    consumer_secret: str = field(repr=False)
    bearer_token: str = field(repr=False)
    client_id: str
    client_secret: str = field(repr=False)
    tokens: Mapping[str, Token]
    seed: int

    @property
    def app_id(self) -> int:
        """Return the number of the app, which is no secret."""
        return 10_000_000 + hash64(self.seed, "app") % 90_000_000

    @classmethod
    def from_seed(cls, seed: int) -> "Credentials":
        """Return the credentials of a seed: always the same, so an accounts file stays valid after a restart."""
        tokens = {
            handle.name: Token(
                f"{handle.author_id}-{letters(40, seed, handle.name, 'token')}",
                letters(45, seed, handle.name, "secret"),
            )
            for handle in HANDLES
        }
        return cls(
            consumer_key=letters(25, seed, "consumer key"),
            consumer_secret=letters(50, seed, "consumer secret"),
            bearer_token="A" * 22 + letters(82, seed, "bearer"),
            client_id=letters(34, seed, "client id"),
            client_secret=letters(50, seed, "client secret"),
            tokens=tokens,
            seed=seed,
        )

    def refuse_foreign(self, path: Path) -> None:
        """Raise FileExistsError if there is an accounts.toml that no emulator wrote, or that was changed since."""
        refuse_foreign(path, self._wrote)

    def write_accounts(self, path: Path) -> None:
        """Write them as an accounts.toml that only the owner can read; create its parent folders.

        Raises FileExistsError as `refuse_foreign` does: it may be the only copy of somebody's tokens.
        """
        self.refuse_foreign(path)
        write_aside(path, self._accounts(), mode=0o600)

    def _wrote(self, text: str) -> bool:
        """Tell whether a text is, to the letter, what an emulator of this seed or of the one in its mark writes."""
        marked = MARKED.match(text)
        writer = Credentials.from_seed(int(marked[1])) if marked else self
        body = MARKED.sub("", writer._accounts())  # noqa: SLF001 - one of its own
        return MARKED.sub("", text) in (body, OF_OAUTH2.sub("", body))  # older files have no mark, or no client

    def _accounts(self) -> str:
        lines = [
            MARK.format(self.seed),
            "[app]",
            f'consumer_key = "{self.consumer_key}"',
            f'consumer_secret = "{self.consumer_secret}"',
            f'bearer_token = "{self.bearer_token}"',
            f'client_id = "{self.client_id}"',
            f'client_secret = "{self.client_secret}"',
        ]
        for handle, token in self.tokens.items():
            lines += [
                "",
                f"[accounts.{handle}]",
                f'access_token = "{token.key}"',
                f'access_token_secret = "{token.secret}"',
            ]
        return "\n".join([*lines, ""])


class Gate:
    """Checks Authorization headers against the credentials and remembers the nonces it has seen."""

    def __init__(self, credentials: Credentials, *, clock: Callable[[], float] = time.time) -> None:
        self.credentials = credentials
        self._clock = clock
        self._nonces: OrderedDict[tuple[str, str], float] = OrderedDict()

    def caller(
        self, method: str, url: str, authorization: str, *, revoked: Collection[str] = (), ahead: float = 0
    ) -> str | None:
        """Return the handle that signed, or None for the app alone. Raises Refusal (401).

        The app alone sends its bearer token, or signs without a token of a handle. Tokens of the handles in `revoked`
        are not accepted. The API's clock is `ahead` of the machine's by so many seconds.
        """
        scheme, _, rest = authorization.partition(" ")
        if scheme.lower() == "bearer":
            if rest.strip() != self.credentials.bearer_token:
                raise unauthenticated("Access token not found")
            return None
        owners = {token.key: name for name, token in self.credentials.tokens.items() if name not in revoked}
        secrets = {key: self.credentials.tokens[name].secret for key, name in owners.items()}
        signed = self.signed(method, url, authorization, secrets=secrets | {"": ""}, ahead=ahead)
        return owners.get(signed.get("oauth_token", ""))

    def signed(
        self,
        method: str,
        url: str,
        authorization: str,
        *,
        secrets: Mapping[str, str],
        form: str = "",
        ahead: float = 0,
    ) -> dict[str, str]:
        """Return the parameters of a correctly signed OAuth 1.0a request. Raises Refusal (401).

        `secrets` maps each acceptable token to its secret; "" stands for a request without a token. `form` is the body
        if it is form-encoded, because only such a body is part of the signature.
        """
        pairs = _parameters(url, authorization, form)
        given = dict(pairs)
        token = given.get("oauth_token", "")
        if given.get("oauth_consumer_key") != self.credentials.consumer_key:
            raise unauthenticated("Consumer key not found")
        if token not in secrets:
            raise unauthenticated("Access token not found")
        if given.get("oauth_signature_method") != "HMAC-SHA1":
            raise unauthenticated("Signature method is not HMAC-SHA1")
        request = SimpleNamespace(
            uri=url,
            http_method=method,
            params=[pair for pair in pairs if pair[0] != "oauth_signature"],
            signature=given.get("oauth_signature", ""),
        )
        if not signature.verify_hmac_sha1(request, self.credentials.consumer_secret, secrets[token]):
            raise unauthenticated("Bad signature")
        self._check_fresh(given.get("oauth_timestamp", ""), given.get("oauth_nonce", ""), token, self._clock() + ahead)
        return given

    def _check_fresh(self, timestamp: str, nonce: str, token: str, now: float) -> None:
        if not timestamp.isdecimal() or abs(int(timestamp) - now) > TIMESTAMP_WINDOW_SECONDS:
            raise unauthenticated("Timestamp out of bounds")
        while self._nonces and next(iter(self._nonces.values())) < now:
            self._nonces.popitem(last=False)
        if not nonce or (token, nonce) in self._nonces:
            raise unauthenticated("Nonce already used")
        # After both windows, before and after the clock, the timestamp alone shows a repeat.
        self._nonces[token, nonce] = now + 2 * TIMESTAMP_WINDOW_SECONDS


def _parameters(url: str, authorization: str, form: str) -> list[tuple[str, str]]:
    """Return all parameters of a request that is signed with OAuth 1.0a. Raises Refusal (401)."""
    if not authorization.lower().startswith("oauth "):
        raise unauthenticated("Unknown Authorization Type")
    try:
        pairs: list[tuple[str, str]] = signature.collect_parameters(
            uri_query=urlsplit(url).query,
            body=form,
            headers={"Authorization": authorization},
            exclude_oauth_signature=False,
        )
    except ValueError as error:
        raise unauthenticated("Malformed Authorization header") from error
    return pairs
