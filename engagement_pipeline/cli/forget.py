"""The command `engagement forget`, which removes Tweets from the lake for good.

In: options. Out: what the lake holds of the Tweets, a question, and a receipt; or the receipt as JSON.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from engagement_pipeline import forgetting
from engagement_pipeline.cli import output
from engagement_pipeline.core import settings
from engagement_pipeline.core.errors import EngagementError, InputError
from engagement_pipeline.core.redaction import printable, redacted
from engagement_pipeline.core.tweet_ids import is_tweet_id
from engagement_pipeline.extract.plan_text import counted
from engagement_pipeline.publish.erasure import RESPONSES

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from engagement_pipeline.forgetting import Holding, Proof

YES = {"y", "yes"}
UNITS = {RESPONSES: "response", "requests": "line"}  # what is counted, where it is no row


def run(options: argparse.Namespace) -> None:
    """Show what would go, ask, and forget."""
    chosen = settings.load(config=options.config)
    tweets = _tweets(options, chosen)
    if options.json and not options.yes:
        raise InputError("--json prints the receipt, so it needs --yes: leave out both to see what would go")
    if not options.yes:
        _say(held_lines(forgetting.found(chosen, tweets), len(tweets)))
        if not _agreed(len(tweets)):
            print("nothing is removed: engagement forget with --yes removes it for good")
            return
    proof = forgetting.forget(chosen, tweets)
    if options.json:
        print(as_json(proof))
    else:
        _say(receipt_lines(proof))
    left = len(proof.searched.holding) + len(proof.receipt.unread)
    if left:
        raise EngagementError(
            f"{counted(left, 'file')} still {'holds' if left == 1 else 'hold'} a Tweet, or cannot be read: see above; "
            "mend or remove each, then forget the Tweets again"
        )


def _tweets(options: argparse.Namespace, chosen: settings.Settings) -> frozenset[int]:
    """Return the Tweets that the options name, with those of a removal that was stopped."""
    for tweet in options.tweets:
        if not is_tweet_id(tweet):
            raise InputError(f"{tweet} is no Tweet's ID: no ID has 64 bits; copy it again")
    tweets = {*options.tweets, *forgetting.going(chosen)}
    if options.file:
        tweets.update(forgetting.of_file(options.file))
    if options.handle:
        known = forgetting.of_handle(chosen, options.handle)
        if not known:
            raise InputError(f"the lake knows no Tweet of {options.handle}: name the Tweets, or look at the handle")
        tweets.update(known)
    if not tweets:
        raise InputError("name the Tweets to forget, or take --handle or --file; see engagement forget --help")
    return frozenset(tweets)


def _agreed(number: int) -> bool:
    """Ask whoever sits at the terminal; nobody there has not agreed."""
    if not sys.stdin.isatty():
        return False
    try:
        answer = output.ask(f"Forget {counted(number, 'Tweet')} for good? Type yes")
    except EOFError:
        return False
    return answer.strip().lower() in YES


def _say(lines: Iterator[str]) -> None:
    for line in lines:
        print(printable(redacted(line)))


def held_lines(holding: Holding, tweets: int) -> Iterator[str]:
    """Yield what the lake holds of Tweets."""
    yield f"{counted(tweets, 'Tweet')} to forget" + (f", {holding.before:,} forgotten before" if holding.before else "")
    for name, number in holding.held.items():
        yield f"  {name:<12} {counted(number, UNITS.get(name, 'row'))}"
    if not holding.held:
        yield "  the lake holds nothing of them"


def receipt_lines(proof: Proof) -> Iterator[str]:
    """Yield a receipt: when, which Tweets by their hashes, each file, and what the search has found."""
    receipt = proof.receipt
    yield f"forgotten on {receipt.at.isoformat(timespec='seconds')}, as forgotten.json has it:"
    yield from (f"  {tweet}" for tweet in receipt.tweets)
    for change in receipt.changes:
        yield f"{'rewritten' if change.after else 'removed  '}  {change.path}  sha256 {change.after or change.before}"
    yield from (f"not read: {problem}" for problem in receipt.unread)
    yield from (f"still there: {path}" for path in proof.searched.holding)
    if not proof.searched.holding:
        yield f"searched {counted(proof.searched.files, 'file')} of the lake: none holds them any more"
    yield "copies elsewhere are yours to remove: backups, exports, reports, logs of the machine"


def as_json(proof: Proof) -> str:
    """Return the receipt as one JSON object."""
    fields = asdict(proof.receipt) | {"searched": asdict(proof.searched)}
    return json.dumps(fields | {"at": proof.receipt.at.isoformat()}, indent=1)
