"""A body without some Tweets is one that the API could have sent, and passes its audit."""

import json

import pytest
from bodies import TYPES, WINDOW, body, full, totals

from engagement_pipeline.core.endpoints import HISTORICAL, TOTALS
from engagement_pipeline.core.erased import Erased
from engagement_pipeline.core.model import Request
from engagement_pipeline.sources import engagement

GONE, STAYS = 1_600_000_000_000_000_002, 1_600_000_000_000_000_003


def asked(*tweets, endpoint=HISTORICAL, types=TYPES):
    window = WINDOW if endpoint == HISTORICAL else None
    return Request(endpoint=endpoint, handle="ann", tweet_ids=tweets, types=types, window=window)


def test_the_sums_are_less_by_its_counts_and_the_fast_parser_reads_the_rest():
    left = engagement.without(body(full([GONE, STAYS], 7) | full([GONE], -3)), Erased(frozenset({GONE})))
    flat = engagement.read(left, asked(STAYS))
    assert flat.rows.equals(engagement.read(body(full([STAYS], 7)), asked(STAYS)).rows)
    assert flat.scanned


@pytest.mark.parametrize("write", [str, int])
def test_a_sum_stays_text_or_number_as_the_api_wrote_it(write):
    left = json.loads(engagement.without(body(full([GONE, STAYS], 7), write=write), Erased(frozenset({GONE}))))
    assert left["by_type"] == {name: write(28) for name in TYPES}


def test_its_lifetime_counts_go():
    content = json.dumps(totals({(GONE, "favorites"): 5, (STAYS, "favorites"): 6})).encode()
    flat = engagement.read(
        engagement.without(content, Erased(frozenset({GONE}))), asked(STAYS, endpoint=TOTALS, types=TOTALS.types)
    )
    assert flat.rows["count"].to_pylist() == [6]


def test_it_leaves_the_lists_of_the_api():
    content = body(full([STAYS], 7), unavailable_tweet_ids=[str(GONE), GONE], errors=[f"{GONE} is unavailable"])
    left = json.loads(engagement.without(content, Erased(frozenset({GONE}))))
    assert (left["unavailable_tweet_ids"], left["errors"]) == ([], ["[forgotten] is unavailable"])


def test_an_id_as_short_as_an_hour_takes_no_hour_with_it():
    left = engagement.without(body(full([20, 30], 20, hours=(20,))), Erased(frozenset({20})))
    assert len(engagement.read(left, asked(30)).rows) == 4


@pytest.mark.parametrize("content", [b"<html>", b"", b"[" * 100_000])
def test_what_is_no_json_cannot_be_rewritten(content):
    with pytest.raises(ValueError):  # noqa: PT011 - of JSON, whatever it says
        engagement.without(content, Erased(frozenset({GONE})))
