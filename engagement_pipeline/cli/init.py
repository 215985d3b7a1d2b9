"""`engagement init`: the first files of somebody who starts.

In: answers, typed on a terminal or given as options. Out: accounts.toml for its owner alone, the settings that differ
from the defaults, and an example of a roster. A file that is there already stays as it is, and its questions are left
out. Nothing is written before the last answer.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engagement_pipeline.cli import output
from engagement_pipeline.cli.commands import QUESTIONS
from engagement_pipeline.core import setting_files, settings
from engagement_pipeline.core.errors import InputError
from engagement_pipeline.core.places import ObjectPath
from engagement_pipeline.core.redaction import register
from engagement_pipeline.transport import accounts

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Mapping

KEYS = {
    "consumer_key": "The app's consumer key (API key), or Enter to write it later",
    "consumer_secret": "The app's consumer secret, or Enter to write it later",
}
EXAMPLE = """tweet_id,handle,campaign
1890000000000000001,some_handle,spring
1890000000000000002,some_handle,spring
1890000000000000003,other_handle,
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The files: accounts and example where the settings have them, and the file that the settings go to."""

    accounts: Path
    local: Path
    example: Path

    @classmethod
    def of(cls, chosen: settings.Settings, environ: Mapping[str, str]) -> Places:
        """Return the places for these settings; a file that ENGAGEMENT_CONFIG names is read in place of the local."""
        local = Path(environ.get(setting_files.NAMING) or setting_files.LOCAL)
        folder = chosen.accounts.parent if isinstance(chosen.data, ObjectPath) else chosen.data
        return cls(accounts=chosen.accounts, local=local, example=folder / "roster.example.csv")


def run(options: argparse.Namespace) -> None:
    """Ask, write the files, and say what is next."""
    chosen = settings.load()
    places = Places.of(chosen, os.environ)
    given = {key: getattr(options, key) for key in QUESTIONS if getattr(options, key) is not None}
    for key, text in given.items():
        settings.checked(key, text)
    if not options.no_questions and not sys.stdin.isatty():
        raise InputError(
            "engagement init asks questions, and its input is no terminal: run it on one, or add --no-questions, "
            "which leaves the keys in accounts.toml empty"
        )
    for line in start(places, chosen, given=given, ask=None if options.no_questions else output.ask):
        print(line)


def start(
    places: Places, chosen: settings.Settings, *, given: Mapping[str, str], ask: Callable[..., str] | None
) -> list[str]:
    """Ask for what is not given, write the files that are not there, and return what to tell of each.

    `ask` takes a question and `hidden`; without it, defaults stand for the answers. Raises InputError for a file that
    cannot be written, or if the answers end early: then nothing is written.
    """
    texts: dict[Path, Callable[[], str]] = {
        places.accounts: lambda: _accounts(ask),
        places.local: lambda: _local(chosen, given, ask),
        places.example: lambda: EXAMPLE,
    }
    missing = [path for path in texts if not os.path.lexists(path)]
    try:
        contents = {path: texts[path]() for path in missing}
    except EOFError:
        raise InputError("the answers ended before the last question, so nothing is written: run it again") from None
    for path, text in contents.items():
        _write(path, text, mode=0o666 if path == places.example else 0o600)
    told = [f"{path} is there already, and stays as it is" for path in texts if path not in missing]
    told += [f"{path} is written" + ", for you alone" * (path == places.accounts) for path in missing]
    return [*told, *_next(places, chosen)]


def _next(places: Places, chosen: settings.Settings) -> list[str]:
    """Return what to do then."""
    keys = [] if _has_keys(places.accounts) else [f"  write the app's keys into {places.accounts}"]
    return [
        "next:",
        *keys,
        "  engagement authorize HANDLE   for each handle, to get its tokens",
        f"  engagement roster sync   to find your Tweets; or list them in {chosen.tweets}, as in {places.example}",
        "  engagement check   to see which accounts work",
    ]


def _has_keys(path: Path) -> bool:
    try:
        return bool(accounts.load(path).app.consumer_key)
    except InputError:
        return False


def _accounts(ask: Callable[..., str] | None) -> str:
    keys = {key: _key(key, question, ask) if ask else "" for key, question in KEYS.items()}
    lines = [f"{key} = {json.dumps(token)}" for key, token in keys.items()]
    return "\n".join(
        [
            "# The app's keys, and a table of tokens for each handle, which engagement authorize adds. Never in git.",
            "[app]",
            *lines,
            '# bearer_token = "…"     without it, the two keys above fetch one',
            '# client_id = "…"        for engagement authorize HANDLE --oauth2',
            '# client_secret = "…"    unless the app is a public client',
            "",
        ]
    )


def _key(key: str, question: str, ask: Callable[..., str]) -> str:
    """Ask for a key until it can be one, or is empty."""
    while True:
        token = ask(question, hidden=True).strip(accounts.BLANKS)
        register(token)
        wrong = accounts.flaw(token)
        if not wrong:
            return token
        question = f"{key} holds {wrong}, which no key does: copy it again"


def _local(chosen: settings.Settings, given: Mapping[str, str], ask: Callable[..., str] | None) -> str:
    """Return the file of settings: those that were asked for, except one without a value."""
    lines = []
    for key, question in QUESTIONS.items():
        value = getattr(chosen, key)
        if key in given:
            value = settings.checked(key, given[key])
        elif ask:
            value = _setting(key, question, value, ask)
        if value is not None:
            lines.append(f"{key} = {value}")
    about = "# Your settings, over the defaults. engagement.toml lists all settings, and engagement config shows them."
    return "\n".join([about, "", *lines, ""])


def _setting(key: str, question: str, default: Any, ask: Callable[..., str]) -> Any:  # noqa: ANN401 - of any type
    """Ask for a setting until the answer can be one; an empty answer stands for the default."""
    shown = question if default is None else f"{question} [{default}]"
    while text := ask(shown).strip():
        try:
            return settings.checked(key, text)
        except InputError as error:
            shown = f"{error}. {question}"
    return default


def _write(path: Path, text: str, *, mode: int) -> None:
    """Write a file that is not there; whatever is there by now stays."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w", encoding="utf-8") as file:
            try:
                file.write(text)
                file.flush()
            except OSError:
                path.unlink()  # half of a file would stay for ever
                raise
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}; mend that, and run it again") from None
