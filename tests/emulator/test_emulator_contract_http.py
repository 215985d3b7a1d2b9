"""The contract's HTTP, one row a rule: the URL, the method, the headers, the rate."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import orjson
import pytest
import requests
from emulator_client import NOW, body, session

from engagement_pipeline.emulator import Emulator, rules

PATH = "/insights/engagement"
WHOLE_MINUTE = 1_700_000_040.0  # seconds since 1970


def says(text):
    return lambda response: response.json() == {"errors": [text]}


def has(**headers):
    """Tell whether a response has these headers; `_` stands for a hyphen, None for a header that is absent."""
    wanted = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda response: {name: response.headers.get(name) for name in wanted} == wanted


@dataclass(frozen=True)
class Rule:
    """One rule: a signed request with a legal body gets `status`, and `then` is true of the response.

    `headers` are beside those that a client always sends, `dials` are faults of the emulator and `switches` its
    arguments; as many requests as `before` says have come before this one in its minute.
    """

    says: str
    status: int = 200
    then: Callable[[requests.Response], bool] = lambda response: "sums" in response.json()
    path: str = f"{PATH}/historical"
    method: str = "POST"
    headers: dict[str, str] = field(default_factory=dict)
    dials: dict[str, Any] = field(default_factory=dict)
    switches: dict[str, Any] = field(default_factory=dict)
    before: int = 0


def accepting(coding):
    return {"Accept-Encoding": coding}


GZIP_IS_NEEDED = says("This request requires gzip compression. Send the header Accept-Encoding: gzip")
TOO_MANY = says("Too many requests. The rate per minute is used up; wait for the next minute")
CONTRACT = [
    # 404 and 405.
    *(
        Rule(f"there is no {path}", 404, says(f"Not Found: POST {path}"), path)
        for path in (PATH, f"{PATH}/", f"{PATH}/hourly")
    ),
    # What is under /2 would be X API v2, which tells it in its own form.
    Rule(
        "there is no /2/insights/engagement/totals",
        404,
        lambda response: response.json()["type"] == "about:blank",
        "/2/insights/engagement/totals",
    ),
    *(
        Rule(f"/{name} with a slash behind it is another URL", 404, says(f"Not Found: POST {PATH}/{name}/"), path)
        for name, path in ((name, f"{PATH}/{name}/") for name in rules.ENDPOINTS)
    ),
    *(
        Rule(f"/{name} is not for {method}", 405, has(allow="POST"), f"{PATH}/{name}", method)
        for name in rules.ENDPOINTS
        for method in ("GET", "PUT", "DELETE")
    ),
    Rule(
        "a 405 is told in JSON",
        405,
        says(f"Method Not Allowed: GET {PATH}/historical"),
        method="GET",
    ),
    # The body's type.
    *(
        Rule(
            f"a body that is declared as {kind!r} is refused",
            400,
            says("The Content-Type must be application/json"),
            headers={"Content-Type": kind},
        )
        for kind in ("text/plain", "text/json", "")
    ),
    Rule(
        "the type may name its character set",
        headers={"Content-Type": "application/json; charset=utf-8"},
    ),
    # gzip.
    *(
        Rule(f"{coding!r} gets gzip", then=has(content_encoding="gzip"), headers=accepting(coding))
        for coding in ("gzip", "GZIP", "br, gzip", "gzip;q=0.5", "identity;q=0, gzip ; q=1.0", "gzip;q=0.001")
    ),
    *(
        Rule(f"{coding!r} gets no gzip", then=has(content_encoding=None), headers=accepting(coding))
        for coding in ("identity", "br", "gzip;q=0", "gzip; q=0.000, identity", "xgzip", "gzip;q=x")
    ),
    *(
        Rule(
            f"where gzip is required, {coding!r} is refused",
            406,
            GZIP_IS_NEEDED,
            headers=accepting(coding),
            switches={"require_gzip": True},
        )
        for coding in ("identity", "gzip;q=0")
    ),
    Rule("who accepts gzip passes where it is required", switches={"require_gzip": True}),
    # The rate.
    Rule(
        "each answer tells the rate of the minute, what is left of it and when the next begins",
        then=has(x_per_minute_limit="3", x_per_minute_remaining="1", x_per_minute_reset="1700000100"),
        switches={"requests_per_minute": 3},
        before=1,
    ),
    Rule("the last request of the rate is answered", switches={"requests_per_minute": 3}, before=2),
    Rule("one over the rate is refused", 429, TOO_MANY, switches={"requests_per_minute": 3}, before=3),
    Rule(
        "a refusal for the rate tells the same",
        429,
        has(x_per_minute_limit="3", x_per_minute_remaining="0", x_per_minute_reset="1700000100"),
        switches={"requests_per_minute": 3},
        before=4,
    ),
    Rule(
        "the rate may go untold",
        then=has(x_per_minute_limit=None, x_per_minute_remaining=None, x_per_minute_reset=None),
        dials={"rate_headers": False},
    ),
]


@pytest.mark.parametrize("rule", CONTRACT, ids=lambda rule: rule.says)
def test_the_contract_is_kept(rule):
    with Emulator(now=NOW, clock=lambda: WHOLE_MINUTE, **rule.switches) as emulator, session(emulator) as client:
        emulator.faults.set(**rule.dials)
        for _ in range(rule.before):
            client.post(f"{emulator.url}{PATH}/historical", json=body())
        response = client.request(
            rule.method,
            emulator.url + rule.path,
            data=orjson.dumps(body()),
            headers={"Content-Type": "application/json"} | rule.headers,
            allow_redirects=False,
        )
    assert response.status_code == rule.status, response.text
    assert rule.then(response), (response.headers, response.text)


def test_the_next_minute_is_another_rate():
    clock = [WHOLE_MINUTE]
    with Emulator(now=NOW, requests_per_minute=1, clock=lambda: clock[0]) as emulator, session(emulator) as client:
        seen = []
        for seconds in (0, 59.9, 60):
            clock[0] = WHOLE_MINUTE + seconds
            seen.append(client.post(f"{emulator.url}{PATH}/historical", json=body()).status_code)
    assert seen == [200, 429, 200]
