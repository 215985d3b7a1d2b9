"""A disk that is full, as the system itself says it."""

import resource
from contextlib import contextmanager


@contextmanager
def small_files(size):
    """Let the system itself refuse to write any file past `size` bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
