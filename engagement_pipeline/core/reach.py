"""Why a host cannot be reached, as a person says it: the network, a proxy, a certificate.

In: the exception of a request. Out: one line with what happened, what it means and what to do. It names a proxy that
is in the way, without its password. No line holds a text of the exception, which may repeat secrets.
"""

from __future__ import annotations

import http.client
import re
from typing import TYPE_CHECKING

from requests import exceptions

from engagement_pipeline.core.bounds import NoCertificatesError, TooLargeError
from engagement_pipeline.core.proxies import named, proxy_for
from engagement_pipeline.core.redaction import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

TOO_LONG = "answered with longer headers than HTTP allows"
REASONS: dict[tuple[type[BaseException], ...], str] = {  # the first that is the error, or among its causes
    (exceptions.Timeout, TimeoutError): "cannot be reached (no answer in time)",
    (exceptions.SSLError,): "cannot be reached (its certificate was not accepted)",
    (http.client.RemoteDisconnected, ConnectionResetError): "closed the connection without an answer",
    (http.client.LineTooLong,): TOO_LONG,
    (http.client.BadStatusLine, http.client.UnknownProtocol): "answered with what is not HTTP",
    (exceptions.InvalidHeader,): "answered with headers that contradict each other",
    (exceptions.ContentDecodingError,): "answered with a body that cannot be unpacked",
    (exceptions.ChunkedEncodingError,): "answered with a body that broke off",
}
REFUSED = re.compile(r"Tunnel connection failed: (\d{3})")  # the proxy's answer to CONNECT
FAULTS = {"NameResolutionError": "has a name that nobody knows", "NewConnectionError": "takes no connection"}
LOGIN_WANTED = "407"
VARIABLES = "https_proxy, all_proxy and no_proxy"


def unreachable(what: str, error: OSError, *, url: str, setting: str) -> str:
    """Return the line for a request to `url`, which a message calls `what`; `setting` is where its host stands."""
    reason, remedy = _by_proxy(url, error) or (_reason(error), f"check the network and {setting}")
    if isinstance(error, NoCertificatesError):
        remedy = f"correct {error.variable}, or unset it"
    elif isinstance(error, exceptions.SSLError):
        remedy = f"name the file with your network's certificates in REQUESTS_CA_BUNDLE, or check {setting}"
    return f"{what} {reason}: {remedy}"


def _by_proxy(url: str, error: OSError) -> tuple[str, str] | None:
    """Return reason and remedy where the request goes through a proxy, None where it does not."""
    address = proxy_for(url)
    if not address or isinstance(error, NoCertificatesError):
        return None
    proxy = f"the proxy {named(address)}"
    remedy = f"check the variables {VARIABLES}"
    text = str(error)
    if refused := REFUSED.search(text):
        if refused[1] == LOGIN_WANTED:
            return (
                f"cannot be reached ({proxy} wants a login, 407)",
                "write it into https_proxy, as in http://NAME:PASSWORD@HOST:PORT",
            )
        reason = f"cannot be reached ({proxy} refused the way with {refused[1]})"
        return reason, f"ask who runs it to let this host through, or {remedy}"
    if isinstance(error, exceptions.InvalidSchema | exceptions.InvalidProxyURL):
        return f"cannot be reached ({proxy} is of a kind that this program cannot use: it takes http and https)", remedy
    if isinstance(error, exceptions.ProxyError):
        fault = next((fault for sign, fault in FAULTS.items() if sign in text), "does not answer as a proxy")
        return f"cannot be reached ({proxy} {fault})", remedy
    return f"{_reason(error)}, through {proxy}", f"check the network and the variables {VARIABLES}"


def _reason(error: BaseException) -> str:
    """Return why there is no whole answer, as it goes on from the address: `cannot be reached (no connection)`."""
    if isinstance(error, NoCertificatesError):
        return f"cannot be reached ({error.variable} names {printable(error.path)}, where no certificates are)"
    if isinstance(error, TooLargeError):
        return f"answered with more than {error.most:,} bytes"
    chain = [*_causes(error)]
    for kinds, why in REASONS.items():
        if any(isinstance(each, kinds) for each in chain):
            return why
    if any(type(each) is http.client.HTTPException for each in chain):  # of no kind of its own: more than 100 headers
        return TOO_LONG
    return "cannot be reached (no connection)"


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield an exception and those from which it came, also where a library has them among its arguments alone."""
    yield error
    inner = [each for each in error.args if isinstance(each, BaseException)]
    for each in inner or filter(None, [error.__cause__ or error.__context__]):
        yield from _causes(each)
