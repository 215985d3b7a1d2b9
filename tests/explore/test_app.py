"""The explorer over real HTTP: who may ask, and what a browser may do with the answers."""

import pytest
import requests
from explorers import served

from engagement_pipeline.explore import app, aside

OWN = ["127.0.0.1:1", "localhost", "LOCALHOST:80", "[::1]:9"]
FOREIGN = [
    "evil.example",
    "evil.example:8420",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "10.0.0.1",
    "[::2]",
    "[",
]
OTHER_SITES = [
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Origin": "http://localhost:3000"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
]
PATHS = ["/", "/sql?sql=select+42", "/explore.js", f"/vega-{app.bundle.VERSION}.js"]


def ask(address, path="/explore.js", **options):
    return requests.get(address + path, timeout=60, **options)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("host", FOREIGN)
def test_another_name_for_this_address_is_refused(address, path, host):
    answer = ask(address, path, headers={"Host": host})
    assert answer.status_code == 421
    assert answer.text.startswith("The explorer answers under this machine's own names alone")


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("headers", OTHER_SITES, ids=str)
def test_a_page_of_another_site_is_refused(address, path, headers):
    answer = ask(address, path, headers=headers)
    assert answer.status_code == 403
    assert "42" not in answer.text


@pytest.mark.parametrize("host", OWN)
def test_this_machine_s_own_names_are_let_in(address, host):
    for headers in ({"Host": host}, {"Host": host, "Origin": f"http://{host}", "Sec-Fetch-Site": "same-origin"}):
        assert ask(address, headers=headers).status_code == 200


def test_a_page_runs_only_our_scripts_and_stands_in_no_other(address):
    headers = ask(address, "/sql?sql=select+42").headers
    assert "default-src 'none'; script-src 'self'; " in headers["content-security-policy"]
    assert "frame-ancestors 'none'" in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["cache-control"] == "no-store"
    assert "server" not in headers


def test_a_query_is_answered_and_the_page_is_html(address):
    answer = ask(address, "/sql?sql=select+42")
    assert ">42</" in answer.text
    assert answer.headers["content-type"] == "text/html; charset=utf-8"


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_nothing_is_sent_to_the_explorer(address, method):
    assert requests.request(method, address, timeout=60).status_code == 405


def test_our_script_and_style_are_served_with_their_types(address):
    assert ask(address, "/explore.js").headers["content-type"].startswith("text/javascript")
    style = ask(address, "/explore.css")
    assert style.headers["content-type"].startswith("text/css")
    assert "--series" in style.text
    assert ".control" in style.text


def test_the_charts_script_is_kept_by_the_browser(trapped, monkeypatch):
    monkeypatch.setattr(aside, "BUNDLE", ("-c", "print('vegaEmbed')"))
    with served(trapped) as address:
        answer = ask(address, PATHS[-1])
    assert (answer.text, answer.headers["content-type"]) == ("vegaEmbed\n", "text/javascript; charset=utf-8")
    assert "immutable" in answer.headers["cache-control"]


def test_without_the_charts_script_the_answer_says_what_to_install(trapped, monkeypatch):
    monkeypatch.setattr(aside, "BUNDLE", ("-c", "raise SystemExit(1)"))
    with served(trapped) as address:
        answer = ask(address, PATHS[-1])
    assert (answer.status_code, answer.headers["cache-control"]) == (503, "no-store")
    assert "pip install '.[explore]'" in answer.text


def test_a_mistake_of_ours_is_one_line(trapped, monkeypatch, caplog):
    monkeypatch.setattr(app, "page", lambda *_: 1 / 0)
    with served(trapped) as address:
        answer = ask(address, "/")
    assert (answer.status_code, answer.text) == (500, app.MISTAKE)
    assert "division by zero" in caplog.text
