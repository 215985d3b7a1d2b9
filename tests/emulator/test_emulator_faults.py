"""The dials: each fault as a client meets it, over real HTTP, and the same again for the same seed."""

import json

import pytest
import requests
from emulator_client import FOUR_WAY, NOW, ask, body, healthy

from engagement_pipeline.emulator import Emulator
from engagement_pipeline.emulator.dials import Faults
from engagement_pipeline.emulator.faults import Dials

TWEET, TYPE, DAY, HOUR = FOUR_WAY
AUDITED = {"cells": {"group_by": FOUR_WAY}, "tweets": {"group_by": [TWEET, TYPE]}, "types": {"group_by": [TYPE]}}


@pytest.fixture(scope="module")
def running():
    with Emulator(now=NOW) as emulator:
        yield emulator


@pytest.fixture
def emulator(running):
    """The module's emulator with all dials at rest."""
    yield running
    running.faults.reset()


@pytest.fixture
def fields():
    return body(healthy(place=30).tweet_id, groupings=AUDITED)


def sums(answer, name):
    """Return a type's total by each of the three groupings."""
    cells = [int(c) for tweet in answer["cells"].values() for day in tweet[name].values() for c in day.values()]
    tweets = [int(types[name]) for types in answer["tweets"].values()]
    return sum(cells), sum(tweets), int(answer["types"][name])


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_a_status_instead_of_an_answer(emulator, fields, status):
    emulator.faults.set(**{f"status_{status}": 1})
    response = ask(emulator, fields)
    assert (response.status_code, len(response.json()["errors"])) == (status, 1)


def test_an_html_page_instead_of_an_answer(emulator, fields):
    emulator.faults.set(html_error=1)
    response = ask(emulator, fields)
    assert (response.status_code, response.headers["content-type"]) == (502, "text/html; charset=utf-8")


def test_a_connection_that_closes_in_mid_body(emulator, fields):
    emulator.faults.set(reset=1)
    with pytest.raises((requests.exceptions.ChunkedEncodingError, requests.exceptions.ConnectionError)):
        ask(emulator, fields)


def test_a_gzip_that_stops_half_way(emulator, fields):
    """Python's own requests reads such a body without an error, so the JSON is where it shows."""
    emulator.faults.set(truncated_gzip=1)
    response = ask(emulator, fields)
    assert response.headers["content-encoding"] == "gzip"
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        response.json()


def test_a_json_that_stops_half_way(emulator, fields):
    emulator.faults.set(broken_json=1)
    response = ask(emulator, fields)
    assert response.status_code == 200
    with pytest.raises(ValueError, match=r"Unterminated|Expecting"):
        response.json()


def test_an_answer_that_takes_its_time(emulator, fields):
    emulator.faults.set(slow=1, slow_seconds=0.05)
    assert ask(emulator, fields).elapsed.total_seconds() >= 0.05


def test_hours_without_a_count_are_missing(emulator, fields):
    whole = ask(emulator, fields).json()
    emulator.faults.set(missing_hours=1)
    sparse = ask(emulator, fields).json()
    assert len(json.dumps(sparse)) < len(json.dumps(whole))
    assert "0" not in [c for t in sparse["cells"].values() for d in t["impressions"].values() for c in d.values()]
    assert sums(sparse, "impressions") == sums(whole, "impressions")


def test_a_type_that_nobody_asked_for(emulator, fields):
    emulator.faults.set(unknown_types=1)
    answer = ask(emulator, fields).json()
    assert set(answer["types"]) == {"impressions", "url_clicks", "bookmarks"}
    assert len(set(sums(answer, "bookmarks"))) == 1


def test_a_root_key_that_nobody_knows(emulator, fields):
    emulator.faults.set(unknown_keys=1)
    assert ask(emulator, fields).json().keys() - AUDITED.keys() == {"start", "end", "request_trace"}


def test_headers_that_nobody_knows(emulator, fields):
    emulator.faults.set(unknown_headers=1)
    headers = ask(emulator, fields).headers
    assert (headers["x-rate-limit-burst"], headers["x-served-from"]) == ("12", "cell-4")


def test_an_error_in_words_that_nobody_knows(emulator, fields):
    emulator.faults.set(unknown_texts=1)
    assert ask(emulator, fields).json()["errors"] == ["Counts of 2 Tweet ID(s) are estimated"]


def test_a_type_stays_away_from_every_grouping(emulator, fields):
    emulator.faults.set(missing_types=1)
    answer = ask(emulator, fields).json()
    (cells,), (tweets,) = answer["cells"].values(), answer["tweets"].values()
    assert {*cells} == {*tweets} == {*answer["types"]} == {"impressions"}


def test_a_count_with_a_fraction(emulator, fields):
    emulator.faults.set(fraction_counts=1)
    (cells,) = ask(emulator, fields).json()["cells"].values()
    counts = [count for days in cells.values() for hours in days.values() for count in hours.values()]
    assert [type(count) for count in counts] == [float] + [str] * (len(counts) - 1)


def test_counts_as_numbers(emulator, fields):
    whole = ask(emulator, fields).json()
    emulator.faults.set(numbers=1)
    answer = ask(emulator, fields).json()
    assert answer["types"] == {name: int(count) for name, count in whole["types"].items()}
    assert isinstance(answer["start"], str)


def test_sums_that_do_not_add_up(emulator, fields):
    emulator.faults.set(wrong_sums=1)
    cells, tweets, types = sums(ask(emulator, fields).json(), "impressions")
    assert cells == tweets + 1 == types + 1


def test_content_faults_leave_an_empty_answer_whole(emulator):
    emulator.faults.set(unknown_types=1, missing_hours=1, missing_types=1, wrong_sums=1, fraction_counts=1, numbers=1)
    assert ask(emulator, body(20, groupings=AUDITED)).json()["cells"] == {}


def test_a_revoked_handle_is_locked_out_alone(emulator):
    emulator.faults.set(revoked_handles=["harborbooks"])
    refused = ask(emulator, body())
    assert refused.status_code == 401
    assert refused.json()["errors"] == ["Your account could not be authenticated. Reason: Access token not found"]
    assert ask(emulator, body(healthy("lumenaudio").tweet_id), handle="lumenaudio").status_code == 200


def test_a_vanished_tweet_is_unavailable(emulator):
    emulator.faults.set(vanished_tweet_ids=[str(healthy().tweet_id)])
    assert ask(emulator, body()).json()["unavailable_tweet_ids"] == [str(healthy().tweet_id)]


def test_a_token_is_revoked_and_a_tweet_vanishes_in_mid_run(emulator):
    tweet_id = healthy().tweet_id
    assert ask(emulator, body()).json()["sums"].keys() == {str(tweet_id)}
    emulator.faults.set(vanished_tweet_ids=[tweet_id])
    assert ask(emulator, body()).json()["sums"] == {}
    emulator.faults.set(revoked_handles=["harborbooks"])
    assert ask(emulator, body()).status_code == 401


def test_an_app_without_approval_is_forbidden(emulator):
    emulator.faults.set(app_not_approved=True)
    response = ask(emulator, body())
    assert (response.status_code, response.json()["errors"]) == (403, ["Your application id is not authorized."])


def test_the_spelling_of_a_403_can_change(emulator):
    foreign = healthy("lumenaudio").tweet_id
    emulator.faults.set(forbidden_spelling="tweets")
    assert ask(emulator, body(foreign)).json()["errors"] == [f"Forbidden to access tweets: {foreign}"]


def test_the_rate_headers_can_be_absent(emulator):
    emulator.faults.set(rate_headers=False)
    assert not [name for name in ask(emulator, body()).headers if name.startswith("x-per-minute")]


def test_dials_are_turned_over_http_too(emulator):
    admin = f"{emulator.url}/admin/faults"
    turned = requests.post(admin, json={"status_503": 1, "vanished_tweet_ids": ["12"]}, timeout=60)
    assert turned.json() == requests.get(admin, timeout=60).json() == emulator.faults.read()
    assert (turned.json()["status_503"], turned.json()["vanished_tweet_ids"]) == (1, ["12"])
    assert ask(emulator, body()).status_code == 503
    assert requests.delete(admin, timeout=60).json()["status_503"] == 0
    assert ask(emulator, body()).status_code == 200


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ('{"status_418": 1}', "no such dial: status_418"),
        ('{"status_503": -0.1}', "status_503 must be a share"),
        ('{"status_503": 1.5}', "status_503 must be a share"),
        ('{"status_503": true}', "status_503 must be a share"),
        ('{"slow_seconds": "1"}', "slow_seconds must be 0 or more seconds"),
        ('{"revoked_handles": ["nobody"]}', "revoked_handles must be some of harborbooks"),
        ('{"revoked_handles": "harborbooks"}', "revoked_handles must be some of harborbooks"),
        ('{"vanished_tweet_ids": ["x"]}', "vanished_tweet_ids must be Tweet IDs"),
        ('{"forbidden_spelling": "loud"}', "forbidden_spelling must be author or tweets or unnamed"),
        ('{"rate_headers": 0}', "rate_headers must be true or false"),
        ("[1]", "must be a mapping"),
        ("{", "unexpected end"),
    ],
)
def test_an_impossible_dial_is_refused(emulator, content, text):
    response = requests.post(f"{emulator.url}/admin/faults", data=content, timeout=60)
    assert response.status_code == 400
    assert text in response.json()["errors"][0]
    assert emulator.faults.dials == Dials()


def test_a_share_hits_that_share_of_requests_and_the_same_ones_again():
    def hit(seed):
        faults = Faults(seed, Dials())
        faults.set(status_503=0.2)
        return [faults.happens("status_503", number) for number in range(1, 2001)]

    assert hit(1) == hit(1) != hit(2)
    assert 0.17 < sum(hit(1)) / 2000 < 0.23


def test_a_whole_number_hits_each_nth_request():
    faults = Faults(1, Dials())
    faults.set(status_500=3)
    assert [number for number in range(1, 10) if faults.happens("status_500", number)] == [3, 6, 9]
