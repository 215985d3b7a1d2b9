"""A failed run -> a message to a person: to a webhook in Slack's format, by mail, or both.

In: the failed run, and the settings alert_webhook, alert_mail, alert_smtp and dagster_url. Out: the message, delivered,
or AlertError. Anybody who has the webhook's address can post there, so no error names more than its host. No message
holds a known secret, whatever the run said.
"""

from __future__ import annotations

import io
import logging
import smtplib
import time
from dataclasses import dataclass
from email.message import EmailMessage
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from engagement_pipeline.core import bounds
from engagement_pipeline.core.errors import AlertError
from engagement_pipeline.core.reach import unreachable
from engagement_pipeline.core.redaction import redacted, shown, without_password

if TYPE_CHECKING:
    from collections.abc import Callable

    from engagement_pipeline.core.settings import Settings

logger = logging.getLogger(__name__)
TIMEOUT_SECONDS = 5  # of one try; all tries of both channels fit into the minute that Dagster allows a sensor
TRIES = 3
PAUSE_SECONDS = 1
LARGEST_ANSWER = 2**16  # bytes of a mail relay
SHOWN_CHARACTERS = 1_000  # of the error; the link leads to the rest


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRun:
    """What a person must know to act: the failed `assets`, and `partitions` as in `2026-01-04 to 2026-01-31`.

    Both are empty if the run had none. `error` is the first one. `again`: Dagster will try the run once more by itself.
    """

    run_id: str
    job: str
    assets: tuple[str, ...]
    partitions: str
    error: str
    again: bool = False


def is_wanted(settings: Settings) -> bool:
    """Tell whether the settings name anybody to alert."""
    return bool(settings.alert_webhook or settings.alert_mail)


def message(failed: FailedRun, *, dagster_url: str) -> str:
    """Return the text of the message: the first line names the job, the last line is the link to the run."""
    error = redacted(failed.error).strip()
    lines = [f"engagement-pipeline: a run of {failed.job} failed"]
    lines += [f"asset: {', '.join(failed.assets)}"] if failed.assets else []
    lines += [f"partitions: {failed.partitions}"] if failed.partitions else []
    lines.append(f"error: {error if len(error) <= SHOWN_CHARACTERS else error[:SHOWN_CHARACTERS] + '…'}")
    lines += ["next: Dagster should try the run again by itself: check that it does"] if failed.again else []
    lines.append(f"run: {without_password(dagster_url)}/runs/{failed.run_id}")
    return "\n".join(lines)


def send(settings: Settings, text: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Send the text to each channel that is set, then raise AlertError if a channel failed."""
    text = redacted(text)
    problems: list[str] = []
    if settings.alert_webhook:
        problems += _tried(lambda: _post(settings.alert_webhook, text), sleep=sleep)
    if settings.alert_mail:
        mail = EmailMessage()
        mail["Subject"] = text.splitlines()[0]
        mail["From"] = mail["To"] = settings.alert_mail  # from the team to the team: an address that exists
        mail.set_content(text)
        problems += deliver(mail, settings.alert_smtp, setting="alert_mail", sleep=sleep)
    if problems:
        raise AlertError("; ".join(problems))


def deliver(mail: EmailMessage, relay: str, *, setting: str, sleep: Callable[[float], None] = time.sleep) -> list[str]:
    """Give a mail to a relay; return nothing if it took it, otherwise what went wrong in the last try.

    `setting` is the one that has the mail's address.
    """
    return _tried(lambda: _given(mail, relay, setting), sleep=sleep)


def _tried(deliver: Callable[[], str], *, sleep: Callable[[float], None]) -> list[str]:
    """Try up to TRIES times; return nothing after a success, otherwise the problem of the last try."""
    for left in reversed(range(TRIES)):
        problem = deliver()
        if not problem:
            return []
        if left:
            logger.warning("%s; trying again", problem)
            sleep(PAUSE_SECONDS)
    return [problem]


def _post(webhook: str, text: str) -> str:
    """Post in Slack's format, where &, < and > are markup; return what went wrong, without the address."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    host = urlsplit(webhook).hostname
    try:
        # Do not read the body of the answer: a message that was taken would be sent again if that took too long.
        with (
            bounds.bounded_session() as session,
            bounds.sending(
                session, "POST", webhook, seconds=TIMEOUT_SECONDS, largest=0, json={"text": escaped}
            ) as answer,
        ):
            if answer.status_code // 100 == 2:  # noqa: PLR2004 - any success
                return ""
            return f"the webhook at {host} answered {answer.status_code}: check alert_webhook"
    except OSError as error:  # of requests, with the whole address in its text, or of the files that TLS needs
        return unreachable(f"the webhook at {host}", error, url=webhook, setting="alert_webhook")


class _Relay(smtplib.SMTP):
    """A relay that answers within the time of a try in all, however it draws out its lines."""

    def getreply(self) -> tuple[int, bytes]:
        """Read one answer."""
        if self.file is None and self.sock:
            bound = bounds.Bound(seconds=TIMEOUT_SECONDS, size=LARGEST_ANSWER)
            self.file = io.BufferedReader(bounds.Reader(self.sock, bound))
        return super().getreply()


def _given(mail: EmailMessage, relay: str, setting: str) -> str:
    """Give a mail to the relay; return what went wrong."""
    host, _, port = relay.rpartition(":")
    try:
        with _Relay(host, int(port), timeout=TIMEOUT_SECONDS) as connected:
            connected.send_message(mail)
    except (OSError, smtplib.SMTPException) as error:
        said = shown(str(error.strerror or error))
        return f"the mail relay {relay} did not take the mail ({said}): check alert_smtp and {setting}"
    return ""
