"""The token endpoints: 3-legged OAuth with a PIN, and the app's bearer token.

In: requests as the vendor's token host takes them. Out: tokens of the emulator's credentials. A handle that authorizes
again gets the same access token, as at the vendor. Refusals carry the vendor's error objects.

    request_token() -> authorize(): the PIN -> access_token()        bearer(): HTTP Basic key:secret
"""

import base64
import binascii
from dataclasses import dataclass

from engagement_pipeline.emulator.auth import Gate, Token
from engagement_pipeline.emulator.chance import hash64, letters
from engagement_pipeline.emulator.refusals import Refusal, token_refused
from engagement_pipeline.emulator.world import HANDLES

PIN_DIGITS = 7


@dataclass
class _Pending:
    """A pending request token: `handle` has authorized it; None until then."""

    token: Token
    handle: str | None = None


class TokenDesk:
    """Issues tokens. Request tokens are in memory; everything else is derived from the seed."""

    def __init__(self, gate: Gate, *, seed: int) -> None:
        self._gate = gate
        self._seed = seed
        self._pending: dict[str, _Pending] = {}
        self._issued = 0

    def request_token(self, url: str, authorization: str, form: str) -> dict[str, str]:
        """Return a new request token for a call that only the consumer has signed. Raises Refusal (401, 403)."""
        given = self._signed(url, authorization, {"": ""}, form)
        if given.get("oauth_callback") != "oob":
            raise token_refused(403, 415, "Callback URL not approved for this client application: use oob")
        self._issued += 1
        token = Token(
            letters(27, self._seed, self._issued, "request"),
            letters(32, self._seed, self._issued, "request secret"),
        )
        self._pending[token.key] = _Pending(token)
        return {
            "oauth_token": token.key,
            "oauth_token_secret": token.secret,
            "oauth_callback_confirmed": "true",
        }

    def authorize(self, request_token: str, handle: str) -> str:
        """Return the PIN that `handle` sees when it authorizes the app. Raises Refusal (401, 403)."""
        pending = self._pending.get(request_token)
        if pending is None:
            raise token_refused(401, 27, "This request token is unknown or has been used")
        if handle not in self._gate.credentials.tokens:
            raise token_refused(403, 50, f"No such handle here: {handle}")
        pending.handle = handle
        return self._pin(request_token, handle)

    def access_token(self, url: str, authorization: str, form: str) -> dict[str, str]:
        """Return the access token of the handle with the PIN that is the verifier. Raises Refusal (401)."""
        secrets = {key: pending.token.secret for key, pending in self._pending.items()}
        given = self._signed(url, authorization, secrets, form)
        handle = self._pending[given["oauth_token"]].handle
        if handle is None or given.get("oauth_verifier") != self._pin(given["oauth_token"], handle):
            raise token_refused(401, 32, "The verifier is not the PIN of this request token")
        del self._pending[given["oauth_token"]]
        token = self._gate.credentials.tokens[handle]
        author_ids = {brand.name: brand.author_id for brand in HANDLES}
        return {
            "oauth_token": token.key,
            "oauth_token_secret": token.secret,
            "user_id": str(author_ids[handle]),
            "screen_name": handle,
        }

    def bearer(self, authorization: str, grant_type: str) -> dict[str, str]:
        """Return the app's bearer token for HTTP Basic key:secret. Raises Refusal (403)."""
        scheme, _, encoded = authorization.partition(" ")
        credentials = self._gate.credentials
        try:
            pair = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            pair = ""
        if scheme.lower() != "basic" or pair != f"{credentials.consumer_key}:{credentials.consumer_secret}":
            raise token_refused(403, 99, "Unable to verify your credentials")
        if grant_type != "client_credentials":
            raise token_refused(403, 170, "Missing required parameter: grant_type=client_credentials")
        return {"token_type": "bearer", "access_token": credentials.bearer_token}

    def _signed(self, url: str, authorization: str, secrets: dict[str, str], form: str) -> dict[str, str]:
        try:
            return self._gate.signed("POST", url, authorization, secrets=secrets, form=form)
        except Refusal as refusal:
            raise token_refused(401, 32, f"Could not authenticate you: {refusal.errors[0]}") from refusal

    def _pin(self, request_token: str, handle: str) -> str:
        return f"{hash64(self._seed, request_token, handle) % 10**PIN_DIGITS:0{PIN_DIGITS}}"
