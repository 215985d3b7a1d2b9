"""Rate of X API v2: 15 minutes, told in the headers of each answer."""

from datetime import UTC, datetime

from engagement_pipeline.sources.x_api_v2.rate import rate_of

ASKED_AT = datetime(2026, 1, 4, tzinfo=UTC)
RESET = int(ASKED_AT.timestamp()) + 300


def told(*, spent=False, **headers):
    headers = {f"x-rate-limit-{name}": str(value) for name, value in headers.items()}
    return rate_of(headers, asked_at=ASKED_AT, seconds=2, spent=spent)


def test_the_headers_say_limit_rest_and_reset():
    rate = told(limit=300, remaining=12, reset=RESET)
    assert (rate.limit, rate.remaining, rate.reset_in) == (300, 12, 299)


def test_after_a_429_nothing_remains():
    assert told(spent=True, remaining=5, reset=RESET).remaining == 0


def test_a_reset_that_makes_no_sense_is_a_whole_window():
    assert [told(reset=reset).reset_in for reset in (RESET + 10_000, RESET - 10_000, "soon")] == [899] * 3


def test_without_headers_nothing_is_said():
    assert (told().limit, told().remaining) == (None, None)
