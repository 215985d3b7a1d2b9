"""A run that failed -> a message to a person: to a webhook in Slack's format, by mail, or both.

In: what failed, and the settings alert_webhook, alert_mail, alert_smtp and dagster_url. Out: the message,
delivered, or AlertError. A webhook's address lets anybody post, so that no message names more than its host; and no
message has a secret that is known, whatever the run said.
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
from engagement_pipeline.core.redaction import redacted, shown

if TYPE_CHECKING:
    from collections.abc import Callable

    from engagement_pipeline.core.settings import Settings

logger = logging.getLogger(__name__)
TIMEOUT_SECONDS = 5  # of one try; all tries of both channels end within the minute that Dagster gives a sensor
TRIES = 3
PAUSE_SECONDS = 1
LARGEST_ANSWER = 2**16  # bytes of a mail relay
SHOWN_CHARACTERS = 1_000  # of the error; the rest is behind the link


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedRun:
    """What a person must know to act: `assets` are those that failed, `partitions` as in `2026-01-04 to 2026-01-31`.

    `error` is the first; `assets` and `partitions` are empty where the run had none. `again`: Dagster is to try it once
    more by itself.
    """

    run_id: str
    job: str
    assets: tuple[str, ...]
    partitions: str
    error: str
    again: bool = False


def is_wanted(settings: Settings) -> bool:
    """Tell whether there is anybody to alert."""
    return bool(settings.alert_webhook or settings.alert_mail)


def message(failed: FailedRun, *, dagster_url: str) -> str:
    """Return what the person reads: the first line tells the job, the last is the link to the run."""
    error = redacted(failed.error).strip()
    lines = [f"engagement-pipeline: a run of {failed.job} failed"]
    lines += [f"asset: {', '.join(failed.assets)}"] if failed.assets else []
    lines += [f"partitions: {failed.partitions}"] if failed.partitions else []
    lines.append(f"error: {error if len(error) <= SHOWN_CHARACTERS else error[:SHOWN_CHARACTERS] + '…'}")
    lines += ["next: Dagster is to try it again by itself: see that it does"] if failed.again else []
    lines.append(f"run: {dagster_url}/runs/{failed.run_id}")
    return "\n".join(lines)


def send(settings: Settings, text: str, *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Deliver the text to each channel that is set; raises AlertError for those that failed, once all had a turn."""
    text = redacted(text)
    problems: list[str] = []
    if settings.alert_webhook:
        problems += _tried(lambda: _post(settings.alert_webhook, text), sleep=sleep)
    if settings.alert_mail:
        problems += _tried(lambda: _mail(settings, text), sleep=sleep)
    if problems:
        raise AlertError("; ".join(problems))


def _tried(deliver: Callable[[], str], *, sleep: Callable[[float], None]) -> list[str]:
    """Return no problem, or the one of the last try."""
    for left in reversed(range(TRIES)):
        problem = deliver()
        if not problem:
            return []
        if left:
            logger.warning("%s; trying again", problem)
            sleep(PAUSE_SECONDS)
    return [problem]


def _post(webhook: str, text: str) -> str:
    """Post in Slack's format, in which &, < and > are markup; return what went wrong, without the address."""
    escaped = text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    host = urlsplit(webhook).hostname
    try:
        # The body of the answer is not read: a message that was taken is not sent again because that took too long.
        with (
            bounds.bounded_session() as session,
            bounds.posting(session, webhook, seconds=TIMEOUT_SECONDS, largest=0, json={"text": escaped}) as answer,
        ):
            if answer.status_code // 100 == 2:  # noqa: PLR2004 - any success
                return ""
            return f"the webhook at {host} answered {answer.status_code}: check alert_webhook"
    except OSError as error:  # of requests, whose text has the whole address, or of the files that TLS needs
        return f"the webhook at {host} cannot be reached ({type(error).__name__}): check alert_webhook"


class _Relay(smtplib.SMTP):
    """A relay that answers within the time of a try in all, however it draws out its lines."""

    def getreply(self) -> tuple[int, bytes]:
        """Read one answer."""
        if self.file is None and self.sock:
            bound = bounds.Bound(seconds=TIMEOUT_SECONDS, size=LARGEST_ANSWER)
            self.file = io.BufferedReader(bounds.Reader(self.sock, bound))
        return super().getreply()


def _mail(settings: Settings, text: str) -> str:
    """Hand a mail to the relay; return what went wrong."""
    mail = EmailMessage()
    mail["Subject"] = text.splitlines()[0]
    mail["From"] = mail["To"] = settings.alert_mail  # to the team from the team: an address that surely exists
    mail.set_content(text)
    host, _, port = settings.alert_smtp.rpartition(":")
    try:
        with _Relay(host, int(port), timeout=TIMEOUT_SECONDS) as relay:
            relay.send_message(mail)
    except (OSError, smtplib.SMTPException) as error:
        said = shown(str(error))
        return f"the mail relay {settings.alert_smtp} did not take the mail ({said}): check alert_smtp and alert_mail"
    return ""
