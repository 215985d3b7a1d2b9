"""The emulator over real HTTP: signatures, rate, gzip, routes, tokens, and serving from a terminal."""

import gzip
import re
import signal
import subprocess
import sys
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from emulator_client import FOUR_WAY, NOW, ask, body, healthy, session, tweets
from requests_oauthlib import OAuth1Session

from engagement_pipeline.emulator import Emulator, World, serve

HISTORICAL = "/insights/engagement/historical"
TOTALS = body(engagement_types=["favorites"], start=None, end=None)
REASON = "Your account could not be authenticated. Reason: "


@pytest.fixture(scope="module")
def emulator():
    with Emulator(now=NOW) as running:
        yield running


@pytest.fixture
def fresh():
    """An emulator that nobody asked anything yet."""
    with Emulator(now=NOW) as running:
        yield running


def post(emulator, headers=None, *, path=HISTORICAL, fields=None, **options):
    content = {"json": body() if fields is None else fields} | options
    return requests.post(emulator.url + path, headers=headers, timeout=60, **content)


def signed_headers(emulator, **changes):
    """Return the headers of a signed request, to be sent by hand."""
    client = session(emulator, **changes)
    prepared = client.prepare_request(requests.Request("POST", emulator.url + HISTORICAL, json=body()))
    client.close()
    return {"Authorization": prepared.headers["Authorization"].decode()}


def test_a_signed_request_gets_the_counts_of_the_world(emulator):
    tweet = healthy(place=30)
    response = ask(emulator, body(tweet.tweet_id, groupings={"g": {"group_by": FOUR_WAY}}))
    table = response.json()["g"][str(tweet.tweet_id)]["impressions"]["2026-03-10"]
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    assert table == {
        f"{hour:02}": str(World().count(tweet.tweet_id, "impressions", NOW.replace(day=10, hour=hour)))
        for hour in range(24)
    }


def test_a_foreign_tweet_is_forbidden_over_the_wire(emulator):
    foreign = healthy("lumenaudio")
    response = ask(emulator, body(foreign.tweet_id))
    assert response.status_code == 403
    assert response.json() == {
        "errors": [f"Forbidden to access tweets for author id {foreign.author_id}: {foreign.tweet_id}"]
    }


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"client_key": "other"}, "Consumer key not found"),
        ({"client_secret": "other"}, "Bad signature"),
        ({"resource_owner_key": "other"}, "Access token not found"),
        ({"resource_owner_secret": "other"}, "Bad signature"),
        ({"timestamp": "soon"}, "Timestamp out of bounds"),
        ({"signature_method": "PLAINTEXT"}, "Signature method is not HMAC-SHA1"),
    ],
)
def test_a_bad_signature_is_refused_with_its_reason(emulator, changes, reason):
    response = post(emulator, signed_headers(emulator, **changes))
    assert (response.status_code, response.json()) == (401, {"errors": [REASON + reason]})


@pytest.mark.parametrize("seconds", [-301, 3600])
def test_a_timestamp_far_from_the_clock_is_refused(emulator, seconds):
    """It is made as the request is, since a suite may take long. An hour ahead is too far on a slow machine as well."""
    response = post(emulator, signed_headers(emulator, timestamp=str(int(time.time()) + seconds)))
    assert (response.status_code, response.json()) == (401, {"errors": [f"{REASON}Timestamp out of bounds"]})


@pytest.mark.parametrize(
    ("authorization", "reason"),
    [
        (None, "Unknown Authorization Type"),
        ("Basic YTpi", "Unknown Authorization Type"),
        ("Bearer other", "Access token not found"),
        ("OAuth nonsense", "Malformed Authorization header"),
    ],
)
def test_another_authorization_is_refused(emulator, authorization, reason):
    response = post(emulator, {"Authorization": authorization})
    assert (response.status_code, response.json()) == (401, {"errors": [REASON + reason]})


def test_a_nonce_is_good_once(emulator):
    headers = signed_headers(emulator)
    assert post(emulator, headers).status_code == 200
    again = post(emulator, headers)
    assert (again.status_code, again.json()["errors"]) == (401, [f"{REASON}Nonce already used"])


def test_a_signature_is_for_one_url(emulator):
    response = post(emulator, signed_headers(emulator), path="/insights/engagement/28hr")
    assert response.json()["errors"] == [f"{REASON}Bad signature"]


@pytest.mark.parametrize(("path", "status"), [("totals", 200), ("28hr", 401), ("historical", 401)])
def test_a_bearer_token_is_for_totals_alone(emulator, path, status):
    headers = {"Authorization": f"Bearer {emulator.credentials.bearer_token}"}
    assert post(emulator, headers, path=f"/insights/engagement/{path}", fields=TOTALS).status_code == status


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", HISTORICAL, 405),
        ("PUT", HISTORICAL, 405),
        ("POST", "/insights/engagement", 404),
        ("POST", "/insights/engagement/hourly", 404),
        ("GET", "/", 404),
    ],
)
def test_a_wrong_url_or_method_is_refused_in_json(emulator, method, path, status):
    response = requests.request(method, emulator.url + path, timeout=60)
    assert response.status_code == status
    assert [type(text) for text in response.json()["errors"]] == [str]


def test_the_body_must_be_declared_as_json(emulator):
    headers = signed_headers(emulator) | {"Content-Type": "text/plain"}
    response = post(emulator, headers, json=None, data="{}")
    assert (response.status_code, response.json()["errors"]) == (400, ["The Content-Type must be application/json"])


def test_gzip_is_used_when_it_is_accepted(emulator):
    packed = ask(emulator, body(), headers={"Accept-Encoding": "gzip"}, stream=True)
    plain = ask(emulator, body(), headers={"Accept-Encoding": "identity"}, stream=True)
    assert packed.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert gzip.decompress(packed.raw.read(decode_content=False)) == plain.raw.read()


@pytest.mark.parametrize(("path", "status"), [(HISTORICAL, 400), (HISTORICAL.replace("historical", "hourly"), 404)])
def test_a_refusal_is_packed_like_an_answer(emulator, path, status):
    fields, asked = body(tweet_ids=["one"]), {}
    for coding in ("gzip", "identity"):
        with session(emulator) as client:
            answer = client.post(
                emulator.url + path, json=fields, headers={"Accept-Encoding": coding}, stream=True, timeout=10
            )
            assert answer.status_code == status
            asked[answer.headers.get("content-encoding")] = answer.raw.read(decode_content=False)
    assert gzip.decompress(asked["gzip"]) == asked[None]


def test_the_page_of_a_proxy_is_not_packed():
    with Emulator(now=NOW) as own:
        own.faults.set(html_error=1)
        answer = ask(own, body())
    assert (answer.status_code, "content-encoding" in answer.headers) == (502, False)


def test_gzip_can_be_required():
    with Emulator(now=NOW, require_gzip=True) as emulator:
        refused = ask(emulator, body(), headers={"Accept-Encoding": "identity"})
        assert refused.status_code == 406
        assert refused.json()["errors"][0].startswith("This request requires gzip compression. ")
        assert ask(emulator, body()).status_code == 200


def test_latency_is_added_to_each_answer():
    with Emulator(now=NOW, latency=0.05) as emulator:
        assert ask(emulator, body()).elapsed.total_seconds() >= 0.05


def test_the_rate_is_counted_in_calendar_minutes():
    clock = [1_700_000_010.0]  # 30 s into a minute
    with Emulator(now=NOW, requests_per_minute=2, clock=lambda: clock[0]) as emulator:
        seen = [ask(emulator, body()) for _ in range(3)]
        clock[0] += 30
        seen.append(ask(emulator, body()))
    assert [response.status_code for response in seen] == [200, 200, 429, 200]
    assert [response.headers["x-per-minute-remaining"] for response in seen] == ["1", "0", "0", "1"]
    assert {response.headers["x-per-minute-limit"] for response in seen} == {"2"}
    assert [response.headers["x-per-minute-reset"] for response in seen] == ["1700000040"] * 3 + ["1700000100"]


def test_what_breaks_a_rule_counts_to_the_rate_and_what_nobody_signed_does_not(fresh):
    unsigned = post(fresh)
    broken = ask(fresh, body(start="2026-03-20"))
    assert "x-per-minute-remaining" not in unsigned.headers
    assert (broken.status_code, broken.headers["x-per-minute-remaining"]) == (400, "299")


def test_the_log_tells_what_was_asked(fresh):
    post(fresh)
    ask(fresh, body(), handle="harborbooks")
    ask(fresh, [], handle="lumenaudio")
    logged = fresh.requests
    assert [(entry.number, entry.handle, entry.status) for entry in logged] == [
        (1, None, 401),
        (2, "harborbooks", 200),
        (3, "lumenaudio", 400),
    ]
    assert logged[0].tweet_ids == logged[1].tweet_ids == (healthy().tweet_id,)
    assert (logged[1].endpoint, logged[1].types) == ("historical", ("impressions", "url_clicks"))
    assert (logged[1].window.start, logged[1].window.hours) == (NOW.replace(day=10, hour=0, minute=0), 24)
    assert (logged[2].tweet_ids, logged[2].window) == ((), None)
    told = requests.get(f"{fresh.url}/admin/requests", timeout=60).json()
    assert told["count"] == 3
    assert [entry["status"] for entry in told["requests"]] == [401, 200, 400]


def test_a_defect_of_the_emulator_shows(fresh, caplog):
    """A 500 that nobody dialled must not pass for a fault."""
    fresh.world.tweet = None
    response = ask(fresh, body())
    assert response.status_code == 500
    assert response.json()["errors"][0].startswith("A defect of the emulator: TypeError")
    assert "the emulator failed on POST /insights/engagement/historical" in caplog.text


def test_requests_in_flight_do_not_mix(fresh):
    asked = [tweet.tweet_id for tweet in tweets("harborbooks")[30:54]]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda tweet_id: ask(fresh, body(tweet_id)).json(), asked))
    assert [list(answer["sums"]) for answer in answers] == [[str(tweet_id)] for tweet_id in asked]
    assert sorted(entry.number for entry in fresh.requests) == list(range(1, 25))


def authorise(emulator, handle=None):
    """Walk the 3 legs for a handle and return the form the last one answers, and the session."""
    client = OAuth1Session(emulator.credentials.consumer_key, emulator.credentials.consumer_secret, callback_uri="oob")
    client.fetch_request_token(f"{emulator.url}/oauth/request_token")
    page = requests.get(
        client.authorization_url(f"{emulator.url}/oauth/authorize", **({"handle": handle} if handle else {})),
        timeout=60,
    )
    pin = re.search(r"<code>(\d{7})</code>", page.text)[1]
    return client, pin


@pytest.mark.parametrize(
    ("handle", "name", "author_id"),
    [(None, "harborbooks", "2817340115"), ("tidalcoffee", "tidalcoffee", "3044518902")],
)
def test_three_legs_lead_to_a_token_that_signs(emulator, handle, name, author_id):
    client, pin = authorise(emulator, handle)
    with client:
        token = client.fetch_access_token(f"{emulator.url}/oauth/access_token", verifier=pin)
        assert (token["screen_name"], token["user_id"]) == (name, author_id)
        assert token["oauth_token"].startswith(f"{author_id}-")
        response = client.post(emulator.url + HISTORICAL, json=body(healthy(name, place=5).tweet_id))
        assert response.status_code == 200


def test_a_wrong_pin_gives_no_token(emulator):
    client, pin = authorise(emulator)
    with client:
        client._client.client.verifier = f"{(int(pin) + 1) % 10**7:07}"
        response = client.post(f"{emulator.url}/oauth/access_token")
    assert response.status_code == 401
    assert response.json()["errors"][0]["code"] == 32


def test_a_request_token_is_good_once(emulator):
    client, pin = authorise(emulator)
    with client:
        client._client.client.verifier = pin
        used = client.auth
        assert client.post(f"{emulator.url}/oauth/access_token", auth=used).status_code == 200
        again = client.post(f"{emulator.url}/oauth/access_token", auth=used)
    assert (again.status_code, again.json()["errors"][0]["code"]) == (401, 32)


@pytest.mark.parametrize(
    ("query", "status"), [("oauth_token=other", 401), ("", 401), ("oauth_token={token}&handle=nobody", 403)]
)
def test_authorising_what_does_not_exist_is_refused(emulator, query, status):
    with OAuth1Session(
        emulator.credentials.consumer_key, emulator.credentials.consumer_secret, callback_uri="oob"
    ) as client:
        token = client.fetch_request_token(f"{emulator.url}/oauth/request_token")["oauth_token"]
    page = requests.get(f"{emulator.url}/oauth/authorize?{query.format(token=token)}", timeout=60)
    assert page.status_code == status
    assert page.json()["errors"][0].keys() == {"message", "code"}


def test_the_callback_must_be_out_of_band(emulator):
    with OAuth1Session(
        emulator.credentials.consumer_key,
        emulator.credentials.consumer_secret,
        callback_uri="https://client.example",
    ) as client:
        response = client.post(f"{emulator.url}/oauth/request_token")
    assert (response.status_code, response.json()["errors"][0]["code"]) == (403, 415)


def test_a_consumer_key_and_secret_buy_the_bearer_token(emulator):
    known = (emulator.credentials.consumer_key, emulator.credentials.consumer_secret)
    url, grant = f"{emulator.url}/oauth2/token", {"grant_type": "client_credentials"}
    answer = requests.post(url, auth=known, data=grant, timeout=60)
    assert answer.json() == {"token_type": "bearer", "access_token": emulator.credentials.bearer_token}
    assert requests.post(url, auth=(known[0], "other"), data=grant, timeout=60).status_code == 403
    assert requests.post(url, auth=known, data={"grant_type": "password"}, timeout=60).status_code == 403
    broken = {"Authorization": "Basic %%%"}
    assert requests.post(url, headers=broken, data=grant, timeout=60).status_code == 403


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_writes_its_files_says_its_url_and_ends_on_a_signal(tmp_path, number):
    """The child prints the URL when it is ready and `ended` after serve has returned."""
    program = (
        "import sys; from datetime import datetime; from pathlib import Path;"
        "from engagement_pipeline.emulator import Emulator, serve;"
        "serve(Emulator(now=datetime.fromisoformat(sys.argv[1])), accounts=Path(sys.argv[2]), tweets=Path(sys.argv[3]),"
        " ready=lambda url: print(url, flush=True)); print('ended')"
    )
    accounts, roster = tmp_path / "a" / "accounts.toml", tmp_path / "t" / "tweets.csv"
    child = subprocess.Popen(
        [sys.executable, "-c", program, NOW.isoformat(), accounts, roster],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with child:
        url = child.stdout.readline().strip()
        written = tomllib.loads(accounts.read_text())
        assert len(roster.read_text().splitlines()) > 600
        keys = written["app"], written["accounts"]["harborbooks"]
        with OAuth1Session(
            keys[0]["consumer_key"],
            keys[0]["consumer_secret"],
            keys[1]["access_token"],
            keys[1]["access_token_secret"],
        ) as client:
            assert client.post(url + HISTORICAL, json=body(), timeout=60).status_code == 200
        child.send_signal(number)
        out, err = child.communicate(timeout=60)
    assert (out.strip(), err, child.returncode) == ("ended", "", 0)


def test_a_port_in_use_and_an_impossible_argument_are_one_line(emulator, tmp_path):
    port = int(emulator.url.rpartition(":")[2])
    with pytest.raises(OSError, match=rf"^cannot listen on 127\.0\.0\.1:{port}: Address already in use"):
        Emulator(port=port)
    with pytest.raises(ValueError, match="port must be 0 to 65535"):
        Emulator(port=70_000)
    with pytest.raises(ValueError, match="requests_per_minute must be 1 or more"):
        Emulator(requests_per_minute=0)
    with pytest.raises(ValueError, match="requests_per_15_minutes must be 1 or more"):
        Emulator(requests_per_15_minutes=0)
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"^cannot write "):
        serve(Emulator(), accounts=tmp_path / "file" / "accounts.toml")
