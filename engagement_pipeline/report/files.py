"""A month's reports as files, and those files as mails.

In: a lake, a UTC month, and for the mails the settings report_mail and alert_smtp. Out: one HTML file a handle.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from email.message import EmailMessage
from typing import TYPE_CHECKING

from engagement_pipeline.core.errors import AlertError, InputError, LakeError
from engagement_pipeline.core.nearest import nearest
from engagement_pipeline.lake import saved
from engagement_pipeline.lake.saved import Saved
from engagement_pipeline.lake.storage import LocalStorage
from engagement_pipeline.observe import alert
from engagement_pipeline.query import catalog
from engagement_pipeline.report.figures import figures

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from engagement_pipeline.core.settings import Settings
    from engagement_pipeline.lake.layout import Lake
    from engagement_pipeline.report.figures import Figures, Month

logger = logging.getLogger(__name__)
EXTRA = "in a clone of the project, pip install '.[report]'"
HANDLES = "select distinct handle from tweets where handle is not null order by handle"
FOLLOWED = "select distinct handle from tweets where followed and handle is not null order by handle"


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A report and its file; `told` says in one line how much of the month is there."""

    figures: Figures
    path: Path
    told: str


def name_of(handle: str, month: Month) -> str:
    """Return the name of a report's file."""
    return f"{handle}-{month.first:%Y-%m}.html"


def write(lake: Lake, handle: str, month: Month, *, path: Path) -> Written:
    """Write the report of a handle's month, in a folder that is there; the lake keeps where it is.

    Raises InputError without the extra or a lake, and for a handle of which the lake has no Tweet. Raises LakeError if
    a file is damaged or cannot be written.
    """
    try:
        from engagement_pipeline.report.page import nothing, page  # noqa: PLC0415 - an extra, and slow to import
    except ModuleNotFoundError as error:
        raise InputError(f"{error.name} is not installed, and a report needs it: {EXTRA}") from None
    found = figures(lake, handle, month)
    if not found.tweets:
        raise InputError(f"the lake has no Tweet of {handle}{_advice(lake, handle)}")
    _note(lake, Saved(path=str(path.absolute()), handle=handle, month=f"{month.first:%Y-%m}"))
    LocalStorage(path.parent).write_whole(path, page(found).encode())
    told = nothing(found) or f"{found.complete} of {len(found.month.days)} days are complete"
    return Written(figures=found, path=path, told=told)


def _advice(lake: Lake, handle: str) -> str:
    near = nearest(handle, catalog.query(lake, HANDLES)["handle"].to_pylist())
    return f"; did you mean {near}?" if near else ": put its Tweets into the roster, and pull"


def _note(lake: Lake, report: Saved) -> None:
    """Have the lake know a report before it is there: whatever stops this, what is forgotten goes from it too."""
    try:
        saved.note(lake, report)
    except LakeError as error:  # somebody who may only read the lake may have a report of it
        logger.warning("%s; engagement forget will not know of %s", error, report.path)


def write_all(lake: Lake, month: Month, *, folder: Path) -> list[Written]:
    """Write a report of the month for each handle that is followed, into a folder that is made if it is missing."""
    handles = catalog.query(lake, FOLLOWED)["handle"].to_pylist()
    LocalStorage(folder).make_folder(folder)
    return [write(lake, handle, month, path=folder / name_of(handle, month)) for handle in handles]


def mail(settings: Settings, reports: Sequence[Written], *, sleep: Callable[[float], None] = time.sleep) -> None:
    """Mail each report to the address in report_mail; then raise AlertError if some were not taken."""
    if not settings.report_mail:
        raise InputError("nobody to mail the reports to: set report_mail, and alert_smtp if it is not localhost:25")
    problems = [
        problem
        for report in reports
        for problem in alert.deliver(
            _mail(settings.report_mail, report), settings.alert_smtp, setting="report_mail", sleep=sleep
        )
    ]
    if problems:
        raise AlertError(
            f"{len(problems)} of {len(reports)} reports were not mailed: {problems[0]}; "
            f"the files are in {reports[0].path.parent}"
        )


def _mail(address: str, report: Written) -> EmailMessage:
    made = EmailMessage()
    made["Subject"] = f"@{report.figures.handle}, {report.figures.month}: engagement report"
    made["From"] = made["To"] = address  # from the team to the team: an address that exists
    made.set_content(f"{report.told}. The report is attached: open it in a browser.\n")
    made.add_attachment(report.path.read_bytes(), maintype="text", subtype="html", filename=report.path.name)
    return made
