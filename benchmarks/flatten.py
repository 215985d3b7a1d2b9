"""A body becomes rows at 20 times a loop over json, 200 times json_normalize, 0.3 of simdjson alone: two minutes.

    .venv/bin/python benchmarks/flatten.py

A full response of /historical: 25 Tweets, 17 types, 28 days, 285,600 counts of the emulator's world. The Tweets are
older than the days, so all counts are rows. Every rival makes the same rows of it, and is checked for that; simdjson
alone only parses and converts nothing. All run on one thread and take turns, so that noise is shared out; what counts
is the best round, in processor time. simdjson and dlt are in requirements.lock beside this file; `make bench`
installs them, apart from the project. Exit code 1 where a target is missed.
"""

import gc
import json
import os
import sys
import tempfile
import time
from datetime import UTC, date, datetime

import duckdb
import numpy as np
import orjson
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from synthetic import ROWS_PER_TWEET_DAY, body, request, tweet_ids

from engagement_pipeline.sources.engagement import flatten, parse_reference
from engagement_pipeline.sources.engagement.request import CELLS

COLUMNS = ("tweet_id", "engagement_type", "day", "hour", "count")
TARGETS = {
    "json, loops, DataFrame": 20,
    "pandas.json_normalize, a Tweet at a time": 200,
    "simdjson, parsed only": 0.3,
}  # times as fast
UNNEST = f"""
    with cells as (
        select unnest(map_entries(from_json($body, '{{"{CELLS}":
            "MAP(VARCHAR, MAP(VARCHAR, MAP(DATE, MAP(VARCHAR, BIGINT))))"}}').{CELLS})) as t
    ),
    types as (select t.key as tweet_id, unnest(map_entries(t.value)) as e from cells),
    days as (select tweet_id, e.key as engagement_type, unnest(map_entries(e.value)) as d from types),
    hours as (select tweet_id, engagement_type, d.key as day, unnest(map_entries(d.value)) as h from days)
    select tweet_id::bigint as tweet_id, engagement_type, day, h.key::utinyint as hour, h.value as "count" from hours
"""


def main() -> int:
    whole = request(tweet_ids(25, date(2025, 12, 1), date(2026, 1, 3)))
    few = request(whole.tweet_ids[:5])
    rivals = {  # what runs, and in how many rounds
        "flatten": (lambda text: flatten.read(text, whole).rows, 40),
        "simdjson, parsed only": (simdjson_parsed(), 40),
        "orjson, loops, column lists": (orjson_lists, 10),
        "json, loops, DataFrame": (json_loops, 10),
        "the plain reference": (
            lambda text: parse_reference.cells(parse_reference.parsed(text), flatten._asked(whole)),  # noqa: SLF001
            5,
        ),
        "DuckDB's JSON functions": (duckdb_unnest(), 3),
        "pandas.json_normalize, a Tweet at a time": (json_normalize, 2),
        "dlt, of row dicts, of 5 Tweets": (dlt_rows, 2),
    }
    bodies = {name: body(few if "5 Tweets" in name else whole) for name in rivals}
    rows = {name: flatten.read(text, whole).rows for name, text in bodies.items()}
    best = dict.fromkeys(rivals, float("inf"))
    for number in range(40):
        for name, (run, rounds) in rivals.items():
            if number < rounds:
                seconds, made = timed(run, bodies[name])
                best[name] = min(best[name], seconds)
                if number == 0:
                    check(name, made, rows[name])
    speeds = {name: len(rows[name]) / seconds / 1e6 for name, seconds in best.items()}
    print("| one thread, a full body | million rows a second | flatten is so many times as fast | target |")
    print("|---|--:|--:|--:|")
    for name, speed in sorted(speeds.items(), key=lambda item: -item[1]):
        print(f"| {name} | {speed:.3g} | {speeds['flatten'] / speed:,.3g} | {TARGETS.get(name, '')} |")
    growth()
    return int(any(speeds["flatten"] < times * speeds[name] for name, times in TARGETS.items()))


def growth():
    """Print how the speed changes with the size of the body and with what is in it."""
    print("\n| flatten, of | million rows a second |\n|---|--:|")
    ids = tweet_ids(25, date(2025, 12, 1), date(2026, 1, 3))
    cases = {"1 Tweet": (1, None), "5 Tweets": (5, None), "25 Tweets": (25, None)}
    cases |= {f"25 Tweets, {share:.0%} of the counts not zero": (25, share) for share in (0, 0.1, 0.5, 1)}
    for case, (number, share) in cases.items():
        asked = request(ids[:number])
        text = body(asked, share=share)
        seconds = min(timed(lambda text, asked=asked: flatten.read(text, asked), text)[0] for _ in range(20))
        print(f"| {case} | {number * 28 * ROWS_PER_TWEET_DAY / seconds / 1e6:.3g} |")


def timed(run, text):
    """Return the processor seconds of a run, and what it made."""
    gc.collect()
    began = time.process_time()
    made = run(text)
    return time.process_time() - began, made


def check(name, made, rows):
    """Raise where a rival did not make the same rows; simdjson makes none."""
    if isinstance(made, parse_reference.Cells):
        made = {"count": made.counts}
    if made is not None:
        counts = np.asarray(made["count"])
        assert (len(counts), counts.sum()) == (len(rows), rows["count"].to_numpy().sum()), name


def simdjson_parsed():
    import simdjson  # noqa: PLC0415 - not in the lock of the project

    parser = simdjson.Parser()

    def run(text):
        parser.parse(text)  # the document is given back at once, for the next

    return run


def each(root):
    """Yield the rows of a root."""
    for tweet, by_type in root[CELLS].items():
        tweet_id = int(tweet)
        for name, by_day in by_type.items():
            for day, by_hour in by_day.items():
                for hour, count in by_hour.items():
                    yield tweet_id, name, day, int(hour), int(count)


def json_loops(text):
    return pd.DataFrame(list(each(json.loads(text))), columns=COLUMNS)


def orjson_lists(text):
    columns = tweets, types, days, hours, counts = [], [], [], [], []
    for tweet, by_type in orjson.loads(text)[CELLS].items():
        tweet_id = int(tweet)
        for name, by_day in by_type.items():
            for day, by_hour in by_day.items():
                tweets += [tweet_id] * len(by_hour)
                types += [name] * len(by_hour)
                days += [day] * len(by_hour)
                hours += map(int, by_hour)
                counts += map(int, by_hour.values())
    return pa.table(dict(zip(COLUMNS, columns, strict=True)))


def json_normalize(text):
    frames = []
    for tweet, by_type in json.loads(text)[CELLS].items():
        wide = pd.json_normalize(by_type, sep="/")  # one row, a column a count; of all Tweets at once is no faster
        frames.append(wide.T[0].rename_axis("key").reset_index(name="count").assign(tweet_id=int(tweet)))
    frame = pd.concat(frames, ignore_index=True)
    frame[["engagement_type", "day", "hour"]] = frame.pop("key").str.split("/", expand=True)
    return frame.astype({"count": "int64", "hour": "int64"})


def duckdb_unnest():
    connection = duckdb.connect(config={"threads": 1})
    return lambda text: connection.sql(UNNEST, params={"body": text.decode()}).to_arrow_table()


def dlt_rows(text):
    os.environ |= {"RUNTIME__DLTHUB_TELEMETRY": "false", "RUNTIME__LOG_LEVEL": "ERROR", "NORMALIZE__WORKERS": "1"}
    import dlt  # noqa: PLC0415 - not in the lock of the project

    with tempfile.TemporaryDirectory() as folder:
        target = dlt.destinations.filesystem(f"{folder}/out")
        pipeline = dlt.pipeline("made", pipelines_dir=folder, destination=target, dataset_name="made")
        dicts = (dict(zip(COLUMNS, row, strict=True)) for row in each(json.loads(text)))
        pipeline.run(dicts, table_name="engagements", loader_file_format="parquet")
        return pq.read_table(f"{folder}/out/made/engagements", columns=["count"])


if __name__ == "__main__":
    print(f"{datetime.now(UTC).date()}, {os.cpu_count()} cores, Python {sys.version.split()[0]}\n")
    sys.exit(main())
