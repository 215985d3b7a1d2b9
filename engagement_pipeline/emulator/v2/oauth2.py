"""OAuth 2 of X API v2: the authorization code flow with PKCE, and refresh tokens that are good once.

In: the parameters of a page and the forms of the token host. Out: a redirection with a code, tokens, the caller that a
token stands for. Tokens are in memory, so a restart forgets them. `clock` returns seconds since 1970.

    authorize(): a code -> token(): an access token, and with offline.access a refresh token -> token(): both anew

Ours: a code is good for 30 seconds, a refresh token for 180 days; an access token lives on when it is refreshed.
"""

import base64
import binascii
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

from engagement_pipeline.emulator.auth import Credentials
from engagement_pipeline.emulator.chance import letters
from engagement_pipeline.emulator.v2.problems import Problem
from engagement_pipeline.emulator.v2.question import Caller
from engagement_pipeline.emulator.world import HANDLES

ACCESS_SECONDS = 7_200
CODE_SECONDS = 30
REFRESH_SECONDS = 180 * 86_400
CHALLENGES = ("S256", "plain")
LOOPBACK = ("127.0.0.1", "localhost")
INVALID_TOKEN = "Value passed for the token was invalid."  # noqa: S105  the vendor's words


Answer = tuple[str | None, dict[str, object]]  # for which handle, and what


@dataclass(frozen=True)
class _Grant:
    """What a code or a token stands for, and until when."""

    handle: str
    scopes: tuple[str, ...]
    until: float


@dataclass(frozen=True)
class _Code(_Grant):
    redirect_uri: str
    challenge: str
    method: str


class Desk:
    """Issues codes and tokens for the handles of the world."""

    def __init__(self, credentials: Credentials, *, clock: Callable[[], float]) -> None:
        self._credentials = credentials
        self._clock = clock
        self._codes: dict[str, _Code] = {}
        self._access: dict[str, _Grant] = {}
        self._refresh: dict[str, _Grant] = {}
        self._issued = 0

    def authorize(self, params: Mapping[str, str], *, granted: tuple[str, ...]) -> str:
        """Return the URL to which the page redirects: the handle has granted at once what is in `granted`.

        `handle` names who grants; the first one by default. Raises Problem (400).
        """
        redirect_uri = params.get("redirect_uri", "")
        place = urlsplit(redirect_uri)
        handle = params.get("handle", HANDLES[0].name)
        method = params.get("code_challenge_method", "plain")
        wanted = params.get("scope", "").split()
        rules = (
            (params.get("response_type") == "code", "response_type must be code"),
            (params.get("client_id") == self._credentials.client_id, "client_id is not one of an app"),
            (place.scheme == "http" and place.hostname in LOOPBACK, "redirect_uri must be http on this machine"),
            (params.get("state"), "state is missing"),
            (params.get("code_challenge"), "code_challenge is missing"),
            (method in CHALLENGES, f"code_challenge_method must be one of {', '.join(CHALLENGES)}"),
            (wanted, "scope is missing"),
            (handle in self._credentials.tokens, f"no such handle here: {handle}"),
        )
        for kept, told in rules:
            if not kept:
                raise _refused(400, "invalid_request", told)
        code = self._letters(91, handle, "code")
        scopes = tuple(scope for scope in dict.fromkeys(wanted) if scope in granted)
        until = self._clock() + CODE_SECONDS
        self._codes[code] = _Code(handle, scopes, until, redirect_uri, params["code_challenge"], method)
        return f"{redirect_uri}{'&' if place.query else '?'}{urlencode({'state': params['state'], 'code': code})}"

    def token(self, authorization: str, form: Mapping[str, str], *, public: bool) -> Answer:
        """Return the handle and the new tokens for a code or a refresh token. Raises Problem (400, 401).

        A `public` client names itself in the form; another one sends its ID and secret with HTTP Basic.
        """
        self._check_client(authorization, form, public=public)
        kind = form.get("grant_type")
        if kind == "authorization_code":
            grant = self._of_code(form)
        elif kind == "refresh_token":
            # Good once: from here on the old one is gone, whether the answer arrives or not.
            grant = self._alive(self._refresh.pop(form.get("refresh_token", ""), None))
        else:
            raise _refused(400, "unsupported_grant_type", "grant_type must be authorization_code or refresh_token")
        return grant.handle, self._issue(grant)

    def revoke(self, authorization: str, form: Mapping[str, str], *, public: bool) -> Answer:
        """Forget an access or refresh token; one that is unknown counts as revoked. Raises Problem (401)."""
        self._check_client(authorization, form, public=public)
        token = form.get("token", "")
        found = [tokens.pop(token) for tokens in (self._access, self._refresh) if token in tokens]
        return (found[0].handle if found else None), {"revoked": True}

    def caller(self, access_token: str) -> Caller | None:
        """Return for whom an access token stands, or None if it is unknown or has expired."""
        grant = self._access.get(access_token)
        if grant is None or grant.until < self._clock():
            return None
        return Caller("OAuth 2.0 User Context", grant.handle, frozenset(grant.scopes))

    def _check_client(self, authorization: str, form: Mapping[str, str], *, public: bool) -> None:
        ours = self._credentials
        if public:
            if form.get("client_id") != ours.client_id:
                raise _refused(401, "unauthorized_client", "The client_id is not one of an app")
            return
        scheme, _, encoded = authorization.partition(" ")
        try:
            pair = base64.b64decode(encoded, validate=True).decode()
        except (binascii.Error, UnicodeDecodeError):
            pair = ""
        if scheme.lower() != "basic" or pair != f"{ours.client_id}:{ours.client_secret}":
            raise _refused(401, "unauthorized_client", "Missing valid authorization header")

    def _of_code(self, form: Mapping[str, str]) -> _Grant:
        code = self._codes.pop(form.get("code", ""), None)
        grant = self._alive(code)
        assert code is not None
        verifier = form.get("code_verifier", "")
        if code.method == "S256":
            digest = hashlib.sha256(verifier.encode()).digest()
            verifier = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if verifier != code.challenge:
            raise _refused(
                400, "invalid_request", "Value passed for the code verifier did not match the code challenge."
            )
        if form.get("redirect_uri") != code.redirect_uri:
            raise _refused(400, "invalid_request", "Value passed for the redirect uri did not match that of the code.")
        return grant

    def _alive(self, grant: _Grant | None) -> _Grant:
        if grant is None or grant.until < self._clock():
            raise _refused(400, "invalid_request", INVALID_TOKEN)
        return grant

    def _issue(self, grant: _Grant) -> dict[str, object]:
        access = self._letters(91, grant.handle, "access")
        self._access[access] = _Grant(grant.handle, grant.scopes, self._clock() + ACCESS_SECONDS)
        answer: dict[str, object] = {
            "token_type": "bearer",
            "expires_in": ACCESS_SECONDS,
            "access_token": access,
            "scope": " ".join(grant.scopes),
        }
        if "offline.access" in grant.scopes:
            refresh = self._letters(91, grant.handle, "refresh")
            self._refresh[refresh] = _Grant(grant.handle, grant.scopes, self._clock() + REFRESH_SECONDS)
            answer["refresh_token"] = refresh
        return answer

    def _letters(self, length: int, *names: str) -> str:
        self._issued += 1
        return letters(length, self._credentials.seed, "oauth2", self._issued, *names)


def _refused(status: int, error: str, description: str) -> Problem:
    return Problem(status, {"error": error, "error_description": description})
