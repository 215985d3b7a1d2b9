"""Writes a text file so that a reader finds the old file or the new one, never a part of it.

A file that the emulator did not write is refused.
"""

import contextlib
import os
from collections.abc import Callable
from pathlib import Path


def refuse_foreign(path: Path, is_ours: Callable[[str], bool]) -> None:
    """Raise FileExistsError, in one line, if there is a file whose text is not one that an emulator wrote."""
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        return
    except UnicodeDecodeError:
        text = "not ours"
    except OSError as error:
        raise OSError(f"cannot read {path}: {error.strerror}") from error
    if text.strip() and not is_ours(text):
        raise FileExistsError(
            f"{path} holds what the emulator did not write, so it is left as it is: name another file, "
            "best in a folder of its own, or move that one away"
        )


def write_aside(path: Path, text: str, *, mode: int = 0o644) -> None:
    """Write `text` beside `path` with the permissions `mode`, then rename it; create the parent folders.

    Raises OSError with one line that names the path, if the file cannot be written.
    """
    aside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # Created with its mode, so others cannot read a secret even for a moment.
        descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            file.write(text)
        aside.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):
            aside.unlink()
        raise OSError(f"cannot write {path}: {error.strerror}; mend that, or name another place") from error
