"""The receipt of a removal of Tweets: what was done, when and where, as a file that the lake keeps.

In: the outer lake, and what was changed. Out: receipts/WHEN.json. It names no Tweet, but hashes.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from engagement_pipeline.core.dated import STAMP

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from engagement_pipeline.core.erased import Change, Erased
    from engagement_pipeline.lake.layout import Lake
    from engagement_pipeline.publish.erasure_search import Searched

TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What was forgotten, when, and where; `path` is the file that says so.

    `tweets` are the hashes that stand for the Tweets, and for their media, in forgotten.json. `unread` are the files
    that may still hold them, each with why.
    """

    at: datetime
    path: Path
    tweets: tuple[str, ...]
    changes: tuple[Change, ...]
    unread: tuple[str, ...]


def free(home: Lake, at: datetime) -> Path:
    """Return a path for a receipt that no other has; whoever asks holds the lake's lock."""
    path = home.receipts / f"{at.strftime(STAMP)}.json"
    return free(home, at + TICK) if home.storage.exists(path) else path


def save(home: Lake, receipt: Receipt, erased: Erased, *, searched: Searched | None = None) -> None:
    """Write a receipt, whole or not at all, without the name of any Tweet. OSError or LakeError if that cannot be."""
    home.storage.make_folder(receipt.path.parent)
    text = json.dumps(fields(receipt, searched=searched), indent=1)
    home.storage.write_whole(receipt.path, erased.masked(text).encode())


def fields(receipt: Receipt, *, searched: Searched | None = None) -> dict[str, Any]:
    """Return a receipt as JSON has it; `searched` is null until all files were searched."""
    told = {"at": receipt.at.isoformat(), "path": str(receipt.path)}
    return asdict(receipt) | told | {"searched": asdict(searched) if searched else None}
