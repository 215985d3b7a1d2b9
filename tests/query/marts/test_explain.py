"""explain: where one count comes from."""

import pytest
import traps
from bodies import TYPES, WINDOW, at, begin, full, land, pulled

from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.core.model import Exchange, Request
from engagement_pipeline.core.tables import ACCOUNT_REFUSED
from engagement_pipeline.lake import request_log
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish.publisher import publish_pulls

ASKED = Request(endpoint=HISTORICAL, handle="ann", tweet_ids=(1, 2), types=TYPES, window=WINDOW)


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path / "lake")
    publish(lake, full([1], 5), 1)
    return lake


def publish(lake, cells, hour, **further):
    pulled(lake, cells, at(hour), **further)
    publish_pulls(lake)
    done = Exchange(request=ASKED, asked_at=at(hour), status=200, tries=1, size=9, seconds=1)
    request_log.write(lake, done)


def explained(lake, *columns, tweet=1, name="impressions", hour=0):
    (row,) = traps.rows(lake, f"select {', '.join(columns)} from explain({tweet}, '{name}', '{WINDOW.first}', {hour})")
    return tuple(row.values())


def test_a_count_has_the_response_the_account_and_the_status_that_gave_it(lake):
    found = explained(lake, '"count"', "reason", "known_since", "given_at", "handle", "status", "earlier")
    assert found == (5, "stored", at(1), at(1), "ann", 200, None)
    (source,) = explained(lake, "source")
    assert (lake.root / source).exists()


def test_a_count_that_was_changed_has_those_before(lake):
    for hour, count in ((2, 7), (3, 9), (4, 9)):
        publish(lake, full([1], count), hour)
    count, since, given, earlier = explained(lake, '"count"', "known_since", "given_at", "earlier")
    assert (count, since, given) == (9, at(3), at(4))
    assert [(before["count"], before["replaced_at"]) for before in earlier] == [(5, at(2)), (7, at(3))]


def test_a_count_that_came_later_had_none_before(lake):
    publish(lake, full([1], 5, hours=(0, 1, 23)), 2)
    ((before,),) = explained(lake, "earlier", hour=1)
    assert (before["count"], before["replaced_at"]) == (None, at(2))


@pytest.mark.parametrize(
    "further", [{"hours": (0,)}, {"types": ("url_clicks",)}], ids=["counts left out", "fewer types asked for"]
)
def test_no_response_is_named_where_an_earlier_one_may_have_given_the_count(lake, further):
    asked = {"types": further["types"]} if "types" in further else {}
    publish(lake, full([1], 6, **further), 2, **asked)
    assert explained(lake, '"count"', "given_at", "source", hour=23) == (5, None, None)


def test_a_count_that_is_not_there_has_the_reason(lake):
    pull = begin(lake, at(2))
    land(pull, {}, tweets=[2], refusal=traps.SAID, unanswered=ACCOUNT_REFUSED)
    publish_pulls(lake)
    told = (None, f"account refused: {traps.SAID}", at(2), None)
    assert explained(lake, '"count"', "reason", "asked_at", "given_at", tweet=2) == told
    assert explained(lake, '"count"', "reason", "asked_at", tweet=3) == (None, None, None)
