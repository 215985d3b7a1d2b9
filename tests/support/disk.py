"""A disk that is full, as the system itself says it; and a store that is."""

import errno
import resource
from contextlib import contextmanager

from engagement_pipeline.core.errors import StoreError
from engagement_pipeline.lake.states import SwapError


@contextmanager
def small_files(size):
    """Let the system itself refuse to write any file past `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def full_store(*_, **__):
    """Refuse what is asked of a storage as a store does that is full."""
    full = StoreError(errno.ENOSPC, "the bucket is full: make room", "s3://b/x")
    raise SwapError(full, put=(), left=()) from full
