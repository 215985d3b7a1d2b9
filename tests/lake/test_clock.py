"""The lake's clock: it goes as the machine's does, and never back behind what the lake has."""

from datetime import UTC, datetime, timedelta

import pytest
from bodies import at, begin, full, land

from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.core.model import Exchange, Request
from engagement_pipeline.lake import raw, request_log
from engagement_pipeline.lake.clock import TICK, Clock
from engagement_pipeline.lake.layout import Lake


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path / "lake")
    lake.open()
    return lake


def clock_at(lake, *moments):
    """Return a lake's clock on a machine that gives these moments in turn."""
    return Clock.of(lake, machine=iter(moments).__next__)


def ask(lake, moment):
    """Log a request that was sent at a moment."""
    asked = Request(endpoint=HISTORICAL, handle="ann", tweet_ids=(1,), window=None, types=())
    request_log.write(lake, Exchange(request=asked, asked_at=moment, status=200, tries=1, size=9, seconds=0.1))


def test_in_a_new_lake_it_is_the_machine_s_clock(lake, caplog):
    clock = clock_at(lake, at(1), at(2))
    assert (clock(), clock()) == (at(1), at(2))
    assert caplog.text == ""


def test_it_goes_on_behind_the_newest_response(lake):
    land(begin(lake, at(1)), full([1], 5), asked_at=at(3))
    begin(lake, at(2))
    assert clock_at(lake, at(1))() == at(3) + TICK


@pytest.mark.parametrize("state", ["landed", "rejected"])
def test_a_response_that_does_not_count_has_its_moment_too(lake, state):
    pull = begin(lake, at(1))
    path = land(pull, full([1], 5), asked_at=at(3))
    pull.reject(path) if state == "rejected" else path.rename(path.with_name(path.name + ".new"))
    assert clock_at(lake, at(1))() == at(3) + TICK


def test_it_goes_on_behind_a_pull_in_which_nothing_landed(lake):
    begin(lake, at(3))
    assert clock_at(lake, at(1))() == at(3) + TICK


def test_without_raw_it_goes_on_behind_the_newest_request(lake):
    for moment in (at(5), at(3), at(3) - timedelta(days=40)):
        ask(lake, moment)
    assert clock_at(lake, at(1))() == at(5) + TICK


def test_a_torn_line_of_the_log_does_no_harm(lake):
    ask(lake, at(5))
    with lake.storage.find("requests/*.jsonl")[0].open("ab") as file:
        file.write(b'{"asked_at": "2026-0')
    assert clock_at(lake, at(1))() == at(5) + TICK


def test_no_two_moments_are_the_same_and_none_is_before_another(lake):
    clock = clock_at(lake, at(2), at(2), at(1), at(3))
    assert [clock() for _ in range(4)] == [at(2), at(2) + TICK, at(2) + 2 * TICK, at(3)]


def test_a_clock_that_went_back_is_told_once(lake, caplog):
    clock = clock_at(lake, at(5), at(1), at(2))
    for _ in range(3):
        clock()
    (line,) = caplog.messages
    assert line.startswith(
        "this machine's clock, or the setting now, says 2026-02-01 01:00:00, which is before the lake's newest "
        "request of 2026-02-01 05:00:00: "
    )


def test_a_clock_that_is_corrected_by_less_than_a_second_is_not_told(lake, caplog):
    clock = clock_at(lake, at(5), at(5) - timedelta(milliseconds=900))
    assert clock() < clock()
    assert caplog.text == ""


def test_what_is_begun_by_it_is_the_newest_pull(lake):
    begin(lake, datetime(2027, 1, 1, tzinfo=UTC))
    late = begin(lake, clock_at(lake, at(1))())
    assert raw.all_pulls(lake)[-1] == late
