"""Why a host cannot be reached: a line that names the proxy that is in the way, and no secret."""

import socket

import pytest
import requests
from proxy import MADE, proxy, tls_server
from trickles import server

from engagement_pipeline.core.bounds import CERTIFICATES, bounded_session, send
from engagement_pipeline.core.reach import unreachable

URL = "https://api.example.com/insights"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"


def asked():
    with bounded_session() as session:
        return send(session, "POST", URL, seconds=10, largest=2**16, data=b"{}")


def told():
    """Return the line of a request that must fail."""
    with pytest.raises(requests.exceptions.RequestException) as caught:
        asked()
    return unreachable(URL, caught.value, url=URL, setting="api_url")


@pytest.fixture
def behind(monkeypatch):
    """Return a function that puts a proxy before all hosts, by an address with a password."""

    def named(address):
        assert address.startswith("http://")
        monkeypatch.setenv("https_proxy", address.replace("http://", "http://ann:pa55word@", 1))

    return named


@pytest.fixture(autouse=True)
def _own_certificates(monkeypatch):
    for variable in CERTIFICATES:
        monkeypatch.delenv(variable, raising=False)


@pytest.mark.parametrize(
    ("answer", "reason", "remedy"),
    [
        (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n", "wants a login, 407", "http://NAME:PASSWORD@HOST:PORT"),
        (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "refused the way with 502", "let this host through"),
        (b"HTTP/1.1 403 Forbidden\r\n\r\n", "refused the way with 403", "let this host through"),
    ],
)
def test_a_proxy_that_does_not_let_a_request_through_is_named_with_its_answer(behind, answer, reason, remedy):
    with proxy(answer) as company:
        behind(company.url)
        line = told()
    assert line.startswith(f"{URL} cannot be reached (the proxy {company.url} {reason}): ")
    assert remedy in line
    assert "pa55word" not in line
    assert "\n" not in line


def test_a_proxy_that_speaks_another_protocol_is_named(behind):
    with proxy(b"SSH-2.0-OpenSSH\r\n\r\n") as company:
        behind(company.url)
        assert (
            f"answered with what is not HTTP, through the proxy {company.url}: check the network and the vari" in told()
        )


def test_a_proxy_that_does_not_speak_tls_where_it_should_is_named(monkeypatch):
    with server(b"HTTP/1.1 400 Bad Request\r\n\r\n", times=0, greets=True) as plain:
        address = plain.replace("http:", "https:")
        monkeypatch.setenv("https_proxy", address)
        assert f"(the proxy {address} does not answer as a proxy): check the variables https_proxy" in told()


def test_a_proxy_that_is_down_is_named(behind):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    behind(f"http://127.0.0.1:{port}")
    assert f"(the proxy http://127.0.0.1:{port} takes no connection): check the variables https_proxy" in told()


def test_a_proxy_of_an_unknown_name_is_named(behind):
    behind("http://proxy.invalid:3128")
    assert "(the proxy http://proxy.invalid:3128 has a name that nobody knows): check" in told()


def test_a_proxy_of_a_kind_that_cannot_be_used_is_named(monkeypatch):
    monkeypatch.setenv("all_proxy", "socks5://ann:pa55word@proxy.example.com:1080")
    assert "(the proxy socks5://proxy.example.com:1080 is of a kind that this program cannot use" in told()


def test_what_goes_wrong_behind_a_proxy_names_it_too(behind):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with proxy(MADE, to=port) as company:
        behind(company.url)
        assert f", through the proxy {company.url}: " in told()


@pytest.mark.parametrize("variable", CERTIFICATES)
def test_certificates_of_a_network_are_those_that_the_environment_names(behind, monkeypatch, tmp_path, variable):
    with tls_server(tmp_path, OK, name="api.example.com") as (port, certificate), proxy(MADE, to=port) as company:
        behind(company.url)
        assert "its certificate was not accepted" in told()
        monkeypatch.setenv(variable, str(certificate))
        assert asked().body == b"{}"
    assert company.asked[0].startswith("CONNECT api.example.com:443 ")


def test_a_certificate_that_is_not_accepted_is_told_with_the_variable_that_names_more(behind, tmp_path):
    with tls_server(tmp_path, OK, name="api.example.com") as (port, _), proxy(MADE, to=port) as company:
        behind(company.url)
        line = told()
    assert line.endswith(
        f"(its certificate was not accepted), through the proxy {company.url}: name the file with your network's "
        "certificates in REQUESTS_CA_BUNDLE, or check api_url"
    )


@pytest.mark.parametrize("variable", CERTIFICATES)
def test_certificates_that_are_not_there_are_told_with_the_variable(monkeypatch, variable):
    monkeypatch.setenv(variable, "/no/such.pem")
    assert told() == (
        f"{URL} cannot be reached ({variable} names /no/such.pem, where no certificates are): correct {variable}, "
        "or unset it"
    )


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (requests.exceptions.ReadTimeout(), "cannot be reached (no answer in time)"),
        (requests.exceptions.ChunkedEncodingError(), "answered with a body that broke off"),
        (requests.exceptions.ConnectionError(), "cannot be reached (no connection)"),
    ],
)
def test_without_a_proxy_none_is_named(error, reason):
    line = unreachable("the webhook at h", error, url=URL, setting="alert_webhook")
    assert line == f"the webhook at h {reason}: check the network and alert_webhook"
