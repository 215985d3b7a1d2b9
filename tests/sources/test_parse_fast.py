"""Scan: whatever it reads, it reads as parse_reference.py does; and what it leaves to parse_reference.py."""

import json
import random
from dataclasses import replace
from datetime import date, timedelta

import pytest
from bodies import parts
from hypothesis import given, settings
from hypothesis import strategies as st
from random_bodies import case, in_any_order

from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.core.errors import ResponseError
from engagement_pipeline.core.model import Request, Window
from engagement_pipeline.core.tables import EPOCH, TYPE_NAMES
from engagement_pipeline.sources.engagement import parse_fast, parse_reference
from engagement_pipeline.sources.engagement.flatten import read
from engagement_pipeline.sources.engagement.parse_reference import Asked
from engagement_pipeline.sources.engagement.request import CELLS

SEEDS, CHUNKS = 10_000, 8  # the processes of the tests share the chunks


def outcome(body, request):
    """Return whether a body was scanned, and what flatten makes of it."""
    try:
        flat = read(body, request)
    except ResponseError as error:
        return None, (error.path, str(error))
    return flat.scanned, (flat.rows, flat.unavailable, flat.said, flat.negative)


@pytest.mark.parametrize(
    "chunk", [pytest.param(chunk, marks=pytest.mark.faults if chunk % 4 else []) for chunk in range(CHUNKS)]
)
def test_a_body_is_flattened_to_the_same_with_and_without_the_scan(chunk, monkeypatch):
    """The same rows in the same order, or the same complaint; a list of the seeds where not, for `case`.

    In half of the chunks each Tweet is a block of its own.
    """
    if chunk % 2:
        monkeypatch.setattr(parse_fast, "BLOCK", 1)
    seeds = range(chunk * SEEDS // CHUNKS, (chunk + 1) * SEEDS // CHUNKS)
    cases = [case(seed) for seed in seeds]
    found = [outcome(*one) for one in cases]
    monkeypatch.setattr(parse_fast, "cells", lambda body, asked: None)
    without = [outcome(*one)[1] for one in cases]
    assert [seed for seed, (_, one), other in zip(seeds, found, without, strict=True) if one != other] == []
    allowed, broken = [[scanned for scanned, _ in found[odd::2]] for odd in (0, 1)]
    assert None not in allowed
    assert allowed.count(True) > 0.3 * len(allowed)
    assert broken.count(None) > 0.6 * len(broken)


ONE, TWO = 1890000000000000001, 1890000000000000002
SPAN = Window(date(2026, 1, 30), date(2026, 2, 2))  # over the end of a month
TYPES = ("impressions", "url_clicks")
REQUEST = Request(endpoint=HISTORICAL, handle="ann", tweet_ids=(TWO, 3, ONE), types=TYPES, window=SPAN)
ASKED = Asked(
    tweets={str(tweet): tweet for tweet in REQUEST.tweet_ids},
    types={name: TYPE_NAMES.index(name) for name in TYPES},
    days={str(day): (day - EPOCH).days for day in SPAN.days()},
)
BODY = (
    b'{"start":null,"by_tweet_type_day_hour":{'
    b'"1890000000000000001":{"impressions":{"2026-01-31":{"00":"5","01":"0"},"2026-02-01":{"23":"17"}},'
    b'"url_clicks":{"2026-01-31":{"00":"1"}}},'
    b'"1890000000000000002":{"impressions":{"2026-01-31":{"00":"999999999999999"}}}},'
    b'"by_tweet_type":{"1890000000000000001":{"impressions":"22","url_clicks":"1"},'
    b'"1890000000000000002":{"impressions":"999999999999999"}},'
    b'"by_type":{"impressions":"1000000000000021","url_clicks":"1"}}'
)


def changed(old, new):
    """Return BODY with one part of it exchanged."""
    assert BODY.count(old) == 1
    return BODY.replace(old, new)


def columns(cells):
    """Return counts as lists, and their sums."""
    return [*(getattr(cells, name).tolist() for name in ("tweets", "types", "days", "hours", "counts")), cells.sums]


@pytest.mark.parametrize("seed", range(5))
def test_a_compact_body_is_scanned_in_any_order_of_its_keys(seed):
    root = in_any_order(random.Random(seed), json.loads(BODY), mixing=min(seed, 1))
    scanned, _ = parse_fast.cells(json.dumps(root, separators=(",", ":")).encode(), ASKED)
    assert columns(scanned) == columns(parse_reference.cells(parse_reference.parsed(BODY), ASKED))


@pytest.mark.parametrize("size", [1, 100, 10**6])
def test_a_body_in_several_blocks_is_scanned_to_the_same(monkeypatch, size):
    monkeypatch.setattr(parse_fast, "BLOCK", size)
    begin = BODY.index(b'{"189')
    assert len([*parse_fast._blocks(BODY, begin, len(BODY))]) == 1 + (size < len(BODY))
    scanned, _ = parse_fast.cells(BODY, ASKED)
    assert columns(scanned) == columns(parse_reference.cells(parse_reference.parsed(BODY), ASKED))


def test_hours_that_only_add_up_to_whole_days_are_no_whole_days():
    """36 hours, some of them twice, and 12: as many as two days have, and in their order."""
    hours = [f'"{hour % 24:02}":"10"' for hour in range(48)]
    days = f'"2026-01-31":{{{",".join(hours[:36])}}},"2026-02-01":{{{",".join(hours[36:])}}}'
    body = f'{{"by_tweet_type_day_hour":{{"3":{{"impressions":{{{days}}}}}}}}}'.encode()
    assert parse_fast.cells(body, ASKED) is None
    with pytest.raises(ResponseError, match=r"\.00: stands there twice"):
        parse_reference.cells(parse_reference.parsed(body), ASKED)


@pytest.mark.parametrize("counts", [["0"] * 24, ["7"] * 23 + ["10"], ["0"] * 23 + [":"]])
def test_a_whole_day_is_scanned_by_its_digits_alone(counts):
    hours = ",".join(f'"{hour:02}":"{count}"' for hour, count in enumerate(counts))
    body = f'{{"by_tweet_type_day_hour":{{"3":{{"impressions":{{"2026-01-31":{{{hours}}}}}}}}}}}'.encode()
    found = parse_fast.cells(body, ASKED)
    assert (found is None) == (":" in counts)
    if found:
        assert columns(found[0]) == columns(parse_reference.cells(parse_reference.parsed(body), ASKED))


def test_an_hour_alone_is_scanned():
    scanned, _ = parse_fast.cells(b'{"by_tweet_type_day_hour":{"3":{"url_clicks":{"2026-02-02":{"09":"0"}}}}}', ASKED)
    assert columns(scanned) == [[3], [ASKED.types["url_clicks"]], [20486], [9], [0], {("3", "url_clicks"): 0}]


def test_the_rest_is_the_root_without_the_counts():
    _, rest = parse_fast.cells(BODY, ASKED)
    root = json.loads(BODY)
    del root[CELLS]
    assert rest == root


def test_the_grouping_may_be_named_again_behind_the_counts():
    body = changed(b'"by_type":', b'"trace":{"by_tweet_type_day_hour":{}},"by_type":')
    scanned, rest = parse_fast.cells(body, ASKED)
    assert columns(scanned) == columns(parse_reference.cells(parse_reference.parsed(BODY), ASKED))
    assert rest["trace"] == {CELLS: {}}


COUNTS = BODY[BODY.index(b'{"189') : BODY.index(b',"by_tweet_type":')]
INSTEAD = [COUNTS.replace(b'"5"', b'"6"'), b"{}", b"[]", b"null", b'"the counts stand here"']


@pytest.mark.parametrize("behind", [False, True])
@pytest.mark.parametrize("root", INSTEAD)
def test_counts_of_the_same_name_in_a_nested_object_are_not_those_of_a_root_with_a_blank_before_the_colon(root, behind):
    blank, nested = b'"by_tweet_type_day_hour" :' + root, b'"trace":{"by_tweet_type_day_hour":' + COUNTS + b"}"
    body = changed(b'"by_tweet_type_day_hour":' + COUNTS, b",".join([blank, nested][:: -1 if behind else 1]))
    assert parse_fast.cells(body, ASKED) is None


def test_another_byte_than_a_brace_behind_the_grouping_is_left_to_plain():
    bodies = [changed(b'_hour":{', b'_hour":' + bytes([byte])) for byte in range(256) if byte != ord("{")]
    assert [body for body in bodies if parse_fast.cells(body, ASKED)] == []


@pytest.mark.parametrize("key", [b'"by_tweet_type_day_hour":{}', b'"by_tweet_type_day_hour":"the counts stand here"'])
def test_a_grouping_that_stands_in_the_root_twice_is_left_to_plain(key):
    assert parse_fast.cells(changed(b'{"start":null', b"{" + key), ASKED) is None
    assert parse_fast.cells(changed(b'"by_type":', key + b',"by_type":'), ASKED) is None


def test_so_many_days_that_their_sum_may_pass_64_bits_are_left_to_plain():
    """An answer of /28hr may name any day; 400 of them with 24 counts of 15 digits sum to 9.6e18."""
    days = {str(EPOCH + timedelta(day)): {f"{hour:02}": "9" * 15 for hour in range(24)} for day in range(400)}
    body = json.dumps({CELLS: {"3": {"impressions": days}}}, separators=(",", ":")).encode()
    asked = replace(ASKED, days={day: number for number, day in enumerate(days)})
    assert parse_fast.cells(body, asked) is None
    sums = parse_reference.cells(parse_reference.parsed(body), asked).sums
    assert sums["3", "impressions"] == 9600 * (10**15 - 1) > 2**63


LEFT_TO_PLAIN = {
    "white space behind a colon": (b'"00":"5"', b'"00": "5"'),
    "white space behind a comma": (b'"5","01"', b'"5", "01"'),
    "white space before a brace": (b'"17"}', b'"17"\n}'),
    "white space behind the grouping": (b'_hour":', b'_hour": '),
    "a number": (b'"5"', b"5"),
    "a minus sign": (b'"5","01":"0"', b'"6","01":"-1"'),
    "sixteen digits": (b'"5"', b'"0000000000000005"'),
    "a backslash in an hour": (b'"01":', b'"\\u00301":'),
    "a backslash elsewhere": (b'{"start":null', b'{"errors":["\\n"]'),
    "the grouping named before, too": (b'{"start":null', b'{"trace":{"by_tweet_type_day_hour":{}}'),
    "a day without hours": (b'"2026-02-01":', b'"2026-01-30":{},"2026-02-01":'),
    "a type without days": (
        b'"url_clicks":{"2026-01-31":{"00":"1"}}}',
        b'"url_clicks":{"2026-01-31":{"00":"1"}}},"3":{}',
    ),
}


@pytest.mark.parametrize(("old", "new"), LEFT_TO_PLAIN.values(), ids=LEFT_TO_PLAIN)
def test_what_is_written_in_another_way_is_left_to_plain(old, new):
    """And that reads it."""
    body = changed(old, new)
    assert parse_fast.cells(body, ASKED) is None
    flat = read(body, REQUEST)
    assert (flat.rows.num_rows, flat.scanned) == (5, False)


def test_a_body_without_counts_is_left_to_plain():
    body = b'{"by_tweet_type_day_hour":{},"by_tweet_type":{},"by_type":{}}'
    assert parse_fast.cells(body, ASKED) is None
    assert read(body, REQUEST).rows.num_rows == 0


LEFT_TO_BE_REFUSED = {
    "a Tweet not asked for": (b'},"1890000000000000002":{"impressions":{"2026', b'},"5":{"impressions":{"2026'),
    "a type not asked for": (b'"url_clicks":{', b'"favorites":{'),
    "a day not asked for": (b'"2026-02-01"', b'"2026-02-03"'),
    "an hour past 23": (b'"23"', b'"24"'),
    "an hour whose ones are no digit": (b'"23"', b'"1;"'),
    "an hour whose tens are no digit": (b'"23"', b'"J0"'),
    "no digit": (b'"17"', b'"1x"'),
    "a digit of another script": (b'"17"', b'"1\xd9\xa3"'),
    "no count": (b'"17"', b'""'),
    "an hour twice": (b'"01":"0"', b'"00":"0"'),
    "a day twice": (b'"2026-02-01":', b'"2026-01-31":'),
    "a type twice": (b'"url_clicks":{', b'"impressions":{'),
    "a Tweet twice with the same type": (
        b'},"1890000000000000002":{"impressions":{"2026',
        b'},"1890000000000000001":{"impressions":{"2026',
    ),
    "a Tweet twice, its types apart": (b'"17"}},"url_clicks"', b'"17"}}},"1890000000000000001":{"url_clicks"'),
}


@pytest.mark.parametrize(("old", "new"), LEFT_TO_BE_REFUSED.values(), ids=LEFT_TO_BE_REFUSED)
def test_what_the_contract_does_not_allow_is_left_to_plain(old, new):
    """And that refuses it."""
    body = changed(old, new)
    with pytest.raises(ResponseError):
        parse_reference.cells(parse_reference.parsed(body), ASKED)
    assert parse_fast.cells(body, ASKED) is None


def test_counts_that_stand_deeper_than_in_the_root_are_missing():
    root = json.loads(BODY)
    body = json.dumps({"trace": {CELLS: root.pop(CELLS)}} | root, separators=(",", ":")).encode()
    with pytest.raises(ResponseError, match=rf"^\$\.{CELLS}: is missing"):
        read(body, REQUEST)


def test_a_body_that_ends_early_is_named_by_the_place_where_it_ends():
    """Its own place, not that of the rest without the counts."""
    with pytest.raises(ResponseError, match=rf"is not JSON: .*\(char {len(BODY) - 1}\)"):
        read(BODY[:-1], REQUEST)


KEYS = st.tuples(
    st.sampled_from([3, ONE, TWO]), st.sampled_from(TYPES), st.sampled_from([*SPAN.days()]), st.integers(0, 23)
)
TABLES = st.dictionaries(KEYS, st.just(0) | st.integers(0, 10**15 - 1), max_size=60)


@settings(max_examples=80)
@given(table=TABLES)
def test_any_table_written_compact_and_sorted_is_scanned_and_given_back(table):
    body = json.dumps(parts(table), separators=(",", ":"), sort_keys=True).encode()
    flat = read(body, REQUEST)
    rows = [*zip(*(column.to_pylist() for column in flat.rows.columns), strict=True)]
    assert rows == sorted((*key, count) for key, count in table.items())
    assert flat.scanned
