"""Responses landed as received, with their request: the truth from which every table can be rebuilt.

In: a Request and its Response. Out: one compressed file a response, and the list of what has landed.

    raw/historical/FIRST_LAST/STARTED/        one pull of one window
        pull.json                             what it asks for; whether it is finished and published
        HANDLE-FIRST_ID-ASKED.json.zst        line 1: what Landed holds, as JSON; then the body as received
        rejected/                             bodies that do not add up: kept to be looked at, never published

A file appears whole or not at all, so whatever is there can be trusted, and a pull that stopped anywhere goes
on from it. No header that was sent is kept, so no token can be.
"""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

import pyarrow as pa

from engagement_pipeline.errors import LakeError
from engagement_pipeline.plan import Window

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engagement_pipeline.client import Response
    from engagement_pipeline.plan import Request

logger = logging.getLogger(__name__)

ZSTD = pa.Codec("zstd", compression_level=3)  # higher levels cost more time than they save space
STAMP = "%Y%m%dT%H%M%S.%fZ"  # sorts as text in the order of time
SUFFIX = ".json.zst"
HEADER_BYTES = 16_384  # read at a time until the header's line ends


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """What is known of a landed response without reading its body.

    `refusal` is the API's text where it refused these Tweets, else empty.
    """

    path: Path
    handle: str
    tweet_ids: tuple[int, ...]
    window: Window
    types: tuple[str, ...]
    asked_at: datetime
    seconds: float
    tries: int
    refusal: str

    def body(self) -> bytes:
        """Return the body as received; raises LakeError naming a file that is damaged."""
        return _read(self.path)[1]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """One pull of one window: a directory of landed responses."""

    path: Path
    window: Window
    types: tuple[str, ...]
    started_at: datetime
    finished: bool = False
    published: bool = False

    def land(self, request: Request, response: Response, *, refusal: str = "") -> Path:
        """Write one response, whole or not at all; return where it is.

        `refusal` is the API's text where it refused every Tweet of the request: then the body is that refusal.
        """
        header = {
            "handle": request.handle,
            "tweet_ids": request.tweet_ids,
            **_days(request.window),
            "types": request.types,
            "asked_at": response.asked_at.isoformat(),
            "seconds": round(response.seconds, 3),
            "tries": response.tries,
            "refusal": refusal,
        }
        name = f"{request.handle}-{request.tweet_ids[0]}-{response.asked_at.strftime(STAMP)}{SUFFIX}"
        content = json.dumps(header).encode() + b"\n" + response.body
        write_whole(self.path / name, ZSTD.compress(content))
        return self.path / name

    def reject(self, path: Path) -> Path:
        """Set a landed body apart, which frees its Tweets to be asked for again; return where it is."""
        (self.path / "rejected").mkdir(exist_ok=True)
        return path.rename(self.path / "rejected" / path.name)

    def landed(self) -> Iterator[Landed]:
        """Yield what has landed, in the order of the file names."""
        for path in sorted(self.path.glob("*" + SUFFIX)):
            yield _landed(path)

    def marked(self, *, finished: bool | None = None, published: bool | None = None) -> Self:
        """Record that nothing more will land in it, or that every landed response is in the tables."""
        changed = replace(
            self,
            finished=self.finished if finished is None else finished,
            published=self.published if published is None else published,
        )
        changed.save()
        return changed

    def save(self) -> None:
        """Write pull.json whole or not at all."""
        fields = asdict(self)
        del fields["path"], fields["window"]
        fields |= {"started_at": self.started_at.isoformat(), **_days(self.window)}
        write_whole(self.path / "pull.json", json.dumps(fields, indent=1).encode())


def open_pulls(raw: Path) -> list[Pull]:
    """Return the pulls whose responses are not all in the tables yet, oldest first."""
    pulls = [_load(path) for path in raw.glob("historical/*/*/pull.json")]
    return sorted((pull for pull in pulls if not pull.published), key=lambda pull: pull.started_at)


def begin(raw: Path, window: Window, *, types: tuple[str, ...], now: datetime, resume_hours: int) -> Pull:
    """Return the newest unfinished pull of the same window and types, or start one.

    One older than `resume_hours` is not taken up, since what it landed may have been revised: it is finished as
    it is. A finished one never is taken up, because pulling again is how revisions are seen.
    """
    unfinished = [pull for pull in open_pulls(raw) if not pull.finished]
    for pull in unfinished:
        if now - pull.started_at >= timedelta(hours=resume_hours):
            pull.marked(finished=True)
        elif (pull.window, pull.types) == (window, types):
            logger.info("going on with the unfinished pull of %s, started %s", window, pull.started_at)
            return pull
    name = f"{window.first}_{window.last}"
    pull = Pull(path=raw / "historical" / name / now.strftime(STAMP), window=window, types=types, started_at=now)
    pull.path.mkdir(parents=True)
    pull.save()
    return pull


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is either absent or complete, whatever happens meanwhile."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise LakeError(f"{path} cannot be written: {error.strerror}; what landed before is kept") from error


def _load(path: Path) -> Pull:
    try:
        fields = json.loads(path.read_bytes())
        return Pull(
            path=path.parent,
            window=_window(fields),
            types=tuple(fields["types"]),
            started_at=datetime.fromisoformat(fields["started_at"]),
            finished=fields["finished"],
            published=fields["published"],
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise LakeError(f"{path} is damaged ({error!r}): move its folder away and pull the window again") from None


def _landed(path: Path) -> Landed:
    header = _read(path, header_only=True)[0]
    try:
        return Landed(
            path=path,
            handle=header["handle"],
            tweet_ids=tuple(header["tweet_ids"]),
            window=_window(header),
            types=tuple(header["types"]),
            asked_at=datetime.fromisoformat(header["asked_at"]),
            seconds=header["seconds"],
            tries=header["tries"],
            refusal=header["refusal"],
        )
    except (ValueError, KeyError, TypeError) as error:
        raise _damaged(path, repr(error)) from None


def _read(path: Path, *, header_only: bool = False) -> tuple[dict[str, Any], bytes]:
    """Return a landed file's header and, unless `header_only`, its body."""
    try:
        with pa.OSFile(str(path)) as file, pa.CompressedInputStream(file, "zstd") as stream:
            content = stream.read(HEADER_BYTES if header_only else None)
            while header_only and b"\n" not in content:
                more = stream.read(HEADER_BYTES)
                if not more:
                    break
                content += more
        header, _, body = content.partition(b"\n")
        return json.loads(header), body
    except (OSError, ValueError) as error:
        raise _damaged(path, str(error)) from None


def _damaged(path: Path, reason: str) -> LakeError:
    return LakeError(f"{path} is damaged ({reason}): move it away and pull {path.parent.parent.name} again")


def _days(window: Window) -> dict[str, str]:
    return {"first": window.first.isoformat(), "last": window.last.isoformat()}


def _window(fields: dict[str, Any]) -> Window:
    return Window(date.fromisoformat(fields["first"]), date.fromisoformat(fields["last"]))
