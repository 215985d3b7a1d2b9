"""spending: whether a limit of the month is near, by the logs of all sources."""

from datetime import timedelta

import pytest
from truth import NOW

from engagement_pipeline.core.endpoints import ANALYTICS, TOTALS
from engagement_pipeline.core.model import Exchange, Request
from engagement_pipeline.core.settings import Settings
from engagement_pipeline.lake import request_log
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.observe.spending import NO_LIMIT, nearing, within


@pytest.fixture
def chosen(tmp_path):
    """Settings with a limit of which four of five are used: three requests of one source, one of the other."""
    home = Lake(tmp_path)
    for endpoint, tries in ((TOTALS, 3), (ANALYTICS, 1)):
        lake = home.of(endpoint.source)
        lake.open()
        request = Request(endpoint=endpoint, handle="ann", tweet_ids=(1,), types=(), window=None)
        request_log.write(lake, Exchange(request=request, asked_at=NOW, status=200, tries=tries, size=9, seconds=1))
    return Settings(data=tmp_path, now=NOW, requests_per_month=5)


def test_a_limit_is_near_by_the_requests_to_all_sources(chosen):
    verdict = within(chosen)
    assert not verdict.passed
    assert verdict.words.startswith("80 % of this month's requests are used: 4 of 5 (requests_per_month)")


def test_another_month_has_all_of_it(chosen):
    assert nearing(chosen, day=(NOW + timedelta(days=40)).date()) == {}


def test_without_a_limit_none_is_near(tmp_path):
    assert within(Settings(data=tmp_path)).words == NO_LIMIT
