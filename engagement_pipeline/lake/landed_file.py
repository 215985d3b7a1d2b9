"""The file of one response: line 1 is the request and what Landed holds, then comes the body as received.

In: a Request and its Response, or a path. Out: what the file holds, or Landed. Checksums tell a header or body that is
not what was written, and the file's name a header that is of another request.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import date, datetime
from operator import index
from typing import TYPE_CHECKING, Any
from zlib import crc32

import pyarrow as pa

from engagement_pipeline.core.dated import STAMP
from engagement_pipeline.core.endpoints import ENDPOINTS
from engagement_pipeline.core.errors import LakeError, raise_not_given
from engagement_pipeline.core.model import LARGEST_BODY, Request, Window
from engagement_pipeline.core.tweet_ids import is_tweet_id
from engagement_pipeline.lake.parquet import detail_of
from engagement_pipeline.lake.states import UNSETTLED, State

if TYPE_CHECKING:
    from pathlib import Path

    from engagement_pipeline.lake.storages import Storage

ZSTD = pa.Codec("zstd", compression_level=3)  # higher levels cost more time than they save space
SUFFIX = ".json.zst"
CHANGED = "it is not what was written"
CHECKSUMS = "crc32"  # in a header: of the rest of it, and of the body
APART = {State.REJECTED.value, State.UNANSWERED.value}  # the folders of what holds no answer that counts
HEADER_BYTES = 16_384  # read at a time until the header's line ends
LARGEST_HEADER = 2**20  # bytes; 250 Tweets are 6,000


@dataclass(frozen=True, slots=True, kw_only=True)
class Landed:
    """What is known of a landed response without reading its body.

    `refusal` is the API's text where it refused these Tweets, else empty; `tokens` is the fingerprint of the
    tokens that asked for them. `unanswered` is one of tables.UNANSWERED where no answer came for them, else empty;
    `refusal` then says why, and `asked_at` is when they were given up.
    """

    path: Path
    request: Request
    asked_at: datetime
    refusal: str
    tokens: str
    unanswered: str = ""
    storage: Storage = field(compare=False, repr=False)

    def body(self) -> bytes:
        """Return the body as received; raises LakeError naming a file that is damaged."""
        return unpacked(self.storage, self.path)[1]


def header_of(request: Request, asked_at: datetime, *, refusal: str, tokens: str, unanswered: str) -> dict[str, Any]:
    """Return the header of a response, as `Landed` describes it."""
    return {
        "endpoint": request.endpoint.name,
        "handle": request.handle,
        "tweet_ids": request.tweet_ids,
        "types": request.types,
        **days_of(request.window),
        **_keys(request),
        "asked_at": asked_at.isoformat(),
        "refusal": refusal,
        "tokens": tokens,
        **({"unanswered": unanswered} if unanswered else {}),
    }


def packed(header: dict[str, Any], body: bytes) -> bytes:
    """Return what the file of a response holds: the header, with the checksums of it and of the body, and the body."""
    sums = [crc32(json.dumps(header).encode()), crc32(body)]
    content: bytes = ZSTD.compress(json.dumps(header | {CHECKSUMS: sums}).encode() + b"\n" + body)
    return content


def landed_at(storage: Storage, path: Path) -> Landed:
    """Return the landed response in a file; raises LakeError where its header is damaged."""
    header = unpacked(storage, path, header_only=True)[0]
    try:
        request = Request(
            endpoint=ENDPOINTS[header["endpoint"]],
            handle=header["handle"],
            tweet_ids=tuple(map(index, header["tweet_ids"])),  # whole numbers, or TypeError
            types=tuple(header["types"]),
            window=window_of(header),
            keys={int(number): key for number, key in header.get("keys", {}).items()},
        )
        landed = Landed(
            path=path,
            request=request,
            asked_at=datetime.fromisoformat(header["asked_at"]),
            refusal=header["refusal"],
            tokens=header["tokens"],
            unanswered=header.get("unanswered", ""),
            storage=storage,
        )
        _check_types(landed)
        _check_place(landed)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise damaged(path, repr(error)) from None
    return landed


def _check_types(landed: Landed) -> None:
    """Raise ValueError where a value of a header has another type than it is written with."""
    request = landed.request
    texts = (request.handle, landed.refusal, landed.tokens, *request.types, *request.keys.values())
    if not all(isinstance(text, str) for text in texts) or landed.asked_at.tzinfo is None:
        raise ValueError("a value has another type")
    if not request.tweet_ids or not all(map(is_tweet_id, request.tweet_ids)):
        raise ValueError("a Tweet ID is none")
    if not {*request.types} <= {*request.endpoint.types}:
        raise ValueError("it names a type that there is not")


def _check_place(landed: Landed) -> None:
    """Raise ValueError where a header tells of another request than the names of its file and folders.

    With one letter of it changed on the disk, an older answer would seem to be the newest.
    """
    request, folder = landed.request, landed.path.parent
    endpoint, days = (folder.parent if folder.name in APART else folder).parts[-3:-1]
    window = "_".join(days_of(request.window).values())
    is_of_folder = endpoint == request.endpoint.name and window == (days if request.endpoint.max_days else "")
    if not is_of_folder or landed.path.name.removesuffix(UNSETTLED) != name_of(request, landed.asked_at):
        raise ValueError("it is of another request than its name says")


def name_of(request: Request, asked_at: datetime) -> str:
    """Return the name of a response's file."""
    return f"{request.handle or 'bearer'}-{request.tweet_ids[0]}-{asked_at.strftime(STAMP)}{SUFFIX}"


def unpacked(storage: Storage, path: Path, *, header_only: bool = False) -> tuple[dict[str, Any], bytes]:
    """Return the header of a response and, unless `header_only`, the body; raises LakeError where it is damaged."""
    try:
        with storage.source(path) as file, pa.CompressedInputStream(file, "zstd") as stream:
            content = stream.read(HEADER_BYTES)
            while b"\n" not in content and len(content) < LARGEST_HEADER:
                more = stream.read(HEADER_BYTES)
                if not more:
                    break
                content += more
            header, _, body = content.partition(b"\n")
            if not header_only:
                body += stream.read(LARGEST_BODY + 1)
        fields = json.loads(header)
        sums = fields.pop(CHECKSUMS, None)  # none in files of older programs
        if sums and sums[0] != crc32(json.dumps(fields).encode()):
            raise ValueError(CHANGED)  # noqa: TRY301 - told as all that is wrong with a file
    except (OSError, ValueError, RecursionError, AttributeError, LookupError, TypeError) as error:
        raise_not_given(error, path)
        raise damaged(path, detail_of(error)) from None
    if len(body) > LARGEST_BODY:  # a small file may hold any number of blanks
        raise damaged(path, f"its body has more than {LARGEST_BODY // 2**20} MB, and none of the API is that large")
    if sums and not header_only and sums[1] != crc32(body):
        raise damaged(path, CHANGED)
    return fields, body


def damaged(path: Path, reason: str) -> LakeError:
    """Return the error that names a response that cannot be read, why, and the fix."""
    if path.parent.name == State.UNANSWERED.value:
        return LakeError(f"{path} is damaged ({reason}): remove it; it holds no answer, only why none came")
    apart = path.parent / State.REJECTED.value / path.name.removesuffix(UNSETTLED)
    return LakeError(
        f"{path} is damaged ({reason}): put it back from a backup of the lake; without one, move it to {apart}: what "
        "was published of it stays, and the next pull of these days asks for its Tweets again"
    )


def _keys(request: Request) -> dict[str, dict[int, str]]:
    """Return the media keys of a request, which no other endpoint has."""
    keys = {number: request.keys[number] for number in request.tweet_ids if number in request.keys}
    return {"keys": keys} if keys else {}


def days_of(window: Window | None) -> dict[str, str]:
    """Return the first and the last day of a window as a header or pull.json has them, none where it has none."""
    return {"first": window.first.isoformat(), "last": window.last.isoformat()} if window else {}


def window_of(fields: dict[str, Any]) -> Window | None:
    """Return the window in a header or pull.json, None where it has none."""
    return (
        Window(date.fromisoformat(fields["first"]), date.fromisoformat(fields["last"])) if "first" in fields else None
    )
