"""Tweets taken out of texts and JSON: what is said of them goes, and all else stays.

In: the IDs, and a text or a parsed JSON value. Out: the same without them. Pure.

In a text, an ID is found as a whole number. One that is older than Snowflake is as short as a count, so that it is only
found where it stands as an ID.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from engagement_pipeline.core.model import FIRST_SNOWFLAKE

MARK = "[forgotten]"  # stands in a text where an ID was
OWNERS = ("id", "tweet_id", "resource_id")  # the keys of JSON that name the Tweet that an object tells of
NUMBER = re.compile(rf"(?<![0-9])[0-9]{{{len(str(FIRST_SNOWFLAKE))},19}}(?![0-9])")
NUMBER_IN_BYTES = re.compile(NUMBER.pattern.encode())


@dataclass(frozen=True)
class Erased:
    """The Tweets that are to go."""

    ids: frozenset[int]

    @cached_property
    def texts(self) -> frozenset[str]:
        """The IDs as text."""
        return frozenset(map(str, self.ids))

    @cached_property
    def telling(self) -> frozenset[int]:
        """The IDs that no other number is taken for."""
        return frozenset(tweet_id for tweet_id in self.ids if tweet_id >= FIRST_SNOWFLAKE)

    def named_in(self, content: bytes) -> bool:
        """Tell whether a text names one of them."""
        return any(int(number) in self.telling for number in NUMBER_IN_BYTES.findall(content))

    def masked(self, text: str) -> str:
        """Return a text with MARK where it names one of them."""
        return NUMBER.sub(lambda found: MARK if int(found[0]) in self.telling else found[0], text)

    def without(self, value: Any) -> Any:  # noqa: ANN401 - any JSON
        """Return a JSON value without them: no key, no member of a list, no object of theirs in a list.

        Text that names them is masked, and a number that is the ID of one becomes null.
        """
        if isinstance(value, dict):
            return {self.masked(key): self.without(part) for key, part in value.items() if not self._is_one(key)}
        if isinstance(value, list):
            return [self.without(part) for part in value if not self._is_one(part) and not self._is_theirs(part)]
        if isinstance(value, str):
            return self.masked(value)
        return None if self._is_one(value) else value

    def _is_one(self, value: object) -> bool:
        """Tell whether a key, a member or a value can be nothing but the ID of one of them."""
        is_number = type(value) is int or (isinstance(value, str) and value.isdecimal())
        return is_number and str(value) in self.texts and int(str(value)) in self.telling

    def _is_theirs(self, member: object) -> bool:
        """Tell whether a member of a list tells of one of them."""
        return isinstance(member, dict) and any(str(member.get(key)) in self.texts for key in OWNERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A file that was changed: its path, and the SHA-256 of what it held and holds; empty: no file.

    The path is in the outer lake; of a file beside it, it is whole.
    """

    path: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cleared:
    """What was done to take Tweets out of some files; `unread` says of each that may still hold them why."""

    changes: tuple[Change, ...] = ()
    unread: tuple[str, ...] = ()


Beside = Callable[[Erased], Cleared]  # takes Tweets out of files that are no part of a lake


def nothing_beside(_: Erased) -> Cleared:
    """Have no files beside the lake."""
    return Cleared()
