"""Error responses: whatever an answer other than 200 holds, it becomes one error with one line."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_pipeline.core.errors import ApiError, RefusedError
from engagement_pipeline.core.model import Answer
from engagement_pipeline.sources.engagement.error_responses import error_of

ASKED_AT = datetime(2026, 1, 4, tzinfo=UTC)
DEEP = 990  # levels: orjson reads 1,024, and str not as many with Python 3.11


def told(status, body=b"", **headers):
    """Return the error of an answer."""
    answer = Answer(url="http://api/", status=status, headers=headers, body=body, size=len(body))
    return error_of(answer, handle="ann", asked_at=ASKED_AT)


@pytest.mark.parametrize(
    ("named", "tweet_ids"),
    [
        ("9" * 10_000, ()),
        (f"1, {'9' * 10_000}, 2", (1, 2)),
        ("0" * 4_300 + "7", ()),
        ("٣", ()),
        (str(2**63 - 1), (2**63 - 1,)),
    ],
    ids=["10,000 digits", "among others", "many zeros", "of another script", "19 digits"],
)
def test_a_number_that_no_tweet_can_have_is_not_read_as_one(named, tweet_ids):
    error = told(403, f'{{"errors":["Forbidden to access tweets: {named}"]}}'.encode())
    assert isinstance(error, RefusedError)
    assert (error.about_tweets, error.tweet_ids) == (True, tweet_ids)
    assert len(str(error)) < 400
    assert "\n" not in str(error)


@pytest.mark.parametrize(
    "date",
    [
        "Mon, 20 Nov 99999999999 19:12:08 -0500",
        "Mon, 20 Nov 1995 19:12:08 -9999999999999999999",
        f"Mon, 20 Nov {'9' * 5000} 19:12:08 +0000",
        "Mon, 20 Nov 1995 19:12:08 -0000",
        "Mon, 31 Dec 9999 23:59:59 -2359",
        "yesterday",
        "",
    ],
)
def test_a_date_that_cannot_be_read_tells_nothing_of_the_clock(date):
    """Or one so far off that it tells of no clock; either way the account is named, in one line."""
    error = told(401, b'{"errors":["Your account could not be authenticated."]}', Date=date)
    assert str(error).startswith("account ann: the API answered 401 (Your account could not be authenticated.): ")
    assert "\n" not in str(error)


def test_a_window_that_is_too_old_nobody_says_by_how_much_names_the_setting():
    error = told(400, b'{"errors":["The start is too old"]}')
    assert str(error).endswith("): if the contract limits how far back /historical goes, set history_days")
    assert (error.oldest, error.longest_days) == (None, None)


@pytest.mark.parametrize("message", [b"[" * DEEP + b"]" * DEEP, b'{"a":' * DEEP + b"1" + b"}" * DEEP])
def test_a_text_that_is_nested_deep_is_shown_by_its_beginning(message):
    error = told(400, b'{"errors":[' + message + b"]}")
    assert error.texts[0][0] in "[{"
    assert len(str(error)) < 400


@settings(max_examples=100)
@given(
    status=st.sampled_from([301, 400, 401, 403, 404, 429, 500]),
    body=st.binary(max_size=60)
    | st.text(max_size=60).map(lambda text: f'{{"errors":["access tweets {text}"]}}'.encode()),
    date=st.text(max_size=40)
    | st.from_regex(r"\w{3}, \d{1,12} \w{3} \d{1,12} \d+:\d+:\d+ [+-]\d{1,30}", fullmatch=True),
)
def test_any_answer_becomes_an_error(status, body, date):
    assert isinstance(told(status, body, Date=date), ApiError)
