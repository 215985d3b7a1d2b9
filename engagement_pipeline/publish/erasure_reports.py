"""Saved reports that show Tweets which are forgotten: removed, since each can be written anew without them.

In: the outer lake, and IDs. Out: the files that are gone, and those that a person must see to.
"""

from __future__ import annotations

from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from engagement_pipeline.core.erased import Change, Cleared
from engagement_pipeline.lake import saved
from engagement_pipeline.lake.storage import LocalStorage

if TYPE_CHECKING:
    from engagement_pipeline.core.erased import Erased
    from engagement_pipeline.lake.layout import Lake


def found(home: Lake, erased: Erased) -> int:
    """Return how many reports show Tweets; one that cannot be read is told when they are forgotten."""
    number = 0
    for path in _paths(home):
        with suppress(OSError):
            number += erased.named_in(LocalStorage(path.parent).read(path))
    return number


def clear(home: Lake, erased: Erased) -> Cleared:
    """Remove the reports that show Tweets; what is no report any more stays, and is named."""
    changes, unread = [], []
    for path in _paths(home):
        storage = LocalStorage(path.parent)
        try:
            content = storage.read(path)
            if not erased.named_in(content):
                continue
            if saved.MARK not in content:
                unread.append(f"{path} shows a Tweet, and is no report of this program any more: remove it yourself")
                continue
            storage.remove(path)
        except (FileNotFoundError, NotADirectoryError):  # somebody has moved or removed it
            continue
        except OSError as error:
            unread.append(f"{path} may show a Tweet, and cannot be removed: {error.strerror}; remove it yourself")
            continue
        changes.append(Change(path=str(path), before=sha256(content).hexdigest(), after=""))
    return Cleared(changes=tuple(changes), unread=tuple(unread))


def _paths(home: Lake) -> list[Path]:
    """Return where reports were saved, each once."""
    return [Path(path) for path in dict.fromkeys(report.path for report in saved.load(home))]
