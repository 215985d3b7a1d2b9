"""engagement authorize at a terminal: the page that it prints is one that a browser can open."""

import re

import pytest
import requests
from oauth2_page import app_alone, held, landing

HANDLE = "harborbooks"


@pytest.fixture
def visiting(in_world, monkeypatch, capsys):
    """Return a function that sets what a person does with the printed page: it gets the address, and is pasted from."""
    app_alone(in_world.accounts)

    def set_to(visit):
        def answer(_):
            (url,) = re.findall(r"http://\S+", capsys.readouterr().out.partition("\nThe browser")[0])
            return visit(url)

        monkeypatch.setattr("builtins.input", answer)

    return set_to


def pin(url):
    return re.search(r"\b\d{7}\b", requests.get(f"{url}&handle={HANDLE}", timeout=60).text)[0]


def test_the_page_that_is_printed_gives_tokens_of_oauth_1(in_world, visiting, engagement):
    visiting(pin)
    told = f"the tokens of {HANDLE} are in {in_world.accounts}\n"
    assert engagement("authorize", HANDLE) == (0, told, [])


def test_the_page_that_is_printed_names_the_client_and_gives_tokens_of_oauth_2(in_world, visiting, engagement):
    visiting(lambda url: landing(url, HANDLE))
    told = f"the OAuth 2 tokens of {HANDLE} are in {in_world.accounts}\n"
    assert engagement("authorize", HANDLE, "--oauth2") == (0, told, [])
    assert held(in_world, HANDLE).refresh_token
