"""What a copy brings along with a token: left out, or named with its key and its line; and masked in any case."""

import base64

import pytest

from engagement_pipeline.core.errors import InputError
from engagement_pipeline.core.redaction import redacted
from engagement_pipeline.transport.accounts import Account, load, remember, save

TOKENS = ("ck-7f3a", "cs-7f3a", "bt-7f3a", "at-7f3a", "ats-7f3a")
APP = '[app]\nconsumer_key = "ck-7f3a"\nconsumer_secret = "cs-7f3a"\n'
BEARER = 'bearer_token = "bt-7f3a"\n'
WHOLE = f'{APP}{BEARER}[accounts.some_handle]\naccess_token = "at-7f3a"\naccess_token_secret = "ats-7f3a"\n'


@pytest.fixture
def file(tmp_path):
    """Return a function that writes an accounts.toml of that text."""

    def write(text):
        path = tmp_path / "accounts.toml"
        path.write_bytes(text.encode())
        path.chmod(0o600)
        return path

    return write


def refusal(path, use=load):
    """Return the one line with which a file is refused; nothing of a token is in it."""
    with pytest.raises(InputError) as caught:
        use(path)
    message = str(caught.value)
    assert "\n" not in message
    assert "7f3" not in message
    return message.removeprefix(f"{path}: ")


@pytest.mark.parametrize("blank", [" ", "\\n", "\\r\\n", "\\t", "  \\n"])
@pytest.mark.parametrize("around", ["{token}{blank}", "{blank}{token}", "{blank}{token}{blank}"])
def test_white_space_about_a_token_is_left_out_and_told_once(file, caplog, blank, around):
    clean = load(file(WHOLE))
    text = WHOLE
    for token in TOKENS:
        text = text.replace(f'"{token}"', f'"{around.format(token=token, blank=blank)}"')
    path = file(text)
    assert load(path) == clean
    (record,) = caplog.records
    assert record.message == (
        f"{path}: blanks or a line end before or after a token are left out: app.consumer_key in line 2, "
        "app.consumer_secret in line 3, app.bearer_token in line 4, accounts.some_handle.access_token in line 6, "
        "accounts.some_handle.access_token_secret in line 7"
    )


@pytest.mark.parametrize(
    ("spoilt", "name"),
    [
        ("at-7f3a\u00a0", "a no-break space (U+00A0)"),
        ("\u201cat-7f3a\u201d", "a left double quotation mark (U+201C)"),
        ("at-7f3a\u2019", "a right single quotation mark (U+2019)"),
        ('\\"at-7f3a\\"', "a quotation mark (U+0022)"),
        ("'at-7f3a'", "an apostrophe (U+0027)"),
        ("at- 7f3a", "a space (U+0020)"),
        ("at-\\n7f3a", "a line end (U+000A)"),
        ("at-\\r7f3a", "a carriage return (U+000D)"),
        ("at-\\t7f3a", "a tab (U+0009)"),
        ("at-7f3a\\u0000", "a control character (U+0000)"),
        ("at-7f3a\\u001b", "a control character (U+001B)"),
        ("at-7f3a\u200b", "a zero width space (U+200B)"),
        ("\ufeffat-7f3a", "a zero width no-break space (U+FEFF)"),
        ("at\u20137f3a", "an en dash (U+2013)"),
        ("\u0430t-7f3a", "a cyrillic small letter a (U+0430)"),
        ("at-7f3\u00e9", "a latin small letter e with acute (U+00E9)"),
    ],
)
def test_what_no_token_holds_is_named_with_its_key_and_line(file, spoilt, name):
    assert refusal(file(WHOLE.replace("at-7f3a", spoilt))) == (
        f"accounts.some_handle.access_token in line 6 holds {name}: copy it again, without what does not belong to it"
    )


def test_every_spoilt_token_of_a_file_is_named_at_once(file):
    text = WHOLE.replace("cs-7f3a", "cs 7f3a").replace('"ats-7f3a"', '"""\nats\u00a07f3a\n"""')
    assert refusal(file(text)) == (
        "app.consumer_secret in line 3 holds a space (U+0020); accounts.some_handle.access_token_secret in line 9 "
        "holds a no-break space (U+00A0): copy it again, without what does not belong to it"
    )


@pytest.mark.parametrize("ends", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("app", "line"),
    [
        ('app.consumer_key = "ck 7f3a"\napp.consumer_secret = "cs-7f3a"', 3),
        ('app = {consumer_secret = "cs-7f3a", consumer_key = "ck 7f3a"}', 3),
        ('[app]\nconsumer_secret = "cs-7f3a"\n"consumer_key"="""\nck 7f3a"""', 6),
    ],
)
def test_the_line_is_right_however_toml_spells_the_key(file, app, line, ends):
    path = file(f"# ours\n\n{app}\n[accounts]\n".replace("\n", ends))
    assert f"app.consumer_key in line {line} holds a space" in refusal(path)


@pytest.mark.parametrize("token", ['at"7f3a', "at\n7f3a", "at-7f3a\n", "at\u00a07f3a", "at 7f3a"])
def test_a_new_token_that_is_none_is_not_written(file, token):
    path = file(WHOLE)
    message = refusal(path, lambda path: save(path, Account("new_one", token, "ats-new")))
    assert message.startswith("the new access_token of new_one holds a")
    assert path.read_text() == WHOLE


def test_what_a_file_holds_is_masked_once_it_is_read_even_if_it_is_refused(file):
    tokens = 'access_token = "RefusedButKnown1 "\naccess_token_secret = "Refused\u00a0Secret"'
    refusal(file(f"{APP}[accounts.a]\n{tokens}"))
    assert redacted("RefusedButKnown1") == "…"


def test_the_header_that_fetches_a_bearer_token_is_masked(file):
    load(file(APP.replace("ck-7f3a", "TheKeyOfThisTest").replace("cs-7f3a", "TheSecretOfThisTest")))
    basic = base64.b64encode(b"TheKeyOfThisTest:TheSecretOfThisTest").decode()
    assert redacted(f"Authorization: Basic {basic}") == "Authorization: Basic …"


@pytest.mark.parametrize("broken", ["", "[app", "oops"])
def test_the_secrets_of_a_file_are_remembered_however_broken_it_is(file, broken):
    remember(file(f"[app]\nbearer_token = 'RememberedToken{len(broken)}'\n{broken}"))
    assert redacted(f"a RememberedToken{len(broken)} b") == "a … b"


def test_no_file_is_nothing_to_remember_and_none_is_made(tmp_path):
    remember(tmp_path / "accounts.toml")
    assert [*tmp_path.iterdir()] == []
