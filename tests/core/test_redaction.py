"""Secrets, in whatever way they are written, are neither shown nor kept; all else stays as it was."""

import base64
import html
import io
import json
import logging
from urllib.parse import quote, quote_plus

import pytest

from engagement_pipeline.core import redaction
from engagement_pipeline.core.redaction import BODY_MASK, printable, redacted, redacted_body, register, traceback_of

PLAIN = "AAAAthePlainTokenOfThisFile"
ODD = "The/odd+One=Of&This%Module~"
WRITTEN = [
    ODD,
    quote(ODD),
    quote(ODD, safe=""),
    quote_plus(ODD),
    quote(quote(ODD, safe=""), safe=""),
    json.dumps(ODD)[1:-1].replace("/", r"\/"),
    html.escape(ODD),
    base64.b64encode(ODD.encode()).decode().rstrip("="),
    base64.urlsafe_b64encode(ODD.encode()).decode().rstrip("="),
]


@pytest.fixture(autouse=True)
def known():
    register(PLAIN, ODD)


@pytest.mark.parametrize("written", [PLAIN, *WRITTEN])
def test_a_secret_is_masked_in_a_text_however_it_is_written(written):
    assert redacted(f"before {written} after") == "before … after"


@pytest.mark.parametrize("written", [PLAIN, *WRITTEN])
def test_a_secret_is_masked_in_a_body_however_it_is_written(written):
    body = f'{{"echo": "Bearer {written}", "17": {{"03": "5"}}}}'.encode()
    assert redacted_body(body) == b'{"echo": "Bearer ' + BODY_MASK + b'", "17": {"03": "5"}}'


def test_escapes_in_small_letters_are_masked_too():
    written = "The%2fodd%2bOne%3dOf%26This%25Module~"
    assert redacted(written) == "…"


@pytest.mark.parametrize("written", ["AAAA/decoded=Token+8", r"AAAA\u002fdecoded\u003dToken\u002b8"])
def test_a_token_that_was_issued_percent_encoded_is_masked_where_a_server_decodes_it(written):
    register("AAAA%2Fdecoded%3DToken%2B8")
    assert redacted(f"before {written} after") == "before … after"
    assert redacted_body(f"Bearer {written}".encode()) == b"Bearer " + BODY_MASK


@pytest.mark.parametrize("before", ["", "a", "ab", "abc", "consumer:"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("secret", [PLAIN, ODD])
def test_of_a_secret_within_base64_nothing_is_shown_or_kept(encode, before, secret):
    written = encode(f"{before}{secret} after".encode()).decode()
    assert "…" in redacted(written)
    assert len(redacted(written)) <= len(written) - len(secret)
    kept = redacted_body(f'{{"echo": "{written}"}}'.encode())
    assert BODY_MASK in kept
    assert written[8:-8].encode() not in kept


@pytest.mark.parametrize("escaped", [slice(None), slice(0, 1), slice(3, None, 2)])
@pytest.mark.parametrize("form", ["\\u{:04x}", "\\u{:04X}"])
def test_of_a_secret_in_json_s_escapes_nothing_is_shown_or_kept(escaped, form):
    chosen = {*range(len(PLAIN))[escaped]}
    written = "".join(form.format(ord(sign)) if place in chosen else sign for place, sign in enumerate(PLAIN))
    assert redacted(f"before {written} after") == "…"
    assert redacted_body(f'{{"echo": "{written}"}}'.encode()) == BODY_MASK


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32"])
def test_of_a_body_that_writes_a_secret_in_an_odd_way_nothing_is_kept(encoding):
    assert redacted_body(f"Bearer {PLAIN}".encode(encoding)) == BODY_MASK


@pytest.mark.parametrize("written", [PLAIN, *WRITTEN])
@pytest.mark.parametrize("before", [0, 20_000])
def test_a_secret_is_masked_among_keys_that_return_again_and_again(before, written):
    keys = b'{"impressions":551},'
    assert redacted_body(keys * before + written.encode() + keys * 10_000) == (
        keys * before + BODY_MASK + keys * 10_000
    )


@pytest.mark.parametrize("before", [0, 20_000])
def test_a_secret_that_is_a_key_itself_is_masked_among_others(before):
    register("a_key_of_small_letters")
    keys = b'{"impressions":551},'
    assert redacted_body(keys * before + b'{"a_key_of_small_letters":1},' + keys * 10_000) == (
        keys * before + b'{"' + BODY_MASK + b'":1},' + keys * 10_000
    )


def test_a_body_without_a_secret_is_the_same_object():
    body = b'{"by_type": {"impressions": "5"}}'
    assert redacted_body(body) is body


def test_words_of_the_api_in_a_row_are_no_secret_that_is_made_of_them():
    register("impressions-engagements")
    body = b'{"impressions": "5", "engagements": "1"}'
    assert redacted_body(body) == body


def test_a_secret_of_digits_is_found():
    register("99887766554433")
    assert redacted_body(b"id=99887766554433;") == b"id=" + BODY_MASK + b";"


def test_a_secret_with_a_line_end_is_masked_in_each_of_its_parts():
    register("BrokenInTheMiddle\nOfThisVeryToken")
    assert redacted(repr("BrokenInTheMiddle\nOfThisVeryToken")) == r"'…\n…'"


def test_what_is_too_short_for_a_secret_masks_no_words():
    register("a", "", "tweet")
    assert redacted("a tweet") == "a tweet"


def test_a_traceback_is_masked_with_all_that_led_to_it():
    error = RuntimeError(f"while sending {ODD}")
    error.__cause__ = ValueError(f"Invalid header value b'Bearer {PLAIN}\\n'")
    told = traceback_of(error)
    assert "Invalid header value b'Bearer …" in told
    assert "while sending …" in told
    assert not any(secret in told for secret in (PLAIN, ODD))


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("\x1b[2J\x1b]0;owned\x07", r"\x1b[2J\x1b]0;owned\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("a\nb\tc\rd\x00\x7f", r"a\nb\tc\rd\x00\x7f"),
        ("\u202egnp.exe", r"\u202egnp.exe"),
        ("Café “déjà vu” 東京 🙂", "Café “déjà vu” 東京 🙂"),
    ],
)
def test_what_a_terminal_would_obey_is_written_as_an_escape(text, printed):
    assert printable(text) == printed


# Logs.


@pytest.fixture
def logged():
    """Return a logger, and what a plain handler writes of its records."""
    before = logging.getLogRecordFactory()
    redaction.guard_logs()
    written = io.StringIO()
    logger, handler = logging.getLogger("a library's"), logging.StreamHandler(written)
    logger.addHandler(handler)
    yield logger, written
    logger.removeHandler(handler)
    logging.setLogRecordFactory(before)


def test_a_log_record_of_anybody_is_masked(logged):
    logger, written = logged
    logger.warning("sent %s with %r", {"Authorization": f"Bearer {PLAIN}"}, ODD)
    assert written.getvalue() == "sent {'Authorization': 'Bearer …'} with '…'\n"


def test_the_traceback_of_a_log_record_is_masked(logged):
    logger, written = logged
    logger.error("it failed", exc_info=ValueError(PLAIN))
    assert written.getvalue() == "it failed\nValueError: …\n"


def test_a_log_record_whose_arguments_do_not_fit_is_masked_too(logged, capsys):
    logger, written = logged
    logger.warning("%d", PLAIN)
    assert PLAIN not in written.getvalue() + capsys.readouterr().err


def test_a_log_record_without_a_secret_keeps_its_parts(logged):
    logger, _ = logged
    record = logger.makeRecord("n", logging.INFO, "f", 1, "%d of %d", (1, 2), None)
    assert (record.msg, record.args) == ("%d of %d", (1, 2))
