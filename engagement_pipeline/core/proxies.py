"""Which proxy a request goes through: the one that the environment names, and none for this machine itself.

In: a URL, and the variables that all programs read: https_proxy, http_proxy, all_proxy and no_proxy, in small letters
or capitals. Out: the address of the proxy.
"""

from __future__ import annotations

import re
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies, select_proxy

from engagement_pipeline.core.loopback import is_loopback
from engagement_pipeline.core.redaction import printable, register_login, without_password

PLACE = re.compile(r"(\w[\w+.-]*://)?(\[[^\]]*\]|[^\s:/?#\[\]]++(?!://))(:\d{1,5}(?!\w))?")  # a scheme, a host, a port


def proxy_for(url: str) -> str:
    """Return the address of the proxy for a URL, which may hold a password; empty where there is none."""
    if is_loopback(urlsplit(url).hostname):
        return ""
    proxy = select_proxy(url, get_environ_proxies(url)) or ""
    register_login(proxy)
    return proxy


def named(proxy: str) -> str:
    """Return the scheme, host and port of a proxy's address: what else is written there may be of a password."""
    found = PLACE.match(without_password(proxy))
    return printable(found[0]) if found else "of the environment"
