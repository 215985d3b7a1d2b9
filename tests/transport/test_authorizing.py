"""A handle lets the app in by OAuth 2, on the emulator: whose tokens are taken, and what is refused in one line."""

import logging
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from oauth2_page import app_alone, landing, let_in
from scripted_api import Answer, ScriptedApi

from engagement_pipeline.core.errors import AccountError, EngagementError, InputError, UnavailableError
from engagement_pipeline.core.redaction import redacted
from engagement_pipeline.emulator.world import HANDLES
from engagement_pipeline.transport import accounts, authorizing

HANDLE = "harborbooks"
AGAIN = "run engagement authorize harborbooks --oauth2 again"
TOKENS = b'{"token_type": "bearer", "access_token": "AccessTokenOfOAuth2", "refresh_token": "RefreshTokenOfOAuth2"}'


@pytest.fixture(autouse=True)
def _alone(in_world):
    app_alone(in_world.accounts)


def tokens_of(world, handle=HANDLE):
    return accounts.load(world.accounts).by_handle[handle].oauth2


def refusal(world, kind=InputError, **options):
    """Return the one line with which an authorisation ends, and nothing is written."""
    before = world.accounts.read_bytes()
    with pytest.raises(EngagementError) as caught:
        let_in(world, HANDLE, **options)
    assert type(caught.value) is kind
    assert world.accounts.read_bytes() == before
    message = str(caught.value)
    assert "\n" not in message
    return message


def asked_for(url, _):
    """Return the parameters of the page, in an exception: what follows does not matter."""
    raise LookupError(parse_qs(urlsplit(url).query))


def test_the_handle_that_lets_the_app_in_has_its_tokens_in_the_file(in_world):
    let_in(in_world, HANDLE)
    found = tokens_of(in_world)
    assert found.user_id == str(next(handle.author_id for handle in HANDLES if handle.name == HANDLE))
    assert timedelta(hours=1.9) < found.expires_at - datetime.now(UTC) <= timedelta(hours=2)
    assert in_world.accounts.stat().st_mode & 0o777 == 0o600
    assert "[accounts.harborbooks]" in in_world.accounts.read_text()


def test_a_public_client_needs_no_secret(in_world):
    in_world.emulator.v2.faults.set(public_client=True)
    text = in_world.accounts.read_text()
    in_world.accounts.write_text(re.sub("client_secret = .*\n", "", text))
    let_in(in_world, HANDLE)
    assert tokens_of(in_world)


def test_the_page_is_asked_with_a_challenge_and_a_state_of_this_time_alone(in_world):
    asked = []
    for _ in range(2):
        with pytest.raises(LookupError) as caught:
            let_in(in_world, HANDLE, pasted=asked_for)
        asked.append(caught.value.args[0])
    first, second = asked
    assert first["scope"] == ["tweet.read users.read offline.access"]
    assert first["code_challenge_method"] == ["S256"]
    assert first["state"] != second["state"]
    assert first["code_challenge"] != second["code_challenge"]
    assert min(len(first["state"][0]), len(first["code_challenge"][0])) >= 30


@pytest.mark.parametrize(
    "part",
    [
        lambda address: f"  {address}\n",
        lambda address: address.partition("?")[2],
        lambda address: parse_qs(urlsplit(address).query)["code"][0],
    ],
    ids=["address", "query", "code"],
)
def test_the_address_its_query_or_the_code_may_be_pasted(in_world, part):
    let_in(in_world, HANDLE, pasted=lambda url, handle: part(landing(url, handle)))
    assert tokens_of(in_world)


def test_tokens_of_oauth_1_stay_beside_those_of_oauth_2(in_world):
    in_world.accounts.unlink()
    in_world.emulator.credentials.write_accounts(in_world.accounts)
    let_in(in_world, HANDLE)
    account = accounts.load(in_world.accounts).by_handle[HANDLE]
    assert account.access_token == in_world.emulator.credentials.tokens[HANDLE].key
    assert account.oauth2


def test_tokens_of_another_user_are_refused(in_world):
    assert refusal(in_world, visitor="lumenaudio") == (
        f"'lumenaudio' let the app in, not harborbooks, so nothing is written: log in there as harborbooks and {AGAIN}"
    )


def test_an_address_with_another_state_is_refused_and_its_code_not_spent(in_world):
    told = refusal(in_world, pasted=lambda url, handle: landing(url, handle).replace("state=", "state=x"))
    assert told.startswith("what was pasted answers another page than the one above: ")
    assert not [asked for asked in in_world.emulator.v2.requests if asked.path == "/2/oauth2/token"]


def test_a_person_who_says_no_is_told_so(in_world):
    def denied(url, _):
        return f"http://127.0.0.1/?error=access_denied&state={parse_qs(urlsplit(url).query)['state'][0]}"

    assert refusal(in_world, pasted=denied).startswith("the page did not let the app in ((access_denied)")


@pytest.mark.parametrize("typed", ["", "  ", "two words", "“quoted”"])
def test_what_is_no_code_is_never_sent(in_world, typed):
    told = refusal(in_world, pasted=lambda *_: typed)
    assert told.startswith(f"no code was given for harborbooks: {AGAIN}, and paste")
    assert not in_world.emulator.v2.requests


def test_a_code_that_is_no_good_is_refused_with_what_the_host_said(in_world):
    told = refusal(in_world, AccountError, pasted=lambda *_: "a-code-that-nobody-gave")
    assert "answered 400 (Value passed for the token was invalid.): a code is good once" in told
    assert told.endswith(AGAIN)


def test_a_scope_that_is_not_granted_is_named(in_world):
    in_world.emulator.v2.faults.set(granted_scopes=["tweet.read", "offline.access"])
    assert refusal(in_world).startswith("harborbooks did not grant users.read, so nothing is written: ")


def test_without_offline_access_there_would_be_no_refresh(in_world):
    in_world.emulator.v2.faults.set(granted_scopes=["tweet.read", "users.read"])
    assert refusal(in_world).startswith("harborbooks did not grant offline.access, so nothing is written: ")


def test_an_app_without_a_client_id_is_told_where_it_stands(in_world):
    in_world.accounts.write_text(re.sub("client_.*\n", "", in_world.accounts.read_text()))
    told = refusal(in_world)
    assert told.startswith(f"{in_world.accounts} lacks app.client_id: copy it from the app's page at the vendor")
    assert told.endswith("that page must name the callback http://127.0.0.1/")


def test_a_wrong_secret_of_the_client_is_named(in_world):
    right = in_world.emulator.credentials.client_secret
    in_world.accounts.write_text(in_world.accounts.read_text().replace(right, "wrong-secret-of-the-client"))
    assert "answered 401" in (told := refusal(in_world, AccountError))
    assert told.endswith("check client_id and client_secret in the accounts file; a public client has no secret")


@pytest.mark.parametrize(
    ("answers", "kind", "words"),
    [
        ([Answer(body=b"<html>hello</html>")], UnavailableError, "answered 200 without OAuth 2 tokens"),
        ([Answer(body=b"[]")], UnavailableError, "without OAuth 2 tokens"),
        ([Answer(body=TOKENS.replace(b"OfOAuth2", b"\\u2019OfOAuth2"))], UnavailableError, "without OAuth 2 tokens"),
        ([Answer(body=TOKENS.partition(b', "refresh')[0] + b"}")], UnavailableError, "without a refresh token"),
        ([Answer(body=b" " * 2**17)], UnavailableError, "more than 65,536 bytes"),
        ([Answer(promised=1000)], UnavailableError, "broke off"),
        ([Answer(status=503)], UnavailableError, "the vendor's side"),
        ([Answer(status=404)], InputError, "check x_api_url"),
        ([Answer(body=TOKENS), Answer(body=b"{}")], UnavailableError, "without a user"),
        ([Answer(body=TOKENS), Answer(status=403, body=TOKENS)], AccountError, "its new tokens are not taken"),
    ],
)
def test_what_the_host_may_not_answer_is_one_line_and_no_token_is_in_it(in_world, answers, kind, words):
    with ScriptedApi(*answers) as host, pytest.raises(EngagementError) as caught:
        authorizing.authorize(
            in_world.accounts, HANDLE, x_api_url=host.url, timeout_seconds=10, ask_code=lambda _: "a-code"
        )
    assert type(caught.value) is kind
    assert words in str(caught.value)
    assert "OfOAuth2" not in str(caught.value)
    assert not accounts.load(in_world.accounts).by_handle


def test_new_tokens_are_masked_from_the_moment_they_come(in_world):
    let_in(in_world, HANDLE)
    text = in_world.accounts.read_text()
    secrets = re.findall('oauth2_[a-z]+_token = "(.*)"', text)
    assert len(secrets) == 2
    assert redacted(" ".join(secrets)) == "… …"


def test_no_log_holds_a_token_a_code_or_a_verifier(in_world, caplog):
    caplog.set_level(logging.DEBUG)
    typed = []

    def pasted(url, handle):
        typed.append(landing(url, handle))
        return typed[-1]

    let_in(in_world, HANDLE, pasted=pasted)
    found = tokens_of(in_world)
    mine = "\n".join(record.getMessage() for record in caplog.records if record.name != "urllib3.connectionpool")
    assert not any(secret in mine for secret in (found.access_token, found.refresh_token, *typed))


# The command.


def test_the_command_authorises_and_says_where_the_tokens_are(in_world, engagement, monkeypatch):
    def paste(prompt):
        return landing(next(text for text in prompts if text.startswith("http")), HANDLE)

    prompts = []
    monkeypatch.setattr("builtins.input", paste)
    monkeypatch.setattr("engagement_pipeline.cli.output.on_terminal", lambda text: prompts.append(text) or text)
    code, out, errors = engagement("authorize", HANDLE, "--oauth2")
    assert (code, errors) == (0, [])
    assert out.endswith(f"\nthe OAuth 2 tokens of {HANDLE} are in {in_world.accounts}\n")
    assert tokens_of(in_world)


def test_the_command_ends_with_one_line_where_nothing_is_pasted(in_world, failed, monkeypatch):
    def ended(_):
        raise EOFError

    monkeypatch.setattr("builtins.input", ended)
    code, line = failed("authorize", HANDLE, "--oauth2")
    assert code == 2
    assert line.startswith("no code was given for harborbooks: ")
