"""A second API, as a source: a GET for which the answer is a JSON list of Tweets and their likes."""

import json

import pyarrow as pa

from engagement_pipeline.core import rows, tables
from engagement_pipeline.core.endpoints import Endpoint
from engagement_pipeline.core.errors import UnavailableError
from engagement_pipeline.core.model import Flat, HttpRequest, Rate, Terms
from engagement_pipeline.core.shape import ANY
from engagement_pipeline.core.table import Merge, Table

TABLE = Table(
    name="likes",
    grain="a Tweet's likes as observed that day",
    description="",
    key=("tweet_id", "engagement_type"),
    columns=(tables.TWEET_ID, tables.TYPE, tables.COUNT, tables.OBSERVED_AT),
    file="likes/day={day}/likes.parquet",
    glob="likes/*/*.parquet",
    merge=Merge.SNAPSHOT,
)
ENDPOINT = Endpoint(name="likes", source="likes", path="/likes", table=TABLE, types=("favorites",), max_tweets=2)
TERMS = Terms(address="api_url", rate="requests_per_minute", seconds=60, per_account=False, in_flight=64)
HEADERS = frozenset()


def http_request(request):
    return HttpRequest(method="GET", path=f"{ENDPOINT.path}?ids={','.join(map(str, request.tweet_ids))}")


def largest_answer(request):
    return 1_000


def most_values(request):
    return 100


def shape(request):
    return ANY


def posts_read(request, body):
    return ()


def read(body, request):
    found = {item["id"]: item["likes"] for item in json.loads(body)}
    of_type = rows.type_column(pa.array([tables.TYPE_NAMES.index("favorites")] * len(found), pa.int8()))
    columns = {"tweet_id": sorted(found), "engagement_type": of_type, "count": [found[t] for t in sorted(found)]}
    gone = frozenset(request.tweet_ids) - found.keys()
    schema = pa.schema([column.field for column in TABLE.columns[:3]])
    return Flat(pa.table(columns, schema=schema), unavailable=gone, said="", negative=0, scanned=True)


def without(body, erased):
    return json.dumps(erased.without(json.loads(body))).encode()


def error_of(answer, *, handle, asked_at):
    return UnavailableError(f"{answer.url} answered {answer.status}", account=handle, status=answer.status)


def rate_of(headers, *, asked_at, seconds, spent):
    return Rate()
