"""OAuth 2 tokens in accounts.toml: what is read, what is missing, and where new ones are written."""

from datetime import UTC, datetime

import pytest

from engagement_pipeline.core.errors import InputError
from engagement_pipeline.transport.accounts import LONG_AGO, Account, UserTokens, load, save

APP = '[app]\nconsumer_key = "KeyOfAnnsApp1"\nconsumer_secret = "SecretOfAnnsApp1"\n'
OAUTH1 = 'access_token = "99-AnnsToken1"\naccess_token_secret = "AnnsSecret1"\n'
OAUTH2 = 'oauth2_access_token = "AnnsAccess2"\noauth2_refresh_token = "AnnsRefresh2"\n'
UNTIL = datetime(2026, 2, 1, 12, tzinfo=UTC)
NEW = UserTokens("AnnsAccess3", "AnnsRefresh3", UNTIL, "99")


@pytest.fixture
def file(tmp_path):
    """Return a function that writes an accounts.toml of that text."""

    def write(text):
        path = tmp_path / "accounts.toml"
        path.write_text(text)
        path.chmod(0o600)
        return path

    return write


def ann(path):
    return load(path).by_handle["ann"]


def test_an_account_may_have_either_kind_or_both(file):
    assert not ann(file(f"{APP}[accounts.ann]\n{OAUTH1}")).oauth2
    alone = ann(file(f"{APP}[accounts.ann]\n{OAUTH2}"))
    assert (alone.access_token, alone.oauth2.access_token) == ("", "AnnsAccess2")
    both = ann(file(f"{APP}[accounts.ann]\n{OAUTH1}{OAUTH2}"))
    assert (both.access_token, both.oauth2.refresh_token) == ("99-AnnsToken1", "AnnsRefresh2")


def test_the_client_of_the_app_is_read(file):
    app = load(file(f'{APP}client_id = "ClientOfAnnsApp1"\nclient_secret = "SecretOfAnnsClient1"\n')).app
    assert (app.client_id, app.client_secret) == ("ClientOfAnnsApp1", "SecretOfAnnsClient1")
    assert "OfAnns" not in repr(app)


@pytest.mark.parametrize(
    ("table", "missing"),
    [
        (OAUTH2.partition("oauth2_refresh")[0], "accounts.ann.oauth2_refresh_token"),
        (f"{OAUTH1.partition('access_token_secret')[0]}{OAUTH2}", "accounts.ann.access_token_secret"),
        (OAUTH2.replace('"AnnsAccess2"', "5"), "accounts.ann.oauth2_access_token"),
        ("", "accounts.ann.access_token, accounts.ann.access_token_secret"),
    ],
)
def test_what_a_kind_lacks_is_named(file, table, missing):
    with pytest.raises(InputError, match=rf" lacks {missing}: each must be non-empty text in quotes$"):
        load(file(f"{APP}[accounts.ann]\n{table}"))


def test_a_mark_in_a_copied_token_is_named_with_its_line(file):
    copied = OAUTH2.replace("AnnsRefresh2", "Anns\u00a0Refresh2")
    with pytest.raises(InputError, match=r"accounts\.ann\.oauth2_refresh_token in line 6 holds a no-break space"):
        load(file(f"{APP}[accounts.ann]\n{copied}"))


@pytest.mark.parametrize(
    "until", ["", "oauth2_expires_at = 5", 'oauth2_expires_at = "soon"', "oauth2_expires_at = 2026-02-01"]
)
def test_a_token_of_which_nobody_says_how_long_it_lives_is_refreshed_at_once(file, until):
    assert ann(file(f"{APP}[accounts.ann]\n{OAUTH2}{until}")).oauth2.expires_at == LONG_AGO


def test_the_user_is_told_by_either_kind(file):
    assert ann(file(f"{APP}[accounts.ann]\n{OAUTH1}")).user_id == "99"
    assert ann(file(f"{APP}[accounts.ann]\n{OAUTH2}oauth2_user_id = 99")).user_id == "99"
    assert ann(file(f"{APP}[accounts.ann]\n{OAUTH2}")).user_id == ""


@pytest.mark.parametrize("user", ["true", "-5", "1.5", '"ann"', "[]"])
def test_a_user_id_that_is_none_is_as_good_as_missing(file, user):
    path = file(f"{APP}[accounts.ann]\n{OAUTH2}oauth2_user_id = {user}\n")
    assert ann(path).user_id == ""
    save(path, ann(path))
    assert ann(path).oauth2.access_token == "AnnsAccess2"


def test_no_repr_holds_a_token(file):
    told = repr(load(file(f"{APP}[accounts.ann]\n{OAUTH1}{OAUTH2}")))
    assert "oauth2=UserTokens(" in told
    assert not any(secret in told for secret in ("AnnsAccess2", "AnnsToken1", "AnnsRefresh2", "AnnsSecret1"))


def test_what_is_saved_is_read(file):
    path = file(APP)
    save(path, Account("ann", oauth2=NEW))
    assert ann(path) == Account("ann", oauth2=NEW)


def test_each_kind_is_saved_without_a_change_to_the_other(file):
    path = file(f"{APP}[accounts.ann]\n{OAUTH1}")
    save(path, Account("ann", oauth2=NEW))
    assert ann(path) == Account("ann", "99-AnnsToken1", "AnnsSecret1", NEW)
    save(path, Account("ann", "99-AnnsToken2", "AnnsSecret2"))
    assert ann(path) == Account("ann", "99-AnnsToken2", "AnnsSecret2", NEW)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_new_keys_of_an_account_stand_below_its_old_ones_and_no_comment_moves(file, end):
    text = f"{APP}[accounts.ann]  # ours\n{OAUTH1}# since May\n\n# Bob's, from the agency\n[accounts.bob]\n{OAUTH1}"
    path = file("")
    path.write_bytes(text.replace("\n", end).encode())
    save(path, Account("ann", oauth2=NEW))
    lines = path.read_bytes().decode().splitlines()
    keys = [line for line in lines if line.startswith("oauth2_")]
    below = lines.index('access_token_secret = "AnnsSecret1"') + 1
    assert len(keys) == 4
    assert lines[below : below + 4] == keys
    assert [line for line in lines if line not in keys] == text.splitlines()


def test_an_account_that_is_no_table_of_lines_takes_no_new_keys(file):
    path = file(f'{APP}[accounts]\nann = {{access_token = "99-AnnsToken1", access_token_secret = "AnnsSecret1"}}\n')
    before = path.read_text()
    with pytest.raises(InputError, match=r"cannot take the tokens of ann: write its accounts as \[accounts\.HANDLE\]"):
        save(path, Account("ann", oauth2=NEW))
    assert path.read_text() == before
