"""Read the export of X Premium: account_analytics_content_FROM_TO.csv, the Posts of a period.

In: the path of a CSV. Out: the Posts of each handle in it. Its counts are sums of the exported period, so they are not
taken over. An ID is read from the Post's link, since a spreadsheet that saves the file again rounds numbers alone.
"""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

from engagement_pipeline.core.errors import InputError
from engagement_pipeline.core.handles import normalised
from engagement_pipeline.core.model import posted_at
from engagement_pipeline.core.posts import REPOST, Post
from engagement_pipeline.core.redaction import shown
from engagement_pipeline.core.tweet_ids import is_tweet_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

LINK, TEXT = "post link", "post text"
ADDRESS = re.compile(r"https?://(?:www\.)?(?:twitter|x)\.com/(\w{1,15})/status/(\d{1,19})(?:[/?#].*)?")
LARGEST_FILE = 256 * 2**20  # bytes; an export has a few thousand Posts


def posts(path: Path) -> dict[str, list[Post]]:
    """Return the Posts by handle, without reposts. Raises InputError, or OSError if the file cannot be read."""
    found: dict[str, list[Post]] = {}
    for line, row in _rows(path):
        try:
            handle, post = _post(row)
        except ValueError as error:
            raise InputError(
                f"{path}:{line} has in the column Post Link {error}, which leads to no Post: nothing is imported; "
                "export the file again"
            ) from None
        if not REPOST.match(post.text):
            found.setdefault(handle, []).append(post)
    return found


def _post(row: Mapping[str, str]) -> tuple[str, Post]:
    """Return whose Post a row tells of, and the Post. Raises ValueError with the text that should be its link."""
    address = row.get(LINK, "").strip()
    link = ADDRESS.fullmatch(address)
    if not link or not is_tweet_id(int(link[2])):
        raise ValueError(shown(address) or "nothing")
    tweet_id = int(link[2])
    return normalised(link[1]), Post(tweet_id=tweet_id, created_at=posted_at(tweet_id), text=row.get(TEXT, ""))


def _rows(path: Path) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield each row that is not blank by the names of its columns in lower case, with the line on which it ends."""
    if path.stat().st_size > LARGEST_FILE:
        raise InputError(f"{path} has more than {LARGEST_FILE:,} bytes, and no export of Premium is that large")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text: export the file again, and save it in no other program") from None
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [name.strip().lower() for name in next(reader, [])]
        if LINK not in header:
            raise InputError(
                f"{path} has no column Post Link: export the content of the account's analytics, a file that begins "
                "with account_analytics_content"
            )
        for row in reader:
            if any(map(str.strip, row)):
                yield reader.line_num, dict(zip(header, row, strict=False))
    except csv.Error as error:
        raise InputError(f"{path}:{reader.line_num} cannot be read ({error}): export the file again") from None
