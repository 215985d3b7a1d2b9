"""The fast parser: numpy reads the counts of a body, many bytes at once, without a Python object for each count.

In: bytes, and what the request asked for. Out: the same Cells that parse_reference.py finds, and the rest of the root,
which is small. Or None, if the body is not written exactly as below: then the reference parser decides. Nothing is
guessed: every byte of the counts is accounted for, or the result is None.

The reference parser reads what lies around the counts, with a marker in their place. If it finds the marker under
their key in the root, and nowhere else, the counts stand there too.

    {"ID":{"TYPE":{"2026-01-31":{"00":"0","01":"17", …, "23":"0"},"2026-02-01":{ …     no space, digits as text

The braces show where the days are. The text between two days shows whether a new type or a new Tweet begins. Most days
have 24 hours and counts of one digit, so their text differs from WHOLE_DAY only in digits. The other days are read hour
by hour, by the colons: between two counts stand eight bytes, `",` and `"HH":"`.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from engagement_pipeline.core.errors import ResponseError
from engagement_pipeline.sources.engagement.parse_reference import Asked, Cells, Sums, parsed
from engagement_pipeline.sources.engagement.request import CELLS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]
BEGIN = f'"{CELLS}":{{'.encode()
END = b'"}}}}'  # of the last count, its day, its type, its Tweet and the grouping
PLACE = "the counts stand here"  # in the rest of the body, as a text of JSON
FIRST_HEAD = re.compile(rb'\{"(\d+)":\{"(\w+)":\{')  # before the first day
NEXT_HEAD = re.compile(rb'(?:\},|\}\},"(\d+)":\{)"(\w+)":\{')  # between days, if a type begins, and perhaps a Tweet
SAME_TYPE = b',"2026-01-31":'  # between days of one type
DAY = SAME_TYPE[1:]
DAY_MARKS, MARKS, DAY_TEXT = [0, 11, 12], b'"":', slice(1, 11)  # what is around the text in DAY, and their places
LENGTH = 10  # of the text
TWEET_ENDS = b'"}}},"'
BLOCK = 400_000  # bytes that are read at a time, up to the end of a Tweet
SHORTEST = b'"00":"0",'  # a count
COLUMNS = [np.dtype(kind) for kind in (np.int64, np.int8, np.int32, np.uint8, np.int64)]  # of Cells
HOURS = np.arange(24, dtype=np.uint8)
WHOLE_DAY = np.frombuffer(b"{" + b",".join(b'"%02d":"0"' % hour for hour in range(24)) + b"}", np.uint8)
DIGITS = slice(len(b'{"00":"'), None, len(SHORTEST))  # their places in WHOLE_DAY
NONE_ALIKE = np.empty((0, len(WHOLE_DAY)), np.uint8)
WORD = 8  # bytes, loaded as one number; before an hour's count they are one of these two, with the hour as zeros
LATER_HOUR, FIRST_HOUR = b'","\0\0":"', b'}{"\0\0":"'
BUT_THE_HOUR = b"\xff\xff\xff\0\0\xff\xff\xff"
TENS, ONES = 3, 4  # the places of the hour's digits in it
ZERO, QUOTE, COMMA, DASH, COLON, OPEN, CLOSE = b'0",-:{}'
BRACES, EITHER = 0x06, OPEN | 0x06  # the two braces differ only in these bits
MOST_DIGITS, MOST_DAYS = 15, 300  # of a count, and of a Tweet and type, so that no sum passes 64 bits
DAYS_APART = 2**32  # between the keys of two types of a Tweet, so that their days stay between
assert OPEN | BRACES == CLOSE | BRACES == EITHER


class _Runs(NamedTuple):
    """The days of all Tweets and types. `keys` sort as Tweet, type and day do; a type begins at each of `firsts`."""

    tweets: Ints
    types: npt.NDArray[np.int8]
    days: npt.NDArray[np.int32]
    keys: Ints
    firsts: list[int]
    names: list[tuple[str, str]]


class _Hours(NamedTuple):
    """The hours of some days, one day after another: the start of each day, the hours, and their counts."""

    starts: Ints
    hours: Bytes
    counts: Ints


def cells(body: bytes, asked: Asked) -> tuple[Cells, dict[str, Any]] | None:
    """Return a body's counts, and its root without them; None if the reference parser must decide."""
    begin = body.find(BEGIN) + len(BEGIN) - 1
    end = body.rfind(END) + len(END)
    if not len(BEGIN) <= begin + 1 < end or b"\\" in body:  # a text with a backslash is not what its bytes are
        return None
    found = _in_blocks(body, begin, end, asked) or _scanned(body[begin:end], asked)
    if found is None:
        return None
    root = _rest(body, begin, end)
    return None if root is None else (found, root)


def _rest(body: bytes, begin: int, end: int) -> dict[str, Any] | None:
    """Return the root without the counts, which lie between two places; None if they are not in the root.

    A JSON value can replace another: the body is correct JSON exactly if it is with PLACE instead of the counts.
    """
    rest = body[:begin] + f'"{PLACE}"'.encode() + body[end:]
    if rest.count(PLACE.encode()) > 1:
        return None
    try:
        root = parsed(rest)
    except ResponseError:  # the reference parser names the place in the whole body
        return None
    return root if root.pop(CELLS, None) == PLACE else None


def _in_blocks(body: bytes, begin: int, end: int, asked: Asked) -> Cells | None:
    """Read some Tweets at a time; None if a block cannot be read, or if the Tweets are not in order.

    The columns lie in Arrow's memory, which Arrow reuses, and all other memory is small. With new memory at each call,
    the page faults would take as long as everything else.
    """
    most = (end - begin) // len(SHORTEST) + 1
    columns = [np.frombuffer(pa.allocate_buffer(most * kind.itemsize), kind) for kind in COLUMNS]
    sums: Sums = Counter()
    filled, last = 0, -1
    for block in _blocks(body, begin, end):
        part = _scanned(block, asked)
        if part is None or part.tweets[0] <= last:
            return None
        for column, found in zip(columns, part.columns, strict=True):
            column[filled : filled + len(found)] = found
        filled, last = filled + len(part.counts), int(part.tweets[-1])
        sums.update(part.sums)
    tweets, types, days, hours, counts = (column[:filled] for column in columns)
    return Cells(tweets, types, days, hours, counts, sums)


def _blocks(body: bytes, begin: int, end: int) -> Iterator[bytes]:
    """Cut the text of a grouping between Tweets into groupings of some Tweets each."""
    view = memoryview(body)  # a slice of which is not copied before it is joined
    begin += 1
    while (cut := body.find(TWEET_ENDS, begin + BLOCK, end)) >= 0:
        yield b"".join((b"{", view[begin : cut + len(TWEET_ENDS) - 2], b"}"))
        begin = cut + len(TWEET_ENDS) - 1
    yield b"".join((b"{", view[begin:end]))


def _scanned(text: bytes, asked: Asked) -> Cells | None:
    """Return the counts in the text of a grouping, None if it is written in another way."""
    data = np.frombuffer(text, np.uint8)
    braces = np.flatnonzero((data | BRACES) == EITHER)
    kinds = data[braces]
    at = np.flatnonzero((kinds[:-1] == OPEN) & (kinds[1:] == CLOSE))  # what holds no object holds hours
    begins, ends = braces[at], braces[at + 1]
    if len(at) == 0 or begins[0] < len(DAY) or text[int(ends[-1]) + 1 :] != END[2:]:
        return None
    runs = _runs(text, begins, ends, asked)
    if runs is None:
        return None
    hours = _whole_days(text, begins, ends) or _hours(text[b : e + 1] for b, e in zip(begins, ends, strict=True))
    if hours is None or len(hours.starts) != len(begins):
        return None
    return _in_order(runs, hours)


def _runs(text: bytes, begins: Ints, ends: Ints, asked: Asked) -> _Runs | None:
    """Read the text before each day: its key, and the keys of a type and a Tweet if they begin there."""
    data = np.frombuffer(text, np.uint8)
    keys_at = begins - len(DAY)
    same_type = (begins[1:] - ends[:-1] == len(SAME_TYPE) + 1) & (data[ends[:-1] + 1] == COMMA)
    firsts = [0, *(np.flatnonzero(~same_type) + 1).tolist()]
    names: list[tuple[str, str]] = []
    tweets: list[str] = []
    for run in firsts:
        at, pattern = (int(ends[run - 1]) + 1, NEXT_HEAD) if run else (0, FIRST_HEAD)
        head = pattern.fullmatch(text, at, int(keys_at[run]))
        if not head:
            return None
        if head[1]:
            tweets.append(head[1].decode())
        names.append((tweets[-1], head[2].decode()))
    if len({*names}) < len(names) or len({*tweets}) < len(tweets):  # a key stands twice
        return None
    try:
        ids = np.array([asked.tweets[tweet] for tweet, _ in names], np.int64)
        codes = np.array([asked.types[name] for _, name in names], np.int8)
        days = _days(text, keys_at, firsts, asked)
    except KeyError:  # nobody asked for it
        return None
    lengths = np.diff([*firsts, len(begins)])
    if days is None or lengths.max() > MOST_DAYS:
        return None
    _, ranks = np.unique(ids, return_inverse=True)
    keys: Ints = np.repeat((ranks * 128 + codes) * DAYS_APART, lengths) + days.astype(np.int64)
    return _Runs(np.repeat(ids, lengths), np.repeat(codes, lengths), days, keys, firsts, names)


def _days(text: bytes, keys_at: Ints, firsts: list[int], asked: Asked) -> npt.NDArray[np.int32] | None:
    """Return each run's day as a number, None if one is written in another way; KeyError if nobody asked for it.

    Most often each type has the days of the first, so that these alone are read.
    """
    letters = _windows(text, len(DAY))[keys_at]
    number = firsts[1] if len(firsts) > 1 else len(letters)
    alike = len(letters) % number == 0 and bool((letters.reshape(-1, number, len(DAY)) == letters[:number]).all())
    read = letters[:number] if alike else letters
    if (read[:, DAY_MARKS] != np.frombuffer(MARKS, np.uint8)).any():
        return None
    texts = read[:, DAY_TEXT].tobytes().decode("latin-1")  # whatever it is, it is no day or one that was asked for
    days = [asked.days[texts[at : at + LENGTH]] for at in range(0, len(texts), LENGTH)]
    return np.tile(np.array(days, np.int32), len(letters) // len(days))


def _windows(text: bytes, length: int) -> Bytes:
    """Return each part of a text that has this length, wherever it begins; nothing is copied."""
    return np.ndarray((len(text) - length + 1, length), np.uint8, text, strides=(1, 1))


def _whole_days(text: bytes, begins: Ints, ends: Ints) -> _Hours | None:
    """Read days with all hours in order; None if a day is different."""
    counts = np.empty((len(begins), len(HOURS)), np.int64)
    alike = np.flatnonzero(ends - begins == len(WHOLE_DAY) - 1)
    texts = _windows(text, len(WHOLE_DAY))[begins[alike]] if len(alike) else NONE_ALIKE
    differ = texts != WHOLE_DAY
    digits = texts[:, DIGITS] - ZERO
    differ[:, DIGITS] = digits > 9  # noqa: PLR2004 - a digit
    counts[alike] = digits
    others = np.ones(len(begins), np.bool_)
    others[alike] = differ.any(axis=1) if differ.any() else False
    places = np.flatnonzero(others)
    if len(places):
        pairs = zip(begins[places].tolist(), ends[places].tolist(), strict=True)
        found = _hours(text[begin : end + 1] for begin, end in pairs)
        if found is None or not np.array_equal(found.starts, np.arange(len(places)) * len(HOURS)):
            return None
        if not np.array_equal(found.hours, np.tile(HOURS, len(places))):
            return None
        counts[places] = found.counts.reshape(-1, len(HOURS))
    starts = np.arange(0, counts.size, len(HOURS))
    return _Hours(starts, np.tile(HOURS, len(begins)), counts.ravel())


def _hours(days: Iterable[bytes]) -> _Hours | None:
    """Read days hour by hour, each day an object; None if one is written in another way."""
    text = b"}" + b"".join(days)
    data = np.frombuffer(text, np.uint8)
    colons = np.flatnonzero(data == COLON)
    if not 0 < len(colons) <= len(text) // len(SHORTEST):  # each takes eight times its memory below, and several times
        return None
    if colons[0] < WORD - 2 or colons[-1] > len(text) - 2 or not text.endswith(b'"}'):
        return None
    words = np.ndarray(len(text) - WORD + 1, np.uint64, text, strides=(1,))[colons - WORD + 2]  # any place's
    forms = words & np.frombuffer(BUT_THE_HOUR, np.uint64)
    starts = np.flatnonzero(forms != np.frombuffer(LATER_HOUR, np.uint64))
    if len(starts) == 0 or colons[0] != WORD - 2 or (forms[starts] != np.frombuffer(FIRST_HOUR, np.uint64)).any():
        return None
    letters = words.view(np.uint8).reshape(-1, WORD)
    tens, ones = letters[:, TENS] - ZERO, letters[:, ONES] - ZERO
    hours = tens * 10 + ones
    if (ones > 9).any() or (tens > 2).any() or (hours > 23).any():  # noqa: PLR2004 - digits, and hours of a day
        return None
    ends = np.append(colons[1:] - WORD + 2, len(text) - 2)  # of the counts: where their closing quotes are
    ends[starts[1:] - 1] -= 1  # before a brace
    counts = _numbers(data, colons + 2, ends)
    if counts is None or (data[ends] != QUOTE).any():
        return None
    return _Hours(starts, hours, counts)


def _numbers(data: Bytes, begins: Ints, ends: Ints) -> Ints | None:
    """Read the digits between each two places as numbers, from the last digit to the first."""
    lengths = ends - begins
    if lengths.min() < 1 or lengths.max() > MOST_DIGITS:
        return None
    digits = data[ends - 1] - ZERO
    strange = (digits > 9).any()  # noqa: PLR2004 - a digit
    numbers = digits.astype(np.int64)
    longer = np.flatnonzero(lengths > 1)
    place = 1
    while len(longer):
        place += 1
        digits = data[ends[longer] - place] - ZERO
        strange |= (digits > 9).any()  # noqa: PLR2004 - a digit
        numbers[longer] += digits.astype(np.int64) * 10 ** (place - 1)
        longer = longer[lengths[longer] > place]
    return None if strange else numbers


def _in_order(runs: _Runs, found: _Hours) -> Cells | None:
    """Sort by Tweet, type, day and hour; most bodies are sorted already. None if a key stands twice."""
    starts, hours, counts = found
    sums: Sums = Counter(dict(zip(runs.names, np.add.reduceat(counts, starts[runs.firsts]).tolist(), strict=True)))
    lengths = np.diff(starts, append=len(hours))
    times = int(lengths[0]) if (lengths == lengths[0]).all() else lengths  # one number for all is faster
    tweets, types, days = np.repeat(runs.tweets, times), np.repeat(runs.types, times), np.repeat(runs.days, times)
    rising = hours[1:] > hours[:-1]
    rising[starts[1:] - 1] = True
    if not rising.all() or (np.diff(runs.keys) <= 0).any():
        if len(np.unique(runs.keys)) < len(runs.keys):
            return None
        keys = np.repeat(runs.keys, times) * 24 + hours
        order = np.argsort(keys)
        if (np.diff(keys[order]) == 0).any():
            return None
        return Cells(tweets[order], types[order], days[order], hours[order], counts[order], sums)
    return Cells(tweets, types, days, hours, counts, sums)
