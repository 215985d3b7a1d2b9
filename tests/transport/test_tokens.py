"""Tokens from the authorisation host: three legs with a PIN, the app's bearer token, and no secret in sight."""

import base64
import logging
import re
import socket

import pytest
import requests
from proxy import proxy
from scripted_api import SECRETS, Answer, ScriptedApi, error

from engagement_pipeline.core.errors import AccountError, EngagementError, InputError, UnavailableError
from engagement_pipeline.emulator import Credentials
from engagement_pipeline.transport import accounts, tokens
from engagement_pipeline.transport.accounts import Account, App

APP = App(SECRETS["consumer_key"], SECRETS["consumer_secret"])
APP_ALONE = f'[app]\nconsumer_key = "{APP.consumer_key}"\nconsumer_secret = "{APP.consumer_secret}"\n'
LEG_1 = Answer(
    body=b"oauth_token=RequestTokenOfAnn&oauth_token_secret=RequestSecretOfAnn&oauth_callback_confirmed=true"
)
LEG_3 = Answer(
    body=b"oauth_token=99-AccessTokenOfAnn&oauth_token_secret=AccessTokenSecretOfAnn&user_id=99&screen_name=Ann"
)
ALL_SECRETS = (*SECRETS.values(), "RequestTokenOfAnn", "RequestSecretOfAnn", "1234567")
BASIC = base64.b64encode(f"{APP.consumer_key}:{APP.consumer_secret}".encode()).decode()


def pin_for(url, handle):
    """Open the page as the handle and return the PIN that it shows."""
    page = requests.get(f"{url}&handle={handle}", timeout=60)
    return re.search(r"<code>(\d{7})</code>", page.text)[1]


@pytest.fixture
def app_alone(in_world):
    """The world's accounts.toml with the app's keys and a comment, and no account."""
    app = in_world.accounts.read_text().partition("[app]\n")[2].partition("[accounts.")[0]
    in_world.accounts.write_text(f"# keep this\n[app]\n{app}")
    return in_world.accounts


@pytest.fixture
def let_in(in_world):
    """Return a function that authorises a handle; `visitor` is who is logged in on the page."""

    def run(handle="harborbooks", *, visitor=None, pin=pin_for):
        tokens.authorize(
            in_world.accounts,
            handle,
            auth_url=in_world.emulator.url,
            timeout_seconds=10,
            ask_pin=lambda url: pin(url, visitor or handle),
        )

    return run


@pytest.fixture
def closed_url():
    """A URL where nobody listens, and nobody else can."""
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{closed.getsockname()[1]}"


@pytest.fixture
def scripted(tmp_path):
    """Return a function that authorises Ann at a host with scripted answers; it gives the file and the requests."""

    def run(*answers, pin="1234567"):
        path = tmp_path / "ann.toml"
        path.write_text(APP_ALONE)
        path.chmod(0o600)
        with ScriptedApi(*answers) as host:
            tokens.authorize(path, "ann", auth_url=host.url, timeout_seconds=10, ask_pin=lambda _: pin)
        return path, host.received

    return run


# A handle's tokens.


def test_the_pin_of_the_handle_buys_its_tokens(let_in, app_alone, in_world):
    let_in("tidalcoffee")
    known = accounts.load(app_alone)
    token = in_world.emulator.credentials.tokens["tidalcoffee"]
    assert known.by_handle == {"tidalcoffee": Account("tidalcoffee", token.key, token.secret)}


def test_the_file_keeps_its_comments_and_other_entries_and_is_its_owners_alone(let_in, app_alone):
    let_in("harborbooks")
    before = app_alone.read_text()
    app_alone.chmod(0o644)
    let_in("lumenaudio")
    assert before.startswith("# keep this\n[app]\n")
    assert app_alone.read_text().startswith(before)
    assert sorted(accounts.load(app_alone).by_handle) == ["harborbooks", "lumenaudio"]
    assert app_alone.stat().st_mode & 0o777 == 0o600


def test_the_old_tokens_of_an_account_are_replaced(let_in, in_world):
    good = in_world.accounts.read_text()
    in_world.accounts.write_text(good.replace(in_world.emulator.credentials.tokens["harborbooks"].secret, "revoked"))
    let_in("harborbooks")
    assert in_world.accounts.read_text() == good


def test_what_is_written_to_the_file_while_the_pin_is_awaited_stays(let_in, app_alone):
    def slowly(url, handle):
        app_alone.write_text(app_alone.read_text() + "# meanwhile\n")
        return pin_for(url, handle)

    let_in(pin=slowly)
    assert "# meanwhile\n" in app_alone.read_text()
    assert list(accounts.load(app_alone).by_handle) == ["harborbooks"]


def test_the_screen_name_may_be_spelled_in_another_case(scripted):
    path, _ = scripted(LEG_1, LEG_3)
    assert list(accounts.load(path).by_handle) == ["ann"]


def test_the_pin_is_sent_without_the_blanks_around_it(scripted):
    _, received = scripted(LEG_1, LEG_3, pin=" 1234567\n")
    assert 'oauth_verifier="1234567"' in received[1].headers["Authorization"]


# No tokens.


def refusal(kind, run, *arguments, **options):
    """Return the one line with which tokens are refused; no secret is in it."""
    with pytest.raises(kind) as caught:
        run(*arguments, **options)
    message = str(caught.value)
    assert "\n" not in message
    assert len(message) < 500
    assert not any(secret in message for secret in ALL_SECRETS)
    return message


def test_another_handle_than_the_one_asked_for_is_refused_and_nothing_written(let_in, app_alone):
    before = app_alone.read_text()
    assert refusal(InputError, let_in, "harborbooks", visitor="lumenaudio") == (
        "'lumenaudio' let the app in, not harborbooks, so nothing is written: log in there as harborbooks and "
        "run engagement authorize harborbooks again"
    )
    assert app_alone.read_text() == before


def test_a_wrong_pin_is_refused_and_nothing_written(let_in, app_alone, in_world):
    before = app_alone.read_text()
    wrong = refusal(AccountError, let_in, pin=lambda url, handle: f"{(int(pin_for(url, handle)) + 1) % 10**7:07}")
    assert wrong == (
        f"account harborbooks: {in_world.emulator.url}/oauth/access_token answered 401 (The verifier is not the PIN "
        "of this request token): run engagement authorize harborbooks again and type the PIN that the page shows"
    )
    assert app_alone.read_text() == before


@pytest.mark.parametrize("pin", ["", " \n", "12 34", "é", "\udcff", "1;2"])
def test_what_is_no_pin_is_never_sent(let_in, app_alone, pin):
    assert refusal(InputError, let_in, pin=lambda _url, _handle: pin) == (
        "no PIN was given for harborbooks: run engagement authorize harborbooks again and type the PIN that the page "
        "shows"
    )


def test_wrong_keys_of_the_app_are_told_before_anyone_is_asked_for_a_pin(let_in, in_world):
    Credentials.from_seed(2).write_accounts(in_world.accounts)
    message = refusal(AccountError, let_in, pin=lambda *_: pytest.fail("a PIN was asked for"))
    assert "/oauth/request_token answered 401 (Could not authenticate you: " in message
    assert f": check the app's keys in {in_world.accounts}, that its settings allow a PIN, and this " in message


def test_a_clock_that_is_wrong_is_told(let_in, in_world, monkeypatch):
    monkeypatch.setattr("oauthlib.oauth1.rfc5849.generate_timestamp", lambda: "1400000000")
    message = refusal(AccountError, let_in, pin=lambda *_: pytest.fail("a PIN was asked for"))
    assert "Timestamp out of bounds" in message
    assert message.endswith("this machine's clock")


def test_a_file_without_keys_is_told_before_anything_is_sent(tmp_path, closed_url):
    path = tmp_path / "accounts.toml"
    path.write_text("[app]\n")
    path.chmod(0o600)
    message = refusal(
        InputError, tokens.authorize, path, "ann", auth_url=closed_url, timeout_seconds=10, ask_pin=pytest.fail
    )
    assert message.startswith(f"{path} lacks app.consumer_key, app.consumer_secret")


@pytest.mark.parametrize(
    ("answers", "words"),
    [
        ([Answer(body=b"")], "/oauth/request_token answered 200 without oauth_token, oauth_token_secret: is a proxy"),
        ([Answer(body=b"oauth_token=&oauth_token_secret=RequestSecretOfAnn")], "answered 200 without oauth_token: is"),
        ([Answer(body=b"<html>Please log in</html>")], "/oauth/request_token answered 200 without oauth_token"),
        ([Answer(body=b"[1]")], "/oauth/request_token answered 200 without oauth_token"),
        ([LEG_1], "/oauth/access_token answered 200 without screen_name: is a proxy in the way?"),
        ([LEG_1, Answer(body=b"screen_name=ann")], "/oauth/access_token answered 200 without oauth_token, oauth_token"),
        ([LEG_1, Answer(promised=1000)], "/oauth/access_token answered with a body that broke off: check the net"),
        (
            [LEG_1, error(429, {"message": "slow down"})],
            "/oauth/access_token answered 429 (slow down): the vendor's side, try ",
        ),
        ([error(503, {"message": "Over capacity", "code": 130})], "answered 503 (Over capacity): the vendor's side"),
    ],
)
def test_a_host_that_does_not_answer_as_it_should_is_told_in_one_line(scripted, tmp_path, answers, words):
    assert words in refusal(UnavailableError, scripted, *answers)
    assert (tmp_path / "ann.toml").read_text() == APP_ALONE


@pytest.mark.parametrize("status", [302, 404])
def test_a_host_that_is_another_is_not_followed_and_auth_url_is_the_user_s_to_mend(scripted, tmp_path, status):
    answer = Answer(status=status, body=b"", headers={"Location": "http://127.0.0.1:1/"})
    for ask, kind in ((scripted, InputError), (bearer, AccountError)):  # the accounts can go on without a bearer token
        leads = ", a redirect to 127.0.0.1:1, which no token follows" if status == 302 else ""
        assert refusal(kind, ask, answer).endswith(f" answered {status} (nothing){leads}: check auth_url")
    assert (tmp_path / "ann.toml").read_text() == APP_ALONE


def test_an_unreachable_host_is_named(app_alone, closed_url):
    message = refusal(
        UnavailableError,
        tokens.authorize,
        app_alone,
        "ann",
        auth_url=closed_url,
        timeout_seconds=10,
        ask_pin=pytest.fail,
    )
    expected = f"{closed_url}/oauth/request_token cannot be reached (no connection): check the network and auth_url"
    assert message == expected


def test_an_answer_that_is_larger_than_any_of_the_host_is_given_up(app_alone):
    with ScriptedApi(Answer(body=b" " * (2**16 + 1))) as api:
        message = refusal(
            UnavailableError,
            tokens.authorize,
            app_alone,
            "ann",
            auth_url=api.url,
            timeout_seconds=9,
            ask_pin=pytest.fail,
        )
    assert message.endswith(
        "answered with more than 65,536 bytes, and no answer of this host is that large: is a proxy in the way?"
    )


def test_a_bearer_token_that_no_header_can_carry_is_not_used():
    body = b'{"token_type": "bearer", "access_token": "AnotherBearer\\nToken"}'
    with ScriptedApi(Answer(body=body)) as api, pytest.raises(UnavailableError) as caught:
        tokens.bearer_token(App("key", "secret"), auth_url=api.url, timeout_seconds=9)
    assert str(caught.value).endswith("with a bearer token that holds a line end (U+000A): is a proxy in the way?")


def test_a_proxy_before_the_host_is_named_and_its_password_is_not(app_alone, monkeypatch):
    with proxy(b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n") as company:
        monkeypatch.setenv("https_proxy", company.url.replace("//", "//ann:pa55word@"))
        message = refusal(
            UnavailableError,
            tokens.authorize,
            app_alone,
            "ann",
            auth_url="https://api.example.com",
            timeout_seconds=10,
            ask_pin=pytest.fail,
        )
    assert f"/oauth/request_token cannot be reached (the proxy {company.url} wants a login, 407): " in message
    assert "pa55word" not in message


def test_a_host_that_stays_silent_is_given_up(app_alone):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # it listens and never answers
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        message = refusal(
            UnavailableError,
            tokens.authorize,
            app_alone,
            "ann",
            auth_url=url,
            timeout_seconds=0.05,
            ask_pin=pytest.fail,
        )
    assert message.endswith("(no answer in time): check the network and auth_url")


def test_a_refusal_that_is_a_page_is_cut_short(scripted):
    page = Answer(status=403, body=b"<html>\n" + b"very long\n" * 1000)
    assert "answered 403 (<html> very long very long" in refusal(AccountError, scripted, page)


# The app's bearer token.


def bearer(*answers, app=APP):
    """Return the bearer token that a host with scripted answers gives, and its requests."""
    with ScriptedApi(*answers) as host:
        return tokens.bearer_token(app, auth_url=host.url, timeout_seconds=10), host.received


def test_the_keys_of_the_app_buy_its_bearer_token(in_world):
    app = accounts.load(in_world.accounts).app
    token = tokens.bearer_token(app, auth_url=in_world.emulator.url, timeout_seconds=10)
    assert token == in_world.emulator.credentials.bearer_token == app.bearer_token


def test_the_keys_travel_url_encoded_in_basic_authentication_and_the_grant_in_the_form():
    answer = Answer(body=b'{"token_type": "Bearer", "access_token": "t"}')
    token, [request] = bearer(answer, app=App("k:1", "s +é"))
    assert token == "t"
    assert request.method == "POST"
    assert request.url.endswith("/oauth2/token")
    assert base64.b64decode(request.headers["Authorization"].removeprefix("Basic ")) == b"k%3A1:s+%2B%C3%A9"
    assert request.body == b"grant_type=client_credentials"
    assert request.headers["Content-Type"] == "application/x-www-form-urlencoded"


def test_wrong_keys_buy_no_bearer_token(in_world):
    message = refusal(AccountError, tokens.bearer_token, APP, auth_url=in_world.emulator.url, timeout_seconds=10)
    assert message == (
        f"the app: {in_world.emulator.url}/oauth2/token answered 403 (Unable to verify your credentials): "
        "check consumer_key and consumer_secret in the accounts file"
    )


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Please log in</html>",
        b"[]",
        b"null",
        b"{}",
        b'{"access_token": "AccessTokenSecretOfAnn"}',
        b'{"token_type": "mac", "access_token": "AccessTokenSecretOfAnn"}',
        b'{"token_type": "bearer", "access_token": ""}',
        b'{"token_type": "bearer", "access_token": 5}',
    ],
)
def test_an_answer_without_a_bearer_token_is_told(body):
    message = refusal(UnavailableError, bearer, Answer(body=body))
    assert message.endswith("/oauth2/token answered 200 without a bearer token: is a proxy in the way?")


def test_an_unreachable_host_gives_no_bearer_token(closed_url):
    message = refusal(UnavailableError, tokens.bearer_token, APP, auth_url=closed_url, timeout_seconds=10)
    assert message.startswith(f"{closed_url}/oauth2/token cannot be reached (no connection)")


def test_an_error_carries_its_status_its_text_and_whose_it_is(scripted):
    refused = error(401, {"message": "Could not authenticate you", "code": 32})
    with pytest.raises(AccountError) as caught:
        scripted(refused)
    assert (caught.value.account, caught.value.status, caught.value.texts) == (
        "ann",
        401,
        ("Could not authenticate you",),
    )
    with pytest.raises(AccountError) as caught:
        bearer(refused)
    assert caught.value.account == ""


# Secrets.


@pytest.mark.parametrize("status", [200, 401, 404, 500])
@pytest.mark.parametrize("legs", [[], [LEG_1]])
def test_no_secret_is_in_any_message_or_log_even_where_the_host_repeats_it(scripted, caplog, status, legs):
    caplog.set_level(logging.DEBUG)
    said = f"OAuth oauth_token=RequestTokenOfAnn {' '.join(SECRETS.values())} {BASIC} RequestSecretOfAnn"
    shown = []
    for ask in (scripted, lambda *answers: bearer(answers[-1])):
        with pytest.raises(EngagementError) as caught:
            ask(*legs, Answer(status=status, body=said.encode()))
        shown.append(f"{caught.value} {vars(caught.value)!r} {caught.value!r}")
    text = caplog.text + "".join(shown)
    assert not [secret for secret in (*ALL_SECRETS, BASIC) if secret in text]
    assert "oauth_signature" not in text


def test_no_secret_is_in_the_log_where_all_goes_well(scripted, caplog):
    for logger in (None, "urllib3"):  # which another library in this process may have quieted
        caplog.set_level(logging.DEBUG, logger=logger)
    scripted(LEG_1, LEG_3)
    bearer(Answer(body=b'{"token_type": "bearer", "access_token": "BearerTokenOfTheApp"}'))
    assert "/oauth/access_token" in caplog.text  # of the connection's own log: something was recorded
    assert not [secret for secret in (*ALL_SECRETS, BASIC, "BearerTokenOfTheApp") if secret in caplog.text]


# The command.


class Visitor:
    """Standard input of somebody who opens the page that the command printed, as `handle`, and types its PIN."""

    def __init__(self, capsys, handle):
        self.capsys = capsys
        self.handle = handle
        self.saw = ""

    def readline(self):
        self.saw = self.capsys.readouterr().out
        return pin_for(re.search(r"^  (http\S+)$", self.saw, re.MULTILINE)[1], self.handle) + "\n"


def test_the_command_names_the_page_asks_for_the_pin_and_says_where_the_tokens_are(
    app_alone, engagement, monkeypatch, capsys, in_world
):
    visitor = Visitor(capsys, "harborbooks")
    monkeypatch.setattr("sys.stdin", visitor)
    code, out, errors = engagement("authorize", "@HarborBooks")
    assert (code, out, errors) == (0, f"the tokens of harborbooks are in {app_alone}\n", [])
    assert visitor.saw.startswith("Open this page, logged in as harborbooks, and let the app in:\n  http")
    assert visitor.saw.endswith("\nPIN: ")
    token = in_world.emulator.credentials.tokens["harborbooks"]
    assert accounts.load(app_alone).by_handle == {"harborbooks": Account("harborbooks", token.key, token.secret)}
    hidden = (token.key, token.secret, in_world.emulator.credentials.consumer_key)
    assert not [secret for secret in hidden if secret in visitor.saw + out]


def test_an_account_that_was_authorised_can_be_pulled_at_once(app_alone, engagement, monkeypatch, capsys, in_world):
    monkeypatch.setattr("sys.stdin", Visitor(capsys, "harborbooks"))
    in_world.follow({"harborbooks": in_world.tweets("harborbooks", 2)})
    assert engagement("plan")[0] == 2
    assert engagement("authorize", "harborbooks")[0] == 0
    code, out, _ = engagement("pull", "--from", "2026-01-31")
    assert code == 0
    assert "2 Tweets asked for = 2 stored + 0 set aside" in out


def test_the_command_ends_with_one_line_where_the_wrong_handle_is_logged_in(app_alone, failed, monkeypatch, capsys):
    monkeypatch.setattr("sys.stdin", Visitor(capsys, "lumenaudio"))
    code, line = failed("authorize", "harborbooks")
    assert code == 2
    assert line.startswith("'lumenaudio' let the app in, not harborbooks, so nothing is written: ")
    assert not accounts.load(app_alone).by_handle


@pytest.mark.parametrize("typed", [b"", b"\n", b"\xff\n"])
def test_the_command_ends_with_one_line_where_no_pin_is_typed(app_alone, failed, monkeypatch, tmp_path, typed):
    keys = tmp_path / "keys"
    keys.write_bytes(typed)
    with keys.open(encoding="utf-8") as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        code, line = failed("authorize", "harborbooks")
    assert code == 2
    assert line.startswith("no PIN was given for harborbooks: run engagement authorize harborbooks again ")


def test_the_command_names_a_host_that_cannot_be_reached(app_alone, failed, monkeypatch, closed_url):
    monkeypatch.setenv("ENGAGEMENT_AUTH_URL", closed_url)
    code, line = failed("authorize", "harborbooks")
    assert code == 1
    assert line.startswith(f"{closed_url}/oauth/request_token cannot be reached (no connection): ")
