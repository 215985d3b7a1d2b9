"""Which storage a lake lies in.

In: the root of a lake. Out: LocalStorage for a folder, BucketStorage for a place in a bucket; mypy holds each call of
Storage against both.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from engagement_pipeline.core.places import ObjectPath
from engagement_pipeline.lake.storage import LocalStorage

if TYPE_CHECKING:
    from pathlib import Path

    from engagement_pipeline.lake.bucket import BucketStorage

Storage: TypeAlias = "LocalStorage | BucketStorage"


def storage_of(root: Path) -> Storage:
    """Return the storage of a lake in `root`; raises InputError where a library for it is not installed."""
    if not isinstance(root, ObjectPath):
        return LocalStorage(root)
    from engagement_pipeline.lake.bucket import BucketStorage  # noqa: PLC0415 - only who has a bucket needs it

    return BucketStorage(root)
