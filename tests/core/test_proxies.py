"""Which proxy a request goes through: what the environment says, and never one for this machine."""

import pytest
from proxy import Proxy, proxy

from engagement_pipeline.core.bounds import bounded_session, send
from engagement_pipeline.core.proxies import named, proxy_for
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


ODD = [
    ("ann:PasswordAsItIs@proxy.example.com:3128", "proxy.example.com:3128"),
    ("http://ann:a/PasswordAsItIs@proxy.example.com:3128", "http://proxy.example.com:3128"),
    ("http://ann:a#PasswordAsItIs@proxy.example.com", "http://proxy.example.com"),
    ("http://ann:a@PasswordAsItIs@[2001:db8::1]:3128", "http://[2001:db8::1]:3128"),
    ("http://ann:PasswordAsItIs", "http://ann"),
    ("http://ann:PasswordAsItIs@[2001:db8::1", "of the environment"),
    ("http://TokenInPlaceOfAName@proxy.example.com", "http://proxy.example.com"),
]


@pytest.mark.parametrize(("address", "place"), ODD)
def test_of_an_address_that_is_written_wrong_only_what_is_a_place_is_named(behind, address, place):
    behind(https_proxy=address)
    assert named(proxy_for("https://data-api.twitter.com")) == place


@pytest.mark.parametrize("address", [address for address, _ in ODD if "@" in address])
def test_a_login_that_is_written_wrong_is_masked_too(behind, address):
    behind(https_proxy=address)
    proxy_for("https://data-api.twitter.com")
    login = address.removeprefix("http://").rpartition("@")[0]
    assert redacted(login.partition(":")[2] or login) == "…"
