"""Scan: whatever it reads, it reads as plain.py does; and what it leaves to plain.py.

The bodies of the comparison are made by seed: as objects, then as text; every second one is broken on the way.
"""

import json
import random
import re
from datetime import date, timedelta

import pytest
from bodies import parts
from hypothesis import given, settings
from hypothesis import strategies as st

from engagement_pipeline import plain, scan
from engagement_pipeline.client import CELLS, TYPE_SUMS
from engagement_pipeline.errors import ResponseError
from engagement_pipeline.flatten import EPOCH, TYPE_NAMES, flatten
from engagement_pipeline.metrics import HISTORICAL, RECENT, types_of
from engagement_pipeline.plain import Asked
from engagement_pipeline.plan import Request, Window

SEEDS, CHUNKS = 10_000, 8  # the processes of the tests share the chunks
ROOT, TWEETS, NAMES, DAYS, HOURS = range(5)  # the levels of a body, by their keys
TEXT = re.compile(r'"(?:[^"\\]|\\.)*"')
TOKEN = re.compile(rf"({TEXT.pattern}|[{{}}\[\]:,])")
LAST_DAYS = [date(2026, 1, 31), date(2025, 12, 31), date(2024, 2, 29), date(2026, 3, 2), date(2016, 5, 14)]
LARGE = [10**15 - 1, 10**15, 2**53 + 1, 2**63 - 1, -(2**63), -1, -(10**6)]
INNER = {CELLS: {"1": {"impressions": {"2026-01-31": {"00": "7"}}}}}
DEEP = {"a": {"b": {"c": {"d": "5"}}}}
EXTRAS = [None, "x", "é", "}}}}", CELLS, 1.5, {}, [], DEEP, [{"a": [{}, [True, {}]]}], {"}": DEEP}, INNER, [INNER]]
SAID = ["1 Tweet ID(s) are unavailable", "…", "{", CELLS, f"{CELLS}:", '"quoted": {"00":"1"}', "a \\ and a \n"]
BAD_KEYS = {
    ROOT: ["", "trace", TYPE_SUMS, CELLS],
    TWEETS: ["5", "", "01", "-1", "٣", "9" * 20, "impressions"],
    NAMES: ["", "bookmarks", "quote_tweets", "Impressions", "url clicks", "1", "favorites"],
    DAYS: ["", "2026-02-30", "20260131", "2026-1-31", "2016-01-01", "2036-01-01", "0000-00-00", "2026-01-31T00"],
    HOURS: ["", "24", "29", "30", "7", "007", "0 0", "-1", "٣٣", "1:", "0x", ":0"],
}
BAD_VALUES = [None, True, 5, 1.5, "5", [], {}]
BAD_COUNTS = ["", "+5", " 5", "5 ", "1e3", "٣", "-", "--5", "0x1", "1_0", '"', "{", "}}}}", *BAD_VALUES]
WIDE_COUNTS = [2**63, str(-(2**63) - 1), *(str(10**n) for n in range(14, 20)), *("7".zfill(n) for n in range(14, 21))]


class Twin(str):
    """A key that stands in an object beside another of the same text."""

    __slots__ = ()
    __eq__ = object.__eq__
    __hash__ = object.__hash__


def asking(rng):
    """Return a request of /historical over the end of a month, or of /28hr."""
    endpoint, last = rng.choice([HISTORICAL, RECENT]), rng.choice(LAST_DAYS)
    ids = {min(rng.randrange(1, 10 ** rng.randint(1, 19)), 2**63 - 1) for _ in range(rng.randint(1, 4))}
    return Request(
        endpoint=endpoint,
        handle="ann",
        tweet_ids=tuple(rng.sample(sorted(ids), len(ids))),
        types=tuple(rng.sample(types_of(endpoint), rng.randint(1, 3))),
        window=Window(last - timedelta(1), last + timedelta(rng.randint(-1, 1))) if endpoint == HISTORICAL else None,
    )


def moments(rng, request):
    """Return the days and hours that have counts: all of them, some or one."""
    last = rng.choice(LAST_DAYS)
    window = request.window or Window(last, last + timedelta(1))
    hours = [(day, hour) for day in window.days() for hour in range(24)]
    if not request.window:
        start = rng.randrange(20)
        hours = hours[start : start + rng.choice([28, 29])]
    return rng.choice([hours, rng.sample(hours, rng.randint(1, len(hours))), [rng.choice(hours)]])


def counted(rng, request):
    """Return {(tweet, type, day, hour): count} of some Tweets of a request."""
    tweets, at = request.tweet_ids[rng.randrange(2) :], moments(rng, request)
    keys = [(tweet, name, *moment) for tweet in tweets for name in request.types for moment in at]
    if rng.random() < 0.3:
        keys = rng.sample(keys, rng.randint(0, len(keys)))
    cells = dict.fromkeys(keys, 0)
    if rng.random() < 0.15:  # one alone, for the sums have 64 bits too
        return cells | dict.fromkeys(keys[-1:], rng.choice(LARGE))
    limit = rng.choice([10, 10_000, 10**15])
    return cells | {key: rng.randrange(limit) for key in rng.sample(keys, len(keys) // 5)}


def beside(rng, request):
    """Return what else a root may hold."""
    found = {"errors": rng.choices(SAID, k=rng.randrange(3)), "trace": rng.choice(EXTRAS), "é" * rng.randrange(2): []}
    if request.window:
        found |= {"start": f"{request.window.first}T00:00:00Z", "end": rng.choice([None, str(request.window.end)])}
    listed = rng.choice([None, [], [str(request.tweet_ids[0])], [request.tweet_ids[-1]]])
    for suffix in ("video_views", "impressions_engagements"):
        found[f"unsupported_for_{suffix}_tweet_ids"] = rng.choice([None, listed])
    return {key: found[key] for key in rng.sample(sorted(found), rng.randint(0, len(found)))}


def in_any_order(rng, value, *, mixing):
    """Return the same objects with their keys sorted, or in any order where chance says so."""
    if not isinstance(value, dict):
        return value
    keys = sorted(value)
    if rng.random() < mixing:
        rng.shuffle(keys)
    return {key: in_any_order(rng, value[key], mixing=mixing) for key in keys}


def levels(root):
    """Return the objects of each level of the counts."""
    found = {ROOT: [root], TWEETS: [root[CELLS]] if isinstance(root.get(CELLS), dict) else []}
    for level in (NAMES, DAYS, HOURS):
        found[level] = [inner for outer in found[level - 1] for inner in outer.values() if isinstance(inner, dict)]
    return found


def content(rng, request):
    """Return a body that the contract allows, as objects."""
    cells = counted(rng, request)
    root = parts(cells, **beside(rng, request))
    if set(request.tweet_ids) > {cell[0] for cell in cells}:
        root["unavailable_tweet_ids"] = [str(t) for t in request.tweet_ids if str(t) not in root[CELLS]]
    root = in_any_order(rng, root, mixing=rng.choice([0, 0.3, 1]))
    if rng.random() < 0.1:  # nothing of a Tweet, of a type or of a day
        days = request.window.days() if request.window else LAST_DAYS
        level, keys = rng.choice([(TWEETS, request.tweet_ids), (NAMES, request.types), (DAYS, days)])
        for holder in levels(root)[level]:
            holder.update({str(key): {} for key in keys if str(key) not in holder})
    if rng.random() < 0.1:  # numbers, not texts
        share = rng.choice([0.02, 1])
        for hours in levels(root)[HOURS]:
            hours.update({hour: int(count) for hour, count in hours.items() if rng.random() < share})
    return root


def put(holder, old, *new):
    """Put other keys and values in the place of a key."""
    items = [pair for key, value in holder.items() for pair in (new if key is old else [(key, value)])]
    holder.clear()
    holder.update(items)


def spoil(rng, root):
    """Break a body's objects in one way: a key twice, another key, another value, or the counts in another place."""
    by_level = {level: [holder for holder in holders if holder] for level, holders in levels(root).items()}
    level = rng.choice([level for level, holders in by_level.items() if holders])
    holder = rng.choice(by_level[level])
    key = rng.choice([*holder])
    value = holder[key]
    way = rng.random()
    if way < 0.4:
        other = value
        if isinstance(value, dict) and rng.random() < 0.7:  # one half under each key
            other = {inner: value.pop(inner) for inner in [*value][len(value) // 2 :]}
        put(holder, key, (key, value), (Twin(key), other))
        if rng.random() < 0.3:
            put(holder, key)
            holder[key] = value
    elif way < 0.6:
        put(holder, key, (Twin(rng.choice(BAD_KEYS[level])), value))
    elif way < 0.9:
        holder[key] = rng.choice(BAD_COUNTS + WIDE_COUNTS if level == HOURS else BAD_VALUES)
    elif CELLS in root:
        inner = {CELLS: root[CELLS]}
        put(root, next(key for key in root if key == CELLS), ("deep", rng.choice([inner, [inner], {"deeper": inner}])))


def written(rng, root):
    """Return a body as text: compact, or with white space or an escape somewhere."""
    text = json.dumps(root, separators=(",", ":"), ensure_ascii=rng.random() < 0.05)
    way = rng.random()
    if way < 0.05:
        return json.dumps(root, indent=rng.choice([None, 1, "\t"]))
    if way < 0.15:
        tokens = TOKEN.split(text)
        places = rng.choice([1, 1, 3, len(tokens)])
        for at in rng.choices(range(len(tokens)), k=places):
            tokens[at] += rng.choice([" ", "\n", "\r\n", "\t"]) if TOKEN.fullmatch(tokens[at]) else ""
        return "".join(tokens)
    if way < 0.25:
        spans = [match.span() for match in TEXT.finditer(text) if len(match[0]) > 2 and "\\" not in match[0]]
        begin, end = rng.choice(spans)
        at = rng.randrange(begin + 1, end - 1)
        return f"{text[:at]}\\u{ord(text[at]):04x}{text[at + 1 :]}"
    return text


def torn(rng, body):
    """Return a body broken in one place: cut off, or something lost, changed, put in or doubled."""
    at = rng.randrange(len(body))
    until = at + rng.choice([1, 1, 1, rng.randint(1, 20), rng.randint(1, len(body))])
    new = bytes([rng.choice([*b'{}[]":,\\ 0-9', 0xFF, rng.randrange(256)])])
    ways = [b"", body[until:], new + body[at + 1 :], new + body[at:], body[at:until] + body[at:]]
    return body[:at] + rng.choice(ways)


def case(seed):
    """Return a request and a body that answers it, broken if the seed is odd."""
    rng = random.Random(seed)
    request = asking(rng)
    root = content(rng, request)
    tear = seed % 2 and rng.random() < 0.5
    if seed % 2 and not tear:
        spoil(rng, root)
    body = written(rng, root).encode()
    return (torn(rng, body) if tear else body), request


def outcome(body, request):
    """Return whether a body was scanned, and what flatten makes of it."""
    try:
        flat = flatten(body, request)
    except ResponseError as error:
        return None, (error.path, str(error))
    return flat.scanned, (flat.rows, flat.unavailable, flat.said, flat.negative)


@pytest.mark.parametrize("chunk", range(CHUNKS))
def test_a_body_is_flattened_to_the_same_with_and_without_the_scan(chunk, monkeypatch):
    """The same rows in the same order, or the same complaint; a list of the seeds where not, for `case`.

    In half of the chunks each Tweet is a block of its own.
    """
    if chunk % 2:
        monkeypatch.setattr(scan, "BLOCK", 1)
    seeds = range(chunk * SEEDS // CHUNKS, (chunk + 1) * SEEDS // CHUNKS)
    cases = [case(seed) for seed in seeds]
    found = [outcome(*one) for one in cases]
    monkeypatch.setattr(scan, "cells", lambda body, asked: None)
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
    scanned, _ = scan.cells(json.dumps(root, separators=(",", ":")).encode(), ASKED)
    assert columns(scanned) == columns(plain.cells(plain.parsed(BODY), ASKED))


@pytest.mark.parametrize("size", [1, 100, 10**6])
def test_a_body_in_several_blocks_is_scanned_to_the_same(monkeypatch, size):
    monkeypatch.setattr(scan, "BLOCK", size)
    assert len([*scan._blocks(BODY, BODY.find(scan.BEGIN) + len(scan.BEGIN), len(BODY))]) == 1 + (size < len(BODY))
    scanned, _ = scan.cells(BODY, ASKED)
    assert columns(scanned) == columns(plain.cells(plain.parsed(BODY), ASKED))


def test_hours_that_only_add_up_to_whole_days_are_no_whole_days():
    """36 hours, some of them twice, and 12: as many as two days have, and in their order."""
    hours = [f'"{hour % 24:02}":"10"' for hour in range(48)]
    days = f'"2026-01-31":{{{",".join(hours[:36])}}},"2026-02-01":{{{",".join(hours[36:])}}}'
    body = f'{{"by_tweet_type_day_hour":{{"3":{{"impressions":{{{days}}}}}}}}}'.encode()
    assert scan.cells(body, ASKED) is None
    with pytest.raises(ResponseError, match=r"\.00: stands there twice"):
        plain.cells(plain.parsed(body), ASKED)


@pytest.mark.parametrize("counts", [["0"] * 24, ["7"] * 23 + ["10"], ["0"] * 23 + [":"]])
def test_a_whole_day_is_scanned_by_its_digits_alone(counts):
    hours = ",".join(f'"{hour:02}":"{count}"' for hour, count in enumerate(counts))
    body = f'{{"by_tweet_type_day_hour":{{"3":{{"impressions":{{"2026-01-31":{{{hours}}}}}}}}}}}'.encode()
    found = scan.cells(body, ASKED)
    assert (found is None) == (":" in counts)
    if found:
        assert columns(found[0]) == columns(plain.cells(plain.parsed(body), ASKED))


def test_an_hour_alone_is_scanned():
    scanned, _ = scan.cells(b'{"by_tweet_type_day_hour":{"3":{"url_clicks":{"2026-02-02":{"09":"0"}}}}}', ASKED)
    assert columns(scanned) == [[3], [ASKED.types["url_clicks"]], [20486], [9], [0], {("3", "url_clicks"): 0}]


def test_the_rest_is_the_body_with_an_empty_object_in_place_of_the_counts():
    _, rest = scan.cells(BODY, ASKED)
    before, counts, after = BODY.partition(BODY[BODY.index(b'{"189') : BODY.index(b',"by_tweet_type":')])
    assert rest == before + b"{}" + after
    assert json.loads(counts) == json.loads(BODY)[CELLS]


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
    "the grouping named behind, too": (b'"by_type":', b'"trace":{"by_tweet_type_day_hour":{}},"by_type":'),
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
    assert scan.cells(body, ASKED) is None
    flat = flatten(body, REQUEST)
    assert (flat.rows.num_rows, flat.scanned) == (5, False)


def test_a_body_without_counts_is_left_to_plain():
    body = b'{"by_tweet_type_day_hour":{},"by_tweet_type":{},"by_type":{}}'
    assert scan.cells(body, ASKED) is None
    assert flatten(body, REQUEST).rows.num_rows == 0


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
        plain.cells(plain.parsed(body), ASKED)
    assert scan.cells(body, ASKED) is None


def test_counts_that_stand_deeper_than_in_the_root_are_missing():
    root = json.loads(BODY)
    body = json.dumps({"trace": {CELLS: root.pop(CELLS)}} | root, separators=(",", ":")).encode()
    with pytest.raises(ResponseError, match=rf"^\$\.{CELLS}: is missing"):
        flatten(body, REQUEST)


def test_a_body_that_ends_early_is_named_by_the_place_where_it_ends():
    """Its own place, not that of the rest without the counts."""
    with pytest.raises(ResponseError, match=rf"is not JSON: .*\(char {len(BODY) - 1}\)"):
        flatten(BODY[:-1], REQUEST)


KEYS = st.tuples(
    st.sampled_from([3, ONE, TWO]), st.sampled_from(TYPES), st.sampled_from([*SPAN.days()]), st.integers(0, 23)
)
TABLES = st.dictionaries(KEYS, st.just(0) | st.integers(0, 10**15 - 1), max_size=60)


@settings(max_examples=150, deadline=None)
@given(table=TABLES)
def test_any_table_written_compact_and_sorted_is_scanned_and_given_back(table):
    body = json.dumps(parts(table), separators=(",", ":"), sort_keys=True).encode()
    flat = flatten(body, REQUEST)
    rows = [*zip(*(column.to_pylist() for column in flat.rows.columns), strict=True)]
    assert rows == sorted((*key, count) for key, count in table.items())
    assert flat.scanned
