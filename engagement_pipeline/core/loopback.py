"""This machine itself, as URLs and variables name it. No proxy stands before it.

In: a host; the environment. Out: whether the host is this machine; variables for child processes that talk to each
other here.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING

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


def without_loopback(environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables with which a child process reaches this machine without a proxy."""
    named = next((environ[name] for name in EXCEPTIONS if environ.get(name)), "")
    exceptions = ",".join([*filter(None, [named]), *LOOPBACK])
    return dict.fromkeys(EXCEPTIONS, exceptions)
