"""Accounts: read whole, complained of in one line, never printed."""

import itertools
import logging
import tomllib

import pytest

from engagement_pipeline.core.errors import InputError
from engagement_pipeline.transport.accounts import Account, glance, load, save
from engagement_pipeline.transport.private_file import ASIDE

SECRETS = ("ck-7f3a", "cs-7f3a", "at-7f3a", "ats-7f3a", "bt-7f3a", "at-new", "ats-new")
APP = '[app]\nconsumer_key = "ck-7f3a"\nconsumer_secret = "cs-7f3a"\n'
TOKENS = 'access_token = "at-7f3a"\naccess_token_secret = "ats-7f3a"\n'
WHOLE = f"{APP}[accounts.some_handle]\n{TOKENS}"
BEARER = 'bearer_token = "bt-7f3a"\n'
NEW = Account("new_one", "at-new", "ats-new")


@pytest.fixture
def file(tmp_path):
    """Return a function that writes an accounts.toml of that text."""

    def write(text, *, mode=0o600):
        path = tmp_path / "accounts.toml"
        path.write_text(text)
        path.chmod(mode)
        return path

    return write


def refusal(path, use=load):
    """Return the one line with which a file is refused; no secret is ever in it."""
    with pytest.raises(InputError) as caught:
        use(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert "\n" not in message
    assert not any(secret in message for secret in SECRETS)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None  # the parser's own text may quote one
    return message.removeprefix(str(path)).lstrip(": ")


def test_a_file_as_the_readme_shows_it_is_read(file):
    accounts = load(file(WHOLE.replace("[accounts", f"{BEARER}[accounts")))
    account, app = accounts.by_handle["some_handle"], accounts.app
    assert (app.consumer_key, app.consumer_secret, app.bearer_token) == ("ck-7f3a", "cs-7f3a", "bt-7f3a")
    assert (account.handle, account.access_token, account.access_token_secret) == ("some_handle", "at-7f3a", "ats-7f3a")


def test_a_mark_that_an_editor_puts_at_the_beginning_is_no_part_of_the_text(file):
    path = file(f"\ufeff{WHOLE}")
    save(path, NEW)
    assert list(load(path).by_handle) == ["some_handle", "new_one"]


def test_without_a_bearer_token_there_is_an_empty_one(file):
    assert load(file(WHOLE)).app.bearer_token == ""


@pytest.mark.parametrize("value", ['""', '" "', "5", "[]"])
def test_a_bearer_token_that_is_given_must_be_one(file, value):
    message = refusal(file(APP + BEARER.replace('"bt-7f3a"', value)))
    assert message == "lacks app.bearer_token: each must be non-empty text in quotes"


@pytest.mark.parametrize("text", [APP, f"{APP}[accounts]", f"accounts = {{}}\n{APP}"])
def test_an_app_without_accounts_is_read(file, text):
    accounts = load(file(text))
    assert (accounts.app.consumer_key, accounts.by_handle) == ("ck-7f3a", {})


def test_no_repr_holds_a_secret(file):
    accounts = load(file(WHOLE.replace("[accounts", f"{BEARER}[accounts")))
    for value in (accounts, accounts.app, accounts.by_handle, accounts.by_handle["some_handle"]):
        assert not any(secret in f"{value!r} {value}" for secret in SECRETS)
    assert "some_handle" in repr(accounts)


def test_a_missing_file_is_named_with_where_to_look(tmp_path):
    assert refusal(tmp_path / "accounts.toml") == "does not exist: engagement init writes one"


def test_a_folder_is_no_file(tmp_path):
    assert refusal(tmp_path) == "cannot be read: Is a directory; get permission, or name another in ENGAGEMENT_ACCOUNTS"


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


def test_an_empty_file_lacks_the_keys_of_the_app(file):
    assert refusal(file("")) == "lacks app.consumer_key, app.consumer_secret: each must be non-empty text in quotes"


@pytest.mark.parametrize("text", ["app = 5\n[accounts.a]", 'accounts = "at-7f3a"\n' + APP])
def test_the_tables_that_are_needed_are_named(file, text):
    assert refusal(file(text)) == "needs an [app] table and one [accounts.HANDLE] table for each handle"


@pytest.mark.parametrize("spelling", ["Some_Handle", '"@some_handle"', '" @SOME_HANDLE "'])
def test_a_handle_is_compared_without_its_at_sign_and_case(file, spelling):
    accounts = load(file(f"{APP}[accounts.{spelling}]\n{TOKENS}"))
    assert list(accounts.by_handle) == ["some_handle"]
    assert accounts.by_handle["some_handle"].handle == "some_handle"


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
            "engagement_pipeline.transport.accounts",
            logging.WARNING,
            f"{path} can be read by others on this machine: chmod 600 {path}",
        )
    ]


def test_a_file_that_only_its_owner_can_read_is_no_news(file, caplog):
    load(file(WHOLE))
    assert not caplog.records


# Fingerprints.


def test_a_fingerprint_changes_with_the_handle_and_with_each_token():
    changed = [Account(*fields) for fields in itertools.product(("a", "b"), repeat=3)]
    fingerprints = {account.fingerprint for account in changed}
    assert len(fingerprints) == 8
    assert all(len(text) == 12 and int(text, 16) >= 0 for text in fingerprints)


def test_a_fingerprint_is_the_same_for_the_same_tokens_and_shows_nothing_of_them():
    first, second = (Account("some_handle", "at-7f3a", "ats-7f3a").fingerprint for _ in range(2))
    assert first == second == "d3f00172461e"
    assert "7f3a" not in first


# Saved.


def saved(path, account=NEW):
    """Save an account and return the text of the file."""
    save(path, account)
    return path.read_text()


def test_a_new_account_comes_last_and_every_character_before_it_stays(file):
    text = f"# ours\n{APP}\n# the shop\n[accounts.Shop]  # since May\n{TOKENS}note = 1\n# the end\n"
    table = '\n[accounts.new_one]\naccess_token = "at-new"\naccess_token_secret = "ats-new"\n'
    assert saved(file(text)) == text + table


def test_the_first_account_is_added_to_an_app_alone_even_without_a_last_newline(file):
    path = file(APP.strip())
    save(path, NEW)
    assert load(path).by_handle == {"new_one": NEW}


@pytest.mark.parametrize("name", ["new_one", "New_One", '"@NEW_one"'])
def test_the_tokens_of_an_account_that_is_there_are_replaced_and_nothing_else(file, name):
    text = f"# ours\n[accounts.{name}]  # since May\n{TOKENS}note = 1\n\n# the app\n{APP}[accounts.shop]\n{TOKENS}"
    expected = text.replace('"at-7f3a"', '"at-new"', 1).replace('"ats-7f3a"', '"ats-new"', 1)
    assert saved(file(text)) == expected


def test_a_comment_behind_a_replaced_token_stays(file):
    commented = TOKENS.replace('"at-7f3a"', '"at-7f3a"  # ours')
    assert '"at-new"  # ours\n' in saved(file(f"{APP}[accounts.new_one]\n{commented}"))


@pytest.mark.parametrize(
    "accounts",
    [
        "[accounts]",
        f"[accounts]\n[accounts.shop]\n{TOKENS}",
        '[accounts]\nnew_one = {access_token = "a", access_token_secret = "b"}  # c',
        'accounts.new_one.access_token = "a"\naccounts.new_one.access_token_secret = "b"',
        'accounts.shop.access_token = "a"\naccounts.shop.access_token_secret = "b"',
        'accounts = {new_one = {access_token = "a", access_token_secret = "b"}}',
        f"[accounts.shop]\n{TOKENS}[other]\nx = 1\n[accounts.new_one]\n{TOKENS}",
    ],
)
def test_however_toml_spells_the_accounts_one_is_changed_and_the_others_stay(file, accounts):
    text = f"{accounts}\n{APP}"
    before = tomllib.loads(text)
    after = tomllib.loads(saved(file(text)))
    tokens = {"access_token": "at-new", "access_token_secret": "ats-new"}
    assert after == before | {"accounts": before["accounts"] | {"new_one": tokens}}


def test_line_ends_stay_as_they_are(tmp_path):
    path = tmp_path / "accounts.toml"
    text = f"{APP}[accounts.new_one]\n{TOKENS}".replace("\n", "\r\n").encode()
    path.write_bytes(text)
    save(path, NEW)
    assert path.read_bytes() == text.replace(b"at-7f3a", b"at-new").replace(b"ats-7f3a", b"ats-new")


@pytest.mark.parametrize("mode", [0o644, 0o600, 0o400])
def test_a_saved_file_is_its_owners_alone_and_nothing_is_left_beside_it(file, mode):
    path = file(WHOLE, mode=mode)
    save(path, NEW)
    assert path.stat().st_mode & 0o777 == 0o600
    assert {found.name for found in path.parent.iterdir()} == {"accounts.toml", ".accounts.toml.lock"}


def test_a_link_to_the_file_stays_a_link(file, tmp_path):
    link = tmp_path / "link.toml"
    link.symlink_to(file(WHOLE))
    save(link, NEW)
    assert link.is_symlink()
    assert "new_one" in load(tmp_path / "accounts.toml").by_handle


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[app", "is not valid TOML: at end of document"),
        ("[app]", "lacks app.consumer_key"),
        (
            f'accounts = {{shop = {{access_token = "a", access_token_secret = "b"}}}}\n{APP}',
            "cannot take the tokens of new_one: write its accounts as [accounts.HANDLE] tables",
        ),
    ],
)
def test_a_file_that_cannot_be_changed_is_left_as_it_was(file, text, words):
    path = file(text)
    assert refusal(path, lambda path: save(path, NEW)).startswith(words)
    assert path.read_text() == text


def test_a_change_that_would_harm_another_entry_is_refused(file, monkeypatch):
    monkeypatch.setattr("engagement_pipeline.transport.accounts_text.tomlkit.dumps", lambda _: APP)
    path = file(f"{APP}[accounts.new_one]\n{TOKENS}")
    assert refusal(path, lambda path: save(path, NEW)).startswith("cannot take the tokens of new_one")
    assert load(path).by_handle["new_one"].access_token == "at-7f3a"


@pytest.mark.parametrize("step", ["os.fsync", "pathlib.Path.replace"])
def test_a_disk_that_fails_in_mid_save_leaves_the_old_file_and_no_other(file, monkeypatch, step):
    def full(*_):
        raise OSError(28, "No space left on device")

    path = file(WHOLE)
    monkeypatch.setattr(step, full)
    message = refusal(path, lambda path: save(path, NEW))
    assert message == "cannot be written: No space left on device; nothing in it has changed"
    assert path.read_text() == WHOLE
    assert {found.name for found in path.parent.iterdir()} == {"accounts.toml", ".accounts.toml.lock"}


def test_a_glance_tells_the_handles_without_a_change_to_the_folder(tmp_path):
    path = tmp_path / "accounts.toml"
    tokens = 'access_token = "horsebattery"\naccess_token_secret = "staplehorse"\n'
    path.write_text(
        '[app]\nconsumer_key = "correcthorse"\nconsumer_secret = "batterystaple"\n'
        f"[accounts.Zoe]\n{tokens}[accounts.ann]\n{tokens}"
    )
    left = tmp_path / f".accounts.toml.x{ASIDE}"
    left.touch()
    assert sorted(glance(path).by_handle) == ["ann", "zoe"]
    assert left.exists()
