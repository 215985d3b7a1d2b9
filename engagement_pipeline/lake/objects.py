"""The objects of one bucket: put whole, got, listed, copied and removed.

In: keys and contents. Out: Held, what the store has under a key; or an OSError in words of ours. Of what the store
answered, that has no more than the code of the fault. stores.py opens the store.
"""

from __future__ import annotations

import errno
import os
import re
from functools import cache, wraps
from types import GeneratorType
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar, cast

from engagement_pipeline.core.errors import StoreError
from engagement_pipeline.lake.stores import kind, library, opened, variables

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from engagement_pipeline.lake.object_ahead import Ahead
    from engagement_pipeline.lake.object_lines import Lines
    from engagement_pipeline.lake.object_lock import Lease

T = TypeVar("T")
PAGE = 1000  # objects that a store lists in one answer
CODE = re.compile(r"(?:<Code>|\(code: )(\w{1,60})")  # of a request, or of one object of those that it removes
STATUS = re.compile(r"status(?: code)?: (\d{3})")
NO_BUCKET = "there is no such bucket: make it, or mend the setting data"
ELSEWHERE = "the bucket lies in another region: name that in AWS_REGION"
REFUSED = "these credentials may not do that: get the right"
TOLD = {  # the code or the status of a fault: the number of the system that is nearest, and what it means
    "NoSuchBucket": (errno.ENODEV, NO_BUCKET),
    "InvalidBucketName": (errno.ENODEV, NO_BUCKET),
    "ContainerNotFound": (errno.ENODEV, "there is no such container: make it, or mend the setting data"),
    "ContainerBeingDeleted": (errno.ENODEV, "the container is being removed: name another in the setting data"),
    "AccessDenied": (errno.EACCES, REFUSED),
    "InvalidAccessKeyId": (errno.EACCES, "the store does not know the access key: mend the credentials"),
    "SignatureDoesNotMatch": (errno.EACCES, "the secret key is not that of the access key: mend the credentials"),
    "ExpiredToken": (errno.EACCES, "the credentials have expired: renew them"),
    "AuthenticationFailed": (
        errno.EACCES,
        "the key or token is wrong or has expired: mend it, or this machine's clock",
    ),
    "AuthorizationFailure": (
        errno.EACCES,
        "these credentials may not do that, have expired, or are not taken from this network: mend that",
    ),
    "InvalidAuthenticationInfo": (errno.EACCES, "the token is wrong or has expired: renew the credentials"),
    "InvalidToken": (errno.EACCES, "the session token is wrong: renew the credentials"),
    "RequestTimeTooSkewed": (errno.EACCES, "this machine's clock is wrong: set it"),
    "AuthorizationHeaderMalformed": (errno.EXDEV, ELSEWHERE),
    "PermanentRedirect": (errno.EXDEV, ELSEWHERE),
    "BlobImmutableDueToPolicy": (
        errno.EACCES,
        "a policy of the container lets nothing be replaced: name another in the setting data",
    ),
    "QuotaExceeded": (errno.ENOSPC, "the bucket is full: make room"),
    "XMinioStorageFull": (errno.ENOSPC, "the store is full: make room"),
    "301": (errno.EXDEV, ELSEWHERE),
    "401": (errno.EACCES, REFUSED),
    "403": (errno.EACCES, REFUSED),
    "NotImplemented": (errno.ENOTSUP, "the store cannot do that"),
    "501": (errno.ENOTSUP, "the store cannot do that"),
    "507": (errno.ENOSPC, "the store is full: make room"),
}
WITHOUT_CODE = {  # words of obstore's: the same
    re.compile("redirect without LOCATION"): (errno.EXDEV, ELSEWHERE),
    re.compile(r"status code: 400 (?!.*<Code>)", re.DOTALL): (  # so answers a look at an object, which has no body
        errno.EACCES,
        "the credentials have expired or are wrong, or the bucket lies in another region: mend that",
    ),
}
# Where a machine of a cloud has credentials, and no other machine; and what Azure's own command says without a login.
NO_CREDENTIALS = re.compile(r"169\.254\.169\.254|'az account get-access-token' command failed")


class Held(NamedTuple):
    """What a store has under a key: bytes, a text that changes with the content, and when it was put, by its clock."""

    key: str
    size: int
    tag: str
    put_at: datetime


class TakenError(OSError):
    """Nothing was put under a key, since something else is there by now."""


def _surveyed(ask: Callable[[Objects, str], T]) -> Callable[[Objects, str], T]:
    """Return a method that asks what it has asked before only where there is no survey.

    What is asked while something changes is told to who asked, and to nobody else.
    """

    @wraps(ask)
    def answer(self: Objects, place: str) -> T:
        listed, name = self.listed, (ask.__name__, place)
        if not self.surveys:
            return ask(self, place)
        if name not in listed:
            found: Any = ask(self, place)
            listed[name] = [*found] if isinstance(found, GeneratorType) else found
        return cast("T", listed[name])

    return answer


class Objects:
    """The objects of one bucket, as s3://bucket or az://container.

    Safe to share by threads, not with a process that was forked. With them is what this process knows of them.
    `leases` are the locks that it holds, `lines` what it appends to files, by the key of their folder. `seen` are the
    tags of objects by key, empty where there was none. `ahead` gets objects before they are read. While there are
    `surveys`, what is `listed` is not asked again, until this process changes something.
    """

    def __init__(self, bucket: str) -> None:
        self.bucket = bucket
        self.leases: dict[str, Lease] = {}
        self.seen: dict[str, str] = {}
        self.lines: dict[str, Lines] = {}
        self.ahead: list[Ahead] = []
        self.surveys: list[object] = []
        self.listed: dict[tuple[str, str], Any] = {}
        self._bare = False  # whether the store wants a tag without its quotation marks
        self._api = library()
        self._store = opened(bucket)

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
        return self._changed(
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
        """Copy an object within the store; what is there is replaced. The copy is there once this returns."""
        if kind(self.bucket).copies:
            self._changed(key, lambda: self._api.copy(self._store, key, to))
        else:
            self.put(to, self.get(key)[0])

    def delete(self, *keys: str) -> None:
        """Remove objects, those of them that are there."""
        if not keys:
            return
        try:
            self._changed(keys[0], lambda: self._api.delete(self._store, list(keys) if keys[1:] else keys[0]))
        except FileNotFoundError:  # which may have kept the others from being removed
            for key in keys if keys[1:] else ():
                self.delete(key)

    def _changed(self, key: str, change: Callable[[], T]) -> T:
        """Change the store, as `_asked` asks it; whatever comes of that, what was listed holds no more."""
        try:
            return self._asked(key, change)
        finally:
            self.listed = {}

    def _asked(self, key: str, ask: Callable[[], T]) -> T:
        """Return what the store answers, or raise OSError in words of ours."""
        try:
            return ask()
        except (OSError, self._api.exceptions.BaseError) as error:
            raise _told(f"{self.bucket}/{key}", error) from None


@cache
def of_bucket(bucket: str, _asking: tuple[tuple[str, str], ...], _process: int) -> Objects:
    """Return the objects of a bucket; the same ones for a process, as long as its variables are the same."""
    return Objects(bucket)


def objects(bucket: str) -> Objects:
    """Return the objects of a bucket, with which this process shares connections and locks."""
    return of_bucket(bucket, variables(bucket), os.getpid())


def _held(meta: Any) -> Held:  # noqa: ANN401 - obstore's
    tag = meta["e_tag"] or ""
    if tag and '"' not in tag:
        tag = f'"{tag}"'  # as HTTP has it; Azure has no quotation marks in a list
    return Held(meta["path"], meta["size"], tag, meta["last_modified"])


def _told(where: str, error: Exception) -> OSError:
    """Return an error of obstore as one of ours, in one line."""
    text = str(error)
    if NO_CREDENTIALS.search(text):
        return StoreError(errno.EACCES, f"no credentials were found: set {kind(where).needed}", where)
    code, status = CODE.search(text), STATUS.search(text)
    for fault in (found[1] for found in (code, status) if found):
        if fault in TOLD:
            return StoreError(*TOLD[fault], where)
    if type(error).__name__ in {"AlreadyExistsError", "PreconditionError"}:
        return TakenError(errno.EEXIST, "something else is there by now", where)
    if isinstance(error, FileNotFoundError):
        return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), where)
    for words, meaning in WITHOUT_CODE.items():
        if words.search(text):
            return StoreError(*meaning, where)
    said = code or status
    what = f"the store answers {said[1]}" if said else "the store does not answer"
    return StoreError(errno.ETIMEDOUT, f"{what}: wait until it works", where)
