"""The objects of one bucket: put whole, got, listed, copied and removed.

In: keys and contents. Out: Held, what the store has under a key; or an OSError in words of ours. Of what the store
answered, that has no more than the code of the fault.

obstore signs and sends. It finds endpoint, region and credentials by itself: in the variables AWS_…, or from the
machine that it runs on. Where AWS_PROFILE names a profile, boto3 reads it. No key is ever seen here.
"""

from __future__ import annotations

import errno
import os
import re
from contextlib import suppress
from datetime import timedelta
from functools import cache, wraps
from types import GeneratorType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from engagement_pipeline.core.errors import InputError, StoreError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from obstore.store import S3Store

    from engagement_pipeline.lake.object_ahead import Ahead
    from engagement_pipeline.lake.object_lines import Lines
    from engagement_pipeline.lake.object_lock import Lease

T = TypeVar("T")
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
TRIES = 10  # of a request that fails with what is usually temporary
PATIENCE = timedelta(minutes=3)  # for all tries of a request
TIMEOUT = timedelta(minutes=2)  # of one try
PAGE = 1000  # objects that a store lists in one answer
CODE = re.compile(r"<Code>(\w{1,60})</Code>")
STATUS = re.compile(r"status(?: code)?: (\d{3})")
ELSEWHERE = "the bucket lies in another region: name that in AWS_REGION"
REFUSED = "these credentials may not do that: get the right"
TOLD = {  # the code or the status of a fault: the number of the system that is nearest, and what it means
    "NoSuchBucket": (errno.ENODEV, "there is no such bucket: make it, or mend the setting data"),
    "AccessDenied": (errno.EACCES, REFUSED),
    "InvalidAccessKeyId": (errno.EACCES, "the store does not know the access key: mend the credentials"),
    "SignatureDoesNotMatch": (errno.EACCES, "the secret key is not that of the access key: mend the credentials"),
    "ExpiredToken": (errno.EACCES, "the credentials have expired: renew them"),
    "InvalidToken": (errno.EACCES, "the session token is wrong: renew the credentials"),
    "RequestTimeTooSkewed": (errno.EACCES, "this machine's clock is wrong: set it"),
    "AuthorizationHeaderMalformed": (errno.EXDEV, ELSEWHERE),
    "PermanentRedirect": (errno.EXDEV, ELSEWHERE),
    "QuotaExceeded": (errno.ENOSPC, "the bucket is full: make room"),
    "XMinioStorageFull": (errno.ENOSPC, "the store is full: make room"),
    "301": (errno.EXDEV, ELSEWHERE),
    "401": (errno.EACCES, REFUSED),
    "403": (errno.EACCES, REFUSED),
    "NotImplemented": (errno.ENOTSUP, "the store cannot do that"),
    "501": (errno.ENOTSUP, "the store cannot do that"),
    "507": (errno.ENOSPC, "the store is full: make room"),
}
ANOTHER_REGION = "redirect without LOCATION"  # obstore's words
NO_CREDENTIALS = "169.254.169.254"  # where a machine of a cloud has credentials, and no other machine


class Held(NamedTuple):
    """What a store has under a key: bytes, a text that changes with the content, and when it was put, by its clock."""

    key: str
    size: int
    tag: str
    put_at: datetime


class TakenError(OSError):
    """Nothing was put under a key, since something else is there by now."""


def _surveyed(ask: Callable[[Objects, str], T]) -> Callable[[Objects, str], T]:
    """Return a method that asks what it has asked before only where there is no survey."""

    @wraps(ask)
    def answer(self: Objects, place: str) -> T:
        survey, name = self.survey, (ask.__name__, place)
        if survey is None:
            return ask(self, place)
        if name not in survey:
            found: Any = ask(self, place)
            survey[name] = [*found] if isinstance(found, GeneratorType) else found
        return cast("T", survey[name])

    return answer


class Objects:
    """The objects of one bucket. Safe to share by threads, not with a process that was forked.

    With them is what this process knows of them. `leases` are the locks that it holds, `lines` what it appends to
    files, by the key of their folder. `seen` are the tags of objects by key, empty where there was none. `ahead` gets
    objects before they are read. `survey` has what was listed, while that is not to be asked again; else it is None.
    """

    def __init__(self, bucket: str) -> None:
        self.bucket = bucket
        self.leases: dict[str, Lease] = {}
        self.seen: dict[str, str] = {}
        self.lines: dict[str, Lines] = {}
        self.ahead: list[Ahead] = []
        self.survey: dict[tuple[str, str], Any] | None = None
        self._bare = False  # whether the store wants a tag without its quotation marks
        self._api = _library()
        self._store = _store(bucket)

    def put(self, key: str, content: bytes, *, over: str | None = None) -> str:
        """Put an object, whole or not at all; return its tag.

        With `over`, only where the object has that tag; where that is empty, only if there is none. Else TakenError.
        """
        if not over:
            return self._put(key, content, "overwrite" if over is None else "create")
        try:
            return self._put(key, content, {"e_tag": over.strip('"') if self._bare else over})
        except TakenError:
            held = self._head(key)
            if self._bare or held is None or held.tag != over:
                raise
            # Ceph up to 16 compares the tag without the quotation marks that it and HTTP have around it.
            tag = self._put(key, content, {"e_tag": over.strip('"')})
            self._bare = True
            return tag

    def _put(self, key: str, content: bytes, mode: Any) -> str:  # noqa: ANN401 - obstore's
        whole = bytes(content)  # it may be a buffer of Arrow's
        return self._asked(
            key, lambda: self._api.put(self._store, key, whole, mode=mode, use_multipart=False)["e_tag"] or ""
        )

    def _head(self, key: str) -> Held | None:
        try:
            return self._asked(key, lambda: _held(self._api.head(self._store, key)))
        except FileNotFoundError:
            return None

    def get(self, key: str, *, most: int | None = None) -> tuple[bytes, Held]:
        """Return an object, nothing of it if it has more bytes than `most`; FileNotFoundError where there is none."""

        def got() -> tuple[bytes, Held]:
            result = self._api.get(self._store, key)
            held = _held(result.meta)
            return bytes(result.bytes()) if most is None or held.size <= most else b"", held

        return self._asked(key, got)

    def part(self, key: str, start: int, length: int) -> bytes:
        """Return some bytes of an object."""
        return self._asked(key, lambda: bytes(self._api.get_range(self._store, key, start=start, length=length)))

    @_surveyed
    def head(self, key: str) -> Held | None:
        """Return what is known of an object, None where there is none."""
        return self._head(key)

    @_surveyed
    def below(self, folder: str) -> Iterator[Held]:
        """Yield all objects below a folder, in the order of their keys."""
        pages = self._api.list(self._store, prefix=folder or None, chunk_size=PAGE)
        while page := self._asked(folder, lambda: next(pages, None)):
            yield from map(_held, page)

    @_surveyed
    def level(self, folder: str) -> tuple[list[str], list[Held]]:
        """Return the folders in a folder, by their keys, and the objects in it."""
        found = self._asked(folder, lambda: self._api.list_with_delimiter(self._store, prefix=folder or None))
        return list(found["common_prefixes"]), [_held(meta) for meta in found["objects"]]

    def copy(self, key: str, to: str) -> None:
        """Copy an object within the store; what is there is replaced."""
        self._asked(key, lambda: self._api.copy(self._store, key, to))

    def delete(self, *keys: str) -> None:
        """Remove objects, those of them that are there."""
        if keys:
            with suppress(FileNotFoundError):
                self._asked(keys[0], lambda: self._api.delete(self._store, list(keys) if keys[1:] else keys[0]))

    def _asked(self, key: str, ask: Callable[[], T]) -> T:
        """Return what the store answers, or raise OSError in words of ours."""
        try:
            return ask()
        except (OSError, self._api.exceptions.BaseError) as error:
            raise _told(f"s3://{self.bucket}/{key}", error) from None


@cache
def of_bucket(bucket: str, _asking: tuple[tuple[str, str], ...], _process: int) -> Objects:
    """Return the objects of a bucket; the same ones for a process, as long as its variables are the same."""
    return Objects(bucket)


def objects(bucket: str) -> Objects:
    """Return the objects of a bucket, with which this process shares connections and locks."""
    asking = tuple(sorted(item for item in os.environ.items() if item[0].startswith("AWS_")))
    return of_bucket(bucket, asking, os.getpid())


def endpoint() -> str:
    """Return the address of the store, empty for that of AWS."""
    return next((os.environ[name] for name in ENDPOINTS if os.environ.get(name)), "")


def _library() -> Any:  # noqa: ANN401 - a module
    try:
        import obstore  # noqa: PLC0415 - only who has a bucket needs it
        import obstore.exceptions  # noqa: PLC0415
    except ImportError:
        raise InputError(
            "a lake in a bucket needs libraries that are not installed: in a clone of the project, pip install '.[s3]'"
        ) from None
    return obstore


def _store(bucket: str) -> S3Store:
    from obstore.store import S3Store  # noqa: PLC0415

    at = endpoint()
    given: Any = {"endpoint": at} if at else {}
    if os.environ.get("AWS_PROFILE"):
        from obstore.auth.boto3 import Boto3CredentialProvider  # noqa: PLC0415

        try:
            given["credential_provider"] = Boto3CredentialProvider()
        except Exception as error:  # noqa: BLE001 - boto3 has many of its own
            raise InputError(f"AWS_PROFILE names a profile without credentials ({type(error).__name__})") from None
    return S3Store(
        bucket,
        client_options={"allow_http": at.startswith("http://"), "timeout": TIMEOUT},
        retry_config={"max_retries": TRIES, "retry_timeout": PATIENCE},
        **given,
    )


def _held(meta: Any) -> Held:  # noqa: ANN401 - obstore's
    return Held(meta["path"], meta["size"], meta["e_tag"] or "", meta["last_modified"])


def _told(where: str, error: Exception) -> OSError:
    """Return an error of obstore as one of ours, in one line."""
    text = str(error)
    code, status = CODE.search(text), STATUS.search(text)
    for fault in (found[1] for found in (code, status) if found):
        if fault in TOLD:
            return StoreError(*TOLD[fault], where)
    if type(error).__name__ in {"AlreadyExistsError", "PreconditionError"}:
        return TakenError(errno.EEXIST, "something else is there by now", where)
    if isinstance(error, FileNotFoundError):
        return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), where)
    if ANOTHER_REGION in text:
        return StoreError(errno.EXDEV, ELSEWHERE, where)
    if NO_CREDENTIALS in text:
        return StoreError(errno.EACCES, "no credentials were found: set AWS_PROFILE, or AWS_ACCESS_KEY_ID", where)
    said = code or status
    what = f"the store answers {said[1]}" if said else "the store does not answer"
    return StoreError(errno.ETIMEDOUT, f"{what}: wait until it works", where)
