"""What the storages of a lake have in common: the states of a response, what lies in a folder, and what stops a swap.

In: nothing. Out: the words in which LocalStorage and BucketStorage answer.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

from engagement_pipeline.core.errors import LakeError, advice

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

UNSETTLED = ".new"  # behind the name of a response that has landed and was not looked at
APART = ".damaged"  # behind the name of a file that is set apart


class Entry(NamedTuple):
    """A file or a folder, the bytes of a file, whether this user may read and write it, and whether anybody may write.

    A file that its own owner may not read counts as unreadable to root too: the services run as another user.
    """

    path: Path
    folder: bool
    size: int
    readable: bool
    writable: bool
    open_to_all: bool


class State(Enum):
    """What is known of a response: that it has landed, that it counts too, that it is rejected, or that none came."""

    LANDED = "landed"
    COUNTS = "counts"
    REJECTED = "rejected"
    UNANSWERED = "unanswered"


class SwapError(OSError):
    """What the system refused while files were put in their places.

    `put` are the places that have their new file, `left` those that have not. `filename` is the place that was
    refused, since nobody knows the staged file by its name.
    """

    def __init__(self, refused: OSError, *, put: Sequence[Path], left: Sequence[Path]) -> None:
        super().__init__(refused.errno, refused.strerror, refused.filename2 or refused.filename)
        self.put = tuple(put)
        self.left = tuple(left)


def placed_at(path: Path, state: State) -> Path:
    """Return where a response lies in a state."""
    if state is State.LANDED:
        return path.with_name(path.name + UNSETTLED)
    return path if state is State.COUNTS else path.parent / state.value / path.name


def unwritten(path: Path, error: OSError) -> LakeError:
    """Return the error of a file that cannot be written."""
    return LakeError(
        f"{path} cannot be written: {error.strerror}; what landed before is kept. {advice(error, 'run again')}"
    )
