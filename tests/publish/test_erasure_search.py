"""A search of a lake finds an ID in whatever file it lies, and names no file that only looks like it."""

import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from engagement_pipeline.core.erased import Erased
from engagement_pipeline.lake.landed_file import ZSTD
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish import erasure_search
from engagement_pipeline.publish.erasure_search import search

GONE, STAYS = 1_600_000_000_000_000_002, 1_600_000_000_000_000_003
ERASED = Erased(frozenset({GONE, 20}))


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path / "lake")
    lake.open()
    return lake


def parquet(**columns):
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue().to_pybytes()


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("notes/copy.txt", f"see {GONE}.".encode()),
        ("a.json.zst", ZSTD.compress(f'{{"{GONE}": 1}}'.encode())),
        ("a.json.zst.new", ZSTD.compress(f'{{"{GONE}": 1}}'.encode())),
        ("a.csv.gz", gzip.compress(f"tweet_id\n{GONE}\n".encode(), mtime=0)),
        ("cut.json.zst", f"no zstd, and it names {GONE}".encode()),
        ("cut.parquet", f"no Parquet, and it names {GONE}".encode()),
        ("other.duckdb", b"\0" + GONE.to_bytes(8, "little")),
        ("a.parquet", parquet(reply_to=[GONE])),
        ("a.parquet", parquet(tweet_id=[20])),
        ("a.parquet", parquet(url=[None, f"https://x.com/ann/status/{GONE}"])),
        ("a.parquet", parquet(links=[[f"status/{GONE}"]])),
        (f"ann-{GONE}-x", b""),
        (".hidden", str(GONE).encode()),
    ],
)
def test_it_is_found(lake, name, content):
    path = lake.root / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    assert search(lake, ERASED).holding == (name,)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.txt", f"{STAYS} 1{GONE} 20".encode()),
        ("a.parquet", parquet(tweet_id=[STAYS], count=[20])),
        ("demo/lake.json", str(GONE).encode()),  # a lake of its own
    ],
)
def test_it_is_not_seen_where_it_is_not(lake, name, content):
    path = lake.root / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    assert search(lake, ERASED).holding == ()


def test_a_response_that_a_pull_renames_meanwhile_stops_no_search(tmp_path, monkeypatch):
    home = Lake(tmp_path / "lake")
    home.open()
    monkeypatch.setattr(erasure_search, "_files", lambda lake, _: [lake.raw / "ann-1.json.zst.new"])
    assert erasure_search.search(home, Erased(frozenset({1}))).holding == ()


def test_a_lack_of_memory_is_no_file_without_the_id(lake, monkeypatch):
    (lake.root / "a.json.zst").write_bytes(ZSTD.compress(f'{{"{GONE}": 1}}'.encode()))

    def lack(*_):
        raise pa.ArrowMemoryError("malloc failed")

    monkeypatch.setattr(pa, "CompressedInputStream", lack)
    with pytest.raises(MemoryError):
        search(lake, ERASED)
