"""A place in a bucket, as a path that is no file.

In: an address such as s3://bucket/prefix or az://container/prefix. Out: an ObjectPath, with which all that joins,
compares and shows paths works unchanged. What would open it as a file fails, so no file of that name can come to lie
on the disk.
"""

from __future__ import annotations

import re
from pathlib import Path, PosixPath
from typing import NoReturn, Self

ADDRESS = re.compile(r"(?P<scheme>[a-z][a-z0-9+.-]*)://", re.IGNORECASE)
JOINED = re.compile(r"^(s3|az):/")  # what pathlib makes of an address
BUCKETS = {  # the names of buckets, by the scheme of their addresses: S3's, and what Azure calls containers
    "s3": re.compile(r"(?!.*\.\.)[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]"),
    "az": re.compile(r"(?!.*--)[a-z0-9][a-z0-9-]{1,61}[a-z0-9]"),
}
FORM = "s3://bucket/prefix or az://container/prefix"
# Of a prefix after a slash: what an address, a glob or a path reads otherwise.
UNFIT = re.compile(r"[\\?#%*\[\]]|//|/\.{1,2}(/|$)")


class ObjectPath(PosixPath):
    """The name of an object, or of what begins many names as a folder does."""

    def __str__(self) -> str:
        return JOINED.sub(r"\1://", super().__str__(), count=1)

    def __fspath__(self) -> NoReturn:
        raise TypeError(f"{self} is in a bucket, and no file")

    def absolute(self) -> Self:
        """Return it as it is: there is no folder to which it is relative."""
        return self

    @property
    def scheme(self) -> str:
        """The kind of its store, as s3."""
        return self.parts[0].removesuffix(":")

    @property
    def bucket(self) -> str:
        """The bucket that it is in, as s3://bucket or az://container."""
        return f"{self.parts[0]}//{self.parts[1]}"

    @property
    def key(self) -> str:
        """Its name within the bucket; empty for the bucket itself."""
        return "/".join(self.parts[2:])


def place(text: str) -> Path:
    """Return the place that a text names: an address in object storage, or a path. Raises ValueError as `in_bucket`."""
    return in_bucket(text) if is_address(text) else Path(text)


def is_address(text: str) -> bool:
    """Tell whether a text is an address and no path."""
    return bool(ADDRESS.match(text))


def in_bucket(address: str) -> ObjectPath:
    """Return the place of an address; raises ValueError that says what must stand there."""
    scheme, _, rest = address.partition("://")
    bucket, _, prefix = rest.partition("/")
    known = BUCKETS.get(scheme.lower())
    if known is None:
        raise ValueError(f"must be a path, or an address such as {FORM}: no other kind of address is known")
    if not known.fullmatch(bucket):
        raise ValueError(f"must be an address such as {FORM}, and that is the name of no bucket")
    if UNFIT.search(f"/{prefix}") or not prefix.isprintable():
        raise ValueError(
            f"must be an address such as {FORM}, with letters, digits and marks such as - or _ between single slashes"
        )
    return ObjectPath(f"{scheme.lower()}://{bucket}/{prefix}")
