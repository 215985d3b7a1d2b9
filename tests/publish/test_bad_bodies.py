"""Bodies that nobody should send: named with their file and the place in them, in bounded memory; no table changes.

They can be in raw only past the puller's audit: by hand, from a damaged disk, or of a program without that audit.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest
from bodies import WINDOW, at, begin, body, full, pulled
from tables import check_daily, contents, counts, parquet_files, rebuilt

from engagement_pipeline.core.endpoints import HISTORICAL
from engagement_pipeline.core.errors import LakeError
from engagement_pipeline.core.model import LARGEST_BODY, Request, Response
from engagement_pipeline.lake import raw
from engagement_pipeline.lake.landed_file import CHECKSUMS, ZSTD
from engagement_pipeline.lake.layout import Lake
from engagement_pipeline.publish.publisher import publish_pulls
from engagement_pipeline.sources.engagement.request import CELLS, TWEET_SUMS

FIRST = WINDOW.first
GOOD = body(full([1], 5))
CELL = f'"{FIRST}": {{"00": "5"'
MEGABYTE = 2**20
PUBLISH = (
    "import resource, sys; from pathlib import Path; from engagement_pipeline.core import errors\n"
    "from engagement_pipeline.lake.layout import Lake\n"
    "from engagement_pipeline.publish.publisher import publish_pulls\n"
    "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
    "try: publish_pulls(Lake(Path(sys.argv[1])))\n"
    "except errors.LakeError as error: print(error)\n"
    "print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) // 1024)\n"
)


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path / "lake")
    pulled(lake, full([1], 1), at(1))
    publish_pulls(lake)
    return lake


def put(lake, content, *, hour=2, header=None):
    """Put a body into raw as if it had been accepted; return where."""
    pull = begin(lake, at(hour))
    request = Request(endpoint=HISTORICAL, handle="ann", tweet_ids=(1,), window=WINDOW, types=pull.types)
    path = pull.accept(pull.land(request, Response(body=content, asked_at=at(hour))))
    if header:
        path.write_bytes(ZSTD.compress(header + b"\n" + content))
    pull.marked(finished=True)
    return path


def replaced(old, new):
    """Return a good body in which a text is another."""
    assert old.encode() in GOOD
    return GOOD.replace(old.encode(), new.encode() if isinstance(new, str) else new, 1)


def with_more(cells):
    """Return a body that adds up and holds these cells too."""
    return body(full([1], 5) | cells)


def nested(depth):
    """Return a body with a further root key that holds lists in lists."""
    return GOOD[:-1] + b', "more": ' + b"[" * depth + b"]" * depth + b"}"


BAD = {
    "a key twice": (replaced(CELL, f'{CELL}, "00": "5"'), f"$.{CELLS}.1.impressions.{FIRST}.00: stands there twice"),
    "a Tweet twice": (
        replaced('{"by_tweet_type_day_hour": {', '{"by_tweet_type_day_hour": {"1": {}, '),
        f"$.{CELLS}.1: stands there twice",
    ),
    "a day before the window": (
        with_more({(1, "impressions", "2025-12-31", 0): 5}),
        f"$.{CELLS}.1.impressions.2025-12-31: was not asked for",
    ),
    "a day behind the window": (
        with_more({(1, "impressions", "2026-01-03", 0): 5}),
        f"$.{CELLS}.1.impressions.2026-01-03: was not asked for",
    ),
    "another Tweet": (with_more({(2, "impressions", FIRST, 0): 5}), f"$.{CELLS}.2: was not asked for"),
    "another type": (with_more({(1, "likes", FIRST, 0): 5}), f"$.{CELLS}.1.likes: was not asked for"),
    "hour 24": (
        with_more({(1, "impressions", FIRST, 24): 5}),
        f"$.{CELLS}.1.impressions.{FIRST}.24: is not an hour from 00 to 23",
    ),
    "hour 7": (replaced('"00"', '"7"'), f"$.{CELLS}.1.impressions.{FIRST}.7: is not an hour from 00 to 23"),
    "more than 64 bits": (
        replaced('"5"', f'"{2**63}"'),
        f"$.{CELLS}.1.impressions.{FIRST}.00: 9223372036854775808 needs more than 64 bits",
    ),
    "a sum of more than 64 bits": (
        with_more({(1, "impressions", FIRST, hour): 2**62 for hour in (0, 1)}),
        f"$.{TWEET_SUMS}.1.impressions: 9223372036854775823 needs more than 64 bits",
    ),
    "a day of more than 64 bits": (
        with_more(
            {(1, "impressions", FIRST, hour): 2**62 for hour in (0, 1)} | {(1, "impressions", WINDOW.last, 0): -(2**62)}
        ),
        f"$.{CELLS}.1.impressions.{FIRST}: adds up to 92233720368547758",
    ),
    "a number of a thousand digits": (replaced('"5"', "9" * 1000), f"$.{CELLS}.1.impressions.{FIRST}.00: 999"),
    "a fraction": (replaced('"5"', "5.0"), f"$.{CELLS}.1.impressions.{FIRST}.00: must be a whole number, not 5.0"),
    "no count": (replaced('"5"', "null"), f"$.{CELLS}.1.impressions.{FIRST}.00: must be a whole number, not None"),
    "no UTF-8": (replaced('"00"', b'"0\xff"'), "$: is not JSON: 'utf-8' codec can't decode byte 0xff"),
    "half a surrogate pair": (replaced('"00"', '"\\ud800"'), "$: is not JSON: "),
    "lists a thousand deep where a count is": (replaced('"5"', "[" * 1000 + "]" * 1000), "$"),
    "objects 20,000 deep": (b'{"a":' * 20_000 + b"1" + b"}" * 20_000, "nested too deep"),
    "nested 20,000 deep beside the counts": (nested(20_000), "nested too deep"),
    "more values than an answer can hold": (nested(100_000), "values, and no answer to this request has more than"),
    "nothing": (b"", "$: is not JSON: "),
    "a list": (b"[]", "$: must be an object, not []"),
    "white space": (b" " * 1000, "$: is not JSON: "),
    "a megabyte of white space": (b" " * MEGABYTE, "$: has 1,048,576 bytes, and no answer to this request has more"),
    "sums that differ": (
        replaced('"by_type": {"impressions": "20"', '"by_type": {"impressions": "21"'),
        "does not add up",
    ),
}


def refused(lake, path):
    """Return the one line with which publishing and rebuilding both refuse, and which names the file."""
    before = parquet_files(lake)
    messages = set()
    for make in (publish_pulls, rebuilt):
        with pytest.raises(LakeError) as caught:
            make(lake)
        messages.add(str(caught.value))
    assert parquet_files(lake) == before
    (message,) = messages
    assert message.startswith(str(path))
    assert "\n" not in message
    assert len(message) < 1000
    return message


@pytest.mark.parametrize(("content", "words"), BAD.values(), ids=BAD)
def test_a_bad_body_is_named_with_the_place_in_it_and_no_table_changes(lake, content, words):
    path = put(lake, content)
    message = refused(lake, path)
    assert words in message
    apart = path.parent / "rejected" / path.name
    assert f"move it to {apart}: what was published of it stays, and the next pull of these days asks for " in message


def test_moved_as_the_message_says_a_bad_body_is_in_nobody_s_way(lake):
    before = contents(lake)
    path = put(lake, GOOD[:-1])
    message = refused(lake, path)
    place = Path(re.search(r"move it to (\S+): ", message)[1])
    place.parent.mkdir(exist_ok=True)
    path.rename(place)
    publish_pulls(lake)
    rebuilt(lake)
    assert contents(lake) == before


def test_what_the_message_says_mends_it(lake):
    path = put(lake, b"{}")
    refused(lake, path)
    path.unlink()
    pulled(lake, full([1], 7), at(3))
    publish_pulls(lake)
    assert counts(lake) == full([1], 7)


def test_a_body_that_is_cut_off_anywhere_is_refused(lake):
    """Whole, it is read: not one of its beginnings is taken for the whole."""
    path = put(lake, GOOD)
    header = json.dumps(header_of(path) | {CHECKSUMS: None}).encode()  # which would tell it before
    for end in range(len(GOOD)):
        path.write_bytes(ZSTD.compress(header + b"\n" + GOOD[:end]))
        with pytest.raises(LakeError, match=r"^\S+\.json\.zst is damaged \(\$"):
            publish_pulls(lake)
    path.write_bytes(ZSTD.compress(header + b"\n" + GOOD))
    publish_pulls(lake)
    assert counts(lake) == full([1], 5)


def header_of(path):
    """Return the first line of a landed file."""
    content = pa.CompressedInputStream(str(path), "zstd").read()
    return json.loads(content.partition(b"\n")[0])


def test_depth_that_python_can_read_is_no_harm_beside_the_counts(lake):
    put(lake, nested(500))
    publish_pulls(lake)
    assert counts(lake) == full([1], 5)


def test_a_count_below_zero_is_kept(lake):
    """People take back what they liked."""
    below = full([1], 5) | {(1, "impressions", FIRST, 0): -3}
    put(lake, body(below))
    publish_pulls(lake)
    assert counts(lake) == below
    check_daily(lake)
    before = contents(lake)
    rebuilt(lake)
    assert contents(lake) == before


@pytest.mark.parametrize("count", [2**63 - 1, -(2**63)])
def test_the_largest_counts_are_kept(lake, count):
    cells = {(1, "impressions", FIRST, 0): count}
    put(lake, body(cells))
    publish_pulls(lake)
    assert counts(lake) == full([1], 1) | cells


@pytest.mark.parametrize("which", ["the body", "the header"])
def test_a_small_file_of_200_megabytes_of_white_space_is_named_in_bounded_memory(lake, which):
    header = b" " * 200 * MEGABYTE if which == "the header" else None
    path = put(lake, b" " * 200 * MEGABYTE if which == "the body" else b"", header=header)
    assert path.stat().st_size < MEGABYTE
    said, grown = published_apart(lake)
    assert said.startswith(f"{path} is damaged (")
    if which == "the body":
        assert "its body has more than 64 MB, and none of the API is that large" in said
    assert int(grown) < 300


def test_the_largest_body_is_read_and_one_byte_more_is_not(lake):
    whole = GOOD[:-1] + b" " * (LARGEST_BODY - len(GOOD)) + b"}"
    path = put(lake, whole)
    assert len(next(raw.all_pulls(lake)[-1].landed()).body()) == LARGEST_BODY
    path.unlink()
    put(lake, whole[:-1] + b" }", hour=3)
    with pytest.raises(LakeError, match="its body has more than 64 MB"):
        publish_pulls(lake)


def published_apart(lake):
    """Publish in a process of its own; return what it said, and by how many megabytes it grew."""
    done = subprocess.run([sys.executable, "-c", PUBLISH, str(lake.root)], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()
