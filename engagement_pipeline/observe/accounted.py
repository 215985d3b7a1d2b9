"""Which Tweets of the roster have an answer for a day, or a reason for none.

In: a UTC day, and by_day's way to ask its files. Out: the Tweets that are neither stored nor set aside.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from typing import TYPE_CHECKING, Any

from engagement_pipeline.core.tables import ENGAGEMENTS
from engagement_pipeline.lake.layout import judged
from engagement_pipeline.query import by_day
from engagement_pipeline.query.views import ANSWERED, quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from engagement_pipeline.core.settings import Settings
    from engagement_pipeline.query.by_day import AskDay

UNACCOUNTED = f"""
    select tweet_id, handle, asked.outcome, asked.text from tweets
    left join (from coverage where table_name = '{ENGAGEMENTS}') as asked using (tweet_id)
    anti join set_aside using (tweet_id)
    where (outcome is null or not {ANSWERED}) and followed and handle is not null and handle not in ({{others}})
        and (posted_at is null or posted_at < {{end}})
    order by tweet_id
"""
ANSWERS = f"select count(*) as n from coverage where table_name = '{ENGAGEMENTS}' and {ANSWERED}"


def unaccounted(day: date, ask: AskDay, settings: Settings) -> list[dict[str, Any]]:
    """Return ID and handle of each Tweet of the roster that existed on a day, and is neither stored nor set aside.

    Those of accounts that another source is asked for are left out. If it was asked for in vain, `outcome` and `text`
    of coverage say why; else they are None.
    """
    named = dict(settings.source_of or ())
    others = ", ".join(quoted(handle) for handle in named if settings.sources[0] not in settings.sources_of(handle))
    sql = UNACCOUNTED.format(end=_end(day), others=others or "''")
    found: list[dict[str, Any]] = ask(day, sql).to_pylist()
    return found


def answered(day: date, ask: AskDay) -> bool:
    """Tell whether any Tweet has an answer for a day; one that was only asked for in vain has none."""
    (found,) = ask(day, ANSWERS).to_pylist()
    return bool(found["n"])


def why(unaccounted_for: Mapping[str, Any]) -> str:
    """Return why a Tweet has no answer for a day, empty if it was not asked for; the Tweet is one of `unaccounted`."""
    parts = (unaccounted_for["outcome"], unaccounted_for["text"])
    return ": ".join(part for part in parts if part)


def incomplete(settings: Settings, days: Iterable[date]) -> list[date]:
    """Return those of these days on which Tweets of the roster are neither stored nor set aside."""
    with by_day.by_day(judged(settings), threads=settings.most_workers()) as ask:
        return [day for day in days if unaccounted(day, ask, settings)]


def _end(day: date) -> str:
    """Return the end of a UTC day in SQL."""
    return f"timestamptz '{datetime.combine(day + timedelta(days=1), time())}+00'"
