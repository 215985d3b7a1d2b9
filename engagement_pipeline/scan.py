"""The counts of a body at the speed of the machine: numpy over all its bytes at once, no Python object a count.

In: bytes, and what the request asked for. Out: the same Cells that plain.py finds, and the rest of the body, which
is small; or None for whatever is not written just so, which plain.py then decides. Nothing is guessed here: every
byte of the counts is accounted for, or the answer is None.

    {"ID":{"TYPE":{"2026-01-31":{"00":"0","01":"17", …, "23":"0"},"2026-02-01":{ …     no space, digits as text

A colon comes after each key. Behind that of an hour begins its count; behind any other, an object. Between two
hours of a day stand eight bytes, `",` and `"HH":"`. What stands between two days tells whether a type or a Tweet
begins too. So the hours make runs, one a day of a type of a Tweet, few enough to be looked at by their beginnings.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa

from engagement_pipeline.client import CELLS
from engagement_pipeline.plain import Asked, Cells

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from engagement_pipeline.plain import Sums

    Ints = npt.NDArray[np.int64]
    Bytes = npt.NDArray[np.uint8]

BEGIN = f'"{CELLS}":'.encode()
END = b'"}}}}'  # of the last count, its day, its type, its Tweet and the grouping
# Before the day's key, if the day is a type's first: that of the type, and of the Tweet if it is its first type.
HEAD = re.compile(rb'(?:"\}\},|(?:\{|"\}\}\},)"(\d+)":\{)"(\w+)":\{')
SAME_TYPE = b'"},'  # the same, if the day is another of its type
DAY = b'"2026-01-31"'
DASHES, QUOTES, DIGITS = [5, 8], [0, 11], [1, 2, 3, 4, 6, 7, 9, 10]  # their places in DAY
TWEET_ENDS = b'"}}},"'
BLOCK = 200_000  # bytes that are read at a time, and Tweets whole
SHORTEST = b'"00":"0",'  # a count
COLUMNS = [np.dtype(kind) for kind in (np.int64, np.int8, np.int32, np.uint8, np.int64)]  # of Cells
WORD = 8  # bytes, loaded as one number; before an hour's count they are one of these two, with zeros for the hour
LATER_HOUR, FIRST_HOUR = b'","\0\0":"', b':{"\0\0":"'
BUT_THE_HOUR = b"\xff\xff\xff\0\0\xff\xff\xff"
TENS, ONES = 3, 4  # the places of the hour's digits in it
ZERO, NINE, QUOTE, DASH, COLON, OPEN = b'09"-:{'
MOST_DIGITS = 15  # of a count, so that no sum of a body passes 64 bits
DAYS_APART = 2**32  # between the keys of two types of a Tweet, so that their days stay between


class _Runs(NamedTuple):
    """The runs of hours: `keys` sort as Tweet, type and day do; `sums` are those of `first_runs` and what follows."""

    tweets: Ints
    types: npt.NDArray[np.int8]
    days: npt.NDArray[np.int32]
    keys: Ints
    first_runs: list[int]
    names: list[tuple[str, str]]


def cells(body: bytes, asked: Asked) -> tuple[Cells, bytes] | None:
    """Return a body's counts, and the body with an empty object in their place; None if they are not written so."""
    begin = body.find(BEGIN) + len(BEGIN)
    end = body.rfind(END) + len(END)
    once = len(BEGIN) <= begin < end and body.find(BEGIN, begin) < 0
    if not once or b"\\" in body:  # behind a backslash, a quote does not end a text
        return None
    found = _in_blocks(body, begin, end, asked) or _scanned(body[begin:end], asked)
    return (found, body[:begin] + b"{}" + body[end:]) if found else None


def _in_blocks(body: bytes, begin: int, end: int, asked: Asked) -> Cells | None:
    """Read some Tweets at a time; None where a block is not read, or the Tweets are not in order.

    What is read goes into memory of Arrow's, which is given out again as it is, and the rest is small: of memory that
    is new at each call, the system's page faults would cost as much time as all else.
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
    begin += 1
    while (cut := body.find(TWEET_ENDS, begin + BLOCK, end)) >= 0:
        yield b"{" + body[begin : cut + len(TWEET_ENDS) - 2] + b"}"
        begin = cut + len(TWEET_ENDS) - 1
    yield b"{" + body[begin:end]


def _scanned(text: bytes, asked: Asked) -> Cells | None:
    """Return the counts of the text of a grouping, None where it is not written so."""
    data = np.frombuffer(text, np.uint8)
    colons = np.flatnonzero(data == COLON)
    hours_at = colons[data[colons + 1] != OPEN]
    if len(hours_at) == 0 or hours_at[0] < WORD:
        return None
    words = np.ndarray(len(text) - WORD + 1, np.uint64, text, strides=(1,))[hours_at - WORD + 2]  # any place's
    forms = words & np.frombuffer(BUT_THE_HOUR, np.uint64)
    starts = np.flatnonzero(forms != np.frombuffer(LATER_HOUR, np.uint64))
    if len(starts) == 0 or starts[0] or (forms[starts] != np.frombuffer(FIRST_HOUR, np.uint64)).any():
        return None
    letters = words.view(np.uint8).reshape(-1, WORD)
    tens, ones = letters[:, TENS] - ZERO, letters[:, ONES] - ZERO  # what is below zero becomes a large number
    hours = tens * 10 + ones
    if (ones > 9).any() or (tens > 2).any() or (hours > 23).any():  # noqa: PLR2004 - digits, and hours of a day
        return None
    ends = np.empty_like(hours_at)  # of the counts: where their closing quotes are
    ends[:-1] = hours_at[1:] - WORD + 2
    ends[-1] = len(text) - len(END)
    runs = _runs(text, hours_at, starts, ends, asked)
    counts = _numbers(data, hours_at + 2, ends)
    if runs is None or counts is None:
        return None
    return _in_order(runs, starts, hours, counts)


def _runs(text: bytes, hours_at: Ints, starts: Ints, ends: Ints, asked: Asked) -> _Runs | None:
    """Read what stands before each run, and correct where the count before that ends."""
    data = np.frombuffer(text, np.uint8)
    days_at = hours_at[starts] - WORD + 2 - len(DAY)
    letters = data[days_at[:, None] + np.arange(len(DAY))]
    digits = letters[:, DIGITS] - ZERO
    if (digits > 9).any() or (letters[:, DASHES] != DASH).any() or (letters[:, QUOTES] != QUOTE).any():  # noqa: PLR2004
        return None
    before = days_at[1:] - len(SAME_TYPE)
    same_type = (data[before[:, None] + np.arange(len(SAME_TYPE))] == np.frombuffer(SAME_TYPE, np.uint8)).all(axis=1)
    ends[starts[1:] - 1] = before
    first_runs = [0, *(np.flatnonzero(~same_type) + 1).tolist()]
    names: list[tuple[str, str]] = []
    tweets: list[str] = []
    for run in first_runs:
        at = 0
        if run:
            at = text.find(QUOTE, hours_at[starts[run] - 1] + 2)
            ends[starts[run] - 1] = at
        head = HEAD.fullmatch(text, at, days_at[run])
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
        days = _days(letters, digits, asked)
    except KeyError:  # nobody asked for it
        return None
    lengths = np.diff([*first_runs, len(starts)])
    _, ranks = np.unique(ids, return_inverse=True)
    keys: Ints = np.repeat((ranks * 128 + codes) * DAYS_APART, lengths) + days.astype(np.int64)
    return _Runs(np.repeat(ids, lengths), np.repeat(codes, lengths), days, keys, first_runs, names)


def _days(letters: Bytes, digits: Bytes, asked: Asked) -> npt.NDArray[np.int32]:
    """Return each run's day as a number; KeyError where nobody asked for it."""
    numbers = digits.astype(np.int64) @ 10 ** np.arange(len(DIGITS))[::-1]
    _, first, places = np.unique(numbers, return_index=True, return_inverse=True)
    texts = (letters[at, 1:-1].tobytes().decode() for at in first)
    return np.array([asked.days[text] for text in texts], np.int32)[places]


def _numbers(data: Bytes, begins: Ints, ends: Ints) -> Ints | None:
    """Read the digits between two places as numbers, last digit first, as long as any number has more."""
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


def _in_order(runs: _Runs, starts: Ints, hours: Bytes, counts: Ints) -> Cells | None:
    """Sort by Tweet, type, day and hour, which most bodies are already; None where a key stands twice."""
    sums: Sums = Counter(dict(zip(runs.names, np.add.reduceat(counts, starts[runs.first_runs]).tolist(), strict=True)))
    lengths = np.diff(starts, append=len(hours))
    tweets, types, days = (
        np.repeat(runs.tweets, lengths),
        np.repeat(runs.types, lengths),
        np.repeat(runs.days, lengths),
    )
    rising = hours[1:] > hours[:-1]
    rising[starts[1:] - 1] = True
    if not rising.all() or (np.diff(runs.keys) <= 0).any():
        if len(np.unique(runs.keys)) < len(runs.keys):
            return None
        keys = np.repeat(runs.keys, lengths) * 24 + hours
        order = np.argsort(keys)
        if (np.diff(keys[order]) == 0).any():
            return None
        return Cells(tweets[order], types[order], days[order], hours[order], counts[order], sums)
    return Cells(tweets, types, days, hours, counts, sums)
