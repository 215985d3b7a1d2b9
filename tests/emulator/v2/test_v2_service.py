"""X API v2 over HTTP: rates of 15 minutes, plans, clocks, gzip, the log, and the dials over /admin/v2."""

import gzip
from email.utils import parsedate_to_datetime

import pytest
import requests
from emulator_client import NOW, ask, body, healthy
from v2_client import ANALYTICS, PROBLEM, analytics, get, get_with, query, session

from engagement_pipeline.emulator import Emulator

START = 1_700_000_100.0  # a multiple of 900 s


@pytest.fixture
def fresh_clock():
    return [START]


@pytest.fixture
def fresh(fresh_clock):
    """An emulator that nobody asked anything yet."""
    with Emulator(now=NOW, requests_per_15_minutes=2, clock=lambda: fresh_clock[0]) as running:
        yield running


@pytest.fixture(scope="module")
def clock():
    return [START]


@pytest.fixture(scope="module")
def running(clock):
    with Emulator(now=NOW, requests_per_15_minutes=2, clock=lambda: clock[0]) as emulator:
        yield emulator


@pytest.fixture
def emulator(running, clock):
    """The module's emulator with all dials at rest and no request of this window."""
    clock[0] += 1_800
    yield running
    running.faults.reset()
    running.v2.faults.reset()


def test_the_rate_is_counted_in_windows_of_15_minutes(fresh, fresh_clock):
    seen = [analytics(fresh) for _ in range(3)]
    fresh_clock[0] += 899
    seen.append(analytics(fresh))
    fresh_clock[0] += 1
    seen.append(analytics(fresh))
    assert [answer.status_code for answer in seen] == [200, 200, 429, 429, 200]
    assert [answer.headers["x-rate-limit-remaining"] for answer in seen] == ["1", "0", "0", "0", "1"]
    assert {answer.headers["x-rate-limit-limit"] for answer in seen} == {"2"}
    assert [answer.headers["x-rate-limit-reset"] for answer in seen] == ["1700001000"] * 4 + ["1700001900"]


def test_a_spent_rate_is_told_in_the_old_form(emulator):
    (*_, refused) = [analytics(emulator) for _ in range(3)]
    assert refused.json() == {"errors": [{"code": 88, "message": "Rate limit exceeded"}]}


def test_each_account_has_a_rate_of_its_own_and_so_has_each_endpoint(emulator):
    for _ in range(2):
        analytics(emulator)
    assert analytics(emulator, healthy("lumenaudio").tweet_id, handle="lumenaudio").status_code == 200
    assert get(emulator, "/2/users/me").headers["x-rate-limit-remaining"] == "74"


@pytest.mark.parametrize(
    ("path", "user", "app"),
    [
        (ANALYTICS, "2", None),
        ("/2/media/analytics", "2", None),
        ("/2/users/me", "75", None),
        ("/2/users/by/username/harborbooks", "900", "300"),
        ("/2/users/2817340115/tweets", "900", "10000"),
    ],
)
def test_the_limits_are_those_of_the_vendors_table(emulator, path, user, app):
    assert get(emulator, path).headers["x-rate-limit-limit"] == user
    of_the_app = get_with(emulator, emulator.credentials.bearer_token, path)
    assert of_the_app.headers.get("x-rate-limit-limit") == app


def test_300_requests_are_the_default():
    with Emulator(now=NOW) as emulator:
        assert analytics(emulator).headers["x-rate-limit-limit"] == "300"


def test_what_breaks_a_rule_counts_to_the_rate_and_what_nobody_signed_does_not(emulator):
    assert "x-rate-limit-limit" not in get_with(emulator, "other", ANALYTICS).headers
    assert get(emulator, ANALYTICS).headers["x-rate-limit-remaining"] == "1"


def test_the_rate_headers_can_be_absent(emulator):
    emulator.v2.faults.set(rate_headers=False)
    assert not [name for name in analytics(emulator).headers if name.startswith("x-rate-limit")]


def test_the_old_api_has_a_rate_of_its_own(emulator):
    for _ in range(3):
        analytics(emulator)
    assert ask(emulator, body()).headers["x-per-minute-remaining"] == "299"


def test_a_plan_without_the_analytics_is_refused_there_alone(emulator):
    emulator.v2.faults.set(client_not_enrolled=True)
    refused = analytics(emulator)
    told = refused.json()
    assert (refused.status_code, told["type"], told["reason"]) == (
        403,
        f"{PROBLEM}client-forbidden",
        "client-not-enrolled",
    )
    assert get(emulator, "/2/media/analytics").status_code == 403
    assert get(emulator, "/2/users/me").status_code == 200


def test_a_cap_that_is_used_up_is_refused(emulator):
    emulator.v2.faults.set(usage_capped=True)
    refused = get(emulator, "/2/users/me")
    assert (refused.status_code, refused.json()["type"]) == (429, f"{PROBLEM}usage-capped")
    assert get_with(emulator, emulator.credentials.bearer_token, "/2/usage/tweets").status_code == 200


@pytest.mark.parametrize(("seconds", "status"), [(200, 200), (-200, 200), (400, 401), (-400, 401)])
def test_a_clock_that_differs_refuses_signatures_from_300_seconds_on(emulator, seconds, status):
    emulator.v2.faults.set(clock_ahead_seconds=seconds)
    assert analytics(emulator).status_code == status


def test_a_clock_that_differs_shows_in_the_date_and_the_reset(emulator, clock):
    emulator.v2.faults.set(clock_ahead_seconds=200)
    headers = analytics(emulator).headers
    assert parsedate_to_datetime(headers["date"]).timestamp() == clock[0] + 200
    emulator.v2.faults.set(clock_ahead_seconds=-200)
    assert analytics(emulator).headers["x-rate-limit-reset"] == str(int(clock[0]))


def test_each_answer_has_one_date(emulator):
    for url in (ANALYTICS, "/insights/engagement/historical", "/admin/v2/faults", "/nowhere"):
        answer = requests.get(emulator.url + url, timeout=60)
        assert parsedate_to_datetime(answer.headers["date"])


def test_gzip_is_used_when_it_is_accepted(emulator):
    packed = get(emulator, ANALYTICS, query(), headers={"Accept-Encoding": "gzip"}, stream=True)
    plain = get(emulator, ANALYTICS, query(), headers={"Accept-Encoding": "identity"}, stream=True)
    assert gzip.decompress(packed.raw.read(decode_content=False)) == plain.raw.read()


@pytest.mark.parametrize(("method", "path", "status"), [("POST", ANALYTICS, 405), ("GET", "/2/tweets", 404)])
def test_a_wrong_url_or_method_is_refused_with_a_problem(emulator, method, path, status):
    answer = requests.request(method, emulator.url + path, timeout=60)
    assert (answer.status_code, answer.json()["status"], answer.json()["type"]) == (status, status, "about:blank")


@pytest.mark.parametrize("status", [500, 502, 503], ids=str)
def test_a_status_instead_of_an_answer_is_a_problem(emulator, status):
    emulator.v2.faults.set(**{f"status_{status}": 1})
    answer = analytics(emulator)
    assert (answer.status_code, answer.json()["status"], answer.json()["type"]) == (status, status, "about:blank")


def test_a_429_that_is_dialled_is_told_as_a_spent_rate(emulator):
    emulator.v2.faults.set(status_429=1)
    assert analytics(emulator).json() == {"errors": [{"code": 88, "message": "Rate limit exceeded"}]}


def test_the_faults_of_the_wire_hit_this_api_alone(emulator):
    emulator.v2.faults.set(html_error=1)
    assert analytics(emulator).headers["content-type"] == "text/html; charset=utf-8"
    assert ask(emulator, body()).status_code == 200
    emulator.v2.faults.reset()
    emulator.faults.set(html_error=1)
    assert analytics(emulator).status_code == 200


def test_every_endpoint_can_send_keys_and_headers_that_nobody_knows(emulator):
    emulator.v2.faults.set(unknown_keys=1, unknown_headers=1)
    bearer = emulator.credentials.bearer_token
    answers = [
        analytics(emulator),
        get(emulator, "/2/users/me"),
        get(emulator, "/2/users/2817340115/tweets"),
        get_with(emulator, bearer, "/2/usage/tweets"),
    ]
    assert all("request_trace" in answer.json() for answer in answers)
    assert all({"x-rate-limit-burst", "x-served-from"} <= answer.headers.keys() for answer in answers)
    assert answers[1].json()["data"]["reach_class"] == answers[2].json()["data"][0]["reach_class"] == "b"


def test_a_revoked_handle_is_locked_out(emulator):
    emulator.v2.faults.set(revoked_handles=["harborbooks"])
    assert analytics(emulator).status_code == 401


def test_a_nonce_is_good_once_for_both_apis(emulator):
    with session(emulator) as client:
        signed = client.prepare_request(requests.Request("GET", emulator.url + ANALYTICS, params=query()))
    first, again = (requests.get(signed.url, headers=signed.headers, timeout=60) for _ in range(2))
    assert (first.status_code, again.status_code) == (200, 401)


def test_the_log_tells_what_was_asked(fresh):
    get_with(fresh, "other", ANALYTICS, query())
    analytics(fresh, 12, 13)
    get(fresh, "/2/users/me", handle="lumenaudio")
    logged = fresh.v2.requests
    assert [(entry.number, entry.path, entry.handle, entry.status) for entry in logged] == [
        (1, ANALYTICS, None, 401),
        (2, ANALYTICS, "harborbooks", 200),
        (3, "/2/users/me", "lumenaudio", 200),
    ]
    assert (logged[1].ids, logged[1].query["granularity"], logged[2].ids) == (("12", "13"), "hourly", ())
    told = requests.get(f"{fresh.url}/admin/v2/requests", timeout=60).json()
    assert (told["count"], [entry["status"] for entry in told["requests"]]) == (3, [401, 200, 200])
    assert fresh.requests == []


def test_dials_are_turned_over_http_too(emulator):
    admin = f"{emulator.url}/admin/v2/faults"
    turned = requests.post(admin, json={"null_counts": 1, "partial_errors": {"12": "internal-error"}}, timeout=60)
    assert turned.json() == requests.get(admin, timeout=60).json() == emulator.v2.faults.read()
    assert (turned.json()["null_counts"], turned.json()["partial_errors"]) == (1, {"12": "internal-error"})
    assert requests.delete(admin, timeout=60).json()["null_counts"] == 0


@pytest.mark.parametrize(
    ("dials", "text"),
    [
        ({"wrong_sums": 1}, "no such dial: wrong_sums"),
        ({"partial_errors": {"12": "lost"}}, "each with one of resource-not-found, "),
        ({"partial_errors": ["12"]}, "partial_errors must be an object of Post IDs or media keys"),
        ({"total_form": "round"}, "total_form must be flat or series or both"),
        ({"spelling": "x"}, "spelling must be post or tweet or both"),
        ({"longest_window_days": -1}, "longest_window_days must be 0 or a whole number above"),
        ({"longest_window_days": 1.5}, "longest_window_days must be 0 or a whole number above"),
        ({"young_percent": "1"}, "young_percent must be a number"),
        ({"differing_by": 0.5}, "differing_by must be a whole number"),
        ({"differing_share": 2}, "differing_share must be a share from 0 to 1"),
        ({"differing_metrics": ["favorites"]}, "differing_metrics must be some of app_install_attempts, "),
        ({"granted_scopes": ["like.read"]}, "granted_scopes must be some of offline.access, tweet.read, users.read"),
    ],
)
def test_an_impossible_dial_is_refused(emulator, dials, text):
    before = emulator.v2.faults.dials
    answer = requests.post(f"{emulator.url}/admin/v2/faults", json=dials, timeout=60)
    assert (answer.status_code, emulator.v2.faults.dials) == (400, before)
    assert text in answer.json()["errors"][0]
