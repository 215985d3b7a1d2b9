"""Why a host cannot be reached, as a person says it: the network, a proxy, a certificate.

In: the exception of a request. Out: one line with what happened, what it means and what to do. It names a proxy that
is in the way, without its password. No line holds a text of the exception, which may repeat secrets.
"""

from __future__ import annotations

import re

from requests import exceptions

from engagement_pipeline.core.bounds import NoCertificatesError, TooLargeError
from engagement_pipeline.core.proxies import proxy_for
from engagement_pipeline.core.redaction import printable, without_password

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
    return f"{what} cannot be reached ({reason}): {remedy}"


def _by_proxy(url: str, error: OSError) -> tuple[str, str] | None:
    """Return reason and remedy where the request goes through a proxy, None where it does not."""
    address = proxy_for(url)
    if not address or isinstance(error, NoCertificatesError):
        return None
    proxy = f"the proxy {printable(without_password(address))}"
    remedy = f"check the variables {VARIABLES}"
    text = str(error)
    if refused := REFUSED.search(text):
        if refused[1] == LOGIN_WANTED:
            return f"{proxy} wants a login, 407", "write it into https_proxy, as in http://NAME:PASSWORD@HOST:PORT"
        return f"{proxy} refused the way with {refused[1]}", f"ask who runs it to let this host through, or {remedy}"
    if isinstance(error, exceptions.InvalidSchema | exceptions.InvalidProxyURL):
        return f"{proxy} is of a kind that this program cannot use, and it takes http and https ones", remedy
    if isinstance(error, exceptions.ProxyError):
        fault = next((fault for sign, fault in FAULTS.items() if sign in text), "does not answer as a proxy")
        return f"{proxy} {fault}", remedy
    return f"{_reason(error)}, through {proxy}", f"check the network and the variables {VARIABLES}"


def _reason(error: OSError) -> str:
    """Return why a transport failed."""
    if isinstance(error, NoCertificatesError):
        return f"{error.variable} names {printable(error.path)}, where no certificates are"
    if isinstance(error, TooLargeError):
        return f"it answers with more than {error.most:,} bytes"
    if isinstance(error, exceptions.Timeout):
        return "no answer in time"
    if isinstance(error, exceptions.SSLError):
        return "its certificate was not accepted"
    if isinstance(error, exceptions.ChunkedEncodingError | exceptions.ContentDecodingError):
        return "the body broke off or its gzip is damaged"
    return "no connection"
