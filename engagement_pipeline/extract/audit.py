"""Does a landed response add up? Then it counts.

In: a response that has landed. Out: what it says, or why it was rejected; and whether it shows whose its Tweets are.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from engagement_pipeline import sources
from engagement_pipeline.core.errors import ResponseError
from engagement_pipeline.extract import drift
from engagement_pipeline.lake.looking import MemoryLackError

if TYPE_CHECKING:
    from datetime import datetime
    from pathlib import Path

    from engagement_pipeline.core.model import Flat, Request
    from engagement_pipeline.lake.raw import Pull

logger = logging.getLogger(__name__)


def audit(pull: Pull, path: Path, body: bytes, request: Request, *, asked_at: datetime) -> Flat | str:
    """Accept a landed response if it passes the audit; else reject it, and return why and where it is kept.

    What is news in it is written down first: a response that is not settled is looked at again after a kill.
    """
    try:
        flat = sources.read(body, request)
    except MemoryError:
        raise MemoryLackError(path) from None
    except ResponseError as error:
        drift.landed(pull, request, sources.news_of(body, request), asked_at=asked_at)
        problem = f"{error}; the response is kept as {pull.reject(path)}"
        logger.info("%s", problem)
        return problem
    drift.landed(pull, request, flat.news, asked_at=asked_at)
    accepted = pull.accept(path)
    if not flat.scanned:
        logger.debug("%s is in an unusual form: only the reference parser could read it, slower and as right", accepted)
    return flat


def serves(flat: Flat) -> bool:
    """Tell whether an answer shows that its Tweets are the account's own.

    The API does not look at the owner of a Tweet that is gone, so an answer with only such Tweets shows nothing. An
    answer without rows and without a word about any Tweet was served: its counts were zeros that nobody measured.
    """
    return bool(flat.rows.num_rows) or not (flat.not_served or flat.said)
