"""Raw: landed whole or not at all, as received, and taken up again."""

import errno
import json
import os
import re
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from bodies import TYPES, WINDOW, at, begin, body, full, land, nothing
from scripted_api import ACCOUNTS, REQUEST, SECRETS, Answer, asking, error

from engagement_pipeline.core.endpoints import TOTALS
from engagement_pipeline.core.errors import LakeError, RefusedError
from engagement_pipeline.core.model import Plan, Request, Response, Window
from engagement_pipeline.lake import raw
from engagement_pipeline.lake.landed_file import CHECKSUMS, ZSTD, Landed
from engagement_pipeline.lake.layout import Lake

ANSWER = Response(body=b'{"as": "received" ,\n\n "\xc3\xa9": 1}\n', asked_at=at(9, 30))


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


@pytest.fixture
def pull(lake):
    return begin(lake, at(9))


def content(path):
    """Return what a landed file holds, decompressed."""
    with pa.OSFile(str(path)) as file, pa.CompressedInputStream(file, "zstd") as stream:
        return stream.read()


def files(folder):
    return sorted(path for path in folder.rglob("*") if path.is_file())


def disk_full(monkeypatch):
    def no_space(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", no_space)


def resumed(lake, now, *, window=WINDOW, types=TYPES, resume_hours=24):
    return raw.begin(lake, nothing(window, types), now=now, resume=timedelta(hours=resume_hours))


def kept(pull):
    """Land a response that adds up; return where it is."""
    return pull.accept(pull.land(REQUEST, ANSWER))


def test_a_response_lands_byte_for_byte(pull):
    path = kept(pull)
    assert content(path).partition(b"\n")[2] == ANSWER.body
    assert next(pull.landed()).body() == ANSWER.body


def test_the_header_says_what_was_asked_and_when(pull):
    path = pull.land(REQUEST, ANSWER)
    header = json.loads(content(path).partition(b"\n")[0])
    assert header == {
        "crc32": header["crc32"],
        "endpoint": "historical",
        "handle": "ann",
        "tweet_ids": [1890000000000000001, 1890000000000000002],
        "first": "2026-01-01",
        "last": "2026-01-02",
        "types": ["impressions", "url_clicks"],
        "asked_at": "2026-02-01T09:30:00+00:00",
        "refusal": "",
        "tokens": "",
    }


def test_what_landed_is_listed_as_it_was_asked(pull):
    path = pull.land(REQUEST, ANSWER, refusal="403: no", tokens="0123")
    assert list(pull.landed()) == [
        Landed(
            path=path,
            request=REQUEST,
            asked_at=ANSWER.asked_at,
            refusal="403: no",
            tokens="0123",
            storage=pull.storage,
        )
    ]


def test_a_request_without_days_or_handle_is_listed_as_it_was_asked(lake):
    plan = Plan(endpoint=TOTALS, window=None, types=("favorites",), requests=())
    pull = raw.begin(lake, plan, now=at(9), resume=timedelta(hours=1))
    request = Request(endpoint=TOTALS, handle="", tweet_ids=(7,), types=("favorites",), window=None)
    pull.accept(pull.land(request, ANSWER))
    assert [landed.request for landed in pull.landed()] == [request]
    assert raw.open_pulls(lake) == [pull]


def test_a_response_counts_once_it_is_accepted(pull):
    path = pull.land(REQUEST, ANSWER)
    assert list(pull.landed()) == []
    assert [landed.path for landed in pull.unsettled()] == [path]
    accepted = pull.accept(path)
    assert [landed.path for landed in pull.landed()] == [accepted]
    assert list(pull.unsettled()) == []


def test_a_header_of_any_length_is_read(pull):
    """More Tweets than a request may hold, so that the header passes one read."""
    ids = tuple(range(1, 20_000))
    land(pull, {}, tweets=ids)
    assert next(pull.landed()).request.tweet_ids == ids


def test_a_disk_that_is_full_leaves_nothing_and_keeps_the_rest(pull, monkeypatch):
    first = kept(pull)
    before = files(pull.path)
    disk_full(monkeypatch)
    with pytest.raises(LakeError, match=r"No space left on device; what landed before is kept\. Make room, then"):
        land(pull, full([7], 1), asked_at=at(10))
    assert files(pull.path) == before
    assert [landed.path for landed in pull.landed()] == [first]


def test_a_write_that_is_killed_half_way_has_not_landed(pull, monkeypatch):
    """Whatever it left is no response and blocks nothing."""

    def killed(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", killed)
        with pytest.raises(KeyboardInterrupt):
            pull.land(REQUEST, ANSWER)
    assert [*pull.landed(), *pull.unsettled()] == []
    assert pull.land(REQUEST, ANSWER).exists()


def test_marking_a_pull_on_a_full_disk_leaves_it_as_it_was(lake, pull, monkeypatch):
    disk_full(monkeypatch)
    with pytest.raises(LakeError, match=r"pull\.json cannot be written"):
        pull.marked(finished=True)
    assert raw.open_pulls(lake) == [pull]


@pytest.mark.parametrize("answer", [Answer(), error(403, "Forbidden to access tweets: 1")])
def test_no_secret_is_in_any_byte_on_disk(lake, pull, answer):
    with asking(answer) as (api, client, _):
        try:
            pull.accept(pull.land(REQUEST, client.ask(REQUEST)))
        except RefusedError as refused:
            response = Response(body=refused.body, asked_at=refused.asked_at)
            pull.land(REQUEST, response, refusal="; ".join(refused.texts))
    assert "Authorization" in api.received[0].headers
    kept = b"".join(content(p) if p.suffix == ".zst" else p.read_bytes() for p in files(lake.root))
    assert answer.body in kept
    assert [name for name, secret in SECRETS.items() if secret.encode() in kept] == []
    assert b"oauth" not in kept.lower()
    assert ACCOUNTS.app.consumer_key.encode() not in kept


def test_a_rejected_response_is_kept_and_no_longer_landed(pull):
    path = pull.land(REQUEST, ANSWER)
    rejected = pull.reject(path)
    assert [*pull.landed(), *pull.unsettled()] == []
    assert content(rejected).endswith(ANSWER.body)


@pytest.mark.parametrize("finished", [False, True])
def test_a_pull_of_the_same_window_and_types_is_gone_on_with_until_it_is_published(lake, pull, finished):
    """One that was killed while it was published is finished, and need not be paid for again."""
    pull.marked(finished=finished)
    assert resumed(lake, at(23)) == pull


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"window": Window(WINDOW.first, WINDOW.first)}, id="another window"),
        pytest.param({"types": ("impressions",)}, id="other types"),
    ],
)
def test_another_pull_is_started(lake, pull, changes):
    fresh = resumed(lake, **({"now": at(10)} | changes))
    assert fresh.path != pull.path
    assert sorted(p.path for p in raw.open_pulls(lake)) == sorted([pull.path, fresh.path])


@pytest.mark.parametrize(("hour", "resume_hours"), [(9 + 24, 24), (11, 2)])
def test_a_pull_that_is_too_old_to_go_on_with_is_finished_as_it_is(lake, pull, hour, resume_hours):
    """Whatever is pulled next: so it is published once more, and not again at every publication."""
    other = Window(WINDOW.first, WINDOW.first)
    fresh = resumed(lake, at(0) + timedelta(hours=hour), window=other, resume_hours=resume_hours)
    assert raw.open_pulls(lake) == [replace(pull, finished=True), fresh]


def test_a_published_pull_is_never_taken_up(lake, pull):
    """Pulling again is how revisions are seen."""
    pull.marked(finished=True, published=True)
    assert resumed(lake, at(10)).path != pull.path


@pytest.mark.parametrize(("now", "taken_up"), [(at(23, 59), True), (at(23, 59) + timedelta(minutes=2), False)])
def test_a_pull_of_the_present_is_gone_on_with_on_its_day_alone(lake, now, taken_up):
    """Its rows are filed under the day that it began on."""
    plan = Plan(endpoint=TOTALS, window=None, types=("favorites",), requests=())
    pull = raw.begin(lake, plan, now=at(23, 30), resume=timedelta(hours=1))
    assert (raw.begin(lake, plan, now=now, resume=timedelta(hours=1)) == pull) == taken_up


def test_pulls_are_open_until_they_are_published_oldest_first(lake, pull):
    later = begin(lake, at(12), window=Window(date(2025, 1, 1), date(2025, 1, 1)))
    pull = pull.marked(finished=True)
    assert raw.open_pulls(lake) == [pull, later]
    pull.marked(published=True)
    assert raw.open_pulls(lake) == [later]


def test_a_pull_that_was_killed_before_its_first_file_is_no_pull(lake, pull):
    (pull.path / "pull.json").unlink()
    assert raw.open_pulls(lake) == []


def with_header(whole, **changes):
    """Return a landed file with other values in its header."""
    with pa.CompressedInputStream(pa.BufferReader(whole), "zstd") as stream:
        header, _, body = stream.read().partition(b"\n")
    return bytes(ZSTD.compress(json.dumps({**json.loads(header), CHECKSUMS: None, **changes}).encode() + b"\n" + body))


DAMAGES = {
    "empty": lambda _: b"",
    "cut": lambda whole: whole[: len(whole) // 2],
    "not compressed": lambda _: b'{"handle": "ann"}\n{}',
    "no header": lambda _: bytes(ZSTD.compress(b"\n{}")),
    "half a header": lambda _: bytes(ZSTD.compress(b'{"handle": "ann"}\n{}')),
    "a header of another kind": lambda _: bytes(ZSTD.compress(b"[]\n{}")),
    "lists in lists": lambda _: bytes(ZSTD.compress(b"[" * 100_000 + b"\n{}")),
    "a handle of another type": lambda whole: with_header(whole, handle={"a": 1}),
    "a refusal of another type": lambda whole: with_header(whole, refusal=[]),
    "types of another type": lambda whole: with_header(whole, types=[1]),
    "no Tweets": lambda whole: with_header(whole, tweet_ids=[]),
    "a Tweet of another type": lambda whole: with_header(whole, tweet_ids=["1"]),
    "a Tweet of 70 bits": lambda whole: with_header(whole, tweet_ids=[2**70]),
    "a type that there is not": lambda whole: with_header(whole, types=["impressinns"]),
    "another endpoint": lambda whole: with_header(whole, endpoint="28hr"),
    "another time than its name": lambda whole: with_header(whole, asked_at="2027-02-01T09:30:00+00:00"),
    "other days than its folder": lambda whole: with_header(whole, first="2025-12-31"),
    "another handle than its name": lambda whole: with_header(whole, handle="bnn"),
    "a time without a zone": lambda whole: with_header(whole, asked_at="2026-02-01T09:30:00"),
    "a bad time": lambda _: bytes(ZSTD.compress(b'{"handle": "a", "tweet_ids": 1}\n{}')),
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_response_is_named(pull, damage):
    path = kept(pull)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(LakeError) as caught:
        [landed.body() for landed in pull.landed()]
    assert str(path) in str(caught.value)
    assert "put it back from a backup of the lake" in str(caught.value)
    apart = path.parent / "rejected" / path.name
    assert f"without one, move it to {apart}: what was published of it stays, " in str(caught.value)


@pytest.mark.parametrize("change", ["{stem} (1).json.zst", "{stem} copy.json.zst", ".{stem}.json.zst"])
def test_a_copy_beside_a_response_is_none(pull, change):
    path = kept(pull)
    copy = path.with_name(change.format(stem=path.name.removesuffix(".json.zst")))
    copy.write_bytes(path.read_bytes())
    assert [landed.path for landed in pull.landed()] == [path]


@pytest.mark.parametrize("place", ["2026-02-30_2026-03-01", "2026-01-01_2026-01-02 copy"])
def test_a_folder_of_days_that_there_are_not_or_a_copy_is_no_pull(lake, pull, place):
    copy = pull.path.parent.with_name(place) / pull.path.name
    copy.mkdir(parents=True)
    (copy / "pull.json").write_bytes((pull.path / "pull.json").read_bytes())
    assert raw.folders(lake) == [pull.path]


def test_a_damaged_response_that_is_moved_as_the_message_says_is_read_no_more(pull):
    path = kept(pull)
    path.write_bytes(b"")
    with pytest.raises(LakeError) as caught:
        [*pull.landed()]
    place = Path(re.search(r"move it to (\S+): ", str(caught.value))[1])
    place.parent.mkdir()
    path.rename(place)
    assert [*pull.landed()] == []


def test_a_pull_json_that_the_system_lets_nobody_read_is_not_taken_for_a_damaged_one(lake, pull, monkeypatch):
    """Else a publication would go on without the pull, and say that all is done."""

    def refuse(*_):
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(type(lake.storage), "read", refuse)
    for look in (raw.open_pulls, raw.all_pulls):
        with pytest.raises(OSError, match="Input/output error"):
            look(lake)


def test_a_response_without_checksums_is_read_as_an_older_program_wrote_it(pull):
    path = kept(pull)
    path.write_bytes(with_header(path.read_bytes()))
    (landed,) = pull.landed()
    assert (landed.request, landed.body()) == (REQUEST, ANSWER.body)


def test_a_byte_that_has_changed_is_told_wherever_it_is(pull):
    path = kept(pull)
    held = content(path)
    name = held.index(CHECKSUMS.encode())  # without the name of the checksums there are none
    for place in {*range(len(held))} - {*range(name, name + len(CHECKSUMS))}:
        changed = bytearray(held)
        changed[place] ^= 1
        path.write_bytes(ZSTD.compress(bytes(changed)))
        with pytest.raises(LakeError, match="is damaged"):
            [landed.body() for landed in pull.landed()]


def test_a_response_that_is_damaged_past_its_header_is_named_when_it_is_read(pull):
    path = land(pull, full(range(1, 60), 1))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(LakeError, match=f"{path} is damaged"):
        [landed.body() for landed in pull.landed()]


def test_two_accounts_may_land_the_same_moment(pull):
    """The handle and the first Tweet are in the name."""
    paths = {
        land(pull, full([1], 1), handle="ann"),
        land(pull, full([1], 1), handle="bob"),
        land(pull, full([2], 1), handle="ann"),
    }
    assert len(paths) == len(list(pull.landed())) == 3


def test_a_body_of_full_size_lands_small(pull):
    """Most counts are zero, so a response is kept in a small part of its size."""
    path = land(pull, full(range(1, 26), 0, hours=range(24)))
    assert path.stat().st_size * 10 < len(body(full(range(1, 26), 0, hours=range(24))))
