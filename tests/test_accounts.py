"""Accounts: read whole, complained of in one line, never printed."""

import logging

import pytest

from engagement_pipeline.accounts import load, normalised
from engagement_pipeline.errors import InputError

SECRETS = ("ck-7f3a", "cs-7f3a", "at-7f3a", "ats-7f3a")
APP = '[app]\nconsumer_key = "ck-7f3a"\nconsumer_secret = "cs-7f3a"\n'
TOKENS = 'access_token = "at-7f3a"\naccess_token_secret = "ats-7f3a"\n'
WHOLE = f"{APP}[accounts.some_handle]\n{TOKENS}"


@pytest.fixture
def file(tmp_path):
    """Return a function that writes an accounts.toml of that text."""

    def write(text, *, mode=0o600):
        path = tmp_path / "accounts.toml"
        path.write_text(text)
        path.chmod(mode)
        return path

    return write


def refusal(path):
    """Return the one line with which a file is refused; no secret is ever in it."""
    with pytest.raises(InputError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert not any(secret in message for secret in SECRETS)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None  # the parser's own text may quote one
    return message.removeprefix(str(path)).lstrip(": ")


def test_a_file_as_the_readme_shows_it_is_read(file):
    accounts = load(file(WHOLE.replace("[accounts", 'bearer_token = "b"\n[accounts')))
    account = accounts.by_handle["some_handle"]
    assert (accounts.app.consumer_key, accounts.app.consumer_secret) == SECRETS[:2]
    assert (account.handle, account.access_token, account.access_token_secret) == ("some_handle", *SECRETS[2:])


def test_no_repr_holds_a_secret(file):
    accounts = load(file(WHOLE))
    for value in (accounts, accounts.app, accounts.by_handle, accounts.by_handle["some_handle"]):
        assert not any(secret in f"{value!r} {value}" for secret in SECRETS)
    assert "some_handle" in repr(accounts)


def test_a_missing_file_is_named_with_where_to_look(tmp_path):
    assert refusal(tmp_path / "accounts.toml") == "does not exist: the README shows what it holds"


def test_a_folder_is_no_file(tmp_path):
    assert refusal(tmp_path) == "cannot be read: Is a directory"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (APP.replace('"cs-7f3a"', "cs-7f3a"), "line 3"),
        (APP.replace('"cs-7f3a"', '"cs-7f3a'), "line 3"),
        (APP + 'consumer_key = "ck-7f3a"', "end of document"),
        ("[app]\nconsumer_key ck-7f3a", "line 2"),
        ("cs-7f3a", "end of document"),
        ('[app]\nkey = "cs-7f3a\\q"', "line 2"),
        ("[app]\n[app]\n", "line 2"),
    ],
)
def test_bad_toml_is_named_with_its_place_and_nothing_of_its_text(file, text, place):
    message = refusal(file(text))
    assert message.startswith("is not valid TOML: at ")
    assert place in message


def test_a_file_that_is_not_text_is_not_valid_toml(tmp_path):
    path = tmp_path / "accounts.toml"
    path.write_bytes(b"\xff\xfe" + WHOLE.encode())
    assert refusal(path) == "is not valid TOML: it is not UTF-8 text"


def test_everything_that_is_missing_is_named_at_once(file):
    text = '[app]\nconsumer_key = "ck-7f3a"\n[accounts.one]\naccess_token = "at-7f3a"\n[accounts.two]\n'
    assert refusal(file(text)) == (
        "lacks app.consumer_secret, accounts.one.access_token_secret, accounts.two.access_token, "
        "accounts.two.access_token_secret: each must be non-empty text in quotes"
    )


@pytest.mark.parametrize("value", ['""', '"  "', "5", "true", "[]"])
def test_a_key_that_is_empty_or_no_text_is_as_good_as_missing(file, value):
    message = refusal(file(WHOLE.replace('"ats-7f3a"', value)))
    assert message == "lacks accounts.some_handle.access_token_secret: each must be non-empty text in quotes"


def test_an_account_that_is_no_table_lacks_its_keys(file):
    assert "accounts.some_handle.access_token," in refusal(file(APP + '[accounts]\nsome_handle = "at-7f3a"'))


@pytest.mark.parametrize("text", ["", APP, APP + "[accounts]", "app = 5\n[accounts.a]", 'accounts = "at-7f3a"\n' + APP])
def test_the_tables_that_are_needed_are_named(file, text):
    assert refusal(file(text)) == "needs an [app] table and one [accounts.HANDLE] table for each handle"


@pytest.mark.parametrize("spelling", ["Some_Handle", '"@some_handle"', '" @SOME_HANDLE "'])
def test_a_handle_is_compared_without_its_at_sign_and_case(file, spelling):
    accounts = load(file(f"{APP}[accounts.{spelling}]\n{TOKENS}"))
    assert list(accounts.by_handle) == ["some_handle"]
    assert accounts.by_handle["some_handle"].handle == "some_handle"


def test_normalised_does_not_touch_an_at_sign_inside():
    assert [normalised(text) for text in ("@A", " a ", "A", "a@b")] == ["a", "a", "a", "a@b"]


def test_the_same_handle_twice_is_refused(file):
    message = refusal(file(f'{WHOLE}[accounts."@Some_Handle"]\n{TOKENS}'))
    assert message.startswith("holds the same handle twice")


@pytest.mark.parametrize("handle", ["a/b", "../a", "a b", "", "@", "é"])
def test_a_handle_that_cannot_be_one_is_refused_since_it_becomes_part_of_file_names(file, handle):
    message = refusal(file(f'{APP}[accounts."{handle}"]\n{TOKENS}'))
    assert message == f"{handle!r} is not a handle: letters, digits and _ only"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644])
def test_a_file_that_others_can_read_is_warned_of_and_read(file, caplog, mode):
    path = file(WHOLE, mode=mode)
    assert load(path).by_handle
    assert caplog.record_tuples == [
        (
            "engagement_pipeline.accounts",
            logging.WARNING,
            f"{path} can be read by others on this machine: chmod 600 {path}",
        )
    ]


def test_a_file_that_only_its_owner_can_read_is_no_news(file, caplog):
    load(file(WHOLE))
    assert not caplog.records
