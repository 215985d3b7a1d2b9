"""Handles as the API, the roster and the accounts file write them -> one form in which they are compared."""

import re

HANDLE = re.compile(r"[a-z0-9_]+", re.ASCII)  # it becomes part of file names, so nothing else may be in it


def normalised(handle: str) -> str:
    """Return a handle as we compare it: no @, no case, as the vendor does."""
    return handle.strip().removeprefix("@").lower()


def parse_handle(text: str) -> str:
    """Read `@Some_Handle` as `some_handle`; raise ValueError with the fix."""
    handle = normalised(text)
    if not HANDLE.fullmatch(handle):
        raise ValueError(f"{text!r} is not a handle: letters, digits and _ only")
    return handle
