"""GET /2/users/me and /2/users/by/username/{username}: the accounts of the world and their ids."""

import pytest
from emulator_client import NOW
from v2_client import PROBLEM, get, get_with

from engagement_pipeline.emulator import HANDLES, Emulator
from engagement_pipeline.emulator.world import STRANGER


@pytest.fixture(scope="module")
def emulator():
    with Emulator(now=NOW) as running:
        yield running


@pytest.mark.parametrize("account", HANDLES, ids=lambda account: account.name)
def test_me_is_who_signed(emulator, account):
    data = get(emulator, "/2/users/me", handle=account.name).json()["data"]
    assert data == {"id": str(account.author_id), "name": account.name.capitalize(), "username": account.name}


def test_the_app_alone_is_nobody(emulator):
    answer = get_with(emulator, emulator.credentials.bearer_token, "/2/users/me")
    assert (answer.status_code, answer.json()["type"]) == (403, f"{PROBLEM}unsupported-authentication")


@pytest.mark.parametrize("name", ["lumenaudio", "LumenAudio", STRANGER.name])
def test_a_name_leads_to_its_account_whatever_its_case(emulator, name):
    answer = get_with(emulator, emulator.credentials.bearer_token, f"/2/users/by/username/{name}")
    assert answer.json()["data"]["username"] == name.lower()


def test_a_name_that_nobody_has_is_an_error_beside_no_data(emulator):
    answer = get(emulator, "/2/users/by/username/nobody")
    (error,) = answer.json()["errors"]
    assert (answer.status_code, answer.json().keys()) == (200, {"errors"})
    assert (error["type"], error["parameter"], error["value"]) == (f"{PROBLEM}resource-not-found", "username", "nobody")


@pytest.mark.parametrize("name", ["no-name", "longer_than_15_letters"])
def test_what_no_name_can_be_is_refused(emulator, name):
    assert get(emulator, f"/2/users/by/username/{name}").status_code == 400


def test_fields_are_told_when_they_are_asked_for(emulator):
    data = get(emulator, "/2/users/me", {"user.fields": "created_at,protected"}).json()["data"]
    assert data.keys() == {"id", "name", "username", "created_at", "protected"}
    assert get(emulator, "/2/users/me", {"user.fields": "email"}).status_code == 400
