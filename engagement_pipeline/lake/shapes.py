"""What the APIs have sent that is not documented: each piece of news once, with an example, and when it was told.

In: news of an answer. Out: shapes.jsonl in the lake, a line each, and those that nobody has been told yet. Whoever
changes the file holds its lock, so that two pulls at once write nothing twice. If it is lost, what the API still sends
is news again.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import orjson

from engagement_pipeline.core.shape import ANY_KEY, News
from engagement_pipeline.core.tables import SHAPES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from engagement_pipeline.core.model import Request
    from engagement_pipeline.lake.storages import Storage

LOCK = "shapes"
MOST_AT_A_PLACE = 20  # names of a kind: a place that has more is one where keys or texts are made up anew


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """A row of the table `shapes`; `pull` is the folder of the pull in the lake, empty where it was of none."""

    first_seen: datetime
    endpoint: str
    kind: str
    place: str
    name: str
    meaning: str
    pull: str | None
    handle: str | None
    tweet_ids: tuple[int, ...]
    example: str | None
    told_at: datetime | None = None

    @property
    def key(self) -> tuple[str, str, str, str]:
        """What tells rows apart."""
        return self.endpoint, self.kind, self.place, self.name


def load(storage: Storage) -> list[Seen]:
    """Return what was seen, in the order in which it was; nothing where there is no file."""
    return [*_read(storage.lines(_path(storage)))]


def learn(
    storage: Storage, news: Iterable[News], request: Request, *, asked_at: datetime, pull: str = "", kept: bool
) -> None:
    """Write down what of the news of an answer was never seen before; `kept`: the answer is in raw.

    LakeError where the file cannot be written.
    """
    heard = [_seen(each, request, asked_at, pull, kept=kept) for each in news]
    if not _new(heard, load(storage)):
        return
    with storage.lock(LOCK, waiting=lambda _: None):  # which takes a moment
        known = load(storage)
        _write(storage, [*known, *_new(heard, known)])


def tell(storage: Storage, told: Collection[Seen], *, at: datetime) -> None:
    """Write down that a person has been told of these."""
    keys = {seen.key for seen in told}
    with storage.lock(LOCK, waiting=lambda _: None):
        known = load(storage)
        _write(storage, [replace(seen, told_at=at) if seen.key in keys else seen for seen in known])


def untold(storage: Storage) -> list[Seen]:
    """Return what nobody has been told yet."""
    return [seen for seen in load(storage) if seen.told_at is None]


def _seen(news: News, request: Request, asked_at: datetime, pull: str, *, kept: bool) -> Seen:
    return Seen(
        first_seen=asked_at,
        endpoint=request.endpoint.name,
        kind=news.kind,
        place=news.place,
        name=news.name,
        meaning=news.words(request.endpoint, kept=kept),
        pull=pull or None,
        handle=request.handle or None,
        tweet_ids=request.tweet_ids,
        example=news.example,
    )


def _new(heard: Iterable[Seen], known: Iterable[Seen]) -> list[Seen]:
    """Return what is not known, once each; of a place with MOST_AT_A_PLACE names, a row that stands for all others."""
    keys = {seen.key for seen in known}
    places = Counter(key[:3] for key in keys)
    new = []
    for seen in heard:
        if seen.key not in keys and places[seen.key[:3]] >= MOST_AT_A_PLACE:
            others = f"/{seen.endpoint} now sends more of the kind {seen.kind} in {seen.place} than are listed here"
            seen = replace(seen, name=ANY_KEY, meaning=others)  # noqa: PLW2901
        if seen.key not in keys:
            new.append(seen)
            keys.add(seen.key)
            places[seen.key[:3]] += 1
    return new


def _read(lines: Iterable[bytes]) -> Iterator[Seen]:
    """Yield the rows; a line that somebody has damaged is left out, and what it told is news again."""
    for line in lines:
        with suppress(ValueError, TypeError, KeyError):
            fields = orjson.loads(line)
            told_at = fields["told_at"] and datetime.fromisoformat(fields["told_at"])
            moments = {"first_seen": datetime.fromisoformat(fields["first_seen"]), "told_at": told_at}
            yield Seen(**{**fields, **moments, "tweet_ids": (*map(int, fields["tweet_ids"]),)})


def _write(storage: Storage, rows: Iterable[Seen]) -> None:
    lines = [orjson.dumps(asdict(seen) | {"tweet_ids": [*map(str, seen.tweet_ids)]}) + b"\n" for seen in rows]
    storage.write_whole(_path(storage), b"".join(lines))


def _path(storage: Storage) -> Path:
    return storage.root / SHAPES.file
