"""Files of a lake, written whole or not at all.

In: a path and its content. Out: a file that survives a power cut.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from engagement_pipeline.core.errors import LakeError

if TYPE_CHECKING:
    from pathlib import Path


def write_whole(path: Path, content: bytes) -> None:
    """Write a file that is either absent or complete, whatever happens meanwhile."""
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with aside.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        aside.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        aside.unlink(missing_ok=True)
        raise LakeError(f"{path} cannot be written: {error.strerror}; what landed before is kept") from error


def sync_folder(path: Path) -> None:
    """Have the names in a folder survive a power cut, as the files do."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
