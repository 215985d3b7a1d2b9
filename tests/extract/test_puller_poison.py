"""What a pull that died has landed and not read: the next looks at it alone, and goes on whatever it is."""

import forks
import pytest
from bodies import at, begin, full, land

from engagement_pipeline import sources
from engagement_pipeline.extract import landed_before
from engagement_pipeline.extract.audit import audit
from engagement_pipeline.lake.landed_file import ZSTD
from engagement_pipeline.lake.layout import PULL_LOCK, Lake
from engagement_pipeline.lake.looking import MemoryLackError, look_again

SETTLE = """
import os, sys
from pathlib import Path
from engagement_pipeline.extract import landed_before
from engagement_pipeline.lake import raw
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.sources import engagement

engagement.read = lambda *_: os.kill(os.getpid(), 9)
landed_before.settle(raw.open_pulls(Lake(Path(sys.argv[1])))[0])
"""


@pytest.fixture
def lake(tmp_path):
    return Lake(tmp_path / "lake")


@pytest.fixture
def pull(lake):
    return begin(lake, at(1))


def unread(pull, tweet):
    """Land a response that nobody has read; return where."""
    path = land(pull, full([tweet], 1))
    return path.rename(path.with_name(path.name + ".new"))


def rejected(pull):
    return sorted(path.name for path in pull.path.glob("rejected/*"))


def kept(pull):
    return [landed.request.tweet_ids for landed in pull.landed()]


def runs_out_at(tweet, monkeypatch):
    """Let the memory run out at the answer about a Tweet."""
    really = sources.read

    def read(body, request):
        if tweet in request.tweet_ids:
            raise MemoryError
        return really(body, request)

    monkeypatch.setattr(sources, "read", read)


@pytest.mark.parametrize("damage", [b"", b"no zstd", bytes(ZSTD.compress(b"[" * 100_000 + b"\n{}"))])
def test_a_damaged_response_that_nobody_has_read_is_rejected_by_name(pull, damage, caplog):
    first, second = unread(pull, 1), unread(pull, 2)
    first.write_bytes(damage)
    landed_before.settle(pull)
    name = first.name.removesuffix(".new")
    assert caplog.messages == [
        f"{first} cannot be read: it is kept as {pull.path / 'rejected' / name}, and its Tweets are asked for again"
    ]
    assert (kept(pull), rejected(pull)) == ([(2,)], [name])
    assert not second.exists()


def test_a_response_that_is_damaged_past_its_header_is_rejected_too(pull, caplog):
    path = unread(pull, 1)
    path.write_bytes(path.read_bytes()[:-1])
    landed_before.settle(pull)
    assert (kept(pull), len(rejected(pull))) == ([], 1)
    assert caplog.messages[0].startswith(f"{path} cannot be read: ")


def test_a_response_for_which_the_memory_is_too_small_alone_is_rejected(pull, monkeypatch, caplog):
    path = unread(pull, 1)
    unread(pull, 2)
    runs_out_at(1, monkeypatch)
    landed_before.settle(pull)
    assert (kept(pull), len(rejected(pull))) == ([(2,)], 1)
    assert caplog.messages[0].startswith(f"{path} needs more memory than there is: it is kept as ")


def test_a_response_that_kills_the_pull_which_looks_at_it_alone_is_set_apart_by_the_next(lake, pull, caplog):
    path = unread(pull, 1)
    assert forks.run(SETTLE, str(lake.root)).code == -9
    assert path.exists()
    look_again(lake, [PULL_LOCK], sources.read)
    assert f"{path} ended two processes that looked at it, the second time alone: it is kept as " in caplog.text
    landed_before.settle(pull)
    assert (kept(pull), len(rejected(pull))) == ([], 1)


def test_a_response_that_fills_the_memory_of_a_pull_is_named_and_stays_for_the_next(pull, monkeypatch):
    path = unread(pull, 1)
    runs_out_at(1, monkeypatch)
    request = next(pull.unsettled()).request
    with pytest.raises(MemoryLackError, match=f"the memory ran out while {path} was looked at; "):
        audit(pull, path, b"{}", request, asked_at=at(1))
    assert path.exists()
