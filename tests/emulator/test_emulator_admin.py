"""What a page of the web in a browser of this machine cannot do to the emulator."""

import pytest
import requests
from emulator_client import NOW

from engagement_pipeline.emulator import Emulator

ROUTES = [("POST", "/admin/faults"), ("GET", "/admin/faults"), ("DELETE", "/admin/faults"), ("GET", "/admin/requests")]


@pytest.fixture(scope="module")
def emulator():
    with Emulator(now=NOW) as running:
        yield running


def asked(emulator, method, path, **options):
    return requests.request(method, emulator.url + path, timeout=60, **({"data": b"{}"} | options))


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    "host", ["evil.example.com", "evil.example.com:80", "127.0.0.1.evil.example.com", "localhost.evil"]
)
def test_another_name_for_this_address_is_refused(emulator, method, path, host):
    """A name of the attacker's that leads here, which makes the emulator the page's own site."""
    response = asked(emulator, method, path, headers={"Host": host})
    assert response.status_code == 421
    assert response.json()["errors"][0].startswith("The Host must be this machine's own: ")


@pytest.mark.parametrize(("method", "path"), ROUTES)
@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example.com"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
def test_a_request_of_another_site_is_refused(emulator, method, path, headers):
    response = asked(emulator, method, path, headers=headers)
    assert (response.status_code, response.json()) == (403, {"errors": ["Pages of other sites may not ask here"]})


def test_a_refused_request_turns_no_dial(emulator):
    asked(emulator, "POST", "/admin/faults", json={"status_503": 1}, data=None, headers={"Origin": "null"})
    assert asked(emulator, "GET", "/admin/faults").json()["status_503"] == 0


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "localhost:8080", "[::1]:8080"])
def test_this_machine_s_own_names_are_let_in(emulator, host):
    for headers in ({"Host": host}, {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}):
        assert asked(emulator, "POST", "/admin/faults", headers=headers).status_code == 200


@pytest.mark.parametrize("path", ["/admin/faults", "/oauth2/token", "/oauth/request_token", "/oauth/access_token"])
def test_a_large_body_is_not_read(emulator, path):
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    assert asked(emulator, "POST", path, data=b" " * (2**16 + 1), headers=headers).status_code == 413
