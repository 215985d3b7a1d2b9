"""The Engagement API: /totals, /28hr and /historical.

request ──> the body that is sent          error_responses ──> what an answer other than 200 means
parse_fast · parse_reference ──> flatten ──> rows that add up

rate ──> what the headers say of the rate          without ──> a body that does not hold some Tweets
"""

from engagement_pipeline.sources.engagement.error_responses import error_of
from engagement_pipeline.sources.engagement.flatten import read
from engagement_pipeline.sources.engagement.rate import rate_of
from engagement_pipeline.sources.engagement.request import http_request, largest_answer, place
from engagement_pipeline.sources.engagement.without import without

__all__ = ["error_of", "http_request", "largest_answer", "place", "rate_of", "read", "without"]
