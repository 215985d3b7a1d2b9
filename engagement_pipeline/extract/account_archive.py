"""Read the archive that X gives each user: a zip with all Tweets since the account began.

In: the path of a zip. Out: whose it is, and its Tweets, part by part. Nothing is unpacked onto the disk. In memory is
the text of one part, LARGEST_PART at most, and one Tweet of it. Reposts are left out, since nobody counts them under an
ID of their own.

A part is a script and not JSON: `window.YTD.tweets.part0 = [ {"tweet": {…}}, … ]`.
"""

from __future__ import annotations

import json
import re
import zipfile
import zlib
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from engagement_pipeline.core.errors import InputError
from engagement_pipeline.core.handles import parse_handle
from engagement_pipeline.core.posts import POST, QUOTE, REPLY, REPOST, Post
from engagement_pipeline.core.redaction import shown

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LARGEST_PART = 512 * 2**20  # bytes, unpacked; X begins a new part long before
LARGEST_ARCHIVE = 2 * 2**30  # bytes of all parts, unpacked: a million Tweets
TWEETS = re.compile(r"(?:.*/)?tweets?(?:-part\d+)?\.js")  # older archives have tweet.js, and the oldest no data/
ACCOUNT = re.compile(r"(?:.*/)?account\.js")
BEGINS = re.compile(r"\s*(?:(?:window\.)?YTD\.\w+\.part\d+\s*=)?\s*")
BLANKS = re.compile(r"\s*")
STATUS = re.compile(r"https?://(?:mobile\.)?(?:twitter|x)\.com/\w+/status/\d+")  # a link to it quotes a Tweet
MEDIA_NUMBERS = {"photo": 3, "video": 7, "animated_gif": 16}  # a media key begins with that of its kind
AMPLIFY = ("amplify_video", 13)  # in the address of a video from the Media Studio, and its number


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose archive it is: the handle at the time when it was made, and the user ID, which never changes."""

    handle: str
    user_id: str


class Archive:
    """An open archive. Raises InputError, with one line, for whatever makes it no archive of X."""

    def __init__(self, path: Path, opened: zipfile.ZipFile) -> None:
        self._path = path
        self._zip = opened
        members = [member for member in opened.infolist() if not member.is_dir()]
        self._refuse_climbing(members)
        self._account = next((each for each in members if ACCOUNT.fullmatch(each.filename)), None)
        self._parts = [each for each in members if TWEETS.fullmatch(each.filename)]
        if not self._account or not self._parts:
            lacking = "data/account.js" if self._parts else "data/tweets.js"
            raise InputError(f"{path} has no {lacking}: is it the account archive that X sent? Nothing is imported")
        if sum(part.file_size for part in self._parts) > LARGEST_ARCHIVE:
            raise self._bomb(f"its Tweets unpack to more than {LARGEST_ARCHIVE:,} bytes")

    def owner(self) -> Owner:
        """Return whose archive it is."""
        assert self._account
        item = next(self._items(self._account), {})
        account = item.get("account", item)
        try:
            return Owner(parse_handle(str(account["username"])), str(account["accountId"]))
        except (KeyError, ValueError):
            raise self._strange(self._account, "it names no username and accountId") from None

    def posts(self) -> Iterator[Post]:
        """Yield the Tweets, in the archive's order, without reposts."""
        for part in self._parts:
            for number, item in enumerate(self._items(part), 1):
                try:
                    post = _post(item.get("tweet", item))
                except (KeyError, ValueError, TypeError, AttributeError) as error:
                    told = f"its Tweet {number} is not one of an archive ({type(error).__name__}: {shown(str(error))})"
                    raise self._strange(part, told) from None
                if post:
                    yield post

    def _items(self, member: zipfile.ZipInfo) -> Iterator[dict[str, Any]]:
        """Yield the objects in a script."""
        try:
            for item in _members(self._read(member).decode("utf-8-sig")):
                if not isinstance(item, dict):
                    raise self._strange(member, "it is not a list of objects")
                yield item
        except (ValueError, RecursionError) as error:
            raise self._strange(member, f"it is not a list in a script ({shown(str(error))})") from None

    def _read(self, member: zipfile.ZipInfo) -> bytes:
        """Unpack a member: no more of it than the size that the zip states, which is bounded here."""
        if member.file_size > LARGEST_PART:
            raise self._bomb(f"{member.filename} unpacks to {member.file_size:,} bytes, and no part is that large")
        try:
            with self._zip.open(member) as packed:
                return packed.read(member.file_size + 1)  # without a number, all would be unpacked and then cut
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError) as error:
            raise self._strange(member, f"it cannot be unpacked ({shown(str(error))}); download it again") from None
        except (RuntimeError, NotImplementedError) as error:  # a password, or a way to pack that is not known
            raise self._strange(member, f"it cannot be unpacked: {shown(str(error))}") from None

    def _refuse_climbing(self, members: list[zipfile.ZipInfo]) -> None:
        for member in members:
            name = member.filename.replace("\\", "/")
            if ".." in PurePosixPath(name).parts or name.startswith("/") or re.match("[A-Za-z]:", name):
                raise InputError(
                    f"{self._path} holds {shown(member.filename)!r}, a path that leads out of the archive, as none of "
                    "X does: nothing is imported; download it again from X"
                )

    def _strange(self, member: zipfile.ZipInfo, what: str) -> InputError:
        return InputError(f"{self._path}: {shown(member.filename)}: {what}; nothing is imported")

    def _bomb(self, what: str) -> InputError:
        return InputError(f"{self._path}: {what}: nothing is imported; download the archive again from X")


@contextmanager
def opened(path: Path) -> Iterator[Archive]:
    """Open an archive."""
    try:
        with zipfile.ZipFile(path) as found:
            yield Archive(path, found)
    except zipfile.BadZipFile as error:
        raise InputError(f"{path} is not a whole zip ({error}): download the archive again from X") from None


def _members(script: str) -> Iterator[Any]:
    """Yield the members of the list in a script, each as it is parsed. Raises ValueError where it is none."""
    begins = BEGINS.match(script)
    assert begins
    if script[begins.end() : begins.end() + 1] != "[":
        raise ValueError("it does not begin with [")
    decode, place = json.JSONDecoder().raw_decode, _past(script, begins.end() + 1)
    follows = script[place : place + 1]
    while follows != "]":
        member, place = decode(script, place)
        yield member
        place = _past(script, place)
        follows = script[place : place + 1]
        if follows not in (",", "]"):
            raise ValueError(f"neither a comma nor ] follows at character {place:,}")
        if follows == ",":
            place = _past(script, place + 1)
    if _past(script, place + 1) < len(script):
        raise ValueError("something follows its ]")


def _past(script: str, place: int) -> int:
    """Return the place behind blanks."""
    blanks = BLANKS.match(script, place)
    return blanks.end() if blanks else place


def _post(tweet: dict[str, Any]) -> Post | None:
    """Return a Tweet of an archive, None for a repost."""
    text = str(tweet.get("full_text", tweet.get("text", "")))
    if "retweeted_status" in tweet or REPOST.match(text):
        return None
    entities = tweet.get("entities") or {}
    media = (tweet.get("extended_entities") or entities).get("media") or []
    links = tuple(url["expanded_url"] for url in entities.get("urls") or [] if url.get("expanded_url"))
    quotes = "quoted_status_id_str" in tweet or any(map(STATUS.match, links))
    lang = str(tweet.get("lang") or "")
    return Post(
        tweet_id=int(tweet["id_str"] if "id_str" in tweet else tweet["id"]),
        created_at=datetime.strptime(tweet["created_at"], "%a %b %d %H:%M:%S %z %Y"),
        kind=REPLY if _answers(tweet) else QUOTE if quotes else POST,
        lang=lang,
        text=text,
        media_kinds=tuple(str(each["type"]) for each in media),
        media_keys=tuple(f"{_number(each)}_{each['id_str']}" for each in media if each["type"] in MEDIA_NUMBERS),
        links=links,
    )


def _answers(tweet: dict[str, Any]) -> bool:
    return bool(tweet.get("in_reply_to_status_id_str") or tweet.get("in_reply_to_status_id"))


def _number(media: dict[str, Any]) -> int:
    word, number = AMPLIFY
    return number if word in str(media.get("media_url_https", "")) else MEDIA_NUMBERS[media["type"]]
