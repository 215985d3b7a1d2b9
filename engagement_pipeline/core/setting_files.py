"""The files that hold settings: which are read, in which order, and what is in them.

In: the environment, and the file that the command line names. Out: paths, the one that wins first; and their TOML.
"""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engagement_pipeline.core.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Mapping

NAMING = "ENGAGEMENT_CONFIG"  # the variable that names the only file to read
LOCAL = Path("engagement.local.toml")  # of this clone or folder; git ignores it
DEFAULTS = Path("engagement.toml")  # the project's own, in git
OF_THE_USER = Path("engagement") / "engagement.toml"  # in the user's folder for settings


def found(environ: Mapping[str, str], *, named: Path | None = None) -> list[Path]:
    """Return the files to read, the one that wins first.

    A named file is read alone: `named` on the command line, or ENGAGEMENT_CONFIG. Otherwise all that exist are read:
    the local file, then the user's, then the project's.
    """
    alone = named or Path(environ.get(NAMING, ""))
    if alone != Path():
        return [alone]
    return [path for path in (LOCAL, *_of_the_user(environ), DEFAULTS) if _is_there(path)]


def _of_the_user(environ: Mapping[str, str]) -> list[Path]:
    """Return the file in $XDG_CONFIG_HOME, or in ~/.config; none where there is no home."""
    folder = Path(environ.get("XDG_CONFIG_HOME", ""))
    if not folder.is_absolute():  # the standard has such a value ignored
        folder = Path(environ.get("HOME", "")) / ".config"
    return [folder / OF_THE_USER] if folder.is_absolute() else []


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except PermissionError:  # the home of another user, which sudo has left in HOME
        return False


def read(path: Path) -> dict[str, Any]:
    """Return what a file holds; raise InputError with the fix."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path} does not exist: create it, or name another with --config or {NAMING}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f'{path} is not valid TOML: {error}; a text stands in quotes, as in tweets = "FILE"') from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; name a file that this user can read") from None
