"""Bodies made by seed, as objects first and as text then, with the requests that they answer; half are broken."""

import json
import random
import re
from datetime import date, timedelta

from bodies import parts

from engagement_pipeline.core.endpoints import HISTORICAL, RECENT
from engagement_pipeline.core.model import Request, Window
from engagement_pipeline.sources.engagement.request import CELLS, TYPE_SUMS

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
        types=tuple(rng.sample(endpoint.types, rng.randint(1, 3))),
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
