"""Bodies with some bytes of them changed, and whether the fast reader and the reference read them alike.

    PYTHONPATH=.:tests/support .venv/bin/python tests/support/mutations.py 300000

makes so many, names the seed of each that is read differently, and ends with 1 if there is one.
"""

import json
import random
import sys
from functools import lru_cache
from itertools import count

from random_bodies import INNER, asking, content, written

from engagement_pipeline.core.errors import ResponseError
from engagement_pipeline.sources.engagement import parse_fast, parse_reference
from engagement_pipeline.sources.engagement.flatten import _asked
from engagement_pipeline.sources.engagement.request import CELLS

BASES = 200
KEY = f'"{CELLS}"'.encode()
BYTES = b'{}[]":,\\ \t\r\n0123456789-eE.ntfu\x00\x1f\x7f\x80\xc3\xff'
BLANKS = [b" ", b"\n", b"\t", b"\r", b"  \n", b"\x0b", b"\x00", b"\xc2\xa0", b"\xef\xbb\xbf"]
OTHER_KEYS = [b'"trace"', b'""', b'"by_tweet_type"', b'"By_tweet_type_day_hour"', b'"by_tweet_type_day_hour "', KEY]
ESCAPES = [rb"\"", rb"\\", rb"\n", rb"\/", rb"\u0022", rb"\ud83d", rb"\u005c", b"\\"]
NUMBERS = [b"9" * 16, b"9" * 19, b"9" * 20, b"9" * 5000, b"-1", b"0" * 15, b"0" * 16, b"1e3", b"1e999", b"1.5", b"NaN"]
VALUES = [b"{}", b"[]", b"null", b"5", b'""', b"[{}]", f'"{parse_fast.PLACE}"'.encode(), json.dumps(INNER).encode()]


@lru_cache(maxsize=BASES)
def base(number):
    """Return a body that the contract allows, and what it may hold; three of four are such as the fast reader reads."""
    for seed in count(number, BASES):
        rng = random.Random(seed)
        request = asking(rng)
        root, asked = content(rng, request), _asked(request)
        if number % 4 == 0:
            return written(rng, root).encode(), asked
        body = json.dumps(root, separators=(",", ":"), ensure_ascii=False).encode()
        if parse_fast.cells(body, asked):
            return body, asked
    raise AssertionError


def places(body, part):
    """Return where a part stands in a body."""
    found, at = [], body.find(part)
    while at >= 0:
        found.append(at)
        at = body.find(part, at + 1)
    return found


def somewhere(rng, body):
    """Return a place: anywhere, or near the grouping's key, its end, or the body's ends."""
    near = [*places(body, KEY), body.rfind(parse_fast.END), 0, len(body) - 1]
    at = rng.choice(near) + rng.randint(-4, len(KEY) + 8) if rng.random() < 0.4 else rng.randrange(len(body) + 1)
    return min(max(at, 0), len(body))


def counts(body):
    """Return what stands behind the grouping's key, as far as the fast reader would look for its end."""
    at, end = body.find(KEY), body.rfind(parse_fast.END)
    return body[at + len(KEY) + 1 : end + len(parse_fast.END)] or b"{}"


def flip(rng, body):
    at = min(somewhere(rng, body), len(body) - 1)
    return body[:at] + bytes([rng.choice(BYTES) if rng.random() < 0.7 else rng.randrange(256)]) + body[at + 1 :]


def insert(rng, body):
    at = somewhere(rng, body)
    return body[:at] + rng.choice([bytes([rng.choice(BYTES)]), bytes([rng.randrange(256)])]) + body[at:]


def delete(rng, body):
    at = somewhere(rng, body)
    return body[:at] + body[at + rng.choice([1, 1, 2, 9, rng.randint(1, 300)]) :]


def double(rng, body):
    """Put a slice of a body into it again, there or elsewhere."""
    at = somewhere(rng, body)
    part = body[at : at + rng.choice([1, 9, 16, 217, rng.randint(1, len(body))])]
    to = rng.choice([at, somewhere(rng, body)])
    return body[:to] + part + body[to:]


def nest(rng, body):
    """Put the grouping into an object, a list or a text beside it; perhaps with a blank before the root's colon."""
    inner = rng.choice([counts(body), *VALUES])
    wrapped = [b"{%s:%s}", b"[{%s:%s}]", b'{"a":{%s:%s}}', b"{%s:%s,}", b'{"a":"%s:%s"}']
    beside = b'"trace":' + rng.choice(wrapped) % (KEY, inner)
    blank = rng.choice([b"", b" ", b"\n"])
    body = body.replace(KEY, KEY + blank, 1)
    if rng.random() < 0.5:
        return body.replace(b"{", b"{" + beside + b",", 1)
    return body[: body.rfind(b"}")] + b"," + beside + b"}"


def rename(rng, body):
    key = KEY if rng.random() < 0.5 else rng.choice([b'"impressions"', b'"start"', b'"by_type"', b'"00"', b'"23"'])
    other = rng.choice([*OTHER_KEYS, b'"24"', b'"00"'])
    return body.replace(key, other, rng.choice([1, 1, -1]))


def blank(rng, body):
    """Put white space, or what looks like it, anywhere or beside a mark."""
    at = somewhere(rng, body)
    if rng.random() < 0.5:
        at = rng.choice(places(body, bytes([rng.choice(b'{}:,"')])) or [at]) + rng.randint(0, 1)
    return body[:at] + rng.choice(BLANKS) + body[at:]


def escape(rng, body):
    at = somewhere(rng, body)
    if rng.random() < 0.5 and at < len(body):
        return body[:at] + b"\\u%04x" % body[at] + body[at + 1 :]
    return body[:at] + rng.choice(ESCAPES) + body[at:]


def twice(rng, body):
    """Give the root a key a second time, before or behind, or a Tweet, type, day or hour."""
    if rng.random() < 0.5:
        pair = rng.choice([KEY, b'"by_type"', b'"start"']) + b":" + rng.choice([*VALUES, counts(body)])
        if rng.random() < 0.5:
            return body.replace(b"{", b"{" + pair + b",", 1)
        return body[: body.rfind(b"}")] + b"," + pair + b"}"
    quotes = places(body, b'"')
    begin, end = sorted(rng.choices(quotes, k=2)) if quotes else (0, 0)
    return body[:begin] + body[begin:end] + body[begin:]


def enlarge(rng, body):
    """Put another number in the place of a count."""
    at = rng.choice(places(body, b'":"') or [0]) + 3
    end = body.find(b'"', at)
    number = rng.choice(NUMBERS)
    if rng.random() < 0.3:  # no text
        return body[: at - 1] + number + body[end + 1 :]
    return body[:at] + number + body[end:]


def revalue(rng, body):
    """Put another value in the place of the grouping, or of the root, or something around or behind the root."""
    value = rng.choice(VALUES)
    whole = counts(body)
    ways = [
        body.replace(whole, value, 1),
        body.replace(whole, value + whole, 1),
        body.replace(KEY + b":", KEY + b":" + value[:1], 1),
        b"[" + body + b"]",
        b'{"a":' + body + b"}",
        body + value,
        value + body,
        body[1:],
        body[:-1] + b"]",
        b'{"a":"' + body + b'"}',
        value,
    ]
    return rng.choice(ways)


WAYS = [flip, insert, delete, double, nest, rename, blank, escape, twice, enlarge, revalue]


def mutated(rng):
    """Return a body with one to three changes, and what it may hold."""
    body, asked = base(rng.randrange(BASES))
    for _ in range(rng.choice([1, 1, 2, 3])):
        body = rng.choice(WAYS)(rng, body) or b"{"
    return body, asked


def difference(body, asked):
    """Return in what the two readers differ, "" where they agree, None where the fast one leaves it to the other."""
    found = parse_fast.cells(body, asked)
    if found is None:
        return None
    try:
        root = parse_reference.parsed(body)
        cells = parse_reference.cells(root, asked)
    except ResponseError as error:
        return f"the reference refuses it: {error}"
    del root[CELLS]
    told = [
        [*((column.dtype, column.tolist()) for column in one.columns), dict(one.sums), repr(rest)]
        for one, rest in (found, (cells, root))
    ]
    return "" if told[0] == told[1] else "they read different things"


def main():
    """Make as many mutations as the first argument says, from the seed of the second on."""
    number, first = int(sys.argv[1]), int(sys.argv[2]) if sys.argv[2:] else 0
    fast = different = 0
    for seed in range(first, first + number):
        parse_fast.BLOCK = 1 if seed % 2 else 200_000  # each Tweet a block of its own, or all in one
        found = difference(*mutated(random.Random(seed)))
        fast += found is not None
        if found:
            different += 1
            sys.stdout.write(f"seed {seed}: {found}\n")
    sys.stdout.write(f"{number} mutations, {fast} of them read by the fast reader, {different} differences\n")
    return int(different > 0)


if __name__ == "__main__":
    sys.exit(main())
