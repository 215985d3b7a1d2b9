"""The landed responses without Tweets that are forgotten: rewritten so that they still pass their audit.

In: the file of a response, and the Tweets that are to go. Out: its name and content as they are to become, or nothing
where it does not name them.

The name of a file holds the first Tweet that it asked for, so that it may change. A response that asked for nothing
else goes. The header of one that was rewritten says when, and how many Tweets it lacks. A rejected body may be no JSON.
Nobody can rewrite that, so it goes, and its header stays.
"""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from engagement_pipeline import sources
from engagement_pipeline.core.errors import LakeError, ResponseError
from engagement_pipeline.lake import raw
from engagement_pipeline.lake.landed_file import APART, SUFFIX, landed_at, packed, unpacked
from engagement_pipeline.lake.states import UNSETTLED, State

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime
    from pathlib import Path

    from engagement_pipeline.core.erased import Erased
    from engagement_pipeline.core.model import Request
    from engagement_pipeline.lake.layout import Lake

logger = logging.getLogger(__name__)
REWRITTEN = "rewritten"  # the key of a header that says when, and how many Tweets are left out


class Rewritten(NamedTuple):
    """What is to become of a response: where it is to lie, and what the file is to hold; None: it goes."""

    path: Path
    content: bytes | None


def files(lake: Lake) -> Iterator[Path]:
    """Yield the files of all responses, whatever their state."""
    for folder in raw.folders(lake):
        yield from lake.storage.find(f"**/*{SUFFIX}*", within=folder)


def names(lake: Lake, path: Path, erased: Erased) -> bool:
    """Tell whether a response names any of the Tweets; one that cannot be read is not known to."""
    try:
        asked = landed_at(lake.storage, path).request.tweet_ids
        header, body = unpacked(lake.storage, path)
    except LakeError:
        return False
    return not erased.ids.isdisjoint(asked) or erased.named_in(json.dumps(header).encode() + body)


def without(lake: Lake, path: Path, erased: Erased, *, now: datetime) -> Rewritten | None:
    """Return what a response becomes, None if it stays; raises LakeError where it cannot be read."""
    landed = landed_at(lake.storage, path)
    header, body = unpacked(lake.storage, path)
    asked = landed.request.tweet_ids
    stays = tuple(tweet for tweet in asked if tweet not in erased.ids)
    if stays == asked and not erased.named_in(json.dumps(header).encode() + body):
        return None
    if not stays:
        return Rewritten(path, None)
    before = header.pop(REWRITTEN, {}).get("left_out", 0)
    rest = erased.without({key: value for key, value in header.items() if key != "tweet_ids"})
    left_out = {"at": now.isoformat(), "left_out": before + len(asked) - len(stays)}
    request = replace(landed.request, tweet_ids=stays)
    new = _body(path, body, request, erased)
    target = path.with_name(_name(path.name, asked[0], stays[0]))
    if path.parent.name not in APART and not path.name.endswith(UNSETTLED) and not landed.refusal:
        target = _audited(target, new, request)
    return Rewritten(target, packed(rest | {"tweet_ids": stays, REWRITTEN: left_out}, new))


def _name(name: str, first: int, now_first: int) -> str:
    """Return a file's name, with the first Tweet that it asks for now."""
    owner, _, rest = name.partition(f"-{first}-")
    return f"{owner}-{now_first}-{rest}" if rest else name


def _body(path: Path, body: bytes, request: Request, erased: Erased) -> bytes:
    """Return the body without the Tweets, none where it cannot be rewritten."""
    try:
        return sources.source_of(request.endpoint).without(body, erased) if body else body
    except ValueError:
        logger.warning("%s is not JSON, so that nobody can rewrite it: its body is removed", erased.masked(str(path)))
        return b""


def _audited(path: Path, body: bytes, request: Request) -> Path:
    """Return where a rewritten response lies that counted: apart if it does not pass its audit."""
    try:
        sources.read(body, request)
    except ResponseError as error:
        apart = path.parent / State.REJECTED.value / path.name
        logger.warning(
            "%s does not pass its audit without a forgotten Tweet (%s): it is kept as %s", path, error, apart
        )
        return apart
    return path
