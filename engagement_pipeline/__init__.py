"""The Engagement API as a lake that answers SQL.

Data flows one way, and a room imports only from the rooms below it, which stand to its left here:

    core -> sources · lake · charts -> transport · query · publish -> extract · observe -> pulling ->
        pipeline · reader · explain · report · explore · forgetting -> cli,
        and assets/ beside this package

`emulator` imports none of these: it is reached by its URL, like the real API. `open` and `Reader` are for people who
write Python: they read a lake.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engagement_pipeline.reader import Reader, open  # noqa: A004 - called engagement_pipeline.open

__all__ = ["Reader", "open"]


def __getattr__(name: str) -> object:
    """Import what is public when it is asked for: the command line needs no pandas."""
    if name in __all__:
        return getattr(import_module("engagement_pipeline.reader"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
