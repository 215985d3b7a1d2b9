"""The commands with which a lake is put right by hand: a shell on this machine carries out those for a disk."""

import subprocess

import pytest

from engagement_pipeline.core.places import in_bucket
from engagement_pipeline.observe import by_hand

LAKE = in_bucket("s3://bucket/my lake")
BLOBS = in_bucket("az://container/my lake")


def done(command):
    subprocess.run(command, shell=True, check=True)


def test_a_file_on_a_disk_is_moved_over_none(tmp_path):
    path, into = tmp_path / "a b.json", tmp_path / "apart"
    for text in ("old", "new"):
        path.write_text(text)
        done(by_hand.moved(path, into=into))
    assert (into / "a b.json").read_text() == "old"
    assert path.read_text() == "new"


def test_a_file_on_a_disk_is_written_and_removed(tmp_path):
    path = tmp_path / "lake.json"
    done(by_hand.written(path, '{"format": 3}'))
    assert path.read_text() == '{"format": 3}'
    done(by_hand.removed(path))
    assert not path.exists()


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (
            by_hand.moved(LAKE / "a.json", into=LAKE / "b"),
            "aws s3 mv 's3://bucket/my lake/a.json' 's3://bucket/my lake/b/a.json'",
        ),
        (
            by_hand.moved(LAKE / "a", into=LAKE / "b"),
            "aws s3 mv --recursive 's3://bucket/my lake/a' 's3://bucket/my lake/b/a'",
        ),
        (by_hand.removed(LAKE / "a.json"), "aws s3 rm 's3://bucket/my lake/a.json'"),
        (by_hand.written(LAKE / "a.json", "{}"), "printf '%s' '{}' | aws s3 cp - 's3://bucket/my lake/a.json'"),
    ],
)
def test_in_a_bucket_the_store_s_own_tool_does_it(command, words):
    assert command == words


IN_AZURE = {
    by_hand.moved(BLOBS / "a.json", into=BLOBS / "b"): """
        az storage blob copy start --requires-sync true --source-container container --source-blob 'my lake/a.json'
        --destination-container container --destination-blob 'my lake/b/a.json'
        && az storage blob delete --container-name container --name 'my lake/a.json'
    """,
    by_hand.moved(BLOBS / "a", into=BLOBS / "b"): """
        mkdir -p 'my lake/b'
        && az storage blob download-batch --source container --pattern 'my lake/a/*' --destination 'my lake/b'
        && az storage blob delete-batch --source container --pattern 'my lake/a/*'
    """,
    by_hand.removed(BLOBS / "a.json"): """
        az storage blob delete --container-name container --name 'my lake/a.json'
    """,
    by_hand.written(BLOBS / "a.json", "{}"): """
        az storage blob upload --overwrite --container-name container --name 'my lake/a.json' --data '{}'
    """,
}


@pytest.mark.parametrize("command", IN_AZURE)
def test_in_a_container_of_azure_s_its_tool_does_it(command):
    assert command == " ".join(IN_AZURE[command].split())
