"""What survives a power cut: a name in a folder does, once the folder is synced.

In: a folder. Out: nothing; the names in it are on the disk, or it is an OSError.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def sync_folder(path: Path) -> None:
    """Sync a folder, so that renames in it survive a power cut."""
    folder = os.open(path, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
