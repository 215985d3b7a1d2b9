"""A lake with a Tweet that is to be forgotten, everywhere where a lake can hold one."""

from bodies import at, begin, full, land, observed, parts, pulled, totals
from histories import TODAY

from engagement_pipeline.core.endpoints import RECENT, TOTALS
from engagement_pipeline.core.model import Window
from engagement_pipeline.lake import saved
from engagement_pipeline.publish.publisher import publish_pulls

GONE, FIRST, LAST, NEVER = (1_600_000_000_000_000_000 + number for number in (2, 1, 3, 4))
NOW = at(23, 59)
STAYS = [FIRST, LAST]
ALL = [GONE, *STAYS]


def lived(lake, *, gone=(GONE,)):
    """Pull windows that overlap, revisions, refusals, rejected and staged bodies, and the present of some Tweets."""
    others = (FIRST, LAST)
    pulled(lake, full([*gone, *others], 10), at(1), tweets=[*gone, *others, NEVER], unavailable_tweet_ids=[str(NEVER)])
    publish_pulls(lake)
    pulled(lake, full([*gone, *others], 20, hours=(0, 5)), at(2))
    publish_pulls(lake)
    if gone:
        pulled(lake, full(gone, 30), at(3), handle="bob")
        pull = begin(lake, at(4))
        pull.reject(land(pull, full([*gone, FIRST], 4)))
        land(pull, {}, tweets=gone, refusal=f"403: Forbidden to access tweets: {GONE}")
        land(pull, {}, tweets=[*gone, LAST], unanswered="no answer", refusal="timed out", asked_at=at(4, 1))
        pull.marked(finished=True)
        publish_pulls(lake)
    for endpoint, content in (
        (TOTALS, totals({(tweet, "favorites"): 5 for tweet in (*gone, *others)})),
        (RECENT, parts(full([*gone, *others], 6, window=Window(TODAY, TODAY)))),
    ):
        observed(lake, endpoint, content, at(22), tweets=[*gone, *others])
        publish_pulls(lake)
    return lake


def reported(lake, path, *, shows, is_report=True):
    """Save a report that shows some Tweets, as the program does; or leave what is no report any more in its place."""
    saved.note(lake, saved.Saved(path=str(path), handle="ann", month="2026-01"))
    path.write_bytes((saved.MARK if is_report else b"") + " ".join(map(str, shows)).encode())
    return path
