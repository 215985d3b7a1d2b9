"""The Engagement API: /totals, /28hr and /historical.

request ──> the body that is sent          error_responses ──> what an answer other than 200 means
parse_fast · parse_reference ──> flatten ──> rows that add up

rate ──> what the headers say of the rate          without ──> a body that does not hold some Tweets
shape ──> what the documents say that an answer may hold
"""

from engagement_pipeline.core.model import Terms
from engagement_pipeline.sources.engagement.error_responses import error_of
from engagement_pipeline.sources.engagement.flatten import read
from engagement_pipeline.sources.engagement.rate import MINUTE, rate_of
from engagement_pipeline.sources.engagement.request import http_request, largest_answer, most_values, place, posts_read
from engagement_pipeline.sources.engagement.shape import HEADERS, shape
from engagement_pipeline.sources.engagement.without import without

__all__ = [
    "HEADERS",
    "TERMS",
    "error_of",
    "http_request",
    "largest_answer",
    "most_values",
    "place",
    "posts_read",
    "rate_of",
    "read",
    "shape",
    "without",
]

TERMS = Terms(
    address="api_url",
    rate="requests_per_minute",
    seconds=MINUTE,
    per_account=False,
    in_flight=64,  # the budget decides how many of them wait for an answer at a time
)
