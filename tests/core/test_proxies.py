"""Which proxy a request goes through: what the environment says, and never one for this machine."""

import pytest
from proxy import Proxy, proxy

from engagement_pipeline.core.bounds import bounded_session, send
from engagement_pipeline.core.proxies import proxy_for
from engagement_pipeline.core.redaction import redacted
from engagement_pipeline.emulator import Emulator

COMPANY = "http://proxy.example.com:3128"


@pytest.fixture
def behind(monkeypatch):
    """Return a function that sets variables over those of a machine on which everything goes through COMPANY."""

    def named(**changes):
        for name, value in (Proxy(0).variables(COMPANY) | changes).items():
            monkeypatch.setenv(name, value)

    return named


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "[::1]:8000"])
def test_no_proxy_stands_before_this_machine(behind, host):
    behind()
    assert proxy_for(f"http://{host}/insights") == ""


def test_other_hosts_are_behind_the_proxy_unless_they_are_excepted(behind):
    behind(no_proxy="api.example.com")
    assert proxy_for("https://data-api.twitter.com/insights") == COMPANY
    assert proxy_for("https://api.example.com") == ""


def test_the_password_of_a_proxy_is_masked_from_then_on(behind):
    behind(https_proxy="http://ann:PasswordOfTheProxy@proxy.example.com:3128")
    proxy_for("https://data-api.twitter.com")
    assert redacted("PasswordOfTheProxy") == "…"


def test_the_emulator_is_reached_past_a_proxy(monkeypatch):
    with proxy() as company, Emulator() as emulator, bounded_session() as session:
        for name, value in company.variables().items():
            monkeypatch.setenv(name, value)
        answer = send(session, "GET", f"{emulator.url}/admin/requests", seconds=10, largest=2**16)
    assert answer.status == 200
    assert company.asked == []
