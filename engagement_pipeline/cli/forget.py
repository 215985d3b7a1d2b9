"""The command `engagement forget`, which removes Tweets from the lake for good.

In: options. Out: what the lake holds of the Tweets, a question, and a receipt; or the receipt as JSON.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

from engagement_pipeline import forgetting
from engagement_pipeline.cli import output
from engagement_pipeline.core import settings
from engagement_pipeline.core.errors import EngagementError, InputError
from engagement_pipeline.core.redaction import printable, redacted
from engagement_pipeline.core.words import counted
from engagement_pipeline.publish.erasure import REPORTS, RESPONSES
from engagement_pipeline.publish.receipts import fields

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from engagement_pipeline.forgetting import Holding, Proof

YES = {"y", "yes"}
UNITS = {RESPONSES: "response", "requests": "line", REPORTS: "file"}  # what is counted, where it is no row


def run(options: argparse.Namespace) -> None:
    """Show what would go, ask, and forget."""
    chosen = settings.load(config=options.config)
    tweets = forgetting.named(chosen, options.tweets, handle=options.handle, file=options.file)
    if options.json and not options.yes:
        raise InputError("--json prints the receipt, so it needs --yes: leave out both to see what would go")
    if not tweets:
        print("null" if options.json else f"{options.file} names no Tweet: nothing to forget")
        return
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
    if proof.problem:
        raise EngagementError(proof.problem)


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
    """Yield what was forgotten and when, where files were changed, what the search has found, and where the receipt is.

    The receipt has each file with its hashes.
    """
    receipt = proof.receipt
    yield f"forgotten on {receipt.at.isoformat(' ', 'seconds')}: {counted(proof.tweets, 'Tweet')}"
    for place, numbers in proof.places.items():
        told = [f"{number:,} {what}" for what, number in zip(("rewritten", "removed"), numbers, strict=True) if number]
        yield f"  {place:<12} {', '.join(told)}"
    yield from (f"to write a report anew without them: {report.command}" for report in proof.reports)
    yield from (f"not read: {problem}" for problem in receipt.unread)
    yield from (f"still there: {path}" for path in proof.searched.holding)
    if not proof.searched.holding:
        yield f"searched {counted(proof.searched.files, 'file')} of the lake: none holds them any more"
    yield f"receipt: {receipt.path}"
    yield "copies elsewhere are yours to remove: backups, answers that you saved, mails, logs of the machine"


def as_json(proof: Proof) -> str:
    """Return the receipt as one JSON object."""
    return json.dumps(fields(proof.receipt, searched=proof.searched), indent=1)
