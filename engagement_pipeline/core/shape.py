"""The shape of an answer, and what in an answer is outside of it: keys, types, headers and words that are news.

In: a Shape, which a source writes down from the vendor's documents, and the parsed body of an answer; or its headers.
Out: News. Pure.

A Shape says what may be there, never what must be. What stays away is for the audit and the checks to tell.

Values are looked at by place, all that stand at one place together. So it costs little where many are alike.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import KW_ONLY, dataclass, field, replace
from itertools import islice
from typing import TYPE_CHECKING, Any

from engagement_pipeline.core.redaction import MASK, printable, redacted, shown

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

KEY, TYPE, HEADER, TEXT = "key", "type", "header", "error text"  # the kinds of News
OBJECT, LIST, STRING, WHOLE, FRACTION, FLAG, NULL = (
    "an object",
    "a list",
    "text",
    "a whole number",
    "a number with a fraction",
    "true or false",
    "null",
)
TYPES = {dict: OBJECT, list: LIST, str: STRING, bool: FLAG, int: WHOLE, float: FRACTION, type(None): NULL}
LOOKED_AT, MOST = 200, 20  # of one answer: a body that has nothing to do with the API has thousands
ANY_KEY = "*"  # stands for a key that is an ID, a day or an hour
SHOWN_CHARACTERS = 80  # of a name
IS_NUMBER = re.compile(r"[\d:.TZ+_-]*\d[\d:.TZ+_-]*", re.ASCII)
WORD = re.compile(r"[A-Z]{0,4}\d{0,4}|[A-Za-z]\d{0,4}|(?:[A-Z]?[a-z]{2,20}\d{0,4})+", re.ASCII)  # of a name
BETWEEN_WORDS = re.compile(r"[_. -]")
# What is taken out of an error text, so that the same words about other Tweets are the same text.
LEFT_OUT = (
    (re.compile(r"https?://\S*/"), ""),
    (re.compile(r"\[[^\]]*\]|\([^)]*\d[^)]*\)"), "[…]"),
    (re.compile(r"@\w+"), "HANDLE"),
    (re.compile(r"\d{4}-\d\d-\d\d(?:[T ][\d:.]+(?:Z|[+-]\d\d:?\d\d)?)?", re.ASCII), "MOMENT"),
    (re.compile(r"\w*\d\w*"), "N"),
    (re.compile(r"\bN(?:[\s,;:.-]+N\b)+"), "N"),
)
# The words of a header's name that tell of a rate, or that an API changes or ends. Proxies and networks of the way add
# headers of their own, by the place from which one asks, and rename them. Those say nothing about the API.
OF_THE_API = {"api", "cap", "deprecated", "deprecation", "limit", "per", "quota", "rate", "ratelimit", "remaining"}
OF_THE_API |= {"reset", "sunset", "usage", "warning"}


@dataclass(frozen=True, slots=True)
class News:
    """Something in an answer that is not documented.

    kind: KEY, TYPE, HEADER or TEXT.
    place: where it stands, as in `$.data[].id`; empty for a header.
    name: the key, the type, the header, or the text without IDs, numbers, handles and moments.
    example: the value, without secrets, on one short line.
    documented: the types that are documented there, for a TYPE.
    """

    kind: str
    place: str
    name: str
    example: str
    documented: str = ""

    def words(self, endpoint: object, *, kept: bool) -> str:
        """Say what it is, and what becomes of it; `kept`: the answer is in raw."""
        fate = "it is kept in raw and not stored" if kept else "nothing reads it"
        return {
            KEY: f"/{endpoint} now sends key `{self.name}` in {self.place}; {fate}",
            TYPE: f"/{endpoint} now sends {self.name} as {self.place}, where {self.documented} is documented",
            HEADER: f"/{endpoint} now sends header `{self.name}`; nothing reads it",
            TEXT: f"/{endpoint} now says in {self.place}: {self.name}; this program does not know the words",
        }[self.kind]


@dataclass(frozen=True, slots=True)
class Shape:
    """What may stand at a place of an answer.

    types: those of the values.
    keys: what may stand under each key of an object.
    others: what may stand under all other keys of an object; None: there are none.
    items: what the members of a list may be; None: nobody looks at them.
    texts: fits the texts that are documented; None: any text may stand there.
    """

    types: tuple[str, ...]
    _: KW_ONLY
    keys: Mapping[str, Shape] = field(default_factory=dict)
    others: Shape | None = None
    items: Shape | None = None
    texts: re.Pattern[str] | None = None


ANY = Shape((*TYPES.values(),))  # nobody looks into it


def news_of(root: object, shape: Shape, *, handle: str = "") -> tuple[News, ...]:
    """Return what of a parsed body is outside of its shape, MOST at most; `handle` is left out of texts.

    Of an unexpected type under several keys of an object, such as all metrics, it tells once.
    """
    found = [*islice(_news([root], shape, "$", handle), LOOKED_AT)]
    alike = Counter(_beside(news) for news in found if news.kind == TYPE)
    told: dict[tuple[str, str, str], News] = {}
    for news in found:
        once = replace(news, place=_beside(news)[0]) if alike[_beside(news)] > 1 else news
        told.setdefault((once.kind, once.place, once.name), once)
    return tuple(told.values())[:MOST]


def news_of_headers(headers: Mapping[str, str], documented: Collection[str]) -> tuple[News, ...]:
    """Return the headers of the API that are not among the documented ones, which are in lower case."""
    lower = {name.lower(): value for name, value in headers.items()}
    strange = [name for name in sorted(lower) if name not in documented and OF_THE_API & {*name.split("-")}]
    return tuple(News(HEADER, "", _spelled(name), shown(lower[name])) for name in strange[:MOST])


def fingerprint(text: str, *, handle: str = "") -> str:
    """Return an error text without IDs, numbers, handles and moments, so that it is the same for other Tweets."""
    if handle:
        text = re.sub(rf"\b{re.escape(handle)}\b", "HANDLE", text, flags=re.IGNORECASE)
    for pattern, word in LEFT_OUT:
        text = pattern.sub(word, text)
    return shown(text)


def _beside(news: News) -> tuple[str, str]:
    """Return the place of all that stands beside a value, and its type."""
    return f"{news.place.rpartition('.')[0]}.{ANY_KEY}", news.name


def _news(found: Sequence[Any], shape: Shape, place: str, handle: str) -> Iterator[News]:
    """Yield what of the values at a place is news."""
    if shape is ANY:
        return
    kinds = {kind: _type(kind) for kind in {*map(type, found)}}
    for kind, name in sorted(kinds.items(), key=lambda each: each[1]):
        if name not in shape.types:
            example = _as_text(next(value for value in found if type(value) is kind))
            yield News(TYPE, place, name, example, documented=" or ".join(shape.types))
    if OBJECT in kinds.values() and OBJECT in shape.types:
        yield from _in_objects([value for value in found if isinstance(value, dict)], shape, place, handle)
    if LIST in kinds.values() and shape.items:
        members = [member for value in found if isinstance(value, list) for member in value]
        yield from _news(members, shape.items, f"{place}[]", handle)
    for text in dict.fromkeys(value for value in found if isinstance(value, str)) if shape.texts else ():
        if shape.texts and not shape.texts.fullmatch(text):
            yield News(TEXT, place, fingerprint(text, handle=handle), shown(text))


def _in_objects(found: Sequence[dict[str, Any]], shape: Shape, place: str, handle: str) -> Iterator[News]:
    """Yield what of the objects at a place is news: their keys, and what stands under those that are known."""
    names = set[str]().union(*found)
    for name in sorted(names & shape.keys.keys()):
        yield from _news([each[name] for each in found if name in each], shape.keys[name], f"{place}.{name}", handle)
    strange = names - shape.keys.keys()
    if strange and shape.others:
        values = [value for each in found for name, value in each.items() if name in strange]
        yield from _news(values, shape.others, f"{place}.{ANY_KEY}", handle)
    elif strange:
        spelled = {_spelled(name): name for name in sorted(strange, reverse=True)}  # many IDs are one piece of news
        for shown_as, name in sorted(spelled.items()):
            yield News(KEY, place, shown_as, _as_text(next(each[name] for each in found if name in each)))


def _type(kind: type) -> str:
    return next(TYPES[base] for base in kind.__mro__ if base in TYPES)


def _as_text(value: object) -> str:
    """Return a value as an example shows it."""
    try:
        return shown(value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))
    except RecursionError:  # the body itself can be nested a little deeper
        return MASK


def _spelled(name: str) -> str:
    """Return the name of a key or header: ANY_KEY for an ID or a moment, masked if it is not made of words."""
    if IS_NUMBER.fullmatch(name):
        return ANY_KEY
    words = len(name) <= SHOWN_CHARACTERS and all(map(WORD.fullmatch, BETWEEN_WORDS.split(name)))
    return printable(redacted(name)) if words else shown(name)
