"""Plain: the reference of how a body is read, and the words for what cannot be."""

import json

import numpy as np
import pytest

from engagement_pipeline.core.errors import ResponseError
from engagement_pipeline.sources.engagement import parse_reference
from engagement_pipeline.sources.engagement.parse_reference import Asked

ASKED = Asked(
    tweets={"7": 7, "10": 10},
    types={"impressions": 1, "url_clicks": 2},
    days={"2026-01-31": 20484, "2026-02-01": 20485},
)


def found(counts):
    """Return the Cells of a grouping, given as objects or as text."""
    text = counts if isinstance(counts, str) else json.dumps(counts)
    return parse_reference.cells(parse_reference.parsed(f'{{"by_tweet_type_day_hour":{text}}}'.encode()), ASKED)


def hour(value):
    """Return a grouping of one count."""
    return {"7": {"impressions": {"2026-01-31": {"00": value}}}}


COUNTS = {
    "10": {"impressions": {"2026-01-31": {"03": "4"}}},
    "7": {
        "url_clicks": {"2026-02-01": {"23": 3, "00": "2"}, "2026-01-31": {"05": "1"}},
        "impressions": {"2026-02-01": {"00": "-9"}},
    },
}


def test_counts_are_sorted_by_tweet_type_day_and_hour():
    """Tweets by number, so that 7 is before 10."""
    cells = found(COUNTS)
    assert [*zip(cells.tweets, cells.types, cells.days, cells.hours, cells.counts, strict=True)] == [
        (7, 1, 20485, 0, -9),
        (7, 2, 20484, 5, 1),
        (7, 2, 20485, 0, 2),
        (7, 2, 20485, 23, 3),
        (10, 1, 20484, 3, 4),
    ]


@pytest.mark.parametrize("counts", [COUNTS, {}, {"7": {}}, {"7": {"impressions": {}}}])
def test_the_columns_have_their_types_however_many_counts_there_are(counts):
    cells = found(counts)
    columns = [cells.tweets, cells.types, cells.days, cells.hours, cells.counts]
    assert [column.dtype for column in columns] == [np.int64, np.int8, np.int32, np.uint8, np.int64]


def test_counts_are_summed_by_tweet_and_type():
    assert found(COUNTS).sums == {("10", "impressions"): 4, ("7", "url_clicks"): 6, ("7", "impressions"): -9}


def test_sums_pass_64_bits():
    day = {f"{hour:02}": str(2**63 - 1) for hour in range(24)}
    assert found({"7": {"impressions": {"2026-01-31": day}}}).sums["7", "impressions"] == 24 * (2**63 - 1)


@pytest.mark.parametrize("value", ["0", 0, "-0", "00000", str(2**63 - 1), -(2**63), "0" * 18 + "5"])
def test_a_whole_number_of_64_bits_is_a_count_as_text_or_number(value):
    assert found(hour(value)).counts.tolist() == [int(value)]


REFUSED = {
    "an empty text": ("", "must be a whole number, not ''"),
    "a sign": ("+5", r"must be a whole number, not '\+5'"),
    "white space": (" 5", "must be a whole number, not ' 5'"),
    "an exponent": ("1e3", "must be a whole number, not '1e3'"),
    "a digit of another script": ("٣", "must be a whole number, not '٣'"),
    "a fraction": (5.0, "must be a whole number, not 5.0"),
    "true": (True, "must be a whole number, not True"),
    "null": (None, "must be a whole number, not None"),
    "20 digits": ("0" * 19 + "5", "must be a whole number, not '0{19}5'"),
    "2^63": (2**63, "9223372036854775808 needs more than 64 bits"),
    "-2^63 - 1": (str(-(2**63) - 1), "-9223372036854775809 needs more than 64 bits"),
}


@pytest.mark.parametrize(("value", "said"), REFUSED.values(), ids=REFUSED)
def test_another_count_is_refused_as_it_is_written(value, said):
    with pytest.raises(ResponseError, match=rf"^\$\.by_tweet_type_day_hour\.7\.impressions\.2026-01-31\.00: {said}$"):
        found(hour(value))


@pytest.mark.parametrize(
    "value",
    ["x" * 5000, "9" * 5000, ["x"] * 5000, {"x" * 5000: 1}, 10**4000],
    ids=["a text", "digits", "a list", "an object", "a number"],
)
def test_a_complaint_about_a_long_value_is_short(value):
    with pytest.raises(ResponseError) as caught:
        found(hour(value))
    assert len(str(caught.value)) < 300


TWICE = {
    "an hour": ('{"7":{"impressions":{"2026-01-31":{"00":"1","01":"2","00":"1"}}}}', ".7.impressions.2026-01-31.00"),
    "a day": ('{"7":{"impressions":{"2026-01-31":{"00":"1"},"2026-01-31":{"01":"2"}}}}', ".7.impressions.2026-01-31"),
    "a type": ('{"7":{"impressions":{"2026-01-31":{"00":"1"}},"impressions":{}}}', ".7.impressions"),
    "a Tweet": ('{"7":{"impressions":{}},"7":{"url_clicks":{}}}', ".7"),
    "a Tweet, with an escape": ('{"7":{},"10":{},"\\u0037":{}}', ".7"),
    "two Tweets, of which one is so first": ('{"7":{},"10":{},"10":{},"7":{}}', ".10"),
}


@pytest.mark.parametrize(("counts", "path"), TWICE.values(), ids=TWICE)
def test_a_key_that_stands_twice_is_refused_by_its_path(counts, path):
    """Even where both say the same."""
    with pytest.raises(ResponseError, match=r"stands there twice$") as caught:
        found(counts)
    assert caught.value.path == f"$.by_tweet_type_day_hour{path}"


@pytest.mark.parametrize("key", ["by_tweet_type_day_hour", "start"])
def test_a_key_that_stands_twice_in_the_root_is_refused_by_its_path(key):
    with pytest.raises(ResponseError, match=r"stands there twice$") as caught:
        parse_reference.parsed(f'{{"{key}":{{}},"{key}":{{}}}}'.encode())
    assert caught.value.path == f"$.{key}"


NO_BODIES = {
    "lists a thousand deep": b"[" * 1000 + b"]" * 1000,
    "objects a hundred thousand deep": b'{"a":' * 100_000 + b"5" + b"}" * 100_000,
    "NaN": b'{"start":NaN}',
    "Infinity": b'{"start":[-Infinity]}',
    "a number of 5,000 digits": b'{"start":' + b"9" * 5000 + b"}",
    "nothing": b"",
    "no end": b'{"start":null',
    "more than one": b"{}{}",
    "a comma too many": b'{"start":null,}',
    "a control character": b'{"start":"\n"}',
    "a byte order mark": b"\xef\xbb\xbf{}",
    "UTF-16": "{}".encode("utf-16"),
    "half a character": b'{"start":"\xc3"}',
    "half of an escaped pair, which no file can hold": b'{"errors":["\\ud83d"]}',
    "a list": b"[]",
    "a text": b'"{}"',
}


@pytest.mark.parametrize("body", NO_BODIES.values(), ids=NO_BODIES)
def test_what_is_no_object_of_json_is_refused_at_the_root(body):
    with pytest.raises(ResponseError, match=r"is not JSON|must be an object") as caught:
        parse_reference.parsed(body)
    assert caught.value.path == "$"


@pytest.mark.parametrize(
    ("counts", "path", "said"),
    [
        ({"8": {}}, ".8", "was not asked for"),
        ({"7": {"favorites": {}}}, ".7.favorites", "was not asked for"),
        ({"7": {"impressions": {"2026-02-02": {}}}}, ".7.impressions.2026-02-02", "was not asked for"),
        (
            {"7": {"impressions": {"2026-01-31": {"24": "0"}}}},
            ".7.impressions.2026-01-31.24",
            "is not an hour from 00 to 23",
        ),
        ([], "", r"must be an object, not \[\]"),
        ({"7": None}, ".7", "must be an object, not None"),
        ({"7": {"impressions": "5"}}, ".7.impressions", "must be an object, not '5'"),
        ({"7": {"impressions": {"2026-01-31": 5}}}, ".7.impressions.2026-01-31", "must be an object, not 5"),
    ],
)
def test_what_nobody_asked_for_is_refused_by_its_path(counts, path, said):
    with pytest.raises(ResponseError, match=f": {said}$") as caught:
        found(counts)
    assert caught.value.path == f"$.by_tweet_type_day_hour{path}"


def test_a_grouping_that_is_not_there_is_missing():
    with pytest.raises(ResponseError, match=r"^\$\.by_tweet_type_day_hour: is missing, though it was asked for$"):
        parse_reference.cells(parse_reference.parsed(b"{}"), ASKED)
