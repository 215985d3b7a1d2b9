"""A place in a bucket: a path for all that names, joins and compares, and never a file."""

import os
import pickle
from pathlib import Path

import pytest

from engagement_pipeline.core.errors import InputError
from engagement_pipeline.core.places import ObjectPath, in_bucket, place
from engagement_pipeline.core.settings import load

LAKE = in_bucket("s3://a-bucket/data/lake")


def test_it_is_shown_as_its_address():
    assert str(LAKE) == f"{LAKE}" == "s3://a-bucket/data/lake"
    assert (LAKE.scheme, LAKE.bucket, LAKE.key) == ("s3", "s3://a-bucket", "data/lake")


def test_a_container_of_azure_s_is_a_bucket():
    lake = in_bucket("AZ://a-container/data/lake/")
    assert str(lake) == "az://a-container/data/lake"
    assert (lake.scheme, lake.bucket, lake.key) == ("az", "az://a-container", "data/lake")


def test_what_is_made_of_it_is_one_too():
    made = [LAKE / "raw", LAKE.parent, LAKE.with_name("other"), LAKE.joinpath("a", "b"), *LAKE.parents, LAKE.absolute()]
    assert {type(each) for each in made} == {ObjectPath}
    assert str(LAKE.with_name(".other") / "x") == "s3://a-bucket/data/.other/x"


def test_it_is_relative_to_its_folders_as_a_path_is():
    assert (LAKE / "raw" / "1").relative_to(LAKE).as_posix() == "raw/1"
    assert (LAKE / "raw").is_relative_to(LAKE)


def test_it_outlives_a_process_as_it_was():
    assert pickle.loads(pickle.dumps(LAKE)) == LAKE
    assert len({LAKE, in_bucket("s3://a-bucket/data/lake/")}) == 1


@pytest.mark.parametrize("use", [os.fspath, open, os.stat, lambda path: path.read_bytes(), lambda path: path.mkdir()])
def test_it_is_never_a_file(use):
    with pytest.raises(TypeError, match="s3://a-bucket/data/lake is in a bucket, and no file"):
        use(LAKE)


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("gs://bucket/lake", "no other kind of address is known"),
        ("s3a://bucket/lake", "such as s3://bucket/prefix or az://container/prefix: no other kind of address is known"),
        ("abfss://container@account.dfs.core.windows.net/lake", "no other kind of address is known"),
        ("https://bucket.s3.amazonaws.com", "no other kind of address is known"),
        ("s3://", "the name of no bucket"),
        ("s3://key:secret@bucket/lake", "the name of no bucket"),
        ("s3://Bucket/lake", "the name of no bucket"),
        ("s3://a_bucket/lake", "the name of no bucket"),
        ("s3://a..bucket/lake", "the name of no bucket"),
        ("s3:///lake", "the name of no bucket"),
        ("az://a.container/lake", "the name of no bucket"),
        ("az://a--container/lake", "the name of no bucket"),
        ("az://$web/lake", "the name of no bucket"),
        ("s3://bucket/a//b", "letters, digits and marks such as - or _ between single slashes"),
        ("s3://bucket//a", "between single slashes"),
        ("s3://bucket/a//", "between single slashes"),
        ("s3://bucket/../b", "letters, digits and marks"),
        ("s3://bucket/a?b", "letters, digits and marks"),
        ("s3://bucket/[a]", "letters, digits and marks"),
        ("s3://bucket/a\nb", "letters, digits and marks"),
    ],
)
def test_what_is_no_address_of_a_lake_is_refused(address, words):
    with pytest.raises(ValueError, match=words):
        in_bucket(address)


def test_a_text_is_an_address_or_a_path():
    assert place("s3://a-bucket/data/lake") == LAKE
    assert place("data/s3") == Path("data/s3")


def test_a_login_in_an_address_is_refused_and_not_shown():
    with pytest.raises(InputError) as refused:
        load({"ENGAGEMENT_DATA": "s3://key:secret@bucket/lake", "ENGAGEMENT_CONFIG": os.devnull})
    assert "secret" not in str(refused.value)


def test_the_setting_data_takes_an_address(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert load({"ENGAGEMENT_DATA": "s3://a-bucket/data/lake", "ENGAGEMENT_CONFIG": os.devnull}).data == LAKE
    (tmp_path / "engagement.toml").write_text('data = "s3://a-bucket/data/lake"')
    assert load({}).data == LAKE
