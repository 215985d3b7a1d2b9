"""Which proxy a request goes through: the one that the environment names, and none for this machine itself.

In: a URL, and the variables that all programs read: https_proxy, http_proxy, all_proxy and no_proxy, in small letters
or capitals. Out: the address of the proxy; and variables for child processes that talk to each other on this machine.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies, select_proxy

from engagement_pipeline.core.redaction import register

if TYPE_CHECKING:
    from collections.abc import Mapping

LOOPBACK = ("localhost", "127.0.0.1", "::1")
EXCEPTIONS = ("no_proxy", "NO_PROXY")  # gRPC, by which Dagster's processes talk, reads only the first


def is_loopback(host: str | None) -> bool:
    """Tell whether a host, as a URL names it, is this machine."""
    if not host:
        return False
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return host.lower().rstrip(".") == "localhost"


def proxy_for(url: str) -> str:
    """Return the address of the proxy for a URL, which may hold a password; empty where there is none."""
    if is_loopback(urlsplit(url).hostname):
        return ""
    proxy = select_proxy(url, get_environ_proxies(url)) or ""
    register(urlsplit(proxy).password or "")
    return proxy


def without_loopback(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables with which a child process reaches this machine without a proxy."""
    named = next((environ[name] for name in EXCEPTIONS if environ.get(name)), "")
    exceptions = ",".join([*filter(None, [named]), *LOOPBACK])
    return dict.fromkeys(EXCEPTIONS, exceptions)
