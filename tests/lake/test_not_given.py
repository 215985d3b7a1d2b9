"""A file that the system or a store did not give is no damaged one: nothing is made anew, moved or removed for it."""

import errno
import os

import pytest
from bodies import at, begin, body, full, pulled, revisions
from tables import contents, everything

from engagement_pipeline.core.errors import LakeError, StoreError
from engagement_pipeline.core.model import Request, Response
from engagement_pipeline.core.tables import REVISIONS
from engagement_pipeline.extract import landed_before
from engagement_pipeline.lake import raw
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.lake.parquet import damaged, is_sound
from engagement_pipeline.lake.storage import LocalStorage
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.publish.rebuild import rebuild_table

NUMBERS = [errno.EACCES, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE, errno.ETIMEDOUT]


@pytest.fixture
def lake(tmp_path):
    """A lake of three pulls; raw has the first of them no more, so nothing else knows what was there before."""
    lake = Lake(tmp_path / "lake")
    revisions(lake)
    publish_pulls(lake)
    first, *_ = raw.all_pulls(lake)
    lake.storage.remove_folder(first.path)
    return lake


def refuse(monkeypatch, error, *, numbers=range(1, 10**6), suffix=""):
    """Have a storage give no file, or not those that are asked for as one of `numbers`; return what was asked for."""
    asked = []
    for name in ("read", "source"):
        really = getattr(LocalStorage, name)

        def give(self, path, really=really):
            asked.append(path)
            if path.name.endswith(suffix) and len(asked) in numbers:
                raise error
            return really(self, path)

        monkeypatch.setattr(LocalStorage, name, give)
    return asked


@pytest.mark.parametrize("number", NUMBERS)
def test_it_is_told_with_its_name_as_what_the_system_refused(lake, number):
    path = lake.daily(at(1).date())
    for error in (OSError(number, f"Failed to open local file '{path}'"), OSError(number, os.strerror(number), "x")):
        with pytest.raises(OSError, match=os.strerror(number)) as caught:
            damaged(path, error)
        assert (caught.value.errno, caught.value.filename) == (number, str(path))


@pytest.mark.parametrize("error", [OSError("Corrupt snappy data"), OSError(errno.EIO, "Input/output error")])
def test_what_was_given_and_cannot_be_read_is_damaged(lake, error):
    assert isinstance(damaged(lake.daily(at(1).date()), error), LakeError)


def test_nobody_can_tell_whether_it_is_sound(lake, monkeypatch):
    (path, *_) = lake.storage.find(REVISIONS.glob)
    refuse(monkeypatch, StoreError(errno.ETIMEDOUT, "the store does not answer: wait until it works", "s3://b/x"))
    with pytest.raises(StoreError, match="does not answer"):
        is_sound(lake, path, REVISIONS)


@pytest.mark.parametrize("number", range(1, 62, 4))
def test_a_rebuild_that_is_not_given_a_file_once_loses_nothing(lake, monkeypatch, number):
    before, files = contents(lake), everything(lake)
    with monkeypatch.context() as patch:
        asked = refuse(patch, OSError(errno.EMFILE, "Too many open files"), numbers=[number])
        with pytest.raises((OSError, LakeError), match="Too many open files"):
            rebuild_table(lake, lake.hourly)
        assert len(asked) >= number
    assert contents(lake) == before
    assert everything(lake).keys() >= files.keys()


@pytest.mark.parametrize("number", range(1, 62, 15))
def test_a_rebuild_that_is_given_no_more_files_says_so_and_loses_nothing(lake, monkeypatch, number):
    before, files = contents(lake), everything(lake)
    with monkeypatch.context() as patch:
        refuse(patch, OSError(errno.EMFILE, "Too many open files"), numbers=range(number, 10**6))
        with pytest.raises((OSError, LakeError), match="Too many open files"):
            rebuild_table(lake, lake.hourly)
    assert contents(lake) == before
    assert everything(lake).keys() >= files.keys()
    rebuild_table(lake, lake.hourly)
    assert contents(lake) == before


@pytest.mark.parametrize("suffix", ["pull.json", ".zst", ".parquet"])
def test_a_publication_that_is_not_given_a_file_leaves_it_where_it_is(lake, monkeypatch, suffix):
    pulled(lake, full([1, 4], 40), at(4))
    files = everything(lake)
    with monkeypatch.context() as patch:
        refuse(patch, OSError(errno.EMFILE, "Too many open files"), suffix=suffix)
        with pytest.raises((OSError, LakeError), match="Too many open files"):
            publish_pulls(lake)
    assert everything(lake) == files


def test_a_response_that_is_not_given_is_not_rejected(lake, monkeypatch):
    pull = begin(lake, at(5))
    request = Request(endpoint=pull.endpoint, handle="ann", tweet_ids=(1,), types=pull.types, window=pull.window)
    path = pull.land(request, Response(body=body(full([1], 50)), asked_at=at(5)))
    with monkeypatch.context() as patch:
        refuse(patch, OSError(errno.EMFILE, "Too many open files"), suffix=path.name)
        with pytest.raises(OSError, match="Too many open files"):
            landed_before.settle(pull)
    assert [landed.path for landed in pull.unsettled()] == [path]
