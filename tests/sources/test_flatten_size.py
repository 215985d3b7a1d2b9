"""Flatten: a body larger than an answer can be is refused before it is parsed; any other fits in memory."""

import tracemalloc
from datetime import date

import pytest

from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.core.errors import ResponseError
from engagement_pipeline.core.model import Request, Window
from engagement_pipeline.sources.engagement import parse_fast, parse_reference
from engagement_pipeline.sources.engagement.flatten import read
from engagement_pipeline.sources.engagement.request import largest_answer, most_values

REQUEST = Request(
    endpoint=HISTORICAL,
    handle="ann",
    tweet_ids=tuple(range(1, 26)),
    types=HISTORICAL.types,
    window=Window(date(2026, 1, 1), date(2026, 1, 28)),
)
SMALL = Request(
    endpoint=HISTORICAL,
    handle="ann",
    tweet_ids=(1,),
    types=("impressions",),
    window=Window(date(2026, 1, 1), date(2026, 1, 1)),
)
EMPTY = b'{"by_tweet_type_day_hour":{},"by_tweet_type":{},"by_type":{}'
COUNTS = b'{"by_tweet_type_day_hour":{"1":{"impressions":{"2026-01-01":{"00":"0"'


def hostile(begin, unit, end, *, request=REQUEST):
    """Return a body of as many units as the bounds of a request allow, filled up with white space."""
    values = sum(unit.count(mark) for mark in (b",", b"{", b"["))
    times = (largest_answer(request) - len(begin) - len(end)) // len(unit)
    if values:
        times = min(times, (most_values(request) - 20) // values)
    return (begin + unit * times + end).ljust(largest_answer(request))


def never(*_):
    raise AssertionError


@pytest.fixture
def _nothing_is_parsed(monkeypatch):
    monkeypatch.setattr(parse_fast, "cells", never)
    monkeypatch.setattr(parse_reference, "parsed", never)


@pytest.mark.usefixtures("_nothing_is_parsed")
def test_a_body_with_a_byte_more_than_an_answer_can_have_is_refused_unparsed():
    body = (EMPTY + b"}").ljust(largest_answer(SMALL) + 1)
    with pytest.raises(ResponseError) as caught:
        read(body, SMALL)
    most = largest_answer(SMALL)
    assert str(caught.value) == (
        f"$: has {most + 1:,} bytes, and no answer to this request has more than {most:,}: is a proxy in the way?"
    )


def test_a_body_of_as_many_bytes_as_an_answer_can_have_is_read():
    assert read((EMPTY + b"}").ljust(largest_answer(SMALL)), SMALL).rows.num_rows == 0


@pytest.mark.parametrize("unit", [b"{},", b"[],", b"[0],", b"0,"])
@pytest.mark.usefixtures("_nothing_is_parsed")
def test_a_body_with_more_values_than_an_answer_can_hold_is_refused_unparsed(unit):
    body = EMPTY + b',"x":[' + unit * most_values(SMALL) + b"0]}"
    with pytest.raises(
        ResponseError, match=r"^\$: has [\d,]+ values, and no answer to this request has more than 65,566: is"
    ):
        read(body, SMALL)


def test_a_body_of_as_many_values_as_an_answer_can_hold_is_read():
    body = EMPTY + b',"x":[' + b"0," * (most_values(SMALL) - 8) + b"0]}"
    assert read(body, SMALL).rows.num_rows == 0
    with pytest.raises(ResponseError, match="values, and no answer"):
        read(body.replace(b"[0,", b"[0,0,"), SMALL)


HOSTILE = {
    "empty objects": (b'{"x":[', b"{},", b"0]}"),
    "objects in objects": (b'{"x":[', b'{"":' * 100 + b"1" + b"}" * 100 + b",", b"0]}"),
    "objects among the texts": (EMPTY + b',"errors":[', b'{"":""},', b"0]}"),
    "lists, and an escape": (b'{"y":"\\u0041","x":[', b"[],", b"0]}"),
    "a long key": (b'{"\xf0\x9f\x98\x80', b"k", b'":0}'),
    "lists without an end": (b'{"x":', b"[", b""),
    "colons behind an hour": (COUNTS, b":", b'"}}}}}'),
    "braces behind a day": (COUNTS + b"}", b"{}", b',"2026-01-01":{"00":"0"}}}}}'),
    "a day again and again": (COUNTS + b"}", b',"2026-01-01":{"00":"0"}', b"}}}}"),
}


@pytest.mark.parametrize("parts", HOSTILE.values(), ids=HOSTILE)
def test_the_worst_that_the_bounds_let_pass_takes_less_than_20_times_its_bytes(parts):
    body = hostile(*parts)
    tracemalloc.start()
    try:
        read(body, REQUEST)
    except ResponseError as error:
        assert len(str(error)) < 300  # noqa: PT017 - some are answers, though odd ones
    finally:
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 20 * len(body)


def test_many_keys_of_an_object_take_less_than_20_times_the_largest_answer():
    """These are the values that take most memory each, in a body that is not the largest."""
    body = b'{"x":0' + b"".join(b',"%x":0' % number for number in range(most_values(REQUEST) - 2)) + b"}"
    tracemalloc.start()
    with pytest.raises(ResponseError, match="is missing"):
        read(body, REQUEST)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 20 * largest_answer(REQUEST)
